// LED and button of a whole Thing, on a scripted stream and a clock that stands still: XEP-0324 3.1.1, 3.1.4, 6.1.
import { afterEach, describe, expect, test } from "vitest";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { buildClaimed } from "../../src/codec/iot-discovery.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildClearCache, buildIsFriendResponse } from "../../src/codec/provisioning.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import { Disk } from "../support/disk.ts";
import { settled, type Said } from "../support/scripted-wire.ts";
import { owner, registry, server } from "./life.ts";
import { account, closedStorage, scriptedThing, stopThings } from "./scripted-thing.ts";

const phone = bareJid("phone@example.net");
const pi = bareJid("server@example.net");
const other = bareJid("other@example.com");

afterEach(stopThings);

const trustOf = (thing: Thing): unknown => thing.state.trust;
const pairedWith = (jid: BareJid, locked = false): unknown => ({
  is: "delegated",
  servers: [{ jid, origin: "paired" }],
  locked,
});

describe("a Thing that trusts nobody yet (figure 1)", () => {
  test("P-3.1.1-5 to P-3.1.1-10: LED, button, disco#info, trust", async () => {
    const { thing, up, asks, press, news, appears, directed } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi);
    expect(thing.pairing).toMatchObject({ jid: pi, ms: 30_000 });
    expect(thing.pairing?.deadline).toEqual(new Date(Date.UTC(2026, 0, 1) + 30_000));
    expect(await press()).toBe(true);
    expect(thing.pairing).toBeUndefined();
    expect(news()).toEqual([`LED on for ${pi}, 30000 ms`, `LED off, accepted: ${pi}`, `friend ${pi}`]);
    expect(directed(wire, pi)).toEqual(["subscribed", "subscribe"]);
    expect(thing.state).toMatchObject({ trust: { is: "none" }, examining: [pi] });
    await appears(wire, pi, ns.provisioning);
    expect([trustOf(thing), thing.state.examining]).toEqual([pairedWith(pi), []]);
    expect(news()).toEqual([`${pi} is a server`]);
  });

  test("P-3.1.1-10: who is no provisioning server is an ordinary friend", async () => {
    const { thing, up, asks, press, news, appears } = await scriptedThing();
    const wire = await up();
    await asks(wire, phone);
    await press();
    await appears(wire, phone, ns.sensorData);
    expect([thing.state.trust.is, thing.state.examining]).toEqual(["none", []]);
    expect(news().at(-1)).toBe(`${phone} is a friend`);
  });

  test("P-3.1.1-7: nobody presses: refused; asked again it rests, and the others have their turn", async () => {
    const { up, asks, press, clock, news, directed } = await scriptedThing();
    const wire = await up();
    await asks(wire, phone, other, phone);
    await clock.advance(29_999);
    expect(directed(wire, phone)).toEqual([]);
    await clock.advance(1);
    expect(directed(wire, phone)).toEqual(["unsubscribed"]);
    await asks(wire, phone);
    await clock.advance(59_999);
    expect(news()).toEqual([
      `LED on for ${phone}, 30000 ms`,
      `LED off, refused: ${phone}`,
      `LED on for ${other}, 30000 ms`,
      `LED off, refused: ${other}`,
    ]);
    expect(await press()).toBe(false); // the minute is over with this second
    expect(await press()).toBe(true);
    expect(news()).toEqual([`LED on for ${phone}, 30000 ms`, `LED off, accepted: ${phone}`, `friend ${phone}`]);
  });

  test("a request that is taken back ends the window, and that of an examined one the question", async () => {
    const { thing, up, asks, press, news, directed } = await scriptedThing();
    const wire = await up();
    await asks(wire, phone);
    wire.presence(phone, "unsubscribe");
    expect(await press()).toBe(false);
    expect(news().at(-1)).toBe(`LED off, withdrawn: ${phone}`);
    expect(directed(wire, phone)).toEqual([]);
    await asks(wire, pi);
    await press();
    wire.presence(pi, "unsubscribe");
    await settled();
    expect(thing.state.examining).toEqual([]);
  });

  test("the end of the stream ends the window; nobody is refused", async () => {
    const { up, down, asks, press, news, directed, clock } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi, phone);
    await down();
    expect(news()).toEqual([`LED on for ${pi}, 30000 ms`, `LED off, disconnected: ${pi}`]);
    expect(await press()).toBe(false);
    const next = await up();
    await clock.advance(60_000);
    expect([directed(wire, pi), directed(next, pi)]).toEqual([[], []]);
    await asks(next, pi); // the server sends it again
    expect(await press()).toBe(true);
  });

  test("X-E1: the owner's request ends its window when the claim is known, and is accepted", async () => {
    const { thing, up, asks, news, directed } = await scriptedThing();
    const wire = await up();
    await asks(wire, owner);
    expect(thing.pairing?.jid).toBe(owner);
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await settled();
    expect(news()).toContain(`LED off, overtaken: ${owner}`);
    expect([thing.pairing, directed(wire, owner)]).toEqual([undefined, ["subscribed", "subscribe"]]);
  });

  test("without the option nothing is lit, and the button does nothing", async () => {
    const { thing, up, asks, press, news, clock, directed } = await scriptedThing({ pairing: undefined as never });
    const wire = await up();
    await asks(wire, phone);
    await clock.advance(600_000);
    expect([await press(), thing.pairing, news(), directed(wire, phone)]).toEqual([false, undefined, [], []]);
  });

  test("a thousand strangers close no window, and the owner gets through", async () => {
    const { thing, up, asks, clock } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi);
    await asks(wire, ...Array.from({ length: 1_000 }, (_, i) => bareJid(`mallory-${i}@example.com`)));
    await clock.advance(2_000);
    expect(thing.pairing?.jid).toBe(pi);
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await asks(wire, owner);
    expect(wire.presences).toContain(`subscribed ${owner}`);
  });
});

