// A Thing that is disowned and removed (XEP-0347 3.10, 3.13, 3.17), whole, on a scripted stream.
import { afterEach, describe, expect, test } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import { buildClaimed, buildDisowned, buildRemoved, parseRegister } from "../../src/codec/iot-discovery.ts";
import { StorageError } from "../../src/core/errors.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Said, ScriptedWire } from "../support/scripted-wire.ts";
import { owner, registry, thief } from "./life.ts";
import { account, closedStorage, scriptedThing, stopThings } from "./scripted-thing.ts";

afterEach(stopThings);

/** A Thing that is claimed, with the owner as a friend, all done; and what it tells. */
async function claimedThing(options: Partial<ThingOptions> & { private?: boolean; registry?: BareJid } = {}) {
  const storage = await closedStorage();
  const { private: isPrivate = false, ...thingOptions } = options;
  const at = await scriptedThing({ storage, tags: { SN: "1" }, ...thingOptions });
  const { thing, clock, up } = at;
  const heard: string[] = [];
  thing.on("claimText", (text) => heard.push(`claimText ${text === "" ? "none" : "shown"}`));
  thing.on("removed", ({ registry: by, owner: of }) => heard.push(`removed ${by} ${String(of)}`));
  thing.on("disowned", ({ registry: by, owner: of }) => heard.push(`disowned ${by} ${of}`));
  thing.on("claimed", ({ owner: by }) => heard.push(`claimed ${by}`));
  thing.on("unfriended", (jid) => heard.push(`unfriended ${jid}`));
  const texts: string[] = [];
  thing.on("claimText", (text) => texts.push(text));
  const first = thing.claimText;
  const wire = await up();
  await wire.ask(registry, "set", buildClaimed({ jid: owner, public: !isPrivate }));
  await clock.advance(0);
  await at.appears(wire, owner);
  await clock.advance(60_000);
  expect(thing.state.ownership).toMatchObject({ is: "claimed", keyEmptied: true, ownerAsked: true });
  heard.length = 0;
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn++) await clock.advance(0);
  };
  return { ...at, wire, storage, heard, first, texts, settle };
}

/** What the Registry says to `register`. */
const answers = (wire: ScriptedWire, say: () => Said): void =>
  wire.peer(registry, (payload) => (payload.is("register") ? say() : undefined));

/** What the Thing has said to the Registry, but for asking what it is. */
const said = (wire: ScriptedWire): string[] =>
  wire
    .asked(registry)
    .map(({ name }) => name)
    .filter((name) => name !== "query");

const removals = (wire: ScriptedWire): string[] =>
  wire
    .asked(account, "query")
    .flatMap((query) => query.getChildElements())
    .filter((item) => item.attrs["subscription"] === "remove")
    .map((item) => item.attrs["jid"] ?? "");

