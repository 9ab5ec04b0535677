// Many hostile packets, one after another: half of them DHCP, half DNS. Each is made from the seed and its own number alone;
// the finder that it meets is made anew for each batch, so that one of them is had again by playing its batch up to it.
import { Dice } from "../hostile/dice.ts";
import { heapInUse } from "../hostile/run.ts";
import { dhcpSubject, recordedDhcp } from "./dhcp-subject.ts";
import { dnsSubject, recordedDns } from "./dns-subject.ts";
import { mutatePacket } from "./mutate.ts";
import type { Subject } from "./subject.ts";

const BATCH = 512;
// Whatever it is, it must not hold a small device up. Generous: the machine that tests may do other things.
const LONGEST = 1_000;

/** Which packets. */
export interface PacketRun {
  readonly seed: string;
  readonly from: number;
  /** Not itself. */
  readonly to: number;
  /** Told now and then how far it is. */
  readonly onProgress?: (done: number) => void;
}

/** What came of them. */
export interface PacketOutcome {
  readonly packets: number;
  /** Servers that were found, the true ones among them. */
  readonly found: number;
  /** Packets, and what they held, that were dropped and counted. */
  readonly dropped: number;
  /** The longest that one packet took, in milliseconds. */
  readonly slowest: number;
  /** Bytes in use after a collection, at 10, 50 and 100 % of the way. */
  readonly heap: readonly number[];
}

/** A packet that did what it must not, or one of its batch. */
export class PacketFailure extends Error {
  constructor(seed: string, index: number, what: string, packet: Uint8Array) {
    const hex = Buffer.from([...packet])
      .toString("hex")
      .slice(0, 6_000);
    super(
      `packet ${index}: ${what}\nagain: HOSTILE_SEED=${seed} HOSTILE_ONLY=${index} npm run hostile:packets\n${hex}`,
    );
  }
}

type Kind = "dhcp" | "dns";
const kindOf = (batch: number): Kind => (batch % 2 === 0 ? "dhcp" : "dns");

function subjectOf(batch: number): Promise<Subject> {
  const second = Math.floor(batch / 2) % 2 === 1;
  return kindOf(batch) === "dhcp" ? dhcpSubject(second) : dnsSubject(second);
}

/** Plays them; rejects with a {@link PacketFailure} at the first that did what it must not. */
export async function runPackets({ seed, from, to, onProgress }: PacketRun): Promise<PacketOutcome> {
  const recorded = { dhcp: recordedDhcp(), dns: recordedDns() };
  const escaped: unknown[] = [];
  const note = (error: unknown): number => escaped.push(error);
  process.on("uncaughtException", note).on("unhandledRejection", note);
  const marks = [0.1, 0.5, 1].map((part) => from + Math.max(1, Math.ceil((to - from) * part)));
  const heap: number[] = [];
  const sums = { found: 0, dropped: 0 };
  let slowest = 0;
  let subject: Subject | undefined;
  try {
    for (let index = from; index < to; index++) {
      const batch = Math.floor(index / BATCH);
      subject ??= await subjectOf(batch);
      const dice = new Dice(seed, index);
      const kind = kindOf(batch);
      const packet = mutatePacket(kind, recorded[kind], dice);
      // Of the processor: how long others kept it from this process says nothing of the packet.
      const began = process.cpuUsage();
      let wrong: string | undefined;
      try {
        await subject.feed(packet, dice);
      } catch (error) {
        wrong = `thrown: ${error instanceof Error ? String(error.stack) : String(error)}`;
      }
      const { user, system } = process.cpuUsage(began);
      const took = (user + system) / 1_000;
      slowest = Math.max(slowest, took);
      if (took > LONGEST) wrong ??= `it took ${Math.round(took)} ms`;
      if ((index + 1) % BATCH === 0 || index + 1 === to) {
        wrong ??= await subject.end();
        const { found, dropped } = subject.counts();
        sums.found += found;
        sums.dropped += dropped;
        subject = undefined;
        onProgress?.(index + 1 - from);
      }
      if (escaped.length > 0) wrong = `escaped: ${(escaped[0] as Error | undefined)?.stack ?? String(escaped[0])}`;
      if (wrong !== undefined) throw new PacketFailure(seed, index, wrong, packet);
      if (marks.includes(index + 1)) heap.push(heapInUse());
    }
  } finally {
    await subject?.end();
    process.off("uncaughtException", note).off("unhandledRejection", note);
  }
  return { packets: to - from, ...sums, slowest, heap };
}

/** Plays one again, with those of its batch before it. */
export function againPackets(seed: string, index: number): Promise<PacketOutcome> {
  return runPackets({ seed, from: Math.floor(index / BATCH) * BATCH, to: index + 1 });
}
