// One question, asked of every trusted server side by side: XEP-0324 5.3, P-E28.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { ask, type AskParts } from "./ask.ts";
import type { Barrier } from "./barrier.ts";
import { areWhole, mostForgivingFirst, type Grant } from "./grants.ts";
import type { Question } from "./questions.ts";

/** What it takes to ask every trusted server. */
export interface AskingOptions extends AskParts {
  /** Told of a server that does not answer. */
  readonly barrier: Barrier;
  /** Time. */
  readonly clock: Clock;
  /** Where oddities are told. */
  readonly logger: Logger;
}

/** What the trusted servers say together. */
export interface Answers {
  /** The grants, one for each server that granted something, most forgiving first; equal ones in the order of the servers. */
  readonly grants: readonly Grant[];
  /** The servers whose answer, a no to a friendship, lets the Thing make friends of its own (P-E16). */
  readonly secondaryTrustBy: readonly BareJid[];
  /** Whether this is the whole answer, to be remembered: the grants cover all that was asked, or every server has answered. */
  readonly complete: boolean;
}

// With the barrier before it this stays below the time a handler has, so that the caller hears a "later" from us.
const ASK_TIMEOUT = 6_000;

/** Asks every server side by side. As soon as everything is granted that is the answer; a no waits for all (XEP-0324 5.3). Never rejects. */
export async function askAll(
  options: AskingOptions,
  servers: readonly BareJid[],
  question: Question,
  from?: Jid,
): Promise<Answers> {
  const { barrier, clock, logger } = options;
  const grants: Grant[] = [];
  const secondaryTrustBy = new Set<BareJid>();
  let answered = 0;
  const asking = servers.map(async (server) => {
    try {
      const { grant, secondaryTrustAllowed = false } = await withDeadline(
        clock,
        { timeout: ASK_TIMEOUT },
        `${question.kind} asked of ${server}`,
        (signal) => ask(options, server, question, { signal, timeout: ASK_TIMEOUT }, from),
      );
      answered++;
      if (secondaryTrustAllowed) secondaryTrustBy.add(server);
      if (grant !== undefined) grants.push(grant);
      if (grant !== undefined && (question.kind === "friend" || areWhole(question, grants))) return;
    } catch (error) {
      logger.warn("a provisioning server did not answer", { server, kind: question.kind, why: messageOf(error) });
      barrier.failed(server, error);
    }
    throw new NotEnough();
  });
  const sufficient = await Promise.any(asking).then(
    () => true,
    () => false,
  );
  // A "no" of some is the whole answer only when all have answered: the one that failed may have granted more.
  const complete = sufficient || answered === servers.length;
  // Who was quicker makes no other answer of it.
  const inOrder = servers.flatMap((server) => grants.filter(({ by }) => by === server));
  return {
    grants: mostForgivingFirst(inOrder),
    secondaryTrustBy: servers.filter((server) => secondaryTrustBy.has(server)),
    complete,
  };
}

/** What has been answered by now does not settle the matter. */
class NotEnough extends Error {}
