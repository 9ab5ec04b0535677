// What the guard says (XEP-0324 5.2, 5.3), and how a remembered record says it again.
import type { Grant } from "./grants.ts";
import { unpack } from "./record.ts";

/** Where a decision came from. */
export type DecisionSource =
  /** Remembered. */
  | "cache"
  /** Asked just now. */
  | "server"
  /** Ownership, or the standing of the Registry, the trusted servers themselves, and whom the button has accepted. */
  | "owner"
  /** Nobody could be asked. */
  | "none";

/** The answer to "may they?". */
export type Decision =
  /** Yes, within these grants. */
  | { readonly outcome: "granted"; readonly grants: readonly Grant[]; readonly source: DecisionSource }
  /** No. */
  | {
      readonly outcome: "refused";
      readonly source: DecisionSource;
      /** Of a friendship: true if the Thing may befriend them on its own nevertheless (XEP-0324 3.1.4). Left out: no. */
      readonly secondaryTrustAllowed?: true;
    }
  /** No trusted server answered. For readout and control a no, for friendship a "later" (P-E28). */
  | { readonly outcome: "unanswered"; readonly source: "none" };

/** A record, read. */
export interface ReadRecord {
  /** The one text of all records that are alike. */
  readonly record: string;
  /** The generation of trust under which it is an answer. */
  readonly generation: string;
  /** The answer. The same object each time, so nobody may change it. */
  readonly decision: Decision;
}

// Most answers are alike: of ten thousand there are a few dozen. Whatever is beyond this is read again when it is used.
const MOST = 256;

/** Reads each record once, as far as there are not too many of them. */
export class RecordTable {
  readonly #read = new Map<string, ReadRecord>();

  /** What a record says; `undefined` for what is none: it is then asked again, never guessed. */
  read(record: string): ReadRecord | undefined {
    return this.#read.get(record) ?? this.#readAnew(record);
  }

  /** The text that stands for all records like this one: a flat copy, which holds on to nothing else. */
  shared(record: string): string {
    return this.read(record)?.record ?? record;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#read.clear();
  }

  #readAnew(record: string): ReadRecord | undefined {
    const copy = Buffer.from(record).toString();
    const said = unpack(copy);
    if (said === undefined || copy !== record) return undefined;
    const { generation, grants, secondaryTrustBy } = said;
    const decision: Decision =
      grants.length > 0
        ? { outcome: "granted", grants, source: "cache" }
        : refused("cache", secondaryTrustBy.length > 0);
    const read = { record: copy, generation, decision: frozen(decision) };
    if (this.#read.size >= MOST) this.#read.clear();
    this.#read.set(copy, read);
    return read;
  }
}

/** A no. One server that lets the Thing make friends of its own suffices (P-E16, XEP-0324 5.3). */
export function refused(source: DecisionSource, secondaryTrustAllowed: boolean): Decision {
  return { outcome: "refused", source, ...(secondaryTrustAllowed && { secondaryTrustAllowed }) };
}

/** Freezes a value and all that is in it: it is handed out again and again. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}
