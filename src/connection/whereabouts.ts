// Where services are reached: XEP-0324 4, 5.1, XEP-0347 4, 5.1; P-E8, P-E27.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectionError, DiscoveryError, StanzaError } from "../core/errors.ts";
import { isComponent, parseJid, type BareJid } from "../core/jid.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import { buildInfoQuery, parseInfo } from "../codec/disco.ts";
import type { Friends } from "./friends.ts";
import { KnownCaps } from "./known-caps.ts";

const DEFAULT_TIMEOUT = 30_000;
// How long one connection of an account may take over saying what it can do.
const INFO_WITHIN = 5_000;

/** Finds services by the presence of friends. What it has found holds until the account's connections change. */
export class FriendWhereabouts implements Whereabouts {
  readonly #channel: Channel;
  readonly #friends: Friends;
  readonly #clock: Clock;
  readonly #known = new KnownCaps();
  readonly #found = new Map<BareJid, Map<string, string>>();
  // Equal searches at the same time become one: at the start of a stream many questions wait for the same server.
  readonly #underWay = new Map<string, Promise<string>>();

  constructor(parts: { readonly channel: Channel; readonly friends: Friends; readonly clock: Clock }) {
    this.#channel = parts.channel;
    this.#friends = parts.friends;
    this.#clock = parts.clock;
    // Who came may have a higher priority, who went is no address any more.
    parts.friends.onPresence(({ jid }) => this.#found.delete(jid.bare));
  }

  async addressOf(
    jid: BareJid,
    feature: string,
    options: CallOptions & { readonly befriend?: boolean } = {},
  ): Promise<string> {
    // Components are never befriended, and have no resource (X-E3).
    if (isComponent(jid)) return jid;
    if (this.#channel.jid === undefined) throw new ConnectionError("not connected");
    const known = this.#found.get(jid)?.get(feature);
    if (known !== undefined && this.#friends.presenceOf(jid).includes(known)) return known;
    const { signal, timeout = DEFAULT_TIMEOUT, befriend = true } = options;
    const limits = { signal, timeout };
    return withDeadline(this.#clock, limits, `finding ${jid}`, () => this.#search(jid, feature, befriend));
  }

  #search(jid: BareJid, feature: string, befriend: boolean): Promise<string> {
    const key = `${String(befriend)} ${feature} ${jid}`;
    let search = this.#underWay.get(key);
    if (search === undefined) {
      const limits = { timeout: DEFAULT_TIMEOUT };
      search = withDeadline(this.#clock, limits, `finding ${jid}`, async (signal) => {
        if (befriend && this.#friends.has(jid)?.to !== true) await this.#friends.ask(jid);
        return this.#find(jid, feature, signal);
      });
      search = search.finally(() => this.#underWay.delete(key));
      search.catch(() => undefined); // whoever has given up hears of it no more
      this.#underWay.set(key, search);
    }
    return search;
  }

  async #find(jid: BareJid, feature: string, signal: AbortSignal): Promise<string> {
    let changed = new Change();
    const stop = this.#friends.onPresence((presence) => {
      if (presence.jid.bare === jid) changed.happen();
    });
    signal.addEventListener("abort", () => changed.happen(), { once: true });
    try {
      for (;;) {
        signal.throwIfAborted();
        changed = new Change();
        const address = await this.#among(this.#friends.presenceOf(jid), feature, signal);
        // Who has come meanwhile may be more important: the next one to ask looks again.
        if (address !== undefined) return changed.isPast ? address : this.#remember(jid, feature, address);
        await changed.happened;
      }
    } finally {
      stop();
    }
  }

  /** The first that has the feature; `undefined` if none does that has not been heard out. */
  async #among(addresses: readonly string[], feature: string, signal: AbortSignal): Promise<string | undefined> {
    let silent = 0;
    for (const address of addresses) {
      try {
        if (await this.#has(address, feature, signal)) return address;
      } catch (error) {
        if (!this.#saysNothing(address, error)) silent++;
      }
    }
    if (addresses.length === 0 || silent > 0) return undefined;
    throw new DiscoveryError(`no connection of ${addresses[0]?.split("/")[0] ?? ""} has ${feature}`);
  }

  /** P-4-2, P-4-3: by the fingerprint in its presence, if it is known what that stands for; else it is asked. */
  async #has(address: string, feature: string, signal: AbortSignal): Promise<boolean> {
    const print = this.#friends.capsOf(parseJid(address));
    const known = print && this.#known.featuresOf(print);
    if (known !== undefined) return known.has(feature);
    const answer = await this.#channel.request(
      { type: "get", to: address, payload: buildInfoQuery() },
      { signal, timeout: INFO_WITHIN },
    );
    const { features } = parseInfo(answer);
    if (print !== undefined && answer !== undefined) this.#known.learn(print, answer);
    return features.includes(feature);
  }

  /**
   * Whether that was the answer of a connection that does not know disco#info. The server gives one of them for a
   * connection that has gone, but then it has said so before.
   */
  #saysNothing(address: string, error: unknown): boolean {
    if (!(error instanceof StanzaError)) return false;
    const bare = parseJid(address).bare;
    return (
      ["feature-not-implemented", "service-unavailable"].includes(error.condition) &&
      this.#friends.presenceOf(bare).includes(address)
    );
  }

  #remember(jid: BareJid, feature: string, address: string): string {
    const found = this.#found.get(jid) ?? new Map<string, string>();
    this.#found.set(jid, found.set(feature, address));
    return address;
  }
}

/** Something that can be waited for once. */
class Change {
  isPast = false;
  #resolve: () => void = () => undefined;
  readonly happened = new Promise<void>((resolve) => (this.#resolve = resolve));

  happen(): void {
    this.isPast = true;
    this.#resolve();
  }
}
