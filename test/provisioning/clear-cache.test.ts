import { describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { buildClearCache } from "../../src/codec/provisioning.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el } from "../../src/codec/xml.ts";
import { answerClearCache } from "../../src/provisioning/clear-cache.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { failingStorage } from "../support/failing-storage.ts";
import { remember } from "../support/rights.ts";
import { listeningLogger, scriptedChannel, settled } from "../support/scripted-wire.ts";

const server = bareJid("provisioning.example.org");
const second = bareJid("admin@second.example.org");
const friend = bareJid("friend@example.org");

async function site() {
  const storage = await failingStorage();
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const make = (): RightsCache => new RightsCache({ storage, logger, onFault: () => undefined });
  const cache = make();
  await cache.load();
  const cleared: string[] = [];
  const told: string[] = [];
  answerClearCache({
    router: parts.channel.router,
    cache,
    servers: () => [server, second],
    onCleared: (by) => void cleared.push(`${by}, ${parts.wire.writes.length} written`),
    onFault: (code, message) => void told.push(`${code}: ${message}`),
  });
  remember(cache, { kind: "friend", jid: friend });
  await cache.flush();
  /** How many rights a Thing would find that starts now, as after a power cut. */
  const found = async (): Promise<number> => {
    const next = make();
    await next.load();
    return next.count;
  };
  return { ...parts, storage, cache, cleared, told, found };
}

describe("clearCache", () => {
  test("P-3.5.1-3, P-3.5.1-5: from a trusted server empties the cache and is acknowledged", async () => {
    const { wire, cache, cleared, found } = await site();
    const answer = await wire.ask(server, "set", buildClearCache());
    expect(answer.type).toBe("result");
    expect(String(answer.payload)).toBe(`<clearCacheResponse xmlns="${ns.provisioning}"/>`);
    expect([cache.count, await found()]).toEqual([0, 0]);
    await settled();
    expect(cleared).toEqual([`${server}, 1 written`]);
  });

  test("P-E21: is durable before it is acknowledged", async () => {
    const { wire, storage, found } = await site();
    let go: () => void = () => undefined;
    storage.before = () => new Promise((resolve) => (go = resolve));
    const asking = wire.ask(server, "set", buildClearCache());
    await settled();
    expect(wire.writes).toEqual([]);
    expect(await found()).toBe(1);
    go();
    expect((await asking).type).toBe("result");
    expect(await found()).toBe(0);
  });

  test("P-E21: that the disk does not take is not acknowledged, so that it is sent again", async () => {
    const { wire, storage, cache, cleared, found, told } = await site();
    storage.failing.add("replace");
    const answer = await wire.ask(server, "set", buildClearCache());
    expect(answer).toMatchObject({ type: "error", condition: "resource-constraint", text: "" });
    expect(told).toEqual([expect.stringMatching(/^rights-not-saved: clearCache could not be obeyed on disk/)]);
    expect(cache.count).toBe(0);
    storage.failing.clear();
    expect((await wire.ask(server, "set", buildClearCache())).type).toBe("result");
    expect(await found()).toBe(0);
    await settled();
    expect(cleared).toHaveLength(1);
  });

  test("P-E21: has room when strangers have taken all there is for others", async () => {
    const { wire, channel, cache } = await site();
    channel.router.onIq("urn:x", "ask", () => new Promise(() => undefined));
    for (let n = 0; n < 300; n++) void wire.ask(`stranger${n}@example.org/r`, "get", el("ask", { xmlns: "urn:x" }));
    await settled();
    expect(wire.writes.length).toBeGreaterThanOrEqual(44); // told to come back later: there is no room left
    expect((await wire.ask(server, "set", buildClearCache())).type).toBe("result");
    expect(cache.count).toBe(0);
  });

  test.each([
    ["a component that is trusted, whatever resource it uses", "provisioning.example.org/anything"],
    ["an account that is trusted, from any of its resources", "admin@second.example.org/desk"],
    ["a component that is trusted, in capitals", "Provisioning.EXAMPLE.org"],
  ])("is honoured from %s", async (_, from) => {
    const { wire, cache } = await site();
    expect((await wire.ask(from, "set", buildClearCache())).type).toBe("result");
    expect(cache.count).toBe(0);
  });

  test("P-E21: is honoured as a get too, the form before version 0.3", async () => {
    const { wire, cache } = await site();
    expect((await wire.ask(server, "get", buildClearCache())).type).toBe("result");
    expect(cache.count).toBe(0);
  });

  test.each([
    ["a stranger", "stranger@example.org/x"],
    ["a friend", "friend@example.org/x"],
    ["a user on the domain of the server", "somebody@provisioning.example.org/x"],
    ["another user beside the server's account", "other@second.example.org/desk"],
    ["the domain of the server's account", "second.example.org"],
    ["a component below the server", "x.provisioning.example.org"],
    ["the server's parent domain", "example.org"],
    ["the Registry", "discovery.example.org"],
    ["the Thing itself", "thing@example.org/home"],
  ])("P-E21: from %s is forbidden and changes nothing", async (_, from) => {
    const { wire, cache, cleared, storage, found } = await site();
    storage.done.length = 0;
    const answer = await wire.ask(from, "set", buildClearCache());
    expect(answer).toMatchObject({ type: "error", condition: "forbidden" });
    await settled();
    expect([cache.count, cache.epoch, await found(), storage.done, cleared]).toEqual([1, 0, 1, [], []]);
  });

  test("in another namespace is nothing the Thing knows", async () => {
    const { wire, cache } = await site();
    const answer = await wire.ask(server, "set", el("clearCache", { xmlns: "urn:ieee:iot:prov:d:1.0" }));
    expect([answer.condition, cache.count]).toEqual(["service-unavailable", 1]);
  });
});
