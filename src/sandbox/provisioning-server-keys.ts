// Under which keys a reference Provisioning Server keeps what it decides by.
import { createHash } from "node:crypto";

/** Under which keys what is kept: wholes, and beginnings of keys. */
export const KEYS = {
  rules: "rules",
  users: "users",
  privileges: "privileges",
  names: "names",
  thing: "thing/",
  identity: "identity/",
  session: "session/",
} as const;

/** The key of a session. The names of keys are told when one is damaged, so its token is not in it. */
export function sessionKey(token: string): string {
  return `${KEYS.session}${createHash("sha256").update(token).digest("hex")}`;
}
