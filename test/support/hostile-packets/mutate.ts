// What becomes of a packet on its way through a hostile network, or is made by somebody who hates its reader.
import type { Dice } from "../hostile/dice.ts";
import { concat, optionBytes } from "./dhcp-packets.ts";

type Mutate = (packet: Uint8Array, dice: Dice, others: readonly Uint8Array[]) => Uint8Array;

/** The longest datagram of UDP over IPv4. */
const LONGEST = 65_507;
const edges = [0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff];

const bytes = (count: number, dice: Dice): Uint8Array => Uint8Array.from({ length: count }, () => dice.below(256));

const overwritten = (packet: Uint8Array, at: number, by: ArrayLike<number>): Uint8Array => {
  const result = packet.slice();
  for (let index = 0; index < by.length && at + index < result.length; index++) result[at + index] = by[index] ?? 0;
  return result;
};

const anywhere: readonly Mutate[] = [
  (packet, dice) => {
    const result = packet.slice();
    for (let times = 1 + dice.below(8); times > 0 && result.length > 0; times--) {
      const at = dice.below(result.length);
      result[at] = (result[at] ?? 0) ^ (1 << dice.below(8));
    }
    return result;
  },
  (packet, dice) => overwritten(packet, dice.below(packet.length + 1), [dice.pick(edges)]),
  (packet, dice) => overwritten(packet, dice.below(packet.length + 1), [dice.pick(edges), dice.pick(edges)]),
  (packet, dice) => overwritten(packet, dice.below(packet.length + 1), bytes(1 + dice.below(40), dice)),
  (packet, dice) => packet.slice(0, dice.below(packet.length + 1)),
  (packet, dice) => {
    const at = dice.below(packet.length + 1);
    return concat(packet.subarray(0, at), packet.subarray(at + 1 + dice.below(30)));
  },
  (packet, dice) => {
    const at = dice.below(packet.length + 1);
    return concat(packet.subarray(0, at), bytes(1 + dice.below(30), dice), packet.subarray(at));
  },
  (packet, dice, others) => {
    const other = dice.pick(others);
    return concat(packet.subarray(0, dice.below(packet.length + 1)), other.subarray(dice.below(other.length + 1)));
  },
  (packet, dice) => {
    const from = dice.below(packet.length + 1);
    const piece = packet.subarray(from, from + 1 + dice.below(40));
    return concat(
      packet.subarray(0, from),
      ...Array.from({ length: 1 + dice.below(30) }, () => piece),
      packet.subarray(from),
    );
  },
  (packet) => packet,
];

// Not often: they are large, or nothing but noise, which is refused at the first byte.
const seldom: readonly Mutate[] = [
  (_packet, dice) => bytes(dice.below(1_500), dice),
  (packet) => concat(packet, new Uint8Array(LONGEST - packet.length)),
  (packet, dice) => {
    const piece = packet.subarray(12 + dice.below(40));
    const times = Math.floor((LONGEST - packet.length) / Math.max(1, piece.length));
    return concat(packet, ...Array.from({ length: dice.pick([times, 20, 5]) }, () => piece));
  },
];

/** Values that a name may be given. */
const evilNames = [
  "",
  "\0",
  ".",
  "..",
  "a..b",
  "-",
  "*",
  "localhost",
  "127.0.0.1",
  "0x7f000001",
  "::1",
  "__proto__",
  "constructor",
  "a@b",
  "a/b",
  "xmpp:a",
  "a b",
  "a\r\nb",
  "\u001b[2J",
  "\xff\xfe",
  "a".repeat(63),
  "a".repeat(64),
  `${"a.".repeat(120)}b`,
  "a.".repeat(127),
  "mallory.example",
  "mallory",
];

const OPTIONS = 240;

/** Where the options of a DHCP packet begin, as far as they can be followed. */
function optionsAt(packet: Uint8Array): readonly number[] {
  const found: number[] = [];
  for (let at = OPTIONS; at + 1 < packet.length && packet[at] !== 255; at += 2 + (packet[at + 1] ?? 0)) found.push(at);
  return found;
}

const evilName = (dice: Dice): Uint8Array => Uint8Array.from(dice.pick(evilNames), (one) => one.charCodeAt(0) & 0xff);
const evilOption = (dice: Dice): Uint8Array =>
  optionBytes([[dice.pick([15, 52, 53, 54, 84, 224]), dice.chance(0.6) ? evilName(dice) : bytes(dice.below(4), dice)]]);

