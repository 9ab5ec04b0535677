// Background trouble of a service: told, never thrown.
import type { ConnectionFault } from "../connection/connection-manager.ts";

/**
 * What background trouble of a service is about; the same codes as those of a Thing: the table in `docs/errors.md` says for each what
 * it means and whether it heals by itself.
 */
export type ServiceFaultCode =
  | ConnectionFault
  /** Presence or roster could not be sent or asked for. */
  | "greeting"
  /** No provisioning server was found. */
  | "provisioning"
  /** The service's certificate: others can read its key, it has expired, or what was made cannot be read. */
  | "certificate"
  /** A provisioning server has given no token, or a challenge could not be decrypted. */
  | "token"
  /** A handler failed: a bug. */
  | "handler-failed"
  /** A handler takes long. */
  | "handler-slow"
  /** A listener of the program's threw. */
  | "listener-failed";

/** Background trouble. */
export interface ServiceFault {
  /** What it is about. */
  readonly code: ServiceFaultCode;
  /** What happened, in words. Never a secret. */
  readonly message: string;
  /** How often it happened since it was told last, this time included; 0 the first time. */
  readonly repeated: number;
  /** What led to it, if there is more to know. */
  readonly cause?: unknown;
}
