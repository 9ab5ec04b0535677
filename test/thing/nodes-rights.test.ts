// What is remembered of the rights of somebody who has disowned a node (XEP-0347 3.17), and of a node that is removed.
import { afterEach, describe, expect, test } from "vitest";
import { StorageError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { FailingStorage } from "../support/failing-storage.ts";
import { meter, stage, until, type Stage } from "./nodes-site.ts";

let on: Stage | undefined;
afterEach(async () => {
  await on?.stop();
  on = undefined;
});

const anna = bareJid("anna@localhost");

test("D-3.17-7: whoever disowns one of several nodes has nothing remembered of them, and stays a friend", async () => {
  on = await stage();
  on.site.provisioning.setRules([{ jid: anna, friend: true, read: true }]);
  const thing = await on.start([meter("a"), meter("b")], { provisioning: [on.site.provisioning.jid] });
  const owner = await on.claim("anna", "a");
  await on.claim("anna", "b");
  expect(await on.reads("anna", { nodeId: "a" })).toEqual(["a"]);
  const remembered = () => thing.rights.entries().filter(({ question }) => question.kind === "read");
  expect(remembered()).toHaveLength(1);
  await owner.disown({ jid: bareJid(thing.jid), node: { nodeId: "a" } });
  await on.becomes("a", "registered");
  expect(remembered()).toEqual([]);
  expect(thing.state.parting).toEqual([]);
});

describe("a node that is removed", () => {
  /** Carla, who owns nothing, may read both, which is remembered, also on disk. */
  async function read() {
    const storage = new FailingStorage(memoryStorage());
    on = await stage({}, storage);
    const at = on;
    at.site.provisioning.setRules([{ jid: bareJid("carla@localhost"), friend: true, read: true }]);
    const start = () =>
      at.start([meter("a"), meter("b")], { provisioning: [at.site.provisioning.jid], rights: { gather: 1 } });
    await start();
    await at.claim("anna", "a");
    for (const nodeId of ["a", "b"]) expect(await at.reads("carla", { nodeId })).toEqual([nodeId]);
    const remembered = () =>
      at.thing.rights
        .entries()
        .flatMap(({ question }) => (question.kind === "read" ? question.nodes : []))
        .map(({ nodeId }) => nodeId)
        .sort();
    await start();
    expect(remembered()).toEqual(["a", "b"]);
    return { at, storage, start, remembered };
  }

  test("and added again: nothing that was remembered of the one before is said of it", async () => {
    const { at, remembered } = await read();
    await at.thing.removeNode({ nodeId: "a" });
    expect(remembered()).toEqual(["b"]);
    await at.thing.addNode(meter("a"));
    await at.becomes("a", "registered");
    expect(remembered()).toEqual(["b"]);
    // The server is asked, as of a node that nobody has asked about.
    const asked = at.site.hold.heard.length;
    expect(await at.reads("carla", { nodeId: "a" })).toEqual(["a"]);
    expect(at.site.hold.heard.slice(asked).some((stanza) => stanza.toString().includes("canRead"))).toBe(true);
  });

  test("while the Thing is offline: it is gone from the disk too when that resolves", async () => {
    const { at, storage, start, remembered } = await read();
    await at.site.cut(at.thing);
    await until(() => at.thing.state.link.is !== "online" || at.thing.jid === "", "offline");
    storage.done.length = 0;
    await at.thing.removeNode({ nodeId: "a" }, { timeout: 100 });
    // Before the node is.
    const [first] = storage.done.filter((one) => / (rights|node)/.test(one) && !one.includes("nodes"));
    expect(first).toBe("replace rights");
    await start();
    expect(remembered()).toEqual(["b"]);
  });

  test("on a disk that does not forget them: it stays, and nothing of them counts until the disk does", async () => {
    const { at, storage, start, remembered } = await read();
    storage.before = (_, name) => {
      if (name.startsWith("rights")) throw new StorageError("the disk is full");
    };
    await expect(at.thing.removeNode({ nodeId: "a" })).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(at.node("a").ownership).toMatchObject({ is: "claimed", owner: anna });
    expect(remembered()).toEqual(["b"]);
    storage.before = () => undefined;
    await at.thing.removeNode({ nodeId: "a" });
    await at.thing.addNode(meter("a"));
    expect(remembered()).toEqual(["b"]);
    await start();
    expect(remembered()).toEqual(["b"]);
  });

  test("what is answered while it is removed is not remembered", async () => {
    const { at, storage, remembered } = await read();
    let asks: Promise<unknown> = Promise.resolve();
    storage.before = async (_, name) => {
      if (!name.startsWith("node-")) return;
      storage.before = () => undefined;
      asks = at.reads("carla", { nodeId: "a" });
      await asks;
    };
    await at.thing.removeNode({ nodeId: "a" });
    expect(await asks).toEqual(["a"]);
    expect(remembered()).toEqual(["b"]);
  });
});