const inDhcp: readonly Mutate[] = [
  // A length, a code, a value
  (packet, dice) => overwritten(packet, dice.pick([...optionsAt(packet), OPTIONS]) + 1, [dice.pick(edges)]),
  (packet, dice) =>
    overwritten(packet, dice.pick([...optionsAt(packet), OPTIONS]), [dice.pick([0, 15, 52, 53, 84, 224, 255])]),
  (packet, dice) => {
    const at = dice.pick([...optionsAt(packet), OPTIONS]);
    return concat(packet.subarray(0, at), evilOption(dice), packet.subarray(at));
  },
  (packet, dice) => {
    const pieces = Array.from({ length: 1 + dice.below(300) }, () => evilOption(dice));
    return concat(packet.subarray(0, OPTIONS), [53, 1, 5], ...pieces, [255]);
  },
  // One option in very many pieces
  (packet, dice) => {
    const piece = dice.pick([
      [224, 0],
      [224, 1, 97],
      [84, 2, 97, 46],
      [15, 1, 46],
    ]);
    return concat(
      packet.subarray(0, OPTIONS),
      [53, 1, 5],
      ...Array.from({ length: dice.below(700) }, () => piece),
      [255],
    );
  },
  // Options in the other fields
  (packet, dice) => {
    const result = overwritten(packet, dice.pick([44, 108]), dice.chance(0.7) ? evilOption(dice) : bytes(128, dice));
    return concat(result.subarray(0, OPTIONS), [52, 1, dice.pick([0, 1, 2, 3, 4, 255])], result.subarray(OPTIONS));
  },
  // The head: kind, hardware, number, cookie
  (packet, dice) => overwritten(packet, dice.pick([0, 1, 2, 4, 5, 28, 33, 236, 239]), [dice.below(256)]),
];

const HEAD = 12;
const pointer = (to: number): readonly number[] => [0xc0 | ((to >> 8) & 0x3f), to & 0xff];

const inDns: readonly Mutate[] = [
  // Compression pointers: to themselves, forwards, to the end, to and fro
  (packet, dice) => {
    const at = HEAD + dice.below(Math.max(1, packet.length - HEAD));
    return overwritten(packet, at, pointer(dice.pick([at, at + 2, at - 1, 0, HEAD, packet.length, 0x3fff])));
  },
  (packet, dice) => {
    const at = HEAD + dice.below(Math.max(1, packet.length - HEAD));
    return overwritten(packet, at, [...pointer(at + 2), ...pointer(at)]);
  },
  // A chain of pointers, each to the one before it
  (packet, dice) => {
    const chain = Array.from({ length: dice.pick([10, 200, 2_000]) }, (_, index) =>
      pointer(packet.length + 2 * index - 2),
    );
    return concat(packet, ...chain);
  },
  // Labels: too long, of no kind, of bytes that are no text
  (packet, dice) =>
    overwritten(packet, HEAD + dice.below(Math.max(1, packet.length - HEAD)), [dice.pick([0, 0x3f, 0x40, 0x80])]),
  (packet, dice) => overwritten(packet, HEAD + dice.below(Math.max(1, packet.length - HEAD)), evilName(dice)),
  // Counts, flags
  (packet, dice) => overwritten(packet, dice.pick([4, 6, 8, 10]), [dice.pick(edges), dice.pick(edges)]),
  (packet, dice) => overwritten(packet, dice.pick([6, 8, 10]), [0, dice.below(20)]),
  (packet, dice) => overwritten(packet, 2, [dice.pick([0x84, 0x84, 0x80, 0, 0xff]), dice.below(256)]),
  // Types, lifetimes and lengths of records are pairs of bytes somewhere
  (packet, dice) =>
    overwritten(packet, HEAD + dice.below(Math.max(1, packet.length - HEAD)), [
      0,
      dice.pick([0, 1, 2, 12, 16, 28, 33, 41, 47, 255]),
    ]),
  (packet, dice) => {
    const at = HEAD + dice.below(Math.max(1, packet.length - HEAD));
    return overwritten(
      packet,
      at,
      dice.pick([
        [0xff, 0xff],
        [0x7f, 0xff, 0xff, 0xff],
        [0, 0, 0, 0],
        [0x80, 0x01],
      ]),
    );
  },
];

const own = { dhcp: inDhcp, dns: inDns } as const;

/** One to four things happen to a packet that was recorded. */
export function mutatePacket(kind: keyof typeof own, recorded: readonly Uint8Array[], dice: Dice): Uint8Array {
  let packet = dice.pick(recorded);
  if (dice.chance(0.01)) packet = dice.pick(seldom)(packet, dice, recorded);
  for (let times = 1 + dice.below(4); times > 0; times--) {
    packet = dice.pick(dice.chance(0.6) ? own[kind] : anywhere)(packet, dice, recorded);
  }
  return packet.slice(0, LONGEST);
}
