import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isSdkError } from "../../src/core/errors.ts";
import { buildInfo, buildItems } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el } from "../../src/codec/xml.ts";
import { Components, type ComponentSearch } from "../../src/discovery/components.ts";
import { hasFeature, whyNot } from "../../src/discovery/features.ts";
import { anyElement, overTheWire } from "../codec/laws.ts";
import { ScriptedWire, scriptedChannel, settled, type Peer } from "../support/scripted-wire.ts";

const domain = "example.org";
const never = new AbortController().signal;
const info = (...features: string[]): ReturnType<typeof buildInfo> => buildInfo({ identities: [], features });
const has =
  (...features: string[]): Peer =>
  () =>
    info(...features);

function site() {
  const parts = scriptedChannel();
  const components = new Components(parts);
  const lists = (...jids: string[]): void => serverSays([ns.discoItems], ...jids);
  const serverSays = (features: readonly string[], ...jids: string[]): void =>
    parts.wire.peer(domain, (payload) =>
      payload.is("query", ns.discoItems) ? buildItems(jids.map((jid) => ({ jid }))) : info(...features),
    );
  const find = (
    feature: typeof ns.discovery | typeof ns.provisioning = ns.discovery,
    search: Partial<ComponentSearch> = {},
  ): Promise<string> => components.find(feature, { signal: never, ...search });
  /** How often somebody was asked what it can do. */
  const asked = (jid: string): number =>
    parts.wire.asked(jid).filter((query) => query.is("query", ns.discoInfo)).length;
  return { ...parts, components, lists, serverSays, find, asked };
}

async function failureOf(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isSdkError(error)) throw new Error(`not an error of ours: ${String(error)}`);
  return { code: error.code, message: error.message };
}

