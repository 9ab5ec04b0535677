import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";
import { bareJid } from "../../src/core/jid.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { NodeStore, isNodeDocument, nodeDocument, type NodeRecord } from "../../src/thing/node-store.ts";
import { markOf } from "../../src/thing/node-keys.ts";
import { savedDocument } from "../../src/thing/saved.ts";
import { FakeIo } from "../support/fake-io.ts";
import { removeState, stateOfFormat } from "../support/state-folder.ts";

const NODE_SECRET = "a-made-up-node-secret";
const registry = bareJid("discovery.example.org");

let folder: string;
beforeEach(async () => {
  folder = stateOfFormat(4);
  const storage = fileStorage(folder);
  await storage.open();
  const document = savedDocument(storage);
  const { value } = await document.load();
  if (value === undefined) throw new Error("no state");
  await document.save({ ...value, nodeSecret: NODE_SECRET });
  await storage.close();
});
afterEach(() => removeState(folder));

function claimed(owner: string, isPublic = true): NodeRecord {
  const ownership = { is: "claimed", registry, owner: bareJid(owner), public: isPublic } as const;
  return {
    ownership: { ...ownership, listed: true, keyEmptied: true, ownerAsked: true },
    ...{ count: 0, wanted: [], told: [], unsure: [] },
  };
}

async function keep(nodes: Readonly<Record<string, NodeRecord>>, secret = NODE_SECRET): Promise<void> {
  const storage = fileStorage(folder);
  await storage.open();
  for (const [nodeId, record] of Object.entries(nodes)) {
    await new NodeStore(storage).save({ nodeId }, record, markOf(secret));
  }
  await storage.close();
}

async function run(...args: string[]): Promise<FakeIo & { code: number }> {
  const io = new FakeIo();
  const code = await main([...args, "--state", folder], io);
  expect(io.text + io.errors.join("\n")).not.toContain(NODE_SECRET);
  return Object.assign(io, { code });
}

describe("xmpp-thing status of a concentrator", () => {
  test("tells whose the nodes are; those of before a factory reset are nobody's", async () => {
    await keep({ a: claimed("anna@example.org"), b: claimed("bert@example.org", false) });
    await keep({ c: claimed("carl@example.org") }, "of before");
    const io = await run("status");
    expect(io.code).toBe(0);
    expect(io.text).toContain("Nodes       2 with an owner");
    expect(io.text).toContain("            a: anna@example.org");
    expect(io.text).toContain("            b: bert@example.org (private)");
    expect(io.text).not.toContain("carl");
    const { nodes } = JSON.parse((await run("status", "--json")).text) as { nodes: readonly { node: object }[] };
    expect(nodes.map(({ node }) => node)).toEqual(expect.arrayContaining([{ nodeId: "a" }, { nodeId: "b" }]));
    expect(nodes).toHaveLength(2);
  });

  test("says of many how many more there are, and of one that is damaged that it is", async () => {
    const names = Array.from({ length: 23 }, (_, index) => `n${index}`);
    await keep(Object.fromEntries(names.map((name) => [name, claimed("anna@example.org")])));
    const storage = fileStorage(folder);
    await storage.open();
    for (const nodeId of ["n0", "n1"]) await storage.replace(nodeDocument({ nodeId }), new Uint8Array([1]));
    await storage.close();
    const { text } = await run("status");
    expect(text).toContain("21 with an owner");
    expect(text).toContain("and 1 more");
    expect(text.replace(/\s+/g, " ")).toContain(
      "is damaged (its checksum is wrong), and 1 more: the Registry is asked",
    );
  });

  test("is reset with all that is kept of its nodes", async () => {
    await keep({ a: claimed("anna@example.org") });
    expect(readdirSync(folder).some(isNodeDocument)).toBe(true);
    expect((await run("reset", "--yes")).code).toBe(0);
    expect(readdirSync(folder).some(isNodeDocument)).toBe(false);
  });
});
