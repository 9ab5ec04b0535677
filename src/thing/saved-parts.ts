// How the parts of what is kept are read back: damaged is damaged, nothing is guessed.
import { tryParseJid, type BareJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { numberTag, type Tag } from "../codec/tags.ts";
import type { Leaving, Ownership } from "./ownership.ts";

/** An object of JSON. */
export type Plain = Readonly<Record<string, unknown>>;

/** An object; throws for anything else, as all of these do. */
export function object(value: unknown): Plain {
  if (typeof value !== "object" || value === null) throw new TypeError("not an object");
  return value as Plain;
}

/** A text with something in it. */
export function text(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new TypeError("not a text");
  return value;
}

/** True or false. */
export function boolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError("neither true nor false");
  return value;
}

/** A list. */
export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError("not a list");
  return value;
}

/** A bare JID in its normal form. */
export function bare(value: unknown): BareJid {
  const jid = tryParseJid(text(value));
  if (jid === undefined || jid.bare !== value) throw new TypeError("not a bare JID");
  return jid.bare;
}

/** Whose a Thing or a node is. */
export function parseOwnership(value: Plain, format: number): Ownership {
  switch (value["is"]) {
    case "unregistered":
      if (value["leaving"] === undefined) return { is: "unregistered" };
      return { is: "unregistered", leaving: parseLeaving(object(value["leaving"])) };
    case "registered":
      return {
        is: "registered",
        registry: bare(value["registry"]),
        ...(value["disownedBy"] !== undefined && { disownedBy: bare(value["disownedBy"]) }),
      };
    case "selfOwned":
      return { is: "selfOwned", registry: bare(value["registry"]), listed: boolean(value["listed"]) };
    case "claimed":
      return {
        is: "claimed",
        registry: bare(value["registry"]),
        owner: bare(value["owner"]),
        public: boolean(value["public"]),
        listed: format <= 4 ? true : boolean(value["listed"]),
        keyEmptied: boolean(value["keyEmptied"]),
        ownerAsked: boolean(value["ownerAsked"]),
      };
    default:
      throw new TypeError("unknown ownership");
  }
}

function parseLeaving({ registry, friends, account }: Plain): Leaving {
  if (account !== undefined && account !== "new-password" && account !== "remove") throw new TypeError("unknown reset");
  return {
    friends: boolean(friends),
    ...(registry !== undefined && { registry: bare(registry) }),
    ...(account !== undefined && { account }),
  };
}

/** The name of a node. */
export function parseTriple({ nodeId, sourceId, cacheType }: Plain): NodeRef {
  return {
    nodeId: text(nodeId),
    ...(sourceId !== undefined && { sourceId: text(sourceId) }),
    ...(cacheType !== undefined && { cacheType: text(cacheType) }),
  };
}

/** Tags as they are kept: a number for a numeric one, a text for any other. */
export function parseKeptTags(value: unknown): readonly Tag[] {
  return Object.entries(object(value)).map(([name, kept]) => {
    if (typeof kept === "number") return numberTag(name, kept);
    if (typeof kept !== "string") throw new TypeError("neither a text nor a number");
    return { name, type: "str", value: kept };
  });
}

/** Tags to be kept. */
export function keptTags(tags: readonly Tag[]): Plain {
  return Object.fromEntries(tags.map(({ name, value }) => [name, value]));
}
