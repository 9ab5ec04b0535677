// What a reference Provisioning Server was asked, for who looks inside.
import type { Jid } from "../core/jid.ts";
import type { AskedQuestion, QuestionKind } from "./provisioning-server-options.ts";

// A sandbox may run for weeks: counts stay exact, the list keeps the newest.
const MOST_QUESTIONS = 10_000;

/** The questions asked: how many of each kind, and the newest of them. */
export class AskedQuestions {
  readonly #counts = new Map<QuestionKind, number>();
  readonly #questions: AskedQuestion[] = [];

  /** The questions asked, oldest first; of very many the newest 10,000. */
  get list(): readonly AskedQuestion[] {
    return [...this.#questions];
  }

  /** How many were asked, of one kind or of all. */
  count(kind?: QuestionKind): number {
    if (kind !== undefined) return this.#counts.get(kind) ?? 0;
    return [...this.#counts.values()].reduce((sum, one) => sum + one, 0);
  }

  /** Notes one that was answered. */
  note(from: Jid, question: Omit<AskedQuestion, "thing">): void {
    this.#counts.set(question.kind, this.count(question.kind) + 1);
    this.#questions.push({ thing: from.bare, ...question });
    if (this.#questions.length > MOST_QUESTIONS) this.#questions.shift();
  }
}
