// The provisioning servers of a service, and how they are asked: XEP-0324 3.6, 3.7, 5.3.
import { onAbort, raceSignal, sleep, withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import type { OwnTokens } from "../provisioning/own-tokens.ts";
import type { SentTokens } from "../provisioning/sent-tokens.ts";
import { discreet } from "../sensor/discreet.ts";

/** What it takes to ask them. */
export interface AuthoritiesParts {
  readonly channel: Channel;
  readonly whereabouts: Whereabouts;
  readonly clock: Clock;
  /** Where the tokens that go out are noted, for the challenges that may come. */
  readonly sent: SentTokens;
  readonly ownTokens: Pick<OwnTokens, "tokenOf" | "ownTokens">;
}

/** What several servers have said to one question. */
export interface Answers<T> {
  /** Of those that have answered. */
  readonly by: ReadonlyMap<BareJid, T>;
  /** Why one has not; `undefined`: all have. */
  readonly failure: unknown;
}

/** How a server is asked. */
export interface Asking<T> {
  /** Makes the question, with the token that this very server has given the service. */
  readonly build: (serviceToken: string, server: BareJid) => XmlElement;
  /** Reads the answer. */
  readonly parse: (answer: XmlElement | undefined) => T;
  /** Nobody else need be waited for with this answer. Left out: all are. */
  readonly isEnough?: (answer: T) => boolean;
  /** With this answer the others have a moment more. Left out: none of them has that effect. */
  readonly isGood?: (answer: T) => boolean;
}

/** How long a question may take, in milliseconds. */
export const ASK_TIMEOUT = 30_000;
// One server has said yes: another one that is away must not have everybody wait (P-E20).
const GRACE = 2_000;

/** Asks provisioning servers, each by the token that it has given. */
export class Authorities {
  readonly #parts: AuthoritiesParts;
  #servers: readonly BareJid[];
  #news = new News();

  /** @param servers the ones that are configured; empty: to be found */
  constructor(parts: AuthoritiesParts, servers: readonly BareJid[]) {
    this.#parts = parts;
    this.#servers = servers;
  }

  /** Those that are trusted. Empty while none was found. */
  get trusted(): readonly BareJid[] {
    return this.#servers;
  }

  /** One was found. */
  found(server: BareJid): void {
    this.#servers = [server];
    this.happened();
  }

  /** There is a token, or a server: whoever waits for one looks again. */
  happened(): void {
    const before = this.#news;
    this.#news = new News();
    before.happen();
  }

  /** The trusted servers, once there are any. */
  async servers({ signal: cancel, timeout = ASK_TIMEOUT }: CallOptions): Promise<readonly BareJid[]> {
    const limits = { signal: cancel, timeout };
    await withDeadline(this.#parts.clock, limits, "finding a provisioning server", async (signal) => {
      while (this.#servers.length === 0) await raceSignal(this.#news.happened, signal);
    });
    return this.#servers;
  }

  /** Asks these servers side by side. Never rejects but with the signal's reason: who does not answer has said nothing. */
  async ask<T>(
    servers: readonly BareJid[],
    asking: Asking<T>,
    { signal, timeout = ASK_TIMEOUT }: CallOptions,
  ): Promise<Answers<T>> {
    const { clock } = this.#parts;
    const by = new Map<BareJid, T>();
    const failures = new Map<BareJid, unknown>();
    const over = new AbortController();
    const forget = signal && onAbort(signal, () => over.abort(signal.reason));
    const enough = new News();
    const one = async (server: BareJid): Promise<void> => {
      try {
        const limits = { signal: over.signal, timeout };
        const answer = await withDeadline(clock, limits, `asking ${server}`, (limited) =>
          this.#askOne(server, asking, limited),
        );
        by.set(server, answer);
        if (asking.isEnough?.(answer) === true) enough.happen();
        if (asking.isGood?.(answer) === true)
          void sleep(clock, GRACE, over.signal).then(
            () => enough.happen(),
            () => undefined,
          );
      } catch (error) {
        failures.set(server, error);
      }
    };
    try {
      const all = Promise.all(servers.map(one));
      await Promise.race([all, enough.happened]);
      signal?.throwIfAborted();
      const silent = servers.find((server) => !by.has(server));
      return {
        by: new Map(by),
        failure: silent === undefined ? undefined : (failures.get(silent) ?? unheard(silent)),
      };
    } finally {
      forget?.();
      over.abort(unheard("nobody any more"));
    }
  }

  /** Tells a server something, by message. */
  async tell(
    server: BareJid,
    make: (serviceToken: string, to: string) => XmlElement,
    { signal: cancel, timeout = ASK_TIMEOUT }: CallOptions,
  ): Promise<void> {
    const { channel, clock, whereabouts } = this.#parts;
    await withDeadline(clock, { signal: cancel, timeout }, `telling ${server}`, async (signal) => {
      const serviceToken = await this.#tokenOf(server, signal);
      const to = await whereabouts.addressOf(server, ns.provisioning, { signal });
      this.#noted(serviceToken, server);
      await channel.send(make(serviceToken, to));
    });
  }

  async #askOne<T>(server: BareJid, { build, parse }: Asking<T>, signal: AbortSignal): Promise<T> {
    const { channel, whereabouts } = this.#parts;
    const serviceToken = await this.#tokenOf(server, signal);
    const to = await whereabouts.addressOf(server, ns.provisioning, { signal });
    const payload = build(serviceToken, server);
    this.#noted(serviceToken, server);
    try {
      return parse(await channel.request({ type: "get", to, payload }, { signal }));
    } catch (error) {
      throw discreet(error, { serviceToken, userToken: secretsIn(payload) });
    }
  }

  /** P-E13. Not the user's: no key is behind it, and those of a thousand users would push out what can be answered. */
  #noted(serviceToken: string, server: BareJid): void {
    this.#parts.sent.record({ serviceToken }, server, undefined);
  }

  /** P-3.6.1-1: without its token nobody is asked. */
  async #tokenOf(server: BareJid, signal: AbortSignal): Promise<string> {
    for (;;) {
      const token = this.#parts.ownTokens.tokenOf(server);
      if (token !== undefined) return token;
      await raceSignal(this.#news.happened, signal);
    }
  }
}

/** What is the user's: no name and no address, but what opens something. A single-sign-on token may open much more than this. */
function secretsIn(question: XmlElement): string {
  return [question.attrs["userToken"], ...question.getChildren("sso").map(({ attrs }) => attrs["value"])].join(" ");
}

/** Something that can be waited for once. */
class News {
  happen: () => void = () => undefined;
  readonly happened = new Promise<void>((resolve) => (this.happen = resolve));
}

const unheard = (who: string): TimeoutError => new TimeoutError(`${who} was not waited for`);
