// XEP-0199 XMPP Ping 2.0, section 4.1: the server asks whether the link lives.
import { Refusal } from "../core/refusal.ts";
import type { Channel } from "../channel/channel.ts";
import type { IqHandler } from "../channel/router.ts";
import { ns } from "../codec/namespaces.ts";

/**
 * Answers pings of the own server and account. To anybody else the answer is that of an unknown request: who is no
 * friend must not find out what is behind an address.
 */
export function answerPings(channel: Channel): void {
  const answer: IqHandler = ({ type, from }) => {
    const own = channel.jid;
    if (own === undefined || ![own.bare, own.full, own.domain].includes(from.full)) {
      throw new Refusal("service-unavailable");
    }
    if (type !== "get") throw new Refusal("bad-request");
    return {};
  };
  channel.router.onIq(ns.ping, "ping", answer, { urgent: true });
}
