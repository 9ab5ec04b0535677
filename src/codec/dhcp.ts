// DHCP (RFC 2131, options by RFC 2132, split ones by RFC 3396) as far as asking for the name of an XMPP server goes:
// XEP-0347 0.5.1 section 3.3.1, D-E23.

/** The options that are asked for or looked at. */
export const dhcpOption = {
  /** RFC 2132 3.17: the local domain. */
  domainName: 15,
  /** RFC 2132 9.3: the fields `file` and `sname` hold options too. */
  overload: 52,
  /** RFC 2132 9.6. */
  messageType: 53,
  /** RFC 2132 9.7: the address of the server that answers. */
  server: 54,
  /** RFC 2132 9.8: what is asked for. */
  wanted: 55,
  /** RFC 2132 9.10: how long an answer may be. */
  longest: 57,
  /** XEP-0347 3.3.1.2: the XMPP server. The number is not registered. */
  xmppServer: 84,
} as const;

/** The messages that matter here (RFC 2132 9.6). */
export const dhcpMessage = { ack: 5, inform: 8 } as const;

const PAD = 0;
const END = 255;
const REQUEST = 1;
const REPLY = 2;
const ETHERNET = 1;
const COOKIE = [0x63, 0x82, 0x53, 0x63] as const;
const SNAME = 44;
const FILE = 108;
const COOKIE_AT = 236;
const OPTIONS = 240;
// Relays and servers drop what is shorter than a packet of BOOTP (RFC 1542 2.1).
const SHORTEST_SENT = 300;
/** The longest answer that is taken, in bytes: what fits one Ethernet frame. */
export const LONGEST_DHCP = 1500;

/** A question for options by a host that has an address already: DHCPINFORM (RFC 2131 3.4). */
export interface DhcpInform {
  /** A random number that the answer repeats. */
  readonly xid: number;
  /** The host's own IPv4 address. */
  readonly address: string;
  /** The address of its network card, `02:00:00:00:00:01`. */
  readonly hardware: string;
  /** The codes of the options that are asked for. */
  readonly wanted: readonly number[];
}

/** Makes the packet. */
export function buildDhcpInform({ xid, address, hardware, wanted }: DhcpInform): Uint8Array {
  const options = [
    ...[dhcpOption.messageType, 1, dhcpMessage.inform],
    ...[dhcpOption.longest, 2, LONGEST_DHCP >> 8, LONGEST_DHCP & 0xff],
    ...[dhcpOption.wanted, wanted.length, ...wanted],
    END,
  ];
  const packet = new Uint8Array(Math.max(SHORTEST_SENT, OPTIONS + options.length));
  packet.set([REQUEST, ETHERNET, 6]);
  new DataView(packet.buffer).setUint32(4, xid);
  packet.set(address.split(".").map(Number), 12); // ciaddr: where the answer goes
  packet.set(
    hardware.split(":").map((byte) => Number.parseInt(byte, 16)),
    28,
  );
  packet.set(COOKIE, COOKIE_AT);
  packet.set(options, OPTIONS);
  return packet;
}

/** An answer of a DHCP server. */
export interface DhcpReply {
  /** The number of the question. */
  readonly xid: number;
  /** The network card of the asker, `02:00:00:00:00:01`. */
  readonly hardware: string;
  /** What kind of message it is: one of {@link dhcpMessage}, or another. */
  readonly type: number;
  /** Its options by code, pieces put together (RFC 3396). */
  readonly options: ReadonlyMap<number, Uint8Array>;
}

/** Why a packet is no answer of a DHCP server, in constant words. */
export type DhcpProblem =
  | "too short"
  | "too long"
  | "not from a server"
  | "not for Ethernet"
  | "not DHCP"
  | "an option is cut off"
  | "an option is malformed"
  | "no message type";