describe("a press that is cut short", () => {
  test("P-3.1.1-6: by the power, before or after it was told: it is told, and asked, after the restart", async () => {
    const disk = new Disk();
    const boot = disk.boot();
    const first = await scriptedThing({ storage: boot.storage });
    const wire = await first.up();
    await first.asks(wire, pi);
    await first.press();
    boot.cut();
    await first.thing.stop();

    const again = await scriptedThing({ storage: disk.boot().storage });
    expect(again.thing.state.examining).toEqual([pi]);
    const next = await again.up();
    expect(again.directed(next, pi)).toEqual(["subscribed", "subscribe"]);
    await again.asks(next, pi); // the server had not heard of it
    expect([again.thing.pairing, again.directed(next, pi)]).toEqual([
      undefined,
      ["subscribed", "subscribe", "subscribed"],
    ]);
    await again.appears(next, pi, ns.provisioning);
    expect(trustOf(again.thing)).toEqual(pairedWith(pi));
  });

  test("by a full disk: it is not told, and the LED shows it again after the rest", async () => {
    const storage = await closedStorage();
    const { thing, up, asks, press, news, directed, clock } = await scriptedThing({ storage });
    const wire = await up();
    await asks(wire, pi);
    storage.failing.add("replace");
    expect(await press()).toBe(true);
    expect(news()).toEqual([`LED on for ${pi}, 30000 ms`, "fault state-not-saved", `LED off, failed: ${pi}`]);
    expect([directed(wire, pi), thing.state.examining]).toEqual([[], []]);
    storage.failing.clear();
    await clock.advance(60_000);
    expect(await press()).toBe(true);
    expect(directed(wire, pi)).toEqual(["subscribed", "subscribe"]);
  });

  test("by who does not show up: asked again until it does, also on the next stream", async () => {
    const { thing, up, down, asks, press, news, appears, clock } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi);
    await press();
    await clock.advance(600_000);
    expect([news().at(-1), thing.state.examining]).toEqual(["fault pairing", [pi]]);
    await down();
    const next = await up();
    await appears(next, pi, ns.provisioning);
    expect(trustOf(thing)).toEqual(pairedWith(pi));
  });
});

