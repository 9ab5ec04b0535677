import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressNumber, isInRange, mappedNumber, parseRange } from "../../src/sandbox/address-range.ts";

const shown = (number: bigint): string =>
  Array.from({ length: 8 }, (_, i) => ((number >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(":");
const isIn = (family: "ip4" | "ip6", range: string, address: string): boolean => {
  const [parsed, number] = [parseRange(family, range), addressNumber(family, address)];
  return parsed !== undefined && number !== undefined && isInRange(parsed, number);
};

describe("IPv4 addresses and ranges", () => {
  it("are single addresses, networks, and from one to another", () => {
    expect(isIn("ip4", "10.0.0.1", "10.0.0.1")).toBe(true);
    expect(isIn("ip4", "10.0.0.1", "10.0.0.2")).toBe(false);
    expect(isIn("ip4", "10.0.0.0/8", "10.255.255.255")).toBe(true);
    expect(isIn("ip4", "10.0.0.0/8", "11.0.0.0")).toBe(false);
    expect(isIn("ip4", "10.9.8.7/8", "10.0.0.0")).toBe(true); // the bits behind the network say nothing
    expect(isIn("ip4", "0.0.0.0/0", "255.255.255.255")).toBe(true);
    expect(isIn("ip4", "10.0.0.1-10.0.0.9", "10.0.0.9")).toBe(true);
    expect(isIn("ip4", "10.0.0.1-10.0.0.9", "10.0.0.10")).toBe(false);
    expect(isIn("ip4", "255.255.255.255/32", "255.255.255.255")).toBe(true);
  });

  it("are nothing else", () => {
    for (const text of ["", "10", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.0/-1"])
      expect(parseRange("ip4", text), text).toBeUndefined();
    for (const text of [
      "10.0.0.9-10.0.0.1",
      "10.0.0.1-",
      "-10.0.0.1",
      "1.1.1.1-2.2.2.2-3.3.3.3",
      "::1",
      "10.0.0.0/8-11.0.0.0/8",
    ])
      expect(parseRange("ip4", text), text).toBeUndefined();
  });
});

describe("IPv6 addresses and ranges", () => {
  it("are read in all their spellings", () => {
    expect(addressNumber("ip6", "::")).toBe(0n);
    expect(addressNumber("ip6", "::1")).toBe(1n);
    expect(addressNumber("ip6", "1::")).toBe(1n << 112n);
    expect(addressNumber("ip6", "2001:DB8::1")).toBe(addressNumber("ip6", "2001:db8:0:0:0:0:0:1"));
    expect(addressNumber("ip6", "::ffff:10.0.0.1")).toBe(addressNumber("ip6", "::ffff:a00:1"));
    expect(addressNumber("ip6", "fe80::1%eth0")).toBeUndefined();
    expect(addressNumber("ip6", "10.0.0.1")).toBeUndefined();
  });

  it("are single addresses, networks, and from one to another", () => {
    expect(isIn("ip6", "2001:db8::/32", "2001:db8:ffff::1")).toBe(true);
    expect(isIn("ip6", "2001:db8::/32", "2001:db9::")).toBe(false);
    expect(isIn("ip6", "2001:db8::1-2001:db8::ff", "2001:db8::80")).toBe(true);
    expect(isIn("ip6", "2001:db8::1-2001:db8::ff", "2001:db8::100")).toBe(false);
    expect(isIn("ip6", "::1/128", "::1")).toBe(true);
    expect(parseRange("ip6", "::/129")).toBeUndefined();
    expect(parseRange("ip6", "fe80::1%eth0/64")).toBeUndefined();
  });

  it("show the IPv4 address that is in them", () => {
    const mapped = (text: string): bigint | undefined => mappedNumber(addressNumber("ip6", text) ?? 0n);
    expect(mapped("::ffff:10.0.0.1")).toBe(addressNumber("ip4", "10.0.0.1"));
    expect(mapped("::fffe:10.0.0.1")).toBeUndefined();
    expect(mapped("::10.0.0.1")).toBeUndefined();
    expect(mapped("1::ffff:10.0.0.1")).toBeUndefined();
  });
});

it("every network holds exactly the addresses with its first bits, and every range those between", () => {
  const seed = Date.now();
  console.log(`address ranges: seed ${seed}`);
  const number = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
  fc.assert(
    fc.property(number, number, fc.integer({ min: 0, max: 128 }), (one, other, bits) => {
      const rest = BigInt(128 - bits);
      expect(addressNumber("ip6", shown(one))).toBe(one);
      expect(isIn("ip6", `${shown(one)}/${bits}`, shown(other))).toBe(one >> rest === other >> rest);
      const near = ((one >> rest) << rest) | (other & ((1n << rest) - 1n));
      expect(isIn("ip6", `${shown(one)}/${bits}`, shown(near))).toBe(true);
      const [low, high] = one < other ? [one, other] : [other, one];
      expect(isIn("ip6", `${shown(low)}-${shown(high)}`, shown(near))).toBe(low <= near && near <= high);
    }),
    { seed },
  );
});
