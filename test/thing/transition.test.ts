import { describe, expect, test } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import { randomFraction } from "../../src/core/random.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { parseSaved } from "../../src/thing/saved.ts";
import {
  initialState,
  ownerOf,
  trustedServers,
  type Link,
  type Ownership,
  type ThingEffect,
  type ThingEvent,
  type ThingState,
  type Trust,
} from "../../src/thing/state.ts";
import { transition } from "../../src/thing/transition.ts";
import {
  claimed,
  frozen,
  links,
  names,
  otherRegistry,
  otherServer,
  owner,
  ownerships,
  registry,
  server,
  stateOf,
  thief,
  trusts,
  type OwnershipName,
  type TrustName,
} from "./life.ts";

const everyLink = names(links);
const everyOwnership = names(ownerships);
const everyTrust = names(trusts);
const everyClaimed = everyOwnership.filter((name) => name.startsWith("claimed"));

/** Every state there is. */
const everyState = everyLink.flatMap((link) =>
  everyOwnership.flatMap((ownership) => everyTrust.map((trust) => [link, ownership, trust] as const)),
);

/** What is to be done, in few words. */
function inWords(effect: ThingEffect): string {
  switch (effect.do) {
    case "greet":
      return `greet ${[effect.registry, ...effect.servers].map(String).join(" ")}`;
    case "introduce":
      return `introduce ${effect.servers.join(" ")}`;
    case "register":
      return `register ${String(effect.registry)}`;
    case "emptyKey":
    case "findServers":
      return `${effect.do} ${effect.registry}`;
    case "askOwner":
      return `askOwner ${effect.owner}`;
    case "clearRights":
    case "reviewFriends":
      return effect.do;
  }
}

/** The state after, and what is done, by the table: an event, and for which ownership and trust it does what. */
interface Row {
  readonly event: ThingEvent;
  readonly of: readonly OwnershipName[];
  readonly trust?: readonly TrustName[];
  /** What the state becomes; the same object if left out. */
  readonly becomes?: Partial<Pick<ThingState, "ownership" | "trust">>;
  /** What is done when the Thing is online. */
  readonly does?: readonly string[];
  /** What is done also when it is not. */
  readonly always?: readonly string[];
}

const claim: ThingEvent = { type: "claimed", registry, owner, public: true };
const privateClaim: ThingEvent = { ...claim, public: false };
const fresh = claimed();
const followUp = [`emptyKey ${registry}`, `askOwner ${owner}`];
const found = (...servers: BareJid[]): ThingEvent => ({ type: "serversFound", servers });
const notClaimed: OwnershipName[] = ["unregistered", "registered", "registered elsewhere"];

