// The demo's story of a lamp: paired by LED and button (XEP-0324 3.1.1), then switched by those whom the server allows.
import { raceSignal } from "../core/abort.ts";
import { systemClock } from "../core/clock.ts";
import type { Thing } from "../thing/thing.ts";
import type { ThingOptions } from "../thing/options.ts";
import { orRefusal, until, type Person, type Stage, type Story } from "./demo-stage.ts";
import { VirtualLed } from "./virtual-led.ts";

/** A lamp is switched on, paired with a Provisioning Server by its button, and then controlled. */
export const pairingStory: Story = {
  summary: "a lamp is paired by LED and button, and told who may switch it",
  sandbox: { hosting: { provisioning: "account" } },
  tell: pairing,
};

// A press in the window's first second does not count.
const TOO_SOON = 1_000;

async function pairing(stage: Stage): Promise<void> {
  const { narrator } = stage;
  narrator.title("LED and button: how a Thing that knows nobody comes to trust a server");
  const friend = await stage.person("friend");
  const stranger = await stage.person("stranger");
  const lamp = { lit: false };
  const options: Omit<ThingOptions, "storage" | "server"> = {
    tags: { MAN: "example.org", MODEL: "Lamp", V: 1 },
    pairing: {},
    control: [{ name: "LED", type: "boolean", set: (value) => void (lamp.lit = value) }],
  };
  const thing = stage.makeThing(options);
  const address = await switchedOn(stage, thing);
  await asked(stage, thing, address);
  await trusted(stage, thing);
  await permitted(stage, friend, address, lamp);
  await refused(stage, stranger, address, lamp);
  await changed(stage, friend, address, lamp);
  await restarted(stage, thing, options, address);
  narrator.title("Every step did what it says.");
}

async function switchedOn({ narrator, signal }: Stage, thing: Thing): Promise<string> {
  await narrator.step("A lamp is switched on for the first time", [
    "It has an LED and a button, an account that it has made itself, and trusts nobody:",
    "until it does, nobody may switch it.",
  ]);
  await thing.start({ signal });
  await thing.waitFor("online", { signal });
  narrator.check(thing.state.trust.is === "none", "it trusts nobody");
  narrator.tell(`It is ${thing.jid}`);
  return thing.jid;
}

async function asked(stage: Stage, thing: Thing, address: string): Promise<void> {
  const { sandbox, narrator, signal } = stage;
  await narrator.step("A Provisioning Server asks to be its friend", [
    "Somebody who installs the lamp has told the server its address. The lamp cannot know whether that is",
    "true, so its LED blinks for 30 s: who stands before it presses the button, or leaves it.",
  ]);
  narrator.wire("subscribe (Provisioning Server to Thing)");
  const ended = new Promise<void>((resolve) => thing.once("pairingEnded", () => resolve()));
  const opened = new Promise<number>((resolve) => thing.once("pairing", ({ ms }) => resolve(ms)));
  const answer = sandbox.provisioning.askFriendship(address.split("/")[0] ?? "", { signal });
  answer.catch(() => undefined); // heard below
  await button(stage, thing, await raceSignal(opened, signal), ended);
  narrator.check((await answer) === "accepted", "the lamp has accepted: subscribed");
}

/** The LED blinks until the button, which is the space bar, is pressed or the time is over. */
async function button(stage: Stage, thing: Thing, ms: number, ended: Promise<void>): Promise<void> {
  const { io, sandbox, narrator, alone, signal } = stage;
  const until = systemClock.monotonic() + ms;
  const led = new VirtualLed(io);
  led.blink(() => {
    const left = Math.max(0, Math.ceil((until - systemClock.monotonic()) / 1000));
    return `${sandbox.provisioning.jid} asks to be trusted. Press the space bar: ${left} s `;
  });
  const finger = { pressed: false };
  const press = (): void => void (finger.pressed ||= thing.pressButton());
  const stop = io.onKey((key) => {
    if (key === " ") press();
  });
  // Where nobody presses, the demo does; a little later than the first second, which does not count.
  const later = alone ? systemClock.schedule(TOO_SOON + 100, press) : undefined;
  try {
    await raceSignal(ended, signal);
  } finally {
    later?.cancel();
    stop();
    led.stop();
  }
  if (!finger.pressed) {
    narrator.tell("Nobody has pressed the space bar: the lamp has refused. Start the demo again, and press it.");
  }
  narrator.check(finger.pressed, "the button was pressed in time");
}

