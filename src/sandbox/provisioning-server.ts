// XEP-0324 Internet of Things - Provisioning 0.5.1, the server's side: sections 3.1 to 3.5.
import type { CallOptions } from "../core/abort.ts";
import { systemClock } from "../core/clock.ts";
import { ConfigError, StateError } from "../core/errors.ts";
import { configJid, type BareJid, type Jid } from "../core/jid.ts";
import { silentLogger } from "../core/logger.ts";
import { systemRandom } from "../core/random.ts";
import { buildCanControlResponse, parseCanControl } from "../codec/can-control.ts";
import { buildFriend, buildUnfriend } from "../codec/friendship.ts";
import { ns } from "../codec/namespaces.ts";
import { buildCanReadResponse, buildIsFriendResponse, parseCanRead, parseIsFriend } from "../codec/provisioning.ts";
import { message } from "../codec/stanza.ts";
import type { Tokens } from "../codec/tokens.ts";
import type { XmlElement } from "../codec/xml.ts";
import { usedTokens, whoActs } from "./acting.ts";
import { mostForgivingControl, mostForgivingRead } from "./forgiving.ts";
import { Identities, type KnownIdentity } from "./identities.ts";
import type { ChallengePadding } from "./identity-certificate.ts";
import { CacheInvalidation } from "./provisioning-server-cache.ts";
import { TokenChallenges, type ChallengePolicy, type UsedToken } from "./provisioning-server-challenges.ts";
import type { AskedQuestion, ProvisioningServerOptions, QuestionKind } from "./provisioning-server-options.ts";
import { TokenDesk } from "./provisioning-server-tokens.ts";
import {
  decideControl,
  decideFriend,
  decideRead,
  isAbout,
  narrow,
  narrowControl,
  normaliseRules,
  withRule,
  type Acting,
  type ControlLimits,
  type ReadLimits,
  type Rule,
} from "./rules.ts";
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

