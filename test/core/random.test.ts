import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomFraction, randomHex, randomToken, systemRandom } from "../../src/core/random.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";

describe("systemRandom", () => {
  it("gives as many bytes as asked for, others each time", () => {
    expect(systemRandom.bytes(0)).toHaveLength(0);
    const seen = new Set(Array.from({ length: 200 }, () => Buffer.from(systemRandom.bytes(16)).toString("hex")));
    expect(seen.size).toBe(200);
    for (const text of seen) expect(text).toHaveLength(32);
  });

  it("keeps nothing of what it has given, however much is asked for: nobody else is given a byte of it", () => {
    const given = [16, 64, 65, 1, 2_000, 63, 64].flatMap((count) => {
      const lists = Array.from({ length: 40 }, () => systemRandom.bytes(count));
      for (const bytes of lists) expect(bytes).toHaveLength(count);
      return lists;
    });
    expect(new Set(given.map(({ buffer }) => buffer)).size).toBe(given.length);
    for (const bytes of given) if (bytes.length >= 16) expect(bytes.some((byte) => byte !== 0)).toBe(true);
    given[0]?.fill(0);
    expect(Buffer.from(systemRandom.bytes(16))).not.toEqual(Buffer.alloc(16));
  });
});

describe("randomToken", () => {
  it("holds 128 bits unless told otherwise, in characters that need no escape anywhere", () => {
    const random = new SeededRandom("tokens");
    for (let n = 0; n < 100; n++) expect(randomToken(random)).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(Buffer.from(randomToken(random, 32), "base64url")).toHaveLength(32);
  });

  it("follows its source: the same seed, the same tokens; another, others", () => {
    expect(randomToken(new SeededRandom(1))).toBe(randomToken(new SeededRandom(1)));
    expect(randomToken(new SeededRandom(1))).not.toBe(randomToken(new SeededRandom(2)));
  });
});

describe("randomHex", () => {
  it("has two lower-case digits a byte", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 64 }), (seed, bytes) => {
        const text = randomHex(new SeededRandom(seed), bytes);
        expect(text).toMatch(/^[0-9a-f]*$/);
        expect(text).toHaveLength(2 * bytes);
      }),
    );
  });
});

describe("randomFraction", () => {
  it("is at least 0 and less than 1, at both ends of its source", () => {
    expect(randomFraction({ bytes: (count) => new Uint8Array(count) })).toBe(0);
    const highest = randomFraction({ bytes: (count) => new Uint8Array(count).fill(0xff) });
    expect(highest).toBeLessThan(1);
    expect(highest).toBeGreaterThan(0.999999);
  });

  it("is spread evenly", () => {
    const random = new SeededRandom("spread");
    const sum = Array.from({ length: 4_000 }, () => randomFraction(random)).reduce((a, b) => a + b, 0);
    expect(sum / 4_000).toBeGreaterThan(0.48);
    expect(sum / 4_000).toBeLessThan(0.52);
  });
});
