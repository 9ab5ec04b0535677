// XEP-0324 3.5.1: the command to forget all rights, and who may give it (P-E21).
import { messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import { buildClearCacheResponse } from "../codec/provisioning.ts";
import type { IqHandler, Router } from "../channel/router.ts";
import type { RightsCache } from "./rights-cache.ts";

/** Obeys `clearCache` from trusted servers; from anybody else it is `forbidden` and changes nothing. */
export function answerClearCache(options: {
  readonly router: Router;
  /** What is emptied; resolves once that is durable. */
  readonly cache: Pick<RightsCache, "clear">;
  /** The provisioning servers the Thing trusts. */
  readonly servers: () => readonly BareJid[];
  /** Told once the cache is empty, also on disk. */
  readonly onCleared: (server: BareJid) => void;
  /** Told when the disk does not take it: memory is empty, but the command is not acknowledged. */
  readonly onFault: (code: "rights-not-saved", message: string, cause: unknown) => void;
}): void {
  const { router, cache, servers, onCleared, onFault } = options;
  const obey: IqHandler = async ({ from }) => {
    if (!servers().includes(from.bare)) throw new Refusal("forbidden");
    try {
      // Durable first: what is acknowledged is not sent again (P-3.5.1-4).
      await cache.clear();
    } catch (error) {
      onFault("rights-not-saved", `clearCache could not be obeyed on disk: ${messageOf(error)}`, error);
      throw new Refusal("resource-constraint"); // "later": the server repeats it
    }
    return { payload: buildClearCacheResponse(), afterwards: () => onCleared(from.bare) };
  };
  router.onIq(ns.provisioning, "clearCache", obey, { urgent: true });
}
