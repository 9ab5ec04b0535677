import { ConfigError } from "../core/errors.ts";
import { configJid, type Jid } from "../core/jid.ts";
import { checkNodes, type NodeRef } from "../codec/node-ref.ts";

/** A Thing by its address, and by its node when it is one behind a concentrator: also what a claim or a search gave. */
export interface ThingAddress {
  /** The JID of the Thing, or of the concentrator it is behind. */
  readonly jid: string;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef | undefined;
}

/** Which Thing is meant: its JID, or that with its node. */
export type ThingReference = string | ThingAddress;

/** A reference that was looked at. */
export interface CheckedReference {
  readonly jid: Jid;
  readonly node?: NodeRef;
}

/** Looks at a reference. Throws `ERR_CONFIG` for what is none. */
export function checkReference(given: ThingReference): CheckedReference {
  if (typeof given === "string") {
    // It would pass for the name of a server, and be waited for.
    if (/^IoTDisco;/i.test(given)) {
      throw new ConfigError(
        "thing: this is a claim text; claim the Thing, and give the address that claim resolves to",
      );
    }
    return { jid: configJid(given, "thing") };
  }
  if (typeof given !== "object" || (given as unknown) === null) {
    throw new ConfigError('thing: must be a JID, or an object such as { jid, node: { nodeId: "meter1" } }');
  }
  const { jid, node } = given;
  const checked = configJid(jid, "thing.jid");
  if (node === undefined) return { jid: checked };
  checkNodes([node], "thing.node");
  if (node.nodeId === "") throw new ConfigError("thing.node.nodeId: must not be empty");
  return { jid: checked, node };
}
