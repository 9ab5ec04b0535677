// A Thing with three provisioning servers that disagree, fail, hang and answer late; every case is made from its seed.
import { setImmediate } from "node:timers/promises";
import { bareJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { parseFields } from "../../src/codec/sensor-data.ts";
import { parseSetResponse } from "../../src/codec/control.ts";
import type { FieldType } from "../../src/codec/field-types.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { Friends } from "../../src/connection/friends.ts";
import { answerControl, type ControlDevice } from "../../src/control/control-responder.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { permits, permitsControl } from "../../src/provisioning/grants.ts";
import type { Decision } from "../../src/provisioning/decision.ts";
import { DeviceIndex } from "../../src/provisioning/devices.ts";
import { Guard } from "../../src/provisioning/guard.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { answerReadouts, type SensorDevice } from "../../src/sensor/sensor-responder.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { FriendRequests } from "../../src/thing/friend-requests.ts";
import { decided, done, everywhere, shown, type Asked, type Node, type Place, type Said } from "./rights-model.ts";
import { scriptedChannel, type Outcome, type Said as Reply } from "./scripted-wire.ts";

const SERVERS = ["one", "two", "three"].map((name) => bareJid(`${name}.example.org`));
const WHO = "reader@example.org/desk";
const MODES = ["yes", "part", "no", "fail", "hang", "late"] as const;
const KINDS = ["friend", "read", "control"] as const;
type Mode = (typeof MODES)[number];
const OFTEN_NO: readonly Mode[] = ["yes", "part", "part", "no", "no", "no", "fail", "hang", "late"];

/** In how many cases everything has been together with everything once. */
export const COMBINATIONS = KINDS.length * MODES.length ** SERVERS.length;

const FIELDS = new Map([
  ["Temperature", ["momentary"]],
  ["Door open", ["status"]],
  ["Highest", ["peak", "historicalDay"]],
  ["Serial", ["identity"]],
]);
const PARAMETERS = ["LED", "Fan", "Pump"];
const ODD_NAME = `T & "H" <é>`;
const IDS = ["", "a"];
const SOURCES = ["s", "t"];
const CACHES = ["c"];
const FLAGS = ["momentary", "peak", "status", "identity", "historicalDay", "historical", "all"];
const namesOf = (kind: Asked["kind"]): readonly string[] =>
  kind === "read" ? [...FIELDS.keys(), ODD_NAME] : [...PARAMETERS, ODD_NAME];
const worlds = new Map(
  KINDS.map((kind) => [kind, everywhere(kind, { ids: IDS, sources: SOURCES, caches: CACHES, names: namesOf(kind) })]),
);

/** All places of a kind that any case knows. */
export function worldOf(kind: Asked["kind"]): readonly Place[] {
  return worlds.get(kind) ?? [];
}

/** Chances that come again with the same seed. */
class Chance {
  readonly #random: SeededRandom;

  constructor(seed: string) {
    this.#random = new SeededRandom(seed);
  }

  below(count: number): number {
    const [high = 0, low = 0] = this.#random.bytes(2);
    return (high * 256 + low) % count;
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Some of a list, none, or all, in any order. */
  some<T>(list: readonly T[], most = list.length): readonly T[] {
    const left = [...list];
    return Array.from(
      { length: this.below(Math.min(most, left.length) + 1) },
      () => left.splice(this.below(left.length), 1)[0] as T,
    );
  }
}

/** A case: what is asked, and what the three say. */
export interface Case {
  readonly asked: Asked;
  readonly servers: readonly Said[];
  readonly modes: readonly Mode[];
  readonly chance: Chance;
}

/** The case of that number; the first {@link COMBINATIONS} hold every combination. */
export function makeCase(seed: string, number: number): Case {
  const chance = new Chance(`${seed} ${number}`);
  let rest = number % COMBINATIONS;
  const take = <T>(list: readonly T[]): T => {
    const one = list[rest % list.length] as T;
    rest = Math.floor(rest / list.length);
    return one;
  };
  const kind = take(KINDS);
  // After every combination those more often of which something can be refused.
  const modes = SERVERS.map(() => (number < COMBINATIONS ? take(MODES) : chance.of(OFTEN_NO)));
  const asked: Asked = {
    kind,
    flags: kind === "read" ? [chance.of(FLAGS), ...chance.some(FLAGS)] : [],
    nodes: kind === "friend" || chance.oneIn(2) ? [] : chance.some(nodes(), 3),
    names: kind === "friend" ? [] : someNames(kind, chance),
  };
  return { asked, modes, chance, servers: modes.map((mode) => saying(asked, mode, chance)) };
}

const nodes = (): readonly Node[] =>
  IDS.flatMap((nodeId) => [
    { nodeId },
    { nodeId },
    { nodeId, sourceId: "s" },
    { nodeId, sourceId: "t" },
    { nodeId, cacheType: "c" },
    { nodeId, sourceId: "s", cacheType: "c" },
  ]);

function someNames(kind: "read" | "control", chance: Chance): readonly string[] {
  // Controlling everything there is cannot be asked for.
  const some = chance.some(namesOf(kind));
  return some.length === 0 && kind === "control" ? [chance.of(PARAMETERS)] : some;
}

function saying(asked: Asked, mode: Mode, chance: Chance): Said {
  const nothing = { flags: [], nodes: [], names: [] };
  switch (mode) {
    case "yes":
      return { at: 0, answer: { result: true, secondary: chance.oneIn(4), ...nothing } };
    case "part":
      // There is no part of a friendship: a no that may let the Thing make friends of its own.
      return {
        at: 0,
        answer: { result: asked.kind !== "friend", secondary: chance.oneIn(2), ...limits(asked, chance) },
      };
    case "no":
      // What stands beside a no means nothing.
      return { at: 0, answer: { result: false, secondary: chance.oneIn(3), ...limits(asked, chance) } };
    case "fail":
      return { at: 0 };
    case "hang":
      return { at: Infinity };
    case "late": {
      const at = chance.oneIn(4) ? 6_001 + chance.below(3_000) : 1 + chance.below(5_998);
      return { ...saying(asked, chance.of(["yes", "part", "part", "no", "no", "fail"]), chance), at };
    }
  }
}

function limits({ kind }: Asked, chance: Chance): Pick<Asked, "flags" | "nodes" | "names"> {
  if (kind === "friend") return { flags: [], nodes: [], names: [] };
  return {
    flags: kind === "read" && chance.oneIn(2) ? chance.some(FLAGS, 3) : [],
    nodes: chance.oneIn(3) ? [] : chance.some(nodes(), 2),
    names: chance.oneIn(3) ? [] : chance.some(namesOf(kind), 2),
  };
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** The same on the wire, in one of the ways in which it can be said (X-E6: empty as absent). */
function lists(name: "field" | "parameter", of: Pick<Asked, "nodes" | "names">, chance: Chance): string {
  const part = (key: string, value: string | undefined): string =>
    value === undefined ? (chance.oneIn(4) ? ` ${key}=''` : "") : ` ${key}="${escaped(value)}"`;
  const elements = [
    ...of.nodes.map(
      ({ nodeId, sourceId, cacheType }) =>
        `<node nodeId="${escaped(nodeId)}"${part("sourceId", sourceId)}${part("cacheType", cacheType)}/>`,
    ),
    ...of.names.map((one) => `<${name} name="${escaped(one)}"/>`),
  ];
  return elements.join(chance.oneIn(3) ? "\n  " : "");
}

const flagsOf = (flags: readonly string[], chance: Chance): string =>
  [...new Set(flags)].map((flag) => ` ${flag}="${chance.of(["true", "1"])}"`).join("");

const RESPONSES = { friend: "isFriendResponse", read: "canReadResponse", control: "canControlResponse" } as const;
const NAMESPACE = "urn:xmpp:iot:provisioning";

function onWire({ kind }: Asked, { answer }: Said, chance: Chance): Reply {
  if (answer === undefined) return failing(kind, chance);
  // P-E29: whose answer it is says the id; the attribute may be missing, or written otherwise.
  const jid = chance.of(["", ' jid="reader@example.org"', ' jid="Reader@Example.ORG"']);
  const result = chance.of(answer.result ? ["true", "1"] : ["false", "0"]);
  const secondary = answer.secondary && kind === "friend" ? ' secondaryTrustAllowed="true"' : "";
  const inside = kind === "friend" ? "" : lists(kind === "read" ? "field" : "parameter", answer, chance);
  return parseXml(
    `<${RESPONSES[kind]} xmlns="${NAMESPACE}"${jid} result="${result}"${secondary}${flagsOf(answer.flags, chance)}>${inside}</${RESPONSES[kind]}>`,
  );
}

/** What is no answer. */
function failing(kind: Asked["kind"], chance: Chance): Reply {
  const name = RESPONSES[kind];
  const other = KINDS.filter((one) => one !== kind).map((one) => RESPONSES[one]);
  return chance.of<Reply>([
    { error: "internal-server-error" },
    { error: "remote-server-timeout", type: "wait" },
    { error: "service-unavailable" },
    { error: "item-not-found" },
    { error: "forbidden" },
    undefined,
    parseXml(`<${name} xmlns="${NAMESPACE}"/>`),
    parseXml(`<${name} xmlns="${NAMESPACE}" result="perhaps"/>`),
    parseXml(`<${name} xmlns="urn:ieee:iot:prov:d:1.0" result="true"/>`),
    parseXml(`<${chance.of(other)} xmlns="${NAMESPACE}" result="true"/>`),
    // P-E2: an error inside a result is that error.
    parseXml(
      `<error xmlns="jabber:client" type="cancel"><forbidden xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>`,
    ),
  ]);
}

function requestOf({ kind, flags, nodes, names }: Asked, token: string, chance: Chance): XmlElement {
  const inside = { nodes, names };
  if (kind === "read") {
    return parseXml(
      `<req xmlns="urn:xmpp:iot:sensordata" seqnr="1" userToken="${token}"${flagsOf(flags, chance)}>${lists("field", inside, chance)}</req>`,
    );
  }
  const set = names.map((name) => `<boolean name="${escaped(name)}" value="true"/>`).join("");
  return parseXml(
    `<set xmlns="urn:xmpp:iot:control" userToken="${token}">${lists("parameter", { nodes, names: [] }, chance)}${set}</set>`,
  );
}

/** What somebody sees of a decision, and what the Thing says of it. */
interface Seen {
  readonly decision: Decision;
  readonly ms: number;
  readonly answer: unknown;
}

/** A Thing without a socket. */
async function thing() {
  const parts = scriptedChannel({ logger: silentLogger });
  const { channel, wire } = parts;
  const storage = memoryStorage();
  await storage.open();
  const cache = new RightsCache({ storage, logger: silentLogger, onFault: () => undefined });
  await cache.load();
  const decisions: { decision: Decision; ms: number }[] = [];
  const standing = { owner: undefined, registry: undefined, servers: SERVERS };
  const guard = new Guard({
    ...{ ...parts, cache, barrier: new Barrier(), logger: silentLogger, standing: () => standing },
    onDecision: (_, decision, ms) => void decisions.push({ decision, ms }),
  });
  const fields = [...FIELDS].map(([name, types]) => ({
    ...{ name, type: "string" as const, categories: types as FieldType[] },
  }));
  const read = () => fields.map(({ name }) => ({ name, value: "21.5" }));
  answerReadouts({
    ...parts,
    guard,
    devices: new DeviceIndex<SensorDevice>([{ sensor: { fields, read } }]),
    onFault: () => undefined,
  });
  const set: string[] = [];
  const parameters = PARAMETERS.map((name) => ({ name, type: "boolean" as const, set: () => void set.push(name) }));
  answerControl({
    ...parts,
    router: channel.router,
    guard,
    devices: new DeviceIndex<ControlDevice>([{ control: parameters }]),
    onFault: () => undefined,
  });
  const requests = new FriendRequests({
    ...{ ...parts, guard, logger: silentLogger, random: new SeededRandom("friends") },
    friends: new Friends(channel),
    onAllowed: () => Promise.resolve(),
    onFriended: () => undefined,
  });
  return { ...parts, wire, decisions, requests, set };
}
type Site = Awaited<ReturnType<typeof thing>>;

/** Asks the Thing, and waits until it has answered and nobody is waited for any more. */
async function ask(site: Site, asked: Asked, token: string, chance: Chance): Promise<Seen> {
  const { wire, clock, requests, decisions, set } = site;
  const [told, presences] = [decisions.length, wire.presences.length];
  set.length = 0;
  let outcome: Outcome | undefined;
  if (asked.kind === "friend") {
    requests.restart();
    wire.presence(WHO, "subscribe");
  } else {
    const request = requestOf(asked, token, chance);
    void wire.ask(WHO, asked.kind === "read" ? "get" : "set", request).then((one) => (outcome = one));
  }
  await clock.advance(9_500);
  if (asked.kind === "friend") requests.stop();
  await setImmediate();
  const { decision, ms } = decisions[told] as (typeof decisions)[number];
  if (asked.kind === "friend") return { decision, ms, answer: wire.presences.slice(presences) };
  if (outcome === undefined) return { decision, ms, answer: "nothing" };
  if (outcome.type === "error") return { decision, ms, answer: outcome.condition };
  if (asked.kind === "read") {
    const { groups } = parseFields(outcome.write[1]?.getChildElements()[0]);
    return { decision, ms, answer: groups.flatMap((group) => group.fields.map(({ name }) => name)) };
  }
  const response = parseSetResponse(outcome.payload);
  const nodeIds = response.nodes.map(({ nodeId }) => nodeId);
  return { decision, ms, answer: { set: [...set], nodes: nodeIds, names: response.parameters } };
}

const FRIENDSHIP = {
  granted: ["subscribed reader@example.org"],
  refused: ["unsubscribed reader@example.org"],
  unanswered: [],
};

/** What the Thing and the model say of a case; they are to be equal. */
export async function play(one: Case): Promise<{ readonly is: unknown; readonly expected: unknown }> {
  const { asked, servers, chance } = one;
  const world = worldOf(asked.kind);
  const verdict = decided(asked, servers, world);
  const site = await thing();
  const { wire, clock } = site;
  const token = `token-${chance.below(1_000)}`;
  SERVERS.forEach((jid, index) => {
    const said = servers[index] as Said;
    const reply: Reply = said.at === Infinity ? "silent" : onWire(asked, said, chance);
    wire.peer(jid, () =>
      said.at === Infinity || said.at === 0
        ? reply
        : new Promise((resolve) => clock.schedule(said.at, () => resolve(reply))),
    );
  });
  const first = await ask(site, asked, token, chance);
  const heard = SERVERS.map((jid) => wire.asked(jid));
  // Asked once more, in other words, of servers that fail by now.
  for (const jid of SERVERS) wire.peer(jid, () => ({ error: "internal-server-error" }));
  const turned = { ...asked, nodes: [...asked.nodes].reverse(), names: [...asked.names].reverse() };
  const again = await ask(site, turned, token, chance);
  const answer = (of: Asked): unknown =>
    asked.kind === "friend"
      ? FRIENDSHIP[verdict.outcome]
      : asked.kind === "read"
        ? shown(of, verdict, FIELDS)
        : done(of, verdict, PARAMETERS);
  const later = asked.kind === "friend" ? [] : "resource-constraint";
  return {
    is: {
      ...said(first, asked, world),
      asked: heard.map((payloads) => payloads.slice(0, 1).map(({ attrs }) => [attrs["jid"], attrs["userToken"]])),
      again: {
        source: again.decision.source,
        ...(verdict.remembered ? said(again, turned, world) : { answer: again.answer }),
      },
    },
    expected: {
      ...judged(verdict.at, answer(asked)),
      asked: SERVERS.map(() => [["reader@example.org", asked.kind === "friend" ? undefined : token]]),
      again: verdict.remembered ? { source: "cache", ...judged(0, answer(turned)) } : { source: "none", answer: later },
    },
  };

  function judged(at: number, seen: unknown): object {
    const { outcome, places, secondary } = verdict;
    return { outcome, at, secondary, answer: seen, places: places.map(nameOf) };
  }
}

function said({ decision, ms, answer }: Seen, { kind }: Asked, world: readonly Place[]): object {
  const grants = decision.outcome === "granted" ? decision.grants : [];
  const places = world.filter(({ node, name, type }) =>
    kind === "read"
      ? permits(grants, { node, name, types: new Set([type as FieldType]) })
      : permitsControl(grants, { node, name }),
  );
  return {
    ...{ outcome: decision.outcome, at: ms, answer },
    secondary: decision.outcome === "refused" && decision.secondaryTrustAllowed === true,
    places: kind === "friend" ? [] : places.map(nameOf),
  };
}

const nameOf = ({ node, name, type }: Place): string => JSON.stringify([node, name, type]);