async function trusted({ sandbox, narrator, signal }: Stage, thing: Thing): Promise<void> {
  await narrator.step("The lamp asks its new friend what it is", [
    "It is a Provisioning Server: from now on that one decides. Anybody else would have become an ordinary friend.",
  ]);
  narrator.wire("disco#info (Thing to Provisioning Server): urn:xmpp:iot:provisioning");
  const { trust } = await thing.waitFor((state) => state.trust.is === "delegated", { signal });
  const servers = trust.is === "delegated" ? trust.servers.map(({ jid }) => jid) : [];
  narrator.check(String(servers) === sandbox.provisioning.jid, `it trusts ${servers.join(" ")}, and will tomorrow`);
}

async function permitted(stage: Stage, friend: Person, address: string, lamp: { lit: boolean }): Promise<void> {
  const { sandbox, narrator } = stage;
  await narrator.step("A friend may switch the LED", [
    "The rule is on the Provisioning Server. The lamp asks, remembers the answer, and obeys it.",
  ]);
  narrator.wire("set (friend to Thing), canControl (Thing to Provisioning Server), setResponse");
  sandbox.provisioning.setRules([{ jid: friend.jid, friend: true, control: { parameters: ["LED"] } }]);
  const told = await light(stage, friend, address, true);
  narrator.tell(`The friend sets LED=true: ${told}   ${lamp.lit ? "●" : "○"}`);
  narrator.check(told === "done" && lamp.lit, "the LED is on");
}

async function refused(stage: Stage, stranger: Person, address: string, lamp: { lit: boolean }): Promise<void> {
  const { narrator } = stage;
  await narrator.step("A stranger may not", ["Nobody has made a rule for him. Without one the answer is no."]);
  narrator.wire("canControl: result='false', so the stranger gets forbidden");
  const told = await light(stage, stranger, address, false);
  narrator.tell(`The stranger sets LED=false: ${told}   ${lamp.lit ? "●" : "○"}`);
  narrator.check(told === "forbidden" && lamp.lit, "the LED is still on");
}

async function changed(stage: Stage, friend: Person, address: string, lamp: { lit: boolean }): Promise<void> {
  const { sandbox, narrator, signal } = stage;
  await narrator.step("The rule is taken back", [
    "The server tells the lamp to forget what it remembers; on disk too, before it says that it has.",
  ]);
  narrator.wire("clearCache (Provisioning Server to Thing), clearCacheResponse");
  sandbox.provisioning.setRules([]);
  await until(() => sandbox.provisioning.unacknowledged.length === 0, signal);
  const told = await light(stage, friend, address, false);
  narrator.tell(`The friend sets LED=false: ${told}   ${lamp.lit ? "●" : "○"}`);
  narrator.check(told === "forbidden" && lamp.lit, "what was allowed a moment ago is refused");
}

async function restarted(
  { narrator, signal, makeThing }: Stage,
  thing: Thing,
  options: Omit<ThingOptions, "storage" | "server">,
  address: string,
): Promise<void> {
  await narrator.step("The lamp is switched off and on again", ["Nobody has to press a button twice."]);
  await thing.stop();
  const again = makeThing(options);
  await again.start({ signal });
  await again.waitFor("online", { signal });
  narrator.check(again.jid === address, "it is the same Thing, at the same address");
  narrator.check(again.state.trust.is === "delegated", "it trusts the same server");
}

/** What somebody is told who switches the LED. */
function light({ signal }: Stage, { client }: Person, address: string, value: boolean): Promise<string> {
  return orRefusal(client.control(address, { LED: value }, { signal }).then(() => "done"));
}
