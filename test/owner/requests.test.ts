import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { RegistryError, isSdkError } from "../../src/core/errors.ts";
import { buildInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { tag } from "../../src/owner/predicates.ts";
import { canonical } from "../support/canonical.ts";
import { settled, type Peer, type Said } from "../support/scripted-wire.ts";
import { REGISTRY, foundPage, scriptedOwner } from "./owner-wire.ts";

const cases = new URL("../cases/xep-0347/", import.meta.url);
/** The payload of the first stanza of a listing. */
const listing = (name: string): XmlElement => {
  const [stanza] = parseXml(readFileSync(new URL(`${name}.xml`, cases), "utf8")).getChildElements();
  const [payload] = stanza?.getChildElements() ?? [];
  if (payload === undefined) throw new Error(`${name} holds no payload`);
  return payload;
};

const scanned = "IoTDisco;SN:394872348732948723;MAN:www.ktc.se;MODEL:IMC;#V:1.2;KEY:4857402340298342";
const thing = "thing@example.org";
const node = { nodeId: "imc1", sourceId: "MeteringTopology" };
const inRack = { jid: "rack@example.org/plcs", node };
const address = Object.fromEntries(
  "ROOM APT BLD STREET STREETNR AREA CITY REGION COUNTRY".split(" ").map((name) => [name, "..."]),
);

type Call = (owner: OwnerClient) => Promise<unknown>;

describe("slips of the pen", () => {
  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a promise, of a connect without await", Promise.resolve()],
  ])("a client of %s is refused, with what to write", (_, connection) => {
    expect(() => new OwnerClient(connection as Connection)).toThrow(
      "connection: must be what connect resolves to: new OwnerClient(await connect({ … }))",
    );
  });

  it.each<[string, Call, string]>([
    [
      "claim without a text",
      (o) => o.claim(undefined as never),
      'scanned: must be the claim text, "IoTDisco;…", or tags',
    ],
    ["claim of null", (o) => o.claim(null as never), "scanned: must be the claim text"],
    ["read of a claim text", async (o) => o.read(scanned), "thing: this is a claim text; claim the Thing, and give"],
  ])("%s is refused at once", async (_, call, message) => {
    const { owner } = scriptedOwner(() => undefined);
    await expect(call(owner)).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(message) as string,
    });
  });
});

describe("what an owner sends, as the listings of XEP-0347 have it", () => {
  it.each<[string, Call, string]>([
    ["D-3.6-6, D-3.9-1, D-3.9-12, D-3.9-13: claim", (o) => o.claim(scanned), "15-claim-ownership-of-public-thing"],
    ["D-3.9-14: claim", (o) => o.claim(scanned, { public: false }), "16-claim-ownership-of-private-thing"],
    [
      "D-3.9-28: claim by tags, names in any case",
      (o) => o.claim({ sn: "394872348732948723", Man: "www.ktc.se", MODEL: "IMC", v: 1.2, key: "4857402340298342" }),
      "15-claim-ownership-of-public-thing",
    ],
    ["D-3.10-1: remove", (o) => o.remove(thing), "24-remove-thing"],
    ["D-3.10-2: remove", (o) => o.remove(inRack), "25-remove-thing-behind-concentrator.corrected"],
    ["D-3.14-1: update", (o) => o.update(`${thing}/imc`, address), "36-owner-requests-an-update-of-meta-data-of-thing"],
    [
      "D-3.14-3: update",
      (o) => o.update(inRack, address),
      "37-owner-requests-an-update-of-meta-data-of-thing-behind-concen",
    ],
    ["D-3.17-1: disown", (o) => o.disown({ jid: "Thing@Example.org" }), "46-disowning-thing"],
    ["D-3.17-2: disown", (o) => o.disown(inRack), "47-disowning-thing-behind-concentrator.corrected"],
  ])("%s", async (_, call, name) => {
    const types: string[] = [];
    const { owner, wire } = scriptedOwner((_payload, type) => void types.push(type));
    await call(owner);
    expect(types).toEqual(["set"]);
    expect(wire.asked(REGISTRY).map(canonical)).toEqual([canonical(listing(name))]);
  });

  it("D-9-4: names all three parts of a node, and none that is empty", async () => {
    const { owner, wire } = scriptedOwner(() => undefined);
    await owner.remove({ jid: thing, node: { nodeId: "1", sourceId: "", cacheType: "c" } });
    expect(wire.asked(REGISTRY)[0]?.attrs).toEqual({ xmlns: ns.discovery, jid: thing, nodeId: "1", cacheType: "c" });
  });

  it.each<[string, (owner: OwnerClient, options: object) => Promise<unknown>]>([
    ["update", (owner, options) => owner.update(thing, { ROOM: "1" }, options)],
    ["remove", (owner, options) => owner.remove(thing, options)],
    ["disown", (owner, options) => owner.disown(thing, options)],
  ])("%s: an option that there is not is named, and nothing is sent", async (_, call) => {
    const { owner, wire } = scriptedOwner(() => undefined);
    await expect(call(owner, { timeot: 1 })).rejects.toThrow('there is no option "timeot"');
    await expect(call(owner, { node: { nodeId: "1" } })).rejects.toMatchObject({ code: "ERR_CONFIG" });
    expect(wire.asked(REGISTRY)).toEqual([]);
  });

  it("D-9-5: a claim names no node: the tags say which Thing is meant", async () => {
    const { owner, wire } = scriptedOwner(() => undefined);
    await owner.claim(scanned);
    expect(wire.asked(REGISTRY)[0]?.attrs).toEqual({ xmlns: ns.discovery });
  });

  it("an update takes tags away by an empty text, also numbers (D-E9), and keeps KEY last", async () => {
    const { owner, wire } = scriptedOwner(() => undefined);
    await owner.update(thing, { key: "", room: "4", lat: "", V: 2 });
    expect(wire.asked(REGISTRY)[0]?.getChildElements().map(String)).toEqual([
      '<str name="ROOM" value="4"/>',
      '<num name="V" value="2"/>',
      '<str name="KEY" value=""/>',
      '<str name="LAT" value=""/>',
    ]);
  });
});

