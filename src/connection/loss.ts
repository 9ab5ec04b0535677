// Why there is no link, and how soon it makes sense to try again.
import { ConnectionError, DiscoveryError, type SdkError } from "../core/errors.ts";
import type { ServerAddress } from "../discovery/address.ts";
import { CertificateTimeError } from "./tls-policy.ts";

/** The first windows of the waits between two rounds, in milliseconds; each doubles up to its cap. */
export interface RetryOptions {
  /** After a lost server: everybody it had comes back, and must not at the same moment. Default 10,000. */
  readonly server?: number | undefined;
  /** After a lost link of one's own: nobody else comes back because of it. Default 1,000. */
  readonly link?: number | undefined;
  /** The widest window. Default 300,000 (5 minutes). */
  readonly cap?: number | undefined;
}

/**
 * What was lost. `server`: somebody on the way or at the end of it has closed or refused. `link`: nothing comes, or
 * nothing goes out. `search`: no server was found, and nobody was bothered but the own network.
 */
export type Loss = "server" | "link" | "search";

// A search costs no server anything; a server that is switched on after its Things is to be found soon.
const SEARCH_CAP = 60_000;

/** The first window and the cap after a loss, in milliseconds. */
export function windowOf(loss: Loss, options: RetryOptions = {}): { readonly first: number; readonly cap: number } {
  const { server = 10_000, link = 1_000, cap = 300_000 } = options;
  if (loss === "search") return { first: link, cap: Math.min(cap, SEARCH_CAP) };
  return { first: loss === "link" ? link : server, cap };
}

/** The own link died without a word, or was left: the network has changed, or nothing has come for too long. */
export class LinkLostError extends ConnectionError {}

// What the own machine says of its own network. A host that cannot be reached is on the other side.
const ownNetwork: ReadonlySet<unknown> = new Set([
  "ENETUNREACH",
  "ENETDOWN",
  "ENONET",
  "EADDRNOTAVAIL",
  "EAI_AGAIN",
  "ETIMEDOUT",
]);

/** What an end, or a try that came to nothing, says of what was lost. */
export function lossOf(reason: SdkError): Loss {
  if (reason instanceof DiscoveryError) return "search";
  if (reason instanceof LinkLostError) return "link";
  const cause: unknown = reason.cause;
  const code = cause instanceof Error ? (cause as { readonly code?: unknown }).code : undefined;
  return ownNetwork.has(code) ? "link" : "server";
}

/** A server that was tried in a round, and why it came to nothing. */
export interface Failure {
  readonly address: ServerAddress;
  readonly reason: SdkError;
}

// Enough for a person to see what is going on.
const MOST_NAMED = 5;

/** Several servers were tried, and none could be used. */
export class NoServerError extends ConnectionError {}

/** What a round says of itself: of one server its own reason, of several all of them. */
export function reasonOf(failures: readonly Failure[]): SdkError {
  const [first] = failures;
  if (first === undefined) return new DiscoveryError("no server to connect to is known");
  if (failures.length === 1) return first.reason;
  const named = failures
    .slice(0, MOST_NAMED)
    .map(({ address: { domain, host, port }, reason }) => `${domain} at ${host}:${port}: ${reason.message}`);
  const more = failures.length > MOST_NAMED ? `; and ${failures.length - MOST_NAMED} more` : "";
  return new NoServerError(`none of ${failures.length} servers could be used: ${named.join("; ")}${more}`, {
    cause: first.reason,
  });
}

/** What the failures of a round say of what was lost: the own link only if it is so for all of them. */
export function lossIn(failures: readonly Failure[]): Loss {
  const losses = new Set(failures.map(({ reason }) => lossOf(reason)));
  if (losses.has("server")) return "server";
  return losses.has("link") ? "link" : "search";
}

/** True if the device's clock is what keeps it from one of them. */
export function isClockBehind(reason: SdkError): boolean {
  return reason instanceof CertificateTimeError && reason.clockBehind;
}
