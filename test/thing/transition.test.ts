import { describe, expect, test } from "vitest";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { randomFraction } from "../../src/core/random.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SAVED_FORMAT, parseSaved } from "../../src/thing/saved.ts";
import {
  initialState,
  ownerOf,
  trustedServers,
  type AccountReset,
  type Link,
  type Ownership,
  type Step,
  type ThingEffect,
  type ThingEvent,
  type ThingState,
  type Trust,
} from "../../src/thing/state.ts";
import { transition } from "../../src/thing/transition.ts";
import { trustIn, withLock } from "../../src/thing/trust.ts";
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
const kept = { accounts: [{ domain: "d", username: "u", password: "p", resource: "r", pending: false }], key: "k" };
const friend = bareJid("friend@example.org");
const delegated = everyTrust.filter((name) => name !== "none");
const everyClaimed = everyOwnership.filter((name) => name.startsWith("claimed"));

/** Every state there is. */
const everyState = everyLink.flatMap((link) =>
  everyOwnership.flatMap((ownership) => everyTrust.map((trust) => [link, ownership, trust] as const)),
);

/** What is to be done, in few words. That tokens are got has tests of its own. */
const words = (effects: readonly ThingEffect[]): readonly string[] =>
  effects.filter((effect) => effect.do !== "getToken").map(inWords);