describe("disowned", () => {
  test("D-3.17-7, D-3.17-8, D-E17: acknowledges with an empty result, then registers anew with all tags and another KEY", async () => {
    const { thing, wire, heard, first, settle } = await claimedThing();
    const before = wire.sent.length;
    const answer = await wire.ask(registry, "set", buildDisowned({}));
    expect([answer.type, answer.payload, answer.write.length]).toEqual(["result", undefined, 1]);
    await settle();
    // The acknowledgement, which has no child, comes before all that follows.
    const names = wire.sent.slice(before).map((stanza) => stanza.getChildElements()[0]?.name ?? stanza.attrs["type"]);
    expect([names[0], names.includes("register")]).toEqual(["result", true]);
    const [registration] = wire.asked(registry, "register").slice(-1);
    const tags = registration && parseRegister(registration).tags;
    expect(tags?.map(({ name }) => name)).toEqual(["SN", "KEY"]);
    expect(thing.claimText).toContain(`;KEY:${String(tags?.at(-1)?.value)}`);
    expect(thing.claimText).not.toBe(first);
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
    expect(thing.state.parting).toEqual([]);
    expect(heard).toEqual(["claimText shown", `disowned ${registry} ${owner}`, `unfriended ${owner}`]);
  });

  test("D-3.17-7: ends the friendship with the owner, in both directions", async () => {
    const { wire, roster, settle } = await claimedThing();
    expect(removals(wire)).toEqual([]);
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    expect(removals(wire)).toEqual([owner]);
    expect(roster.has(owner)).toBe(false);
  });

  test("D-6.5-2: a KEY that stands in the tags, on a sticker, stays", async () => {
    const { thing, wire, first, settle } = await claimedThing({ tags: { SN: "1", KEY: "on a sticker" } });
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    expect([thing.claimText, first]).toEqual(["IoTDisco;SN:1;KEY:on a sticker", "IoTDisco;SN:1;KEY:on a sticker"]);
    expect(String(wire.asked(registry, "register").at(-1))).toContain('value="on a sticker"');
  });

  test("D-E29: by anybody but the Registry is forbidden, and changes nothing", async () => {
    const { thing, wire, heard } = await claimedThing();
    const before = thing.state;
    for (const from of ["stranger@example.org/x", `${owner}/1`, "provisioning.example.org", "example.org", account]) {
      for (const notice of [buildDisowned({}), buildRemoved({})])
        expect(await wire.ask(from, "set", notice)).toMatchObject({ type: "error", condition: "forbidden" });
    }
    expect([thing.state, heard]).toEqual([before, []]);
  });

  test("D-E29: of a node that is not here is item-not-found, and changes nothing", async () => {
    const { thing, wire } = await claimedThing();
    const before = thing.state;
    for (const notice of [buildDisowned({ node: { nodeId: "n" } }), buildRemoved({ node: { nodeId: "n" } })])
      expect(await wire.ask(registry, "set", notice)).toMatchObject({ condition: "item-not-found" });
    expect(thing.state).toBe(before);
  });

  test("D-3.17-11: is not acknowledged if it cannot be kept, and then changes nothing", async () => {
    const { thing, wire, storage, settle, news } = await claimedThing();
    const [before, text] = [thing.state, thing.claimText];
    storage.failing.add("replace");
    news();
    const answer = await wire.ask(registry, "set", buildDisowned({}));
    expect(answer).toMatchObject({ type: "error", condition: "resource-constraint", errorType: "wait" });
    await settle();
    expect([thing.state.ownership, thing.claimText]).toEqual([before.ownership, text]);
    expect(news()).toContain("fault state-not-saved");
    storage.failing.clear();
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
  });

  test("D-3.13-12, D-E4: also by the answer to an update, as after a disowning that was missed", async () => {
    const { thing, up, clock } = await scriptedThing({ tags: { SN: "1" } });
    const text = thing.claimText;
    const wire = await up((one) => {
      one.peer(registry, (payload): Said => {
        if (payload.is("register"))
          return one.asked(registry, "register").length > 1 ? undefined : buildClaimed({ jid: owner, public: true });
        return payload.is("update") ? buildDisowned({}) : undefined;
      });
    });
    await clock.advance(0);
    await clock.advance(0);
    expect(said(wire)).toEqual(["register", "update", "register"]);
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
    expect(thing.claimText).not.toBe("");
    expect(thing.claimText).not.toBe(text);
  });

  test("D-E17: a Registry that still names the owner of before is asked again after 1, 2, 4, 8, 16 s, then believed", async () => {
    const { thing, wire, clock, settle } = await claimedThing();
    answers(wire, () => buildClaimed({ jid: owner, public: true }));
    const asked = (): number => wire.asked(registry, "register").length - 1;
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    expect(asked()).toBe(1);
    for (const [index, seconds] of [1, 2, 4, 8, 16].entries()) {
      await clock.advance(seconds * 1_000 - 1);
      expect([asked(), thing.state.ownership.is]).toEqual([index + 1, "registered"]);
      await clock.advance(1);
      await settle();
      expect(asked()).toBe(index + 2);
    }
    expect(thing.state.ownership).toMatchObject({ is: "claimed", owner });
    expect(thing.claimText).toBe("");
  });

  test("D-E17: it is asked no more once it has taken the registration, nor once somebody has claimed the Thing", async () => {
    for (const how of ["taken", "claimed", "by another"] as const) {
      const { thing, wire, clock, settle } = await claimedThing();
      let said: Said = buildClaimed({ jid: owner, public: true });
      answers(wire, () => said);
      await wire.ask(registry, "set", buildDisowned({}));
      await settle();
      if (how === "taken") said = undefined;
      if (how === "by another") said = buildClaimed({ jid: thief, public: true });
      // A push is always taken: it comes after what was said before it.
      if (how === "claimed") await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
      await clock.advance(100_000);
      await settle();
      const again = how === "claimed" ? 1 : 2;
      expect(wire.asked(registry, "register")).toHaveLength(1 + again);
      expect(thing.state.ownership).toMatchObject(
        how === "taken" ? { is: "registered" } : { is: "claimed", owner: how === "claimed" ? owner : thief },
      );
      expect("disownedBy" in thing.state.ownership).toBe(false);
    }
  });

  test("D-E17: nor is it believed at once on the next stream, where it is asked anew", async () => {
    const { thing, wire, clock, settle, up, down } = await claimedThing();
    answers(wire, () => buildClaimed({ jid: owner, public: true }));
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    await down();
    const next = await up((one) => answers(one, () => buildClaimed({ jid: owner, public: true })));
    await settle();
    expect([next.asked(registry, "register").length, thing.state.ownership.is]).toEqual([1, "registered"]);
    answers(next, () => undefined);
    await clock.advance(1_000);
    await settle();
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
  });

  test("D-E17: told once more, since the Registry has missed the acknowledgement, it is acknowledged, and the new KEY stays", async () => {
    const { thing, wire, clock, settle, first, texts, up, down } = await claimedThing();
    answers(wire, () => buildClaimed({ jid: owner, public: true }));
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    const text = thing.claimText;
    expect(text).not.toBe(first);
    await down();
    const next = await up((one) => answers(one, () => buildClaimed({ jid: owner, public: true })));
    await settle();
    const answer = await next.ask(registry, "set", buildDisowned({}));
    expect([answer.type, answer.payload]).toEqual(["result", undefined]);
    answers(next, () => undefined);
    await clock.advance(60_000);
    await settle();
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
    // Nobody has owned it with that one: somebody may have scanned it meanwhile.
    expect([thing.claimText, new Set(texts).size]).toEqual([text, 2]);
    expect(String(next.asked(registry, "register").at(-1))).toContain(text.split("KEY:")[1]);
  });

  test("the same owner claims it again and is a friend again, although the friendship was to end", async () => {
    const { thing, wire, settle, roster } = await claimedThing();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    wire.peer(account, async (payload) => {
      if (payload.getChild("item")?.attrs["subscription"] === "remove") await held;
      return undefined;
    });
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    expect(thing.state.parting).toEqual([owner]);
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await settle();
    expect(thing.state).toMatchObject({ ownership: { is: "claimed", owner }, parting: [] });
    release();
    await settle();
    expect(roster.has(owner)).toBe(true);
    expect(wire.presences.filter((one) => one === `subscribe ${owner}`)).toHaveLength(2);
  });

  test("what was being tried for the owner of before is tried no more, and what is due is not put off by it", async () => {
    const { thing, up, clock } = await scriptedThing({ tags: { SN: "1" } });
    const wire = await up();
    wire.peer(registry, (payload): Said => (payload.is("update") ? { error: "internal-server-error" } : undefined));
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    // KEY cannot be emptied: tried at growing intervals.
    await clock.advance(300_000);
    const tries = wire.asked(registry, "update").length;
    await wire.ask(registry, "set", buildDisowned({}));
    await clock.advance(600_000);
    expect(wire.asked(registry, "update")).toHaveLength(tries);
    expect(thing.state.ownership.is).toBe("registered");
    wire.peer(registry, () => undefined);
    await wire.ask(registry, "set", buildClaimed({ jid: thief, public: true }));
    await clock.advance(0);
    await clock.advance(0);
    expect(wire.asked(registry, "update")).toHaveLength(tries + 1);
    expect(thing.state.ownership).toMatchObject({ owner: thief, keyEmptied: true });
  });

  test("shows neither KEY in what is told and logged", async () => {
    const lines: string[] = [];
    const write = (text: string, fields?: object): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
    const logger = { debug: write, info: write, warn: write, error: write };
    const { thing, wire, settle, first } = await claimedThing({ logger });
    await wire.ask(registry, "set", buildDisowned({}));
    await settle();
    const keys = [first, thing.claimText].map((text) => text.split("KEY:")[1] ?? "none");
    answers(wire, () => ({ error: "not-acceptable" }));
    for (const key of keys) expect(lines.join("\n")).not.toContain(key);
  });
});

