// XEP-0199 XMPP Ping 2.0, section 4.2: a link that died without a word is noticed.
import type { Clock, Timer } from "../core/clock.ts";
import { ConnectionError } from "../core/errors.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { ns } from "../codec/namespaces.ts";
import { iq } from "../codec/stanza.ts";
import { el } from "../codec/xml.ts";
import type { XmlStream } from "./xml-stream.ts";

/** When a silent link is asked whether it lives. */
export interface KeepaliveOptions {
  /** Silence after which the server is asked, in milliseconds. Default 60,000. */
  readonly idle?: number | undefined;
  /** How long any byte may take to come then, in milliseconds. Default 20,000. */
  readonly patience?: number | undefined;
}

/** Watches a stream until it ends. One timer, whatever the traffic. */
export function keepAlive(
  stream: XmlStream,
  domain: string,
  means: { readonly clock: Clock; readonly random: RandomSource },
  options: KeepaliveOptions = {},
): void {
  const { idle = 60_000, patience = 20_000 } = options;
  const { clock, random } = means;
  let timer: Timer;
  const watch = (): void => {
    const due = stream.lastHeard + idle - clock.monotonic();
    timer = clock.schedule(Math.max(0, due), due > 0 ? watch : ask);
  };
  const ask = (): void => {
    const asked = clock.monotonic();
    // Whatever comes back is an answer: a server that does not know pings says so.
    const ping = iq({ type: "get", id: randomToken(random), to: domain }, el("ping", { xmlns: ns.ping }));
    stream.write([ping]).catch(() => undefined); // the stream ends by itself then
    timer = clock.schedule(patience, () => {
      if (stream.lastHeard >= asked) watch();
      else stream.end(new ConnectionError(`no sign of life from the server within ${patience} ms`));
    });
  };
  watch();
  void stream.ended.then(() => timer.cancel());
}
