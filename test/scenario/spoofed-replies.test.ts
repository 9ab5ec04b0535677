// Answers that nobody was asked for (design, "who may tell a Thing what", first row; RFC 6120 8.1.2.1): whatever a Thing
// asks in its life, everybody else answers first, under the right id, with what would do them most good. The Thing is a
// whole one on a wire whose other end is the test.
import { afterAll, describe, expect, it } from "vitest";
import type { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { buildCanControlResponse, parseCanControl } from "../../src/codec/can-control.ts";
import { buildSet } from "../../src/codec/control.ts";
import { buildInfo, buildItems } from "../../src/codec/disco.ts";
import { buildClaimed } from "../../src/codec/iot-discovery.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildCanReadResponse, buildIsFriendResponse, parseCanRead } from "../../src/codec/provisioning.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import { buildError, iq, presence, type PresenceType } from "../../src/codec/stanza.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { ConnectionError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { linkSeam, type LinkParts, type MakeLink } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { trustedServers } from "../../src/thing/state.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeWire } from "../support/fake-wire.ts";
import { settled } from "../support/scripted-wire.ts";
import { thingOptions } from "../support/site.ts";

const DOMAIN = "example.org";
const OWN = `thing@${DOMAIN}`;
const FULL = `${OWN}/home`;
const FRIEND = `friend@${DOMAIN}`;
const STRANGER = `stranger@${DOMAIN}`;
const OWNER = `owner@${DOMAIN}`;
const THIEF = bareJid("thief@example.net");

/** Where the services are: what is asked goes to the full address. */
interface Hosting {
  readonly name: string;
  readonly registry: string;
  readonly provisioning: string;
  readonly options: Partial<ThingOptions>;
}

const hostings: readonly Hosting[] = [
  { name: "components", registry: `discovery.${DOMAIN}`, provisioning: `provisioning.${DOMAIN}`, options: {} },
  {
    name: "accounts",
    registry: `registry@${DOMAIN}/main`,
    provisioning: `provisioning@${DOMAIN}/main`,
    options: { registry: `registry@${DOMAIN}`, provisioning: [`provisioning@${DOMAIN}`] },
  },
];

const bareOf = (jid: string): string => jid.replace(/\/.*/s, "");
const info = (...features: string[]): XmlElement => buildInfo({ identities: [], features });
const grants = (question: XmlElement, result: boolean): XmlElement => {
  const { jid, types } = parseCanRead(question);
  return buildCanReadResponse({ jid, result, types, nodes: [], fields: [] });
};

const controls = (question: XmlElement, result: boolean): XmlElement =>
  buildCanControlResponse({ jid: parseCanControl(question).jid, result, nodes: [], parameters: [] });

/** A Thing's life on a wire, question by question. */
class Life {
  readonly thing: Thing;
  readonly #hosting: Hosting;
  /** What the output was set to. */
  readonly settings: boolean[] = [];
  readonly #answered = new Set<string>();
  #parts: LinkParts | undefined;
  wire = new FakeWire(FULL);

  constructor(hosting: Hosting) {
    this.#hosting = hosting;
    const link: MakeLink = (parts) => {
      this.#parts = parts;
      const start = (): void => {
        this.connect();
      };
      return { start, stop: () => Promise.resolve() };
    };
    const server = { service: "xmpp://127.0.0.1:1", domain: DOMAIN };
    const output = { name: "Output", type: "boolean", set: (on: boolean) => void this.settings.push(on) } as const;
    const more = {
      ...hosting.options,
      control: [output],
      clock: new SimulatedClock(),
      random: new SeededRandom("spoofed replies"),
    };
    this.thing = new Thing({ ...thingOptions(memoryStorage(), server, more), [linkSeam]: link } as ThingOptions);
  }

  /** A new stream. */
  connect(): void {
    this.wire = new FakeWire(FULL);
    this.#parts?.channel.attach(this.wire);
    this.#parts?.onState({ is: "online", jid: FULL });
  }

  disconnect(): void {
    const reason = new ConnectionError("cut");
    this.#parts?.onState({ is: "waiting", ms: 1, reason });
    this.#parts?.channel.detach(reason);
  }