const table: readonly Row[] = [
  // XEP-0347 3.6
  {
    event: { type: "registered", registry },
    of: ["unregistered", "registered elsewhere"],
    becomes: { ownership: ownerships.registered },
  },
  { event: { type: "registered", registry }, of: ["registered", ...everyClaimed] },
  {
    event: { type: "registered", registry: otherRegistry },
    of: ["unregistered", "registered"],
    becomes: { ownership: ownerships["registered elsewhere"] },
  },
  { event: { type: "registered", registry: otherRegistry }, of: ["registered elsewhere", ...everyClaimed] },
  // XEP-0347 3.9, D-3.6-13, D-3.9-22
  { event: claim, of: notClaimed, trust: ["configured", "found"], becomes: { ownership: fresh }, does: followUp },
  {
    event: claim,
    of: notClaimed,
    trust: ["none"],
    becomes: { ownership: fresh },
    does: [...followUp, `findServers ${registry}`],
  },
  {
    event: privateClaim,
    of: notClaimed,
    trust: ["configured", "found"],
    becomes: { ownership: { ...fresh, public: false } },
    does: followUp,
  },
  {
    event: privateClaim,
    of: notClaimed,
    trust: ["none"],
    becomes: { ownership: { ...fresh, public: false } },
    does: [...followUp, `findServers ${registry}`],
  },
  { event: claim, of: everyClaimed.filter((name) => name !== "claimed, private") },
  { event: claim, of: ["claimed, private"], becomes: { ownership: fresh } },
  { event: privateClaim, of: ["claimed, private"] },
  { event: privateClaim, of: ["claimed"], becomes: { ownership: { ...fresh, public: false } } },
  {
    event: privateClaim,
    of: ["claimed, KEY emptied"],
    becomes: { ownership: { ...fresh, public: false, keyEmptied: true } },
  },
  {
    event: privateClaim,
    of: ["claimed, owner asked"],
    becomes: { ownership: { ...fresh, public: false, ownerAsked: true } },
  },
  {
    event: privateClaim,
    of: ["claimed, all done"],
    becomes: { ownership: { ...fresh, public: false, keyEmptied: true, ownerAsked: true } },
  },
  // A claimed Thing does not change hands without being disowned.
  { event: { ...claim, owner: thief }, of: everyClaimed },
  { event: { ...claim, owner: thief, public: false }, of: everyClaimed },
  // D-6.5-3
  { event: { type: "keyEmptied" }, of: [...notClaimed, "claimed, KEY emptied", "claimed, all done"] },
  { event: { type: "keyEmptied" }, of: ["claimed"], becomes: { ownership: ownerships["claimed, KEY emptied"] } },
  {
    event: { type: "keyEmptied" },
    of: ["claimed, owner asked"],
    becomes: { ownership: ownerships["claimed, all done"] },
  },
  {
    event: { type: "keyEmptied" },
    of: ["claimed, private"],
    becomes: { ownership: { ...fresh, public: false, keyEmptied: true } },
  },
  // D-3.9-27
  { event: { type: "ownerAsked" }, of: [...notClaimed, "claimed, owner asked", "claimed, all done"] },
  { event: { type: "ownerAsked" }, of: ["claimed"], becomes: { ownership: ownerships["claimed, owner asked"] } },
  {
    event: { type: "ownerAsked" },
    of: ["claimed, KEY emptied"],
    becomes: { ownership: ownerships["claimed, all done"] },
  },
  {
    event: { type: "ownerAsked" },
    of: ["claimed, private"],
    becomes: { ownership: { ...fresh, public: false, ownerAsked: true } },
  },
  // XEP-0347 3.11, 3.12; P-5.2-7, P-E8
  { event: found(), of: everyOwnership },
  { event: found(otherServer), of: everyOwnership, trust: ["configured", "found"] },
  {
    event: found(server, otherServer),
    of: everyOwnership,
    trust: ["none"],
    becomes: { trust: { is: "delegated", servers: [server, otherServer], origin: "found" } },
    always: ["clearRights"],
    does: [`introduce ${server} ${otherServer}`, "reviewFriends"],
  },
  // XEP-0324 3.2, 3.5: who is a friend is asked again
  { event: { type: "rightsCleared" }, of: everyOwnership, trust: ["none"] },
  { event: { type: "rightsCleared" }, of: everyOwnership, trust: ["configured", "found"], does: ["reviewFriends"] },
];

describe("the state after an event, and what is done", () => {
  const lines = table.map((row, index) => {
    const { type, ...rest } = row.event;
    return [`${index + 1}: ${type} ${JSON.stringify(rest)} when ${row.of.length} kinds of ownership`, row] as const;
  });

  test.each(lines)("row %s", (_, { event, of, trust = everyTrust, becomes, does = [], always = [] }) => {
    for (const link of everyLink) {
      for (const ownership of of) {
        for (const trusted of trust) {
          const before = stateOf(link, ownership, trusted);
          const { state, effects } = transition(before, frozen(event));
          if (becomes === undefined) expect(state).toBe(before);
          else expect(state).toEqual({ ...before, ...becomes });
          expect(effects.map(inWords)).toEqual([...always, ...(link === "online" ? does : [])]);
        }
      }
    }
  });

  test("every kind of ownership and trust stands in the table for every event that is not the link's or the start's", () => {
    const seen = new Map<string, string[]>();
    for (const { event, of, trust = everyTrust } of table) {
      const key = JSON.stringify(event);
      seen.set(key, [...(seen.get(key) ?? []), ...of.flatMap((one) => trust.map((other) => `${one} ${other}`))]);
    }
    const all = everyOwnership.flatMap((one) => everyTrust.map((other) => `${one} ${other}`)).sort();
    const incomplete = [...seen].filter(([key]) => !key.includes(thief) && !key.includes('"servers"'));
    for (const [, states] of incomplete) expect([...states].sort()).toEqual(all);
    expect(incomplete).toHaveLength(7);
  });
});