describe("what the Registry answers", () => {
  it.each<[string, Said, unknown]>([
    ["17, a Thing", listing("17-ownership-claim-successful"), { jid: thing }],
    [
      "18, a node, its JID with a resource (D-E7)",
      listing("18-ownership-claim-of-a-thing-behind-a-concentrator-successful"),
      { jid: "rack@example.org", node },
    ],
    ["an empty one, as the text has it (D-E3)", undefined, {}],
  ])("to a claim: listing %s", async (_, said, expected) => {
    const { owner } = scriptedOwner(() => said);
    expect(await owner.claim(scanned)).toEqual(expected);
  });

  it.each<[string, Call]>([
    ["update", (o) => o.update(thing, { ROOM: "4" })],
    ["remove", (o) => o.remove(thing)],
    ["disown", (o) => o.disown(thing)],
  ])("to %s: that the Thing has no owner is no success (D-E4)", async (request, call) => {
    const { owner } = scriptedOwner(() => el("disowned", { xmlns: ns.discovery }));
    await expect(call(owner)).rejects.toMatchObject({ code: "ERR_STANZA", condition: "item-not-found", request });
  });

  it("to a claim: something else is refused", async () => {
    for (const said of [el("found", { xmlns: ns.discovery }), el("claimed", { xmlns: ns.discovery, jid: "@" })]) {
      const { owner } = scriptedOwner(() => said);
      await expect(owner.claim(scanned)).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
    }
  });
});

describe("a refusal says what it means and what to do", () => {
  const search: Call = async (owner) => {
    for await (const found of owner.search(tag("V").is(1))) throw new Error(`found ${found.jid}`);
  };
  const calls: Readonly<Record<string, Call>> = {
    claim: (o) => o.claim(scanned),
    search,
    update: (o) => o.update(thing, { ROOM: "4" }),
    remove: (o) => o.remove(inRack),
    disown: (o) => o.disown(thing),
  };

  it.each([
    ["claim", "item-not-found", "no unclaimed Thing has exactly these tags"],
    [
      "update",
      "item-not-found",
      "it knows no such Thing of yours: is the address right, and the node if there is one?",
    ],
    ["update", "item-not-found", "Of a Thing that you removed it knows nothing any more"],
    ["remove", "item-not-found", "Or was it removed before?"],
    ["disown", "item-not-found", "a factory reset at the device makes it one without owner"],
    ["disown", "not-allowed", "the Thing is offline, and has to hear of it: switch it on and try again"],
    ["search", "bad-request", "it does not take these tags or conditions"],
    ["update", "forbidden", "you may not use this Registry"],
    ["remove", "service-unavailable", "is it a Thing Registry, and is it running?"],
    ["claim", "feature-not-implemented", "is it a Thing Registry"],
    ["search", "remote-server-not-found", "is the Registry's address right?"],
    ["claim", "resource-constraint", "try again later"],
    ["claim", "undefined-condition", "the Registry says no more"],
  ])("%s, %s: %s", async (request, error, advice) => {
    const { owner } = scriptedOwner(() => ({ error }));
    const failure = await calls[request]?.(owner).catch((caught: unknown) => caught);
    expect(failure).toBeInstanceOf(RegistryError);
    expect(isSdkError(failure)).toBe(true);
    expect(failure).toMatchObject({
      name: "RegistryError",
      code: "ERR_STANZA",
      request,
      condition: error,
      type: "cancel",
      from: REGISTRY,
      cause: { code: "ERR_STANZA", condition: error },
    });
    expect((failure as RegistryError).advice).toContain(advice);
    expect((failure as Error).message).toContain(`${REGISTRY} answered ${error}: `);
    expect((failure as Error).message).toContain(advice);
    expect((failure as Error).message).not.toContain("4857402340298342");
  });

  it("an unknown one that may pass is to be tried later", async () => {
    const { owner } = scriptedOwner(() => ({ error: "internal-server-error", type: "wait" }));
    await expect(owner.remove(thing)).rejects.toMatchObject({ advice: "try again later" });
  });

  it("what is no answer of the Registry is none of its errors", async () => {
    const { owner, clock, channel } = scriptedOwner(() => "silent");
    const waiting = owner.disown(thing, { timeout: 2_000 });
    waiting.catch(() => undefined);
    await settled();
    await clock.advance(2_000);
    await expect(waiting).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      message: expect.stringContaining("asking the Registry to disown"),
    });
    channel.detach(new Error("cut"));
    await expect(owner.remove(thing)).rejects.toMatchObject({ code: "ERR_CONNECTION" });
  });
});

