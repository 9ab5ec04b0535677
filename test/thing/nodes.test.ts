import { afterEach, describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { NodeDefinition } from "../../src/thing/node-definition.ts";
import { meter, stage, until, type Stage } from "./nodes-site.ts";

let on: Stage | undefined;
const open = async (...args: Parameters<typeof stage>): Promise<Stage> => (on = await stage(...args));
afterEach(async () => {
  await on?.stop();
  on = undefined;
});

describe("nodes behind a Thing", () => {
  test("D-3.8-1, D-3.8-2, D-2-2: are registered under their triples, after the Thing itself", async () => {
    const { start, becomes, record, site } = bound(await open());
    const nodes = [meter("a"), meter("a", { sourceId: "s" }), meter("a", { sourceId: "s", cacheType: "c" })];
    await start(nodes);
    for (const { nodeId, sourceId, cacheType } of nodes) {
      const node = { nodeId, ...(sourceId && { sourceId }), ...(cacheType && { cacheType }) };
      await becomes(node, "registered");
      expect(record(node)).toMatchObject({ tags: [{ name: "SN", value: "a" }], hasKey: true });
    }
    const [first] = site.sent.filter((stanza) => stanza.getChild("register") !== undefined);
    expect(first?.getChild("register")?.attrs["nodeId"]).toBeUndefined();
  });

  test("D-3.8-3, D-3.7-1: register as their own owners where nobody has to claim them", async () => {
    const { start, becomes, record, node } = bound(await open());
    await start([meter("a", { selfOwned: true, tagsAfterClaim: { SN: "", CLASS: "Meter" } })]);
    await becomes("a", "selfOwned");
    expect(node("a").claimText).toBe("");
    await until(() => record("a")?.tags.some(({ name }) => name === "CLASS") === true, "its tags changed");
    expect(record("a")).toMatchObject({ selfOwned: true, tags: [{ name: "CLASS", value: "Meter" }] });
  });

  test("are to be claimed again when nobody owned them before, but somebody may now", async () => {
    const { start, becomes, record, node } = bound(await open());
    await start([meter("a", { selfOwned: true, tagsAfterClaim: { CLASS: "Meter" } })]);
    await until(() => record("a")?.tags.some(({ name }) => name === "CLASS") === true, "its tags changed");
    await start([meter("a")]);
    await becomes("a", "registered");
    expect(record("a")?.owner).toBeUndefined();
    expect(node("a").claimText).toContain("KEY:");
  });

  test("have a KEY and a claim text each, the same after every start, without a write", async () => {
    const storage = memoryStorage();
    const { start, node, texts } = bound(await open({}, storage));
    await start([meter("a"), meter("b")]);
    const before = [node("a").claimText, node("b").claimText];
    expect(before[0]).toMatch(/^IoTDisco;SN:a;KEY:[\w-]{27}$/);
    expect(before[1]).not.toContain(before[0]?.slice(-27));
    expect(texts.map(({ text }) => text)).toEqual(before);
    const written: string[] = [];
    const replace = storage.replace.bind(storage);
    storage.replace = (name, content) => (written.push(name), replace(name, content));
    await start([meter("a"), meter("b")]);
    expect([node("a").claimText, node("b").claimText]).toEqual(before);
    expect(written.filter((name) => name.startsWith("node"))).toEqual([]);
  });

  test("a second one with the same triple is refused by name, also while the first is added", async () => {
    const { start, thing } = bound(await open());
    await start([meter("a")]);
    await expect(thing().addNode(meter("a"))).rejects.toThrow("there is a node a already");
    const [one, other] = await Promise.allSettled([thing().addNode(meter("b")), thing().addNode(meter("b"))]);
    expect([one.status, other.status]).toEqual(["fulfilled", "rejected"]);
    await expect(thing().addNode({ nodeId: "" })).rejects.toThrow("node.nodeId");
  });

  test("are added and removed while the Thing runs", async () => {
    const { start, thing, becomes, record, told } = bound(await open());
    await start([]);
    await thing().addNode(meter("a"));
    await becomes("a", "registered");
    expect(record("a")).toBeDefined();
    await thing().removeNode({ nodeId: "a" });
    expect(thing().nodes).toEqual([]);
    expect(record("a")).toBeUndefined(); // D-3.16-2
    expect(told.map(({ is }) => is)).toEqual(["registered", "unregistered"]);
    await expect(thing().removeNode({ nodeId: "a" })).rejects.toThrow("there is no node a");
  });

  test("shows no claim text of a node that is on its way out, whoever owned it", async () => {
    const { start, thing, claim, texts } = bound(await open());
    await start([meter("a")]);
    await claim("anna", "a");
    await until(() => texts.at(-1)?.text === "", "the claim told");
    const told = texts.length;
    await thing().removeNode({ nodeId: "a" });
    expect(texts.slice(told)).toEqual([]);
    await thing().addNode(meter("a"));
    expect(texts.slice(told).map(({ text }) => text)).toEqual([expect.stringContaining("KEY:")]);
    await thing().removeNode({ nodeId: "a" });
    expect(texts.slice(told + 1).map(({ text }) => text)).toEqual([""]);
  });

  test("names an option that there is not: the tags of a misspelt node would be those of the Thing", async () => {
    const { start, thing } = bound(await open());
    await start([meter("a")]);
    const wrong = (given: object): object => given;
    await expect(thing().updateTags({ ROOM: "1" }, wrong({ nod: { nodeId: "a" } }))).rejects.toThrow(
      'options: there is no option "nod"; there are node, signal, timeout; did you mean node?',
    );
    await expect(thing().addNode(meter("b"), wrong({ timeot: 1 }))).rejects.toThrow("did you mean timeout?");
    await expect(thing().removeNode({ nodeId: "a" }, wrong({ timeot: 1 }))).rejects.toThrow("did you mean timeout?");
    expect(thing().nodes.map(({ node }) => node.nodeId)).toEqual(["a"]);
  });

  test("a Thing that is no concentrator has none, and takes none", async () => {
    const stage = await open();
    const thing = stage.site.thing(memoryStorage());
    await thing.start();
    expect(thing.nodes).toEqual([]);
    await expect(thing.addNode(meter("a"))).rejects.toThrow("no concentrator");
    await expect(thing.removeNode({ nodeId: "a" })).rejects.toMatchObject({ code: "ERR_CONFIG" });
    await thing.stop();
  });

  test("a concentrator takes none before it runs", async () => {
    const { site } = await open();
    const thing = site.thing(memoryStorage(), { nodes: [] });
    await expect(thing.addNode(meter("a"))).rejects.toMatchObject({ code: "ERR_STATE" });
  });
});

describe("an owner of a node", () => {
  test("D-3.9-18, D-3.9-25: claims it alone; KEY is emptied, and the owner asked for friendship", async () => {
    const { start, claim, node, record, told, texts, site } = bound(await open());
    await start([meter("a"), meter("b")]);
    await claim("anna", "a");
    expect(node("b").ownership.is).toBe("registered");
    expect(told).toContainEqual({ node: { nodeId: "a" }, is: "claimed", was: "registered" });
    expect(texts.at(-1)).toEqual({ node: { nodeId: "a" }, text: "" });
    await until(() => record("a")?.hasKey === false, "KEY emptied");
    expect(record("b")?.hasKey).toBe(true);
    await until(
      () => site.sent.some(({ attrs }) => attrs["type"] === "subscribe" && attrs["to"] === "anna@localhost"),
      "asked for friendship",
    );
  });

  test("D-3.13-7: has what is to be told of it changed in the Registry, under its triple", async () => {
    const { start, claim, record, site } = bound(await open());
    await start([meter("a", { sourceId: "s", tagsAfterClaim: { SN: "", CLASS: "Meter" } })]);
    await claim("anna", { nodeId: "a", sourceId: "s" });
    await until(() => record({ nodeId: "a", sourceId: "s" })?.hasKey === false, "KEY emptied");
    expect(record({ nodeId: "a", sourceId: "s" })?.tags).toEqual([{ name: "CLASS", type: "str", value: "Meter" }]);
    const updates = site.sent.flatMap((stanza) => stanza.getChildren("update"));
    expect(updates.map(({ attrs }) => [attrs["nodeId"], attrs["sourceId"]])).toEqual([["a", "s"]]);
  });

  test("D-3.13-1: is told of changes of its tags, held back until it is claimed; nothing goes out twice", async () => {
    const { start, claim, record, site, thing } = bound(await open());
    await start([meter("a")]);
    await thing().updateTags({ ROOM: "Cellar", SN: "" }, { node: { nodeId: "a" } });
    await claim("anna", "a");
    await until(() => record("a")?.hasKey === false, "KEY emptied");
    expect(record("a")?.tags).toEqual([{ name: "ROOM", type: "str", value: "Cellar" }]);
    await thing().updateTags({ ROOM: "Attic", V: 2 }, { node: { nodeId: "a" } });
    expect(record("a")?.tags.map(({ name, value }) => [name, value])).toEqual([
      ["ROOM", "Attic"],
      ["V", 2],
    ]);
    await start([meter("a")]);
    await thing().waitFor("online");
    const from = site.sent.length;
    await thing().updateTags({ ROOM: "Attic", SN: "" }, { node: { nodeId: "a" } });
    await thing().updateTags({ V: "" }, { node: { nodeId: "a" } });
    await until(() => record("a")?.tags.length === 1, "V is gone");
    const updates = site.sent.slice(from).flatMap((stanza) => stanza.getChildren("update"));
    expect(updates.map((update) => update.getChildElements().map(({ attrs }) => attrs["name"]))).toEqual([["V"]]);
    await expect(thing().updateTags({ ROOM: "x" }, { node: { nodeId: "none" } })).rejects.toThrow(
      "there is no node none",
    );
  });

  test("D-3.13-1: is told of what another version of the program defines of it", async () => {
    on = await stage();
    await on.start([meter("a", { tags: { SN: "a", V: 1, ROOM: "Cellar" } })]);
    await on.claim("anna", "a");
    const held = (): string => (on?.record("a")?.tags ?? []).map(({ name, value }) => `${name}=${value}`).join(" ");
    await until(() => on?.record("a")?.hasKey === false, "KEY emptied");
    await on.start([meter("a", { tags: { SN: "a", V: 2 } })]);
    await until(() => held() === "SN=a V=2", "the new version");
    expect(on.node("a").ownership.is).toBe("claimed");
  });

  test("of a private one has nothing told but that KEY is empty", async () => {
    const { start, claim, record } = bound(await open());
    await start([meter("a", { tagsAfterClaim: { CLASS: "Meter" } })]);
    await claim("anna", "a", false);
    await until(() => record("a")?.hasKey === false, "KEY emptied");
    expect(record("a")?.tags).toEqual([{ name: "SN", type: "str", value: "a" }]);
  });

  test("may read that node and no other, without a provisioning server; nobody else may", async () => {
    const { start, claim, reads, thing } = bound(await open());
    await start([meter("a"), meter("a", { sourceId: "s" }), meter("b")]);
    await claim("anna", "a");
    await claim("bert", "b");
    expect(thing().state.ownership.is).toBe("registered");
    expect(await reads("anna", { nodeId: "a" })).toEqual(["a"]);
    expect(await reads("anna", { nodeId: "b" })).toBe("forbidden");
    expect(await reads("anna", { nodeId: "a", sourceId: "s" })).toBe("forbidden");
    expect(await reads("anna", { nodeId: "a" }, { nodeId: "b" })).toEqual(["a"]);
    expect(await reads("anna")).toBe("forbidden");
    expect(await reads("bert", { nodeId: "b" })).toEqual(["b"]);
    expect(await reads("eve", { nodeId: "b" })).toBe("forbidden");
    expect(await reads("eve", { nodeId: "none" })).toBe("forbidden");
  });

  test("may set its parameters, and no others", async () => {
    const set: string[] = [];
    const lamp = (nodeId: string): NodeDefinition => ({
      nodeId,
      control: [{ name: "LED", type: "boolean", set: (value) => void set.push(`${nodeId} ${value}`) }],
    });
    const { start, claim, person, thing } = bound(await open());
    await start([lamp("a"), lamp("b")]);
    await claim("anna", "a");
    await claim("bert", "b");
    const anna = await person("anna");
    await anna.control(thing().jid, { LED: true }, { nodes: [{ nodeId: "a" }] });
    await expect(anna.control(thing().jid, { LED: true }, { nodes: [{ nodeId: "b" }] })).rejects.toMatchObject({
      condition: "forbidden",
    });
    expect(set).toEqual(["a true"]);
  });

  test("is the owner still after a restart, and asks nothing anew", async () => {
    const { start, claim, node, reads, site } = bound(await open());
    await start([meter("a"), meter("b")]);
    await claim("anna", "a");
    await until(() => JSON.stringify(node("a").ownership).includes('"ownerAsked":true'), "KEY emptied, owner asked");
    await start([meter("a"), meter("b")]);
    const from = site.sent.length;
    expect(node("a").ownership).toMatchObject({ is: "claimed", owner: bareJid("anna@localhost"), keyEmptied: true });
    await until(() => node("b").ownership.is === "registered", "b registered");
    const about = site.sent.slice(from).flatMap((stanza) => stanza.getChildElements());
    expect(about.filter(({ attrs }) => attrs["nodeId"] === "a")).toEqual([]);
    expect(await reads("anna", { nodeId: "a" })).toEqual(["a"]);
  });

  test("who claimed while the Thing was away is learnt at the next start", async () => {
    const { start, thing, node, becomes, person } = bound(await open());
    await start([meter("a")]);
    await becomes("a", "registered");
    const text = node("a").claimText;
    await thing().stop();
    await (await person("anna")).claim(text);
    await start([meter("a")]);
    await becomes("a", "claimed");
  });

  test("removes it: it is told of no more, and belongs to them still", async () => {
    const { start, claim, node, reads, record, thing } = bound(await open());
    await start([meter("a", { tagsAfterClaim: { CLASS: "Meter" } })]);
    const anna = await claim("anna", "a");
    await until(() => record("a")?.hasKey === false, "KEY emptied");
    await anna.remove({ jid: bareJid(thing().jid), node: { nodeId: "a" } });
    await until(() => JSON.stringify(node("a").ownership).includes('"listed":false'), "removed");
    expect(await reads("anna", { nodeId: "a" })).toEqual(["a"]);
    await start([meter("a")]);
    expect(node("a").ownership).toMatchObject({ is: "claimed", listed: false });
  });

  test("D-3.17-6, D-3.17-7: disowns it: they may nothing more, are no friend any more, and it has another KEY", async () => {
    const { start, claim, node, reads, becomes, thing, site } = bound(await open());
    await start([meter("a"), meter("b")]);
    const before = node("a").claimText;
    const anna = await claim("anna", "a");
    await anna.befriend(bareJid(thing().jid));
    await anna.disown({ jid: bareJid(thing().jid), node: { nodeId: "a" } });
    await becomes("a", "registered");
    expect(node("a").claimText).not.toBe(before);
    expect(await reads("anna", { nodeId: "a" })).toBe("forbidden");
    await until(
      () =>
        site.sent.some((stanza) =>
          stanza
            .getChild("query")
            ?.getChildren("item")
            .some(({ attrs }) => attrs["jid"] === "anna@localhost" && attrs["subscription"] === "remove"),
        ),
      "friendship ended",
    );
    await claim("bert", "a");
    expect(await reads("bert", { nodeId: "a" })).toEqual(["a"]);
  });

  test("with several nodes stays a friend until the last of them is gone", async () => {
    const { start, claim, reads, becomes, thing } = bound(await open());
    await start([meter("a"), meter("b")]);
    const anna = await claim("anna", "a");
    await claim("anna", "b");
    await anna.befriend(bareJid(thing().jid));
    await anna.disown({ jid: bareJid(thing().jid), node: { nodeId: "a" } });
    await becomes("a", "registered");
    expect(thing().state.parting).toEqual([]);
    expect(await reads("anna", { nodeId: "b" })).toEqual(["b"]);
    expect(await reads("anna", { nodeId: "a" })).toBe("forbidden");
    await thing().removeNode({ nodeId: "b" });
    expect(await reads("anna", { nodeId: "b" })).toBe("forbidden");
  });
});

/** The parts of a stage, to be taken out of it. */
function bound(stage: Stage) {
  return {
    site: stage.site,
    told: stage.told,
    texts: stage.texts,
    faults: stage.faults,
    thing: () => stage.thing,
    start: stage.start.bind(stage),
    node: stage.node.bind(stage),
    record: stage.record.bind(stage),
    becomes: stage.becomes.bind(stage),
    person: stage.person.bind(stage),
    claim: stage.claim.bind(stage),
    reads: stage.reads.bind(stage),
  };
}
