// What a reference Provisioning Server is made of, and how its parts know of each other.
import { systemClock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { Jid } from "../core/jid.ts";
import { silentLogger } from "../core/logger.ts";
import { systemRandom } from "../core/random.ts";
import { ns } from "../codec/namespaces.ts";
import { localName, type XmlElement } from "../codec/xml.ts";
import { Identities } from "./identities.ts";
import type { ChallengePadding } from "./identity-certificate.ts";
import { People } from "./people.ts";
import { AskedQuestions } from "./provisioning-server-asked.ts";
import { CacheInvalidation } from "./provisioning-server-cache.ts";
import { TokenChallenges, type ChallengePolicy } from "./provisioning-server-challenges.ts";
import { KEYS, sessionKey } from "./provisioning-server-keys.ts";
import { Kept } from "./provisioning-server-kept.ts";
import type { AskedQuestion, ProvisioningServerOptions } from "./provisioning-server-options.ts";
import { Proofs } from "./provisioning-server-proofs.ts";
import { RightsDesk } from "./provisioning-server-rights.ts";
import { ServiceDesk } from "./provisioning-server-services.ts";
import { TokenDesk } from "./provisioning-server-tokens.ts";
import { RuleBook, areAbout } from "./rule-book.ts";
import { SeenNames } from "./seen-names.ts";
import { ServiceFriends } from "./service-friends.ts";
import {
  serviceAddress,
  serviceInfo,
  type LaterAnswer,
  type ServiceAnswer,
  type ServiceHandlers,
} from "./service-frame.ts";
import { Sessions, keptSession } from "./sessions.ts";

/** What the parts ask of the server. */
export interface ServerHooks {
  /** Carries away what is sent without anything coming in. */
  readonly carry: (stanzas: readonly XmlElement[]) => void;
  /** Whether Things may trust further servers. */
  readonly secondaryTrustAllowed: () => boolean;
  /** How challenges are padded. */
  readonly padding: () => ChallengePadding;
  /** When the use of a token is challenged. */
  readonly policy: () => ChallengePolicy;
}

/** The parts. */
export interface ServerParts {
  readonly handlers: ServiceHandlers;
  readonly book: RuleBook;
  readonly people: People;
  readonly names: SeenNames;
  readonly sessions: Sessions;
  readonly cache: CacheInvalidation;
  readonly identities: Identities;
  readonly tokens: TokenDesk;
  readonly challenges: TokenChallenges;
  readonly services: ServiceDesk;
  readonly asked: AskedQuestions;
  /** What outlives the process. */
  readonly kept: Kept;
  /** As an account: its friends. */
  readonly friends: ServiceFriends | undefined;
}

type Answer = (payload: XmlElement, from: Jid) => ServiceAnswer | LaterAnswer;

/** Puts the parts together. Throws `ERR_CONFIG` for options that are none. */
export function assemble(options: ProvisioningServerOptions, name: string, hooks: ServerHooks): ServerParts {
  const address = serviceAddress(options.jid);
  const { random = systemRandom, clock = systemClock, logger = silentLogger, retry = 10_000 } = options;
  const {
    unknownCertificates: unknown = "accept",
    challengeTimeout: timeout = 5_000,
    mostUsers: most = 10_000,
  } = options;
  if (!Number.isSafeInteger(most) || most < 1) throw new ConfigError("mostUsers: must be a whole number, at least 1");
  const { carry, padding, policy } = hooks;
  const kept = new Kept(logger, carry);
  const output = (stanzas: readonly XmlElement[]): void => {
    const now = kept.tell(stanzas);
    if (now.length > 0) carry(now);
  };
  const isAccount = address.local !== "";
  const from = address.full;
  const parts = { from, random, clock, logger, output };

  const cache = new CacheInvalidation({
    ...parts,
    retry,
    byPresence: isAccount,
    keep: (jid, is, lazily) => kept.change(`${KEYS.thing}${jid}`, is, lazily),
  });
  const friends = isAccount ? new ServiceFriends({ clock, output }) : undefined;
  const people = new People();
  people.setUsers(options.users ?? []);
  people.setLists(options.privileges ?? []);
  const names = new SeenNames(options.aggregate, (list) => kept.change(KEYS.names, list, true));
  const sessions: Sessions = new Sessions({
    ...{ random, most },
    moment: () => cache.moment,
    hasForgotten: (jid, moment) => cache.hasForgotten(jid, moment),
    changed: (session, is) => {
      kept.change(sessionKey(session.token), is && keptSession(is));
      if (is === undefined) cache.changed((jid) => sessions.concerns(session, jid));
    },
  });
  const book = new RuleBook({
    logger,
    changed: (rules, news) => {
      kept.change(KEYS.rules, rules);
      // Who may use a service says whose name counts, also in the questions of Things (XEP-0324 5.6).
      const letsIn = news === "all" || news.some(({ access }) => access !== undefined);
      const isUsers = letsIn && news !== "all" ? sessions.concerning() : undefined;
      cache.changed(
        (jid, services) =>
          areAbout(news, jid, ["friend", "read", "control"]) ||
          (letsIn && (services.size > 0 || isUsers?.(jid) === true)),
      );
    },
  });
  book.begin(options.rules ?? []);
  const identities = new Identities({
    random,
    clock,
    unknown,
    changed: (concerned) => cache.changed(concerned),
    keep: (fingerprint, is) => kept.change(`${KEYS.identity}${fingerprint}`, is),
  });
  const tokens = new TokenDesk({ identities, random, clock, padding });
  const challenges = new TokenChallenges({ ...parts, policy, padding, timeout });
  const proofs = new Proofs(identities, challenges, {
    userName: (token, service) => services.session(token, service)?.userName,
    answered: (token, jid) => sessions.answered(token, jid),
  });
  const questions = new AskedQuestions();
  const asked = (who: Jid, question: Omit<AskedQuestion, "thing">): void => {
    cache.asked(who, question.kind);
    questions.note(who, question);
  };
  const { secondaryTrustAllowed } = hooks;
  const rights = new RightsDesk({ proofs, book, secondaryTrustAllowed, asked, forget: (who) => cache.forget(who) });
  const services: ServiceDesk = new ServiceDesk({
    ...{ proofs, book, people, sessions, names, logger, asked },
    serves: (jid, service) => cache.serves(jid, service),
    changed: (session, by) => cache.changed((jid) => jid === by || sessions.concerns(session, jid)),
  });
  const answers: ReadonlyMap<string, Answer> = new Map(
    Object.entries({
      isFriend: (payload, who) => rights.isFriend(payload, who),
      canRead: (payload, who) => rights.canRead(payload, who),
      canControl: (payload, who) => rights.canControl(payload, who),
      canAccess: (payload, who) => services.canAccess(payload, who),
      hasPrivilege: (payload, who) => services.hasPrivilege(payload, who),
      downloadPrivileges: (payload, who) => services.downloadPrivileges(payload, who),
      getToken: (payload, who) => ({ payload: tokens.challenge(payload, who) }),
      getTokenChallengeResponse: (payload, who) => ({ payload: tokens.response(payload, who) }),
    } satisfies Record<string, Answer>),
  );
  const handlers: ServiceHandlers = {
    address,
    info: serviceInfo(address, name, ns.provisioning),
    friends,
    seen: (who) => cache.request(who),
    count: () => undefined,
    request: ({ from: who, payload }) =>
      payload.getNS() === ns.provisioning ? answers.get(localName(payload))?.(payload, who) : undefined,
    output,
    message: (who, payload) => {
      if (payload.is("userLoggedIn", ns.provisioning)) services.userLoggedIn(payload, who);
    },
    reply: (reply) => {
      if (!challenges.reply(reply)) cache.reply(reply);
    },
    presence: (who, available) => {
      if (!available) {
        challenges.gone(who);
        services.gone(who);
      }
      return cache.presence(who, available);
    },
  };
  return {
    handlers,
    book,
    people,
    names,
    sessions,
    cache,
    identities,
    tokens,
    challenges,
    services,
    asked: questions,
    friends,
    kept,
  };
}
