// Friendship of a service that is an account, with Things: XEP-0324 3.1.1 and 5.1, XEP-0347 5.1; RFC 6121 section 3.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectionError, TimeoutError } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { presence } from "../codec/stanza.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { HostedAccount } from "./stanza-service.ts";

/**
 * What became of a request for friendship: `accepted`, `refused`, or `pending`: not answered yet. A pending one can
 * still be accepted later.
 */
export type FriendshipOutcome = "accepted" | "refused" | "pending";

/** What {@link ServiceFriends} are made of. */
export interface ServiceFriendsOptions {
  /** Time, for how long an answer is waited for. */
  readonly clock: Clock;
  /** Carries away what is sent without anything coming in. */
  readonly output: (stanzas: readonly XmlElement[]) => void;
}

interface Contact {
  /** We see its presence. */
  to: boolean;
  /** It sees ours. */
  from: boolean;
  /** We have asked to see it and have no answer. */
  asked: boolean;
  /** Who waits for the answer. */
  readonly waiting: Set<Waiter>;
}

interface Waiter {
  resolve(outcome: FriendshipOutcome): void;
  reject(reason: Error): void;
}

// The LED of a Thing blinks for half a minute (XEP-0324 3.1.1); people take a moment to get there.
const ANSWER_WITHIN = 60_000;

/**
 * The friends of a service. It accepts everybody who asks (P-3.1.1-13, D-E14) and asks back, so that presence flows
 * both ways; it asks by itself only when told to (P-3.1.1-4). Whether a friendship lasts the Thing decides.
 */
export class ServiceFriends {
  readonly #options: ServiceFriendsOptions;
  readonly #contacts = new Map<BareJid, Contact>();
  #online = false;

  constructor(options: ServiceFriendsOptions) {
    this.#options = options;
  }

  /** Those whose presence it sees, in no particular order. */
  get list(): readonly BareJid[] {
    return [...this.#contacts].filter(([, { to }]) => to).map(([jid]) => jid);
  }

  /** Whether it sees somebody's presence. */
  sees(jid: BareJid): boolean {
    return this.#contacts.get(jid)?.to === true;
  }

  /** A stream is up, or has ended. */
  onAccount(account: HostedAccount | undefined): void {
    this.#online = account !== undefined;
    if (account === undefined) return;
    const roster = new Map(account.roster.map((item) => [item.jid, item]));
    for (const jid of this.#contacts.keys()) {
      if (!roster.has(jid)) this.#settle(jid, { to: false, from: false, asked: false }, lost());
    }
    for (const [jid, { subscription, pendingOut }] of roster) {
      const to = subscription === "to" || subscription === "both";
      const from = subscription === "from" || subscription === "both";
      // What was answered while the stream was down shows here.
      this.#settle(jid, { to, from, asked: pendingOut }, to ? "accepted" : "refused");
    }
  }

  /** Takes one of the four stanzas of RFC 6121 section 3. Gives what is to be sent at once. */
  take(type: "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed", from: Jid): readonly XmlElement[] {
    const jid = from.bare;
    const { to, from: seen, asked } = this.#contact(jid);
    switch (type) {
      case "subscribe": {
        const back = to || asked ? [] : [presence({ type: "subscribe", to: jid })];
        this.#settle(jid, { to, from: true, asked: !to }, "accepted");
        return [presence({ type: "subscribed", to: jid }), ...back];
      }
      case "subscribed": // servers pass it on only to those who asked; so do we
        this.#settle(jid, { to: to || asked, from: seen, asked: false }, "accepted");
        return [];
      case "unsubscribed":
        this.#settle(jid, { to: false, from: seen, asked: false }, "refused");
        return [];
      case "unsubscribe":
        this.#settle(jid, { to, from: false, asked }, "accepted");
        return [];
    }
  }

  /** Presence to somebody came back as an error: so does a request that cannot be delivered. */
  failed(from: Jid, error: Error | undefined): void {
    const contact = this.#contacts.get(from.bare);
    if (contact === undefined || error === undefined || !contact.asked) return;
    this.#settle(from.bare, { to: contact.to, from: contact.from, asked: false }, error);
  }

  /**
   * Asks a Thing for friendship, once. Nothing is sent to one that is a friend already.
   * Rejects with `ERR_CONNECTION` when the service is offline, `ERR_STANZA` if the request could not be delivered.
   */
  async ask(jid: BareJid, options: CallOptions): Promise<FriendshipOutcome> {
    if (!this.#online) throw new ConnectionError("the service is not connected: it cannot ask");
    const { signal, timeout = ANSWER_WITHIN } = options;
    const contact = this.#contact(jid);
    if (contact.to) return "accepted";
    const answer = new Promise<FriendshipOutcome>((resolve, reject) => contact.waiting.add({ resolve, reject }));
    contact.asked = true;
    this.#contacts.set(jid, contact);
    this.#options.output([presence({ type: "subscribe", to: jid })]);
    try {
      return await withDeadline(this.#options.clock, { signal, timeout }, `the friendship of ${jid}`, () => answer);
    } catch (error) {
      if (error instanceof TimeoutError) return "pending";
      throw error;
    }
  }

  #contact(jid: BareJid): Contact {
    return this.#contacts.get(jid) ?? { to: false, from: false, asked: false, waiting: new Set() };
  }

  /** Enters how things stand; those who wait are told the outcome once nothing is asked any more. */
  #settle(jid: BareJid, state: Omit<Contact, "waiting">, outcome: FriendshipOutcome | Error): void {
    const contact = Object.assign(this.#contact(jid), state);
    // Somebody who is nothing to us is nobody to remember.
    if (contact.to || contact.from || contact.asked) this.#contacts.set(jid, contact);
    else this.#contacts.delete(jid);
    if (contact.asked) return;
    for (const waiter of contact.waiting) {
      if (outcome instanceof Error) waiter.reject(outcome);
      else waiter.resolve(outcome);
    }
    contact.waiting.clear();
  }
}

function lost(): Error {
  return new ConnectionError("the connection was lost before the request for friendship had gone out");
}
