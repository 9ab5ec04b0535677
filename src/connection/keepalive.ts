// A link that died without a word is noticed: XEP-0198 section 4 where the server counts stanzas, XEP-0199 XMPP Ping 2.0
// section 4.2 elsewhere.
import type { Clock, Timer } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { ns } from "../codec/namespaces.ts";
import { iq } from "../codec/stanza.ts";
import { el } from "../codec/xml.ts";
import { LinkLostError } from "./loss.ts";
import type { XmlStream } from "./xml-stream.ts";

/** When a silent link is asked whether it lives. */
export interface KeepaliveOptions {
  /** Silence after which the server is asked, in milliseconds. Default 60,000. */
  readonly idle?: number | undefined;
  /** How long the answer may take then, in milliseconds. Default 20,000. */
  readonly patience?: number | undefined;
}

const SHORTEST = 1_000;
const LONGEST = 86_400_000;

/** Checks options of a Thing's. Throws `ERR_CONFIG` naming the one that is wrong. */
export function checkKeepalive(options: KeepaliveOptions): KeepaliveOptions {
  checkKnown(options, ["idle", "patience"], "keepalive");
  for (const name of ["idle", "patience"] as const) {
    const ms = options[name];
    if (ms === undefined || (Number.isSafeInteger(ms) && ms >= SHORTEST && ms <= LONGEST)) continue;
    throw new ConfigError(`keepalive.${name}: must be a whole number of milliseconds from ${SHORTEST} to ${LONGEST}`);
  }
  return options;
}

// The server is asked for its count so long after the last stanza of a burst, and of one that does not end this often,
// in milliseconds.
const QUIET = 250;
const LONGEST_BURST = 5_000;
// How many times the patience a link gets on which other things come: it is slow, not dead.
const SLOW = 3;

interface Asked {
  readonly at: number;
  readonly forCount: boolean;
}

/** A stream that is watched. */
export interface Watched {
  /** Asks now whether the link lives: something has happened to the host. */
  check(): void;
}

/** Watches a stream until it ends. One timer, whatever the traffic. */
export function keepAlive(
  stream: XmlStream,
  domain: string,
  means: { readonly clock: Clock; readonly random: RandomSource },
  options: KeepaliveOptions = {},
): Watched {
  const { idle = 60_000, patience = 20_000 } = options;
  const { clock, random } = means;
  let timer: { readonly due: number; readonly handle: Timer } | undefined;
  // When the server was asked, and with what.
  let asked: Asked | undefined;
  // The first and the last stanza after which it was not asked yet.
  let burst: { readonly first: number; readonly last: number } | undefined;

  const due = (): number => {
    if (asked !== undefined) {
      if (!asked.forCount || stream.lastHeard < asked.at) return asked.at + patience;
      return Math.min(stream.lastHeard + patience, asked.at + SLOW * patience);
    }
    if (burst !== undefined) return Math.min(burst.last + QUIET, burst.first + LONGEST_BURST);
    return stream.lastHeard + idle;
  };
  const plan = (): void => {
    const at = due();
    // One that is due earlier looks again then.
    if (timer !== undefined && timer.due <= at) return;
    timer?.handle.cancel();
    timer = { due: at, handle: clock.schedule(Math.max(0, at - clock.monotonic()), look) };
  };
  const look = (): void => {
    timer = undefined;
    if (clock.monotonic() >= due()) {
      if (asked !== undefined && !hasAnswered(asked)) return stream.end(dead(asked));
      if (asked === undefined) ask();
      else asked = undefined;
    }
    plan();
  };
  // Without counting, whatever comes is an answer.
  const hasAnswered = ({ at, forCount }: Asked): boolean => !forCount && stream.lastHeard >= at;
  const dead = ({ at }: Asked): LinkLostError =>
    stream.lastHeard < at
      ? new LinkLostError(`no sign of life from the server within ${patience} ms`)
      : new LinkLostError(`the server has acknowledged nothing for ${Math.round(clock.monotonic() - at)} ms`);
  const ask = (): void => {
    asked = { at: clock.monotonic(), forCount: stream.isManaged };
    burst = undefined;
    if (stream.isManaged) return stream.askCount();
    // A server that does not know pings says so.
    const ping = iq({ type: "get", id: randomToken(random), to: domain }, el("ping", { xmlns: ns.ping }));
    stream.write([ping]).catch(() => undefined); // the stream ends by itself then
  };
  stream.watch({
    wrote: () => {
      const now = clock.monotonic();
      burst = { first: burst?.first ?? now, last: now };
      plan();
    },
    acknowledged: () => {
      asked = undefined;
      plan();
    },
  });
  plan();
  let over = false;
  void stream.ended.then(() => {
    over = true;
    timer?.handle.cancel();
  });
  return {
    check: () => {
      if (over || asked !== undefined) return;
      ask();
      plan();
    },
  };
}