describe("removed", () => {
  test("D-3.10-7, D-3.10-8: is acknowledged with an empty result; owner and trust stay, and the event tells it", async () => {
    const { thing, wire, heard, settle } = await claimedThing();
    const before = thing.state;
    const answer = await wire.ask(registry, "set", buildRemoved({}));
    expect([answer.type, answer.payload]).toEqual(["result", undefined]);
    await settle();
    expect(thing.state).toEqual({ ...before, ownership: { ...before.ownership, listed: false } });
    expect(heard).toEqual([`removed ${registry} ${owner}`]);
    expect(thing.claimText).toBe("");
    // Told again it is nothing new.
    await wire.ask(registry, "set", buildRemoved({}));
    expect(heard).toHaveLength(1);
  });

  test("D-3.6-11: does not register again, on this stream or another, until a reset", async () => {
    const { thing, wire, clock, up, down, settle } = await claimedThing();
    await wire.ask(registry, "set", buildRemoved({}));
    await down();
    const next = await up();
    await clock.advance(600_000);
    expect(said(next)).toEqual([]);
    const done = thing.reset();
    for (let turn = 0; turn < 10; turn++) await settle();
    await done;
    expect(said(next)).toEqual(["unregister", "register"]);
  });

  test("D-3.13-10, D-E19: also by item-not-found to an update; the owner stays", async () => {
    const { thing, up, clock } = await scriptedThing({ tags: { SN: "1" } });
    const heard: unknown[] = [];
    thing.on("removed", (removal) => heard.push(removal));
    const wire = await up();
    wire.peer(registry, (payload): Said => (payload.is("update") ? { error: "item-not-found" } : undefined));
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await clock.advance(0);
    await clock.advance(0);
    expect(thing.state.ownership).toMatchObject({ is: "claimed", owner, listed: false, keyEmptied: true });
    expect(heard).toEqual([{ registry, owner }]);
    await clock.advance(600_000);
    expect(wire.asked(registry, "update")).toHaveLength(1);
  });

  test("is not acknowledged if it cannot be kept", async () => {
    const { thing, wire, storage, settle } = await claimedThing();
    storage.reason = () => new StorageError("the disk is full");
    storage.failing.add("replace");
    const answer = await wire.ask(registry, "set", buildRemoved({}));
    expect(answer).toMatchObject({ type: "error", condition: "resource-constraint" });
    await settle();
    expect(thing.state.ownership).toMatchObject({ listed: true });
  });
});

