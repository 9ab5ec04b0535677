// A friendship that a server ends, of a whole Thing: XEP-0324 3.2.3, and whatever may come in between (P-E17, X-E1).
import { afterEach, describe, expect, test } from "vitest";
import { StorageError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { buildFriend, buildUnfriend } from "../../src/codec/friendship.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildClearCache, buildIsFriendResponse } from "../../src/codec/provisioning.ts";
import { buildRoster, type RosterItem } from "../../src/codec/roster.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { Disk } from "../support/disk.ts";
import { replacing } from "../support/hasty-storage.ts";
import type { ScriptedWire } from "../support/scripted-wire.ts";
import { otherServer, server } from "./life.ts";
import { account, closedStorage, scriptedThing, stopThings } from "./scripted-thing.ts";

const friend = bareJid("friend@example.net");
const item: RosterItem = { jid: friend, subscription: "both", pendingOut: false, name: "", groups: [] };
const options = { provisioning: [server] };

afterEach(stopThings);

/** A disk whose power goes with the n-th write of a boot: with it on the disk, or not. */
function fragile(storage: Storage, cut: () => void) {
  let left = Infinity;
  let takes = true;
  const write = (work: () => Promise<void>): Promise<void> => {
    if (left > 0 && --left > 0) return work();
    if (!takes) cut();
    return work().finally(cut);
  };
  const wrapped: Storage = {
    ...storage,
    replace: (name, content) => write(() => storage.replace(name, content)),
    append: (name, content) => write(() => storage.append(name, content)),
    delete: (name) => write(() => storage.delete(name)),
  };
  const arm = (writes: number, isTaken: boolean): void => {
    left = writes;
    takes = isTaken;
  };
  return { wrapped, arm };
}

/** The server, who says yes until it has changed its mind, and then leaves the Thing free to have friends of its own. */
function serves(wire: ScriptedWire, mind: { now: boolean }): void {
  wire.peer(server, (payload) =>
    payload.is("isFriend", ns.provisioning)
      ? buildIsFriendResponse({ jid: friend, result: mind.now, secondaryTrustAllowed: true })
      : undefined,
  );
}

describe("unfriend (XEP-0324 3.2.3)", () => {
  /** Whether the friendship has come to its end, when the power goes at one of the writes that an unfriend causes. */
  const afterCut = async (writes: number, isTaken: boolean) => {
    const disk = new Disk();
    const boot = disk.boot();
    const { wrapped, arm } = fragile(boot.storage, boot.cut);
    const first = await scriptedThing({ ...options, storage: wrapped });
    first.roster.set(friend, item);
    const mind = { now: true };
    const wire = await first.up(serves, mind);
    await first.clock.advance(60_000);
    expect(first.thing.rights.entries()).toMatchObject([{ jid: friend }]);
    mind.now = false;
    arm(writes, isTaken);
    wire.tell(server, buildUnfriend({ jid: friend }));
    for (let turn = 0; turn < 5; turn++) await first.clock.advance(0);
    const reached = first.thing.state.parting.includes(friend) || !first.roster.has(friend);
    boot.cut();
    await first.down();
    await first.thing.stop();

    const again = await scriptedThing({ ...options, storage: disk.boot().storage });
    const isKept = again.thing.state.parting.includes(friend);
    const remembered = again.thing.rights.entries().map(({ jid }) => jid);
    for (const one of first.roster.values()) again.roster.set(one.jid, one);
    await again.up(serves, mind);
    for (let turn = 0; turn < 5; turn++) await again.clock.advance(100);
    return { reached, isKept, remembered, isFriend: again.roster.has(friend), parting: again.thing.state.parting };
  };

  test("P-3.2.3-5: comes to the same end at whatever write the power goes", async () => {
    const seen = new Set<string>();
    for (let writes = 1; writes <= 12; writes++) {
      for (const isTaken of [true, false]) {
        const end = await afterCut(writes, isTaken);
        const about = `power cut at write ${writes}, which is ${isTaken ? "" : "not "}on disk`;
        // What came before anything was written is a message that was lost: nobody can know of it.
        const isKnown = end.isKept || end.reached;
        expect([about, end.isFriend, end.parting]).toEqual([about, !isKnown, []]);
        // Nor is anything forgotten before it is known why.
        expect([about, ...end.remembered]).toEqual(isKnown ? [about] : [about, friend]);
        seen.add(`${end.isKept ? "to be done" : "done"}, ${isKnown ? "known" : "lost"}`);
      }
    }
    expect([...seen].sort()).toEqual(["done, known", "done, lost", "to be done, known"]);
  });

  /** A Thing that has heard an unfriend, on a disk that does not take the rights; another after a power cut. */
  const onBadDisk = async () => {
    const disk = new Disk();
    const boot = disk.boot();
    let isBad = false;
    const bad = (storage: Storage): Storage =>
      replacing(storage, (name, content) =>
        isBad && name === "rights" ? Promise.reject(new StorageError("full")) : storage.replace(name, content),
      );
    const first = await scriptedThing({ ...options, storage: bad(boot.storage) });
    first.roster.set(friend, item);
    const mind = { now: true };
    const wire = await first.up(serves, mind);
    await first.clock.advance(60_000);
    mind.now = false;
    isBad = true;
    wire.tell(server, buildUnfriend({ jid: friend }));
    for (let turn = 0; turn < 5; turn++) await first.clock.advance(0);
    const heal = (): void => void (isBad = false);
    const again = async () => {
      boot.cut();
      await first.down();
      await first.thing.stop();
      return scriptedThing({ ...options, storage: bad(disk.boot().storage) });
    };
    return { ...first, mind, heal, again };
  };
  const allowed = ({ rights }: Thing): readonly string[] =>
    rights.entries().flatMap(({ jid, grants }) => (grants.length > 0 ? [jid] : []));

  test("P-3.2.3-5: is over only when the rights are forgotten on disk too, also where that fails at first", async () => {
    const { thing, down, up, clock, mind, heal, roster, again } = await onBadDisk();
    await down();
    await up(serves, mind);
    await clock.advance(60_000);
    // The friend is none any more; what is left on the disk is still to go.
    expect([roster.has(friend), thing.state.parting]).toEqual([false, [friend]]);
    heal();
    const next = await again();
    expect(allowed(next.thing)).toEqual([]);
    await next.up(serves, mind);
    await next.clock.advance(60_000);
    expect(next.thing.state.parting).toEqual([]);
  });

  test("P-3.2.3-5: is carried out on a disk that does not take it, and over when it does, on the same stream", async () => {
    const { thing, clock, heal, again, roster, news } = await onBadDisk();
    expect([roster.has(friend), thing.state.parting]).toEqual([false, [friend]]);
    heal();
    await clock.advance(60_000);
    expect([thing.state.parting, news()]).toEqual([[], ["fault rights-not-saved", "fault state-not-saved"]]);
    expect(allowed((await again()).thing)).toEqual([]);
  });

  test("keeps no Thing from starting whose disk does not take that the rights are forgotten", async () => {
    const { again } = await onBadDisk();
    const { thing, news } = await again();
    expect([thing.state.parting, allowed(thing), news()]).toEqual([[friend], [], ["fault rights-not-saved"]]);
  });

  test("P-E17: that is on the disk though it said no is not carried out at the next start, when it was taken back", async () => {
    for (const how of ["friend", "request", "stop"] as const) {
      const disk = new Disk();
      const boot = disk.boot();
      let isBad = false;
      const storage = replacing(boot.storage, async (name, content) => {
        await boot.storage.replace(name, content);
        if (isBad && name === "thing") throw new StorageError("not synced");
      });
      const { thing, clock, up, down, roster, directed } = await scriptedThing({ ...options, storage });
      roster.set(friend, item);
      const mind = { now: true };
      const wire = await up(serves, mind);
      await clock.advance(60_000);
      isBad = true;
      wire.tell(server, buildUnfriend({ jid: friend }));
      for (let turn = 0; turn < 5; turn++) await clock.advance(0);
      expect([how, thing.state.parting, roster.has(friend)]).toEqual([how, [], false]);
      isBad = false;
      if (how === "friend") wire.tell(server, buildFriend({ jid: friend }));
      else if (how === "request") wire.presence(friend, "subscribe");
      else await thing.stop();
      for (let turn = 0; turn < 5; turn++) await clock.advance(0);
      expect(directed(wire, friend)).toEqual({ friend: ["subscribe"], request: ["subscribed"], stop: [] }[how]);
      boot.cut();
      if (how !== "stop") await down();
      const again = await scriptedThing({ ...options, storage: disk.boot().storage });
      expect([how, again.thing.state.parting]).toEqual([how, []]);
    }
  });

  test("P-3.2.3-5: goes on through streams that end, until the roster says so", async () => {
    const { thing, clock, up, down, roster } = await scriptedThing(options);
    const unfriended: string[] = [];
    thing.on("unfriended", (jid) => unfriended.push(jid));
    roster.set(friend, item);
    const mind = { now: true };
    const wire = await up(serves, mind);
    wire.peer(account, () => "silent");
    wire.tell(server, buildUnfriend({ jid: friend }));
    await clock.advance(0);
    expect([thing.state.parting, roster.has(friend)]).toEqual([[friend], true]);
    await down();
    expect(thing.state.parting).toEqual([friend]);
    await up(serves, mind);
    await clock.advance(0);
    expect([thing.state.parting, roster.has(friend), unfriended]).toEqual([[], false, [friend]]);
  });

  test("P-E17: that the server takes back is not carried out: by friend, or by a yes to a request", async () => {
    for (const how of ["friend", "request"] as const) {
      const { thing, clock, up, down, roster, directed } = await scriptedThing(options);
      roster.set(friend, item);
      const mind = { now: true };
      const wire = await up(serves, mind);
      wire.peer(account, () => "silent");
      wire.tell(server, buildUnfriend({ jid: friend }));
      await clock.advance(0);
      expect(thing.state.parting).toEqual([friend]);
      if (how === "friend") wire.tell(server, buildFriend({ jid: friend }));
      else wire.presence(friend, "subscribe");
      await clock.advance(0);
      await clock.advance(0);
      expect([how, thing.state.parting]).toEqual([how, []]);
      if (how === "request") expect(directed(wire, friend)).toEqual(["subscribed"]);
      await down();
      await up(serves, mind);
      await clock.advance(60_000);
      expect(roster.has(friend)).toBe(true);
    }
  });

  test("of whom nobody has heard changes nothing, and writes nothing", async () => {
    const { thing, clock, up, roster } = await scriptedThing(options);
    const wire = await up(serves, { now: true });
    const before = thing.state;
    wire.tell(server, buildUnfriend({ jid: friend }));
    await clock.advance(0);
    expect([thing.state, roster.size]).toEqual([before, 0]);
  });
});

describe("a friend of whom the servers have changed their minds (P-E28)", () => {
  test("stays while none of them answers, and goes when one says so", async () => {
    const { thing, clock, up, roster } = await scriptedThing(options);
    roster.set(friend, item);
    const wire = await up(serves, { now: true });
    wire.peer(server, () => ({ error: "service-unavailable" }));
    await wire.ask(server, "set", buildClearCache());
    await clock.advance(600_000);
    expect([roster.has(friend), thing.state.parting]).toEqual([true, []]);
    wire.peer(server, () => buildIsFriendResponse({ result: false, secondaryTrustAllowed: false }));
    await clock.advance(600_000);
    expect(roster.has(friend)).toBe(false);
  });
});

describe("a server that says more than can be followed (P-3.2.3-5)", () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => bareJid(`friend${n}@example.net`));
  const says = (result: boolean) => buildIsFriendResponse({ result, secondaryTrustAllowed: false });

  test("keeps no friendship from ending that another one ends", async () => {
    const { clock, up, roster } = await scriptedThing({ provisioning: [server, otherServer] });
    roster.set(friend, item);
    const wire = await up((it) => [server, otherServer].forEach((jid) => it.peer(jid, () => says(true))));
    await clock.advance(60_000);
    // It recommends whom nobody knows, and says nothing when it is asked about them.
    wire.peer(server, (payload) => (payload.attrs["jid"] === friend ? says(false) : "silent"));
    wire.peer(otherServer, (payload) => says(payload.attrs["jid"] !== friend));
    for (const jid of many(150)) wire.tell(server, buildFriend({ jid }));
    wire.tell(otherServer, buildUnfriend({ jid: friend }));
    await clock.advance(30_000);
    expect(roster.has(friend)).toBe(false);
  });

  test("is asked again about every friend: none of them stays", async () => {
    const { thing, clock, up, roster } = await scriptedThing(options);
    const friends = many(250);
    for (const jid of friends) roster.set(jid, { ...item, jid });
    const wire = await up((it) => it.peer(server, () => says(true)));
    await clock.advance(60_000);
    expect(thing.rights.count).toBe(friends.length);
    wire.peer(server, () => says(false));
    for (const jid of friends) wire.tell(server, buildUnfriend({ jid }));
    for (let turn = 0; turn < 20; turn++) await clock.advance(1_000);
    expect([roster.size, thing.state.parting]).toEqual([0, []]);
  });

  test("wears no card out: of what it says in an hour a part is written down, and all of it holds", async () => {
    const storage = await closedStorage();
    const { clock, up, roster } = await scriptedThing({ ...options, storage });
    const mind = { now: true };
    const wire = await up((it) => it.peer(server, () => says(mind.now)));
    await clock.advance(60_000);
    storage.done.length = 0;
    for (let second = 0; second < 600; second++) {
      roster.set(friend, item);
      void wire.ask(account, "set", buildRoster([item]));
      mind.now = true;
      wire.tell(server, buildFriend({ jid: friend }));
      await clock.advance(500);
      mind.now = false;
      wire.tell(server, buildUnfriend({ jid: friend }));
      await clock.advance(500);
      expect(roster.has(friend)).toBe(false);
    }
    expect(storage.done.filter((one) => one.startsWith("replace thing")).length).toBeLessThanOrEqual(2 * 2 * 100);
    expect(storage.done.filter((one) => one.includes("rights")).length).toBeLessThanOrEqual(60);
  });
});