describe("the link", () => {
  const greeting: Record<OwnershipName, string> = {
    unregistered: "undefined",
    registered: registry,
    "registered elsewhere": otherRegistry,
    claimed: registry,
    "claimed, KEY emptied": registry,
    "claimed, owner asked": registry,
    "claimed, all done": registry,
    "claimed, private": registry,
  };
  /** What is still to be done, by the kind of ownership. */
  const due: Record<OwnershipName, readonly string[]> = {
    unregistered: ["register undefined"],
    registered: [`register ${registry}`],
    "registered elsewhere": [`register ${otherRegistry}`],
    claimed: followUp,
    "claimed, KEY emptied": [`askOwner ${owner}`],
    "claimed, owner asked": [`emptyKey ${registry}`],
    "claimed, all done": [],
    "claimed, private": followUp,
  };

  test.each(everyState)(
    "that comes up when it was %s, %s, trust %s: greets, then does what is due",
    (link, ownership, trust) => {
      const before = stateOf(link, ownership, trust);
      const { state, effects } = transition(before, { type: "link", link: links.online });
      expect(state).toEqual({ ...before, link: links.online });
      const servers = trust === "none" ? [] : [server];
      const search = trust === "none" && ownership.startsWith("claimed") ? [`findServers ${registry}`] : [];
      expect(effects.map(inWords)).toEqual([
        `greet ${[greeting[ownership], ...servers].join(" ")}`,
        ...due[ownership],
        ...search,
        ...(trust === "none" ? [] : ["reviewFriends"]),
      ]);
    },
  );

  test.each(everyState)(
    "that goes when it was %s, %s, trust %s: does nothing and forgets nothing",
    (link, ownership, trust) => {
      const before = stateOf(link, ownership, trust);
      for (const next of ["stopped", "connecting", "waiting"] as const) {
        const { state, effects } = transition(before, { type: "link", link: links[next] });
        expect(state).toEqual({ ...before, link: links[next] });
        expect(effects).toEqual([]);
        if (link === "stopped" && next === "stopped") expect(state).toBe(before);
      }
    },
  );
});

describe("the start", () => {
  const loaded = (
    ownership: Ownership,
    trust: Trust,
    configured: { registry?: BareJid; servers?: readonly BareJid[] } = {},
  ): ReturnType<typeof transition> =>
    transition(
      frozen(initialState),
      frozen({ type: "loaded", ownership, trust, registry: configured.registry, servers: configured.servers ?? [] }),
    );

  test("with nothing configured takes what was saved, but trust that was configured then", () => {
    for (const ownership of everyOwnership) {
      for (const trust of ["none", "found"] as const) {
        const { state, effects } = loaded(ownerships[ownership], trusts[trust]);
        expect(state).toEqual({ link: links.stopped, ownership: ownerships[ownership], trust: trusts[trust] });
        expect(effects).toEqual([]);
      }
      const { state, effects } = loaded(ownerships[ownership], trusts.configured);
      expect(state.trust).toEqual({ is: "none" });
      expect(effects.map(inWords)).toEqual(["clearRights"]);
    }
  });

  test.each<[OwnershipName, Ownership]>([
    ["unregistered", { is: "unregistered" }],
    ["registered", { is: "registered", registry }],
    ["registered elsewhere", { is: "unregistered" }],
    ["claimed", ownerships.claimed],
    ["claimed, all done", ownerships["claimed, all done"]],
  ])("with a Registry configured: %s", (ownership, expected) => {
    const { state, effects } = loaded(ownerships[ownership], { is: "none" }, { registry });
    expect([state.ownership, effects]).toEqual([expected, []]);
  });

  test("with another Registry configured keeps the owner: it is now that one whose notices count", () => {
    for (const ownership of everyClaimed) {
      const { state } = loaded(ownerships[ownership], { is: "none" }, { registry: otherRegistry });
      expect(state.ownership).toEqual({ ...ownerships[ownership], registry: otherRegistry });
    }
  });

  test.each<[TrustName, readonly BareJid[], readonly string[]]>([
    ["none", [server], ["clearRights"]],
    ["configured", [server], []],
    ["found", [server], []],
    ["configured", [otherServer], ["clearRights"]],
    ["found", [otherServer], ["clearRights"]],
    ["found", [server, otherServer], ["clearRights"]],
  ])("P-5.2-7: with servers configured, trust %s becomes %s, and the rights are %s", (trust, servers, does) => {
    const { state, effects } = loaded(ownerships.claimed, trusts[trust], { servers });
    expect(state.trust).toEqual({ is: "delegated", servers, origin: "configured" });
    expect(effects.map(inWords)).toEqual(does);
  });

  test("P-5.2-7: one server whose address looks like two is not the same as the two", () => {
    const [one, two] = ["a", "b"] as unknown as [BareJid, BareJid];
    const trust: Trust = { is: "delegated", servers: ["a,b" as BareJid], origin: "found" };
    expect(loaded(ownerships.claimed, trust, { servers: [one, two] }).effects).toHaveLength(1);
  });
});

