// What is answered to a question of multicast DNS: RFC 6762 6 and 7. Pure.
import { sameName, sameRecord, type HeardRecord, type OwnRecord, type Records } from "./announce-records.ts";

/** A question that was heard. */
export interface HeardQuestion {
  readonly name: string;
  readonly type: string;
  readonly class?: string | undefined;
}

/** What is answered. */
export interface Answers {
  /** The questions that were ours to answer, with our spelling of their names. */
  readonly questions: readonly HeardQuestion[];
  /** What was asked for. */
  readonly answers: readonly OwnRecord[];
  /** What will be asked for next. */
  readonly additionals: readonly OwnRecord[];
}

// A packet holds a few questions. Whoever sends thousands is not to keep us busy with them.
const MOST_QUESTIONS = 64;
const MOST_KNOWN = 256;

// The topmost bit of the class asks for an answer to the asker alone, and dns-packet knows no name for such classes. Everybody is answered all
// the same, which RFC 6762 5.4 allows: of several programs that listen on a host, one packet to it reaches only one.
const classes: ReadonlySet<string> = new Set(["IN", "ANY", "UNKNOWN_32769", "UNKNOWN_33023"]);

/**
 * Answers questions.
 *
 * @param known what the asker knows already: not told again, unless it is about to forget it (RFC 6762 7.1)
 */
export function answersTo(asked: readonly HeardQuestion[], known: readonly HeardRecord[], records: Records): Answers {
  const questions: HeardQuestion[] = [];
  const answers = new Set<OwnRecord>();
  const knows = known.slice(0, MOST_KNOWN);
  for (const question of asked.slice(0, MOST_QUESTIONS)) {
    if (!classes.has(question.class ?? "IN")) continue;
    const named = records.all.filter(({ name }) => sameName(name, question.name));
    const [first] = named;
    if (first === undefined) continue;
    const fitting = named.filter(({ type }) => question.type === type || question.type === "ANY");
    questions.push({ name: first.name, type: question.type, class: "IN" });
    if (fitting.length === 0) {
      for (const nothing of records.nothingElse) if (nothing.name === first.name) answers.add(nothing);
    }
    for (const record of fitting) {
      const enough = (heard: HeardRecord): boolean => sameRecord(record, heard) && (heard.ttl ?? 0) >= record.ttl / 2;
      if (!knows.some(enough)) answers.add(record);
    }
  }
  return { questions, answers: [...answers], additionals: additionalsTo([...answers], records) };
}

/** What goes with answers, so that nobody has to ask again (RFC 6763 12). */
export function additionalsTo(answers: readonly OwnRecord[], records: Records): readonly OwnRecord[] {
  const wants = (type: string): boolean =>
    answers.includes(records.pointer) ||
    ((type === "A" || type === "AAAA") && answers.some((answer) => answer.type === "SRV"));
  return records.unique.filter((record) => !answers.includes(record) && wants(record.type));
}

// RFC 6762 6.7: whoever asks from another port than 5353 is no multicast DNS, and forgets after 10 s.
const LONGEST_FOR_OTHERS = 10;

/** A record for an asker who knows nothing of multicast DNS. */
export function plain(record: OwnRecord): OwnRecord {
  return { ...record, flush: false, ttl: Math.min(record.ttl, LONGEST_FOR_OTHERS) };
}
