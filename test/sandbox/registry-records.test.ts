import { describe, expect, it } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import { isListed, MemoryKeeper, recordKey, type RegistryRecord } from "../../src/sandbox/registry-records.ts";

const jid = "rack@example.org" as BareJid;
const record: RegistryRecord = { jid, registeredAt: 1, registered: "x", tags: [] };
const claim = { owner: jid, public: true, selfOwned: false, at: 2, told: true, notice: "n" };

describe("a record of the Registry", () => {
  it("D-3.6-9: is known by bare JID and node, absent and empty attributes alike (D-E6)", () => {
    const keys = [
      { jid },
      { jid, node: { nodeId: "a" } },
      { jid, node: { nodeId: "a", sourceId: "s" } },
      { jid, node: { nodeId: "a", cacheType: "s" } },
      { jid, node: { nodeId: 'a","s' } },
      { jid: "other@example.org" as BareJid },
    ].map(recordKey);
    expect(new Set(keys).size).toBe(6);
    expect(recordKey({ jid, node: { nodeId: "a", sourceId: "", cacheType: "" } })).toBe(keys[1]);
    expect(recordKey({ jid, node: { nodeId: "" } })).toBe(keys[0]);
  });

  it("D-3.15-2: is listed once claimed, while public and not removed", () => {
    expect(isListed(record)).toBe(false);
    expect(isListed({ ...record, claim })).toBe(true);
    expect(isListed({ ...record, claim: { ...claim, public: false } })).toBe(false);
    expect(isListed({ ...record, claim, removed: { at: 3, notice: "r" } })).toBe(false);
  });
});

describe("the keeper in memory", () => {
  it("gives back what was put last, and not what was deleted", async () => {
    const keeper = new MemoryKeeper();
    const node = { ...record, node: { nodeId: "a" } };
    await keeper.put([record, node]);
    await keeper.put([{ ...record, claim }]);
    await keeper.delete([recordKey(node), "unknown"]);
    const loaded: RegistryRecord[] = [];
    for await (const each of keeper.load()) loaded.push(each);
    expect(loaded).toEqual([{ ...record, claim }]);
    await keeper.close();
  });
});
