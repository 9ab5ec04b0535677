// The factory reset of a Thing that runs: X-E4, P-6.1-2, XEP-0347 3.16.
import type { CallOptions } from "../core/abort.ts";
import { ConfigError, TimeoutError } from "../core/errors.ts";
import type { AccountOptions } from "./options.ts";
import type { AccountReset, ThingEvent, ThingState } from "./state.ts";

/** What a factory reset goes by. */
export interface ResetOptions extends CallOptions {
  /**
   * What becomes of the account on the server. `keep`, the default: it stays, under the same address; what gives others
   * power over the Thing is gone all the same, and a server that makes no accounts any more locks nobody out.
   * `new-password` (XEP-0077 3.3): for a Thing whose storage somebody may have read. `remove` (XEP-0077 3.2): nothing of the
   * Thing stays on the server; another account is made there, so the server must still make accounts for anybody. A server
   * that refuses is told of as the fault `account-kept`. What the options give is never changed or removed.
   */
  readonly account?: "keep" | AccountReset | undefined;
}

const DEFAULT_TIMEOUT = 10_000;

/** Resets, then waits a while for what is taken back on the wire; that goes on by itself, however long it takes. */
export async function toFactorySettings(
  dispatch: (event: ThingEvent) => Promise<void>,
  thing: { waitFor(condition: (state: ThingState) => boolean, options: CallOptions): Promise<ThingState> },
  configured: AccountOptions,
  { signal, timeout = DEFAULT_TIMEOUT, account = "keep" }: ResetOptions,
): Promise<void> {
  signal?.throwIfAborted();
  checkAccount(account, configured);
  await dispatch({ type: "reset", account: account === "keep" ? undefined : account });
  try {
    await thing.waitFor(hasLeft, { signal, timeout });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
}

function checkAccount(account: "keep" | AccountReset, { username, password }: AccountOptions): void {
  if (!["keep", "new-password", "remove"].includes(account)) {
    throw new ConfigError(`account: there is no "${account}"; there are keep, new-password, remove`);
  }
  if (account === "new-password" && password !== undefined) {
    throw new ConfigError(
      "account: the options give the password (`account.password`); change it on the server and there",
    );
  }
  if (account === "remove" && (username !== undefined || password !== undefined)) {
    throw new ConfigError(
      "account: the options give the account (`account`); remove it on the server, and take it out there",
    );
  }
}

/** Nothing is left to take back, or nobody to ask at the moment. */
function hasLeft({ link, ownership }: ThingState): boolean {
  return link.is !== "online" || ownership.is !== "unregistered" || ownership.leaving === undefined;
}