describe("a Thing that trusts a server (figure 4)", () => {
  const says = (result: boolean, secondaryTrustAllowed: boolean) => (): Said =>
    buildIsFriendResponse({ result, secondaryTrustAllowed });

  async function provisioned(options: Partial<ThingOptions> = {}) {
    const parts = await scriptedThing({ provisioning: [server], ...options });
    const wire = await parts.up();
    return { ...parts, wire };
  }

  test("P-3.1.4-4: yes is accepted, no is refused, no with leave lights the LED", async () => {
    const { thing, wire, asks, directed } = await provisioned();
    wire.peer(server, says(true, true));
    await asks(wire, phone);
    wire.peer(server, says(false, false));
    await asks(wire, other);
    expect([thing.pairing, directed(wire, phone), directed(wire, other)]).toEqual([
      undefined,
      ["subscribed"],
      ["unsubscribed"],
    ]);
    wire.peer(server, says(false, true));
    await asks(wire, pi);
    expect([thing.pairing?.jid, directed(wire, pi)]).toEqual([pi, []]);
  });

  test("P-3.1.4-5, P-5.2-7: the button adds a server beside the first; the rights are asked for anew", async () => {
    const { thing, wire, asks, press, appears, clock } = await provisioned();
    wire.peer(server, says(false, true));
    await asks(wire, pi);
    await press();
    await appears(wire, pi, ns.provisioning);
    expect(trustOf(thing)).toEqual({
      is: "delegated",
      servers: [
        { jid: server, origin: "configured" },
        { jid: pi, origin: "paired" },
      ],
      locked: false,
    });
    await clock.advance(0);
    expect(thing.rights.entries().filter(({ jid }) => jid === pi)).toEqual([]);
  });

  test("P-3.1.4-5: nobody presses: refused; asked again the remembered no still has the leave", async () => {
    const { thing, wire, asks, clock, directed } = await provisioned();
    wire.peer(server, says(false, true));
    await asks(wire, pi);
    await clock.advance(30_000);
    expect(directed(wire, pi)).toEqual(["unsubscribed"]);
    const asked = wire.asked(server, "isFriend").length;
    await asks(wire, pi);
    await clock.advance(60_000);
    expect([thing.pairing?.jid, wire.asked(server, "isFriend").length]).toEqual([pi, asked]);
  });

  test("P-E28: without an answer nothing is lit", async () => {
    const { thing, wire, asks, clock } = await provisioned();
    await asks(wire, pi);
    await clock.advance(60_000);
    expect([thing.pairing, wire.presences.filter((one) => one.endsWith(pi))]).toEqual([undefined, []]);
  });

  test("a window that the server takes back with clearCache is decided anew", async () => {
    const { thing, wire, asks, directed, news } = await provisioned();
    wire.peer(server, says(false, true));
    await asks(wire, pi);
    wire.peer(server, says(false, false));
    await wire.ask(server, "set", buildClearCache());
    for (let turn = 0; turn < 5; turn++) await settled();
    expect([thing.pairing, directed(wire, pi)]).toEqual([undefined, ["unsubscribed"]]);
    expect(news()).toContain(`LED off, overtaken: ${pi}`);
  });

  test("P-6.1-2: locked trust lights nothing, also when the option is taken out later", async () => {
    const disk = new Disk();
    const { thing, wire, asks, directed } = await provisioned({
      pairing: { locked: true },
      storage: disk.boot().storage,
    });
    wire.peer(server, says(false, true));
    expect(trustOf(thing)).toMatchObject({ locked: true });
    await asks(wire, pi);
    expect([thing.pairing, directed(wire, pi)]).toEqual([undefined, ["unsubscribed"]]);
    await thing.stop();

    const later = await scriptedThing({ storage: disk.boot().storage });
    expect(trustOf(later.thing)).toMatchObject({ locked: true, servers: [{ jid: server }] });
    await later.thing.reset();
    expect(trustOf(later.thing)).toEqual({ is: "none" });
  });
});

