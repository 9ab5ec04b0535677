// The Thing that a command is about: its address, and the node where it is one behind a concentrator.
import { StanzaError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { ThingAddress } from "../owner/thing-reference.ts";
import { UsageError, type Arguments } from "./args.ts";

/** The options that name a node. */
export const nodeOptions = {
  node: { type: "string" },
  source: { type: "string" },
  "cache-type": { type: "string" },
} as const;

/** Their help. */
export const nodeHelp = `  --node ID         the node, for a Thing behind a concentrator
  --source ID       its data source, where the node's id alone does not say which it is
  --cache-type TYPE its cache type, likewise`;

/** The node that is named, if there is one. */
export function nodeOf({ values }: Arguments): NodeRef | undefined {
  const nodeId = values.get("node") || undefined;
  const sourceId = values.get("source") || undefined;
  const cacheType = values.get("cache-type") || undefined;
  if (nodeId !== undefined) {
    return { nodeId, ...(sourceId !== undefined && { sourceId }), ...(cacheType !== undefined && { cacheType }) };
  }
  if (values.has("node")) throw new UsageError("--node must not be empty");
  if (sourceId !== undefined || cacheType !== undefined)
    throw new UsageError("--source and --cache-type go with --node");
  return undefined;
}

/** The Thing at an address. Throws a {@link UsageError} for what is none. */
export function thingAt(address: string, args: Arguments): ThingAddress {
  if (address.startsWith("IoTDisco")) throw new UsageError("this is a claim text: use xmpp-thing claim");
  const jid = tryParseJid(address);
  if (jid === undefined || jid.local === "") {
    throw new UsageError(`"${address}" is not the address of a Thing, name@domain`);
  }
  return { jid: jid.bare, node: nodeOf(args) };
}

/** A Thing in words. */
export function thingInWords({ jid, node }: ThingAddress): string {
  if (node === undefined) return jid;
  const source = node.sourceId === undefined ? "" : ` of source ${node.sourceId}`;
  const cache = node.cacheType === undefined ? "" : `, cache type ${node.cacheType}`;
  return `${jid}, node ${node.nodeId}${source}${cache}`;
}

/** What a concentrator means by its words to somebody who has named no node; any other error as it is. */
export function withNodeHint(error: unknown): unknown {
  // The words of this library's Things: others have their own.
  const isMeant = error instanceof StanzaError && error.condition === "bad-request" && error.text === "Name a node.";
  if (!isMeant) return error;
  return new Error(`${error.message} Say which by --node; xmpp-thing nodes shows those you may read.`, {
    cause: error,
  });
}
