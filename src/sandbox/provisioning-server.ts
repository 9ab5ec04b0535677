// XEP-0324 Internet of Things - Provisioning 0.5.1, the server's side: sections 3.1 to 3.5.
import type { CallOptions } from "../core/abort.ts";
import { systemClock } from "../core/clock.ts";
import { ConfigError, StateError } from "../core/errors.ts";
import { configJid, type BareJid, type Jid } from "../core/jid.ts";
import { silentLogger } from "../core/logger.ts";
import { systemRandom } from "../core/random.ts";
import { buildFriend, buildUnfriend } from "../codec/friendship.ts";
import { ns } from "../codec/namespaces.ts";
import { message } from "../codec/stanza.ts";
import { localName, type XmlElement } from "../codec/xml.ts";
import { Identities, type KnownIdentity } from "./identities.ts";
import type { ChallengePadding } from "./identity-certificate.ts";
import { CacheInvalidation } from "./provisioning-server-cache.ts";
import { AskedQuestions } from "./provisioning-server-asked.ts";
import { TokenChallenges, type ChallengePolicy } from "./provisioning-server-challenges.ts";
import type { AskedQuestion, ProvisioningServerOptions, QuestionKind } from "./provisioning-server-options.ts";
import { Proofs } from "./provisioning-server-proofs.ts";
import { RightsDesk } from "./provisioning-server-rights.ts";
import { TokenDesk } from "./provisioning-server-tokens.ts";
import { RuleBook, areAbout, type UndecidedListener } from "./rule-book.ts";
import type { ControlLimits, ReadLimits, Rule } from "./rules.ts";
import { ServiceFriends, type FriendshipOutcome } from "./service-friends.ts";
import {
  serve,
  serviceAddress,
  serviceInfo,
  type LaterAnswer,
  type ServiceAnswer,
  type ServiceHandlers,
  type ServiceRequest,
} from "./service-frame.ts";
import type { HostedAccount, StanzaService } from "./stanza-service.ts";

/**
 * A Provisioning Server to test and demonstrate with. It answers by rules set from code, refuses by default, and when
 * the rules change sends `clearCache` to every Thing that ever asked, until each has acknowledged it.
 *
 * @example
 * ```ts
 * const server = new ReferenceProvisioningServer({ jid: "provisioning.localhost" });
 * server.setRules([{ jid: "friend@localhost", friend: true, read: { fields: ["Temperature"] } }]);
 * ```
 */
export class ReferenceProvisioningServer implements StanzaService {
  readonly jid: string;
  readonly name = "Provisioning Server";
  /** Whether Things may trust further servers (XEP-0324 3.1.4): said in every answer to isFriend, yes or no (P-E16). */
  secondaryTrustAllowed: boolean;
  /** How it pads what it encrypts (P-E12). */
  padding: ChallengePadding;
  /** When it challenges the use of a token. */
  challenge: ChallengePolicy;
  readonly #handlers: ServiceHandlers;
  readonly #cache: CacheInvalidation;
  readonly #identities: Identities;
  readonly #tokens: TokenDesk;
  readonly #challenges: TokenChallenges;
  readonly #friends: ServiceFriends | undefined;
  readonly #asked = new AskedQuestions();
  readonly #answers: ReadonlyMap<string, (payload: XmlElement, from: Jid) => ServiceAnswer | LaterAnswer>;
  readonly #book: RuleBook;
  /** The Things that have asked isFriend. */
  readonly #consulted = new Set<BareJid>();
  #carry: (stanzas: readonly XmlElement[]) => void = () => undefined;

