import type { BareJid } from "../core/jid.ts";

/**
 * What background trouble is about. Stable: compare this, not the message. The table in `docs/errors.md` says for each
 * what it means and whether it heals by itself.
 */
export type FaultCode =
  /** No XMPP server was found; the message says what each way of searching has to say to it. */
  | "discovery"
  /** What came from the network in answer to a search was no packet that could be used: how often, from which finder, why. */
  | "network-packets"
  /** User name or password were refused, or the server did not prove that it knows the password. */
  | "authentication"
  /** The server offers no TLS, or its certificate does not prove the domain; nothing secret was sent. */
  | "tls-policy"
  /** The server's certificate was not checked, since the option `tls.unverified` names its domain. */
  | "tls-unverified"
  /** The server's certificate is not valid yet, by the device's clock: the clock is behind; nothing secret was sent. */
  | "clock-behind"
  /** The server would not make an account. */
  | "registration"
  /** The account could not be read or kept. */
  | "account"
  /** A factory reset was to change the password of the account, or to remove it, and the server has not done so. */
  | "account-kept"
  /** An option cannot be used with this server. */
  | "configuration"
  /** Another connection took this Thing's place; it stays offline until started again. */
  | "conflict"
  /** The connection was lost before the server acknowledged what was sent; it may not have arrived. */
  | "not-delivered"
  /** Presence or roster could not be sent or asked for. */
  | "greeting"
  /** The Registry was not found, did not answer, or refused. */
  | "registry"
  /** The options name another Registry than the one the Thing was registered with: that one counts from now on. */
  | "registry-changed"
  /** No provisioning server was found. */
  | "provisioning"
  /** The Thing's certificate: others can read its key, it has expired, or what was made cannot be read. */
  | "certificate"
  /** A provisioning server has given no token, or a challenge could not be decrypted. */
  | "token"
  /** A provisioning server wanted a friendship ended that the Thing cannot do without. */
  | "unfriend-ignored"
  /** What the Registry was told of the Thing was damaged on disk; it is told again. */
  | "tags-damaged"
  /** The Registry has named another owner than the one whom the Thing has, without a disowning: ignored. */
  | "owner-change-ignored"
  /** The Registry changes whose the Thing, or a node, is again and again: what it says is taken later, and not acknowledged now. */
  | "registry-restless"
  /** Somebody whom the button has accepted has not said yet whether it is a provisioning server. */
  | "pairing"
  /** The owner could not be asked for friendship. */
  | "owner"
  /** The sensor failed or yielded something wrong. */
  | "sensor"
  /** A control parameter could not be set, or setting it took too long. */
  | "control"
  /** The newest generation of the identity was damaged; the one before is used. */
  | "identity-restored"
  /** What was kept of a node was damaged: it has no owner until the Registry has said whose it is. */
  | "node-damaged"
  /** The remembered rights were damaged; what is missing is asked again. */
  | "rights-damaged"
  /** The remembered rights could not be written; they are kept in memory. */
  | "rights-not-saved"
  /** A state could not be written. */
  | "state-not-saved"
  /** A handler failed: a bug, in this library or in the program. */
  | "handler-failed"
  /** A listener of the program's threw. */
  | "listener-failed"
  /** A handler takes long. */
  | "handler-slow";

/** What is said of a Registry that was named in the place of another one. */
export function movedTo(registry: BareJid, before: BareJid): string {
  return `the option \`registry\` names ${registry}, but the Thing was registered with ${before}: from now on ${registry} counts, and ${before} may go on listing the Thing`;
}

/** What is said of packets that were not taken: how often, by finder and reason. */
export function droppedPackets(dropped: ReadonlyMap<string, number>): string {
  const list = [...dropped].map(([what, times]) => `${what} (${times})`).join(", ");
  return `in the search for a server, packets from the network were dropped: ${list}`;
}

/** Those that are over when the Thing is online. */
export const connectionFaults: readonly FaultCode[] = [
  "discovery",
  "authentication",
  "tls-policy",
  "clock-behind",
  "registration",
  "account",
  "configuration",
  "conflict",
];

/** Background trouble: told, never thrown, since a Wi-Fi loss must not end a sensor script. */
export interface Fault {
  /** What it is about. */
  readonly code: FaultCode;
  /** What happened, in words. Never a secret. */
  readonly message: string;
  /**
   * How often it happened since it was told last, this time included; 0 the first time. The same fault again and again
   * is told at once, then after 1, 4, 16 minutes and from then on once an hour; after an hour of silence it is new.
   */
  readonly repeated: number;
  /** What led to it, if there is more to know. */
  readonly cause?: unknown;
}