describe("pressing for a locked Thing", () => {
  test("P-6.1-2: the first server is trusted, and locks the door", async () => {
    const { thing, up, asks, press, appears } = await scriptedThing({ pairing: { locked: true, window: 2_000 } });
    const wire = await up();
    await asks(wire, pi);
    expect(thing.pairing?.ms).toBe(2_000);
    await press();
    await appears(wire, pi, ns.provisioning);
    expect(trustOf(thing)).toEqual(pairedWith(pi, true));
  });
});

describe("a press while it is found out anew who decides", () => {
  const says = (result: boolean, secondaryTrustAllowed: boolean): Said =>
    buildIsFriendResponse({ result, secondaryTrustAllowed });

  /** The LED is lit for one, another one waits, and the server takes its time to say again what it thinks. */
  async function pressed() {
    const parts = await scriptedThing({ provisioning: [server] });
    const wire = await parts.up();
    wire.peer(server, () => says(false, true));
    await parts.asks(wire, pi, other);
    let answer: (said: Said) => void = () => undefined;
    wire.peer(server, (payload) => {
      return payload.attrs["jid"] === pi ? new Promise<Said>((resolve) => (answer = resolve)) : says(false, true);
    });
    await wire.ask(server, "set", buildClearCache());
    for (let turn = 0; turn < 5; turn++) await settled();
    expect(await parts.press()).toBe(true);
    const answers = async (said: Said): Promise<void> => {
      answer(said);
      for (let turn = 0; turn < 5; turn++) await settled();
    };
    return { ...parts, wire, answers };
  }

  test("counts when the button still decides", async () => {
    const { thing, clock, wire, answers, directed, news } = await pressed();
    await answers(says(false, true));
    expect(directed(wire, pi)).toEqual(["subscribed", "subscribe"]);
    expect(news()).toContain(`LED off, accepted: ${pi}`);
    await clock.advance(3_000);
    expect(thing.pairing?.jid).toBe(other);
  });

  test.each([
    ["yes", true, "subscribed"],
    ["no", false, "unsubscribed"],
  ])("is overtaken by a %s of the server's, and the next one has its turn", async (_, result, answer) => {
    const { thing, clock, wire, answers, directed, news } = await pressed();
    await answers(says(result, false));
    expect(directed(wire, pi)).toEqual([answer]);
    expect(news()).toContain(`LED off, overtaken: ${pi}`);
    await clock.advance(3_000);
    expect([thing.state.examining, thing.pairing?.jid]).toEqual([[], other]);
  });

  test("is cut short by the end of the stream; afterwards the others have their turn", async () => {
    const { thing, clock, up, down, asks, directed, wire, news } = await pressed();
    await down();
    expect(news()).toContain(`LED off, disconnected: ${pi}`);
    const next = await up();
    next.peer(server, () => says(false, true));
    await asks(next, other);
    await clock.advance(3_000); // what is remembered waits for the greeting, which is sooner than the LED
    expect([directed(wire, pi), thing.pairing?.jid]).toEqual([[], other]);
  });

  test("is cut short by a factory reset", async () => {
    const { thing, news } = await pressed();
    await thing.reset({ timeout: 0 });
    expect([news().includes(`LED off, overtaken: ${pi}`), thing.state.examining]).toEqual([true, []]);
  });
});

