// RFC 6120 section 8.3: stanza errors, as the server makes them.
import type { StanzaErrorType } from "../../core/errors.ts";

// The types that RFC 6120 section 8.3.3 gives these conditions.
const types = {
  "bad-request": "modify",
  conflict: "cancel",
  forbidden: "auth",
  "internal-server-error": "cancel",
  "item-not-found": "cancel",
  "jid-malformed": "modify",
  "not-acceptable": "modify",
  "not-allowed": "cancel",
  "remote-server-not-found": "cancel",
  "resource-constraint": "wait",
  "service-unavailable": "cancel",
} as const satisfies Record<string, StanzaErrorType>;

/** The conditions this server answers with. */
export type FaultCondition = keyof typeof types;

/** Thrown where a stanza is worked on: becomes the error that its sender gets. */
export class StanzaFault extends Error {
  /** What the sender may do about it. */
  readonly type: StanzaErrorType;

  constructor(
    /** The defined condition. */
    readonly condition: FaultCondition,
    /** Words for the sender. */
    readonly text = "",
  ) {
    super(text === "" ? condition : `${condition}: ${text}`);
    this.name = "StanzaFault";
    this.type = types[condition];
  }
}