describe("a call that cannot be meant is refused before anything is sent", () => {
  const nothing = undefined as never;
  it.each<[string, Call, string]>([
    ["no JID", (o) => o.remove("a@b@c"), 'thing: "a@b@c" is not a JID'],
    ["no JID in it", (o) => o.disown({ jid: "@" }), 'thing.jid: "@" is not a JID'],
    ["nothing", (o) => o.disown(nothing), "thing: must be a JID, or an object"],
    ["null", (o) => o.read(null as never), "thing: must be a JID, or an object"],
    ["a claim that told no address", (o) => o.remove({} as never), "thing.jid: must be a JID"],
    ["a node that is none", (o) => o.remove({ jid: thing, node: { nodeId: 7 as never } }), "thing.node[0]"],
    ["a node without an id", (o) => o.control({ jid: thing, node: { nodeId: "" } }, {}), "thing.node.nodeId"],
    ["no tag", (o) => o.update(thing, {}), "tags: name at least one tag"],
    ["no tags", (o) => o.update(thing, nothing), "tags: must be an object"],
    ["a tag of the wrong type", (o) => o.update(thing, { V: "2" }), "tags.V: is a number by XEP-0347 5.2"],
    ["a tag that is none", (o) => o.update(thing, { "a b": "" }), "tags.a b: a name must not hold"],
    ["a tag twice", (o) => o.update(thing, { Room: "", ROOM: "4" }), "tags.Room: is given twice"],
    ["a KEY, which a claimed Thing has not (6.5)", (o) => o.update(thing, { Key: "k" }), "tags.KEY: a claimed Thing"],
    ["a truth", (o) => o.update(thing, { ROOM: true as never }), "tags.ROOM: must be a string or a number"],
    ["an unknown option", (o) => o.claim(scanned, { private: true } as never), "private"],
  ])("%s", async (_, call, message) => {
    const { owner, wire } = scriptedOwner(() => undefined);
    await expect(call(owner)).rejects.toMatchObject({ code: "ERR_CONFIG", message: expect.stringContaining(message) });
    expect(wire.sent).toEqual([]);
  });
});

