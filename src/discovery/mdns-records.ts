// From what the library decodes to records that hold what they say: RFC 1035, RFC 2782, RFC 6762, RFC 6763 section 4.
// The decoder lets nonsense through: addresses of two bytes, names that no question can be made of.
import { BlockList, SocketAddress, isIP, isIPv4 } from "node:net";
import { own } from "../core/own.ts";
import { isLinkLocal, type Link } from "./mdns-links.ts";

/** What every record has. */
interface Common {
  /** Whose it is, as it came. */
  readonly name: string;
  /** How long it holds, in milliseconds; 0 takes it back (RFC 6762 section 10.1). */
  readonly ttl: number;
  /** Takes the place of all older ones of its name and type (RFC 6762 section 10.2). */
  readonly flush: boolean;
}

/** A record that is of use. */
export type ServiceRecord = Common &
  (
    | { readonly type: "PTR"; readonly instance: string }
    | {
        readonly type: "SRV";
        readonly target: string;
        readonly port: number;
        readonly priority: number;
        readonly weight: number;
      }
    | { readonly type: "TXT"; readonly strings: readonly Uint8Array[] }
    | { readonly type: "A" | "AAAA"; readonly address: string }
  );

/** The service that is searched for (XEP-0347 3.3.2). */
export const service = "_xmpp-client._tcp.local";

// A packet of 9,000 bytes holds more, but no server has so much to say.
const MOST_RECORDS = 256;
const LONGEST_TTL = 4_500;
const LONGEST_TEXT = 1_300; // RFC 6763 section 6.2

const unusable = new BlockList();
unusable.addSubnet("0.0.0.0", 8, "ipv4");
unusable.addSubnet("224.0.0.0", 3, "ipv4");
unusable.addAddress("::", "ipv6");
unusable.addSubnet("ff00::", 8, "ipv6");
const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * The records of a packet that are of use. What is broken is dropped and counted, what is about something else is passed
 * over.
 *
 * @param packet what the library has decoded
 * @param link where it was heard
 * @param drop told of each record that is broken
 */
export function readRecords(packet: unknown, link: Link, drop: (why: string) => void): readonly ServiceRecord[] {
  const { answers, additionals } = fields(packet);
  const given = [...listOf(answers), ...listOf(additionals)];
  if (given.length > MOST_RECORDS) drop("too many records");
  return given.slice(0, MOST_RECORDS).flatMap((record) => {
    const read = readRecord(fields(record), link);
    if (read === "broken") drop("malformed");
    return typeof read === "string" ? [] : [read];
  });
}

type Fields = Readonly<Record<string, unknown>>;

function readRecord(record: Fields, link: Link): ServiceRecord | "broken" | "other" {
  const { name, type, ttl, data } = record;
  if (record["class"] !== "IN" || typeof name !== "string" || typeof ttl !== "number") return "other";
  const common = { name: own(name), ttl: lifetime(ttl), flush: record["flush"] === true };
  switch (type) {
    case "PTR":
      if (keyOf(name) !== service) return "other";
      return typeof data === "string" && isInstance(data) ? { ...common, type, instance: own(data) } : "broken";
    case "SRV":
      return isInstance(name) ? readServer(fields(data), common) : "other";
    case "TXT": {
      if (!isInstance(name)) return "other";
      const strings = listOf(data).filter((text) => text instanceof Uint8Array);
      const length = strings.reduce((sum, text) => sum + text.length, 0);
      // Copies: what the library gives are views of the whole packet.
      return length > LONGEST_TEXT
        ? "broken"
        : { ...common, type, strings: strings.map((text) => Uint8Array.from(text)) };
    }
    case "A":
    case "AAAA": {
      if (!isHost(name)) return "other";
      const address = usableAddress(data, type === "A" ? 4 : 6, link);
      return address === undefined ? "broken" : { ...common, type, address };
    }
    default:
      return "other";
  }
}

function readServer({ target, port, priority, weight }: Fields, common: Common): ServiceRecord | "broken" {
  if (typeof target !== "string" || !isHost(target) || !isNumber(port) || port === 0) return "broken";
  if (!isNumber(priority) || !isNumber(weight)) return "broken";
  return { ...common, type: "SRV", target: own(target), port, priority, weight };
}

/** An address that can be connected to; a link-local one with the name of its link. */
function usableAddress(data: unknown, family: 4 | 6, link: Link): string | undefined {
  if (typeof data !== "string" || isIP(data) !== family) return undefined;
  const kind = family === 4 ? "ipv4" : "ipv6";
  const { address } = new SocketAddress({ address: data, family: kind }); // one way to write it
  // An IPv4 address in the clothes of IPv6 would walk past these lists.
  if (family === 6 && address.includes(".")) return undefined;
  if (unusable.check(address, kind) || (!link.loopback && loopback.check(address, kind))) return undefined;
  return isLinkLocal(address) ? `${address}%${link.interface}` : address;
}

/** The form in which names are compared: DNS knows no case in ASCII, and nothing else. */
export function keyOf(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()).replace(/\.$/, "");
}

/** The one label in front of the service, which may hold anything, dots too (RFC 6763 section 4.1.1). */
export function instanceLabel(name: string): string {
  return keyOf(name).endsWith(`.${service}`) ? name.slice(0, keyOf(name).length - service.length - 1) : "";
}

function isInstance(name: string): boolean {
  const label = instanceLabel(name);
  return label !== "" && Buffer.byteLength(label) <= 63;
}

/** Whether a host can have such a name, as far as DNS goes: labels of 1 to 63 bytes, without signs of control. */
export function isHost(name: string): boolean {
  const key = keyOf(name);
  if (Buffer.byteLength(key) > 253 || /[\s\p{Cc}\ufffd/@%:]/u.test(key) || isIPv4(key)) return false;
  return key.split(".").every((label) => label !== "" && Buffer.byteLength(label) <= 63);
}

/** RFC 2181 section 8: with the topmost bit it is zero. */
function lifetime(seconds: number): number {
  return seconds >= 2 ** 31 ? 0 : Math.min(Math.max(0, seconds), LONGEST_TTL) * 1000;
}

function isNumber(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
