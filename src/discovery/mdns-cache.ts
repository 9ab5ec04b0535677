// What was heard, by who said it: RFC 6762 section 10. Records of one sender are joined to its own, so that nobody can
// bend, take back or crowd out what another one says.
import { keyOf, type ServiceRecord } from "./mdns-records.ts";

/** A record that is kept. */
export interface Kept<Type extends ServiceRecord["type"] = ServiceRecord["type"]> {
  readonly record: Extract<ServiceRecord, { type: Type }>;
  /** When it was heard first, by the clock that never jumps. */
  readonly since: number;
  /** When it was heard last. */
  readonly heard: number;
  /** When it ends. */
  readonly until: number;
}

type Any = { -readonly [Part in keyof Kept]: Kept[Part] } & {
  readonly owner: string;
  readonly bytes: number;
};

// One server needs five records; a machine with many addresses twenty.
const MOST_OF_ONE = 64;
const MOST_INSTANCES_OF_ONE = 8;
const MOST_BYTES_OF_ONE = 20_480;
const MOST_SENDERS = 128;
const MOST_BYTES = 524_288;
// RFC 6762 section 10.2: what came a moment ago is a piece of the same set.
const SAME_MOMENT = 1_000;

/** The records of one sender. */
export class SenderRecords {
  readonly #kept = new Map<string, Any>();
  #bytes = 0;

  constructor(
    /** The sender's address. */
    readonly sender: string,
  ) {}

  /** About how much memory they take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is anything about the service that is searched for, and not only about addresses. */
  get isServer(): boolean {
    return [...this.#kept.values()].some(({ record: { type } }) => type !== "A" && type !== "AAAA");
  }

  /** Takes a record in, or takes back what it takes back. False if there is no room. */
  add(record: ServiceRecord, now: number): boolean {
    if (record.flush) this.#flush(record, now);
    const content = contentOf(record);
    const known = this.#kept.get(content);
    if (record.ttl === 0) {
      this.#remove(content);
      return true;
    }
    const until = now + record.ttl;
    if (known !== undefined) {
      known.heard = now;
      // An answer to a port of one's own has its time cut to 10 s (RFC 6762 section 6.7), which says nothing.
      known.until = Math.max(known.until, until);
      return true;
    }
    const bytes = 2 * content.length + 200; // the text, the record that says the same, and what any object takes
    if (this.#kept.size >= MOST_OF_ONE || this.#bytes + bytes > MOST_BYTES_OF_ONE) return false;
    if (record.type === "PTR" && this.ofType("PTR", now).length >= MOST_INSTANCES_OF_ONE) return false;
    this.#kept.set(content, { record, owner: keyOf(record.name), since: now, heard: now, until, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Those of a type that hold now, of one name or of any, in the order in which they came. */
  ofType<Type extends ServiceRecord["type"]>(type: Type, now: number, name?: string): readonly Kept<Type>[] {
    const owner = name === undefined ? undefined : keyOf(name);
    const found: Kept<Type>[] = [];
    for (const [content, kept] of this.#kept) {
      if (kept.until <= now) this.#remove(content);
      else if (isOfType(kept, type) && (owner === undefined || kept.owner === owner)) found.push(kept);
    }
    return found;
  }

  #flush({ type, name }: ServiceRecord, now: number): void {
    const owner = keyOf(name);
    for (const [content, kept] of this.#kept) {
      const same = kept.record.type === type && kept.owner === owner;
      if (same && kept.heard < now - SAME_MOMENT) this.#remove(content);
    }
  }

  #remove(content: string): void {
    this.#bytes -= this.#kept.get(content)?.bytes ?? 0;
    this.#kept.delete(content);
  }
}

function isOfType<Type extends ServiceRecord["type"]>(kept: Any, type: Type): kept is Any & Kept<Type> {
  return kept.record.type === type;
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

  /** All senders, the one that was silent longest first. */
  get all(): Iterable<SenderRecords> {
    return this.#senders.values();
  }

  /** Makes room. Gives how many had to go that say something about the service; the others go first. */
  trim(): number {
    let bytes = 0;
    for (const records of this.all) bytes += records.bytes;
    const isFull = (): boolean => this.#senders.size > MOST_SENDERS || bytes > MOST_BYTES;
    if (!isFull()) return 0;
    const forget = ({ sender, bytes: freed }: SenderRecords): void => {
      this.#senders.delete(sender);
      bytes -= freed;
    };
    for (const records of this.all) if (isFull() && !records.isServer) forget(records);
    let servers = 0;
    for (const records of this.all) {
      if (!isFull()) break;
      forget(records);
      servers++;
    }
    return servers;
  }
}

/** Two records that say the same thing have the same text. */
function contentOf(record: ServiceRecord): string {
  return JSON.stringify([record.type, keyOf(record.name), ...saidBy(record)]);
}

function saidBy(record: ServiceRecord): readonly unknown[] {
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
}
