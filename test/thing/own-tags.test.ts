// What the Registry says of a Thing once it is claimed: XEP-0347 3.13, 6.4, and what is kept of it.
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { buildClaimed, buildRemoved, parseRegister, parseUpdate } from "../../src/codec/iot-discovery.ts";
import { numberTag, type Tag, type Tags } from "../../src/codec/tags.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { OwnTags, parseSavedTags, tagsDocument } from "../../src/thing/own-tags.ts";
import { tagDifferences, toOwnChanges, type HeldTags } from "../../src/thing/tags.ts";
import type { FailingStorage } from "../support/failing-storage.ts";
import type { Said, ScriptedWire } from "../support/scripted-wire.ts";
import { owner, registry } from "./life.ts";
import { account, closedStorage, scriptedThing, stopThings } from "./scripted-thing.ts";

afterEach(stopThings);

const str = (name: string, value: string): Tag => ({ name, type: "str", value });
const tags: Tags = { SN: "4711", MAN: "www.example.org", V: 1 };

/** The tags in every update that the Registry got, KEY aside. */
const updates = (wire: ScriptedWire): string[][] =>
  wire
    .asked(registry, "update")
    .map((update) => parseUpdate(update).tags.map(({ name, value }) => `${name}=${value}`))
    .filter((update) => String(update) !== "KEY=");

const claim = async (wire: ScriptedWire, isPublic = true): Promise<void> => {
  await wire.ask(registry, "set", buildClaimed({ jid: owner, public: isPublic }));
};

async function site(options: Partial<ThingOptions> = {}, storage?: FailingStorage) {
  const kept = storage ?? (await closedStorage());
  const at = await scriptedThing({ tags, ...options, storage: kept });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn++) await at.clock.advance(0);
  };
  return { ...at, storage: kept, settle };
}