describe("a Registry that is an account", () => {
  const account = "registry@example.org";
  const roster = (subscription: string): XmlElement =>
    el("query", { xmlns: ns.roster }, el("item", { jid: account, subscription }));
  const answers: Peer = (payload) => {
    if (payload.is("query", ns.discoInfo)) return buildInfo({ identities: [], features: [ns.discovery] });
    return payload.is("search") ? foundPage(["a"], false) : undefined;
  };

  it("D-5.1-1: is befriended first and asked at its full JID; a component never is", async () => {
    const { owner, wire } = scriptedOwner(() => undefined, { registry: account });
    wire.peer(`${account}/here`, answers);
    const removed = owner.remove(thing);
    await settled();
    expect(wire.presences).toEqual([`subscribe ${account}`]);
    expect(wire.asked(account)).toEqual([]);
    await wire.ask("owner@example.org", "set", roster("to"));
    wire.presence(`${account}/here`, "available");
    await removed;
    expect(wire.asked(`${account}/here`).map(({ name }) => name)).toEqual(["query", "remove"]);

    for await (const found of owner.search(tag("V").is(1))) expect(found.jid).toBe("a@example.org");
    await owner.update(thing, { ROOM: "4" });
    expect(wire.presences).toEqual([`subscribe ${account}`]);
    expect(wire.asked(account)).toEqual([]);
    expect(wire.asked(`${account}/here`).map(({ name }) => name)).toEqual(["query", "remove", "search", "update"]);

    const component = scriptedOwner(() => undefined);
    await component.owner.remove(thing);
    expect(component.wire.presences).toEqual([]);
  });

  it("that does not become a friend is waited for no longer than was said", async () => {
    const { owner, clock } = scriptedOwner(() => undefined, { registry: account });
    const waiting = owner.claim(scanned, { timeout: 5_000 });
    waiting.catch(() => undefined);
    await settled();
    await clock.advance(5_000);
    await expect(waiting).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });
});

describe("friendship with what is the owner's", () => {
  const claimed = listing("17-ownership-claim-successful");

  it("is granted to a Thing that was claimed, and to nobody else; not after it was disowned", async () => {
    const { owner, wire } = scriptedOwner((payload) => (payload.is("mine") ? claimed : undefined));
    wire.presence(`${thing}/imc`, "subscribe");
    await owner.claim(scanned);
    wire.presence("stranger@example.org/x", "subscribe");
    wire.presence(thing, "subscribe");
    await settled();
    expect(wire.presences).toEqual([`subscribed ${thing}`]);
    await owner.disown({ jid: thing, node });
    wire.presence(thing, "subscribe");
    await settled();
    expect(wire.presences).toHaveLength(2); // another node of it may be the owner's
    await owner.disown(thing);
    wire.presence(thing, "subscribe");
    await settled();
    expect(wire.presences).toHaveLength(2);
  });

  it("is asked of a Thing that was found before it is read, at its node", async () => {
    const { owner, wire } = scriptedOwner(() => foundPage(["rack"], false));
    for await (const found of owner.search(tag("V").is(1))) {
      const reading = owner.read({ ...found, node }, { timeout: 5_000 });
      reading.catch(() => undefined);
      await settled();
      expect(wire.presences).toEqual(["subscribe rack@example.org"]);
      await wire.ask(
        "owner@example.org",
        "set",
        el("query", { xmlns: ns.roster }, el("item", { jid: found.jid, subscription: "to" })),
      );
      wire.presence(`${found.jid}/plcs`, "available");
      await settled();
      const [req] = wire.asked(`${found.jid}/plcs`, "req");
      expect(req?.getChildElements().map(({ attrs }) => attrs)).toEqual([node]);
      const controlling = owner.control({ ...found, node }, { Valve: true }, { timeout: 5_000 });
      controlling.catch(() => undefined);
      await settled();
      const [set] = wire.asked(`${found.jid}/plcs`, "set");
      expect(set?.getChild("node")?.attrs).toEqual(node);
      const asking = owner.getForm({ ...found, node }, { timeout: 5_000 });
      asking.catch(() => undefined);
      await settled();
      const [getForm] = wire.asked(`${found.jid}/plcs`, "getForm");
      expect(getForm?.getChild("node")?.attrs).toEqual(node);
      wire.presence(`${found.jid}/plcs`, "unavailable");
    }
  });
});

describe.each<[string, (owner: OwnerClient, limit: { timeout: number }) => Promise<unknown>]>([
  ["control", (owner, limit) => owner.control(thing, { Valve: true }, limit)],
  ["getForm", (owner, limit) => owner.getForm(thing, limit)],
  ["nodes", (owner, limit) => owner.nodes(thing, limit)],
])("a limited time of %s", (_, call) => {
  it("is for finding the Thing and for its answer together", async () => {
    const { owner, wire, clock } = scriptedOwner(() => undefined);
    let end: unknown;
    call(owner, { timeout: 5_000 }).catch((error: unknown) => (end = error));
    await settled();
    await clock.advance(3_000);
    const subscribed = el("item", { jid: thing, subscription: "to" });
    await wire.ask("owner@example.org", "set", el("query", { xmlns: ns.roster }, subscribed));
    wire.presence(`${thing}/imc`, "available");
    await settled();
    expect(wire.asked(`${thing}/imc`)).toHaveLength(1);
    await clock.advance(1_999);
    await settled();
    expect(end).toBeUndefined();
    await clock.advance(1);
    await settled();
    expect(end).toMatchObject({ code: "ERR_TIMEOUT" });
  });
});
