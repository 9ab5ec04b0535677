// XEP-0324 Internet of Things - Provisioning 0.5.1, sections 3.1.3 and 3.1.5: from the tokens of a question to who acts.
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

/**
 * Who may be acting: one for each choice of one proved identity of each kind, and at least one. Several tokens of a
 * kind are looked at one by one, so that the most forgiving answer can be chosen (P-3.1.5-3).
 */
export function whoActs(proved: readonly UsedToken[], tokens: Tokens): readonly Acting[] {
  const byToken = new Map(proved.map(({ token, identity }) => [token, identity]));
  const of = (list = ""): readonly (Identity | undefined)[] => {
    const found = new Set(parseTokenList(list).flatMap((token) => byToken.get(token) ?? []));
    return found.size === 0 ? [undefined] : [...found];
  };
  const [services, devices, users] = [of(tokens.serviceToken), of(tokens.deviceToken), of(tokens.userToken)];
  return services.flatMap((service) =>
    devices.flatMap((device) =>
      users.map((user) => ({
        ...(service !== undefined && { service: namesOf(service) }),
        ...(device !== undefined && { device: namesOf(device) }),
        ...(user !== undefined && { user: namesOf(user) }),
      })),
    ),
  );
}
