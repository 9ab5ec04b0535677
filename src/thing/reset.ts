// The factory reset of a Thing that runs: X-E4, P-6.1-2, XEP-0347 3.16.
import type { CallOptions } from "../core/abort.ts";
import { TimeoutError } from "../core/errors.ts";
import type { ThingEvent, ThingState } from "./state.ts";

const DEFAULT_TIMEOUT = 10_000;

/** Resets, then waits a while for what is taken back on the wire; that goes on by itself, however long it takes. */
export async function toFactorySettings(
  dispatch: (event: ThingEvent) => Promise<void>,
  thing: { waitFor(condition: (state: ThingState) => boolean, options: CallOptions): Promise<ThingState> },
  { signal, timeout = DEFAULT_TIMEOUT }: CallOptions,
): Promise<void> {
  signal?.throwIfAborted();
  await dispatch({ type: "reset" });
  try {
    await thing.waitFor(hasLeft, { signal, timeout });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
}

/** Nothing is left to take back, or nobody to ask at the moment. */
function hasLeft({ link, ownership }: ThingState): boolean {
  return link.is !== "online" || ownership.is !== "unregistered" || ownership.leaving === undefined;
}
