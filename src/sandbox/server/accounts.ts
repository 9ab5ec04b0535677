import { RegistrationError, StorageError } from "../../core/errors.ts";
import { tryParseJid, type BareJid, type Jid } from "../../core/jid.ts";
import type { RandomSource } from "../../core/random.ts";
import { decoy, makeCredentials, matches, type Credentials } from "./credentials.ts";
import { MOST_ACCOUNTS } from "./limits.ts";
import { Roster } from "./roster.ts";
import type { Account } from "./session.ts";

/** The accounts of a domain. */
export class Accounts {
  readonly #domain: string;
  readonly #random: RandomSource;
  readonly #secret: Uint8Array;
  readonly #most: number;
  /** Told of an account that has come, gone, or has another password. */
  onChange: (account: Account) => void = () => undefined;
  readonly #accounts = new Map<BareJid, Account>();

  constructor(domain: string, random: RandomSource, most = MOST_ACCOUNTS) {
    this.#domain = domain;
    this.#random = random;
    this.#secret = random.bytes(32);
    this.#most = most;
  }

  /** The bare JID of a user name, `undefined` if it can be none. */
  jidOf(username: string): Jid | undefined {
    if (/[@/]/.test(username)) return undefined; // else `a@localhost/x` would be taken for `a`
    const jid = tryParseJid(`${username}@${this.#domain}`);
    return jid?.local === "" ? undefined : jid;
  }

  /** Makes an account. */
  register(username: string, password: string): Account {
    const jid = this.jidOf(username);
    if (jid === undefined) throw new RegistrationError("no proper user name", "not-acceptable");
    if (password === "") throw new RegistrationError("an empty password", "not-acceptable");
    if (this.#accounts.has(jid.bare)) throw new RegistrationError(`${jid.bare} exists`, "conflict");
    if (this.#accounts.size >= this.#most) throw new RegistrationError("too many accounts", "resource-constraint");
    const account = this.#add(jid, makeCredentials(password, this.#random));
    this.onChange(account);
    return account;
  }

  /** Puts an account back as it was kept: what is kept of its password, nothing else yet. */
  restore(username: string, credentials: Credentials): void {
    const jid = this.jidOf(username);
    if (jid === undefined) throw new StorageError(`"${username}" is kept as an account, and is no proper user name`);
    this.#add(jid, credentials);
  }

  /** The account of a user name. */
  named(username: string): Account | undefined {
    const jid = this.jidOf(username);
    return jid === undefined ? undefined : this.#accounts.get(jid.bare);
  }

  /** The account that an address belongs to. */
  at(jid: Jid): Account | undefined {
    return this.#accounts.get(jid.bare);
  }

  /** Forgets an account. */
  remove(account: Account): void {
    this.#accounts.delete(account.jid.bare);
    this.onChange(account);
  }

  /** Replaces a password. */
  setPassword(account: Account, password: string): void {
    account.credentials = makeCredentials(password, this.#random);
    this.onChange(account);
  }

  /** Compares a password in clear. It takes as long for a name that has no account. */
  checkPassword(username: string, password: string): boolean {
    const account = this.named(username);
    return matches(this.credentialsOf(username), password) && account !== undefined;
  }

  /** What SCRAM needs; invented, but always the same, for a name that has no account. */
  credentialsOf(username: string): Credentials {
    const account = this.named(username);
    return account?.credentials ?? decoy(this.#secret, this.jidOf(username)?.local ?? username);
  }

  #add(jid: Jid, credentials: Credentials): Account {
    const account: Account = { jid, credentials, roster: new Roster(), sessions: new Map(), offline: [] };
    this.#accounts.set(jid.bare, account);
    return account;
  }
}
