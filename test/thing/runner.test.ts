import { describe, expect, test } from "vitest";
import { DiscoveryError, StorageError } from "../../src/core/errors.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { Runner, type WireEffect } from "../../src/thing/runner.ts";
import type { ThingEvent } from "../../src/thing/state.ts";
import { settled } from "../support/scripted-wire.ts";
import { links, otherServer, owner, registry, server, trusts } from "./life.ts";

type Does = (effect: WireEffect, signal: AbortSignal) => Promise<ThingEvent | undefined>;

const online: ThingEvent = { type: "link", link: links.online };
const waiting: ThingEvent = { type: "link", link: links.waiting };
const registered: ThingEvent = { type: "registered", registry };
const claim: ThingEvent = { type: "claimed", registry, owner, public: true };
const foundServer: ThingEvent = { type: "serversFound", servers: [{ jid: server, origin: "found" }] };

/** Does nothing until the stream ends. */
const hang: Does = (_, signal) =>
  new Promise((__, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));

function site() {
  const clock = new SimulatedClock();
  /** Everything that happens, in order. */
  const log: string[] = [];
  const faults: string[] = [];
  const healed: string[] = [];
  const started: { effect: WireEffect; signal: AbortSignal }[] = [];
  const does = new Map<WireEffect["do"], Does>();
  const disk: { save: () => Promise<void>; clear: () => Promise<void> } = {
    save: () => Promise.resolve(),
    clear: () => Promise.resolve(),
  };
  const runner: Runner = new Runner({
    clock,
    random: new SeededRandom("runner"),
    perform: async (effect, signal) => {
      log.push(effect.do);
      started.push({ effect, signal });
      return does.get(effect.do)?.(effect, signal);
    },
    save: async (state) => {
      log.push(`saving ${state.ownership.is} ${state.trust.is}`);
      await disk.save();
      log.push("saved");
    },
    clearRights: async () => {
      log.push("clearing");
      await disk.clear();
      log.push("cleared");
    },
    onState: (state, before, event) => {
      log.push(
        `state ${before.ownership.is} ${before.trust.is} > ${state.ownership.is} ${state.trust.is} (${event.type})`,
      );
      expect(runner.state).toBe(state);
    },
    onFault: (code, message) => void faults.push(`${code}: ${message}`),
    onHealed: (code) => void healed.push(code),
  });
  return { clock, log, faults, healed, started, does, disk, runner };
}

/** A promise that the test settles. */
function held(): { promise: Promise<void>; go: () => void; fail: (reason: unknown) => void } {
  let go: () => void = () => undefined;
  let fail: (reason: unknown) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => ([go, fail] = [resolve, reject]));
  return { promise, go, fail };
}

