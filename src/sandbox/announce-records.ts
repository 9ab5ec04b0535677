// What multicast DNS says of an announced server: XEP-0347 3.3.2, RFC 6762, RFC 6763. Pure.
import { isIPv4, isIPv6 } from "node:net";

/** The type of service that XMPP servers have on a local network (XEP-0347 3.3.2). */
export const SERVICE_TYPE = "_xmpp-client._tcp.local";
/** Under this name all types of service of a network are listed (RFC 6763 9). */
export const ALL_SERVICES = "_services._dns-sd._udp.local";

// RFC 6762 10: seconds that others may remember it. Shorter where it would lead to an address that is no more.
const HOST_TTL = 120;
const OTHER_TTL = 4_500;

/** How long the name of a machine may be, with whatever stands behind its `-`: a label of DNS. */
const LONGEST_LABEL = 63;

/** A record that was heard. What stands in it is nobody's promise. */
export interface HeardRecord {
  readonly name: string;
  readonly type: string;
  readonly class?: string | undefined;
  /** Seconds; 0 for a record that is no more. */
  readonly ttl?: number | undefined;
  readonly data?: unknown;
}

interface Common {
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  /** True if nobody else may have a record of that name and type (the cache-flush bit, RFC 6762 10.2). */
  readonly flush: boolean;
}

/** A record of our own. */
export type OwnRecord = Common &
  (
    | { readonly type: "A" | "AAAA" | "PTR"; readonly data: string }
    | { readonly type: "SRV"; readonly data: SrvData }
    | { readonly type: "TXT"; readonly data: readonly string[] }
    | { readonly type: "NSEC"; readonly data: { readonly nextDomain: string; readonly rrtypes: readonly string[] } }
  );

interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** What is announced of a server. */
export interface AnnouncedService {
  /** The addresses it listens on, IPv4 or IPv6. */
  readonly addresses: readonly string[];
  /** Its TCP port. */
  readonly port: number;
  /** The strings of its TXT record. */
  readonly txt: readonly string[];
}

/** The records of a server under one machine name. */
export interface Records {
  /** `machine.local`. */
  readonly host: string;
  /** `machine._xmpp-client._tcp.local`. */
  readonly instance: string;
  /** Those that only we may have: address, SRV, TXT. */
  readonly unique: readonly OwnRecord[];
  /** From the type of service to us. */
  readonly pointer: OwnRecord;
  /** From all types of service to this one: everybody's who has such a service. */
  readonly enumeration: OwnRecord;
  /** All of them. */
  readonly all: readonly OwnRecord[];
  /** That our names have no records of other types (RFC 6762 6.1), so that nobody need wait for one. */
  readonly nothingElse: readonly OwnRecord[];
}

/**
 * The name for the next try: `pronto`, `pronto-1`, `pronto-2`, … (D-3.3.2-10)
 *
 * @param attempt how many names were taken
 */
export function machineName(base: string, attempt: number): string {
  const end = attempt === 0 ? "" : `-${attempt}`;
  return base.slice(0, LONGEST_LABEL - end.length) + end;
}

/** The four kinds of record of XEP-0347 3.3.2.1, and the one that lists the type of service. */
export function recordsOf(machine: string, { addresses, port, txt }: AnnouncedService): Records {
  const host = `${machine}.local`;
  const instance = `${machine}.${SERVICE_TYPE}`;
  const unique: readonly OwnRecord[] = [
    ...addresses.map((data) => {
      const type = isIPv4(data) ? "A" : "AAAA";
      return { name: host, type, ttl: HOST_TTL, flush: true, data } as const;
    }),
    // D-E24: priority and weight, which Listing 8 leaves out, are 0.
    {
      name: instance,
      type: "SRV",
      ttl: HOST_TTL,
      flush: true,
      data: { priority: 0, weight: 0, port, target: host },
    },
    { name: instance, type: "TXT", ttl: OTHER_TTL, flush: true, data: txt },
  ];
  const pointer: OwnRecord = { name: SERVICE_TYPE, type: "PTR", ttl: OTHER_TTL, flush: false, data: instance };
  const enumeration: OwnRecord = { name: ALL_SERVICES, type: "PTR", ttl: OTHER_TTL, flush: false, data: SERVICE_TYPE };
  const nothingElse = [host, instance].map((name): OwnRecord => {
    const rrtypes = unique.filter((record) => record.name === name).map(({ type }) => type);
    return { name, type: "NSEC", ttl: HOST_TTL, flush: true, data: { nextDomain: name, rrtypes } };
  });
  return { host, instance, unique, pointer, enumeration, nothingElse, all: [pointer, enumeration, ...unique] };
}

