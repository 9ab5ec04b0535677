// XEP-0347 Internet of Things - Discovery 0.5.1: sections 3.6 to 3.10, 3.13, 3.14, 3.16 and 3.17. Searches: `search.ts`.
import { ProtocolError } from "../core/errors.ts";
import { parseJid, type BareJid } from "../core/jid.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, optionalNodeRef, type NodeRef } from "./node-ref.ts";
import { buildTags, parseTags, type Tag } from "./tags.ts";
import { at, el, flag, nonEmpty, required, type XmlElement } from "./xml.ts";

/** A Thing makes itself known to its Registry (XEP-0347 3.6 to 3.8). */
export interface Register {
  /** The key meta data: what an owner must present to claim the Thing. */
  readonly tags: readonly Tag[];
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
  /** True when nobody needs to claim the Thing (XEP-0347 3.7). */
  readonly selfOwned: boolean;
}

/** Somebody claims a Thing (XEP-0347 3.9). */
export interface Mine {
  /** The tags of the claim text. */
  readonly tags: readonly Tag[];
  /** False to keep the Thing out of searches. */
  readonly public: boolean;
  /** The schema has it (D-9-5), the text never uses it: the tags say which Thing is meant. */
  readonly node?: NodeRef;
}

/** A claim was made (XEP-0347 3.9). */
export interface Claimed {
  /** In a notice to a Thing and in an answer to `register`: the owner. In an answer to `mine`: the Thing (D-E8). */
  readonly jid: BareJid;
  /** False if the Thing is kept out of searches. */
  readonly public: boolean;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
}

/** A Thing changes its tags (XEP-0347 3.13), or its owner does (3.14). */
export interface Update {
  /** The Thing, when its owner changes the tags. Without it: the sender. */
  readonly jid?: BareJid;
  /** The tags that change; an empty string takes a tag away. */
  readonly tags: readonly Tag[];
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
}

/** A Thing takes itself out of its Registry (XEP-0347 3.16). */
export interface Unregister {
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
}

/** The owner takes a Thing out of searches (XEP-0347 3.10). */
export interface Remove {
  /** The Thing, or the concentrator it is behind. */
  readonly jid: BareJid;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
}

/** The owner gives up a Thing (XEP-0347 3.17). */
export type Disown = Remove;

/** A Thing learns that its owner has taken it out of searches (XEP-0347 3.10). */
export type Removed = Unregister;

/** A Thing learns that its owner has given it up (XEP-0347 3.17). */
export type Disowned = Unregister;

function expect(element: XmlElement | undefined, name: string): XmlElement {
  if (element?.is(name, ns.discovery)) return element;
  throw new ProtocolError(`not a ${name} of XEP-0347`, element?.name ?? "");
}

function withNode(element: XmlElement): { node?: NodeRef } {
  const node = optionalNodeRef(element);
  return node === undefined ? {} : { node };
}

/** Makes `register`. */
export function buildRegister(value: Register): XmlElement {
  const selfOwned = value.selfOwned ? true : undefined;
  return el("register", { xmlns: ns.discovery, selfOwned, ...nodeAttributes(value.node) }, ...buildTags(value.tags));
}

/** Reads `register`. */
export function parseRegister(element: XmlElement): Register {
  const register = expect(element, "register");
  return { tags: parseTags(register), ...withNode(register), selfOwned: flag(register, "selfOwned", false) };
}

/** Makes `mine`. `public` is left out when true, as in Listing 15. */
export function buildMine(value: Mine): XmlElement {
  const shown = value.public ? undefined : false;
  return el("mine", { xmlns: ns.discovery, ...nodeAttributes(value.node), public: shown }, ...buildTags(value.tags));
}

/** Reads `mine`. */
export function parseMine(element: XmlElement): Mine {
  const mine = expect(element, "mine");
  return { tags: parseTags(mine), public: flag(mine, "public", true), ...withNode(mine) };
}

/** Makes `claimed`. `public` is always written: readers differ on what its absence means (D-E5). */
export function buildClaimed(value: Claimed): XmlElement {
  return el("claimed", {
    xmlns: ns.discovery,
    jid: value.jid,
    ...nodeAttributes(value.node),
    public: value.public,
  });
}

/** Reads `claimed`. Without `public` it is public (D-E5); a resource is stripped (D-E7). */
export function parseClaimed(element: XmlElement | undefined): Claimed {
  const claimed = expect(element, "claimed");
  return {
    jid: parseJid(required(claimed, "jid"), at(claimed, "jid")).bare,
    public: flag(claimed, "public", true),
    ...withNode(claimed),
  };
}

/** Makes `update`. */
export function buildUpdate(value: Update): XmlElement {
  const { jid, node, tags } = value;
  return el("update", { xmlns: ns.discovery, jid, ...nodeAttributes(node) }, ...buildTags(tags));
}

/** Reads `update`. */
export function parseUpdate(element: XmlElement): Update {
  const update = expect(element, "update");
  // An empty one is as good as none (X-E6); a resource is stripped (D-E7).
  const jid = nonEmpty(update, "jid");
  return {
    ...(jid !== undefined && { jid: parseJid(jid, at(update, "jid")).bare }),
    tags: parseTags(update),
    ...withNode(update),
  };
}

function buildOfThing(name: string, { jid, node }: Remove): XmlElement {
  return el(name, { xmlns: ns.discovery, jid, ...nodeAttributes(node) });
}

function parseOfThing(element: XmlElement, name: string): Remove {
  const found = expect(element, name);
  return { jid: parseJid(required(found, "jid"), at(found, "jid")).bare, ...withNode(found) };
}

/** Makes `remove`. */
export function buildRemove(value: Remove): XmlElement {
  return buildOfThing("remove", value);
}

/** Reads `remove`. A resource is stripped (D-E7). */
export function parseRemove(element: XmlElement): Remove {
  return parseOfThing(element, "remove");
}

/** Makes `disown`. */
export function buildDisown(value: Disown): XmlElement {
  return buildOfThing("disown", value);
}

/** Reads `disown`. A resource is stripped (D-E7). */
export function parseDisown(element: XmlElement): Disown {
  return parseOfThing(element, "disown");
}

function buildOfNode(name: string, { node }: Unregister): XmlElement {
  return el(name, { xmlns: ns.discovery, ...nodeAttributes(node) });
}

/** Makes `unregister`. */
export function buildUnregister(value: Unregister): XmlElement {
  return buildOfNode("unregister", value);
}

/** Reads `unregister`. */
export function parseUnregister(element: XmlElement): Unregister {
  return withNode(expect(element, "unregister"));
}

/** Makes `removed`. */
export function buildRemoved(value: Removed): XmlElement {
  return buildOfNode("removed", value);
}

/** Reads `removed`. */
export function parseRemoved(element: XmlElement): Removed {
  return withNode(expect(element, "removed"));
}

/** Makes `disowned`. */
export function buildDisowned(value: Disowned): XmlElement {
  return buildOfNode("disowned", value);
}

/** Reads `disowned`: a notice of the Registry, or its answer to an update (D-E4). */
export function parseDisowned(element: XmlElement): Disowned {
  return withNode(expect(element, "disowned"));
}