  /** Throws `ERR_CONFIG` if `jid` or a JID in the rules is none, or `jid` has a resource. */
  constructor(options: ProvisioningServerOptions) {
    const address = serviceAddress(options.jid);
    const { random = systemRandom, clock = systemClock, logger = silentLogger, retry = 10_000 } = options;
    const output = (stanzas: readonly XmlElement[]): void => this.#carry(stanzas);
    const isAccount = address.local !== "";
    this.jid = address.full;
    this.secondaryTrustAllowed = options.secondaryTrustAllowed ?? false;
    this.padding = options.padding ?? "oaep";
    this.challenge = options.challenge ?? "always";
    this.#book = new RuleBook({
      logger,
      changed: (_, news) => this.#cache.changed((thing) => areAbout(news, thing, ["friend", "read", "control"])),
    });
    this.#book.begin(options.rules ?? []);
    this.#cache = new CacheInvalidation({
      from: this.jid,
      random,
      clock,
      logger,
      retry,
      output,
      byPresence: isAccount,
    });
    this.#friends = isAccount ? new ServiceFriends({ clock, output }) : undefined;
    const { unknownCertificates: unknown = "accept", challengeTimeout: timeout = 5_000 } = options;
    const changed = (isConcerned: (thing: BareJid) => boolean): void => this.#cache.changed(isConcerned);
    const padding = (): ChallengePadding => this.padding;
    const policy = (): ChallengePolicy => this.challenge;
    this.#identities = new Identities({ random, clock, unknown, changed });
    const tokens = new TokenDesk({ identities: this.#identities, random, clock, padding });
    this.#tokens = tokens;
    this.#challenges = new TokenChallenges({
      from: this.jid,
      random,
      clock,
      logger,
      policy,
      padding,
      timeout,
      output,
    });
    const rights = new RightsDesk({
      proofs: new Proofs(this.#identities, this.#challenges),
      book: this.#book,
      secondaryTrustAllowed: () => this.secondaryTrustAllowed,
      asked: (from, question) => {
        this.#cache.asked(from);
        if (question.kind === "isFriend") this.#consulted.add(from.bare);
        this.#asked.note(from, question);
      },
      forget: (from) => this.#cache.forget(from),
    });
    this.#answers = new Map(
      Object.entries({
        isFriend: (payload, from) => rights.isFriend(payload, from),
        canRead: (payload, from) => rights.canRead(payload, from),
        canControl: (payload, from) => rights.canControl(payload, from),
        getToken: (payload, from) => ({ payload: tokens.challenge(payload, from) }),
        getTokenChallengeResponse: (payload, from) => ({ payload: tokens.response(payload, from) }),
      } satisfies Record<string, (payload: XmlElement, from: Jid) => ServiceAnswer | LaterAnswer>),
    );
    this.#handlers = {
      address,
      info: serviceInfo(address, this.name, ns.provisioning),
      friends: this.#friends,
      seen: (from) => this.#cache.request(from),
      count: () => undefined,
      request: (request) => this.#request(request),
      output,
      reply: (reply) => {
        if (!this.#challenges.reply(reply)) this.#cache.reply(reply);
      },
      presence: (from, available) => {
        if (!available) this.#challenges.gone(from);
        return this.#cache.presence(from, available);
      },
    };
  }

  /** The rules in force, the one that decides first in front. */
  get rules(): readonly Rule[] {
    return this.#book.rules;
  }

  /** The questions asked, oldest first; of very many the newest 10,000. */
  get questions(): readonly AskedQuestion[] {
    return this.#asked.list;
  }

  /** The Things that have not yet acknowledged the last change of the rules. */
  get unacknowledged(): readonly BareJid[] {
    return this.#cache.due;
  }

  /** The identities that it knows, in the order in which they came. */
  get identities(): readonly KnownIdentity[] {
    return this.#identities.list;
  }

  /** How many questions wait for challenges of their tokens. */
  get pending(): number {
    return this.#challenges.pending;
  }

  /** How many questions were asked, of one kind or of all. */
  count(kind?: QuestionKind): number {
    return this.#asked.count(kind);
  }

  /**
   * Puts new rules in the place of the old. Every call counts as a change: `clearCache` goes to all Things that ever
   * asked. Throws `ERR_CONFIG` if a JID in them is none; then nothing changes.
   */
  setRules(rules: readonly Rule[]): void {
    this.#book.replace(rules);
  }

  /**
   * Puts a rule in front of the others, in the place of those that said no more than it for the same parties. `clearCache`
   * goes to the Things that it is about. Throws `ERR_CONFIG` if it is none; then nothing changes.
   */
  addRule(rule: Rule): void {
    this.#book.add(rule);
  }

  /**
   * Listens to questions that no rule decides: each is answered by no, and somebody may decide it. The Thing keeps that
   * no; {@link addRule} makes it forget it. Called before the answer goes out, once for each time it is asked. Returns
   * how to take it back.
   */
  onUndecided(listener: UndecidedListener): () => void {
    return this.#book.onUndecided(listener);
  }

  /**
   * Makes a certificate known under a name that rules may use; several may share one, so that a certificate can be
   * renewed. One that was withdrawn is let in again. Gives its fingerprint. Throws `ERR_CONFIG` if it is no X.509
   * certificate with an RSA key of 1,024 to 8,192 bits, or the name is none.
   *
   * @param certificate PEM, or the bytes of PEM or DER; no private key
   */
  enrol(certificate: string | Uint8Array, name: string): string {
    return this.#identities.enrol(certificate, name);
  }

  /**
   * Withdraws a certificate, or all of that name: its token is void, the rules that name it fit nobody, and
   * `clearCache` goes to the Things that have asked about it. Tells whether there was one. Throws `ERR_CONFIG` for no
   * name at all.
   *
   * @param identity the name, or the fingerprint
   */
  withdraw(identity: string): boolean {
    return this.#identities.withdraw(identity);
  }

  /** Lets two be friends, or no longer. A rule in front of the others. */
  allowFriend(thing: string, friend: string, allowed = true): void {
    this.addRule({ thing, jid: friend, friend: allowed });
  }

  /** Lets somebody read all or some of a Thing, or nothing any more. A rule in front of the others. */
  allowRead(thing: string, reader: string, read: boolean | ReadLimits = true): void {
    this.addRule({ thing, jid: reader, read });
  }

  /**
   * Recommends a friendship to a Thing (XEP-0324 3.2.4), which asks whether it is a friend and then befriends it. A
   * message: nobody answers, and what is sent while the server is offline is lost. Throws `ERR_CONFIG` for JIDs that
   * are none.
   */
  recommendFriend(thing: string, jid: string): void {
    this.#tell(thing, buildFriend({ jid: configJid(jid, "jid").bare }));
  }

  /**
   * Ends a friendship of a Thing (XEP-0324 3.2.3). Tells whether the message went out: it is meant for Things that
   * have asked this server about friends before (P-3.2.3-2). The rules stay: forbid it there too. Throws `ERR_CONFIG`
   * for JIDs that are none.
   */
  unfriend(thing: string, jid: string): boolean {
    const other = configJid(jid, "jid").bare;
    if (!this.#consulted.has(configJid(thing, "thing").bare)) return false;
    this.#tell(thing, buildUnfriend({ jid: other }));
    return true;
  }

  /** As an account: the Things whose presence it sees. */
  get friends(): readonly BareJid[] {
    return this.#friends?.list ?? [];
  }

  /**
   * As an account: asks a Thing for friendship (XEP-0324 3.1.1), as its operator tells it to. One that trusts nobody
   * yet shows it by its LED and waits for its button. Sent once: a refused or lost request is asked again by calling
   * again. A Thing that is a friend already is `accepted` without being asked.
   *
   * Resolves to `pending` when no answer has come in time (default 60,000 ms); {@link friends} tells if one comes
   * later. Rejects with `ERR_STATE` on a component, `ERR_CONFIG` if `thing` is no account, `ERR_CONNECTION` when
   * the server is offline, `ERR_STANZA` if the request could not be delivered.
   *
   * @param thing its bare JID
   */
  async askFriendship(thing: string, options: CallOptions = {}): Promise<FriendshipOutcome> {
    const { local, bare } = configJid(thing, "thing");
    if (this.#friends === undefined) {
      throw new StateError(
        `${this.jid} is a component and befriends nobody (XEP-0324 5.1): ` +
          `let the Thing find it, or run the server as an account (jid "name@domain", attachAccount)`,
      );
    }
    if (local === "") throw new ConfigError(`thing: "${thing}" is no account: components are not befriended`);
    return this.#friends.ask(bare, options);
  }

  /** Lets somebody control all or some of a Thing, or nothing any more. A rule in front of the others. */
  allowControl(thing: string, controller: string, control: boolean | ControlLimits = true): void {
    this.addRule({ thing, jid: controller, control });
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    return serve(stanza, this.#handlers);
  }

  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void {
    this.#carry = carry;
  }

  onAccount(account?: HostedAccount): void {
    this.#friends?.onAccount(account);
    this.#cache.forgetPresence();
    this.#challenges.stop();
  }

  stop(): void {
    this.#cache.stop();
    this.#challenges.stop();
    this.#identities.stop();
    this.#tokens.stop();
  }

  /** Messages go to the bare JID: its server knows where the Thing is, or keeps them until it comes (P-E8). */
  #tell(thing: string, payload: XmlElement): void {
    const to = configJid(thing, "thing").bare;
    this.#carry([message({ to, from: this.jid }, payload)]);
  }

  #request({ from, payload }: ServiceRequest): ServiceAnswer | LaterAnswer | undefined {
    if (payload.getNS() !== ns.provisioning) return undefined;
    return this.#answers.get(localName(payload))?.(payload, from);
  }
}
