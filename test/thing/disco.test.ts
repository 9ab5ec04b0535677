import { describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { capsNode, isProved, parseCaps } from "../../src/codec/caps.ts";
import { buildInfoQuery, parseInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { presence } from "../../src/codec/stanza.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { answerDisco, ownCaps } from "../../src/thing/disco.ts";
import { Rights } from "../../src/thing/rights.ts";
import { remember } from "../support/rights.ts";
import { scriptedChannel } from "../support/scripted-wire.ts";

describe("what a Thing says it can do", () => {
  test.each([
    ["sensor and control parameters", { sense: true, control: true }, [ns.sensorData, ns.control]],
    ["a sensor", { sense: true, control: false }, [ns.sensorData]],
    ["control parameters", { sense: false, control: true }, [ns.control]],
    ["nothing", { sense: false, control: false }, []],
  ])("P-E26, XEP-0325 4: with %s is what fits, and never provisioning", async (_, can, own) => {
    const { channel, wire } = scriptedChannel();
    answerDisco(channel.router, can);
    const features = [ns.discoInfo, ns.caps, ns.ping, ...own];
    const answer = await wire.ask("anybody@example.org/x", "get", buildInfoQuery());
    expect(parseInfo(answer.payload)).toEqual({ identities: [{ category: "client", type: "bot" }], features });
  });

  test("XEP-0115 4, 6.2: is what its presence says by hash, also under the node that it names there", async () => {
    const { channel, wire } = scriptedChannel();
    const can = { sense: true, control: false };
    answerDisco(channel.router, can);
    const said = parseCaps(presence({}, ownCaps(can)));
    if (said === undefined) throw new Error("presence says nothing");
    const node = capsNode(said);
    const whole = await wire.ask("anybody@example.org/x", "get", buildInfoQuery());
    const named = await wire.ask("anybody@example.org/x", "get", buildInfoQuery(node));
    expect(isProved(whole.payload ?? presence(), said)).toBe(true);
    expect([whole.payload?.attrs["node"], named.payload?.attrs["node"]]).toEqual([undefined, node]);
    expect(parseInfo(named.payload)).toEqual(parseInfo(whole.payload));
    expect(said).not.toEqual(parseCaps(presence({}, ownCaps({ sense: true, control: true }))));
  });

  test.each(["xmpp-thing:thing", "xmpp-thing:thing#AAAA", "http://jabber.org/protocol/commands"])(
    "XEP-0030 3.2: says item-not-found of any other node, as %s",
    async (node) => {
      const { channel, wire } = scriptedChannel();
      answerDisco(channel.router, { sense: true, control: false });
      const answer = await wire.ask("anybody@example.org/x", "get", buildInfoQuery(node));
      expect([answer.type, answer.condition]).toEqual(["error", "item-not-found"]);
    },
  );
});

describe("the rights that a program sees", () => {
  async function site() {
    const storage = memoryStorage();
    await storage.open();
    const make = async (): Promise<RightsCache> => {
      const cache = new RightsCache({ storage, logger: silentLogger, onFault: () => undefined });
      await cache.load();
      return cache;
    };
    const cache = await make();
    for (const name of ["a", "b"]) {
      const jid = bareJid(`${name}@example.org`);
      remember(cache, { kind: "friend", jid });
    }
    const rights = new Rights(cache);
    await rights.save();
    return { rights, make };
  }

  test("are what is remembered, the last used first", async () => {
    const { rights } = await site();
    expect([rights.count, rights.entries().map(({ jid }) => jid)]).toEqual([2, ["b@example.org", "a@example.org"]]);
  });

  test("can be written before their time", async () => {
    const { rights, make } = await site();
    expect((await make()).count).toBe(2);
    const written = rights.counters;
    await rights.save();
    expect(rights.counters).toEqual(written); // there was nothing to write
  });

  test("can be cleared, durably", async () => {
    const { rights, make } = await site();
    await rights.clear();
    expect([rights.count, (await make()).count]).toEqual([0, 0]);
  });

  test("can be forgotten for one party, durably", async () => {
    const { rights, make } = await site();
    await rights.forget(bareJid("a@example.org"));
    expect([rights.count, (await make()).entries().map(({ jid }) => jid)]).toEqual([1, ["b@example.org"]]);
  });
});