describe("a press at the moment", () => {
  test("when the stream ends: nobody is accepted, and the LED shows it again", async () => {
    const { thing, clock, up, down, asks, news, directed } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi);
    await clock.advance(1_000);
    expect(thing.pressButton()).toBe(true);
    await down();
    expect([news().at(-1), directed(wire, pi)]).toEqual([`LED off, disconnected: ${pi}`, []]);
    const next = await up();
    await asks(next, pi);
    await clock.advance(60_000);
    expect(thing.pairing?.jid).toBe(pi);
  });

  test("when the request is taken back: nobody is accepted, and the next one has its turn", async () => {
    const { thing, clock, up, asks, news, directed } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi, other);
    await clock.advance(1_000);
    expect(thing.pressButton()).toBe(true);
    wire.presence(pi, "unsubscribe");
    await clock.advance(0);
    expect(news()).toContain(`LED off, withdrawn: ${pi}`);
    await clock.advance(3_000);
    expect([thing.state.examining, directed(wire, pi), thing.pairing?.jid]).toEqual([[], [], other]);
  });
});

describe("a press that comes too late (XEP-0324 6.1)", () => {
  test("P-6.1-3: for one does not accept the next, who has waited for just that", async () => {
    const { thing, clock, up, asks, news, directed, press } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi, other);
    await clock.advance(30_000);
    expect([thing.pairing, thing.pressButton()]).toEqual([undefined, false]);
    expect(await press()).toBe(false); // 1 s later: beyond the deaf second of a window that opened at once
    await clock.advance(1_999);
    expect([thing.pairing, thing.pressButton()]).toEqual([undefined, false]);
    expect(news()).toEqual([`LED on for ${pi}, 30000 ms`, `LED off, refused: ${pi}`]);
    await clock.advance(1);
    expect(thing.pairing).toMatchObject({ jid: other, ms: 30_000 });
    expect(directed(wire, other)).toEqual([]);
    expect(await press()).toBe(true);
  });

  test("a factory reset while the LED is dark keeps it dark, and then those who wait have their turn", async () => {
    const { thing, clock, up, asks } = await scriptedThing();
    const wire = await up();
    await asks(wire, pi, other);
    await clock.advance(31_000);
    void thing.reset();
    await clock.advance(1_999);
    expect(thing.pairing).toBeUndefined();
    await clock.advance(1);
    expect(thing.pairing?.jid).toBe(other);
  });
});

describe("the options", () => {
  test.each([
    [{ window: 1_999 }, "pairing.window: must be from 2000 to 300000 milliseconds"],
    [{ window: 300_001 }, "pairing.window"],
    [{ window: NaN }, "pairing.window"],
    [{ window: "30000" }, "pairing.window"],
    [{ locked: 1 }, "pairing.locked: must be true or false"],
    [{ lock: true }, 'pairing: there is no option "lock"'],
    [null, "pairing: must be an object; {} is enough"],
    [true, "pairing: must be an object"],
  ])("%j is refused by name", async (pairing, message) => {
    await expect(scriptedThing({ pairing: pairing as never })).rejects.toThrow(message);
  });
});

