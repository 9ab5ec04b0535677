// What has happened to the rights of a Thing up to a moment, told by the marks of a recorded run; and what a Thing that is
// started afterwards may still remember. Every rule has a number of its own, and what it lets through is named by it: so
// each remembered grant says which rule it was given under.
import type { Thing } from "../../src/thing/thing.ts";

/** Something that has happened, as a mark of the recording. */
export type Fact =
  /** The claim text that people were shown. */
  | { readonly is: "shown"; readonly text: string }
  /** The owner was told that the Thing is theirs. */
  | { readonly is: "claimed"; readonly owner: string }
  /** The Thing is about to be started with these servers in its options. */
  | { readonly is: "boot"; readonly servers: readonly string[] }
  /** A server is about to have another rule: whom it allows what from now on. */
  | {
      readonly is: "rule";
      readonly by: string;
      readonly number: number;
      readonly allowed: readonly string[];
      readonly friends: readonly string[];
    }
  /** The Thing has acknowledged to this server that nothing counts that was given under an earlier rule. */
  | { readonly is: "void"; readonly by: string; readonly number: number }
  /** Somebody is about to ask for something: an answer about them may be remembered from now on. */
  | { readonly is: "asks"; readonly jid: string }
  /** It was said that nothing is remembered of what somebody, or anybody, may read or control. */
  | { readonly is: "gone"; readonly jid?: string };

type Rule = Extract<Fact, { is: "rule" }>;
/** A remembered answer. */
export type Remembered = ReturnType<Thing["rights"]["entries"]>[number];

/** A remembered answer as text: what of it matters. */
export function textOf({ kind, jid, grants }: Remembered): string {
  const parts = grants.map(({ by, types, nodes, fields, parameters }) => ({ by, types, nodes, fields, parameters }));
  return JSON.stringify({ kind, jid, grants: parts.sort((a, b) => (a.by < b.by ? -1 : 1)) });
}

/** What is known at a moment. */
export class Witness {
  readonly #rules = new Map<string, Rule[]>();
  readonly #floors = new Map<string, number>();
  /** Of whom there may be answers about reading and controlling. */
  readonly #asked = new Set<string>();
  /** The servers in the options of the last start. */
  servers: readonly string[] = [];
  /** Whom the Thing belongs to, once they were told. */
  owner: string | undefined;
  /** What people were shown. */
  shown: string | undefined;

  constructor(marks: readonly string[]) {
    for (const mark of marks) this.#add(JSON.parse(mark) as Fact);
  }

  #add(fact: Fact): void {
    if (fact.is === "shown") this.shown = fact.text;
    else if (fact.is === "claimed") this.owner = fact.owner;
    else if (fact.is === "boot") this.servers = fact.servers;
    else if (fact.is === "rule") this.#rules.set(fact.by, [...(this.#rules.get(fact.by) ?? []), fact]);
    else if (fact.is === "void") this.#floors.set(fact.by, fact.number);
    else if (fact.is === "asks") this.#asked.add(fact.jid);
    else if (fact.jid === undefined) this.#asked.clear();
    else this.#asked.delete(fact.jid);
  }

  /** Why this must not be remembered; `undefined` if it may be. */
  complaint({ kind, jid, grants }: Remembered): string | undefined {
    if (kind !== "friend" && !this.#asked.has(jid)) return `is remembered of ${jid}, after it was forgotten`;
    for (const { by, fields, parameters } of grants) {
      if (!this.servers.includes(by)) return `is by ${by}, who is not trusted`;
      const names = kind === "control" ? parameters : fields;
      const why = kind === "friend" ? this.#friendship(by, jid) : this.#numbers(by, jid, names);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  /** Why somebody must not be let read these fields by what is remembered. */
  whyNotRead(jid: string, fields: readonly string[]): string | undefined {
    if (fields.length > 0 && !this.#asked.has(jid)) return `${jid} may read, after it was forgotten`;
    const wrong = fields.find((field) => this.servers.every((by) => this.#numbers(by, jid, [field]) !== undefined));
    return wrong === undefined ? undefined : `${jid} may read field ${wrong}`;
  }

  #numbers(by: string, jid: string, names: readonly string[]): string | undefined {
    if (names.length === 0) return `lets ${jid} have everything, which ${by} never did`;
    for (const name of names) {
      const rule = this.#rules.get(by)?.find(({ number }) => String(number) === name);
      if (rule?.allowed.includes(jid) !== true) return `lets ${jid} have ${name}, which ${by} never did`;
      const floor = this.#floors.get(by) ?? 0;
      if (rule.number < floor) return `lets ${jid} have ${name}, which ${by} has taken back: ${floor} was acknowledged`;
    }
    return undefined;
  }

  #friendship(by: string, jid: string): string | undefined {
    const floor = this.#floors.get(by) ?? 0;
    const allows =
      this.#rules.get(by)?.some(({ number, friends }) => number >= floor && friends.includes(jid)) === true;
    return allows ? undefined : `makes ${jid} a friend, which ${by} has not allowed since rule ${floor}`;
  }
}
