// How long a challenge may take that is passed back: XEP-0324 3.1.3, P-E13.
import { MEMORY } from "./sent-tokens.ts";

// Less than the time in which the last one of a chain asks its provisioning server: a challenge that comes while it waits
// is answered, one way or the other, before it gives up.
const WINDOW = 5_000;
// With less than that left nothing can be passed back and forth any more.
const LEAST = 1_000;

/**
 * The moment by which a challenge must have been answered, if the token was sent on at `sent` and it is `now`; all of them
 * by one clock that does not jump.
 *
 * Nobody in a chain knows how long it is, and the stanzas say nothing of time. But whoever is nearer to the origin of a
 * token has sent it on earlier. So time is counted not from the challenge, which reaches them in the other order, but
 * from there: in windows of 5 s, the first of which begins when the token was sent on. Within a window each deadline is
 * earlier than that of the one that asked, over any number of hops, and however long each takes. A challenge with
 * less than a second of a window left has the next one too. Only where a window ends between one hop and the next may the
 * hop behind have longer than the one that asked it, which gives up at its own time all the same. No challenge has more than 6 s.
 */
export function deadlineOf(sent: number, now: number): number {
  const age = Math.min(Math.max(now - sent, 0), MEMORY);
  return sent + WINDOW * Math.max(1, Math.ceil((age + LEAST) / WINDOW));
}
