// XEP-0324 3.5.1: the command to forget all rights, and who may give it (P-E21).
import type { BareJid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import { buildClearCacheResponse } from "../codec/provisioning.ts";
import type { Router } from "../channel/router.ts";
import type { RightsCache } from "./rights-cache.ts";

/** Obeys `clearCache` from trusted servers; from anybody else it is `forbidden` and changes nothing. */
export function answerClearCache(options: {
  readonly router: Router;
  readonly cache: RightsCache;
  /** The provisioning servers the Thing trusts. */
  readonly servers: () => readonly BareJid[];
  /** Told once the cache is empty, also on disk. */
  readonly onCleared: (server: BareJid) => void;
}): void {
  const { router, cache, servers, onCleared } = options;
  router.onIq(ns.provisioning, "clearCache", async ({ from }) => {
    if (!servers().includes(from.bare)) throw new Refusal("forbidden");
    // Durable first: what is acknowledged is not sent again (P-3.5.1-4).
    await cache.clear();
    return { payload: buildClearCacheResponse(), afterwards: () => onCleared(from.bare) };
  });
}
