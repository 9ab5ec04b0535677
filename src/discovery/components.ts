// Scanning a server's components for what they can do: XEP-0347 3.5 method 5 and 3.11 method 7, section 4; XEP-0324 3.1.2.
import type { Clock } from "../core/clock.ts";
import { ConnectionError, DiscoveryError } from "../core/errors.ts";
import { parseJid, type BareJid, type Jid } from "../core/jid.ts";
import type { ns } from "../codec/namespaces.ts";
import type { Channel } from "../channel/channel.ts";
import { ComponentWalk } from "./component-walk.ts";

/**
 * Names that were heard on the network (XEP-0347 3.3.2.2, `regis` and `provis`): addresses, or first parts of them. They
 * say whom of the listed components to ask first, and nothing else: whoever announces them proves nothing.
 */
export interface ServiceHints {
  /** Thing Registries. */
  readonly registries: readonly string[];
  /** Provisioning servers. */
  readonly provisioning: readonly string[];
}

/** How to look for a component. */
export interface ComponentSearch {
  /** Ends the search; it then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Those to ask first, if the server lists them. Default: none. */
  readonly preferred?: readonly string[] | undefined;
}

// When what is sought was not there: half of what a Thing waits between its tries, so that most of them ask anew.
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 150_000;

/** A walk, and when it may be followed by another. */
interface Round {
  readonly walk: ComponentWalk;
  readonly stream: Jid;
  readonly began: number;
  readonly wait: number;
}

/**
 * The components of the own server. What they said holds for the stream, and is shared by all searches; who looks for
 * something that was not there has them asked again, after waits that grow.
 */
export class Components {
  readonly #channel: Channel;
  readonly #clock: Clock;
  #round: Round | undefined;

  constructor(parts: { readonly channel: Channel; readonly clock: Clock }) {
    this.#channel = parts.channel;
    this.#clock = parts.clock;
  }

  /**
   * The first component that has the feature. Rejects with `ERR_DISCOVERY`, listing who was asked and what they said, when
   * there is none, with `ERR_CONNECTION` without a stream, and with the signal's reason.
   */
  async find(feature: typeof ns.discovery | typeof ns.provisioning, search: ComponentSearch): Promise<BareJid> {
    const { signal, preferred = [] } = search;
    const asked = this.#clock.monotonic();
    for (;;) {
      signal.throwIfAborted();
      const round = this.#current();
      const found = await round.walk.first(feature, preferred, signal);
      if (found !== undefined) return found;
      const now = this.#clock.monotonic();
      const isNews = round.began >= asked || this.#round !== round;
      if (isNews || now < round.began + round.wait) throw new DiscoveryError(round.walk.report(feature));
      this.#round = this.#begin(round.stream, Math.min(LONGEST_WAIT, round.wait * 2));
    }
  }

  /** Somebody that was found does not do what it said: it is asked again by the next search. */
  forget(jid: BareJid): void {
    this.#round?.walk.forget(jid);
  }

  #current(): Round {
    const stream = this.#channel.jid;
    if (stream === undefined) throw new ConnectionError("not connected");
    if (this.#round?.stream !== stream) this.#round = this.#begin(stream, FIRST_WAIT);
    return this.#round;
  }

  #begin(stream: Jid, wait: number): Round {
    const walk = new ComponentWalk(this.#channel, parseJid(stream.domain).bare);
    return { walk, stream, began: this.#clock.monotonic(), wait };
  }
}
