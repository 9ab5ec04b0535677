// What a fault says beyond the error it comes from: what to do, for whoever looks after the device.
import { RegistrationError, type SdkError } from "../core/errors.ts";
import { LoginRefused } from "./sasl.ts";

/** What is said of a stream that was ended for another one of the same full JID. */
export const CONFLICT =
  "another device uses this account: was the card copied? Stop the copy; `npx xmpp-thing reset --state DIR` on the copy, not on the original, gives it an identity of its own (ejabberd also says so when the account was removed)";

/**
 * What kept an account from logging in, in full, for one that has been on the server. SASL says of a name that is gone
 * and of a wrong password the same (RFC 6120 section 6.5.10), so both are named.
 */
export function inFull(reason: SdkError, jid: string): string {
  if (!(reason instanceof LoginRefused)) return reason.message;
  return `${reason.message}. Either the account ${jid} is not on the server any more, or its password was changed; no other account is made. Put it back as it was, or begin anew: \`npx xmpp-thing reset --state DIR\``;
}

/**
 * What kept an account that was given from being made: its name is taken. The login was refused before, so the one who
 * has it has another password.
 */
export function taken(error: RegistrationError, jid: string): RegistrationError {
  const why = `the account ${jid} is there, with another password: correct \`account.password\`, or, if it is somebody else's, choose another \`account.username\``;
  return new RegistrationError(`${error.message}: ${why}`, error.condition, { cause: error });
}