describe("D-3.13-1: tags that are updated", () => {
  test("D-3.6-4, D-3.6-5: before the claim are kept back: the claim text, which may be printed, stays true", async () => {
    const { thing, up, settle } = await site();
    const text = thing.claimText;
    const wire = await up();
    await thing.updateTags({ ROOM: "Kitchen", SN: "47" });
    await settle();
    expect([updates(wire), thing.claimText]).toEqual([[], text]);
    const [registration] = wire.asked(registry, "register");
    expect(registration && parseRegister(registration).tags.map(({ name }) => name)).toEqual(["SN", "MAN", "V", "KEY"]);
    await claim(wire);
    await settle();
    // D-3.13-4: only what differs.
    expect(updates(wire)).toEqual([["SN=47", "ROOM=Kitchen"]]);
  });

  test("D-3.13-1, D-3.13-5: go out at once of one that is claimed, only what differs, and the promise waits for the Registry", async () => {
    const { thing, up, settle, clock } = await site();
    const wire = await up();
    await claim(wire);
    await settle();
    await thing.updateTags({ ROOM: "Kitchen", sn: "4711", v: 2 });
    expect(updates(wire)).toEqual([["V=2", "ROOM=Kitchen"]]);
    await thing.updateTags({ Room: "Kitchen" });
    expect(updates(wire)).toHaveLength(1);
    await thing.updateTags({ ROOM: "", MAN: "", V: "" });
    expect(updates(wire).slice(1)).toEqual([["MAN=", "V=", "ROOM="]]);
    let answer: (said: Said) => void = () => undefined;
    wire.peer(registry, () => new Promise<Said>((resolve) => (answer = resolve)));
    let isDone = false;
    const updating = thing.updateTags({ ROOM: "Hall" }).then(() => (isDone = true));
    await settle();
    expect(isDone).toBe(false);
    answer(undefined);
    await updating;
    await clock.advance(60_000);
    expect(updates(wire)).toHaveLength(3);
  });

  test("what changes while an update is under way goes out after it, and a timeout takes nothing back", async () => {
    const { thing, up, settle, clock } = await site();
    const wire = await up();
    await claim(wire);
    await settle();
    const answers: ((said: Said) => void)[] = [];
    wire.peer(registry, () => new Promise<Said>((resolve) => answers.push(resolve)));
    const first = thing.updateTags({ ROOM: "Hall" });
    await settle();
    const late = expect(thing.updateTags({ ROOM: "Attic" }, { timeout: 1_000 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
    });
    await settle();
    await clock.advance(1_000);
    await late;
    expect(updates(wire)).toEqual([["ROOM=Hall"]]);
    answers[0]?.(undefined);
    await settle();
    expect(updates(wire)).toEqual([["ROOM=Hall"], ["ROOM=Attic"]]);
    answers[1]?.(undefined);
    await first;
  });

  test("D-3.9-24, D-E19: of a Thing that is private nothing goes out but the emptying of KEY; once public, all of it", async () => {
    const { thing, up, settle } = await site({ tagsAfterClaim: { SN: "" } });
    const wire = await up();
    await claim(wire, false);
    await settle();
    await thing.updateTags({ ROOM: "Kitchen" });
    await settle();
    expect(wire.asked(registry, "update").map((one) => parseUpdate(one).tags)).toEqual([[str("KEY", "")]]);
    await claim(wire, true);
    await settle();
    expect(updates(wire)).toEqual([["SN=", "ROOM=Kitchen"]]);
  });

  test("D-3.10-7: of one that was removed nothing goes out, and the promise does not wait for it", async () => {
    const { thing, up, settle } = await site();
    const wire = await up();
    await claim(wire);
    await settle();
    await wire.ask(registry, "set", buildRemoved({}));
    await thing.updateTags({ ROOM: "Kitchen" });
    await settle();
    expect(updates(wire)).toEqual([]);
  });

  test.each([["D-3.13-10", { error: "item-not-found" }, { is: "claimed", listed: false }]])(
    "%s: a Registry that does not know it ends the wait",
    async (_, said, ownership) => {
      const { thing, up, settle } = await site();
      const wire = await up();
      await claim(wire);
      await settle();
      wire.peer(registry, () => said);
      await thing.updateTags({ ROOM: "Kitchen" });
      expect(thing.state.ownership).toMatchObject(ownership);
    },
  );

  test("that a Registry refuses are told with its condition, and told it again later", async () => {
    const { thing, up, settle, clock, news } = await site();
    const wire = await up();
    await claim(wire);
    await settle();
    news();
    wire.peer(registry, () => ({ error: "not-acceptable" }));
    await expect(thing.updateTags({ ROOM: "Kitchen" })).rejects.toMatchObject({
      code: "ERR_STANZA",
      condition: "not-acceptable",
    });
    await settle();
    expect(news()).toEqual(["fault registry"]);
    wire.peer(registry, () => undefined);
    await clock.advance(60_000);
    expect(updates(wire).length).toBeGreaterThan(1);
    await thing.updateTags({ ROOM: "Kitchen" });
  });

  test("offline are kept, and go out with the next stream", async () => {
    const { thing, up, down, settle } = await site();
    await claim(await up());
    await settle();
    await down();
    await thing.updateTags({ ROOM: "Kitchen" });
    const wire = await up();
    await settle();
    expect(updates(wire)).toEqual([["ROOM=Kitchen"]]);
  });

  test("that are wrong are refused by name before anything is kept or sent", async () => {
    const { thing, up, settle, storage } = await site();
    const wire = await up();
    await claim(wire);
    await settle();
    const before = storage.done.length;
    const wrong: [Tags, string][] = [
      [{ ROOM: "x".repeat(129) }, "updateTags.ROOM: the value is longer than 128 characters"],
      [{ "a:b": "x" }, "updateTags.a:b: a name must not hold"],
      [{ "a b": "" }, "updateTags.a b: a name must not hold"],
      [{ V: "1.2" }, "updateTags.V: is a number by XEP-0347 5.2"],
      [{ SN: 1 }, "updateTags.SN: is a string by XEP-0347 5.2"],
      [{ ROOM: "a", room: "" }, "updateTags.room: is given twice"],
      [{ KEY: "x" }, "updateTags.KEY: is emptied by itself"],
      [{ key: "" }, "updateTags.KEY: is emptied by itself"],
      [[] as unknown as Tags, "updateTags: must be an object"],
      [null as unknown as Tags, "updateTags: must be an object"],
    ];
    for (const [given, message] of wrong) {
      const isObject = typeof given === "object" && (given as unknown) !== null && !Array.isArray(given);
      const refused = expect.objectContaining({
        code: "ERR_CONFIG",
        message: expect.stringContaining(message) as string,
      }) as Error;
      await expect(thing.updateTags(isObject ? { AREA: "good", ...given } : given)).rejects.toThrow(refused);
    }
    expect(storage.done.length).toBe(before);
  });

  test("cannot be updated before the start, nor after the end, nor when the signal has fired", async () => {
    const { thing } = await site();
    const signal = AbortSignal.abort(new Error("no"));
    await expect(thing.updateTags({ ROOM: "x" }, { signal })).rejects.toThrow("no");
    await thing.stop();
    await expect(thing.updateTags({ ROOM: "x" })).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("are not kept if the disk does not take them, and then do not go out", async () => {
    const storage = await closedStorage();
    const { thing, up, settle } = await site({}, storage);
    const wire = await up();
    await claim(wire);
    await settle();
    storage.failing.add("replace");
    await expect(thing.updateTags({ ROOM: "Kitchen" })).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    await thing.updateTags({ AREA: "North" });
    expect(updates(wire)).toEqual([["AREA=North"]]);
  });
});

describe("D-6.4-1, D-6.4-2: tagsAfterClaim", () => {
  test("D-3.13-6: hides and shortens after the claim, and not before", async () => {
    const { thing, up, settle } = await site({ tagsAfterClaim: { SN: "47", MAN: "", v: "" } });
    expect(thing.claimText).toContain("SN:4711;MAN:www.example.org;#V:1;KEY:");
    const wire = await up();
    await settle();
    expect(updates(wire)).toEqual([]);
    await claim(wire);
    await settle();
    expect(updates(wire)).toEqual([["SN=47", "MAN=", "V="]]);
    // What the program sets by hand comes before it.
    await thing.updateTags({ SN: "4711" });
    expect(updates(wire).at(-1)).toEqual(["SN=4711"]);
  });

  test("D-6.5-3: KEY is emptied without being asked", async () => {
    const { up, settle } = await site();
    const wire = await up();
    await claim(wire);
    await settle();
    expect(wire.asked(registry, "update").map((one) => parseUpdate(one).tags)).toEqual([[str("KEY", "")]]);
  });
});

describe("what was missed while offline", () => {
  test("is caught up at the next start, and nothing is done twice", async () => {
    const storage = await closedStorage();
    const first = await site({}, storage);
    const wire = await first.up();
    await claim(wire);
    await first.settle();
    await first.thing.updateTags({ ROOM: "Kitchen" });
    await first.down();
    await first.thing.updateTags({ AREA: "North" });
    await first.thing.stop();
    const written = storage.done.length;
    const second = await site({ tags: { ...tags, V: 1.1 } }, storage);
    const wire2 = await second.up();
    await second.settle();
    expect(updates(wire2)).toEqual([["V=1.1", "AREA=North"]]);
    await second.thing.stop();
    expect(storage.done.length).toBeGreaterThan(written);
    const quiet = storage.done.length;
    const third = await site({ tags: { ...tags, V: 1.1 } }, storage);
    const wire3 = await third.up();
    await third.settle();
    expect(updates(wire3)).toEqual([]);
    await third.thing.stop();
    expect(storage.done.slice(quiet).filter((one) => one.includes("tags"))).toEqual([]);
  });

  test("a power cut in the middle of an update leaves it open what the Registry has: it is told again, whatever is wanted then", async () => {
    const storage = await closedStorage();
    const first = await site({}, storage);
    const wire = await first.up();
    await claim(wire);
    await first.settle();
    wire.peer(registry, () => "silent");
    const updating = first.thing.updateTags({ ROOM: "Kitchen" });
    updating.catch(() => undefined);
    await first.settle();
    expect(updates(wire)).toEqual([["ROOM=Kitchen"]]);
    await first.thing.stop();
    const second = await site({}, storage);
    // Nothing differs from what was acknowledged last, but the Registry may have the other.
    await second.thing.updateTags({ ROOM: "" });
    const wire2 = await second.up();
    await second.settle();
    expect(updates(wire2)).toEqual([["ROOM="]]);
  });

  test("a reset forgets what was wanted and what was told", async () => {
    const storage = await closedStorage();
    const { thing, up, settle } = await site({}, storage);
    const wire = await up();
    await claim(wire);
    await settle();
    await thing.updateTags({ ROOM: "Kitchen" });
    const resetting = thing.reset();
    for (let turn = 0; turn < 5; turn++) await settle();
    await resetting;
    await claim(wire);
    await settle();
    expect(updates(wire)).toEqual([["ROOM=Kitchen"]]);
    await thing.stop();
    await storage.open();
    expect(JSON.stringify((await tagsDocument(storage).load()).value)).not.toContain("Kitchen");
    await storage.close();
  });

  test("what is damaged is told as a fault, and the Registry is told all again", async () => {
    const storage = await closedStorage();
    const first = await site({}, storage);
    const wire = await first.up();
    await claim(wire);
    await first.settle();
    await first.thing.updateTags({ ROOM: "Kitchen" });
    await first.thing.stop();
    await storage.open();
    for (const name of ["tags", "tags.previous"]) await storage.replace(name, new Uint8Array([1, 2, 3]));
    await storage.close();
    const second = await site({}, storage);
    expect(second.news()).toEqual(["fault tags-damaged"]);
    const wire2 = await second.up();
    await second.settle();
    expect(updates(wire2)).toEqual([["SN=4711", "MAN=www.example.org", "V=1"]]);
    await second.thing.stop();
    const third = await site({}, storage);
    expect(third.news()).toEqual([]);
  });
});

describe("D-3.7-1, D-3.7-2: a Thing that is its own owner", () => {
  test("registers so, without KEY and with what is wanted, shows no claim text, and is claimed as far as waitFor goes", async () => {
    const { thing, up, settle } = await site({ selfOwned: true, tagsAfterClaim: { SN: "" } });
    expect(thing.claimText).toBe("");
    const wire = await up();
    await settle();
    expect(wire.asked(registry, "register").map((one) => parseRegister(one))).toEqual([
      { tags: [str("MAN", "www.example.org"), numberTag("V", 1)], selfOwned: true },
    ]);
    expect((await thing.waitFor("claimed")).ownership).toEqual({ is: "selfOwned", registry, listed: true });
    expect([thing.claimText, updates(wire)]).toEqual(["", []]);
    await thing.updateTags({ ROOM: "Hall" });
    expect(updates(wire)).toEqual([["ROOM=Hall"]]);
  });

  test("D-E26: registers again at each start, with what has changed; an answer that names itself is well", async () => {
    const storage = await closedStorage();
    const first = await site({ selfOwned: true }, storage);
    await first.up();
    await first.settle();
    await first.down();
    await first.thing.updateTags({ ROOM: "Hall" });
    await first.thing.stop();
    const { thing, up, settle, down } = await site({ selfOwned: true }, storage);
    const wire = await up();
    await settle();
    expect(
      wire
        .asked(registry)
        .map((one) => one.name)
        .filter((name) => name !== "query"),
    ).toEqual(["register"]);
    expect(String(wire.asked(registry, "register")[0])).toContain("Hall");
    await down();
    const next = await up((one) =>
      one.peer(registry, (payload) =>
        payload.is("register") ? buildClaimed({ jid: account as typeof owner, public: true }) : undefined,
      ),
    );
    await settle();
    expect([next.asked(registry, "register").length, thing.state.ownership.is]).toEqual([1, "selfOwned"]);
  });

  test("a Registry that has forgotten it has it back; one that has removed it is left alone", async () => {
    const { thing, up, settle, down } = await site({ selfOwned: true });
    const wire = await up();
    await settle();
    wire.peer(registry, (payload) => (payload.is("update") ? { error: "item-not-found" } : undefined));
    await thing.updateTags({ ROOM: "Hall" });
    expect(String(wire.asked(registry, "register")[1])).toContain("Hall");
    const heard: unknown[] = [];
    thing.on("removed", (removal) => heard.push(removal));
    await wire.ask(registry, "set", buildRemoved({}));
    expect(heard).toEqual([{ registry, owner: undefined }]);
    await down();
    const next = await up();
    await settle();
    expect(next.asked(registry, "register")).toEqual([]);
  });

  test("is given away by nobody: a claim of it changes nothing, and is told", async () => {
    const { thing, up, settle, news } = await site({ selfOwned: true });
    const wire = await up();
    await settle();
    news();
    await claim(wire);
    expect([thing.state.ownership.is, news()]).toEqual(["selfOwned", ["fault owner-change-ignored"]]);
  });

  test("that is to have an owner is unregistered first, then registers with KEY and shows its claim text", async () => {
    const storage = await closedStorage();
    const first = await site({ selfOwned: true }, storage);
    await first.up();
    await first.settle();
    await first.thing.stop();
    const { thing, up, settle } = await site({}, storage);
    expect(thing.claimText).toContain("KEY:");
    const wire = await up();
    await settle();
    expect(
      wire
        .asked(registry)
        .map((one) => one.name)
        .filter((name) => name !== "query"),
    ).toEqual(["unregister", "register"]);
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
  });

  test("a Registry that has it as its own still, after a reset that it has not heard of, is told to unregister it", async () => {
    const { thing, up, settle } = await site();
    let isOwn = true;
    const wire = await up((one) =>
      one.peer(registry, (payload) => {
        if (payload.is("unregister")) isOwn = false;
        return payload.is("register") && isOwn
          ? buildClaimed({ jid: account as typeof owner, public: true })
          : undefined;
      }),
    );
    await settle();
    expect(
      wire
        .asked(registry)
        .map((one) => one.name)
        .filter((name) => name !== "query"),
    ).toEqual(["register", "unregister", "register"]);
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
  });
});

describe("what is to be told", () => {
  const name = fc.constantFrom<string>("SN", "MAN", "ROOM", "V", "X");
  const value = fc.constantFrom("", "a", "b");
  const list = fc
    .array(
      fc.oneof(
        fc.record({ name, value }).map((one) => str(one.name, one.value)),
        name.map((one) => numberTag(one, 1)),
      ),
      { maxLength: 5 },
    )
    .map((all) => [...new Map(all.map((tag) => [tag.name, tag])).values()]);

  test("makes of what the Registry holds what is wanted, whichever it holds of what is unsure, and says nothing more", () => {
    fc.assert(
      fc.property(list, list, fc.array(name), fc.boolean(), (wanted, tags, unsure, hadIt) => {
        const held: HeldTags = { tags: tags.filter((tag) => tag.value !== ""), unsure };
        const changes = tagDifferences(wanted, held);
        // A Registry by D-E9: an empty text takes away, whatever the type.
        const really = new Map(held.tags.map((tag) => [tag.name, tag]));
        for (const one of unsure) if (hadIt) really.set(one, str(one, "something else"));
        for (const tag of changes)
          if (tag.value === "") really.delete(tag.name);
          else really.set(tag.name, tag);
        const shown = wanted.filter((tag) => tag.value !== "");
        expect([...really.values()].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
          [...shown].sort((a, b) => (a.name < b.name ? -1 : 1)),
        );
        for (const tag of changes) {
          const before = held.tags.find((one) => one.name === tag.name);
          if (!unsure.includes(tag.name))
            expect(tag.value === "" ? before : tag).not.toEqual(tag.value === "" ? undefined : before);
        }
      }),
    );
  });

  test("never holds KEY, and after it was told there is nothing left", async () => {
    const storage = await closedStorage();
    await storage.open();
    const own = new OwnTags({
      storage,
      tags: [str("SN", "1"), str("KEY", "k")],
      afterClaim: [],
      onFault: () => undefined,
    });
    await own.open();
    expect(own.differences()).toEqual([]);
    await own.want(toOwnChanges({ ROOM: "x" }, "updateTags"));
    const changes = own.differences();
    await own.telling(changes);
    expect(own.differences()).toEqual(changes);
    await own.told(changes);
    expect(own.differences()).toEqual([]);
    expect(own.all).toEqual([str("SN", "1"), str("ROOM", "x")]);
    expect(JSON.stringify((await tagsDocument(storage).load()).value)).not.toContain("KEY");
  });
});

describe("what is kept of tags", () => {
  test("is read as it was written", () => {
    const value = {
      wanted: [str("ROOM", ""), numberTag("V", 1.5)],
      held: { tags: [str("SN", "1")], unsure: ["ROOM"] },
    };
    expect(parseSavedTags(JSON.parse(JSON.stringify(value)))).toEqual(value);
    expect(parseSavedTags({ wanted: [] })).toEqual({ wanted: [] });
  });

  test.each([
    null,
    {},
    { wanted: {} },
    { wanted: [null] },
    { wanted: [{ name: "A", type: "str", value: 1 }] },
    { wanted: [{ name: "A", type: "num", value: 1 }] },
    { wanted: [{ name: "A", type: "what", value: "x" }] },
    { wanted: [{ name: 1, type: "str", value: "x" }] },
    { wanted: [str("a b", "x")] },
    { wanted: [str("KEY", "x")] },
    { wanted: [str("A", "x"), str("A", "y")] },
    { wanted: [], held: null },
    { wanted: [], held: { tags: [] } },
    { wanted: [], held: { tags: [], unsure: [1] } },
  ])("is damaged as %j", (value) => {
    expect(() => parseSavedTags(value)).toThrow(TypeError);
  });
});
