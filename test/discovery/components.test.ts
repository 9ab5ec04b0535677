import { describe, expect, test } from "vitest";
import { isSdkError } from "../../src/core/errors.ts";
import { buildInfo, buildItems } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el } from "../../src/codec/xml.ts";
import { findComponents, hasFeature } from "../../src/discovery/components.ts";
import { scriptedChannel, settled, type Peer, type ScriptedWire } from "../support/scripted-wire.ts";

const domain = "example.org";
const info = (...features: string[]): ReturnType<typeof buildInfo> => buildInfo({ identities: [], features });
const has =
  (...features: string[]): Peer =>
  () =>
    info(...features);

function lists(wire: ScriptedWire, ...jids: string[]): void {
  wire.peer(domain, (payload) =>
    payload.is("query", ns.discoItems) ? buildItems(jids.map((jid) => ({ jid }))) : { error: "service-unavailable" },
  );
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
  test("D-3.5, P-3.1.2: asks the own server what it has, then each what it can do", async () => {
    const { channel, wire } = scriptedChannel();
    lists(wire, "discovery.example.org", "conference.example.org");
    wire.peer("discovery.example.org", has(ns.discoInfo, ns.discovery));
    wire.peer("conference.example.org", has("http://jabber.org/protocol/muc"));
    expect(await findComponents(channel, ns.discovery)).toEqual(["discovery.example.org"]);
    expect(wire.asked(domain).map(String)).toEqual([`<query xmlns="${ns.discoItems}"/>`]);
    expect(wire.asked("discovery.example.org").map(String)).toEqual([`<query xmlns="${ns.discoInfo}"/>`]);
  });

  test("gives them in the server's order, whoever answers first", async () => {
    const { channel, wire, clock } = scriptedChannel();
    lists(wire, "b.example.org", "a.example.org");
    wire.peer("b.example.org", () => new Promise((resolve) => clock.schedule(100, () => resolve(info(ns.discovery)))));
    wire.peer("a.example.org", has(ns.discovery));
    const finding = findComponents(channel, ns.discovery);
    await clock.advance(100);
    expect(await finding).toEqual(["b.example.org", "a.example.org"]);
  });

  test("is not held up by those that answer with an error, with nonsense, or not at all", async () => {
    const { channel, wire, clock } = scriptedChannel();
    lists(wire, "error.example.org", "nonsense.example.org", "silent.example.org", "discovery.example.org");
    wire.peer("error.example.org", () => ({ error: "remote-server-timeout" }));
    wire.peer("nonsense.example.org", () => el("query", { xmlns: ns.discoItems }));
    wire.peer("discovery.example.org", has(ns.discovery));
    const finding = findComponents(channel, ns.discovery);
    await clock.advance(5_000);
    expect(await finding).toEqual(["discovery.example.org"]);
    expect(clock.pending).toBe(0);
  });

  test("takes the very feature only", async () => {
    const { channel, wire } = scriptedChannel();
    lists(wire, "a.example.org", "b.example.org", "c.example.org");
    wire.peer("a.example.org", has(`${ns.discovery}#more`));
    wire.peer("b.example.org", has(ns.discovery.toUpperCase()));
    wire.peer("c.example.org", has(ns.provisioning));
    expect((await failureOf(findComponents(channel, ns.discovery))).code).toBe("ERR_DISCOVERY");
  });

  test("X-E5: passes over accounts, rooms and addresses that are none, and asks each component once", async () => {
    const { channel, wire } = scriptedChannel();
    lists(wire, "registry@example.org", "room@conference.example.org/nick", "@", "a.example.org", "A.example.org");
    wire.peer("registry@example.org", has(ns.discovery));
    wire.peer("a.example.org", has(ns.discovery));
    expect(await findComponents(channel, ns.discovery)).toEqual(["a.example.org"]);
    expect(wire.sent).toHaveLength(2);
  });

  test("asks five at a time, fifty at most", async () => {
    const { channel, wire, clock } = scriptedChannel();
    const jids = Array.from({ length: 60 }, (_, i) => `c${i}.example.org`);
    lists(wire, ...jids);
    let asked = 0;
    for (const jid of jids) wire.peer(jid, () => (asked++, "silent"));
    const finding = failureOf(findComponents(channel, ns.discovery));
    await settled();
    expect(asked).toBe(5);
    await clock.advance(5_000);
    expect(asked).toBe(10);
    await clock.advance(45_000);
    expect((await finding).code).toBe("ERR_DISCOVERY");
    expect(asked).toBe(50);
  });

  test("fails with a list of who was asked and what they said", async () => {
    const { channel, wire, clock } = scriptedChannel();
    lists(wire, "a.example.org", "b.example.org", "c.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    wire.peer("b.example.org", () => ({ error: "service-unavailable" }));
    const finding = failureOf(findComponents(channel, ns.provisioning));
    await clock.advance(5_000);
    const { code, message } = await finding;
    expect(code).toBe("ERR_DISCOVERY");
    expect(message).toContain(ns.provisioning);
    expect(message).toContain("a.example.org: does not have it");
    expect(message).toContain("b.example.org: b.example.org answered service-unavailable");
    expect(message).toMatch(/c\.example\.org: .*no answer within 5000 ms/);
  });

  test("fails in words of its own when the server lists nothing", async () => {
    const { channel, wire } = scriptedChannel();
    lists(wire);
    expect(await failureOf(findComponents(channel, ns.discovery))).toMatchObject({
      code: "ERR_DISCOVERY",
      message: expect.stringContaining("it lists none") as string,
    });
  });

  test("fails when the server does not tell", async () => {
    const { channel, wire, clock } = scriptedChannel();
    wire.peer(domain, () => ({ error: "service-unavailable" }));
    expect((await failureOf(findComponents(channel, ns.discovery))).code).toBe("ERR_STANZA");
    wire.peer(domain, () => undefined);
    expect((await failureOf(findComponents(channel, ns.discovery))).code).toBe("ERR_PROTOCOL");
    wire.peer(domain, () => "silent");
    const waiting = failureOf(findComponents(channel, ns.discovery));
    await clock.advance(5_000);
    expect((await waiting).code).toBe("ERR_TIMEOUT");
    channel.detach(new Error("gone"));
    expect((await failureOf(findComponents(channel, ns.discovery))).code).toBe("ERR_CONNECTION");
  });

  test("ends when it is not wanted any more, whatever was found", async () => {
    const { channel, wire, clock } = scriptedChannel();
    lists(wire, "a.example.org", "b.example.org");
    wire.peer("a.example.org", has(ns.discovery));
    const leaving = new AbortController();
    const finding = findComponents(channel, ns.discovery, leaving.signal);
    await settled();
    leaving.abort(new Error("enough"));
    await expect(finding).rejects.toThrow("enough");
    expect(clock.pending).toBe(0);
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
});
