import { describe, expect, test } from "vitest";
import { capsOf } from "../../src/codec/caps.ts";
import { buildInfo } from "../../src/codec/disco.ts";
import { KnownCaps } from "../../src/connection/known-caps.ts";

const can = (...features: string[]) => ({ identities: [], features });
const print = (...features: string[]) => capsOf(can(...features), "urn:program");

describe("what fingerprints stand for (XEP-0115 5.4)", () => {
  test("is what somebody answered whose fingerprint proves it", () => {
    const known = new KnownCaps();
    expect(known.featuresOf(print("a", "b"))).toBeUndefined();
    known.learn(print("a", "b"), buildInfo(can("b", "a")));
    expect([...(known.featuresOf(print("a", "b")) ?? [])].sort()).toEqual(["a", "b"]);
  });

  test("is not what the fingerprint does not prove, in this hash function or another", () => {
    const known = new KnownCaps();
    known.learn(print("a"), buildInfo(can("a", "b")));
    known.learn({ ...print("a"), hash: "sha-256" }, buildInfo(can("a")));
    known.learn({ ...print("a"), hash: "md5" }, buildInfo(can("a")));
    expect(["sha-1", "sha-256", "md5"].map((hash) => known.featuresOf({ ...print("a"), hash }))).toEqual(
      Array(3).fill(undefined),
    );
  });

  test("is kept for a hundred, the last used of them", () => {
    const known = new KnownCaps();
    const name = (i: number): string => `urn:${i}`;
    for (let i = 0; i < 100; i++) known.learn(print(name(i)), buildInfo(can(name(i))));
    expect(known.featuresOf(print(name(0)))).toBeDefined();
    known.learn(print("one more"), buildInfo(can("one more")));
    expect([0, 1, 2].map((i) => known.featuresOf(print(name(i))) !== undefined)).toEqual([true, false, true]);
  });

  test.each([
    ["more features than anybody has", Array.from({ length: 257 }, (_, i) => `urn:${i}`)],
    ["a feature of more than 256 characters", ["x".repeat(257)]],
  ])("is not kept of an answer with %s", (_, features) => {
    const known = new KnownCaps();
    known.learn(print(...features), buildInfo(can(...features)));
    expect(known.featuresOf(print(...features))).toBeUndefined();
  });
});
