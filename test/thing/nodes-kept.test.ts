// What a Thing keeps of its nodes: over restarts, factory resets, damage and power cuts.
import { afterEach, describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { encodeDocument } from "../../src/storage/document-file.ts";
import { nodeDocument, readNode } from "../../src/thing/node-store.ts";
import { FailingStorage } from "../support/failing-storage.ts";
import { meter, stage, until, type Stage } from "./nodes-site.ts";

let on: Stage | undefined;
async function open(...args: Parameters<typeof stage>): Promise<{ on: Stage; storage: FailingStorage }> {
  const storage = new FailingStorage();
  on = await stage(args[0], storage);
  return { on, storage };
}
afterEach(async () => {
  await on?.stop();
  on = undefined;
});

const anna = bareJid("anna@localhost");
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const documentOf = (nodeId: string): string => nodeDocument({ nodeId });

/** What a storage holds of a node, without starting the Thing. */
async function keptOf(storage: FailingStorage, nodeId: string) {
  return readNode(storage, documentOf(nodeId));
}

describe("a node that somebody has claimed", () => {
  test("is kept in two writes of its own, and in none of the whole state", async () => {
    const { on, storage } = await open();
    await on.start([meter("a"), meter("b")]);
    await on.becomes("b", "registered");
    storage.done.length = 0;
    await on.claim("anna", "a");
    await until(() => JSON.stringify(on.node("a").ownership).includes('"ownerAsked":true'), "owner asked");
    const name = documentOf("a");
    expect(storage.done).toEqual([`replace ${name}`, `replace ${name}`]);
    const size = (await storage.read(name))?.length ?? 0;
    expect(size).toBeLessThan(500);
  });

  test("keeps its owner while the program does not define it; its notices are about a node that is not here (D-E29)", async () => {
    const { on, storage } = await open();
    await on.start([meter("a")]);
    const owner = await on.claim("anna", "a");
    const { jid } = on.thing;
    await on.start([]);
    await expect(owner.disown({ jid: bareJid(jid), node: { nodeId: "a" } })).rejects.toMatchObject({
      condition: "not-allowed",
    });
    expect(await on.reads("anna", { nodeId: "a" })).toBe("forbidden");
    expect(await keptOf(storage, "a")).toMatchObject({ is: "read" });
    await on.start([meter("a")]);
    expect(on.node("a").ownership).toMatchObject({ is: "claimed", owner: anna });
  });

  test("is not acknowledged while it cannot be kept, and is learnt from the Registry when it can", async () => {
    const { on, storage } = await open();
    await on.start([meter("a")]);
    await on.becomes("a", "registered");
    const text = on.node("a").claimText;
    storage.before = (_, name) => {
      if (name.startsWith("node-")) throw new Error("no room");
    };
    await (await on.person("anna")).claim(text);
    await until(() => on.faults.some((fault) => fault.startsWith("state-not-saved")), "a fault");
    expect(on.node("a").ownership.is).toBe("registered");
    expect(await on.reads("anna", { nodeId: "a" })).toBe("forbidden");
    storage.before = () => undefined;
    await on.becomes("a", "claimed");
  });
});

describe("a node that was removed", () => {
  test("D-3.16-2: while the Thing is offline it is unregistered at the next start, also when it is not defined any more", async () => {
    const { on, storage } = await open();
    await on.start([meter("a"), meter("b")]);
    await on.becomes("b", "registered");
    await on.claim("anna", "a");
    await on.site.cut(on.thing);
    await until(() => on.thing.state.link.is !== "online" || on.thing.jid === "", "offline");
    await Promise.all([
      on.thing.removeNode({ nodeId: "a" }, { timeout: 100 }),
      on.thing.removeNode({ nodeId: "b" }, { timeout: 100 }),
    ]);
    expect(on.record("a")).toBeDefined();
    await on.start([]);
    await until(() => on.record("a") === undefined && on.record("b") === undefined, "unregistered");
    expect(await keptOf(storage, "b")).toEqual({ is: "none" });
  });

  test("and is added again has no owner, and a KEY that the one before has not seen", async () => {
    const { on } = await open();
    await on.start([meter("a")]);
    const before = on.node("a").claimText;
    await on.claim("anna", "a");
    await on.thing.removeNode({ nodeId: "a" });
    await on.thing.addNode(meter("a"));
    await on.becomes("a", "registered");
    expect(on.node("a").claimText).not.toBe(before);
    expect(await on.reads("anna", { nodeId: "a" })).toBe("forbidden");
    const again = on.node("a").claimText;
    await on.start([meter("a")]);
    expect(on.node("a").claimText).toBe(again);
  });

  test("while it is offline, and is added again there, has no owner either", async () => {
    const { on } = await open();
    await on.start([meter("a")]);
    await on.claim("anna", "a");
    await on.site.cut(on.thing);
    await on.thing.removeNode({ nodeId: "a" }, { timeout: 100 });
    await on.thing.addNode(meter("a"));
    expect(on.node("a").ownership).toMatchObject({ is: "unregistered", leaving: { registry: on.site.registry.jid } });
    await on.start([meter("a")]);
    await on.becomes("a", "registered");
    expect(on.record("a")?.owner).toBeUndefined();
    await on.claim("bert", "a");
  });
});

describe("a factory reset", () => {
  test("X-E4: takes the owners of all nodes; each is registered anew with another KEY", async () => {
    const { on, storage } = await open();
    await on.start([meter("a"), meter("b")]);
    const before = ["a", "b"].map((nodeId) => on.node(nodeId).claimText);
    await on.claim("anna", "a");
    await on.becomes("b", "registered");
    await on.thing.reset();
    expect(await on.reads("anna", { nodeId: "a" })).toBe("forbidden");
    for (const nodeId of ["a", "b"]) {
      await on.becomes(nodeId, "registered");
      expect(on.record(nodeId)?.owner).toBeUndefined();
    }
    expect(["a", "b"].map((nodeId) => on.node(nodeId).claimText).filter((text) => before.includes(text))).toEqual([]);
    expect(await keptOf(storage, "a")).toEqual({ is: "none" });
    await on.claim("bert", "a");
  });

  test("that lost its power, or was offline, has no owners of before at the next start, and unregisters them", async () => {
    const { on, storage } = await open();
    await on.start([meter("a")]);
    await on.claim("anna", "a");
    await on.site.cut(on.thing);
    await on.thing.reset({ timeout: 50 });
    expect(await keptOf(storage, "a")).toMatchObject({ is: "read", record: { ownership: { is: "claimed" } } });
    await on.start([meter("a")]);
    expect(on.node("a").ownership.is).toBe("unregistered");
    await on.becomes("a", "registered");
    expect(on.record("a")?.owner).toBeUndefined();
    expect(await keptOf(storage, "a")).toEqual({ is: "none" });
  });

  test("of the folder alone leaves owners that count no more", async () => {
    const { on, storage } = await open();
    await on.start([meter("a")]);
    await on.claim("anna", "a");
    await on.thing.stop();
    await storage.open();
    await storage.delete("thing.previous");
    await storage.delete("thing");
    await storage.close();
    await on.start([meter("a")]);
    await on.becomes("a", "registered");
    expect(await keptOf(storage, "a")).toEqual({ is: "none" });
  });
});

describe("damage", () => {
  test.each([
    ["torn", (content: Uint8Array) => content.subarray(0, 40)],
    ["another node's", () => encodeDocument(documentOf("a"), 1, { node: { nodeId: "b" } })],
    ["no record", () => encodeDocument(documentOf("a"), 1, { node: { nodeId: "a" }, count: -1 })],
    ["nonsense", () => bytes("nonsense")],
  ])("of what is kept of a node (%s) is told; the Registry says whose it is", async (_, how) => {
    const { on, storage } = await open();
    await on.start([meter("a"), meter("b")]);
    const before = on.node("a").claimText;
    await on.claim("anna", "a");
    await on.thing.stop();
    await storage.open();
    await storage.replace(documentOf("a"), how((await storage.read(documentOf("a"))) ?? bytes("")));
    await storage.close();
    const thing = await on.start([meter("a"), meter("b")]);
    expect(on.faults.filter((fault) => fault.startsWith("node-damaged"))).toHaveLength(1);
    expect(on.node("a").claimText).not.toBe(before);
    await on.becomes("a", "claimed");
    expect(on.node("a").ownership).toMatchObject({ owner: anna });
    expect(thing.nodes).toHaveLength(2);
  });

  test("of the list of those to be unregistered keeps the Thing from nothing", async () => {
    const { on, storage } = await open();
    await on.start([meter("a")]);
    await on.becomes("a", "registered");
    await on.thing.removeNode({ nodeId: "a" });
    await on.thing.stop();
    await storage.open();
    await storage.replace("nodes", bytes("torn"));
    await storage.replace("nodes.previous", bytes("torn"));
    await storage.close();
    await on.start([meter("a")]);
    expect(on.faults.some((fault) => fault.startsWith("node-damaged"))).toBe(true);
    await on.becomes("a", "registered");
  });

  test("what a newer library has written is refused by name, and nothing is touched", async () => {
    const { on, storage } = await open();
    await on.start([meter("a")]);
    await on.thing.stop();
    await storage.open();
    await storage.replace(documentOf("a"), encodeDocument(documentOf("a"), 2, {}));
    await storage.close();
    storage.done.length = 0;
    await expect(on.start([meter("a")])).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(storage.done).toEqual([]);
    await on.start([]);
    await expect(on.thing.addNode(meter("a"))).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(on.thing.nodes).toEqual([]);
  });
});
