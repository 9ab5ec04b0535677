// What is remembered of the privileges of one user: XEP-0324 5.2, 3.7.2. In memory only: a user token is of no use to the process
// that comes after, whose users connect anew.
import type { BareJid } from "../core/jid.ts";
import { isPrivilegeGranted, type Privilege } from "../codec/privileges.ts";

// IDs are finite (P-3.7.1-9); a service that puts variable data into them must not fill its memory.
const MOST_ANSWERS = 1_000;

/** Answers and lists, until they are forgotten. */
export class PrivilegeCache {
  readonly #answers = new Map<string, boolean>();
  readonly #lists = new Map<BareJid, readonly Privilege[]>();
  #generation = 0;

  /** Counts how often all was forgotten: an answer to a question of before is not remembered. */
  get generation(): number {
    return this.#generation;
  }

  /** What is known of a full Privilege ID; `undefined`: nothing. A yes of one server suffices, a no needs all (XEP-0324 5.3). */
  known(id: string, servers: readonly BareJid[]): boolean | undefined {
    const lists = servers.map((server) => this.#lists.get(server));
    if (lists.some((list) => list !== undefined && isPrivilegeGranted(list, id))) return true;
    if (lists.length > 0 && !lists.includes(undefined)) return false;
    const answer = this.#answers.get(id);
    if (answer === undefined) return undefined;
    this.#answers.delete(id); // asked last, forgotten last
    this.#answers.set(id, answer);
    return answer;
  }

  /** Remembers an answer, if nothing was forgotten since its question. */
  learn(id: string, answer: boolean, generation: number): void {
    if (generation !== this.#generation) return;
    this.#answers.set(id, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MOST_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
  }

  /** Remembers the list of one server, likewise. */
  download(server: BareJid, list: readonly Privilege[], generation: number): void {
    if (generation === this.#generation) this.#lists.set(server, list);
  }

  /** Forgets all. */
  clear(): void {
    this.#generation++;
    this.#answers.clear();
    this.#lists.clear();
  }
}
