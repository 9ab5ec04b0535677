// Ranges of IP addresses, as operators write them: `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, and the same of IPv6.
import { isIPv4, isIPv6 } from "node:net";

/** Addresses from one to another, both among them. */
export interface AddressRange {
  /** The first. */
  readonly from: bigint;
  /** The last. */
  readonly to: bigint;
}

/** Which addresses. */
export type AddressFamily = "ip4" | "ip6";

const BITS = { ip4: 32, ip6: 128 } as const;
const MAPPED = 0xffff_0000_0000n;

/** The number of an address; `undefined` for what is none of that family. A zone (`%eth0`) makes it none. */
export function addressNumber(family: AddressFamily, text: string): bigint | undefined {
  if (family === "ip4") return isIPv4(text) ? quads(text) : undefined;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = text.split("::");
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => 0n);
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | group, 0n);
}

/** The IPv4 address within an IPv6 one (`::ffff:10.0.0.1`, RFC 4291 section 2.5.5.2); `undefined` if there is none. */
export function mappedNumber(address: bigint): bigint | undefined {
  return address >> 32n === MAPPED >> 32n ? address & 0xffff_ffffn : undefined;
}

/** Reads a range; `undefined` for what is none: beyond the bits of the family, or from a greater to a smaller one. */
export function parseRange(family: AddressFamily, text: string): AddressRange | undefined {
  const bits = BITS[family];
  const [, base = "", length] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  if (length !== undefined) {
    const address = addressNumber(family, base);
    if (address === undefined || Number(length) > bits) return undefined;
    const rest = BigInt(bits - Number(length));
    const from = (address >> rest) << rest;
    return { from, to: from + (1n << rest) - 1n };
  }
  const [first = "", last = first, ...more] = text.split("-");
  const [from, to] = [addressNumber(family, first), addressNumber(family, last)];
  return from === undefined || to === undefined || from > to || more.length > 0 ? undefined : { from, to };
}

/** Tells whether an address is in a range. */
export function isInRange({ from, to }: AddressRange, address: bigint): boolean {
  return from <= address && address <= to;
}

function quads(text: string): bigint {
  return text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

/** Groups of 16 bits; the last two may be written as an IPv4 address. */
function groups(text: string): readonly bigint[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [BigInt(`0x${group}`)];
    const address = quads(group);
    return [address >> 16n, address & 0xffffn];
  });
}