describe("looking for components", () => {
  test("P-3.1.2-2, P-3.1.2-3, P-3.1.2-4, D-3.5-7, D-3.11-9, D-4-2 to D-4-4, P-4-3: asks the own server what it has, for its components, then each what it can do", async () => {
    const { wire, lists, find } = site();
    lists("conference.example.org", "discovery.example.org");
    wire.peer("discovery.example.org", has(ns.discoInfo, ns.discovery));
    wire.peer("conference.example.org", has("http://jabber.org/protocol/muc"));
    expect(await find()).toBe("discovery.example.org");
    const queries = [`<query xmlns="${ns.discoInfo}"/>`, `<query xmlns="${ns.discoItems}"/>`];
    expect(wire.asked(domain).map(String)).toEqual(queries);
    expect(wire.asked("discovery.example.org").map(String)).toEqual(queries.slice(0, 1));
  });

  test("P-3.1.2-4: takes the first in the server's order, whoever answers first", async () => {
    const { lists, wire, clock, find } = site();
    lists("b.example.org", "a.example.org");
    wire.peer("b.example.org", () => new Promise((resolve) => clock.schedule(100, () => resolve(info(ns.discovery)))));
    wire.peer("a.example.org", has(ns.discovery));
    const finding = find();
    await clock.advance(100);
    expect(await finding).toBe("b.example.org");
  });

  test("is not held up by those that answer with an error, with nonsense, or not at all", async () => {
    const { lists, wire, clock, find } = site();
    lists("error.example.org", "nonsense.example.org", "silent.example.org", "discovery.example.org");
    wire.peer("error.example.org", () => ({ error: "remote-server-timeout" }));
    wire.peer("nonsense.example.org", () => el("query", { xmlns: ns.discoItems }));
    wire.peer("discovery.example.org", has(ns.discovery));
    const finding = find();
    await clock.advance(5_000);
    expect(await finding).toBe("discovery.example.org");
    expect(clock.pending).toBe(0);
  });

  test("is not ended by any answer that a component could give", async () => {
    await fc.assert(
      fc.asyncProperty(anyElement("query", ns.discoInfo), anyElement("query", "urn:other"), async (one, other) => {
        const { lists, wire, find } = site();
        lists("one.example.org", "other.example.org", "discovery.example.org");
        wire.peer("one.example.org", () => overTheWire(one));
        wire.peer("other.example.org", () => overTheWire(other));
        wire.peer("discovery.example.org", has(ns.discovery));
        expect(await find()).toBe("discovery.example.org");
      }),
      { numRuns: 50 },
    );
  });

  test("takes the very feature only", async () => {
    const { lists, wire, find } = site();
    lists("a.example.org", "b.example.org", "c.example.org");
    wire.peer("a.example.org", has(`${ns.discovery}#more`));
    wire.peer("b.example.org", has(ns.discovery.toUpperCase()));
    wire.peer("c.example.org", has(ns.provisioning));
    expect((await failureOf(find())).code).toBe("ERR_DISCOVERY");
  });

  test("X-E5: passes over accounts, rooms and addresses that are none, and asks each component once", async () => {
    const { lists, wire, find } = site();
    lists("registry@example.org", "room@conference.example.org/nick", "@", "a.example.org", "A.example.org");
    wire.peer("registry@example.org", has(ns.discovery));
    wire.peer("a.example.org", has(ns.discovery));
    expect(await find()).toBe("a.example.org");
    expect(wire.asked("a.example.org")).toHaveLength(1);
    expect(wire.asked("registry@example.org")).toEqual([]);
  });

  test("XEP-0347 5.3: the server itself may be what is sought; its components come first", async () => {
    const { serverSays, wire, find, asked } = site();
    serverSays([ns.discoItems, ns.discovery, ns.provisioning], "a.example.org", domain);
    wire.peer("a.example.org", has(ns.provisioning));
    expect(await find(ns.discovery)).toBe(domain);
    expect(await find(ns.provisioning)).toBe("a.example.org");
    expect(asked(domain)).toBe(1);
  });

  test.each<[string, Peer]>([
    ["does not list disco#items", () => info(ns.ping)],
    ["answers disco#info with an error", () => ({ error: "service-unavailable" })],
    ["answers disco#info with nonsense", () => undefined],
  ])("D-4-3: asks a server that %s for its components all the same", async (_, says) => {
    const { wire, find } = site();
    wire.peer(domain, (payload, type, to) =>
      payload.is("query", ns.discoItems) ? buildItems([{ jid: "a.example.org" }]) : says(payload, type, to),
    );
    wire.peer("a.example.org", has(ns.discovery));
    expect(await find()).toBe("a.example.org");
  });

  test("ends when it is not wanted any more, whatever is found later", async () => {
    const { lists, wire, clock, find, asked } = site();
    lists("a.example.org", ...Array.from({ length: 30 }, (_, i) => `c${i}.example.org`));
    wire.peer("a.example.org", () => "silent");
    const leaving = new AbortController();
    const finding = find(ns.discovery, { signal: leaving.signal });
    await settled();
    leaving.abort(new Error("enough"));
    await expect(finding).rejects.toThrow("enough");
    await clock.advance(60_000);
    expect([asked("c14.example.org"), asked("c15.example.org"), clock.pending]).toEqual([1, 0, 0]);
    await expect(find(ns.discovery, { signal: leaving.signal })).rejects.toThrow("enough");
  });
});

describe("a server with many components", () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `c${i}.example.org`);

  test("hundreds are asked sixteen at a time", async () => {
    const { lists, wire, clock, find } = site();
    const jids = many(300);
    lists(...jids);
    let under = 0;
    let most = 0;
    for (const jid of jids) {
      wire.peer(jid, () => {
        most = Math.max(most, ++under);
        return new Promise((resolve) =>
          clock.schedule(10, () => {
            under--;
            resolve(info(jid === "c299.example.org" ? ns.discovery : ns.ping));
          }),
        );
      });
    }
    const finding = find();
    await clock.advance(10 * 300);
    expect(await finding).toBe("c299.example.org");
    expect(most).toBeGreaterThan(8);
    expect(most).toBeLessThanOrEqual(17);
  });

  test("of thousands 512 are asked, and the message names a few", async () => {
    const { lists, wire, find } = site();
    const jids = many(5_000);
    lists(...jids);
    let asked = 0;
    for (const jid of jids) wire.peer(jid, () => (asked++, info()));
    const { code, message } = await failureOf(find());
    expect([code, asked]).toEqual(["ERR_DISCOVERY", 512]);
    expect(message).toContain("c4.example.org and 508 more: does not have it");
    expect(message).toContain("and 4483 more: was not asked");
    expect(message.length).toBeLessThan(600);
  });

  test("those that never answer cost five seconds together, not each", async () => {
    const { lists, wire, clock, find } = site();
    lists(...many(15), "discovery.example.org");
    wire.peer("discovery.example.org", has(ns.discovery));
    const finding = find();
    await clock.advance(5_000);
    expect(await finding).toBe("discovery.example.org");
  });
});