  receive(stanza: XmlElement): void {
    (this.#parts as { channel: StanzaChannel }).channel.receive(parseXml(stanza.toString()));
  }

  presence(from: string, type: PresenceType = "available"): void {
    this.receive(presence({ from, to: FULL, type }));
  }

  /** The oldest question that has no answer yet. */
  get open(): XmlElement | undefined {
    return this.wire.sent.find(
      ({ name, attrs }) =>
        name === "iq" && ["get", "set"].includes(attrs["type"] ?? "") && !this.#answered.has(attrs["id"] ?? ""),
    );
  }

  /** Everything that an answer could have changed. */
  seen(): unknown {
    const { state, claimText, rights } = this.thing;
    return {
      state,
      claimText,
      rights: rights.entries(),
      settings: [...this.settings],
      sent: this.wire.sent.map(String),
    };
  }

  reply(question: XmlElement, from: string | undefined, payload: XmlElement | undefined): void {
    this.receive(iq({ type: "result", id: question.attrs["id"] ?? "", from, to: FULL }, payload));
  }

  fail(question: XmlElement, from: string | undefined): void {
    const error = buildError({ condition: "item-not-found", type: "cancel" });
    this.receive(iq({ type: "error", id: question.attrs["id"] ?? "", from, to: FULL }, error));
  }

  /** What the one who was asked says. */
  answer(question: XmlElement): void {
    this.#answered.add(question.attrs["id"] ?? "");
    const { registry, provisioning } = this.#hosting;
    const to = question.attrs["to"];
    const payload = question.getChildElements()[0] as XmlElement;
    const said = ((): XmlElement | undefined => {
      if (payload.getNS() === ns.roster) {
        const item = (jid: string): XmlElement => el("item", { jid: bareOf(jid), subscription: "to" });
        const friends = [registry, provisioning].filter((jid) => jid.includes("@")).map(item);
        return el("query", { xmlns: ns.roster }, ...friends, item(OWNER));
      }
      if (payload.getNS() === ns.discoItems) return buildItems([{ jid: registry }, { jid: provisioning }]);
      if (payload.getNS() === ns.discoInfo && to === `${OWNER}/x`) return info();
      if (payload.getNS() === ns.discoInfo) return to === registry ? info(ns.discovery) : info(ns.provisioning);
      if (payload.is("isFriend")) {
        const jid = bareJid(payload.attrs["jid"] ?? "");
        return buildIsFriendResponse({ jid, result: false, secondaryTrustAllowed: false });
      }
      if (payload.is("canControl")) return controls(payload, payload.attrs["jid"] === FRIEND);
      if (payload.is("canRead")) return grants(payload, payload.attrs["jid"] === FRIEND);
      return undefined;
    })();
    this.reply(question, to, said);
  }

  /** What a liar would say to it. */
  lie(question: XmlElement): XmlElement | undefined {
    const payload = question.getChildElements()[0] as XmlElement;
    if (payload.getNS() === ns.roster) {
      return el("query", { xmlns: ns.roster }, el("item", { jid: THIEF, subscription: "both" }));
    }
    if (payload.getNS() === ns.discoItems) return buildItems([{ jid: "evil.example.net" }]);
    if (payload.getNS() === ns.discoInfo) return info(ns.discovery, ns.provisioning);
    if (payload.is("register")) return buildClaimed({ jid: THIEF, public: true });
    if (payload.is("isFriend")) {
      const jid = bareJid(payload.attrs["jid"] ?? "");
      return buildIsFriendResponse({ jid, result: true, secondaryTrustAllowed: true });
    }
    if (payload.is("canControl")) return controls(payload, true);
    if (payload.is("canRead")) return grants(payload, true);
    return undefined;
  }

  /** Everybody who was not asked, as each would be named. */
  liars(question: XmlElement): readonly (string | undefined)[] {
    const { registry, provisioning } = this.#hosting;
    const to = question.attrs["to"];
    const everybody = [
      ...[`${STRANGER}/x`, `${FRIEND}/x`, `${OWNER}/x`, OWNER, `other.${DOMAIN}`, "example.net"],
      ...[registry, bareOf(registry), `${bareOf(registry)}/other`, `x${registry}`, `a@${DOMAIN}.net`],
      ...[provisioning, bareOf(provisioning), `${bareOf(provisioning)}/other`, `x${provisioning}`],
      ...[DOMAIN, `${DOMAIN}/x`, OWN, FULL, `${OWN}/other`, undefined],
    ];
    // Of the own account the server may speak, under each of its names (RFC 6120 8.1.2.1).
    const may = to === undefined ? [undefined, OWN, FULL, DOMAIN] : [to];
    return [...new Set(everybody)].filter((who) => !may.includes(who));
  }
}

const table = new Map<string, number>();

describe.each(hostings)("what a Thing asks is answered by nobody but whom it asked (services as $name)", (hosting) => {
  afterAll(() => {
    const rows = [...table].map(([name, lies]) => `${name} ${lies}`).join(", ");
    const sum = [...table.values()].reduce((all, one) => all + one, 0);
    console.log(`spoofed replies, services as ${hosting.name}: ${sum} lies passed over: ${rows}`);
    table.clear();
  });

  it("from its first words to what its friends read and set", async () => {
    const life = new Life(hosting);
    const { thing } = life;

    /** Lets everybody lie in answer to each open question, then has it answered. */
    const lies = async (): Promise<void> => {
      for (;;) {
        await settled();
        const question = life.open;
        if (question === undefined) return;
        const payload = question.getChildElements()[0] as XmlElement;
        const what = `${payload.name} ${(payload.getNS() ?? "").replace(/.*[:/#]/, "")}`;
        const before = life.seen();
        for (const liar of life.liars(question)) {
          life.reply(question, liar, life.lie(question));
          life.reply(question, liar, undefined);
          life.fail(question, liar);
          await settled();
          expect(life.seen(), `${what} answered by ${liar ?? "nobody named"}`).toEqual(before);
          table.set(what, (table.get(what) ?? 0) + 3);
        }
        life.answer(question);
      }
    };

    await thing.start();
    await settled();
    // The list of friends first; then those who are no components are there.
    await lies();
    for (const service of [hosting.registry, hosting.provisioning]) if (service.includes("@")) life.presence(service);
    await lies();
    expect(thing.state.ownership).toEqual({ is: "registered", registry: bareOf(hosting.registry) });

    // Who might be a provisioning server himself (XEP-0347 3.11), is asked, and is none.
    life.presence(`${OWNER}/x`);
    const claim = buildClaimed({ jid: bareJid(OWNER), public: true });
    life.receive(iq({ type: "set", id: "claim", from: hosting.registry, to: FULL }, claim));
    await lies();
    expect(thing.state.ownership).toMatchObject({ is: "claimed", owner: OWNER, keyEmptied: true });
    expect(trustedServers(thing.state)).toEqual([bareOf(hosting.provisioning)]);

    life.presence(STRANGER, "subscribe");
    const req = buildReq({ seqnr: 1, types: new Set(["momentary"]), nodes: [], fields: [], tokens: {} });
    const outcomeOf = (id: string): string | undefined =>
      life.wire.sent.find(({ attrs }) => attrs["id"] === id && attrs["to"] !== undefined)?.attrs["type"];
    const set = buildSet({ nodes: [], parameters: [{ kind: "boolean", name: "Output", value: true }], tokens: {} });
    for (const who of [STRANGER, FRIEND]) {
      life.receive(iq({ type: "get", id: `by ${who}`, from: `${who}/x`, to: FULL }, req));
      life.receive(iq({ type: "set", id: `set by ${who}`, from: `${who}/x`, to: FULL }, set));
    }
    await lies();
    expect(life.wire.sent.map(String)).toContain(String(presence({ type: "unsubscribed", to: STRANGER })));
    expect([outcomeOf(`by ${STRANGER}`), outcomeOf(`by ${FRIEND}`)]).toEqual(["error", "result"]);
    expect([outcomeOf(`set by ${STRANGER}`), outcomeOf(`set by ${FRIEND}`)]).toEqual(["error", "result"]);
    expect(life.settings).toEqual([true]);

    // A new stream: what is remembered waits until the server has answered, and no lie ends the wait.
    life.disconnect();
    life.connect();
    life.receive(iq({ type: "get", id: "at the barrier", from: `${FRIEND}/x`, to: FULL }, req));
    await lies();
    if (outcomeOf("at the barrier") === undefined) {
      for (const service of [hosting.registry, hosting.provisioning]) life.presence(service);
      await lies();
    }
    expect(outcomeOf("at the barrier")).toBe("result");
    expect([...table.keys()]).toEqual(
      expect.arrayContaining([
        ...["query roster", "query info", "register discovery", "update discovery"],
        ...["isFriend provisioning", "canRead provisioning", "canControl provisioning", "ping ping"],
      ]),
    );
    await thing.stop();
  });
});
