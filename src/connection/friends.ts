// RFC 6121: who is a friend (the roster, section 2; subscriptions, section 3) and who of them is there (section 4).
import type { CallOptions } from "../core/abort.ts";
import { StanzaError } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import type { Channel } from "../channel/channel.ts";
import type { IncomingIq, IncomingPresence } from "../channel/router.ts";
import { ns } from "../codec/namespaces.ts";
import { buildRoster, buildRosterRemoval, parseRoster, parseRosterPush, type RosterItem } from "../codec/roster.ts";
import { presence, type PresenceType } from "../codec/stanza.ts";
import type { Fingerprint } from "./known-caps.ts";

/** How one stands with a contact. */
export interface Friendship {
  /** The contact may see our presence: it is a friend of ours. */
  readonly from: boolean;
  /** We may see the contact's presence: we are a friend of its. */
  readonly to: boolean;
  /** We have asked to be, and have no answer yet. */
  readonly pendingOut: boolean;
}

/** Presence of a friend. */
export interface FriendPresence {
  /** The friend's full JID; bare when all of its connections are gone at once. */
  readonly jid: Jid;
  /** It is there. */
  readonly available: boolean;
}

/** What is kept of the presence of one connection. */
interface Present {
  readonly priority: number;
  readonly caps: Fingerprint | undefined;
}

// A friend can log in a thousand times, and a device has little memory.
const MOST_PRESENT = 1_000;
const MOST_RESOURCES = 16;

/** The friends of one account, over whatever stream the channel has. Loaded anew on each. */
export class Friends {
  readonly #channel: Channel;
  readonly #roster = new Map<BareJid, RosterItem>();
  // The full JIDs of each, with what their presence said.
  readonly #present = new Map<BareJid, Map<string, Present>>();
  readonly #onRequest = new Set<(jid: BareJid) => void>();
  readonly #onWithdrawn = new Set<(jid: BareJid) => void>();
  readonly #onPresence = new Set<(presence: FriendPresence) => void>();
  readonly #onChange = new Set<(jid: BareJid) => void>();
  // What came while the roster was on its way: possibly newer than what it will say.
  #pushed: RosterItem[] | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.router.onIq(ns.roster, "query", (iq) => this.#takePush(iq), { urgent: true });
    channel.router.onPresence((incoming) => this.#takePresence(incoming));
  }

