// What a factory reset does with the account on the server: XEP-0077 sections 3.2 and 3.3. What is wanted is on disk
// before it is sent, so a power cut never locks the Thing out: `connection/opening.ts` knows how to log in afterwards.
import { StanzaError } from "../core/errors.ts";
import { buildRegistration, buildRemoval } from "../codec/registration.ts";
import type { Channel } from "../channel/channel.ts";
import type { AccountStore } from "../connection/account.ts";
import type { AccountReset, ThingEvent } from "./state.ts";

/** What an account is reset with. */
export interface AccountResetParts {
  /** The stream. */
  readonly channel: Channel;
  /** The accounts. */
  readonly accounts: Pick<AccountStore, "load">;
  /** Told that the server refuses. */
  readonly onFault: (code: "account-kept", message: string, cause?: unknown) => void;
}

const ANSWER_WITHIN = 10_000;

/** Asks the server. Rejects to be asked again; a refusal that will not change is told, and the account stays as it is. */
export async function resetAccount(
  { channel, accounts, onFault }: AccountResetParts,
  how: AccountReset,
  signal: AbortSignal,
): Promise<ThingEvent | undefined> {
  const domain = channel.jid?.domain;
  if (domain === undefined) return undefined; // the stream has ended
  const { username, newPassword, leaving } = await accounts.load(domain);
  const options = { signal, timeout: ANSWER_WITHIN };
  const kept = { type: "accountLeft", domain, outcome: "kept" } as const;
  try {
    if (how === "new-password") {
      // Sent before the power went, and the login has shown that it counts.
      if (newPassword === undefined) return kept;
      const payload = buildRegistration({ username, password: newPassword });
      await channel.request({ type: "set", to: domain, payload }, options);
      return { type: "accountLeft", domain, outcome: "changed" };
    }
    // Removed before the power went: this is another account.
    if (leaving !== true) return kept;
    // Section 3.2, scenario 1: without a `to`.
    await channel.request({ type: "set", payload: buildRemoval() }, options);
    return { type: "accountLeft", domain, outcome: "removed" };
  } catch (error) {
    if (!(error instanceof StanzaError) || error.type === "wait") throw error;
    const what = how === "remove" ? "remove the account" : "change the password";
    onFault("account-kept", `the server does not ${what} (${error.message}): it stays as it is`, error);
    return kept;
  }
}