function inWords(effect: ThingEffect): string {
  switch (effect.do) {
    case "greet":
      return `greet ${[effect.registry, ...effect.servers].map(String).join(" ")}${effect.leaving ? ", empty the roster" : ""}`;
    case "introduce":
      return `introduce ${effect.servers.join(" ")}`;
    case "register":
      return `register ${String(effect.registry)}${effect.disownedBy ? `, not of ${effect.disownedBy}` : ""}`;
    case "leaveRegistry":
    case "updateTags":
    case "emptyKey":
    case "findServers":
    case "unregister":
      return `${effect.do} ${effect.registry}`;
    case "askOwner":
      return `askOwner ${effect.owner}`;
    case "examine":
    case "part":
    case "getToken":
      return `${effect.do} ${effect.jid}`;
    case "resetAccount":
      return `${effect.how} account`;
    case "clearRights":
      return effect.of === undefined ? effect.do : `clearRights of ${effect.of.join(" ")}`;
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
const followUpInPrivate = [`emptyKey ${registry}`, `askOwner ${owner}`];
const followUp = [...followUpInPrivate, `updateTags ${registry}`];
const found = (...jids: BareJid[]): ThingEvent => ({
  type: "serversFound",
  servers: jids.map((jid) => ({ jid, origin: "found" })),
});
const brought = (jid: BareJid): ThingEvent => ({ type: "serversFound", servers: [{ jid, origin: "owner" }] });
const unclaimed: OwnershipName[] = ["unregistered", "registered", "registered elsewhere", "registered, disowned"];
const selfOwned: OwnershipName[] = ["selfOwned", "selfOwned, removed"];
const notClaimed: OwnershipName[] = [...unclaimed, ...selfOwned];
const removal: ThingEvent = { type: "removed", registry };

const table: readonly Row[] = [
  // XEP-0347 3.6
  {
    event: { type: "registered", registry },
    of: ["unregistered", "registered elsewhere", "registered, disowned", ...selfOwned],
    becomes: { ownership: ownerships.registered },
  },
  { event: { type: "registered", registry }, of: ["registered", ...everyClaimed] },
  {
    event: { type: "registered", registry: otherRegistry },
    of: ["unregistered", "registered", "registered, disowned", ...selfOwned],
    becomes: { ownership: ownerships["registered elsewhere"] },
  },
  { event: { type: "registered", registry: otherRegistry }, of: ["registered elsewhere", ...everyClaimed] },
  // XEP-0347 3.9, D-3.6-13, D-3.9-22
  { event: claim, of: unclaimed, trust: delegated, becomes: { ownership: fresh }, does: followUp },
  {
    event: claim,
    of: unclaimed,
    trust: ["none"],
    becomes: { ownership: fresh },
    does: [...followUp, `findServers ${registry}`],
  },
  {
    event: privateClaim,
    of: unclaimed,
    trust: delegated,
    becomes: { ownership: { ...fresh, public: false } },
    does: followUpInPrivate,
  },
  {
    event: privateClaim,
    of: unclaimed,
    trust: ["none"],
    becomes: { ownership: { ...fresh, public: false } },
    does: [...followUpInPrivate, `findServers ${registry}`],
  },
  { event: claim, of: everyClaimed.filter((name) => name !== "claimed, private" && name !== "claimed, removed") },
  // A Registry that has the Thing again may hold its KEY.
  {
    event: claim,
    of: ["claimed, removed"],
    becomes: { ownership: ownerships["claimed, owner asked"] },
    does: [`emptyKey ${registry}`, `updateTags ${registry}`],
  },
  {
    event: privateClaim,
    of: ["claimed, removed"],
    becomes: { ownership: claimed({ public: false, ownerAsked: true }) },
    does: [`emptyKey ${registry}`],
  },
  {
    event: claim,
    of: ["claimed, private"],
    becomes: { ownership: fresh },
    does: [`emptyKey ${registry}`, `updateTags ${registry}`],
  },
  { event: privateClaim, of: ["claimed, private"] },
  {
    event: privateClaim,
    of: ["claimed"],
    becomes: { ownership: { ...fresh, public: false } },
    does: [`emptyKey ${registry}`],
  },
  {
    event: privateClaim,
    of: ["claimed, KEY emptied"],
    becomes: { ownership: { ...fresh, public: false, keyEmptied: true } },
  },
  {
    event: privateClaim,
    of: ["claimed, owner asked"],
    becomes: { ownership: { ...fresh, public: false, ownerAsked: true } },
    does: [`emptyKey ${registry}`],
  },
  {
    event: privateClaim,
    of: ["claimed, all done"],
    becomes: { ownership: { ...fresh, public: false, keyEmptied: true, ownerAsked: true } },
  },
  // A claimed Thing does not change hands without being disowned.
  { event: { ...claim, owner: thief }, of: [...everyClaimed, ...selfOwned] },
  { event: { ...claim, owner: thief, public: false }, of: [...everyClaimed, ...selfOwned] },
  // Nor does one that is its own.
  { event: claim, of: selfOwned },
  { event: privateClaim, of: selfOwned },
  // XEP-0347 3.10, D-3.10-7
  { event: removal, of: [...unclaimed, "selfOwned, removed", "claimed, removed"] },
  { event: removal, of: ["selfOwned"], becomes: { ownership: ownerships["selfOwned, removed"] } },
  {
    event: removal,
    of: ["claimed", "claimed, KEY emptied"],
    becomes: { ownership: claimed({ listed: false, keyEmptied: true }) },
  },
  {
    event: removal,
    of: ["claimed, owner asked", "claimed, all done"],
    becomes: { ownership: ownerships["claimed, removed"] },
  },
  {
    event: removal,
    of: ["claimed, private"],
    becomes: { ownership: claimed({ public: false, listed: false, keyEmptied: true }) },
  },
  { event: { ...removal, registry: otherRegistry }, of: everyOwnership },
  // XEP-0347 3.7, D-3.7-1
  {
    event: { type: "registered", registry, selfOwned: true },
    of: unclaimed,
    trust: delegated,
    becomes: { ownership: ownerships.selfOwned },
    does: [`updateTags ${registry}`],
  },
  {
    event: { type: "registered", registry, selfOwned: true },
    of: unclaimed,
    trust: ["none"],
    becomes: { ownership: ownerships.selfOwned },
    does: [`updateTags ${registry}`, `findServers ${registry}`],
  },
  { event: { type: "registered", registry, selfOwned: true }, of: [...selfOwned, ...everyClaimed] },
  // D-6.5-3
  {
    event: { type: "keyEmptied" },
    of: [...notClaimed, "claimed, KEY emptied", "claimed, all done", "claimed, removed"],
  },
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
  {
    event: { type: "ownerAsked" },
    of: [...notClaimed, "claimed, owner asked", "claimed, all done", "claimed, removed"],
  },
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
  { event: found(otherServer), of: everyOwnership, trust: delegated },
  {
    event: found(server, otherServer),
    of: everyOwnership,
    trust: ["none"],
    becomes: { trust: trustIn([server, otherServer].map((jid) => ({ jid, origin: "found" }))) },
    always: ["clearRights"],
    does: [`introduce ${server} ${otherServer}`, "reviewFriends"],
  },
  // D-3.13-1, D-E19: what is wanted goes out of a Thing that others find, and of no other
  {
    event: { type: "tagsChanged" },
    of: ["selfOwned", "claimed", "claimed, KEY emptied", "claimed, owner asked", "claimed, all done"],
    does: [`updateTags ${registry}`],
  },
  {
    event: { type: "tagsChanged" },
    of: [...unclaimed, "selfOwned, removed", "claimed, private", "claimed, removed"],
  },
  // XEP-0324 3.2, 3.5: who is a friend is asked again
  { event: { type: "rightsCleared" }, of: everyOwnership, trust: ["none"] },
  { event: { type: "rightsCleared" }, of: everyOwnership, trust: delegated, does: ["reviewFriends"] },
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
          expect(words(effects)).toEqual([...always, ...(link === "online" ? does : [])]);
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
    expect(incomplete).toHaveLength(11);
  });
});

