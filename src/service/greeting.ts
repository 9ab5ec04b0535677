// What a service does at the start of each stream, so that its provisioning servers reach it: XEP-0324 3.5.1, 3.6.1, 5.1, 5.2.
import { sleep } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import type { RandomSource } from "../core/random.ts";
import { ns } from "../codec/namespaces.ts";
import { presence } from "../codec/stanza.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import type { Friends } from "../connection/friends.ts";
import { Components } from "../discovery/components.ts";
import { whoIsAway, type Barrier } from "../provisioning/barrier.ts";
import type { OwnTokens } from "../provisioning/own-tokens.ts";
import type { Authorities } from "./authorities.ts";
import type { ServiceFaultCode } from "./faults.ts";

/** What it takes to greet. */
export interface GreetingParts {
  readonly channel: Channel;
  readonly friends: Friends;
  readonly whereabouts: Whereabouts;
  readonly barrier: Barrier;
  readonly authorities: Authorities;
  readonly ownTokens: Pick<OwnTokens, "get" | "retain">;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly onFault: (code: ServiceFaultCode, message: string, cause?: unknown) => void;
  readonly onHealed: (code: ServiceFaultCode) => void;
}

const ANSWER_WITHIN = 10_000;

/** Greets, stream after stream. */
export class Greeting {
  readonly #parts: GreetingParts;
  readonly #components: Components;

  constructor(parts: GreetingParts) {
    this.#parts = parts;
    this.#components = new Components(parts);
  }

  /** Does it on a stream that is up. Resolves when presence is sent; the rest goes on. Rejects only with the signal's reason. */
  async greet(signal: AbortSignal): Promise<void> {
    const { channel, friends } = this.#parts;
    let again = false;
    await this.#keepTrying(signal, "greeting", async () => {
      await friends.load({ signal, timeout: ANSWER_WITHIN, again });
      again = true;
      await channel.send(presence());
    });
    void this.#meet(signal).catch(() => undefined); // the stream has ended; the next one begins anew
  }

  async #meet(signal: AbortSignal): Promise<void> {
    const { authorities, barrier, channel, friends, ownTokens } = this.#parts;
    if (authorities.trusted.length === 0) {
      await this.#keepTrying(signal, "provisioning", async () => {
        authorities.found(await this.#components.find(ns.provisioning, { signal }));
      });
    }
    const servers = authorities.trusted;
    await channel.send(...servers.filter(isComponent).map((to) => presence({ to })));
    for (const jid of servers) if (!isComponent(jid) && friends.has(jid)?.to !== true) await friends.ask(jid);
    const tokens = servers.map((server) => this.#getToken(server, signal));
    const introduceAgain = this.#introducer(signal);
    barrier.onAway(introduceAgain);
    for (const server of await barrier.settle(this.#parts, servers, signal)) introduceAgain(server);
    await Promise.all([...tokens, this.#keepTrying(signal, "token", () => ownTokens.retain(servers))]);
  }

  /** P-3.6.1-1. */
  async #getToken(server: BareJid, signal: AbortSignal): Promise<void> {
    const { authorities, ownTokens } = this.#parts;
    // What a refusal means is told by whoever gets the token.
    await this.#keepTrying(signal, undefined, () => ownTokens.get(server, signal));
    authorities.happened();
  }

  /** A component that was away does not know where to send that rules have changed: it is told again until it is there. */
  #introducer(signal: AbortSignal): (server: BareJid) => void {
    const { channel } = this.#parts;
    const away = new Set<BareJid>();
    return (server) => {
      if (!isComponent(server) || away.has(server)) return;
      away.add(server);
      const introducing = this.#keepTrying(signal, undefined, async () => {
        await channel.send(presence({ to: server }));
        const still = await whoIsAway(this.#parts, [server], { signal, timeout: ANSWER_WITHIN });
        if (still.length > 0) throw new Error("still away");
        away.delete(server);
      });
      introducing.catch(() => undefined);
    };
  }

  /** Again and again, after waits that grow, until the stream ends. */
  async #keepTrying(signal: AbortSignal, code: ServiceFaultCode | undefined, run: () => Promise<void>): Promise<void> {
    const { clock, random, onFault, onHealed } = this.#parts;
    const backoff = new Backoff(random);
    for (;;) {
      signal.throwIfAborted();
      try {
        await run();
        if (code !== undefined) onHealed(code);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (code !== undefined) onFault(code, messageOf(error), error);
      }
      await sleep(clock, backoff.next(), signal);
    }
  }
}
