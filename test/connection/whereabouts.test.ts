import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DiscoveryError, TimeoutError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { buildCaps, capsOf, isProved, type Caps } from "../../src/codec/caps.ts";
import { buildInfo, type DiscoInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildRoster, type RosterItem, type Subscription } from "../../src/codec/roster.ts";
import { presence } from "../../src/codec/stanza.ts";
import { el } from "../../src/codec/xml.ts";
import { Friends } from "../../src/connection/friends.ts";
import { FriendWhereabouts } from "../../src/connection/whereabouts.ts";
import { scriptedChannel, settled, type Peer, type Said } from "../support/scripted-wire.ts";

const server = bareJid("server@example.org");
const component = bareJid("provisioning.example.org");

const item = (subscription: Subscription): RosterItem => ({
  jid: server,
  subscription,
  pendingOut: false,
  name: "",
  groups: [],
});

const offers =
  (...features: string[]): Peer =>
  (payload) =>
    payload.is("query", ns.discoInfo) ? buildInfo({ identities: [], features }) : { error: "service-unavailable" };

const offersAll =
  (can: DiscoInfo): Peer =>
  () =>
    buildInfo(can);

async function site(subscription: Subscription | undefined = "both") {
  const parts = scriptedChannel();
  const { channel, wire, clock } = parts;
  const friends = new Friends(channel);
  const items = subscription === undefined ? [] : [item(subscription)];
  wire.peer("thing@example.org", (payload) => (payload.is("query", ns.roster) ? buildRoster(items) : undefined));
  await friends.load();
  const whereabouts = new FriendWhereabouts({ channel, friends, clock });
  const comes = async (resource: string, priority?: number | string): Promise<void> => {
    const stanza = el(
      "presence",
      { xmlns: ns.client, from: `${server}/${resource}`, to: "thing@example.org" },
      priority === undefined ? undefined : el("priority", {}, String(priority)),
    );
    wire.receive(stanza);
    await settled();
  };
  const goes = async (resource: string): Promise<void> => {
    wire.receive(presence({ type: "unavailable", from: `${server}/${resource}`, to: "thing@example.org" }));
    await settled();
  };
  const find = (timeout?: number): Promise<string> =>
    whereabouts.addressOf(server, ns.provisioning, timeout === undefined ? {} : { timeout });
  return { ...parts, friends, whereabouts, comes, goes, find };
}

