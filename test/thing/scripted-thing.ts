// A whole Thing on a scripted stream and a clock that stands still.
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { buildInfo, buildItems } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildRoster, type RosterItem } from "../../src/codec/roster.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { linkSeam, type LinkParts } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import { failingStorage } from "../support/failing-storage.ts";
import { ScriptedWire, settled, type Said } from "../support/scripted-wire.ts";
import { registry } from "./life.ts";

export const account = "thing@example.org";
const things: Thing[] = [];

/** Stops all that were made. */
export async function stopThings(): Promise<void> {
  for (const thing of things.splice(0)) await thing.stop();
}

/** A storage that can be made to fail, for a Thing to open. */
export async function closedStorage() {
  const storage = await failingStorage();
  await storage.close();
  return storage;
}

/** A Thing whose streams the test plays. */
export async function scriptedThing(options: Partial<ThingOptions> & { storage?: Storage } = {}) {
  const clock = new SimulatedClock();
  let parts: LinkParts | undefined;
  const roster = new Map<BareJid, RosterItem>();
  const link = (given: LinkParts) => {
    parts = given;
    return { start: () => undefined, stop: () => Promise.resolve() };
  };
  const told: string[] = [];
  const thing = new Thing({
    storage: await closedStorage(),
    server: { service: "xmpp://127.0.0.1:1", domain: "example.org" },
    registry,
    pairing: {},
    clock,
    ...options,
    [linkSeam]: link,
  } as ThingOptions);
  things.push(thing);
  thing.on("pairing", ({ jid, ms }) => told.push(`LED on for ${jid}, ${ms} ms`));
  thing.on("pairingEnded", ({ jid, outcome }) => told.push(`LED off, ${outcome}: ${jid}`));
  thing.on("paired", ({ jid, as }) => told.push(`${jid} is a ${as}`));
  thing.on("friended", (jid) => told.push(`friend ${jid}`));
  thing.on("fault", ({ code }) => told.push(`fault ${code}`));
  await thing.start();
  /** A new stream, with somebody more on it. */
  const up = async <T>(put?: (wire: ScriptedWire, what: T) => void, what?: T): Promise<ScriptedWire> => {
    if (parts === undefined) throw new Error("not started");
    const { channel, onState } = parts;
    const wire = new ScriptedWire(channel, `${account}/home`);
    wire.peer(account, (payload, type): Said => {
      if (!payload.is("query", ns.roster)) return undefined;
      const item = payload.getChild("item");
      if (item?.attrs["subscription"] === "remove") roster.delete(bareJid(item.attrs["jid"] ?? ""));
      return type === "get" ? buildRoster([...roster.values()]) : undefined;
    });
    wire.peer("example.org", () => buildItems([]));
    wire.peer(registry, () => undefined);
    put?.(wire, what as T);
    channel.attach(wire);
    onState({ is: "online", jid: `${account}/home` });
    await clock.advance(0);
    await clock.advance(0);
    return wire;
  };
  const down = async (): Promise<void> => {
    parts?.channel.detach(new Error("cut"));
    parts?.onState({ is: "waiting", ms: 1_000, reason: new Error("cut") } as never);
    await clock.advance(0);
  };
  /** Somebody accepts the Thing's friendship and shows up, with these features. */
  const appears = async (wire: ScriptedWire, jid: BareJid, ...features: string[]): Promise<void> => {
    const item: RosterItem = { jid, subscription: "both", pendingOut: false, name: "", groups: [] };
    roster.set(jid, item);
    wire.peer(`${jid}/1`, () => buildInfo({ identities: [], features }));
    void wire.ask(account, "set", buildRoster([item]));
    await settled();
    wire.presence(`${jid}/1`, "available");
    await clock.advance(0);
    await clock.advance(0);
  };
  const asks = async (wire: ScriptedWire, ...jids: BareJid[]): Promise<void> => {
    for (const jid of jids) wire.presence(jid, "subscribe");
    await clock.advance(0);
  };
  const press = async (): Promise<boolean> => {
    await clock.advance(1_000);
    const accepted = thing.pressButton();
    await clock.advance(0);
    await clock.advance(0);
    return accepted;
  };
  /** What was told since the last time. */
  const news = (): string[] => told.splice(0);
  const directed = (wire: ScriptedWire, jid: string): string[] =>
    wire.presences.filter((one) => one.endsWith(` ${jid}`)).map((one) => one.split(" ")[0] ?? "");
  return { thing, clock, up, down, appears, asks, press, news, directed, roster };
}
