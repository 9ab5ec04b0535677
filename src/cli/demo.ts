import { withDeadline } from "../core/abort.ts";
import { systemClock } from "../core/clock.ts";
import { StanzaError } from "../core/errors.ts";
import { connect, type Connection } from "../connection/connect.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import { startSandbox, type Sandbox } from "../sandbox/sandbox.ts";
import { fileStorage } from "../storage/file-storage.ts";
import { Thing } from "../thing/thing.ts";
import { parse } from "./args.ts";
import { exitCode, type Io } from "./io.ts";
import type { Command } from "./command.ts";
import { Narrator } from "./narrator.ts";

const WHOLE_DEMO = 30_000;

/** `xmpp-thing demo`: the life of a Thing, watched on the sandbox. */
export const demo: Command = {
  summary: "Watch a Thing being registered, claimed, trusted and read",
  help: `Usage: xmpp-thing demo [OPTIONS]

Starts an XMPP server on this machine and shows on it how a thermometer is installed, claimed by
its owner, and told by a Provisioning Server who may read it. Ends with code 0 only if every step
did what it says.

  --auto            do not wait for a key between the steps (as without a terminal)
  --xml             show what goes over the wire
  --help`,
  async run(argv, io) {
    const { flags } = parse(argv, { auto: { type: "boolean" }, xml: { type: "boolean" } } as const, []);
    const pause = flags.has("auto")
      ? (): Promise<void> => Promise.resolve()
      : (): Promise<void> => io.waitForKey("  [any key] ");
    const narrator = new Narrator({ io, pause, xml: flags.has("xml") });
    // A person may take their time over reading; on its own the demo may not.
    const timeout = flags.has("auto") || !io.terminal ? WHOLE_DEMO : undefined;
    await withDeadline(systemClock, { signal: io.ended, timeout }, "the demo", (signal) => play(io, narrator, signal));
    return exitCode.done;
  },
};

interface Stage {
  readonly sandbox: Sandbox;
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
  readonly makeThing: () => Thing;
  readonly person: (name: string) => Promise<Person>;
}

interface Person {
  readonly jid: string;
  readonly connection: Connection;
  readonly client: OwnerClient;
}

async function play(io: Io, narrator: Narrator, signal: AbortSignal): Promise<void> {
  await using sandbox = await startSandbox();
  const folder = await io.makeFolder();
  const people: Person[] = [];
  const things: Thing[] = [];
  sandbox.onStanza((direction, from, to, stanza) => {
    if (direction === "in") narrator.stanza(from, to, stanza);
  });
  const stage: Stage = {
    sandbox,
    narrator,
    signal,
    makeThing: () => {
      const thing = thermometer(sandbox, folder);
      things.push(thing);
      return thing;
    },
    person: async (name) => {
      const { username, password, jid } = sandbox.addUser(name);
      const { service, domain, ca } = sandbox;
      const connection = await connect({ service, domain, username, password, tls: { ca }, signal });
      const person = { jid, connection, client: new OwnerClient(connection) };
      people.push(person);
      return person;
    },
  };
  try {
    await life(stage);
  } finally {
    await Promise.all(things.map((thing) => thing.stop()));
    await Promise.all(people.map(({ connection }) => connection.close()));
    await io.removeFolder(folder);
  }
}

function thermometer(sandbox: Sandbox, folder: string): Thing {
  return new Thing({
    storage: fileStorage(folder),
    server: { service: sandbox.service, domain: sandbox.domain },
    tls: { ca: sandbox.ca },
    tags: { SN: "394872348732948723", MAN: "example.org", MODEL: "Thermometer", V: 1 },
    sensor: {
      fields: [
        { name: "Temperature", unit: "°C", decimals: 1 },
        { name: "Battery", unit: "%", decimals: 0 },
      ],
      read: () => [
        { name: "Temperature", value: 21.5 },
        { name: "Battery", value: 87 },
      ],
    },
  });
}

async function life(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.title("The life of a Thing, in eight steps, on an XMPP server in this process");
  const owner = await stage.person("owner");
  const friend = await stage.person("friend");
  const stranger = await stage.person("stranger");
  const thing = stage.makeThing();
  const address = await installed(stage, thing);
  await claimed(stage, thing, owner);
  await trusted(stage, thing);
  await permitted(stage, friend, address);
  await refused(stage, stranger, address);
  await changed(stage, friend, address);
  await restarted(stage, thing, friend, address);
  narrator.title("Every step did what it says.");
}

async function installed({ sandbox, narrator, signal }: Stage, thing: Thing): Promise<string> {
  await narrator.step("A thermometer is switched on for the first time", [
    "It makes itself an account on the server, over TLS that it has verified,",
    "finds the Thing Registry among the server's components, and registers there.",
  ]);
  narrator.wire("register: serial number, maker, model, version, and a secret KEY made on the spot");
  await thing.start({ signal });
  await thing.waitFor("registered", { signal });
  narrator.check(sandbox.registry.things.length === 1, "the Registry knows one Thing");
  narrator.tell(`It is ${thing.jid.split("/")[0] ?? ""}`);

  await narrator.step("It shows a QR code, and waits for an owner", [
    "Who can scan it can claim the Thing: it is on the device, not on the network.",
  ]);
  narrator.check(thing.claimText.startsWith("IoTDisco;"), "there is something to scan");
  await narrator.qr(thing.claimText);
  return thing.jid;
}

