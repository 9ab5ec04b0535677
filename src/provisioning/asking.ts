// One question, asked of every trusted server side by side: XEP-0324 5.3, P-E28.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { hideTokens } from "../codec/tokens.ts";
import { ask, type Answer, type AskParts } from "./ask.ts";
import type { Barrier } from "./barrier.ts";
import type { Question } from "./questions.ts";
import { grantAll, grantsIn } from "./record.ts";

/** What it takes to ask every trusted server. */
export interface AskingOptions extends AskParts {
  /** Told of a server that does not answer. */
  readonly barrier: Barrier;
  /** Time. */
  readonly clock: Clock;
  /** Where oddities are told. */
  readonly logger: Logger;
}

// With the barrier before it this stays below the time a handler has, so that the caller hears a "later" from us.
const ASK_TIMEOUT = 6_000;

/**
 * Asks every server side by side. As soon as everything is granted that is the answer; a no waits for all (XEP-0324 5.3).
 * Resolves to what each server has answered by then; who has not is not among them. Never rejects.
 */
export async function askAll(
  options: AskingOptions,
  servers: readonly BareJid[],
  question: Question,
  from?: Jid,
): Promise<ReadonlyMap<BareJid, Answer>> {
  const { barrier, clock, logger } = options;
  const answered = new Map<BareJid, Answer>();
  const asking = servers.map(async (server) => {
    try {
      const answer = await withDeadline(
        clock,
        { timeout: ASK_TIMEOUT },
        `${question.kind} asked of ${server}`,
        (signal) => ask(options, server, question, { signal, timeout: ASK_TIMEOUT }, from),
      );
      answered.set(server, answer);
      if (grantAll(question, grantsIn(servers, answered))) return;
    } catch (error) {
      const why = hideTokens(messageOf(error), question.kind === "friend" ? {} : question.tokens);
      logger.warn("a provisioning server did not answer", { server, kind: question.kind, why });
      barrier.failed(server, error);
    }
    throw new NotEnough();
  });
  await Promise.any(asking).catch(() => undefined); // what all of them said was not enough
  return new Map(answered); // as it is now: who answers later is not heard any more
}

/** What has been answered by now does not settle the matter. */
class NotEnough extends Error {}
