// Why cached rights wait at the start of a stream: rules may have changed while the Thing was away, and the clearCache
// that says so is on its way (XEP-0324 5.2, P-5.2-6). Without the wait up to 12 requests were answered from stale grants.
import { raceSignal, withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { StanzaError } from "../core/errors.ts";
import { el } from "../codec/xml.ts";
import { ns } from "../codec/namespaces.ts";
import type { BareJid } from "../core/jid.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";

/** How long a server may keep cached rights waiting, in milliseconds. */
export const BARRIER_TIMEOUT = 2_000;

/** What servers are heard with. */
export interface BarrierParts {
  /** How they are asked. */
  readonly channel: Channel;
  /** Where they are reached. */
  readonly whereabouts: Whereabouts;
  /** Time. */
  readonly clock: Clock;
}

/** Holds cached rights back from the start of a stream until the trusted servers have had their say. */
export class Barrier {
  #open: Promise<void> = Promise.resolve();
  #isDown = true;
  #lower: () => void = () => undefined;
  #tellAway: (server: BareJid) => void = () => undefined;

  /** Has somebody told of servers that were away when they were asked, in the place of whoever was told before. */
  onAway(tell: (server: BareJid) => void): void {
    this.#tellAway = tell;
  }

  /** A question to this server has failed. */
  failed(server: BareJid, error: unknown): void {
    if (isAway(error)) this.#tellAway(server);
  }

  /** True while remembered rights count: nobody has to wait. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** A new stream: nothing remembered counts until {@link settle} has ended. To be called before any stanza is handled. */
  raise(): void {
    const before = this.#lower;
    this.#isDown = false;
    this.#open = new Promise((resolve) => {
      const lower = (): void => {
        // That of a stream that is gone lets nobody through who came for a later one.
        if (this.#lower === lower) this.#isDown = true;
        resolve();
      };
      this.#lower = lower;
    });
    // Who waits at the barrier of a stream that is gone waits for the next one.
    void this.#open.then(before);
  }

  /** Resolves when remembered rights count; rejects with the signal's reason. */
  pass(signal: AbortSignal): Promise<void> {
    return raceSignal(this.#open, signal);
  }

  /**
   * Asks each server something that it answers at once (XEP-0199). Stanzas between two parties keep their order: a
   * `clearCache` that was due since the presence before has arrived when the answer has. An error is an answer too.
   * Resolves to the servers that were not there.
   */
  async settle(parts: BarrierParts, servers: readonly BareJid[], signal: AbortSignal): Promise<readonly BareJid[]> {
    const lower = this.#lower;
    const { channel } = parts;
    const stream = channel.jid;
    // Late servers are not waited for (design: 2 s).
    const away = await whoIsAway(parts, servers, { signal, timeout: BARRIER_TIMEOUT });
    // A stream that ended leaves the barrier up for the next one. The channel knows of the end before the signal does.
    if (signal.aborted || channel.jid !== stream) return [];
    lower();
    return away;
  }
}

/** Asks each of these servers for a sign of life; resolves to those that gave none within the time. Never rejects. */
export async function whoIsAway(
  { channel, whereabouts, clock }: BarrierParts,
  servers: readonly BareJid[],
  options: CallOptions,
): Promise<readonly BareJid[]> {
  const away = new Set(servers);
  const hear = async (server: BareJid, signal: AbortSignal): Promise<void> => {
    try {
      const to = await whereabouts.addressOf(server, ns.provisioning, { signal });
      await channel.request({ type: "get", to, payload: el("ping", { xmlns: ns.ping }) }, { signal });
    } catch (error) {
      if (isAway(error)) return;
    }
    away.delete(server);
  };
  const all = async (signal: AbortSignal): Promise<unknown> =>
    Promise.all(servers.map((server) => hear(server, signal)));
  await withDeadline(clock, options, "a sign of life", all).catch(() => undefined);
  return [...away];
}

/** Whether it was the XMPP server who answered, in the place of somebody who is not there (RFC 6120 8.3.3, 10.4). */
function isAway(error: unknown): boolean {
  if (!(error instanceof StanzaError)) return true;
  // Prosody has `remote-server-timeout` of type `wait` for a component that is not attached, ejabberd the other one.
  return error.type === "wait" || ["remote-server-not-found", "recipient-unavailable"].includes(error.condition);
}