/** DNS names are the same in upper and in lower case. */
export function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** Tells whether two records say the same. */
export function sameRecord(own: OwnRecord, heard: HeardRecord): boolean {
  return own.type === heard.type && sameName(own.name, heard.name) && rdata(own) === rdata(heard);
}

/**
 * Of two that ask for the same name at the same time one gives way: the one whose records come first in the order of
 * RFC 6762 8.2. Tells whether that is us. Records that are the same on both sides are our own, heard back.
 */
export function givesWay(own: readonly OwnRecord[], heard: readonly HeardRecord[]): boolean {
  const ours = own.map(sortable).sort();
  const theirs = heard.map(sortable).sort();
  for (const [index, mine] of ours.entries()) {
    const other = theirs[index];
    if (other === undefined) return false; // who has more of them wins
    if (mine !== other) return mine < other;
  }
  return theirs.length > ours.length;
}

const typeNumbers: ReadonlyMap<string, number> = new Map([
  ["A", 1],
  ["PTR", 12],
  ["HINFO", 13],
  ["TXT", 16],
  ["AAAA", 28],
  ["SRV", 33],
]);

// All are of the class IN: type and data decide.
function sortable(record: HeardRecord): string {
  return number16(typeNumbers.get(record.type) ?? 0xffff) + rdata(record);
}

/** The data of a record as on the wire, in hexadecimal digits, which sort as bytes do. Empty if there is no sense in it. */
function rdata({ type, data }: HeardRecord): string {
  if (typeof data === "string") {
    if (type === "PTR") return nameBytes(data);
    if (type === "A" && isIPv4(data)) return data.split(".").map(Number).map(number8).join("");
    if (type === "AAAA" && isIPv6(data)) return ipv6Bytes(data);
  }
  if (type === "TXT") {
    const strings: readonly unknown[] = Array.isArray(data) ? data : [data];
    return strings.map(characterString).join("");
  }
  if (type === "SRV" && typeof data === "object" && data !== null) {
    const { priority, weight, port, target } = data as Readonly<Record<string, unknown>>;
    return [priority, weight, port].map(number16).join("") + nameBytes(typeof target === "string" ? target : "");
  }
  return "";
}

/** A string of a TXT record, or a label of a name: its length, then its bytes. */
function characterString(text: unknown): string {
  const hex = typeof text === "string" || text instanceof Uint8Array ? Buffer.from(text).toString("hex") : "";
  return number8(hex.length / 2) + hex;
}

function number8(value: unknown): string {
  return (Number(value) & 0xff).toString(16).padStart(2, "0");
}

function number16(value: unknown): string {
  return (Number(value) & 0xffff).toString(16).padStart(4, "0");
}

function nameBytes(name: string): string {
  return [...name.toLowerCase().split("."), ""].map(characterString).join("");
}

function ipv6Bytes(address: string): string {
  // An IPv4 address at the end stands for the last two groups.
  const text = address.replace(/%.*$/, "").replace(/[\d.]+$/, (end) => {
    const [a = 0, b = 0, c = 0, d] = end.split(".").map(Number);
    return d === undefined ? end : `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = [], tail = []] = text.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return groups.map((group) => group.padStart(4, "0").toLowerCase()).join("");
}
