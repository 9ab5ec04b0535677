// XEP-0077 In-Band Registration 2.4, section 3.1: an account, made before the login. Only ever on verified TLS.
import { RegistrationError, StanzaError } from "../core/errors.ts";
import { buildRegistration, buildRegistrationRequest, parseRegistrationForm } from "../codec/registration.ts";
import type { AskServer } from "./iq-exchange.ts";

/**
 * Makes an account. Rejects with `ERR_REGISTRATION`: its condition is the server's (`conflict`: the name is taken), or
 * `not-acceptable` when the server asks for more than a name and a password.
 */
export async function register(
  ask: AskServer,
  domain: string,
  account: { readonly username: string; readonly password: string },
): Promise<void> {
  try {
    const query = await ask("get", buildRegistrationRequest(), domain);
    const asked = query === undefined ? [] : parseRegistrationForm(query).fields;
    const missing = ["username", "password"].filter((name) => !asked.includes(name));
    const more = asked.filter((name) => name !== "username" && name !== "password");
    if (missing.length > 0 || more.length > 0) {
      const names = asked.join(", ") || "nothing that is understood";
      throw new RegistrationError(`the server asks a new account for ${names}`, "not-acceptable");
    }
    const { username, password } = account;
    await ask("set", buildRegistration({ username, password }), domain);
  } catch (cause) {
    if (!(cause instanceof StanzaError)) throw cause;
    const words = cause.text === "" ? "" : ` (${cause.text})`;
    throw new RegistrationError(`the server made no account: ${cause.condition}${words}`, cause.condition, { cause });
  }
}
