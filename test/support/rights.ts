// Answers as the guard would have them remembered, for tests that need some.
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { wholeGrant, type Grant } from "../../src/provisioning/grants.ts";
import { questionKey, type Question } from "../../src/provisioning/questions.ts";
import { pack, trustGeneration } from "../../src/provisioning/record.ts";
import type { RightsCache } from "../../src/provisioning/rights-cache.ts";

/** The provisioning server of the tests. */
export const server = bareJid("provisioning.example.org");

/** What a remembered answer may be. */
export interface Said {
  /** What was granted; default: everything, by the server of the tests. */
  readonly grants?: readonly Grant[];
  /** Who lets the Thing make friends of its own. */
  readonly secondaryTrustBy?: readonly BareJid[];
  /** Whom the Thing trusts; default: the server of the tests. */
  readonly servers?: readonly BareJid[];
}

/** Under what the tests' Thing remembers: its account in `scriptedChannel`, and these servers. */
export function generationOf(servers: readonly BareJid[] = [server]): string {
  return trustGeneration("thing@example.org", servers).id;
}

/** A record, as it is kept. */
export function recordFor({ grants = [wholeGrant(server)], secondaryTrustBy = [], servers }: Said = {}): string {
  return pack({ generation: generationOf(servers), grants, secondaryTrustBy });
}

/** Has an answer remembered. It is not on disk by that. */
export function remember(cache: RightsCache, question: Question, said: Said = {}, epoch = cache.epoch): void {
  cache.put(questionKey(question), recordFor(said), epoch);
}