describe("where a service is reached", () => {
  test("P-5.1-1, P-5.1-2, P-3.1.2-5, D-5.1-2, X-E3: a component at its own address; it is neither asked for friendship nor for what it can do", async () => {
    const { whereabouts, wire } = await site();
    const before = wire.sent.length;
    expect(await whereabouts.addressOf(component, ns.provisioning)).toBe(component);
    expect(wire.sent).toHaveLength(before);
  });

  test("P-5.1-1, P-E27: an account at the connection of highest priority that has the feature", async () => {
    const { comes, find, wire } = await site();
    wire.peer(`${server}/phone`, offers(ns.ping));
    wire.peer(`${server}/low`, offers(ns.provisioning));
    wire.peer(`${server}/high`, offers(ns.provisioning));
    await comes("low");
    await comes("phone", 100);
    await comes("high", 5);
    expect(await find()).toBe(`${server}/high`);
    expect(wire.asked(`${server}/low`)).toEqual([]);
  });

  test.each([["300"], ["high"], ["-200"], [""]])("takes %j for no priority", async (nonsense) => {
    const { comes, find, wire } = await site();
    wire.peer(`${server}/a`, offers(ns.provisioning));
    wire.peer(`${server}/b`, offers(ns.provisioning));
    await comes("a", 1);
    await comes("b", nonsense);
    expect(await find()).toBe(`${server}/a`);
  });

  test("P-5.1-3, P-E8: waits for its presence, and asks for friendship where there is none", async () => {
    const { comes, find, wire, friends } = await site("from");
    wire.peer(`${server}/s`, offers(ns.provisioning));
    const found = find();
    await settled();
    expect(wire.presences).toEqual([`subscribe ${server}`]);
    // Presence from somebody whose presence one may not see says nothing.
    await comes("s");
    expect(wire.asked(`${server}/s`)).toEqual([]);
    wire.receive(
      el(
        "iq",
        { xmlns: ns.client, type: "set", id: "push", to: "thing@example.org/home" },
        buildRoster([item("both")]),
      ),
    );
    await settled();
    expect(friends.has(server)?.to).toBe(true);
    await comes("s");
    expect(await found).toBe(`${server}/s`);
  });

  test("does not ask for friendship that there is", async () => {
    const { comes, find, wire } = await site();
    wire.peer(`${server}/s`, offers(ns.provisioning));
    await comes("s");
    await find();
    expect(wire.presences).toEqual([]);
  });

  test("P-E27: is dropped when it goes offline, and found anew", async () => {
    const { comes, goes, find, wire } = await site();
    wire.peer(`${server}/one`, offers(ns.provisioning));
    wire.peer(`${server}/two`, offers(ns.provisioning));
    await comes("one");
    expect(await find()).toBe(`${server}/one`);
    await goes("one");
    const found = find();
    await comes("two");
    expect(await found).toBe(`${server}/two`);
  });

  test("asks what a connection can do once, however many want to know", async () => {
    const { comes, find, wire } = await site();
    wire.peer(`${server}/s`, offers(ns.provisioning));
    const early = [find(), find(), find()];
    await comes("s");
    expect(await Promise.all(early)).toEqual(Array(3).fill(`${server}/s`));
    expect(await find()).toBe(`${server}/s`);
    expect(wire.asked(`${server}/s`)).toHaveLength(1);
  });

  test("P-E27: who comes with a higher priority while somebody else is asked is used by the next one", async () => {
    const { comes, find, wire } = await site();
    let answer: (said: Said) => void = () => undefined;
    wire.peer(`${server}/low`, () => new Promise<Said>((resolve) => (answer = resolve)));
    wire.peer(`${server}/high`, offers(ns.provisioning));
    await comes("low");
    const first = find();
    await settled();
    await comes("high", 5);
    answer(buildInfo({ identities: [], features: [ns.provisioning] }));
    expect(await first).toBe(`${server}/low`);
    wire.peer(`${server}/low`, offers(ns.provisioning));
    expect(await find()).toBe(`${server}/high`);
  });

  test("who comes later with a higher priority is asked, and then used", async () => {
    const { comes, find, wire } = await site();
    wire.peer(`${server}/s`, offers(ns.provisioning));
    wire.peer(`${server}/new`, offers(ns.provisioning));
    await comes("s");
    await find();
    await comes("new", 1);
    expect(await find()).toBe(`${server}/new`);
  });

  describe("by XEP-0115", () => {
    const can = (...features: string[]) => ({ identities: [{ category: "client", type: "bot" }], features });
    const print = (...features: string[]): Caps => capsOf(can(...features), "urn:program");
    async function fingerprints() {
      const at = await site();
      const shows = async (resource: string, caps: Caps, priority = 0): Promise<void> => {
        const from = `${server}/${resource}`;
        const inside = [el("priority", {}, String(priority)), buildCaps(caps)];
        at.wire.receive(el("presence", { xmlns: ns.client, from, to: "thing@example.org" }, ...inside));
        await settled();
      };
      const asked = (resource: string): number => at.wire.asked(`${server}/${resource}`).length;
      return { ...at, shows, asked };
    }

    test("P-4-2: asks nobody whose presence shows a fingerprint that was proved before, be it a yes or a no", async () => {
      const { shows, goes, find, wire, asked } = await fingerprints();
      for (const resource of ["one", "two"]) wire.peer(`${server}/${resource}`, offersAll(can(ns.provisioning)));
      await shows("one", print(ns.provisioning));
      expect(await find()).toBe(`${server}/one`);
      await goes("one");
      await shows("two", print(ns.provisioning));
      expect(await find()).toBe(`${server}/two`);
      wire.peer(`${server}/plain`, offersAll(can(ns.ping)));
      await shows("plain", print(ns.ping), 9);
      expect(await find()).toBe(`${server}/two`);
      await shows("plain2", print(ns.ping), 10);
      expect(await find()).toBe(`${server}/two`);
      expect(["one", "two", "plain", "plain2"].map(asked)).toEqual([1, 0, 1, 0]);
    });

    test("P-4-3: asks, and believes the answer of this one only, where the fingerprint does not prove it", async () => {
      const { shows, find, wire, asked } = await fingerprints();
      // It shows the fingerprint of a server, and is none.
      wire.peer(`${server}/liar`, offersAll(can(ns.ping)));
      wire.peer(`${server}/true`, offersAll(can(ns.provisioning)));
      await shows("liar", print(ns.provisioning), 9);
      await shows("true", print(ns.provisioning));
      expect(await find()).toBe(`${server}/true`);
      expect([asked("liar"), asked("true")]).toEqual([1, 1]);
    });

    test("asks who has forms, each time: where they begin is not in what is hashed", async () => {
      const { shows, goes, find, wire, asked } = await fingerprints();
      const type = el("field", { var: "FORM_TYPE", type: "hidden" }, el("value", {}, "urn:form"));
      const query = buildInfo(can(ns.provisioning));
      const withForm = el(
        "query",
        { xmlns: ns.discoInfo },
        ...query.getChildElements(),
        el("x", { xmlns: ns.form, type: "result" }, type),
      );
      const ver = createHash("sha1").update(`client/bot//<${ns.provisioning}<urn:form<`).digest("base64");
      const caps = { hash: "sha-1", node: "urn:program", ver };
      expect(isProved(withForm, caps)).toBe(true);
      for (const resource of ["one", "two"]) wire.peer(`${server}/${resource}`, () => withForm);
      await shows("one", caps);
      await find();
      await goes("one");
      await shows("two", caps);
      await find();
      expect([asked("one"), asked("two")]).toEqual([1, 1]);
    });

    test("asks who shows another fingerprint than before", async () => {
      const { shows, find, wire, asked } = await fingerprints();
      wire.peer(`${server}/s`, offersAll(can(ns.ping)));
      await shows("s", print(ns.ping));
      await expect(find()).rejects.toThrow(DiscoveryError);
      wire.peer(`${server}/s`, offersAll(can(ns.provisioning)));
      await shows("s", print(ns.provisioning));
      expect(await find()).toBe(`${server}/s`);
      expect(asked("s")).toBe(2);
    });
  });

  test("rejects when the account is there and cannot do it: to be told apart from one that is away", async () => {
    const { comes, find, wire } = await site();
    wire.peer(`${server}/s`, offers(ns.ping));
    await comes("s");
    await expect(find()).rejects.toThrow(DiscoveryError);
    const { clock, find: findNobody } = await site();
    const rejected = expect(findNobody(1_000)).rejects.toThrow(TimeoutError);
    await clock.advance(1_000);
    await rejected;
  });

  test("does not take silence or an error for a no: another connection may come", async () => {
    const { comes, find, wire, clock } = await site();
    wire.peer(`${server}/mute`, () => "silent");
    wire.peer(`${server}/broken`, () => ({ error: "service-unavailable" }));
    wire.peer(`${server}/s`, offers(ns.provisioning));
    await comes("mute");
    await comes("broken");
    const found = find();
    await clock.advance(6_000);
    await comes("s");
    await clock.advance(6_000);
    expect(await found).toBe(`${server}/s`);
  });

  test("who gives up does not spoil it for others; in the end nothing is left waiting", async () => {
    const { comes, find, wire, clock, whereabouts } = await site();
    wire.peer(`${server}/s`, offers(ns.provisioning));
    const impatient = new AbortController();
    const first = whereabouts.addressOf(server, ns.provisioning, { signal: impatient.signal });
    const second = find();
    impatient.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    await comes("s");
    expect(await second).toBe(`${server}/s`);
    expect(clock.pending).toBe(0);
  });

  test("without a stream nobody can be found", async () => {
    const { channel, find } = await site();
    channel.detach(new Error("gone"));
    await expect(find()).rejects.toMatchObject({ code: "ERR_CONNECTION" });
  });
});