async function claimed({ narrator, signal }: Stage, thing: Thing, owner: Person): Promise<void> {
  await narrator.step("The owner scans it and claims the Thing", [
    "The Registry compares what was scanned with what was registered, and tells the Thing.",
    "The Thing writes it to disk, then says that it understood, and shows the QR code no more.",
  ]);
  narrator.wire("mine (owner to Registry), claimed (Registry to Thing), update: KEY is emptied in the Registry");
  await owner.client.claim(thing.claimText, { signal });
  const { ownership } = await thing.waitFor("claimed", { signal });
  narrator.check(ownership.is === "claimed" && ownership.owner === owner.jid, `the Thing belongs to ${owner.jid}`);
  narrator.check(thing.claimText === "", "there is nothing to scan any more");
}

async function trusted({ narrator, signal }: Stage, thing: Thing): Promise<void> {
  await narrator.step("The Thing delegates: a Provisioning Server decides from now on", [
    "It finds the server among the components and asks it before anybody may come near.",
  ]);
  narrator.wire("disco#items, disco#info: who offers urn:xmpp:iot:provisioning?");
  const { trust } = await thing.waitFor("provisioned", { signal });
  narrator.check(
    trust.is === "delegated",
    `it trusts ${trust.is === "delegated" ? trust.servers.map(({ jid }) => jid).join(" ") : "nobody"}`,
  );
}

async function permitted({ sandbox, narrator, signal }: Stage, friend: Person, address: string): Promise<void> {
  await narrator.step("A friend may read the temperature, and nothing else", [
    "The rule is on the Provisioning Server. The Thing asks, remembers the answer, and obeys it.",
  ]);
  narrator.wire("isFriend, canRead (Thing to Provisioning Server), req and fields (friend and Thing)");
  sandbox.provisioning.setRules([{ jid: friend.jid, friend: true, read: { fields: ["Temperature"] } }]);
  await friend.client.befriend(address, { signal });
  const shown = await read(friend, address, signal);
  narrator.tell(`The friend reads: ${shown}`);
  narrator.check(shown === "Temperature 21.5 °C", "the temperature, and not the battery");
}

async function refused({ narrator, signal }: Stage, stranger: Person, address: string): Promise<void> {
  await narrator.step("A stranger is refused", ["Nobody has made a rule for him. Without one the answer is no."]);
  narrator.wire("canRead: result='false', so the stranger gets forbidden");
  const shown = await read(stranger, address, signal);
  narrator.tell(`The stranger reads: ${shown}`);
  narrator.check(shown === "forbidden", "not a word of the temperature");
}

async function changed({ sandbox, narrator, signal }: Stage, friend: Person, address: string): Promise<void> {
  await narrator.step("The rule is taken back", [
    "The Thing remembers its answers, so the server tells it to forget them; on disk too, before it says that it has.",
  ]);
  narrator.wire("clearCache (Provisioning Server to Thing), clearCacheResponse");
  sandbox.provisioning.setRules([]);
  await until(() => sandbox.provisioning.unacknowledged.length === 0, signal);
  const shown = await read(friend, address, signal);
  narrator.tell(`The friend reads: ${shown}`);
  narrator.check(shown === "forbidden", "what was allowed a moment ago is refused");
}

async function restarted(stage: Stage, thing: Thing, friend: Person, address: string): Promise<void> {
  const { sandbox, narrator, signal, makeThing } = stage;
  await narrator.step("The Thing is switched off and on again", [
    "It has the same account, the same owner, and still knows who may do what.",
  ]);
  const before = sandbox.provisioning.count();
  await thing.stop();
  const again = makeThing();
  await again.start({ signal });
  await again.waitFor("online", { signal });
  narrator.check(again.jid === address, "it is the same Thing, at the same address");
  narrator.check(again.claimText === "", "it still has its owner");
  const shown = await read(friend, address, signal);
  narrator.check(shown === "forbidden", "the friend is still refused");
  const asked = sandbox.provisioning.count() - before;
  narrator.check(asked === 0, `the Provisioning Server was asked ${asked} times`);
}

/** What somebody gets to see of the Thing, in words. */
async function read({ client }: Person, address: string, signal: AbortSignal): Promise<string> {
  try {
    const groups = await client.read(address, { signal, types: ["momentary"] });
    const fields = groups.flatMap((group) => group.fields);
    return fields.map((f) => `${f.name} ${f.kind === "numeric" ? `${f.text} ${f.unit}` : String(f.value)}`).join(", ");
  } catch (error) {
    if (error instanceof StanzaError) return error.condition;
    throw error;
  }
}

async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
  while (!condition()) {
    signal.throwIfAborted();
    await new Promise<void>((resolve) => void systemClock.schedule(5, resolve));
  }
}
