// From an address to a stream: the account that belongs to its domain, made there if need be.
import { RegistrationError, messageOf } from "../core/errors.ts";
import type { ServerAddress } from "../discovery/address.ts";
import type { Account, AccountStore } from "./account.ts";
import { taken } from "./fault-words.ts";
import { LoginRefused } from "./sasl.ts";
import { openStream, type StreamOptions, type XmppStream } from "./stream.ts";

/** What an opening goes by. */
export interface OpeningOptions extends Pick<
  StreamOptions,
  "tls" | "clock" | "random" | "logger" | "trace" | "keepalive" | "timeout" | "maxStanzaBytes"
> {
  /** The accounts. */
  readonly account: AccountStore;
  /** Told when the account cannot be kept, and when the server's certificate was not checked. */
  readonly onFault: (code: "account" | "tls-unverified", message: string, cause?: unknown) => void;
}

// How often a taken name is changed in one go. Random names do not clash twice; a server that says so is broken.
const MOST_NAMES = 3;

/** Opens a stream with the account of the address's domain. Rejects as `openStream`, and as the store. */
export async function openWithAccount(
  options: OpeningOptions,
  address: ServerAddress,
  signal: AbortSignal,
): Promise<XmppStream> {
  const { account: store } = options;
  let account = await store.load(address.domain);
  let again = true;
  let isNew = false;
  for (let names = 1; ;) {
    try {
      const stream = await openAs(options, account, address, signal);
      if (isNew) void keepNew(options, address.domain, signal);
      return stream;
    } catch (error) {
      if (error instanceof LoginRefused) {
        const other = await otherThan(account, store, address.domain);
        if (other === undefined) throw error;
        isNew = other.username === account.username;
        account = other;
        continue;
      }
      if (!(error instanceof RegistrationError) || error.condition !== "conflict") throw error;
      // A registration of a stream that was cut may have been obeyed after this login was refused: the name is ours
      // then, and the next login tells. Another name would leave an account behind.
      if (again) {
        again = false;
        continue;
      }
      if (names >= MOST_NAMES) throw error;
      names++;
      again = true;
      const renewed = await store.renew(address.domain);
      // The name is given, and somebody else's.
      if (renewed.username === account.username) throw taken(error, `${account.username}@${address.domain}`);
      account = renewed;
    }
  }
}

/**
 * Whom to log in as where a login was refused in the middle of a factory reset: with the new password, which the server
 * may have taken before the power went; or, if the account was to be removed, as somebody new.
 */
async function otherThan(account: Account, store: AccountStore, domain: string): Promise<Account | undefined> {
  const { newPassword, ...others } = account;
  if (newPassword !== undefined) return { ...others, password: newPassword };
  if (account.leaving !== true) return undefined;
  const renewed = await store.renew(domain);
  return renewed.username === account.username ? undefined : renewed;
}

/** That it cannot be kept is told, and keeps nobody offline: both are tried again at the next start. */
async function keepNew(
  { account: store, onFault }: OpeningOptions,
  domain: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await store.passwordChanged(domain);
  } catch (error) {
    if (!signal.aborted) onFault("account", messageOf(error), error);
  }
}

async function openAs(
  options: OpeningOptions,
  account: Account,
  address: ServerAddress,
  signal: AbortSignal,
): Promise<XmppStream> {
  const { clock, random, logger, trace, tls, timeout, keepalive, maxStanzaBytes } = options;
  const { username, password, resource, pending } = account;
  const stream = await openStream({
    address,
    account: { username, password, resource, register: pending },
    onUnverified: (warning) => options.onFault("tls-unverified", warning),
    onMakingAccount: () => options.account.keep(address.domain),
    onAccountMade: () => made(options, address.domain, signal),
    ...{ clock, random, logger, trace, tls, timeout, keepalive, maxStanzaBytes, signal },
  });
  // Also one that was on the server already, for instance because the power went before it was remembered: were it
  // still pending when people remove it, it would come back by itself.
  if (pending) void made(options, address.domain, signal);
  return stream;
}

/**
 * The server has the account. That this cannot be kept is told, and keeps nobody offline: at the next start the login
 * comes first again.
 */
async function made({ account: store, onFault }: OpeningOptions, domain: string, signal: AbortSignal): Promise<void> {
  try {
    if ((await store.load(domain)).pending) await store.made(domain);
  } catch (error) {
    if (!signal.aborted) onFault("account", messageOf(error), error);
  }
}