describe("the link", () => {
  const greeting: Record<OwnershipName, string> = {
    unregistered: "undefined",
    registered: registry,
    "registered elsewhere": otherRegistry,
    "registered, disowned": registry,
    selfOwned: registry,
    "selfOwned, removed": registry,
    claimed: registry,
    "claimed, KEY emptied": registry,
    "claimed, owner asked": registry,
    "claimed, all done": registry,
    "claimed, private": registry,
    "claimed, removed": registry,
  };
  /** What is still to be done, by the kind of ownership. */
  const due: Record<OwnershipName, readonly string[]> = {
    unregistered: ["register undefined"],
    registered: [`register ${registry}`],
    "registered elsewhere": [`register ${otherRegistry}`],
    "registered, disowned": [`register ${registry}, not of ${owner}`],
    selfOwned: [`register ${registry}`],
    "selfOwned, removed": [],
    claimed: followUp,
    "claimed, KEY emptied": [`askOwner ${owner}`, `updateTags ${registry}`],
    "claimed, owner asked": [`emptyKey ${registry}`, `updateTags ${registry}`],
    "claimed, all done": [`updateTags ${registry}`],
    "claimed, private": followUpInPrivate,
    "claimed, removed": [],
  };

  test.each(everyState)(
    "D-3.13-3: that comes up when it was %s, %s, trust %s: greets, then does what is due, the search for a provisioning server too",
    (link, ownership, trust) => {
      const before = stateOf(link, ownership, trust);
      const { state, effects } = transition(before, { type: "link", link: links.online });
      expect(state).toEqual({ ...before, link: links.online });
      const servers = trust === "none" ? [] : [server];
      const search = trust === "none" && /^(claimed|selfOwned)/.test(ownership) ? [`findServers ${registry}`] : [];
      expect(words(effects)).toEqual([
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
    configured: { registry?: BareJid; servers?: readonly BareJid[]; selfOwned?: boolean } = {},
  ): ReturnType<typeof transition> =>
    transition(
      frozen(initialState),
      frozen({
        type: "loaded",
        ownership,
        trust,
        examining: [],
        parting: [],
        registry: configured.registry,
        servers: configured.servers ?? [],
        selfOwned: configured.selfOwned ?? true,
      }),
    );

  test("with nothing configured takes what was saved, but trust that was configured then", () => {
    for (const ownership of everyOwnership) {
      for (const trust of ["none", "found", "paired", "locked"] as const) {
        const { state, effects } = loaded(ownerships[ownership], trusts[trust]);
        expect(state).toEqual(stateOf("stopped", ownership, trust));
        expect(effects).toEqual([]);
      }
      const { state, effects } = loaded(ownerships[ownership], trusts.configured);
      expect(state.trust).toEqual({ is: "none" });
      expect(words(effects)).toEqual(["clearRights"]);
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

  test("D-3.7-1: a Thing that is not to be its own any more is unregistered, then registers for an owner", () => {
    for (const ownership of selfOwned) {
      const { state } = loaded(ownerships[ownership], trusts.found, { selfOwned: false });
      expect(state.ownership).toEqual({ is: "unregistered", leaving: { friends: false, registry } });
      expect(state.trust).toEqual(trusts.found);
      const up = transition(state, { type: "link", link: links.online });
      expect(words(up.effects).slice(1)).toEqual([`unregister ${registry}`, "reviewFriends"]);
      expect(words(transition(up.state, { type: "registryLeft" }).effects)).toEqual(["register undefined"]);
    }
    // One that has an owner keeps it, whatever the options say.
    for (const is of [true, false])
      expect(loaded(ownerships.claimed, trusts.none, { selfOwned: is }).state.ownership).toEqual(ownerships.claimed);
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
    expect(state.trust).toEqual(trustIn(servers.map((jid) => ({ jid, origin: "configured" }))));
    expect(words(effects)).toEqual(does);
  });

  test("P-5.2-7: one server whose address looks like two is not the same as the two", () => {
    const [one, two] = ["a", "b"] as unknown as [BareJid, BareJid];
    const trust = trustIn([{ jid: "a,b" as BareJid, origin: "found" }]);
    expect(loaded(ownerships.claimed, trust, { servers: [one, two] }).effects).toHaveLength(1);
  });
});

describe("whom the button has accepted (XEP-0324 3.1.1, 3.1.4)", () => {
  const online = (trust: Trust, examining: readonly BareJid[] = []): ThingState =>
    frozen({ link: links.online, ownership: ownerships.registered, trust, examining, parting: [] });
  const jid = friend;

  test.each(everyTrust)("is kept, then examined; trust %s", (trust) => {
    const { state, effects } = transition(online(trusts[trust]), { type: "accepted", jid });
    const allowed = trust !== "locked";
    expect(state.examining).toEqual(allowed ? [jid] : []);
    expect(words(effects)).toEqual(allowed ? [`examine ${jid}`] : []);
    expect(transition(state, { type: "accepted", jid }).effects).toEqual([]);
  });

  test("is examined on the next stream if there is none, and again on each until it has answered", () => {
    const { state, effects } = transition({ ...online(trusts.none), link: links.waiting }, { type: "accepted", jid });
    expect(effects).toEqual([]);
    for (const ownership of [ownerships.registered, ownerships["claimed, all done"]] as const) {
      const next = transition({ ...state, ownership, trust: trusts.found }, { type: "link", link: links.online });
      expect(words(next.effects)).toContain(`examine ${jid}`);
    }
  });

  test("P-3.1.1-10, P-3.1.4-5, P-5.2-7: is trusted beside the others if it is a provisioning server", () => {
    const paired = { jid, origin: "paired" };
    for (const trust of ["none", "configured", "found", "paired"] as const) {
      const { state, effects } = transition(online(trusts[trust], [jid]), { type: "examined", jid, server: true });
      const before = trusts[trust];
      expect(state.trust).toEqual({
        is: "delegated",
        servers: [...(before.is === "none" ? [] : before.servers), paired],
        locked: false,
      });
      expect(state.examining).toEqual([]);
      expect(words(effects)).toEqual(["clearRights", `introduce ${jid}`, "reviewFriends"]);
    }
  });

  test("P-3.1.1-11, P-3.1.4-5: a server that is trusted from now on is asked for a token, as the last step; the others are not", () => {
    for (const trust of ["none", "configured", "paired"] as const) {
      const { effects } = transition(online(trusts[trust], [jid]), { type: "examined", jid, server: true });
      expect(effects.filter((effect) => effect.do === "getToken")).toEqual([{ do: "getToken", jid }]);
      expect(effects.at(-1)?.do).toBe("getToken");
      const friend = transition(online(trusts[trust], [jid]), { type: "examined", jid, server: false });
      expect(friend.effects.filter((effect) => effect.do === "getToken")).toEqual([]);
    }
  });

  test("P-3.1.1-13, P-3.1.5-1: at the start of each stream every trusted server is, but not before the roster is emptied", () => {
    const before: ThingState = { ...online(trusts.paired), link: links.waiting };
    const up = transition(before, { type: "link", link: links.online });
    const wanted = trustedServers(up.state).map((server) => ({ do: "getToken", jid: server }));
    expect(wanted.length).toBeGreaterThan(0);
    expect(up.effects.filter((effect) => effect.do === "getToken")).toEqual(wanted);
    const leaving: ThingState = { ...before, ownership: { is: "unregistered", leaving: { friends: true } } };
    const emptying = transition(leaving, { type: "link", link: links.online });
    expect(emptying.effects.filter((effect) => effect.do === "getToken")).toEqual([]);
    const emptied = transition(emptying.state, { type: "friendsLeft" });
    expect(emptied.effects.filter((effect) => effect.do === "getToken")).toEqual(wanted);
  });

  test("P-6.1-2: is not trusted if trust was locked meanwhile", () => {
    const { state, effects } = transition(online(trusts.locked, [jid]), { type: "examined", jid, server: true });
    expect([state.trust, state.examining, effects]).toEqual([trusts.locked, [], []]);
  });

  test("is an ordinary friend if it is none; what nobody has asked for means nothing", () => {
    const { state, effects } = transition(online(trusts.none, [jid]), { type: "examined", jid, server: false });
    expect([state.trust, state.examining, effects]).toEqual([trusts.none, [], []]);
    const nothing = online(trusts.none);
    expect(transition(nothing, { type: "examined", jid, server: true }).state).toBe(nothing);
  });

  test("is not examined any more when it does not want to see the Thing", () => {
    const { state } = transition(online(trusts.none, [jid, server]), { type: "withdrawn", jid });
    expect(state.examining).toEqual([server]);
    expect(transition(state, { type: "withdrawn", jid }).state).toBe(state);
  });

  test("are not without bound", () => {
    let state = online(trusts.none);
    for (let i = 0; i < 40; i++) state = transition(state, { type: "accepted", jid: `a${i}@b` as BareJid }).state;
    expect(state.examining).toHaveLength(16);
    expect(state.examining.at(-1)).toBe("a39@b");
  });

  test("who was paired is trusted beside what is configured, also when it is taken out of the options", () => {
    const load = (trust: Trust, servers: readonly BareJid[]): Trust =>
      transition(initialState, { ...startOf(trust), servers }).state.trust;
    const paired = { jid: friend, origin: "paired" } as const;
    const both = load(trustIn([paired, { jid: otherServer, origin: "found" }]), [server]);
    expect(both).toEqual(trustIn([{ jid: server, origin: "configured" }, paired]));
    expect(load(both, [server])).toBe(both);
    expect(load(both, [])).toEqual(trustIn([paired]));
    expect(load(both, [friend])).toEqual(trustIn([paired]));
  });

  test("P-6.1-2: locked trust is changed by no option, and lock sticks", () => {
    for (const servers of [[], [otherServer], [server, otherServer]]) {
      const { state, effects } = transition(initialState, { ...startOf(trusts.locked), servers });
      expect([state.trust, effects]).toEqual([trusts.locked, []]);
    }
    expect(withLock(online(trusts.none)).trust).toBe(trusts.none);
    expect(withLock(online(trusts.found)).trust).toEqual({ ...trusts.found, locked: true });
    const locked = online(trusts.locked);
    expect(withLock(locked)).toBe(locked);
  });
});

function startOf(trust: Trust): Extract<ThingEvent, { type: "loaded" }> {
  return {
    type: "loaded",
    ownership: ownerships.registered,
    trust,
    examining: [],
    parting: [],
    registry: undefined,
    servers: [],
  };
}

describe("what the owner brought (X-E4, D-E18)", () => {
  const ofOwner = { jid: registry, origin: "owner" } as const;
  const bySomebody = (["configured", "found", "paired"] as const).map((origin, i) => ({
    jid: bareJid(`p${i}.example.org`),
    origin,
  }));
  const disowned: ThingEvent = { type: "disowned", registry };
  const with_ = (trust: Trust, ownership: Ownership = ownerships["claimed, all done"]): ThingState =>
    frozen({ ...stateOf("online", "claimed, all done", "none"), ownership, trust });

  test.each([false, true])("goes with the owner, the rest stays; locked: %s", (locked) => {
    const { state, effects } = transition(with_(trustIn([ofOwner, ...bySomebody], locked)), disowned);
    expect(state).toEqual({
      ...with_(trustIn(bySomebody, locked)),
      ownership: ownerships["registered, disowned"],
      parting: [owner],
    });
    expect(words(effects)).toEqual([
      "clearRights",
      `part ${owner}`,
      `register ${registry}, not of ${owner}`,
      "reviewFriends",
    ]);
  });

  test.each([false, true])("and with it all trust, if there was no other; locked: %s", (locked) => {
    const { state, effects } = transition(with_(trustIn([ofOwner], locked)), disowned);
    expect(withLock(state).trust).toEqual({ is: "none" });
    expect(words(effects)).toEqual(["clearRights", `part ${owner}`, `register ${registry}, not of ${owner}`]);
    // Another owner brings what is his.
    const next = transition(state, { ...claim, owner: thief });
    const after = [`emptyKey ${registry}`, `askOwner ${thief}`, `updateTags ${registry}`, `findServers ${registry}`];
    expect(words(next.effects)).toEqual([`part ${owner}`, ...after]);
  });

  test("is not there for another owner, however the one of before has gone", () => {
    for (const locked of [false, true]) {
      const before = with_(trustIn([ofOwner, ...bySomebody], locked), ownerships.registered);
      const { state, effects } = transition(before, claim);
      expect(state.trust).toEqual(trustIn(bySomebody, locked));
      expect(words(effects)).toEqual(["clearRights", ...followUp]);
      const alone = transition(with_(trustIn([ofOwner], locked), ownerships.registered), claim);
      expect(words(alone.effects)).toEqual(["clearRights", ...followUp, `findServers ${registry}`]);
    }
  });

  test("disowned by somebody else, or not claimed at all, means nothing", () => {
    const before = with_(trustIn([ofOwner]));
    expect(transition(before, { ...disowned, registry: otherRegistry }).state).toBe(before);
    const unclaimed = with_(trusts.found, ownerships.registered);
    expect(transition(unclaimed, disowned)).toEqual({ state: unclaimed, effects: [] });
  });

  test("offline nothing goes out; what is due comes on the next stream", () => {
    const away = { ...with_(trustIn([ofOwner])), link: links.waiting };
    const { state, effects } = transition(away, disowned);
    expect(words(effects)).toEqual(["clearRights"]);
    const up = transition(state, { type: "link", link: links.online });
    expect(words(up.effects)).toEqual([`greet ${registry}`, `part ${owner}`, `register ${registry}, not of ${owner}`]);
  });

  test("what was found for an owner who has gone meanwhile is trusted by nobody", () => {
    for (const ownership of [ownerships.registered, ownerships.unregistered, claimed({ owner: thief })]) {
      const state = with_(trusts.none, ownership);
      expect(transition(state, brought(owner)).state).toBe(state);
    }
    const found = transition(with_(trusts.none), brought(owner)).state;
    expect(found.trust).toEqual(trustIn([{ jid: owner, origin: "owner" }]));
    expect(transition(with_(trusts.none), brought(registry)).state.trust).toEqual(trustIn([ofOwner]));
  });

  test("a configured list takes its place, as that of what was found", () => {
    const load = (servers: readonly BareJid[]): Trust =>
      transition(initialState, { ...startOf(trustIn([ofOwner])), servers }).state.trust;
    expect(load([server])).toEqual(trustIn([{ jid: server, origin: "configured" }]));
    expect(load([])).toEqual(trustIn([ofOwner]));
  });
});

describe("a friendship that is to end (XEP-0324 3.2.3)", () => {
  const jid = friend;
  const to = (parting: readonly BareJid[], examining: readonly BareJid[] = []): ThingState =>
    frozen({ ...stateOf("online", "claimed, all done", "found"), parting, examining });

  test("P-3.2.3-5: is kept, then ended; who was accepted by button a moment ago is examined no more", () => {
    const { state, effects } = transition(to([], [jid, otherServer]), { type: "unfriended", jid });
    expect([state.parting, state.examining]).toEqual([[jid], [otherServer]]);
    expect(words(effects)).toEqual([`part ${jid}`]);
    expect(transition(state, { type: "unfriended", jid })).toEqual({ state, effects: [] });
    expect(transition(state, { type: "parted", jid }).state.parting).toEqual([]);
    expect(transition(to([]), { type: "parted", jid }).effects).toEqual([]);
  });

  test("is ended on the next stream if this one is gone, and after a power cut; what it may do is forgotten first", () => {
    const { state, effects } = transition({ ...to([]), link: links.waiting }, { type: "unfriended", jid });
    expect(effects).toEqual([]);
    const up: ThingEvent = { type: "link", link: links.online };
    expect(words(transition(state, up).effects)).toContain(`part ${jid}`);
    const stored = parseSaved({ ...kept, ...(JSON.parse(JSON.stringify(state)) as object) }, SAVED_FORMAT);
    const started = transition(initialState, { ...startOf(trusts.found), parting: stored.parting });
    expect(words(started.effects)).toEqual([`clearRights of ${jid}`]);
    expect(words(transition(started.state, up).effects)).toContain(`part ${jid}`);
    // With other servers everything is forgotten anyway.
    const moved = transition(initialState, { ...startOf(trusts.found), parting: [jid], servers: [otherServer] });
    expect(words(moved.effects)).toEqual(["clearRights"]);
  });

  test("means nothing while the roster is emptied, nor at another address", () => {
    const leaving = transition(to([jid]), { type: "reset" }).state;
    expect(leaving.parting).toEqual([]);
    expect(transition(leaving, { type: "unfriended", jid }).state).toBe(leaving);
    const unregistered = { ...to([jid]), ownership: ownerships.unregistered };
    expect(transition(unregistered, { type: "moved" }).state.parting).toEqual([]);
  });

  test("are not without bound", () => {
    let state = to([]);
    for (let i = 0; i < 150; i++) state = transition(state, { type: "unfriended", jid: `a${i}@b` as BareJid }).state;
    expect([state.parting.length, state.parting.at(-1)]).toEqual([100, "a149@b"]);
  });
});

describe("a factory reset (X-E4, P-6.1-2)", () => {
  test.each(everyState)("when it was %s, %s, trust %s: leaves nothing of before", (link, ownership, trust) => {
    const before = frozen({ ...stateOf(link, ownership, trust), examining: [friend] });
    const { state, effects } = transition(before, { type: "reset" });
    const known = ownership === "unregistered" ? undefined : ownerships[ownership].registry;
    expect(state).toEqual({
      link: links[link],
      ownership: { is: "unregistered", leaving: { friends: true, ...(known && { registry: known }) } },
      trust: { is: "none" },
      examining: [],
      parting: [],
    });
    const greets = link === "online" ? ["greet undefined, empty the roster"] : [];
    expect(words(effects)).toEqual(["clearRights", ...greets]);
  });

  test("D-3.16-1, D-E20: takes back friends, then the registration, then registers anew; whatever is cut in between", () => {
    const up: ThingEvent = { type: "link", link: links.online };
    let step = transition(stateOf("online", "claimed, all done", "locked"), { type: "reset" });
    const expectDue = (...due: string[]): void => {
      // The same whether it goes on, or begins anew on another stream, or after a power cut.
      const stored = parseSaved({ ...kept, ...(JSON.parse(JSON.stringify(step.state)) as object) }, SAVED_FORMAT);
      const { ownership, trust, examining, parting } = stored;
      const restarted = transition(initialState, { ...startOf(trust), ownership, examining, parting }).state;
      for (const state of [step.state, restarted]) {
        expect(words(transition(state, up).effects).slice(1)).toEqual(due);
      }
    };
    expect(words(transition(step.state, up).effects)).toEqual(["greet undefined, empty the roster"]);
    expectDue();
    step = transition(step.state, { type: "friendsLeft" });
    expect(words(step.effects)).toEqual([`unregister ${registry}`]);
    expectDue(`unregister ${registry}`);
    step = transition(step.state, { type: "registryLeft" });
    expect(words(step.effects)).toEqual(["register undefined"]);
    expectDue("register undefined");
    expect(step.state).toEqual({ ...initialState, link: links.online });
  });

  test.each(everyState)(
    "D-6.2-1: on another domain, when it was %s, %s, trust %s: is changed only if nobody knows it",
    (...of) => {
      const before = frozen({ ...stateOf(...of), examining: [friend] });
      const { state, effects } = transition(before, { type: "moved" });
      expect(effects).toEqual([]);
      if (of[1] !== "unregistered") expect(state).toBe(before);
      else expect(state).toEqual({ ...before, examining: [], parting: [] });
    },
  );

  test("has nothing to take back once the Thing is on another domain, and changes nothing if there was nothing", () => {
    const { state } = transition(stateOf("online", "claimed", "none"), { type: "reset" });
    const moved = transition(frozen({ ...state, link: links.waiting }), { type: "moved" });
    expect(moved).toEqual({ state: { ...initialState, link: links.waiting }, effects: [] });
    expect(transition(moved.state, { type: "moved" }).state).toBe(moved.state);
    expect(words(transition(moved.state, { type: "link", link: links.online }).effects)).toEqual([
      "greet undefined",
      "register undefined",
    ]);
  });

  test("does not take the word of the Registry for an owner until it has forgotten the one before", () => {
    const { state } = transition(stateOf("online", "claimed", "none"), { type: "reset" });
    const left = transition(state, { type: "friendsLeft" }).state;
    for (const before of [state, left]) expect(transition(before, claim).state).toBe(before);
    const forgotten = transition(left, { type: "registryLeft" }).state;
    expect(ownerOf(transition(forgotten, claim).state)).toBe(owner);
    expect(transition(left, { type: "registered", registry }).state.ownership).toEqual(ownerships.registered);
  });

  test("with another Registry configured has nothing to take back at the one before", () => {
    const leave = (friends: boolean, configured: BareJid): Ownership => {
      const ownership: Ownership = { is: "unregistered", leaving: { friends, registry } };
      return transition(initialState, { ...startOf(trusts.none), ownership, registry: configured }).state.ownership;
    };
    expect(leave(true, otherRegistry)).toEqual({ is: "unregistered", leaving: { friends: true } });
    expect(leave(false, otherRegistry)).toEqual({ is: "unregistered" });
    expect(leave(false, registry)).toEqual({ is: "unregistered", leaving: { friends: false, registry } });
  });

  test("of a Thing that was reset and has not left yet still knows what to leave", () => {
    const once = transition(stateOf("waiting", "claimed", "found"), { type: "reset" }).state;
    expect(transition(once, { type: "reset" }).state.ownership).toEqual(once.ownership);
    for (const event of [{ type: "accepted", jid: friend }, found(server)] as const)
      expect(transition(once, event).state).toBe(once);
    const idle = stateOf("online", "registered", "none");
    for (const type of ["friendsLeft", "registryLeft"] as const) expect(transition(idle, { type }).state).toBe(idle);
    const early = transition(once, { type: "registryLeft" }).state;
    expect(early.ownership).toEqual({ is: "unregistered", leaving: { friends: true } });
  });
});

describe("whatever happens, in whatever order", () => {
  const pick = <T>(random: SeededRandom, list: readonly T[]): T =>
    list[Math.floor(randomFraction(random) * list.length)] as T;

  function anEvent(random: SeededRandom): ThingEvent {
    const jid = pick(random, [registry, otherRegistry]);
    return pick<() => ThingEvent>(random, [
      () => ({ type: "link", link: links[pick(random, everyLink)] as Link }),
      () => ({ type: "moved" }),
      () => ({ type: "link", link: links.online }),
      () => ({ type: "registered", registry: jid, selfOwned: pick(random, [true, false, false]) }),
      () => ({
        type: "claimed",
        registry: jid,
        owner: pick(random, [owner, thief]),
        public: pick(random, [true, false]),
      }),
      () => ({ type: "keyEmptied" }),
      () => ({ type: "ownerAsked" }),
      () => ({ type: "rightsCleared" }),
      () => ({ type: "tagsChanged" }),
      () => pick(random, [found(), found(server), found(otherServer, server), brought(registry), brought(owner)]),
      () => ({ type: "disowned", registry: jid }),
      () => ({ type: "removed", registry: jid }),
      () => ({ type: "unfriended", jid: pick(random, [friend, thief, otherServer]) }),
      () => ({ type: "parted", jid: pick(random, [friend, thief]) }),
      () => ({ type: "accepted", jid: pick(random, [friend, server, otherServer]) }),
      () => ({
        type: "examined",
        jid: pick(random, [friend, server, otherServer]),
        server: pick(random, [true, false]),
      }),
      () => ({ type: "withdrawn", jid: pick(random, [friend, otherServer]) }),
      () => pick(random, [{ type: "friendsLeft" }, { type: "registryLeft" }, { type: "reset" }] as const),
    ])();
  }

  function aStart(random: SeededRandom): ThingEvent {
    return {
      type: "loaded",
      ownership: ownerships[pick(random, everyOwnership)],
      trust: trusts[pick(random, everyTrust)],
      examining: pick(random, [[], [friend], [friend, otherServer]]),
      parting: pick(random, [[], [], [friend], [friend, thief]]),
      registry: pick(random, [undefined, registry, otherRegistry]),
      servers: pick(random, [[], [server], [otherServer]]),
      selfOwned: pick(random, [true, false]),
    };
  }

  function check(before: ThingState, event: ThingEvent, state: ThingState, effects: readonly ThingEffect[]): void {
    const { ownership, trust, link, examining, parting } = state;
    const leaving = ownership.is === "unregistered" ? ownership.leaving : undefined;
    if (event.type === "reset") {
      // Nothing of before is left.
      expect([ownerOf(state), trust, examining, parting]).toEqual([undefined, { is: "none" }, [], []]);
      expect(effects.map((effect) => effect.do)).toEqual(["clearRights", ...(link.is === "online" ? ["greet"] : [])]);
      return;
    }
    // An owner goes by the word of the Registry only, and never changes without a new registration.
    const goes = event.type === "disowned" && before.ownership.is === "claimed" && ownership.is === "registered";
    if (goes) {
      expect(event.registry).toBe(before.ownership.registry);
      // D-3.17-7: and is a friend no more.
      expect(parting.concat(trustedServers(state))).toContain(ownerOf(before));
    } else if (before.ownership.is === "claimed" || event.type !== "claimed") {
      expect(ownerOf(state)).toBe(ownerOf(before));
    }
    // X-E4: what an owner has brought is there while that owner is.
    const ofOwners = trust.is === "none" ? [] : trust.servers.filter(({ origin }) => origin === "owner");
    if (ofOwners.length > 0) expect(ownership.is).toBe("claimed");
    // What was done is never undone.
    if (before.ownership.is === "claimed" && ownership.is === "claimed") {
      const isBack = event.type === "claimed" && ownership.listed && !before.ownership.listed;
      expect(ownership.keyEmptied || !before.ownership.keyEmptied || isBack).toBe(true);
      expect(ownership.ownerAsked || !before.ownership.ownerAsked).toBe(true);
      expect(ownership.registry).toBe(before.ownership.registry);
    }
    // Nobody takes the place of who is trusted. Only the button adds to trust, and to locked trust not even that.
    if (before.trust.is === "delegated" && goes) {
      const staying = before.trust.servers.filter(({ origin }) => origin !== "owner");
      expect(trust).toEqual(trustIn(staying, before.trust.locked));
    } else if (before.trust.is === "delegated") {
      if (event.type !== "examined" || before.trust.locked) expect(trust).toBe(before.trust);
      expect(trustedServers(state).slice(0, before.trust.servers.length)).toEqual(trustedServers(before));
    }
    const added = trustedServers(state).filter((jid) => !trustedServers(before).includes(jid));
    if (event.type === "examined" && added.length > 0) expect(before.examining).toEqual(expect.arrayContaining(added));
    // Whoever is accepted by button is examined until that is answered, or withdrawn, or the Thing has another address.
    for (const jid of before.examining) {
      const elsewhere = event.type === "moved" && before.ownership.is === "unregistered";
      const isAnswer = event.type === "examined" || event.type === "withdrawn" || event.type === "unfriended";
      const ends = elsewhere || (isAnswer && event.jid === jid);
      if (event.type !== "unfriended" || leaving?.friends !== true) expect(examining.includes(jid)).toBe(!ends);
    }
    // Whose friendship is to end is done with when it has ended, and not before.
    for (const jid of before.parting) {
      const elsewhere = event.type === "moved" && before.ownership.is === "unregistered";
      const isBack = event.type === "claimed" && ownerOf(state) === jid && ownerOf(before) === undefined;
      expect(parting.includes(jid)).toBe(!elsewhere && !isBack && !(event.type === "parted" && event.jid === jid));
    }
    // Other servers decide: nothing that the ones before said may stand in for them.
    const done = effects.map((effect) => effect.do);
    const others = String(trustedServers(state)) !== String(trustedServers(before));
    expect(done.includes("clearRights")).toBe(others || goes);
    // Offline nothing goes out.
    if (link.is !== "online") expect(done.filter((one) => one !== "clearRights")).toEqual([]);
    expect(done.includes("greet")).toBe(event.type === "link" && event.link.is === "online");
    if (done.includes("greet")) expect(done[0]).toBe("greet");
    expect(new Set(effects.map(inWords)).size).toBe(done.length);
    for (const effect of effects) {
      // Nobody is befriended, and nobody claims, before those of before are gone.
      if (leaving?.friends === true) expect(["greet", "clearRights"]).toContain(effect.do);
      if (leaving?.registry !== undefined) expect(["register", "emptyKey", "askOwner"]).not.toContain(effect.do);
      if (effect.do === "examine") expect(examining).toContain(effect.jid);
      if (effect.do === "getToken") expect(trustedServers(state)).toContain(effect.jid);
      if (effect.do === "part") expect(parting).toContain(effect.jid);
      if (effect.do === "register") expect(ownership.is).not.toBe("claimed");
      if (effect.do === "emptyKey")
        expect(ownership).toMatchObject({ is: "claimed", keyEmptied: false, registry: effect.registry });
      if (effect.do === "askOwner")
        expect(ownership).toMatchObject({ is: "claimed", ownerAsked: false, owner: effect.owner });
      if (effect.do === "findServers") {
        expect([ownership.is === "selfOwned" || ownership.is, trust.is]).toEqual([
          effect.owner ? "claimed" : true,
          "none",
        ]);
      }
    }
    // Nothing is done because of nothing.
    if (state === before && event.type !== "rightsCleared" && event.type !== "tagsChanged") expect(effects).toEqual([]);
    // Whatever comes about can be kept and read again.
    const saved = parseSaved(
      JSON.parse(JSON.stringify({ ...kept, ownership, trust, examining, parting })),
      SAVED_FORMAT,
    );
    expect([saved.ownership, saved.trust]).toEqual([ownership, trust]);
    expect([saved.examining, saved.parting]).toEqual([examining, parting]);
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

describe("what a factory reset does with the account", () => {
  const online: ThingState = { ...stateOf("online", "registered", "none") };
  const reset = (account?: AccountReset): ThingState => transition(online, { type: "reset", account }).state;
  const apply = (state: ThingState, ...events: ThingEvent[]) =>
    events.reduce<Step>(({ state: before }, event) => transition(before, event), { state, effects: [] });
  const done = (outcome: "changed" | "removed" | "kept"): ThingEvent => ({ type: "accountLeft", domain: "d", outcome });

  test.each(["new-password", "remove"] as const)("is kept until it is done, and done last: %s", (account) => {
    const state = reset(account);
    expect(state.ownership).toEqual({ is: "unregistered", leaving: { friends: true, registry, account } });
    const unfriended = apply(state, { type: "friendsLeft" });
    expect(words(unfriended.effects)).toEqual([`unregister ${registry}`]);
    const forgotten = apply(unfriended.state, { type: "registryLeft" });
    expect(words(forgotten.effects)).toEqual([`${account} account`]);
    expect(forgotten.state.ownership).toEqual({ is: "unregistered", leaving: { friends: false, account } });
    // A Registry that forgets nobody, and took a registration in its place.
    expect(apply(unfriended.state, { type: "registered", registry })).toEqual(forgotten);
    // Nobody claims the Thing meanwhile.
    expect(apply(forgotten.state, claim).state).toBe(forgotten.state);
  });

  test("lets the Thing register afterwards; with an account that was removed on the next stream only", () => {
    const leaving = apply(reset("remove"), { type: "friendsLeft" }, { type: "registryLeft" }).state;
    expect(words(apply(leaving, done("kept")).effects)).toEqual(["register undefined"]);
    expect(words(apply(leaving, done("changed")).effects)).toEqual(["register undefined"]);
    const removed = apply(leaving, done("removed"));
    expect(removed).toEqual({ state: { ...leaving, ownership: { is: "unregistered" } }, effects: [] });
    expect(apply(online, done("removed")).state).toBe(online);
  });

  test("is not forgotten by a second reset, nor by another Registry in the options", () => {
    const account = "remove";
    const again = transition(reset(account), { type: "reset" }).state;
    expect(again.ownership).toEqual({ is: "unregistered", leaving: { friends: true, registry, account } });
    const { ownership, trust, examining, parting } = apply(again, { type: "friendsLeft" }).state;
    const loaded = {
      type: "loaded",
      ownership,
      trust,
      examining,
      parting,
      registry: otherRegistry,
      servers: [],
    } as const;
    expect(transition(initialState, loaded).state.ownership).toEqual({
      is: "unregistered",
      leaving: { friends: false, account },
    });
  });
});