describe("what was heard on the network", () => {
  test.each([
    ["by its address", "z.example.org"],
    ["by the first part of its address", "z"],
  ])("D-3.3.2-12: makes the component that it names %s come first", async (_, hint) => {
    const { lists, wire, find, asked } = site();
    lists("a.example.org", "z.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    wire.peer("z.example.org", has(ns.discovery));
    expect(await find(ns.discovery, { preferred: ["nobody", hint] })).toBe("z.example.org");
    expect(await find(ns.discovery)).toBe("a.example.org");
    expect(asked("nobody.example.org")).toBe(0);
  });

  test("D-E21, D-6.2-1: makes nobody trusted whom the server does not list, no account least of all", async () => {
    const { lists, wire, find, asked } = site();
    lists("a.example.org", "mallory@example.org");
    wire.peer("a.example.org", has(ns.discovery));
    const hints = ["mallory", "mallory@example.org", "mallory.example.org", "registry.mallory.example", "", "@", "a/b"];
    for (const hint of hints) wire.peer(hint, has(ns.discovery));
    wire.peer("mallory.example.org", has(ns.discovery));
    expect(await find(ns.discovery, { preferred: hints })).toBe("a.example.org");
    expect(hints.map(asked)).toEqual(hints.map(() => 0));
  });

  test("reaches a component behind the bound", async () => {
    const { lists, wire, find } = site();
    lists(...Array.from({ length: 600 }, (_, i) => `c${i}.example.org`));
    for (let i = 0; i < 600; i++) wire.peer(`c${i}.example.org`, has(...(i === 599 ? [ns.discovery] : [])));
    expect(await find(ns.discovery, { preferred: ["c599"] })).toBe("c599.example.org");
  });
});

describe("what components have said", () => {
  test("is shared by both searches", async () => {
    const { lists, wire, find, asked } = site();
    lists("a.example.org", "b.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    wire.peer("b.example.org", has(ns.provisioning));
    expect(await Promise.all([find(ns.discovery), find(ns.provisioning), find(ns.discovery)])).toEqual([
      "a.example.org",
      "b.example.org",
      "a.example.org",
    ]);
    expect([asked("a.example.org"), asked("b.example.org"), wire.asked(domain).length]).toEqual([1, 1, 2]);
  });

  test("holds as long as the stream, and no longer", async () => {
    const { lists, wire, channel, clock, find, asked } = site();
    lists("a.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    await find();
    await clock.advance(1_000_000);
    await find();
    expect(asked("a.example.org")).toBe(1);
    const next = new ScriptedWire(channel);
    next.peer(domain, () => buildItems([{ jid: "b.example.org" }]));
    next.peer("b.example.org", has(ns.discovery));
    channel.attach(next);
    expect(await find()).toBe("b.example.org");
  });

  test("is asked anew by who looks for something that was not there: after 2 s, 4 s, …", async () => {
    const { lists, wire, clock, find, asked } = site();
    lists("a.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    await find(ns.discovery);
    const rounds: number[] = [];
    for (let second = 0; second < 40; second++) {
      await failureOf(find(ns.provisioning));
      if (asked("a.example.org") > rounds.length + 1) rounds.push(second);
      await clock.advance(1_000);
    }
    expect(rounds).toEqual([1, 3, 7, 15, 31]);
    wire.peer("a.example.org", has(ns.discovery, ns.provisioning));
    await clock.advance(32_000);
    expect(await find(ns.provisioning)).toBe("a.example.org");
  });

  test("is asked anew every two and a half minutes in the end", async () => {
    const { lists, wire, clock, find, asked } = site();
    lists("a.example.org");
    wire.peer("a.example.org", has());
    for (let wait = 1_000; wait < 300_000; wait *= 2) {
      await failureOf(find());
      await clock.advance(wait);
    }
    await failureOf(find());
    const before = asked("a.example.org");
    await clock.advance(149_000);
    await failureOf(find());
    expect(asked("a.example.org")).toBe(before);
    await clock.advance(1_000);
    await failureOf(find());
    expect(asked("a.example.org")).toBe(before + 1);
  });

  test("is asked anew of one that turned out not to be what it said", async () => {
    const { lists, wire, components, find } = site();
    lists("a.example.org", "b.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    wire.peer("b.example.org", has(ns.discovery));
    components.forget(await components.find(ns.discovery, { signal: never }));
    wire.peer("a.example.org", has());
    expect(await find()).toBe("b.example.org");
  });
});

describe("a search that finds nothing", () => {
  test("lists who was asked and what they said, those together who said the same", async () => {
    const { lists, wire, clock, find } = site();
    lists("a.example.org", "b.example.org", "c.example.org", "d.example.org", "e.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    wire.peer("b.example.org", () => ({ error: "service-unavailable" }));
    wire.peer("d.example.org", has());
    wire.peer("e.example.org", () => undefined);
    const finding = failureOf(find(ns.provisioning));
    await clock.advance(5_000);
    expect(await finding).toEqual({
      code: "ERR_DISCOVERY",
      message:
        `no component of example.org has ${ns.provisioning} (` +
        "a.example.org, d.example.org, example.org: does not have it; b.example.org: answered service-unavailable; " +
        "c.example.org: gave no answer within 5000 ms; e.example.org: gave an answer that cannot be understood)",
    });
  });

  test("says so when the server lists nothing", async () => {
    const { lists, find } = site();
    lists();
    expect(await failureOf(find())).toEqual({
      code: "ERR_DISCOVERY",
      message: `no component of example.org has ${ns.discovery} (it lists none; example.org: does not have it)`,
    });
  });

  test("P-3.1.2-2: says what the server answered that does not tell its components", async () => {
    const { wire, clock, find } = site();
    wire.peer(domain, (payload) =>
      payload.is("query", ns.discoItems) ? { error: "service-unavailable" } : info(ns.ping),
    );
    expect((await failureOf(find())).message).toContain(
      "example.org answered service-unavailable, and does not say that it lists components",
    );
    await clock.advance(1_000);
    wire.peer(domain, (payload) => (payload.is("query", ns.discoItems) ? "silent" : info(ns.discoItems)));
    const waiting = failureOf(find());
    await clock.advance(5_000);
    expect((await waiting).message).toMatch(/example\.org gave no answer within 5000 ms\)$/);
  });

  test("is no search without a stream, or when it ends meanwhile; the next one begins anew", async () => {
    const { lists, wire, channel, find } = site();
    lists("silent.example.org");
    const waiting = find();
    await settled();
    channel.detach(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    expect((await failureOf(find())).code).toBe("ERR_CONNECTION");
    channel.attach(wire);
    wire.broken = true;
    expect((await failureOf(find())).code).toBe("ERR_CONNECTION");
    wire.broken = false;
    wire.peer("silent.example.org", has(ns.discovery));
    expect(await find()).toBe("silent.example.org");
  });
});

describe("asking for a feature", () => {
  test("is answered by yes or no", async () => {
    const { channel, wire } = scriptedChannel();
    wire.peer("a.example.org", has(ns.discovery));
    expect(await hasFeature(channel, "a.example.org", ns.discovery)).toBe(true);
    expect(await hasFeature(channel, "a.example.org", ns.provisioning)).toBe(false);
  });

  test("is no yes and no no when the answer is an error or nonsense", async () => {
    const { channel, wire } = scriptedChannel();
    wire.peer("a.example.org", () => ({ error: "item-not-found" }));
    expect((await failureOf(hasFeature(channel, "a.example.org", ns.discovery))).code).toBe("ERR_STANZA");
    wire.peer("a.example.org", () => undefined);
    expect((await failureOf(hasFeature(channel, "a.example.org", ns.discovery))).code).toBe("ERR_PROTOCOL");
  });

  test("that is ended by something else than an answer has no result", () => {
    expect(() => whyNot(new Error("gone"), 1)).toThrow("gone");
  });
});
