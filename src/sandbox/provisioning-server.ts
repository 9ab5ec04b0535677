// XEP-0324 Internet of Things - Provisioning 0.5.1, the server's side: sections 3.1 to 3.7.
import type { CallOptions } from "../core/abort.ts";
import { ConfigError, StateError } from "../core/errors.ts";
import { configJid, type BareJid } from "../core/jid.ts";
import { buildFriend, buildUnfriend } from "../codec/friendship.ts";
import type { Privilege } from "../codec/privileges.ts";
import { message } from "../codec/stanza.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { KnownIdentity } from "./identities.ts";
import type { ChallengePadding } from "./identity-certificate.ts";
import { normaliseIdentity } from "./identity-name.ts";
import type { PrivilegeList, User } from "./people.ts";
import type { ChallengePolicy } from "./provisioning-server-challenges.ts";
import type {
  AskedQuestion,
  KeptProvisioningServerOptions,
  ProvisioningServerOptions,
  QuestionKind,
} from "./provisioning-server-options.ts";
import { assemble, type ServerParts } from "./provisioning-server-parts.ts";
import { KEYS } from "./provisioning-server-keys.ts";
import { restore } from "./provisioning-server-restore.ts";
import type { UndecidedListener } from "./rule-book.ts";
import { normaliseRules } from "./rules-check.ts";
import type { ControlLimits, ReadLimits, Rule } from "./rules.ts";
import type { SeenName } from "./seen-names.ts";
import type { FriendshipOutcome } from "./service-friends.ts";
import { serve } from "./service-frame.ts";
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
  readonly #parts: ServerParts;
  #carry: (stanzas: readonly XmlElement[]) => void = () => undefined;

  /** Throws `ERR_CONFIG` if `jid` or a JID in the rules is none, or `jid` has a resource. */
  constructor(options: ProvisioningServerOptions) {
    this.secondaryTrustAllowed = options.secondaryTrustAllowed ?? false;
    this.padding = options.padding ?? "oaep";
    this.challenge = options.challenge ?? "always";
    this.#parts = assemble(options, this.name, {
      carry: (stanzas) => this.#carry(stanzas),
      secondaryTrustAllowed: () => this.secondaryTrustAllowed,
      padding: () => this.padding,
      policy: () => this.challenge,
    });
    this.jid = this.#parts.handlers.address.full;
  }

  /**
   * A server whose rules, users, privileges, known certificates and tokens, and what Things and services are still to be
   * told, outlive its process: it begins with what was kept. `rules`, `users` and `privileges` in the options take the
   * place of those kept; left out, those stay. Nothing is told before all that it was decided by is kept. Attach it once this
   * has resolved. Rejects with `ERR_CONFIG` as `new` throws, and with what the keeper rejects with.
   */
  static async open(options: KeptProvisioningServerOptions): Promise<ReferenceProvisioningServer> {
    const { keeper, rules, users, privileges, ...rest } = options;
    const server = new ReferenceProvisioningServer(rest);
    await restore(server.#parts, keeper);
    const isNews = (given: unknown, kept: unknown): boolean => JSON.stringify(given) !== JSON.stringify(kept);
    if (rules !== undefined && isNews(normaliseRules(rules), server.rules)) server.setRules(rules);
    if (users !== undefined && isNews(users, server.users)) server.setUsers(users);
    if (privileges !== undefined && isNews(privileges, server.privileges)) server.setPrivileges(privileges);
    await server.settled();
    return server;
  }

  /**
   * Resolves when all that was changed until now is kept, at once where nothing is kept. Rejects with what the keeper
   * rejects with; it is tried again with the next change or question.
   */
  async settled(): Promise<void> {
    await this.#parts.kept.settled();
  }

  /** The rules in force, the one that decides first in front. */
  get rules(): readonly Rule[] {
    return this.#parts.book.rules;
  }

  /** The questions asked, oldest first; of very many the newest 10,000. */
  get questions(): readonly AskedQuestion[] {
    return this.#parts.asked.list;
  }

  /** The Things that have not yet acknowledged the last change of the rules. */
  get unacknowledged(): readonly BareJid[] {
    return this.#parts.cache.due;
  }

  /** The identities that it knows, in the order in which they came. */
  get identities(): readonly KnownIdentity[] {
    return this.#parts.identities.list;
  }

  /** How many questions wait for challenges of their tokens. */
  get pending(): number {
    return this.#parts.challenges.pending;
  }

  /** How many questions were asked, of one kind or of all. */
  count(kind?: QuestionKind): number {
    return this.#parts.asked.count(kind);
  }

  /**
   * Puts new rules in the place of the old. Every call counts as a change: `clearCache` goes to all Things that ever
   * asked. Throws `ERR_CONFIG` if a JID in them is none; then nothing changes.
   */
  setRules(rules: readonly Rule[]): void {
    this.#parts.book.replace(rules);
  }

  /**
   * Puts a rule in front of the others, in the place of those that said no more than it for the same parties. `clearCache`
   * goes to the Things that it is about. Throws `ERR_CONFIG` if it is none; then nothing changes.
   */
  addRule(rule: Rule): void {
    this.#parts.book.add(rule);
  }

  /**
   * Listens to questions that no rule decides: each is answered by no, and somebody may decide it. The Thing keeps that
   * no; {@link addRule}, of a privilege {@link addPrivileges}, makes it forget it. Called before the answer goes out, once for each time it is asked. Returns
   * how to take it back.
   */
  onUndecided(listener: UndecidedListener): () => void {
    return this.#parts.book.onUndecided(listener);
  }

  /**
   * Makes a certificate known under a name that rules may use; several may share one, so that a certificate can be
   * renewed. One that was withdrawn is let in again. Gives its fingerprint. Throws `ERR_CONFIG` if it is no X.509
   * certificate with an RSA key of 1,024 to 8,192 bits, or the name is none.
   *
   * @param certificate PEM, or the bytes of PEM or DER; no private key
   */
  enrol(certificate: string | Uint8Array, name: string): string {
    return this.#parts.identities.enrol(certificate, name);
  }

  /**
   * Withdraws a certificate, or all of that name: its token is void, the rules that name it fit nobody, and
   * `clearCache` goes to the Things that have asked about it. Tells whether there was one. Throws `ERR_CONFIG` for no
   * name at all.
   *
   * @param identity the name, or the fingerprint
   */
  withdraw(identity: string): boolean {
    return this.#parts.identities.withdraw(identity);
  }

  /** The users that it knows. */
  get users(): readonly User[] {
    return this.#parts.people.users;
  }

  /** The privileges of users and roles in services. */
  get privileges(): readonly PrivilegeList[] {
    return this.#parts.people.lists;
  }

  /** The names of services, users and privileges that services have used, and nobody told the server of (XEP-0324 5.4). */
  get seenNames(): readonly SeenName[] {
    return this.#parts.names.list;
  }

  /**
   * Puts users in the place of all others: the names that they log in to services by, and their roles. `clearCache` goes
   * to all services that have asked. Throws `ERR_CONFIG` for what is no user; then nothing changes.
   */
  setUsers(users: readonly User[]): void {
    const { people, kept } = this.#parts;
    people.setUsers(users);
    kept.change(KEYS.users, people.users);
    this.#parts.cache.changed((_, services) => services.size > 0);
  }

  /**
   * Puts lists in the place of all others: the privileges of users and roles in services (XEP-0324 3.7). `clearCache`
   * goes to the services whose lists have changed. Throws `ERR_CONFIG` for what is no list; then nothing changes.
   *
   * @example
   * ```ts
   * server.setUsers([{ name: "Kermit", roles: ["operator"] }]);
   * server.setPrivileges([
   *   { service: "energy", role: "operator", privileges: [{ exclude: "Databases.Energy.Delete" }, { include: "Databases" }] },
   *   { service: "energy", privileges: [{ include: "Sensors.View" }] }, // everybody, also before a login
   * ]);
   * ```
   */
  setPrivileges(lists: readonly PrivilegeList[]): void {
    const { people, kept } = this.#parts;
    const affected = people.setLists(lists);
    kept.change(KEYS.privileges, people.lists);
    this.#parts.cache.changed((_, services) => [...services].some((service) => affected.has(service)));
  }

  /**
   * Puts privileges in front of those that a user, a role or everybody has in a service; a user becomes known. `clearCache` goes to
   * the services that it is about. Throws `ERR_CONFIG` for what is no list; then nothing changes.
   */
  addPrivileges(list: PrivilegeList): void {
    const { people } = this.#parts;
    this.setPrivileges(people.listsWith(list));
    if (list.user !== undefined && !people.isKnown(list.user)) this.setUsers([...people.users, { name: list.user }]);
  }

  /**
   * What a user may do in a service, as one ordered list (XEP-0324 3.7): what is said of the user, of the roles, of everybody.
   *
   * @param service the name or the fingerprint of its certificate
   * @param userName left out: before a login
   */
  privilegesOf(service: string, userName?: string): readonly Privilege[] {
    return this.#parts.people.privilegesOf([normaliseIdentity(service, "service")], userName);
  }

  /**
   * Has a Thing or a service forget what it was told, so that it asks anew (XEP-0324 3.5). Who never asked is not told. Throws
   * `ERR_CONFIG` for a JID that is none.
   */
  clearCache(thing: string): void {
    const { bare } = configJid(thing, "thing");
    this.#parts.cache.changed((jid) => jid === bare);
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
    if (!this.#parts.cache.hasConsulted(configJid(thing, "thing").bare)) return false;
    this.#tell(thing, buildUnfriend({ jid: other }));
    return true;
  }

  /** As an account: the Things whose presence it sees. */
  get friends(): readonly BareJid[] {
    return this.#parts.friends?.list ?? [];
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
    if (this.#parts.friends === undefined) {
      throw new StateError(
        `${this.jid} is a component and befriends nobody (XEP-0324 5.1): ` +
          `let the Thing find it, or run the server as an account (jid "name@domain", attachAccount)`,
      );
    }
    if (local === "") throw new ConfigError(`thing: "${thing}" is no account: components are not befriended`);
    return this.#parts.friends.ask(bare, options);
  }

  /** Lets somebody control all or some of a Thing, or nothing any more. A rule in front of the others. */
  allowControl(thing: string, controller: string, control: boolean | ControlLimits = true): void {
    this.addRule({ thing, jid: controller, control });
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    return this.#parts.kept.tell(serve(stanza, this.#parts.handlers));
  }

  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void {
    this.#carry = carry;
  }

  onAccount(account?: HostedAccount): void {
    this.#parts.friends?.onAccount(account);
    this.#parts.cache.forgetPresence();
    this.#parts.challenges.stop();
    // What waits for a challenge would wait for ever, and all that the same service asks from now on behind it.
    this.#parts.services.stop();
  }

  /** Stops, and closes the keeper when all is kept. Detach it first: it must not be asked anything any more. */
  async close(): Promise<void> {
    this.stop();
    await this.#parts.kept.close();
  }

  stop(): void {
    this.#parts.cache.stop();
    this.#parts.challenges.stop();
    this.#parts.services.stop();
    this.#parts.identities.stop();
    this.#parts.tokens.stop();
  }

  /** Messages go to the bare JID: its server knows where the Thing is, or keeps them until it comes (P-E8). */
  #tell(thing: string, payload: XmlElement): void {
    const to = configJid(thing, "thing").bare;
    this.#parts.handlers.output?.([message({ to, from: this.jid }, payload)]);
  }
}