/** Reads a packet. Any bytes give an answer or the reason why they are none; nothing is thrown. */
export function parseDhcpReply(packet: Uint8Array): DhcpReply | DhcpProblem {
  if (packet.length < OPTIONS) return "too short";
  if (packet.length > LONGEST_DHCP) return "too long";
  if (packet[0] !== REPLY) return "not from a server";
  if (packet[1] !== ETHERNET || packet[2] !== 6) return "not for Ethernet";
  if (!COOKIE.every((byte, index) => packet[COOKIE_AT + index] === byte)) return "not DHCP";
  const pieces = new Map<number, Uint8Array[]>();
  if (!collect(packet.subarray(OPTIONS), pieces)) return "an option is cut off";
  const overload = oneByte(pieces.get(dhcpOption.overload));
  if (overload === "malformed" || overload === 0 || (overload ?? 0) > 3) return "an option is malformed";
  // In this order, and a piece in one field is continued in the next (RFC 3396 section 5).
  for (const [bit, from, to] of [
    [1, FILE, COOKIE_AT],
    [2, SNAME, FILE],
  ] as const) {
    if (((overload ?? 0) & bit) !== 0 && !collect(packet.subarray(from, to), pieces)) return "an option is cut off";
  }
  const type = oneByte(pieces.get(dhcpOption.messageType));
  if (type === undefined) return "no message type";
  if (type === "malformed") return "an option is malformed";
  const { buffer, byteOffset } = packet;
  return {
    xid: new DataView(buffer, byteOffset).getUint32(4),
    hardware: Array.from(packet.subarray(28, 34), (byte) => byte.toString(16).padStart(2, "0")).join(":"),
    type,
    options: new Map([...pieces].map(([code, values]) => [code, joined(values)])),
  };
}

/** Reads the options of one field. False when one is longer than what is left of it. */
function collect(field: Uint8Array, pieces: Map<number, Uint8Array[]>): boolean {
  for (let at = 0; at < field.length;) {
    const code = field[at++];
    if (code === undefined || code === END) return true; // an end that is missing is forgiven at the border of an option
    if (code === PAD) continue;
    const length = field[at++];
    if (length === undefined || at + length > field.length) return false;
    const values = pieces.get(code) ?? [];
    values.push(field.subarray(at, at + length));
    pieces.set(code, values);
    at += length;
  }
  return true;
}

function oneByte(values: readonly Uint8Array[] | undefined): number | "malformed" | undefined {
  if (values === undefined) return undefined;
  const value = joined(values);
  return value.length === 1 ? value[0] : "malformed";
}

/** A copy: what is kept of a packet must not keep the packet. */
function joined(values: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(values.reduce((sum, value) => sum + value.length, 0));
  let at = 0;
  for (const value of values) {
    whole.set(value, at);
    at += value.length;
  }
  return whole;
}

const label = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i;
// What a resolver takes for an IPv4 address: its last part is a number. A name does not end so (RFC 1123 2.1).
const number = /^(?:\d+|0x[\da-f]*)$/i;
const LONGEST_NAME = 253;

/**
 * Reads the name of an XMPP server out of the value of option 84 or 224 (XEP-0347 3.3.1.1, D-E23): ASCII, at least one
 * character, perhaps with a NUL behind it. A name of one label is completed with the local domain; one with a dot at its
 * end is complete.
 *
 * @param domain the local domain, if one is known
 * @returns the name in lower case and without the dot; `undefined` if the value is no host name
 */
export function parseXmppServerOption(value: Uint8Array, domain?: string): string | undefined {
  const text = ascii(value);
  const name = hostName(text);
  if (name === undefined || domain === undefined || name.includes(".") || text?.endsWith(".") === true) return name;
  return hostName(`${name}.${domain}`);
}

/** Reads the value of option 15: the local domain. Where several stand, divided by blanks, it is the first. */
export function parseDomainNameOption(value: Uint8Array): string | undefined {
  return hostName(ascii(value)?.trim().split(/\s/, 1)[0]);
}

/**
 * The form in which names are compared and asked for: lower case, no dot at the end. `undefined` if the text is no host
 * name by RFC 1035 2.3.1, a digit at the beginning allowed (RFC 1123 2.1).
 */
export function hostName(text: string | undefined): string | undefined {
  if (text === undefined || text.length > LONGEST_NAME + 1) return undefined;
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const labels = name.split(".");
  if (name.length > LONGEST_NAME || !labels.every((one) => label.test(one))) return undefined;
  return number.test(labels.at(-1) ?? "") ? undefined : name.toLowerCase();
}

/** The text without the NUL that may be at its end; `undefined` if a byte is no ASCII. */
function ascii(value: Uint8Array): string | undefined {
  const bytes = value.at(-1) === 0 ? value.subarray(0, -1) : value;
  return bytes.length <= LONGEST_NAME + 1 && bytes.every((byte) => byte > 0 && byte < 0x80)
    ? String.fromCharCode(...bytes)
    : undefined;
}
