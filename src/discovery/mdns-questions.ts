// When what is asked again, and in which packets: RFC 6762 sections 5.2 and 7.1.

/** A question to the network. */
export interface Question {
  readonly type: "PTR" | "SRV" | "TXT" | "A" | "AAAA";
  readonly name: string;
}

/** An answer that is known already, and need not be given again: an instance of the service. */
export interface KnownAnswer {
  readonly type: "PTR";
  readonly name: string;
  /** For how long it is known, in seconds. */
  readonly ttl: number;
  readonly data: string;
}

/** One packet. */
export interface Query {
  readonly questions: readonly Question[];
  readonly answers: readonly KnownAnswer[];
}

// RFC 6762 section 5.2: a second at least between the first two, and each gap twice the one before.
const FIRST_GAP = 1_000;
// What is due in a moment goes along.
const SOON = 50;
const MOST = 64;
// RFC 6762 section 17: what fits on any link with its headers.
const PACKET = 1_200;

/** Questions, each with its own growing gaps. */
export class Questions {
  readonly #asked = new Map<string, { question: Question; due: number; gap: number }>();

  /** Makes these the questions, from `due` on; those that are there already keep their gaps, all others go. */
  set(questions: readonly Question[], due: number): void {
    const wanted = new Map(questions.slice(0, MOST).map((question) => [`${question.type} ${question.name}`, question]));
    for (const key of this.#asked.keys()) if (!wanted.has(key)) this.#asked.delete(key);
    for (const [key, question] of wanted) {
      if (!this.#asked.has(key)) this.#asked.set(key, { question, due, gap: FIRST_GAP });
    }
  }

  /** When the next one is due; `Infinity` if there is none. */
  get next(): number {
    return Math.min(...[...this.#asked.values()].map(({ due }) => due));
  }

  /** All there are: for a link that was not there when they were asked. */
  get all(): readonly Question[] {
    return [...this.#asked.values()].map(({ question }) => question);
  }

  /** Those that are due, which are then asked. */
  take(now: number): readonly Question[] {
    return [...this.#asked.values()]
      .filter(({ due }) => due <= now + SOON)
      .map((entry) => {
        entry.due = now + entry.gap;
        entry.gap *= 2;
        return entry.question;
      });
  }
}

/** The first of everybody, then the second of everybody, and so on. */
export function inTurn<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) => lists.flatMap((list) => list.slice(turn, turn + 1))).flat();
}

/** Packets that fit on any link. Known answers go with the first, as far as there is room. */
export function toQueries(questions: readonly Question[], answers: readonly KnownAnswer[]): readonly Query[] {
  const packets: { questions: Question[]; answers: KnownAnswer[]; length: number }[] = [];
  let last = { questions: [] as Question[], answers: [] as KnownAnswer[], length: 12 };
  for (const question of questions) {
    const length = Buffer.byteLength(question.name) + 6;
    if (last.length + length > PACKET) last = { questions: [], answers: [], length: 12 };
    if (last.questions.length === 0) packets.push(last);
    last.questions.push(question);
    last.length += length;
  }
  const [first] = packets;
  for (const answer of first === undefined ? [] : answers) {
    const length = Buffer.byteLength(answer.name) + Buffer.byteLength(answer.data) + 14;
    if (first === undefined || first.length + length > PACKET) break;
    first.answers.push(answer);
    first.length += length;
  }
  return packets.map(({ questions, answers }) => ({ questions, answers }));
}