describe("an event", () => {
  test("is durable before anybody is told, and rights are forgotten before that", async () => {
    const { runner, log } = site();
    await runner.dispatch(foundServer);
    expect(log).toEqual([
      "clearing",
      "cleared",
      "saving unregistered delegated",
      "saved",
      // What the servers of before have answered meanwhile.
      "clearing",
      "cleared",
      "state unregistered none > unregistered delegated (serversFound)",
    ]);
  });

  test("P-5.2-7: counts although what was answered meanwhile cannot be forgotten on disk", async () => {
    const { runner, disk, faults } = site();
    let clears = 0;
    disk.clear = () => (++clears === 1 ? Promise.resolve() : Promise.reject(new Error("the disk is full")));
    await runner.dispatch(foundServer);
    expect([runner.state.trust.is, clears, faults]).toEqual(["delegated", 2, ["rights-not-saved: the disk is full"]]);
  });

  test("is not the state before it is durable", async () => {
    const { runner, disk } = site();
    const saving = held();
    disk.save = () => saving.promise;
    const dispatching = runner.dispatch(registered);
    await settled();
    expect(runner.state.ownership.is).toBe("unregistered");
    saving.go();
    await dispatching;
    expect(runner.state.ownership.is).toBe("registered");
  });

  test("that is not worth keeping is not written", async () => {
    const { runner, log } = site();
    await runner.dispatch({ type: "link", link: links.connecting });
    expect(log).toEqual(["state unregistered none > unregistered none (link)"]);
  });

  test("that changes nothing is not told", async () => {
    const { runner, log } = site();
    await runner.dispatch({ type: "keyEmptied" });
    await runner.dispatch({ type: "link", link: links.stopped });
    expect(log).toEqual([]);
  });

  test("that cannot be saved has not happened; the next one can be", async () => {
    const { runner, log, disk, started } = site();
    await runner.dispatch(online);
    await settled();
    log.length = started.length = 0;
    disk.save = () => Promise.reject(new StorageError("the disk is full"));
    await expect(runner.apply(claim)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(log).toEqual(["saving claimed none"]);
    expect([runner.state.ownership.is, started]).toEqual(["unregistered", []]);
    disk.save = () => Promise.resolve();
    await runner.dispatch(claim);
    expect(runner.state.ownership.is).toBe("claimed");
  });

  test("that needs the rights forgotten has not happened when they cannot be", async () => {
    const { runner, log, disk } = site();
    disk.clear = () => Promise.reject(new StorageError("the disk is full"));
    await expect(runner.dispatch(foundServer)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect([log, runner.state.trust.is]).toEqual([["clearing"], "none"]);
  });

  test("waits for those before it", async () => {
    const { runner, disk, log } = site();
    const saving = held();
    disk.save = () => saving.promise;
    const all = [runner.dispatch(registered), runner.dispatch(claim), runner.dispatch(foundServer)];
    await settled();
    expect(log).toEqual(["saving registered none"]);
    saving.go();
    await Promise.all(all);
    expect(log.filter((line) => line.startsWith("state"))).toEqual([
      "state unregistered none > registered none (registered)",
      "state registered none > claimed none (claimed)",
      "state claimed none > claimed delegated (serversFound)",
    ]);
  });
});

describe("what follows from an event", () => {
  test("D-E17: begins only when the function that the event came to is called, and once", async () => {
    const { runner, started } = site();
    await runner.dispatch(online);
    await settled();
    started.length = 0;
    const act = await runner.apply(claim);
    await settled();
    expect(started).toEqual([]);
    act();
    act();
    await settled();
    expect(started.map(({ effect }) => effect.do)).toEqual(["emptyKey", "askOwner", "updateTags", "findServers"]);
  });

  test("begins with the greeting; the rest waits for it", async () => {
    const { runner, does, log } = site();
    const greeting = held();
    does.set("greet", () => greeting.promise.then(() => undefined));
    await runner.dispatch(claim);
    await runner.dispatch(foundServer);
    log.length = 0;
    await runner.dispatch(online);
    await settled();
    expect(log.slice(1)).toEqual(["greet"]);
    greeting.go();
    await settled();
    expect(log.slice(1)).toEqual(["greet", "emptyKey", "askOwner", "updateTags", "getToken", "reviewFriends"]);
  });

  test("that comes to an event is what happens next", async () => {
    const { runner, does } = site();
    does.set("register", () => Promise.resolve(claim));
    does.set("emptyKey", () => Promise.resolve({ type: "keyEmptied" }));
    does.set("askOwner", () => Promise.resolve({ type: "ownerAsked" }));
    does.set("findServers", () => Promise.resolve(foundServer));
    await runner.dispatch(online);
    await settled();
    expect(runner.state).toEqual({
      link: links.online,
      ownership: { is: "claimed", registry, owner, public: true, listed: true, keyEmptied: true, ownerAsked: true },
      trust: trusts.found,
      examining: [],
      parting: [],
    });
  });

  test("is not done offline", async () => {
    const { runner, started } = site();
    await runner.dispatch(claim);
    await runner.dispatch(foundServer);
    await settled();
    expect(started).toEqual([]);
  });
});

describe("what fails", () => {
  test("is tried again, after waits that grow, until it works", async () => {
    const { runner, does, started, clock, faults } = site();
    let failures = 0;
    does.set("register", () => {
      if (failures++ < 6) return Promise.reject(new DiscoveryError(`failure ${failures}`));
      return Promise.resolve(registered);
    });
    await runner.dispatch(online);
    const moments: number[] = [];
    for (let second = 0; second < 600 && runner.state.ownership.is === "unregistered"; second++) {
      const before = started.length;
      await clock.advance(1_000);
      for (let i = before; i < started.length; i++) moments.push(clock.monotonic());
    }
    expect(runner.state.ownership.is).toBe("registered");
    expect(faults).toEqual([1, 2, 3, 4, 5, 6].map((n) => `registry: failure ${n}`));
    expect(clock.monotonic()).toBeLessThan(2_000 * (2 ** 6 - 1) + 6_000);
    expect(clock.pending).toBe(0);
    expect(moments.length).toBeGreaterThan(0);
  });

  test("in the same way again is told once; in another way, anew", async () => {
    const { runner, does, clock, faults } = site();
    const messages = ["not found", "not found", "no answer", "no answer", "not found"];
    does.set("register", () => Promise.reject(new DiscoveryError(messages.shift() ?? "not found")));
    await runner.dispatch(online);
    await clock.advance(3_600_000);
    expect(messages).toEqual([]);
    expect(faults).toEqual(["registry: not found", "registry: no answer", "registry: not found"]);
  });

  test.each<[WireEffect["do"], ThingEvent[], string]>([
    ["greet", [online], "greeting"],
    ["introduce", [online, foundServer], "greeting"],
    ["register", [online], "registry"],
    ["emptyKey", [claim, online], "registry"],
    ["askOwner", [claim, online], "owner"],
    ["findServers", [claim, online], "provisioning"],
  ])("%s is told by the code of what it is about", async (effect, events, code) => {
    const { runner, does, faults } = site();
    does.set(effect, () => Promise.reject(new Error("it failed")));
    for (const event of events) await runner.dispatch(event);
    await settled();
    expect(faults).toEqual([`${code}: it failed`]);
  });

  test("to be saved is told as that, and tried again whole", async () => {
    const { runner, does, disk, faults, clock, started } = site();
    does.set("register", () => Promise.resolve(registered));
    disk.save = () => Promise.reject(new StorageError("the disk is full"));
    await runner.dispatch(online);
    await settled();
    expect(faults).toEqual(["state-not-saved: the disk is full"]);
    disk.save = () => Promise.resolve();
    await clock.advance(2_000);
    expect(runner.state.ownership.is).toBe("registered");
    expect(started.filter(({ effect }) => effect.do === "register").length).toBe(2);
  });

  test("to be saved may be on the disk: the state that counts takes its place, once it takes something", async () => {
    const { runner, disk, log, healed } = site();
    await runner.dispatch(foundServer);
    disk.save = () => Promise.reject(new StorageError("not synced"));
    await expect(runner.dispatch(claim)).rejects.toThrow("not synced");
    expect(runner.isDiskUnsure).toBe(true);
    healed.length = 0;
    // The link waits for no disk.
    const { promise, fail } = held();
    disk.save = () => promise;
    await runner.dispatch(online);
    fail(new StorageError("not synced"));
    await settled();
    const isHealed = (): boolean => healed.includes("state-not-saved");
    expect([runner.isDiskUnsure, isHealed()]).toEqual([true, false]);
    disk.save = () => Promise.resolve();
    log.length = 0;
    await runner.dispatch({ type: "parted", jid: owner });
    expect(log).toEqual(["saving unregistered delegated", "saved"]);
    await runner.dispatch(waiting);
    await settled();
    expect([runner.isDiskUnsure, isHealed(), log.filter((one) => one === "saved")]).toEqual([false, true, ["saved"]]);
  });

  test("to be saved at the start leaves alone what is on the disk: there is no state yet that counts", async () => {
    const { runner, disk, log } = site();
    disk.save = () => Promise.reject(new StorageError("the disk is full"));
    const loaded: ThingEvent = {
      ...{ type: "loaded", ownership: runner.state.ownership, trust: trusts.found, examining: [], parting: [] },
      ...{ registry, servers: [] },
    };
    await expect(runner.dispatch(loaded)).rejects.toThrow("the disk is full");
    disk.save = () => Promise.resolve();
    log.length = 0;
    await runner.dispatch({ type: "link", link: links.stopped });
    expect(log.filter((one) => one.startsWith("saving"))).toEqual([]);
  });

  test("to greet keeps the rest waiting", async () => {
    const { runner, does, clock, started } = site();
    let failures = 0;
    does.set("greet", () => (failures++ < 2 ? Promise.reject(new Error("no roster")) : Promise.resolve(undefined)));
    await runner.dispatch(online);
    await settled();
    expect(started.map(({ effect }) => effect.do)).toEqual(["greet"]);
    await clock.advance(10_000);
    expect(started.map(({ effect }) => effect.do)).toEqual(["greet", "greet", "greet", "register"]);
  });
});

describe("a stream that ends", () => {
  test.each<[string, ThingEvent]>([
    ["goes", waiting],
    ["is replaced", online],
    ["is stopped", { type: "link", link: links.stopped }],
  ])("ends what is being done at once when it %s, without a fault", async (_, event) => {
    const { runner, does, started, faults, clock } = site();
    does.set("register", hang);
    await runner.dispatch(online);
    await settled();
    const [, register] = started;
    expect(register?.signal.aborted).toBe(false);
    void runner.dispatch(event);
    expect(register?.signal.aborted).toBe(true);
    await settled();
    expect([faults, clock.pending]).toEqual([[], 0]);
  });

  test("ends the wait between two tries", async () => {
    const { runner, does, started, clock } = site();
    does.set("register", () => Promise.reject(new Error("no")));
    await runner.dispatch(online);
    await settled();
    expect(clock.pending).toBe(1);
    await runner.dispatch(waiting);
    await settled();
    expect(clock.pending).toBe(0);
    const before = started.length;
    await clock.advance(600_000);
    expect(started.length).toBe(before);
  });

  test("is followed by one on which all that is due is done, even if something of the old one never ends", async () => {
    const { runner, does, started } = site();
    let deaf = 0;
    does.set("register", () => {
      deaf++;
      return new Promise<never>(() => undefined);
    });
    await runner.dispatch(online);
    await settled();
    await runner.dispatch(waiting);
    await runner.dispatch(online);
    await settled();
    expect(deaf).toBe(2);
    expect(started.map(({ effect }) => effect.do)).toEqual(["greet", "register", "greet", "register"]);
    expect(started.map(({ signal }) => signal.aborted)).toEqual([true, true, false, false]);
  });

  test("takes with it what was to follow from an event of its own", async () => {
    const { runner, started } = site();
    await runner.dispatch(online);
    await settled();
    const act = await runner.apply(claim);
    await runner.dispatch(waiting);
    started.length = 0;
    act();
    await settled();
    expect(started).toEqual([]);
    await runner.dispatch(online); // the next one begins with the state
    await settled();
    expect(started.map(({ effect }) => effect.do)).toEqual([
      "greet",
      "emptyKey",
      "askOwner",
      "updateTags",
      "findServers",
    ]);
  });

  test("does not undo what was answered on it", async () => {
    const { runner, does } = site();
    const answer = held();
    does.set("register", () => answer.promise.then(() => registered));
    await runner.dispatch(online);
    await settled();
    await runner.dispatch(waiting);
    answer.go();
    await settled();
    expect(runner.state.ownership.is).toBe("registered");
  });

  test("late, from one before, does not let the same be done twice at once on the next", async () => {
    const { runner, does, started } = site();
    const ends: (() => void)[] = [];
    does.set("register", () => new Promise<undefined>((resolve) => ends.push(() => resolve(undefined))));
    await runner.dispatch(online);
    await settled();
    await runner.dispatch(waiting);
    const act = await runner.apply(online);
    act();
    await settled();
    ends[0]?.(); // that of the old stream
    await settled();
    act();
    await settled();
    expect(started.filter(({ effect }) => effect.do === "register")).toHaveLength(2);
    ends[1]?.();
    await settled();
    act(); // once it is done it may be done again
    await settled();
    expect(started.filter(({ effect }) => effect.do === "register")).toHaveLength(3);
  });

  test("keeps what was to follow from an event of its own off the next one", async () => {
    const { runner, started } = site();
    await runner.dispatch(online);
    const act = await runner.apply(claim);
    await runner.dispatch(waiting);
    await runner.dispatch(online);
    await settled();
    started.length = 0;
    act();
    await settled();
    expect(started).toEqual([]);
  });
});

describe("stopping", () => {
  test("ends what is being done and waits for what is being written", async () => {
    const { runner, does, started, disk } = site();
    does.set("register", hang);
    await runner.dispatch(online);
    await settled();
    const saving = held();
    disk.save = () => saving.promise;
    const dispatching = runner.dispatch(claim);
    await settled();
    let stopped = false;
    const stopping = runner.stop().then(() => (stopped = true));
    await settled();
    expect([started[1]?.signal.aborted, stopped]).toEqual([true, false]);
    saving.go();
    await Promise.all([dispatching, stopping]);
    expect(runner.state.ownership.is).toBe("claimed");
    expect(started.map(({ effect }) => effect.do)).toEqual(["greet", "register"]);
  });
});

describe("a friendship that is to end", () => {
  test("of one does not wait for another, nor is one ended twice at the same time", async () => {
    const { runner, does, started } = site();
    does.set("part", hang);
    await runner.dispatch(online);
    await settled();
    for (const jid of [server, otherServer, server]) await runner.dispatch({ type: "unfriended", jid });
    await settled();
    const parting = started.flatMap(({ effect }) => (effect.do === "part" ? [effect.jid] : []));
    expect(parting).toEqual([server, otherServer]);
  });
});

describe("trust that was found", () => {
  test("is not added to by what is found later", async () => {
    const { runner, log } = site();
    await runner.dispatch(foundServer);
    log.length = 0;
    await runner.dispatch({ type: "serversFound", servers: [{ jid: otherServer, origin: "found" }] });
    expect([log, runner.state.trust]).toEqual([[], trusts.found]);
  });
});

describe("a factory reset", () => {
  test("begins anew on the same stream; what was being found out is nobody's any more", async () => {
    const { runner, does, started } = site();
    let answer: (event: ThingEvent) => void = () => undefined;
    does.set("findServers", () => new Promise((resolve) => (answer = resolve)));
    await runner.dispatch(online);
    await runner.dispatch(claim);
    await settled();
    const searching = started.find(({ effect }) => effect.do === "findServers");
    does.set("greet", () => Promise.resolve({ type: "friendsLeft" }));
    does.set("unregister", () => Promise.resolve({ type: "registryLeft" }));
    started.length = 0;
    await runner.dispatch({ type: "reset" });
    await settled();
    expect(searching?.signal.aborted).toBe(true);
    expect(started.map(({ effect }) => effect.do)).toEqual(["greet", "unregister", "register"]);
    answer(foundServer);
    await settled();
    expect(runner.state.trust).toEqual(trusts.none);
  });

  test("what was found out while the reset was being written is nobody's any more", async () => {
    const { runner, does, disk } = site();
    let answer: (event: ThingEvent) => void = () => undefined;
    does.set("register", () => new Promise((resolve) => (answer = resolve)));
    await runner.dispatch(registered);
    await runner.dispatch(online);
    await settled();
    let written: () => void = () => undefined;
    disk.save = () => new Promise((resolve) => (written = resolve));
    does.set("greet", hang);
    const reset = runner.dispatch({ type: "reset" });
    await settled();
    answer(registered);
    await settled();
    disk.save = () => Promise.resolve();
    written();
    await reset;
    await settled();
    expect(runner.state.ownership).toEqual({ is: "unregistered", leaving: { registry, friends: true } });
  });
});