// A sandbox may run for weeks: counts stay exact, the list keeps the newest.
const MOST_QUESTIONS = 10_000;

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
  readonly #desk: TokenDesk;
  readonly #challenges: TokenChallenges;
  readonly #friends: ServiceFriends | undefined;
  readonly #counts = new Map<QuestionKind, number>();
  readonly #questions: AskedQuestion[] = [];
  /** The Things that have asked isFriend. */
  readonly #consulted = new Set<BareJid>();
  #rules: readonly Rule[];
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
    this.#rules = normaliseRules(options.rules ?? []);
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
    this.#desk = new TokenDesk({ identities: this.#identities, random, clock, padding });
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
    return this.#rules;
  }

  /** The questions asked, oldest first; of very many the newest 10,000. */
  get questions(): readonly AskedQuestion[] {
    return [...this.#questions];
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
    const of = (one: QuestionKind): number => this.#counts.get(one) ?? 0;
    return kind === undefined ? of("isFriend") + of("canRead") + of("canControl") : of(kind);
  }

  /**
   * Puts new rules in the place of the old. Every call counts as a change: `clearCache` goes to all Things that ever
   * asked. Throws `ERR_CONFIG` if a JID in them is none; then nothing changes.
   */
  setRules(rules: readonly Rule[]): void {
    this.#rules = normaliseRules(rules);
    this.#cache.changed();
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
    this.#addRule({ thing, jid: friend, friend: allowed });
  }

  /** Lets somebody read all or some of a Thing, or nothing any more. A rule in front of the others. */
  allowRead(thing: string, reader: string, read: boolean | ReadLimits = true): void {
    this.#addRule({ thing, jid: reader, read });
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
    this.#addRule({ thing, jid: controller, control });
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
    this.#desk.stop();
  }

  /** Messages go to the bare JID: its server knows where the Thing is, or keeps them until it comes (P-E8). */
  #tell(thing: string, payload: XmlElement): void {
    const to = configJid(thing, "thing").bare;
    this.#carry([message({ to, from: this.jid }, payload)]);
  }

  /** Only Things that the rule is about have to forget something. */
  #addRule(rule: Rule): void {
    const [normal = rule] = normaliseRules([rule]);
    this.#rules = withRule(this.#rules, normal);
    this.#cache.changed((thing) => isAbout(normal, thing));
  }

  #request({ from, payload }: ServiceRequest): ServiceAnswer | LaterAnswer | undefined {
    if (payload.is("isFriend", ns.provisioning)) return { payload: this.#isFriend(payload, from) };
    if (payload.is("canRead", ns.provisioning)) return this.#canRead(payload, from);
    if (payload.is("canControl", ns.provisioning)) return this.#canControl(payload, from);
    if (payload.is("getToken", ns.provisioning)) return { payload: this.#desk.challenge(payload, from) };
    if (payload.is("getTokenChallengeResponse", ns.provisioning)) {
      return { payload: this.#desk.response(payload, from) };
    }
    return undefined;
  }

  /** XEP-0324 3.2.1: the two are the sender and the JID named, both without resource. */
  #isFriend(payload: XmlElement, from: Jid): XmlElement {
    const { jid } = parseIsFriend(payload);
    const result = decideFriend(this.#rules, from.bare, jid);
    this.#asked(from, { kind: "isFriend", jid, result });
    this.#consulted.add(from.bare);
    return buildIsFriendResponse({ jid, result, secondaryTrustAllowed: this.secondaryTrustAllowed });
  }

  /** XEP-0324 3.3. */
  #canRead(payload: XmlElement, from: Jid): LaterAnswer {
    const question = parseCanRead(payload);
    return this.#whenProved(from, "canRead", question, (acting) => {
      const limits = different(acting, (who) => decideRead(this.#rules, from.bare, question.jid, who));
      const answer = mostForgivingRead(
        question,
        limits.map((each) => narrow(question, each)),
      );
      return { result: answer.result, payload: buildCanReadResponse(answer) };
    });
  }

  /** XEP-0324 3.4. */
  #canControl(payload: XmlElement, from: Jid): LaterAnswer {
    const question = parseCanControl(payload);
    return this.#whenProved(from, "canControl", question, (acting) => {
      const decide = (who: Acting): boolean | ControlLimits => decideControl(this.#rules, from.bare, question.jid, who);
      const answer = mostForgivingControl(
        question,
        different(acting, decide).map((each) => narrowControl(question, each)),
      );
      return { result: answer.result, payload: buildCanControlResponse(answer) };
    });
  }

  /** Decides once the tokens of a question are proved, by the rules and identities of that moment. */
  #whenProved(
    from: Jid,
    kind: QuestionKind,
    { jid, tokens }: { readonly jid: BareJid; readonly tokens: Tokens },
    decide: (acting: readonly Acting[]) => { readonly result: boolean; readonly payload: XmlElement },
  ): LaterAnswer {
    const finish = (sent: readonly UsedToken[], proved: ReadonlySet<string>): ServiceAnswer => {
      for (const { token, identity } of sent) {
        const isProved = proved.has(token);
        if (isProved) this.#identities.proved(identity);
        this.#identities.answered(identity, from.bare, isProved);
      }
      // Who cannot answer loses the identity, not what it may without (P-3.1.3-6); so does who has lost it meanwhile.
      const valid = sent.filter(({ token }) => proved.has(token) && this.#identities.behind(token) !== undefined);
      const { result, payload } = decide(whoActs(valid, tokens));
      const names = [...new Set(valid.map(({ identity }) => identity.name ?? identity.certificate.fingerprint))];
      this.#asked(from, { kind, jid, result, ...(names.length > 0 && { identities: names }) });
      return { payload };
    };
    const sent = usedTokens(this.#identities, tokens);
    return {
      later: (answer) => this.#challenges.prove(from, jid, sent, (proved) => answer(() => finish(sent, proved))),
    };
  }

  #asked(from: Jid, question: Omit<AskedQuestion, "thing">): void {
    this.#cache.asked(from);
    this.#counts.set(question.kind, this.count(question.kind) + 1);
    this.#questions.push({ thing: from.bare, ...question });
    if (this.#questions.length > MOST_QUESTIONS) this.#questions.shift();
  }
}

/** What is decided, each once: sixteen tokens of three kinds make thousands of combinations, and few rules. */
function different<T>(acting: readonly Acting[], decide: (who: Acting) => T): readonly T[] {
  return [...new Set(acting.map(decide))];
}
