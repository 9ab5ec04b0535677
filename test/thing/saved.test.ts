import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { SAVED_FORMAT, parseSaved, type Saved } from "../../src/thing/saved.ts";
import type { Ownership, Trust } from "../../src/thing/state.ts";

const text = fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: "binary", minLength: 1 }));
const jid = fc.constantFrom("a@example.org", "example.org", "ü@éxample.org", "a.b-c@x.y.z").map((one) => bareJid(one));
const ownership: fc.Arbitrary<Ownership> = fc.oneof(
  fc.constant({ is: "unregistered" as const }),
  fc.record({
    is: fc.constant("unregistered" as const),
    leaving: fc.record(
      { friends: fc.boolean(), registry: jid, account: fc.constantFrom("new-password" as const, "remove" as const) },
      { requiredKeys: ["friends"] },
    ),
  }),
  fc.record({ is: fc.constant("registered" as const), registry: jid }),
  fc.record({ is: fc.constant("registered" as const), registry: jid, disownedBy: jid }),
  fc.record({ is: fc.constant("selfOwned" as const), registry: jid, listed: fc.boolean() }),
  fc.record({
    is: fc.constant("claimed" as const),
    registry: jid,
    owner: jid,
    public: fc.boolean(),
    listed: fc.boolean(),
    keyEmptied: fc.boolean(),
    ownerAsked: fc.boolean(),
  }),
);
const trust: fc.Arbitrary<Trust> = fc.oneof(
  fc.constant({ is: "none" as const }),
  fc.record({
    is: fc.constant("delegated" as const),
    servers: fc.array(
      fc.record({ jid, origin: fc.constantFrom(...(["configured", "found", "owner", "paired"] as const)) }),
      { minLength: 1, maxLength: 4 },
    ),
    locked: fc.boolean(),
  }),
);
const saved: fc.Arbitrary<Saved> = fc.record({
  accounts: fc.uniqueArray(
    fc.record({ domain: text, username: text, password: text, resource: text, pending: fc.boolean() }),
    { selector: ({ domain }) => domain, minLength: 1, maxLength: 8 },
  ),
  key: text,
  ownership,
  trust,
  examining: fc.array(jid, { maxLength: 3 }),
  parting: fc.array(jid, { maxLength: 3 }),
});

const whole = {
  accounts: [
    { domain: "example.org", username: "thing-1", password: "secret", resource: "r", pending: true },
    { domain: "example.net", username: "thing-2", password: "other", resource: "s", pending: false },
  ],
  key: "4857402340298342",
  ownership: {
    is: "claimed",
    registry: "discovery.example.org",
    owner: "owner@example.org",
    public: true,
    listed: true,
    keyEmptied: false,
    ownerAsked: true,
  },
  trust: {
    is: "delegated",
    servers: [
      { jid: "provisioning.example.org", origin: "configured" },
      { jid: "server@example.net", origin: "paired" },
    ],
    locked: false,
  },
  examining: ["phone@example.org"],
  parting: ["former@example.org"],
};

/** The same value, with one part of it replaced. */
function damaged(path: readonly (string | number)[], by: unknown): unknown {
  const copy = structuredClone(whole) as unknown;
  const last = path.at(-1);
  if (last === undefined) return by;
  let at = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  if (by === undefined) Reflect.deleteProperty(at, last);
  else at[last] = by;
  return copy;
}

