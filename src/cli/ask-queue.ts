// The questions that wait for people: bounded, since strangers make them, and each only once.
import { decidingPrivilege } from "../codec/privileges.ts";
import type { UndecidedQuestion } from "../sandbox/provisioning-server-options.ts";
import type { ReferenceProvisioningServer } from "../sandbox/provisioning-server.ts";
import { ruleFor, type Right } from "../sandbox/rules.ts";
import { questionKey } from "./ask-question.ts";

/** A question that waits. */
export interface Waiting {
  /** Who was asked. */
  readonly server: ReferenceProvisioningServer;
  /** What. */
  readonly question: UndecidedQuestion;
}

/** How many wait at most: in all, of one Thing, about one who wants something. Nobody takes all the places. */
export const MOST = { all: 100, thing: 25, jid: 10 } as const;

const rightOf = { isFriend: "friend", canRead: "read", canControl: "control", canAccess: "access" } as const;

/** The questions that wait, in the order in which they came. */
export class AskQueue {
  readonly #waiting = new Map<string, Waiting>();
  readonly #resting = new Set<string>();
  readonly #without = new Set<ReferenceProvisioningServer>();
  #leftOut = 0;

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** How many times there was no place since {@link caughtUp}. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Takes a question, unless it waits already, rests or has no place. */
  add(waiting: Waiting): void {
    const key = questionKey(waiting.server.jid, waiting.question);
    if (this.#waiting.has(key) || this.#resting.has(key)) return;
    const { thing, jid } = waiting.question;
    const count = (isLike: (other: UndecidedQuestion) => boolean): number =>
      [...this.#waiting.values()].filter(({ question }) => isLike(question)).length;
    const isFull =
      this.size >= MOST.all ||
      count((other) => other.thing === thing) >= MOST.thing ||
      count((other) => other.jid === jid) >= MOST.jid;
    if (!isFull) return void this.#waiting.set(key, waiting);
    this.#leftOut++;
    this.#without.add(waiting.server);
  }

  /** The one in front, which stays there; `undefined` if none waits. */
  get first(): Waiting | undefined {
    return this.#waiting.values().next().value;
  }

  /** Takes a question away. */
  remove({ server, question }: Waiting): void {
    this.#waiting.delete(questionKey(server.jid, question));
  }

  /** Takes a question away, and it is not taken again. Returns how to change that. */
  rest(waiting: Waiting): () => void {
    const key = questionKey(waiting.server.jid, waiting.question);
    this.remove(waiting);
    this.#resting.add(key);
    return () => void this.#resting.delete(key);
  }

  /** Takes away all that rules decide by now. Tells how many. */
  removeDecided(): number {
    const before = this.size;
    for (const waiting of this.#waiting.values()) if (isDecided(waiting)) this.remove(waiting);
    return before - this.size;
  }

  /** None waits any more. Gives the servers of those that had no place, each once, and forgets them. */
  caughtUp(): readonly ReferenceProvisioningServer[] {
    const servers = [...this.#without];
    this.#without.clear();
    this.#leftOut = 0;
    return servers;
  }
}

/** A rule that names the identity behind a token decides nothing here: whether it was proved, only the server knows. */
function isDecided({ server, question }: Waiting): boolean {
  const { kind, thing, jid, nodes, fields, types, parameters, credentials, identities } = question;
  if (kind === "hasPrivilege") {
    const lists = identities.map((service) => server.privilegesOf(service, question.userName));
    return lists.some((list) => decidingPrivilege(list, question.privilege ?? "") !== undefined);
  }
  const right: Right = rightOf[kind];
  const asked = { nodes, fields, types: new Set(types), parameters };
  const acting = kind === "canAccess" ? { service: identities } : {};
  return ruleFor(server.rules, right, { thing, jid, acting, asked, credentials }) !== undefined;
}
