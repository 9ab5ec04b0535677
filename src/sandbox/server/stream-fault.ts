// RFC 6120 section 4.9.3: why a stream ends.
import type { XmlElement } from "../../codec/xml.ts";

/** The stream error conditions this server uses. */
export type StreamCondition =
  | "bad-format"
  | "conflict"
  | "host-unknown"
  | "improper-addressing"
  | "internal-server-error"
  | "invalid-namespace"
  | "not-authorized"
  | "not-well-formed"
  | "policy-violation"
  | "reset"
  | "resource-constraint"
  | "restricted-xml"
  | "system-shutdown"
  | "undefined-condition"
  | "unsupported-stanza-type"
  | "unsupported-version";

/** Thrown where bytes or elements of a stream are read: the stream ends with this error. */
export class StreamFault extends Error {
  constructor(
    /** The defined condition. */
    readonly condition: StreamCondition,
    /** Words for the client's log. */
    readonly text = "",
    /** A condition of an extension (section 4.9.4). */
    readonly detail?: XmlElement,
  ) {
    super(text === "" ? condition : `${condition}: ${text}`);
    this.name = "StreamFault";
  }
}
