// What of a domain's accounts outlives the process: what is kept of the passwords, contacts, messages that wait.
import { StorageError } from "../../core/errors.ts";
import { bareJid, type BareJid } from "../../core/jid.ts";
import { parseXml } from "../../codec/xml.ts";
import type { Accounts } from "./accounts.ts";
import type { Credentials, ScramHash, ScramKeys } from "./credentials.ts";
import type { Contact } from "./roster.ts";
import type { Account } from "./session.ts";
import type { Upkeep } from "./upkeep.ts";

type KeptKeys = Readonly<Record<keyof ScramKeys, string | number>>;
type KeptContact = Omit<Contact, "request"> & { readonly request?: string };

/** Tells of changes to accounts: the account, one contact of it, its messages. Keys: `a`, `a/contact/b@c`, `a/offline`. */
export class AccountChanges {
  readonly #upkeep: Upkeep;
  readonly #accounts: Accounts;

  constructor(upkeep: Upkeep, accounts: Accounts) {
    this.#upkeep = upkeep;
    this.#accounts = accounts;
  }

  /** An account has come, gone, or has another password. */
  account({ jid }: Account): void {
    this.#put(jid.local, "", (account) => keptCredentials(account.credentials));
  }

  /** A contact has changed, or is none any more. */
  contact({ jid }: Account, contact: BareJid): void {
    this.#put(jid.local, `/contact/${contact}`, ({ roster }) => keptContact(roster.get(contact)));
  }

  /** A message was kept, or those that were have been given out. */
  offline({ jid }: Account): void {
    const texts = ({ offline }: Account): unknown => (offline.length === 0 ? undefined : offline.map(String));
    this.#put(jid.local, "/offline", texts);
  }

  /** Looks at what is there when it is written: another account may have the name by then. */
  #put(local: string, part: string, value: (account: Account) => unknown): void {
    this.#upkeep.changed(local + part, () => {
      const account = this.#accounts.named(local);
      return account && value(account);
    });
  }
}

/** Puts accounts back that were kept. Throws `ERR_STORAGE` for what cannot have been kept so. */
export function restoreAccounts(entries: Iterable<readonly [key: string, value: unknown]>, accounts: Accounts): void {
  const parts: (readonly [key: string, value: unknown])[] = [];
  for (const [key, value] of entries) {
    if (key.includes("/")) parts.push([key, value]);
    else accounts.restore(key, credentialsOf(value as Readonly<Record<ScramHash, KeptKeys>>));
  }
  for (const [key, value] of parts) {
    const end = key.indexOf("/");
    const account = accounts.named(key.slice(0, end));
    if (account === undefined) throw new StorageError(`the entry "${key}" belongs to no account`);
    if (key.slice(end) === "/offline") account.offline.push(...(value as readonly string[]).map(parseXml));
    else restoreContact(account, value as KeptContact);
  }
}

function keptCredentials(credentials: Credentials): unknown {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const kept = ({ salt, iterations, storedKey, serverKey }: ScramKeys): KeptKeys => ({
    salt: text(salt),
    iterations,
    storedKey: text(storedKey),
    serverKey: text(serverKey),
  });
  return { sha1: kept(credentials.sha1), sha256: kept(credentials.sha256), sha512: kept(credentials.sha512) };
}

function credentialsOf(value: Readonly<Record<ScramHash, KeptKeys>>): Credentials {
  const bytes = (text: string | number): Uint8Array => new Uint8Array(Buffer.from(String(text), "base64"));
  const keys = ({ salt, iterations, storedKey, serverKey }: KeptKeys): ScramKeys => ({
    salt: bytes(salt),
    iterations: Number(iterations),
    storedKey: bytes(storedKey),
    serverKey: bytes(serverKey),
  });
  return { sha1: keys(value.sha1), sha256: keys(value.sha256), sha512: keys(value.sha512) };
}

function keptContact(contact: Contact | undefined): unknown {
  return contact && { ...contact, request: contact.request?.toString() };
}

function restoreContact(account: Account, { jid, name, groups, state, request, listed }: KeptContact): void {
  const contact = account.roster.obtain(bareJid(jid));
  Object.assign(contact, {
    name,
    groups,
    state,
    listed,
    request: request === undefined ? undefined : parseXml(request),
  });
}
