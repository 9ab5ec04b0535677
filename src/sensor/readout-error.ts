import { ProtocolError } from "../core/errors.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { FieldGroup } from "../codec/sensor-data.ts";

/** What went wrong at one node of a readout (XEP-0323 3.2). */
export interface NodeFailure {
  /** The node; a Thing that is no concentrator has one of an empty id. */
  readonly node: NodeRef;
  /** When, as xs:dateTime. */
  readonly timestamp: string;
  /** What the Thing says of it. */
  readonly text: string;
}

/** A readout of which something failed: code `ERR_PROTOCOL`, with all that was read in spite of it. */
export class ReadoutError extends ProtocolError {
  constructor(
    /** What failed. Empty when the Thing gives no reason. */
    readonly failures: readonly NodeFailure[],
    /** What was read, by node and moment. */
    readonly groups: readonly FieldGroup[],
  ) {
    super(`the Thing could not read: ${failures.map(inWords).join(" ")}`, "failure");
    this.name = "ReadoutError";
  }
}

const inWords = ({ node: { nodeId }, text }: NodeFailure): string => (nodeId === "" ? text : `${nodeId}: ${text}`);
