// What is kept of a Thing over restarts, and how it is read back: damaged is damaged, nothing is guessed.
import { tryParseJid, type BareJid } from "../core/jid.ts";
import type { Account } from "../connection/account.ts";
import { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";
import type { Ownership, Trust } from "./state.ts";

/** What is kept of a Thing. */
export interface Saved {
  /** The XMPP domain on which it has its account. */
  readonly domain: string;
  /** The account on the XMPP server. */
  readonly account: Account;
  /** The KEY that was made for it (XEP-0347 6.5); one given in the tags is not kept. */
  readonly key: string;
  /** Whose it is. */
  readonly ownership: Ownership;
  /** Who decides for it. */
  readonly trust: Trust;
}

/** The format of what is kept. */
export const SAVED_FORMAT = 1;

/** The document that holds it. */
export function savedDocument(storage: Storage): Document<Saved> {
  return new Document({ storage, name: "thing", format: SAVED_FORMAT, parse: parseSaved });
}

/** Reads what was kept. Throws if it is not whole: the document then falls back to the generation before. */
export function parseSaved(value: unknown): Saved {
  const saved = object(value);
  return {
    domain: text(saved["domain"]),
    account: parseAccount(object(saved["account"])),
    key: text(saved["key"]),
    ownership: parseOwnership(object(saved["ownership"])),
    trust: parseTrust(object(saved["trust"])),
  };
}

type Plain = Readonly<Record<string, unknown>>;

function object(value: unknown): Plain {
  if (typeof value !== "object" || value === null) throw new TypeError("not an object");
  return value as Plain;
}

function text(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new TypeError("not a text");
  return value;
}

function boolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError("neither true nor false");
  return value;
}

function bare(value: unknown): BareJid {
  const jid = tryParseJid(text(value));
  if (jid === undefined || jid.bare !== value) throw new TypeError("not a bare JID");
  return jid.bare;
}

function parseAccount(value: Plain): Account {
  return {
    username: text(value["username"]),
    password: text(value["password"]),
    resource: text(value["resource"]),
    pending: boolean(value["pending"]),
  };
}

function parseOwnership(value: Plain): Ownership {
  switch (value["is"]) {
    case "unregistered":
      return { is: "unregistered" };
    case "registered":
      return { is: "registered", registry: bare(value["registry"]) };
    case "claimed":
      return {
        is: "claimed",
        registry: bare(value["registry"]),
        owner: bare(value["owner"]),
        public: boolean(value["public"]),
        keyEmptied: boolean(value["keyEmptied"]),
        ownerAsked: boolean(value["ownerAsked"]),
      };
    default:
      throw new TypeError("unknown ownership");
  }
}

function parseTrust(value: Plain): Trust {
  if (value["is"] === "none") return { is: "none" };
  const { servers, origin } = value;
  if (value["is"] !== "delegated" || !Array.isArray(servers) || servers.length === 0)
    throw new TypeError("unknown trust");
  if (origin !== "configured" && origin !== "found") throw new TypeError("unknown origin of trust");
  return { is: "delegated", servers: servers.map(bare), origin };
}
