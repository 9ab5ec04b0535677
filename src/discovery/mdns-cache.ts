// What was heard, by who said it: RFC 6762 section 10. Records of one sender are joined to its own only, so that nobody
// can bend, take back or crowd out what another one says.
import { keyOf, type ServiceRecord } from "./mdns-records.ts";

/** A record that is kept. */
export interface Kept {
  readonly record: ServiceRecord;
  /** When it was heard last, by the clock that never jumps. */
  heard: number;
  /** When it ends. */
  until: number;
}

// One server needs five records; a machine with many addresses twenty.
const MOST_OF_ONE = 64;
const MOST_INSTANCES_OF_ONE = 8;
const MOST_BYTES_OF_ONE = 16_384;
const MOST_SENDERS = 128;
const MOST_BYTES = 524_288;
// RFC 6762 section 10.2: what came a moment ago is a piece of the same set.
const SAME_MOMENT = 1_000;

/** The records of one sender. */
export class SenderRecords {
  readonly #kept = new Map<string, Kept>();
  /** About how much memory they take. */
  bytes = 0;

  constructor(
    /** The sender's address. */
    readonly sender: string,
  ) {}

  /** Takes a record in. Gives the reason if there is no room. */
  add(record: ServiceRecord, now: number): "too many records of one sender" | undefined {
    if (record.flush) this.#flush(record, now);
    const key = contentOf(record);
    const known = this.#kept.get(key);
    if (record.ttl === 0) {
      this.#remove(key);
      return undefined;
    }
    const until = now + record.ttl;
    if (known !== undefined) {
      known.heard = now;
      // An answer to a port of one's own has its time cut to 10 s (RFC 6762 section 6.7), which says nothing.
      known.until = Math.max(known.until, until);
      return undefined;
    }
    const bytes = sizeOf(key);
    const instances = record.type === "PTR" ? this.ofType("PTR", now).length : 0;
    if (
      this.#kept.size >= MOST_OF_ONE ||
      this.bytes + bytes > MOST_BYTES_OF_ONE ||
      instances >= MOST_INSTANCES_OF_ONE
    ) {
      return "too many records of one sender";
    }
    this.#kept.set(key, { record, heard: now, until });
    this.bytes += bytes;
    return undefined;
  }

  /** Those of a type that hold now, of one name or of any, in the order in which they came. */
  ofType<Type extends ServiceRecord["type"]>(
    type: Type,
    now: number,
    name?: string,
  ): readonly (Kept & { readonly record: Extract<ServiceRecord, { type: Type }> })[] {
    this.#expire(now);
    const found = [...this.#kept.values()].filter(
      ({ record }) => record.type === type && (name === undefined || keyOf(record.name) === keyOf(name)),
    );
    return found as never;
  }

  #flush({ type, name }: ServiceRecord, now: number): void {
    for (const [key, { record, heard }] of this.#kept) {
      const same = record.type === type && keyOf(record.name) === keyOf(name);
      if (same && heard < now - SAME_MOMENT) this.#remove(key);
    }
  }

  #expire(now: number): void {
    for (const [key, { until }] of this.#kept) if (until <= now) this.#remove(key);
  }

  #remove(key: string): void {
    if (this.#kept.delete(key)) this.bytes -= sizeOf(key);
  }
}

/** The records of all senders. When there are too many the one that was silent longest is forgotten. */
export class RecordCache {
  readonly #senders = new Map<string, SenderRecords>();

  /** The records of a sender, which has just been heard. */
  of(sender: string): SenderRecords {
    const records = this.#senders.get(sender) ?? new SenderRecords(sender);
    this.#senders.delete(sender);
    this.#senders.set(sender, records);
    return records;
  }

  /** Makes room: gives the reason if somebody had to go. */
  trim(): "too many senders" | undefined {
    let bytes = this.all.reduce((sum, records) => sum + records.bytes, 0);
    let gone = false;
    for (const [sender, records] of this.#senders) {
      if (this.#senders.size <= MOST_SENDERS && bytes <= MOST_BYTES) break;
      this.#senders.delete(sender);
      bytes -= records.bytes;
      gone = true;
    }
    return gone ? "too many senders" : undefined;
  }

  /** All senders, the one that was silent longest first. */
  get all(): readonly SenderRecords[] {
    return [...this.#senders.values()];
  }
}

/** Two records that say the same thing have the same text. */
function contentOf(record: ServiceRecord): string {
  const { type, name } = record;
  const said = (): readonly unknown[] => {
    switch (record.type) {
      case "PTR":
        return [keyOf(record.instance)];
      case "SRV":
        return [keyOf(record.target), record.port, record.priority, record.weight];
      case "TXT":
        return record.strings.map((bytes) => Buffer.from(bytes).toString("latin1"));
      default:
        return [record.address];
    }
  };
  return JSON.stringify([type, keyOf(name), ...said()]);
}

/** The text and the record itself hold about the same, beside what any object takes. */
function sizeOf(key: string): number {
  return 2 * key.length + 200;
}
