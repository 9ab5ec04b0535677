// The accounts of a Thing, one for each domain, the one in use first: pure functions on the list.
import type { Account } from "../connection/account.ts";
import type { AccountReset, ThingState } from "./state.ts";

/** An account, and the domain that it is on. */
export interface DomainAccount extends Account {
  /** The XMPP domain. */
  readonly domain: string;
}

// Whoever owns many domains could make a Thing fill its disk with accounts. More than these are servers nobody tries twice.
const MOST_ACCOUNTS = 8;

/** The account on a domain. */
export function accountOn(accounts: readonly DomainAccount[], domain: string): DomainAccount | undefined {
  return accounts.find((account) => account.domain === domain);
}

/** With this account in the place of the one on its domain; a new one behind the one in use. The oldest give way. */
export function withAccount(accounts: readonly DomainAccount[], account: DomainAccount): readonly DomainAccount[] {
  if (accountOn(accounts, account.domain) !== undefined) {
    return accounts.map((one) => (one.domain === account.domain ? account : one));
  }
  return [...accounts.slice(0, 1), account, ...accounts.slice(1)].slice(0, MOST_ACCOUNTS);
}

/** With the account on this domain first: it is in use. The same list if there is none, or it is first already. */
export function withInUse(accounts: readonly DomainAccount[], domain: string): readonly DomainAccount[] {
  const inUse = accountOn(accounts, domain);
  if (inUse === undefined || inUse === accounts[0]) return accounts;
  return [inUse, ...accounts.filter((one) => one !== inUse)];
}

/**
 * Whether a Thing stays on the domain where it is (XEP-0347 6.2): a Registry or an owner knows it by its address there,
 * or somebody has been trusted who must not be lost because a server is away and another one is announced.
 */
export function isSettled({ ownership, trust }: Pick<ThingState, "ownership" | "trust">): boolean {
  if (ownership.is !== "unregistered") return true;
  return trust.is === "delegated" && (trust.locked || trust.servers.some(({ origin }) => origin !== "configured"));
}

/** An account with what a factory reset wants with it: on disk before anything is sent. */
export function toBeReset(account: DomainAccount, how: AccountReset | undefined, newPassword: string): DomainAccount {
  if (how === undefined) return account;
  if (how === "remove") return { ...account, leaving: true };
  // One that was sent before may count already: a third would lock the Thing out.
  return { ...account, newPassword: account.newPassword ?? newPassword };
}

/** An account with which the server has done what was wanted, or has not. */
export function afterReset(account: DomainAccount, outcome: "changed" | "kept"): DomainAccount {
  const { newPassword, leaving, domain, username, password: before, resource, pending } = account;
  if (newPassword === undefined && leaving === undefined) return account;
  const password = outcome === "kept" ? before : (newPassword ?? before);
  return { domain, username, password, resource, pending };
}
