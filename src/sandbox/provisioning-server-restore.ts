// What a reference Provisioning Server takes up again of what it has kept.
import type { BareJid } from "../core/jid.ts";
import type { KeptIdentity } from "./identities.ts";
import type { PrivilegeList, User } from "./people.ts";
import type { KeptDevice } from "./provisioning-server-cache.ts";
import { KEYS } from "./provisioning-server-keys.ts";
import type { ProvisioningKeeper } from "./provisioning-server-kept.ts";
import type { ServerParts } from "./provisioning-server-parts.ts";
import type { Rule } from "./rules.ts";
import type { SeenName } from "./seen-names.ts";
import { sessionOf, type KeptSession } from "./sessions.ts";

/** Begins with what a keeper has kept; from then on it keeps. What has its checksum was written by the parts. */
export async function restore(parts: ServerParts, keeper: ProvisioningKeeper): Promise<void> {
  const { book, people, names, sessions, cache, identities, kept } = parts;
  const known: KeptIdentity[] = [];
  for await (const [key, value] of keeper.load()) {
    if (key === KEYS.rules) book.begin(value as readonly Rule[]);
    else if (key === KEYS.users) people.setUsers(value as readonly User[]);
    else if (key === KEYS.privileges) people.setLists(value as readonly PrivilegeList[]);
    else if (key === KEYS.names) names.restore(value as readonly SeenName[]);
    else if (key.startsWith(KEYS.thing)) cache.restore(key.slice(KEYS.thing.length) as BareJid, value as KeptDevice);
    else if (key.startsWith(KEYS.identity)) known.push(value as KeptIdentity);
    else if (key.startsWith(KEYS.session)) sessions.restore(sessionOf(value as KeptSession));
  }
  kept.keepIn(keeper);
  // Last: who has to forget an identity that has ended meanwhile must be known, and that must be kept.
  identities.restore(known);
}
