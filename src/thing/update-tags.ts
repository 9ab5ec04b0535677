// `updateTags`: the program changes what the Registry says of its Thing (XEP-0347 3.13).
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Tags } from "../codec/tags.ts";
import type { OwnTags } from "./own-tags.ts";
import { isFindable } from "./ownership.ts";
import type { ThingEvent, ThingState } from "./state.ts";
import { toOwnChanges } from "./tags.ts";

/** How tags are changed. */
export interface UpdateTagsOptions extends CallOptions {
  /** The node behind the Thing whose tags are meant, by its whole triple. Default: the Thing itself. */
  readonly node?: NodeRef;
}

/** What tags are changed with. */
export interface UpdateTagsParts {
  readonly clock: Clock;
  readonly ownTags: OwnTags;
  readonly state: () => ThingState;
  readonly dispatch: (event: ThingEvent) => Promise<void>;
}

const DEFAULT_TIMEOUT = 30_000;

/** Keeps what is wanted, then waits until the Registry has it, if it is to have it now. */
export async function updateTags(
  { clock, ownTags, state, dispatch }: UpdateTagsParts,
  tags: Tags,
  { signal, timeout = DEFAULT_TIMEOUT }: CallOptions,
): Promise<void> {
  const changes = toOwnChanges(tags, "updateTags");
  signal?.throwIfAborted();
  await ownTags.want(changes);
  await dispatch({ type: "tagsChanged" });
  // Held back while the Thing is unclaimed, private or removed (D-E19), and while it is offline.
  const isDue = (): boolean => state().link.is === "online" && isFindable(state().ownership);
  await withDeadline(clock, { signal, timeout }, "updateTags", (limited) => ownTags.settled(isDue, limited));
}