describe("a factory reset of a Thing that runs", () => {
  const claimedThing = async (storage: Storage) => {
    const parts = await scriptedThing({ storage });
    const wire = await parts.up();
    const shown = parts.thing.claimText;
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await parts.appears(wire, owner);
    await parts.clock.advance(0);
    return { ...parts, wire, shown };
  };

  test("X-E4, D-3.16-1: owner, trust, friends and KEY go; the account stays; it registers anew", async () => {
    const { thing, wire, clock, roster, asks, press } = await claimedThing(await closedStorage());
    await asks(wire, pi);
    await press();
    expect(thing.state).toMatchObject({ ownership: { is: "claimed" }, examining: [pi] });
    const before = wire.asked(registry).length;
    const resetting = thing.reset();
    await clock.advance(0);
    await clock.advance(0);
    await resetting;
    await clock.advance(0);
    expect(thing.state).toMatchObject({
      ownership: { is: "registered" },
      trust: { is: "none" },
      examining: [],
      parting: [],
    });
    expect(
      wire
        .asked(registry)
        .slice(before)
        .map(({ name }) => name),
    ).toEqual(["unregister", "register"]);
    expect([...roster.keys()]).toEqual([]);
    expect([thing.claimText.startsWith("IoTDisco;KEY:"), thing.jid]).toEqual([true, `${account}/home`]);
  });

  test("is durable before anything is told, and offline is finished on the next stream, after a power cut too", async () => {
    const disk = new Disk();
    const boot = disk.boot();
    const first = await claimedThing(boot.storage);
    await first.down();
    await first.thing.reset();
    const { claimText } = first.thing;
    // Who has photographed the old one cannot claim the Thing with it.
    expect(claimText).toMatch(/^IoTDisco;KEY:[\w-]{27}$/);
    expect(claimText).not.toBe(first.shown);
    expect(first.thing.state.ownership).toEqual({ is: "unregistered", leaving: { friends: true, registry } });
    boot.cut();
    await first.thing.stop();

    const again = await scriptedThing({ storage: disk.boot().storage });
    expect(again.thing.claimText).toBe(claimText);
    again.roster.set(owner, { jid: owner, subscription: "both", pendingOut: false, name: "", groups: [] });
    const wire = await again.up();
    await again.clock.advance(0);
    expect(wire.asked(registry).map(({ name }) => name)).toEqual(["unregister", "register"]);
    expect([again.thing.state.ownership, again.roster.size]).toEqual([{ is: "registered", registry }, 0]);
  });

  test("does not wait for a Registry longer than it is told, nor believe in the owner of before", async () => {
    const { thing, wire, clock } = await claimedThing(await closedStorage());
    wire.peer(registry, () => "silent");
    let done = false;
    const resetting = thing.reset({ timeout: 3_000 }).then(() => (done = true));
    await clock.advance(2_999);
    expect(done).toBe(false);
    await clock.advance(1);
    await resetting;
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    expect(thing.state.ownership).toEqual({ is: "unregistered", leaving: { friends: false, registry } });
    wire.peer(registry, () => undefined);
    await clock.advance(60_000);
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
  });

  test("has not happened when the disk does not take it", async () => {
    const storage = await closedStorage();
    const { thing } = await claimedThing(storage);
    storage.failing.add("replace");
    await expect(thing.reset()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(thing.state.ownership.is).toBe("claimed");
    storage.failing.clear();
  });

  test("forgets who is to rest, and ends what the LED shows", async () => {
    const { thing, up, asks, clock, news } = await scriptedThing();
    const wire = await up();
    await asks(wire, phone);
    await clock.advance(30_000);
    await asks(wire, phone, pi);
    await clock.advance(3_000);
    expect(thing.pairing?.jid).toBe(pi);
    news();
    void thing.reset();
    await clock.advance(0);
    await clock.advance(3_000);
    expect(news().slice(0, 2)).toEqual([`LED off, overtaken: ${pi}`, `LED on for ${phone}, 30000 ms`]);
  });

  test("is for a Thing that runs, and can be given up waiting for", async () => {
    const { thing, up } = await scriptedThing();
    const wire = await up();
    wire.peer(registry, () => "silent");
    const enough = new AbortController();
    const resetting = thing.reset({ signal: enough.signal });
    await settled();
    enough.abort(new Error("enough"));
    await expect(resetting).rejects.toThrow("enough");
    await thing.stop();
    await expect(thing.reset()).rejects.toMatchObject({ code: "ERR_STATE" });
    const early = new Thing({ storage: await closedStorage(), server: { service: "xmpp://example.org" } });
    await expect(early.reset()).rejects.toMatchObject({ code: "ERR_STATE" });
    expect([early.pressButton(), early.pairing]).toEqual([false, undefined]);
  });
});