describe("a claim that names another owner than the one there is", () => {
  test("D-E29: is acknowledged, changes nothing, and is told as a fault", async () => {
    const { thing, wire, heard } = await claimedThing();
    const faults: string[] = [];
    thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
    const before = thing.state;
    const answer = await wire.ask(registry, "set", buildClaimed({ jid: thief, public: true }));
    expect([answer.type, thing.state, heard]).toEqual(["result", before, []]);
    expect(faults).toEqual([
      `owner-change-ignored: ${registry} says that the Thing belongs to ${thief}, but it belongs to ${owner}, and was not disowned: it stays so`,
    ]);
  });

  test("that names the same owner is nothing to tell", async () => {
    const { wire, news } = await claimedThing();
    news();
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    expect(news()).toEqual([]);
  });
});

describe("D-3.9-22, D-3.6-11: once claimed a Thing does not register any more", () => {
  test("also if it was trying to when the claim came", async () => {
    const { thing, up, clock } = await scriptedThing({ tags: { SN: "1" } });
    const wire = await up((one) => answers(one, () => ({ error: "internal-server-error" })));
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    const tries = wire.asked(registry, "register").length;
    await clock.advance(600_000);
    expect(wire.asked(registry, "register")).toHaveLength(tries);
    expect(thing.state.ownership).toMatchObject({ is: "claimed", keyEmptied: true });
  });

  test("nor at a start", async () => {
    const { up, down, clock } = await claimedThing();
    await down();
    const wire = await up();
    await clock.advance(60_000);
    expect(said(wire)).toEqual([]);
  });
});
