// What a reference Thing Registry is told, and what it tells of its Things.
import type { Clock } from "../core/clock.ts";
import type { BareJid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Tag } from "../codec/tags.ts";
import type { RegistrySettings } from "./registry-limits.ts";
import type { RecordKeeper, RegistryRecord } from "./registry-records.ts";
import { isKey } from "./registry-tags.ts";

/** What a reference Registry is made of. */
export interface RegistryOptions extends RegistrySettings {
  /** Its address: `discovery.localhost` as a component, `discovery@localhost` as an account (XEP-0347 5.1). */
  readonly jid: string;
  /** Randomness for the ids of its requests and the KEY of disowned Things. Default: the operating system's. */
  readonly random?: RandomSource | undefined;
  /** Time, for when things happened and how long is waited. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Where it tells what it does. Silent by default; tags are never told. */
  readonly logger?: Logger | undefined;
}

/** What a reference Registry is made of that outlives its process. */
export interface KeptRegistryOptions extends RegistryOptions {
  /** What keeps its Things. Nobody else may use it; `close()` of the Registry closes it. */
  readonly keeper: RecordKeeper;
}

/** A Thing as the Registry knows it. */
export interface RegisteredThing {
  /** Whose Thing. */
  readonly jid: BareJid;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
  /** Its tags as they are now, without KEY: that is a secret between Thing and owner (XEP-0347 6.5). */
  readonly tags: readonly Tag[];
  /** Whether it has a KEY still. */
  readonly hasKey: boolean;
  /** The owner, once claimed; the Thing itself if it is self-owned. */
  readonly owner?: BareJid;
  /** Once claimed: false if it is kept out of searches. */
  readonly public?: boolean;
  /** Once claimed: whether nobody needs to claim it (XEP-0347 3.7). */
  readonly selfOwned?: boolean;
  /** Once claimed: whether the Thing has acknowledged that it knows. */
  readonly told?: boolean;
  /** When it registered, in milliseconds since 1970. */
  readonly registeredAt: number;
  /** When it was claimed, in milliseconds since 1970. */
  readonly claimedAt?: number;
}

/** What may be shown of a record. */
export function snapshot({ jid, node, tags, claim, registeredAt }: RegistryRecord): RegisteredThing {
  return {
    jid,
    ...(node && { node }),
    tags: tags.filter((tag) => !isKey(tag.name)),
    hasKey: tags.some((tag) => isKey(tag.name)),
    ...(claim && {
      owner: claim.owner,
      public: claim.public,
      selfOwned: claim.selfOwned,
      told: claim.told,
      claimedAt: claim.at,
    }),
    registeredAt,
  };
}