describe("whatever happens, in whatever order", () => {
  const pick = <T>(random: SeededRandom, list: readonly T[]): T =>
    list[Math.floor(randomFraction(random) * list.length)] as T;

  function anEvent(random: SeededRandom): ThingEvent {
    const jid = pick(random, [registry, otherRegistry]);
    return pick<() => ThingEvent>(random, [
      () => ({ type: "link", link: links[pick(random, everyLink)] as Link }),
      () => ({ type: "link", link: links.online }),
      () => ({ type: "registered", registry: jid }),
      () => ({
        type: "claimed",
        registry: jid,
        owner: pick(random, [owner, thief]),
        public: pick(random, [true, false]),
      }),
      () => ({ type: "keyEmptied" }),
      () => ({ type: "ownerAsked" }),
      () => ({ type: "rightsCleared" }),
      () => ({ type: "serversFound", servers: pick(random, [[], [server], [otherServer, server]]) }),
    ])();
  }

  function aStart(random: SeededRandom): ThingEvent {
    return {
      type: "loaded",
      ownership: ownerships[pick(random, everyOwnership)],
      trust: trusts[pick(random, everyTrust)],
      registry: pick(random, [undefined, registry, otherRegistry]),
      servers: pick(random, [[], [server], [otherServer]]),
    };
  }

  function check(before: ThingState, event: ThingEvent, state: ThingState, effects: readonly ThingEffect[]): void {
    const { ownership, trust, link } = state;
    // An owner never changes without a new registration, and there is none once there is an owner.
    if (before.ownership.is === "claimed") expect(ownerOf(state)).toBe(ownerOf(before));
    if (event.type !== "claimed") expect(ownerOf(state)).toBe(ownerOf(before));
    // What was done is never undone.
    if (before.ownership.is === "claimed" && ownership.is === "claimed") {
      expect(ownership.keyEmptied || !before.ownership.keyEmptied).toBe(true);
      expect(ownership.ownerAsked || !before.ownership.ownerAsked).toBe(true);
      expect(ownership.registry).toBe(before.ownership.registry);
    }
    // Trust never grows when configured, and nobody takes the place of who was found.
    if (before.trust.is === "delegated") expect(trust).toBe(before.trust);
    // Other servers decide: nothing that the ones before said may stand in for them.
    const done = effects.map((effect) => effect.do);
    expect(done.includes("clearRights")).toBe(String(trustedServers(state)) !== String(trustedServers(before)));
    // Offline nothing goes out.
    if (link.is !== "online") expect(done.filter((one) => one !== "clearRights")).toEqual([]);
    expect(done.includes("greet")).toBe(event.type === "link" && event.link.is === "online");
    if (done.includes("greet")) expect(done[0]).toBe("greet");
    expect(new Set(done).size).toBe(done.length);
    for (const effect of effects) {
      if (effect.do === "register") expect(ownership.is).not.toBe("claimed");
      if (effect.do === "emptyKey")
        expect(ownership).toMatchObject({ is: "claimed", keyEmptied: false, registry: effect.registry });
      if (effect.do === "askOwner")
        expect(ownership).toMatchObject({ is: "claimed", ownerAsked: false, owner: effect.owner });
      if (effect.do === "findServers") expect([ownership.is, trust.is]).toEqual(["claimed", "none"]);
    }
    // Nothing is done because of nothing.
    if (state === before && event.type !== "rightsCleared") expect(effects).toEqual([]);
    // Whatever comes about can be kept and read again.
    const account = { username: "u", password: "p", resource: "r", pending: false };
    const saved = parseSaved(JSON.parse(JSON.stringify({ domain: "d", account, key: "k", ownership, trust })));
    expect([saved.ownership, saved.trust]).toEqual([ownership, trust]);
  }

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    "an owner stays, trust stays, and nothing goes out offline (seed %s)",
    (seed) => {
      const random = new SeededRandom(`walk ${seed}`);
      for (let walk = 0; walk < 30; walk++) {
        let state = transition(initialState, aStart(random)).state;
        for (let step = 0; step < 40; step++) {
          const event = frozen(anEvent(random));
          const before = frozen(state);
          const after = transition(before, event);
          try {
            check(before, event, after.state, after.effects);
          } catch (error) {
            throw new Error(`${JSON.stringify(event)} in ${JSON.stringify(before)}`, { cause: error });
          }
          expect(transition(before, event)).toEqual(after);
          state = after.state;
        }
      }
    },
  );
});
