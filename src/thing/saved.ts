// What is kept of a Thing over restarts, and how it is read back: damaged is damaged, nothing is guessed.
import type { BareJid } from "../core/jid.ts";
import { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";
import type { DomainAccount } from "./accounts.ts";
import type { Ownership } from "./ownership.ts";
import { bare, boolean, list, object, parseOwnership, text, type Plain } from "./saved-parts.ts";
import type { Trust, TrustOrigin, TrustedServer } from "./state.ts";
import { trustIn } from "./trust.ts";

/** What is kept of a Thing. */
export interface Saved {
  /** Its accounts, one for each domain, the one in use first; none before a server was found. */
  readonly accounts: readonly DomainAccount[];
  /** The KEY that was made for it (XEP-0347 6.5); one given in the tags is not kept. */
  readonly key: string;
  /**
   * From which the KEY of each node behind the Thing is derived, and by which its documents are known for those of this
   * Thing. Left out: none was made yet.
   */
  readonly nodeSecret?: string;
  /** Whose it is. */
  readonly ownership: Ownership;
  /** Who decides for it. */
  readonly trust: Trust;
  /** Whom the button has accepted, and who has not said yet whether it is a provisioning server. */
  readonly examining: readonly BareJid[];
  /** Whose friendship is to end, and stands in the roster still. */
  readonly parting: readonly BareJid[];
}

/**
 * The format of what is kept. In 1 all trusted servers had one origin, and there was no button; up to 2 there was one
 * account, on a domain that was configured; up to 3 what the owner had brought was `found` like the rest, and no friendship
 * was to end; up to 4 nobody had disowned the Thing, no Thing owned itself, and each that was claimed stood in its Registry.
 */
export const SAVED_FORMAT = 5;

/** The document that holds it. */
export function savedDocument(storage: Storage): Document<Saved> {
  return new Document({ storage, name: "thing", format: SAVED_FORMAT, parse: parseSaved });
}

/**
 * Reads what was kept, also in an older format. Throws if it is not whole: the document then falls back to the generation
 * before.
 */
export function parseSaved(value: unknown, format: number): Saved {
  const saved = object(value);
  const accounts = format <= 2 ? [parseOldAccount(saved)] : parseAccounts(list(saved["accounts"]));
  const ownership = parseOwnership(object(saved["ownership"]), format);
  if (accounts.length === 0 && ownership.is !== "unregistered") throw new TypeError("registered without an account");
  const trust = format === 1 ? parseOldTrust(object(saved["trust"])) : parseTrust(object(saved["trust"]));
  return {
    accounts,
    key: text(saved["key"]),
    ...(saved["nodeSecret"] !== undefined && { nodeSecret: text(saved["nodeSecret"]) }),
    ownership,
    trust: format <= 3 ? withOwners(trust, ownership) : trust,
    examining: format === 1 ? [] : list(saved["examining"]).map(bare),
    parting: format <= 3 ? [] : list(saved["parting"]).map(bare),
  };
}

function yes(value: unknown): true {
  if (value !== true) throw new TypeError("not true");
  return value;
}

function parseAccounts(values: readonly unknown[]): readonly DomainAccount[] {
  const accounts = values.map((value) => parseAccount(object(value)));
  const domains = new Set(accounts.map(({ domain }) => domain));
  if (domains.size < accounts.length) throw new TypeError("two accounts on one domain");
  return accounts;
}

/** Formats 1 and 2. */
function parseOldAccount({ domain, account }: Plain): DomainAccount {
  return parseAccount({ ...object(account), domain });
}

function parseAccount(value: Plain): DomainAccount {
  return {
    domain: text(value["domain"]),
    username: text(value["username"]),
    password: text(value["password"]),
    resource: text(value["resource"]),
    pending: boolean(value["pending"]),
    ...(value["newPassword"] !== undefined && { newPassword: text(value["newPassword"]) }),
    ...(value["leaving"] !== undefined && { leaving: yes(value["leaving"]) }),
  };
}

function parseTrust(value: Plain): Trust {
  if (value["is"] === "none") return { is: "none" };
  if (value["is"] !== "delegated") throw new TypeError("unknown trust");
  return filled(list(value["servers"]).map(object).map(parseServer), boolean(value["locked"]));
}

const ORIGINS: readonly unknown[] = ["configured", "found", "owner", "paired"] satisfies readonly TrustOrigin[];

const isOrigin = (value: unknown): value is TrustOrigin => ORIGINS.includes(value);

function parseServer({ jid, origin }: Plain): TrustedServer {
  if (!isOrigin(origin)) throw new TypeError("unknown origin");
  return { jid: bare(jid), origin };
}

/** Up to format 3: what was found at the owner, or is the Registry of the claim, is what the owner brought (X-E4). */
function withOwners(trust: Trust, ownership: Ownership): Trust {
  if (trust.is === "none" || ownership.is !== "claimed") return trust;
  const { owner, registry } = ownership;
  const isOwners = ({ jid, origin }: TrustedServer): boolean => origin === "found" && [owner, registry].includes(jid);
  const servers = trust.servers.map((one): TrustedServer => (isOwners(one) ? { ...one, origin: "owner" } : one));
  return trustIn(servers, trust.locked);
}

/** Format 1: one origin for all. */
function parseOldTrust(value: Plain): Trust {
  if (value["is"] === "none") return { is: "none" };
  const { origin } = value;
  if (value["is"] !== "delegated") throw new TypeError("unknown trust");
  if (origin !== "configured" && origin !== "found") throw new TypeError("unknown origin");
  return filled(
    list(value["servers"]).map((jid): TrustedServer => ({ jid: bare(jid), origin })),
    false,
  );
}

function filled(servers: readonly TrustedServer[], locked: boolean): Trust {
  if (servers.length === 0) throw new TypeError("trust in nobody");
  return trustIn(servers, locked);
}
