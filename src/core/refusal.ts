import { ConfigError, type ParameterProblem, type StanzaErrorType } from "./errors.ts";

/** The conditions a handler may answer with (RFC 6120 section 8.3.3), those that make sense for a Thing. */
export type RefusalCondition =
  | "bad-request"
  | "conflict"
  | "feature-not-implemented"
  | "forbidden"
  | "internal-server-error"
  | "item-not-found"
  | "not-acceptable"
  | "not-allowed"
  | "resource-constraint"
  | "service-unavailable";

const types: Readonly<Record<RefusalCondition, StanzaErrorType>> = {
  "bad-request": "modify",
  conflict: "wait", // XEP-0325 5.1: locked by another user, to be tried again; RFC 6120 has cancel
  "feature-not-implemented": "cancel",
  forbidden: "cancel",
  "internal-server-error": "cancel",
  "item-not-found": "cancel",
  "not-acceptable": "modify",
  "not-allowed": "cancel",
  "resource-constraint": "wait",
  "service-unavailable": "cancel",
};

/**
 * Thrown by a handler to choose the error that goes over the wire. Anything else a handler throws becomes
 * `internal-server-error` without its message, which may hold secrets. A condition that there is not is refused (`ERR_CONFIG`).
 *
 * @example
 * ```ts
 * throw new Refusal("resource-constraint", "The sensor is warming up, ask again in a minute.");
 * ```
 */
export class Refusal extends Error {
  /** What the asker may do about it; follows from the condition. */
  readonly type: StanzaErrorType;

  constructor(
    /** The defined condition. */
    readonly condition: RefusalCondition,
    /** Words for the asker; they go over the wire. */
    readonly text = "",
    /** What is wrong with single control parameters; goes over the wire too. */
    readonly parameters: readonly ParameterProblem[] = [],
  ) {
    super(text === "" ? condition : `${condition}: ${text}`);
    // From JavaScript it may be any text: what RFC 6120 does not define must not go over the wire.
    if (!Object.hasOwn(types, condition)) {
      throw new ConfigError(
        `Refusal: there is no condition "${condition}"; there are ${Object.keys(types).join(", ")}`,
      );
    }
    this.name = "Refusal";
    this.type = types[condition];
  }
}
