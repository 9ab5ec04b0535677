/**
 * The stable name of what went wrong. Compare this, not the message: messages may be reworded.
 * The table in `docs/errors.md` says for each code what it means and what to do.
 */
export type SdkErrorCode =
  | "ERR_CONFIG"
  | "ERR_STATE"
  | "ERR_TIMEOUT"
  | "ERR_STORAGE"
  | "ERR_PROTOCOL"
  | "ERR_STANZA"
  | "ERR_CONNECTION"
  | "ERR_TLS_POLICY"
  | "ERR_AUTHENTICATION"
  | "ERR_REGISTRATION"
  | "ERR_DISCOVERY";

// Two copies of the package in one process must recognise each other's errors, so no `instanceof`.
const brand = Symbol.for("xmpp-thing.error");

/** The root of every error this library throws. `cause` holds what led to it, where something did. */
export abstract class SdkError extends Error {
  /** The stable name of what went wrong. */
  abstract readonly code: SdkErrorCode;
  /** @internal */
  readonly [brand] = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Tells whether a thrown value is an error of this library (also one of another copy of it). */
export function isSdkError(value: unknown): value is SdkError {
  return typeof value === "object" && value !== null && (value as { [brand]?: unknown })[brand] === true;
}

/** An option is missing or wrong; the message names its path. Fix the code or the configuration. */
export class ConfigError extends SdkError {
  readonly code = "ERR_CONFIG";
}

/** The call is not possible now, for instance on a stopped Thing. */
export class StateError extends SdkError {
  readonly code = "ERR_STATE";
}

/** No answer came in time. Trying again later is sensible. */
export class TimeoutError extends SdkError {
  readonly code = "ERR_TIMEOUT";
}

/** What is kept on disk could not be read or written, is damaged, locked, or newer than this library. */
export class StorageError extends SdkError {
  readonly code = "ERR_STORAGE";
}

/** A peer sent what the specification forbids. `path` says where in the stanza. */
export class ProtocolError extends SdkError {
  readonly code = "ERR_PROTOCOL";

  /**
   * @param message what is wrong
   * @param path where: element names from the outermost, an attribute as `@name`
   */
  constructor(
    message: string,
    /** Where: element names from the outermost, an attribute as `@name`. */
    readonly path: string,
    options?: ErrorOptions,
  ) {
    super(path === "" ? message : `${message} (at ${path})`, options);
  }
}

/** The error types of RFC 6120 section 8.3.2: what the asker may do about it. */
export type StanzaErrorType = "auth" | "cancel" | "continue" | "modify" | "wait";

/** What is wrong with one parameter of a request to set some (XEP-0325 section 3.1.3). */
export interface ParameterProblem {
  /** The name of the parameter. */
  readonly name: string;
  /** What is wrong with it, in words; empty if nothing is said. */
  readonly text: string;
}

/** A peer answered with an error stanza (RFC 6120 section 8.3). */
export class StanzaError extends SdkError {
  readonly code = "ERR_STANZA";

  constructor(
    /** The defined condition, for instance `item-not-found` or `forbidden` (RFC 6120 section 8.3.3). */
    readonly condition: string,
    /** What the asker may do about it. */
    readonly type: StanzaErrorType,
    /** Who answered: the JID asked. */
    readonly from: string,
    /** The peer's own words; empty if it gave none. */
    readonly text = "",
    /** What it says of single control parameters; empty if it says nothing of them. */
    readonly parameters: readonly ParameterProblem[] = [],
  ) {
    super(`${from} answered ${condition}${text === "" ? "" : `: ${text}`}`);
  }
}

/** What a client asks of a Thing Registry (XEP-0347). */
export type RegistryRequest = "claim" | "search" | "update" | "remove" | "disown";

/** A Thing Registry refused a request. The message says what that means for this request, and what to do about it. */
export class RegistryError extends StanzaError {
  constructor(
    /** What was asked. */
    readonly request: RegistryRequest,
    /** What the Registry answered. */
    refused: StanzaError,
    /** What to do about it, in words. */
    readonly advice: string,
  ) {
    super(refused.condition, refused.type, refused.from, refused.text, refused.parameters);
    this.message = `${this.message}: ${advice}`;
    this.cause = refused;
  }
}

/** The connection could not be made, or was lost. The Thing tries again by itself. */
export class ConnectionError extends SdkError {
  readonly code = "ERR_CONNECTION";
}

/** The server offers no TLS, or its certificate does not prove the XMPP domain. Nothing secret was sent. */
export class TlsPolicyError extends SdkError {
  readonly code = "ERR_TLS_POLICY";
}

/** User name or password were refused, or the server did not prove that it knows the password. */
export class AuthenticationError extends SdkError {
  readonly code = "ERR_AUTHENTICATION";
}

/** The server refused to make an account (XEP-0077). */
export class RegistrationError extends SdkError {
  readonly code = "ERR_REGISTRATION";

  constructor(
    message: string,
    /** The server's condition, for instance `conflict` or `not-allowed`. */
    readonly condition: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** No server, Thing Registry or Provisioning Server was found; the message lists what was tried. */
export class DiscoveryError extends SdkError {
  readonly code = "ERR_DISCOVERY";
}

/** Every error of this library, so that `switch (error.code)` narrows. */
export type AnySdkError =
  | ConfigError
  | StateError
  | TimeoutError
  | StorageError
  | ProtocolError
  | StanzaError
  | ConnectionError
  | TlsPolicyError
  | AuthenticationError
  | RegistrationError
  | DiscoveryError;

/** What a thrown value says of itself, for logs and faults: never its stack. Anything can be thrown; this never throws. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "a value without words";
  }
}
