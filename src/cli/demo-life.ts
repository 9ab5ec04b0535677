// The demo's story of a thermometer: registered, claimed, provisioned, read.
import type { Thing } from "../thing/thing.ts";
import type { ThingOptions } from "../thing/options.ts";
import { orRefusal, until, type Person, type Stage, type Story } from "./demo-stage.ts";

/** A thermometer is installed, claimed by its owner, and told by a Provisioning Server who may read it. */
export const lifeStory: Story = {
  summary: "a thermometer is claimed by its owner, and told who may read it",
  tell: life,
};

const thermometer: Omit<ThingOptions, "storage" | "server"> = {
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
};

async function life(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.title("The life of a Thing, in eight steps, on an XMPP server in this process");
  const owner = await stage.person("owner");
  const friend = await stage.person("friend");
  const stranger = await stage.person("stranger");
  const thing = stage.makeThing(thermometer);
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
  const again = makeThing(thermometer);
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
function read({ client }: Person, address: string, signal: AbortSignal): Promise<string> {
  const reading = async (): Promise<string> => {
    const groups = await client.read(address, { signal, types: ["momentary"] });
    const fields = groups.flatMap((group) => group.fields);
    return fields.map((f) => `${f.name} ${f.kind === "numeric" ? `${f.text} ${f.unit}` : String(f.value)}`).join(", ");
  };
  return orRefusal(reading());
}