  /**
   * Gets the roster. To be called on each stream, before presence is sent (RFC 6121 section 2.2).
   *
   * @param options `again` on a stream on which it was called before: the server says only once who is there, so that is kept
   */
  async load({ again = false, ...options }: CallOptions & { readonly again?: boolean } = {}): Promise<void> {
    if (!again) this.#present.clear();
    const pushed = (this.#pushed = [] as RosterItem[]);
    try {
      const query = await this.#channel.request({ type: "get", payload: buildRoster() }, options);
      const items = query === undefined ? [] : parseRoster(query);
      this.#roster.clear();
      for (const item of [...items, ...pushed]) this.#apply(item);
    } finally {
      if (this.#pushed === pushed) this.#pushed = undefined;
    }
  }

  /** How one stands with a contact; `undefined` if it stands not in the roster. */
  has(jid: BareJid): Friendship | undefined {
    const item = this.#roster.get(jid);
    if (item === undefined) return undefined;
    const { subscription, pendingOut } = item;
    return {
      from: subscription === "from" || subscription === "both",
      to: subscription === "to" || subscription === "both",
      pendingOut,
    };
  }

  /** The bare JIDs in the roster. */
  list(): readonly BareJid[] {
    return [...this.#roster.keys()];
  }

  /** The full JIDs at which a friend is there, as far as it lets us see; that of the highest priority first. */
  presenceOf(jid: BareJid): string[] {
    if (this.#channel.jid === undefined) return []; // no stream: nobody can tell
    const there = [...(this.#present.get(jid) ?? [])];
    return there.sort(([, a], [, b]) => b.priority - a.priority).map(([full]) => full);
  }

  /** The fingerprint of what a friend can do at that full JID, if its presence holds one (XEP-0115). */
  capsOf({ bare, full }: Pick<Jid, "bare" | "full">): Fingerprint | undefined {
    return this.#present.get(bare)?.get(full)?.caps;
  }

  /** Accepts a request: the contact may see our presence. */
  accept(jid: BareJid): Promise<void> {
    return this.#tell(jid, "subscribed");
  }

  /** Refuses a request, or takes back what was granted. */
  refuse(jid: BareJid): Promise<void> {
    return this.#tell(jid, "unsubscribed");
  }

  /** Asks to see the contact's presence. */
  ask(jid: BareJid): Promise<void> {
    return this.#tell(jid, "subscribe");
  }

  /** Ends the friendship in both directions (RFC 6121 section 2.5). Nothing happens if there is none. */
  async remove(jid: BareJid, options: CallOptions = {}): Promise<void> {
    try {
      await this.#channel.request({ type: "set", payload: buildRosterRemoval(jid) }, options);
    } catch (error) {
      if (!(error instanceof StanzaError && error.condition === "item-not-found")) throw error;
    }
    // The push that says so may come after the result.
    this.#forget(jid);
  }

  /** Calls back for each request to see our presence. Nothing is answered by itself. Returns how to take it back. */
  onRequest(handler: (jid: BareJid) => void): () => void {
    return added(this.#onRequest, handler);
  }

  /** Calls back when somebody takes a request back, or does not want to see our presence any more. Returns how to take it back. */
  onWithdrawn(handler: (jid: BareJid) => void): () => void {
    return added(this.#onWithdrawn, handler);
  }

  /** Calls back when a friend comes or goes. Returns how to take it back. */
  onPresence(handler: (presence: FriendPresence) => void): () => void {
    return added(this.#onPresence, handler);
  }

  /** Calls back when the server says that something has changed between us and a contact. Returns how to take it back. */
  onChange(handler: (jid: BareJid) => void): () => void {
    return added(this.#onChange, handler);
  }

  #tell(to: BareJid, type: PresenceType): Promise<void> {
    return this.#channel.send(presence({ type, to }));
  }

  #takePush(iq: IncomingIq): Record<string, never> {
    const own = this.#channel.jid;
    // RFC 6121 section 2.1.6: from anybody else it is an attempt to make friends behind our back.
    if (own === undefined || ![own.bare, own.full].includes(iq.from.full)) throw new Refusal("forbidden");
    if (iq.type !== "set") throw new Refusal("bad-request");
    const item = parseRosterPush(iq.payload);
    this.#pushed?.push(item);
    this.#apply(item);
    for (const handler of this.#onChange) handler(item.jid);
    return {};
  }

  #apply(item: RosterItem): void {
    if (item.subscription === "remove") return this.#forget(item.jid);
    this.#roster.set(item.jid, item);
    if (this.has(item.jid)?.to !== true) this.#present.delete(item.jid);
  }

  #forget(jid: BareJid): void {
    this.#roster.delete(jid);
    this.#present.delete(jid);
  }

  #takePresence({ type, from, priority, caps }: IncomingPresence): void {
    if (type === "subscribe") {
      for (const handler of this.#onRequest) handler(from.bare);
    } else if (type === "unsubscribe") {
      for (const handler of this.#onWithdrawn) handler(from.bare);
    } else if ((type === "available" || type === "unavailable") && this.has(from.bare)?.to === true) {
      if (type === "available") this.#arrived(from, { priority, caps: caps && { hash: caps.hash, ver: caps.ver } });
      else this.#left(from);
      for (const handler of this.#onPresence) handler({ jid: from, available: type === "available" });
    }
  }

  #arrived(jid: Jid, present: Present): void {
    const there = this.#present.get(jid.bare);
    if (there === undefined) {
      if (this.#present.size < MOST_PRESENT) this.#present.set(jid.bare, new Map([[jid.full, present]]));
    } else if (there.has(jid.full) || there.size < MOST_RESOURCES) {
      there.set(jid.full, present);
    }
  }

  #left(jid: Jid): void {
    const there = this.#present.get(jid.bare);
    if (jid.resource !== "") there?.delete(jid.full);
    if (jid.resource === "" || there?.size === 0) this.#present.delete(jid.bare);
  }
}

function added<T>(handlers: Set<T>, handler: T): () => void {
  handlers.add(handler);
  return () => handlers.delete(handler);
}
