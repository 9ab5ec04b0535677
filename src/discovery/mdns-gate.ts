// What is not even decoded: RFC 6762 sections 11, 17 and 18, and whatever is too much.
import type { Clock } from "../core/clock.ts";
import type { Link } from "./mdns-links.ts";

/** A packet's sender, as `node:dgram` gives it. */
export interface Source {
  /** Its IP address; a link-local one of IPv6 with its zone. */
  readonly address: string;
  /** Its UDP port. */
  readonly port: number;
}

/** What a {@link Gate} goes by. */
export interface GateOptions {
  /** Time. */
  readonly clock: Clock;
  /** The port that answers must come from (RFC 6762 section 6). */
  readonly port: number;
  /** All the links that are listened on. */
  readonly links: () => Iterable<Link>;
  /** Told of each packet that is not taken. */
  readonly drop: (why: string) => void;
}

const SHORTEST = 12;
// RFC 6762 section 17.
const LARGEST = 9_000;
// A network of forty chatty devices sends ten a second. Decoding the worst packet takes a third of a millisecond.
const ALL = { burst: 512, perSecond: 256 };
const OF_ONE_SENDER = { burst: 64, perSecond: 32 };
// Whoever floods from a dozen addresses uses up what there is for all. Of those who say little this much goes through all
// the same: a server has said what it is in a few packets.
const OF_THE_QUIET = { burst: 64, perSecond: 64 };
const QUIET = 8;
const MOST_SENDERS = 256;

/**
 * Lets through what may be an answer: of the right size, form and place, and no more of it than can be dealt with.
 * Decoding is what costs time, so all of it comes before. One sender uses up its own share first, so that it does not
 * silence the others.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #all: Bucket;
  readonly #quiet: Bucket;
  readonly #senders = new Map<string, Bucket>();

  constructor(options: GateOptions) {
    this.#options = options;
    this.#all = new Bucket(ALL, options.clock.monotonic());
    this.#quiet = new Bucket(OF_THE_QUIET, options.clock.monotonic());
  }

  /**
   * Whether a packet is to be decoded.
   *
   * @param packet the packet
   * @param source who sent it
   * @param link the link of the socket that it came to
   * @param id the number that an answer must have; any if left out
   */
  admits(packet: Buffer, source: Source, link: Link, id?: number): boolean {
    const why = this.#problem(packet, source, link, id);
    if (why !== undefined && why !== "") this.#options.drop(why);
    return why === undefined;
  }

  /** Why not; an empty text for what is in order, but not for us. */
  #problem(packet: Buffer, source: Source, link: Link, id: number | undefined): string | undefined {
    if (packet.length > LARGEST) return "too large";
    if (packet.length < SHORTEST) return "malformed";
    const flags = packet.readUInt16BE(2);
    if ((flags & 0x8000) === 0) return ""; // somebody's question
    if (!link.isOn(source.address)) {
      // A socket hears what comes in on other interfaces too: theirs has it as well.
      for (const other of this.#options.links()) if (other.isOn(source.address)) return "";
      return "not from this network";
    }
    if (source.port !== this.#options.port) return "not from the port of multicast DNS";
    // RFC 6762 sections 18.3 and 18.11: opcode and response code are zero.
    if ((flags & 0x780f) !== 0) return "malformed";
    if (id !== undefined && packet.readUInt16BE(0) !== id) return "not an answer to our question";
    if (holdsMoreThan(packet)) return "malformed";
    const now = this.#options.clock.monotonic();
    const sender = this.#bucketOf(source.address, now);
    if (!sender.take(now)) return "too many packets of one sender";
    if (this.#all.take(now) || (sender.used <= QUIET && this.#quiet.take(now))) return undefined;
    return "too many packets";
  }

  #bucketOf(sender: string, now: number): Bucket {
    const bucket = this.#senders.get(sender) ?? new Bucket(OF_ONE_SENDER, now);
    this.#senders.delete(sender);
    this.#senders.set(sender, bucket);
    for (const oldest of this.#senders.keys()) {
      if (this.#senders.size <= MOST_SENDERS) break;
      this.#senders.delete(oldest);
    }
    return bucket;
  }
}

/** Whether more records are claimed than there is room for: the decoder would make lists of that length. */
function holdsMoreThan(packet: Buffer): boolean {
  const [questions, ...records] = [4, 6, 8, 10].map((at) => packet.readUInt16BE(at));
  const least = SHORTEST + (questions ?? 0) * 5 + records.reduce((sum, count) => sum + count * 11, 0);
  return least > packet.length;
}

/** So many at once, so many a second. */
class Bucket {
  readonly #rate: { readonly burst: number; readonly perSecond: number };
  #left: number;
  #at: number;

  constructor(rate: { readonly burst: number; readonly perSecond: number }, now: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#at = now;
  }

  /** How much of it is taken at the moment. */
  get used(): number {
    return this.#rate.burst - this.#left;
  }

  take(now: number): boolean {
    const { burst, perSecond } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
