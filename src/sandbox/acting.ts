// XEP-0324 Internet of Things - Provisioning 0.5.1, sections 3.1.3 and 3.1.5: from the tokens of a question to who acts.
import type { BareJid } from "../core/jid.ts";
import { parseTokenList, type Tokens } from "../codec/tokens.ts";
import { namesOf, type Identities, type Identity } from "./identities.ts";
import type { UsedToken } from "./provisioning-server-challenges.ts";
import type { Acting } from "./rules.ts";

// Each costs an encryption and a stanza. A request of our own time has one or two from this server.
const MOST_TOKENS = 16;

/**
 * The tokens in a question that are this server's, each once; of very many the first 16. Which server gave a token
 * cannot be seen (P-E15): what is unknown here is another's.
 */
export function usedTokens(identities: Identities, tokens: Tokens): readonly UsedToken[] {
  const all = [tokens.serviceToken, tokens.deviceToken, tokens.userToken].flatMap((list = "") => parseTokenList(list));
  return [...new Set(all)]
    .flatMap((token) => {
      const identity = identities.behind(token);
      return identity === undefined ? [] : [{ token, identity }];
    })
    .slice(0, MOST_TOKENS);
}

/** The users of services, as far as a question is concerned (XEP-0324 5.6). */
export interface UserSessions {
  /** The name that a user of this service has logged in by; `undefined` also for the token of another one's user. */
  userName(token: string, service: Identity): string | undefined;
  /** Somebody asks with a user token: what they are told may change when the user logs in. */
  answered(token: string, jid: BareJid): void;
}

/** The proved identities behind one attribute. */
export function identitiesBehind(proved: readonly UsedToken[], list = ""): readonly Identity[] {
  const byToken = new Map(proved.map(({ token, identity }) => [token, identity]));
  return [...new Set(parseTokenList(list).flatMap((token) => byToken.get(token) ?? []))];
}

/**
 * Who may be acting: one for each choice of one proved identity of each kind, and at least one. Several tokens of a
 * kind are looked at one by one, so that the most forgiving answer can be chosen (P-3.1.5-3). A user token that the
 * server gave a service for its user counts beside the proved token of that service only.
 *
 * @param thing who asks
 */
export function whoActs(
  proved: readonly UsedToken[],
  tokens: Tokens,
  sessions: UserSessions,
  thing: BareJid,
): readonly Acting[] {
  const of = (list?: string): readonly (Identity | undefined)[] => {
    const found = identitiesBehind(proved, list);
    return found.length === 0 ? [undefined] : found;
  };
  const [services, devices, users] = [of(tokens.serviceToken), of(tokens.deviceToken), of(tokens.userToken)];
  const userTokens = parseTokenList(tokens.userToken ?? "").slice(0, MOST_TOKENS);
  for (const token of userTokens) sessions.answered(token, thing);
  return services.flatMap((service) => {
    const named = service === undefined ? [] : userTokens.flatMap((token) => sessions.userName(token, service) ?? []);
    const userNames = named.length === 0 ? [undefined] : [...new Set(named)];
    return devices.flatMap((device) =>
      users.flatMap((user) =>
        userNames.map((userName) => ({
          ...(service !== undefined && { service: namesOf(service) }),
          ...(device !== undefined && { device: namesOf(device) }),
          ...(user !== undefined && { user: namesOf(user) }),
          ...(userName !== undefined && { userName }),
        })),
      ),
    );
  });
}