describe("what is kept of a Thing", () => {
  test("is read as it was written", () => {
    fc.assert(
      fc.property(saved, (value) => {
        expect(parseSaved(JSON.parse(JSON.stringify(value)), SAVED_FORMAT)).toEqual(value);
      }),
    );
  });

  test("is in the fifth format, and whole as an example", () => {
    expect([SAVED_FORMAT, parseSaved(whole, SAVED_FORMAT)]).toEqual([5, whole]);
  });

  test("holds nothing that was not meant", () => {
    const more = {
      ...whole,
      extra: 1,
      accounts: whole.accounts.map((account) => ({ ...account, admin: true })),
      trust: { is: "none", servers: ["x"] },
    };
    expect(parseSaved(more, SAVED_FORMAT)).toEqual({ ...whole, trust: { is: "none" } });
  });

  const texts: (string | number)[][] = [
    ["accounts", 0, "domain"],
    ["accounts", 1, "username"],
    ["accounts", 0, "username"],
    ["accounts", 0, "password"],
    ["accounts", 0, "resource"],
    ["key"],
  ];
  const booleans: (string | number)[][] = [
    ["accounts", 0, "pending"],
    ["ownership", "public"],
    ["ownership", "listed"],
    ["ownership", "keyEmptied"],
    ["ownership", "ownerAsked"],
    ["trust", "locked"],
  ];
  const jids: (string | number)[][] = [
    ["ownership", "registry"],
    ["ownership", "owner"],
    ["trust", "servers", 0, "jid"],
    ["trust", "servers", 1, "jid"],
    ["examining", 0],
    ["parting", 0],
  ];
  const objects: (string | number)[][] = [
    [],
    ["accounts"],
    ["accounts", 0],
    ["ownership"],
    ["trust"],
    ["trust", "servers", 0],
  ];
  const cases: [string, readonly (string | number)[], unknown][] = [
    ...texts.flatMap((path) => [undefined, null, "", 5, true, {}, ["x"]].map((by) => ["", path, by] as const)),
    ...booleans.flatMap((path) => [undefined, null, "true", 1, {}].map((by) => ["", path, by] as const)),
    ...jids.flatMap((path) => [null, "", "@", "a@b/c", "A@b", 5, {}].map((by) => ["", path, by] as const)),
    ...objects.flatMap((path) => [null, "x", 5, true, []].map((by) => ["", path, by] as const)),
    ...["ownership", "trust"].flatMap((part) =>
      [undefined, null, "disowned", 1].map((by) => ["", [part, "is"], by] as const),
    ),
    ...[undefined, null, [], "provisioning.example.org", { length: 1 }].map(
      (by) => ["", ["trust", "servers"], by] as const,
    ),
    ...[undefined, null, "somewhere", true, ["owner"]].map(
      (by) => ["", ["trust", "servers", 0, "origin"], by] as const,
    ),
    ...["examining", "parting"].flatMap((part) =>
      [undefined, null, "a@b", { length: 0 }].map((by) => ["", [part], by] as const),
    ),
    ...[undefined, null, "a@b", { length: 0 }, []].map((by) => ["", ["accounts"], by] as const),
    ...["key", "ownership", "trust"].map((part) => ["", [part], undefined] as const),
  ].map(([, path, by]) => [`${path.join(".")} is ${JSON.stringify(by)}`, path, by]);

  test.each(cases)("is damaged when %s", (_, path, by) => {
    expect(() => parseSaved(damaged(path, by), SAVED_FORMAT)).toThrow();
  });

  test("is damaged with two accounts on one domain", () => {
    expect(() => parseSaved(damaged(["accounts", 1, "domain"], "example.org"), SAVED_FORMAT)).toThrow();
  });

  test("has no account before a server was found, but is damaged if it is registered without one", () => {
    const none = { ...whole, accounts: [], ownership: { is: "unregistered" } };
    expect(parseSaved(none, SAVED_FORMAT).accounts).toEqual([]);
    expect(() => parseSaved({ ...whole, accounts: [] }, SAVED_FORMAT)).toThrow();
  });

  test("of a Thing that is registered is damaged without its Registry", () => {
    expect(() => parseSaved(damaged(["ownership"], { is: "registered" }), SAVED_FORMAT)).toThrow();
    expect(parseSaved(damaged(["ownership"], { is: "registered", registry: "a.b" }), SAVED_FORMAT).ownership).toEqual({
      is: "registered",
      registry: "a.b",
    });
  });

  test.each([
    { is: "registered", registry: "a.b", disownedBy: "A@b" },
    { is: "registered", registry: "a.b", disownedBy: null },
    { is: "selfOwned", registry: "a.b" },
    { is: "selfOwned", registry: "a.b", listed: "no" },
    { is: "selfOwned", listed: true },
  ])("is damaged with the ownership %j", (ownership) => {
    expect(() => parseSaved(damaged(["ownership"], ownership), SAVED_FORMAT)).toThrow();
  });

  test.each([1, 2, 3, 4])("up to format 4 a Thing that is claimed stands in its Registry (format %i)", (format) => {
    const { listed, ...ownership } = whole.ownership;
    const old = { ...whole, domain: "example.org", account: whole.accounts[0], ownership, trust: { is: "none" } };
    expect(parseSaved(old, format).ownership).toEqual({ ...ownership, listed });
    expect(() => parseSaved(old, 5)).toThrow();
  });

  describe("X-E4: up to format 3, what was found", () => {
    const savedIn = (format: number, ownership: unknown, trust: unknown): Saved =>
      parseSaved({ ...whole, domain: "example.org", account: whole.accounts[0], ownership, trust }, format);
    const of = (format: number, ownership: unknown, trust: unknown): Trust => savedIn(format, ownership, trust).trust;
    const found = (...jids: string[]): unknown => ({
      is: "delegated",
      servers: jids.map((jid) => ({ jid, origin: "found" })),
      locked: true,
    });

    test.each([2, 3])("at the owner, or at the Registry of the claim, came with the owner (format %i)", (format) => {
      const trust = found("owner@example.org", "discovery.example.org", "provisioning.example.org");
      expect(of(format, whole.ownership, trust)).toEqual({
        is: "delegated",
        servers: [
          { jid: "owner@example.org", origin: "owner" },
          { jid: "discovery.example.org", origin: "owner" },
          { jid: "provisioning.example.org", origin: "found" },
        ],
        locked: true,
      });
    });

    test("also in format 1; what was configured, and what is found without an owner, stays what it was", () => {
      const old = { is: "delegated", servers: ["discovery.example.org"], origin: "found" };
      expect(of(1, whole.ownership, old)).toMatchObject({ servers: [{ origin: "owner" }] });
      const registered = { is: "registered", registry: "discovery.example.org" };
      expect(of(3, registered, found("discovery.example.org"))).toMatchObject({ servers: [{ origin: "found" }] });
      const configured = {
        is: "delegated",
        servers: [{ jid: "owner@example.org", origin: "configured" }],
        locked: false,
      };
      expect(of(3, whole.ownership, configured)).toEqual(configured);
      expect(of(3, whole.ownership, { is: "none" })).toEqual({ is: "none" });
    });

    test("from format 4 on it is what it says", () => {
      for (const format of [4, 5])
        expect(savedIn(format, whole.ownership, found("owner@example.org")).trust).toEqual(found("owner@example.org"));
    });
  });
});
