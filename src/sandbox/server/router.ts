// RFC 6120 section 10 and RFC 6121 section 8: where stanzas go, and what becomes of those that cannot.
import { ProtocolError, messageOf } from "../../core/errors.ts";
import { tryParseJid, type Jid } from "../../core/jid.ts";
import type { Logger } from "../../core/logger.ts";
import type { XmlElement } from "../../codec/xml.ts";
import { sessionOf, type Attachment, type Hub } from "./hub.ts";
import type { Messages } from "./messages.ts";
import type { Presences } from "./presences.ts";
import type { ServerIq } from "./server-iq.ts";
import type { BoundSession } from "./session.ts";
import { StanzaFault } from "./stanza-fault.ts";
import { OversizedStanza, addressOf, copyStanza, errorOf, mayBounce, resultOf, stanzaKind } from "./stanzas.ts";

/** Who takes what arrives at an address of the domain. */
export interface Receivers {
  /** Presence, also what clients send. */
  readonly presences: Presences;
  /** Messages to accounts. */
  readonly messages: Messages;
  /** IQ requests that the server answers. */
  readonly serverIq: ServerIq;
}

/** Brings every stanza to where it belongs. */
export class StanzaRouter {
  readonly #hub: Hub;
  readonly #receivers: Receivers;
  readonly #logger: Logger;

  constructor(hub: Hub, receivers: Receivers, logger: Logger) {
    this.#hub = hub;
    this.#receivers = receivers;
    this.#logger = logger;
  }

  /** A client sends a stanza. */
  fromClient(session: BoundSession, original: XmlElement): void {
    if (!session.alive) return;
    const kind = stanzaKind(original);
    // RFC 6120 section 4.9.3.24
    if (kind === undefined) return this.#hub.endStream(session, "unsupported-stanza-type");
    let stanza: XmlElement;
    try {
      // RFC 6120 section 8.1.2.1: whatever the client says, the server says who it is.
      stanza = copyStanza(original, { from: session.jid.full });
    } catch (error) {
      if (error instanceof OversizedStanza) return this.#hub.endStream(session, "policy-violation");
      throw error;
    }
    this.#hub.note("in", session.jid.full, stanza.attrs["to"] ?? "", stanza);
    const given = stanza.attrs["to"];
    const to = given === undefined ? undefined : tryParseJid(given);
    if (given !== undefined && to === undefined) {
      // Not under the malformed address, which many a client cannot read.
      const unaddressed = copyStanza(stanza, { to: this.#hub.jid.domain });
      return this.#orBounce(unaddressed, () => {
        throw new StanzaFault("jid-malformed");
      });
    }
    if (to !== undefined) stanza = copyStanza(stanza, { to: to.full });
    this.#orBounce(stanza, () => {
      if (kind === "presence") {
        this.#receivers.presences.outbound(session, stanza, to);
        if (session.presence !== undefined && session.priority >= 0) this.#receivers.messages.release(session);
      } else if (kind === "message") {
        // RFC 6120 section 10.3.1: without an address it is for the own account
        this.route(to === undefined ? copyStanza(stanza, { to: session.jid.bare }) : stanza);
      } else {
        this.#deliverIq(stanza, session.jid, to ?? session.account.jid); // section 10.3.3
      }
    });
  }

  /** A service sends stanzas. */
  fromService(attachment: Attachment, stanzas: readonly XmlElement[]): void {
    if (!attachment.attached) return;
    for (const original of stanzas) {
      const from = tryParseJid(original.attrs["from"] ?? "");
      const to = tryParseJid(original.attrs["to"] ?? "");
      // XEP-0114 section 3: it speaks for its own domain and for nobody else.
      if (from?.domain !== attachment.domain || to === undefined || stanzaKind(original) === undefined) {
        this.#logger.warn("a service sent what cannot be routed", {
          service: attachment.domain,
          stanza: original.name,
        });
        continue;
      }
      this.#hub.guard(`a stanza of ${attachment.domain}`, () => {
        const stanza = copyStanza(original, { from: from.full, to: to.full });
        this.#hub.note("in", from.full, to.full, stanza);
        this.route(stanza);
      });
    }
  }

  /** Another server sends a stanza. It has checked who the sender is: the sender is its own, as {@link route} saw to. */
  fromPeer(stanza: XmlElement): void {
    const copy = copyStanza(stanza);
    this.#hub.note("in", copy.attrs["from"] ?? "", copy.attrs["to"] ?? "", copy);
    this.route(copy);
  }

  /** Brings a stanza to where it belongs; what cannot be delivered goes back. */
  route(stanza: XmlElement): void {
    this.#orBounce(stanza, () => {
      const to = addressOf(stanza, "to");
      if (stanza.name === "iq") return this.#deliverIq(stanza, addressOf(stanza, "from"), to);
      if (to.domain !== this.#hub.jid.domain) return this.#elsewhere(stanza, to);
      if (stanza.name === "presence") {
        if (to.local !== "") this.#receivers.presences.inbound(stanza, addressOf(stanza, "from"), to);
      } else if (to.local !== "") {
        this.#receivers.messages.inbound(stanza, to);
      } else {
        throw new StanzaFault("service-unavailable"); // nobody reads the server's post
      }
    });
  }

  #deliverIq(stanza: XmlElement, from: Jid, to: Jid): void {
    const type = stanza.attrs["type"];
    const request = type === "get" || type === "set";
    // RFC 6120 section 8.2.3: an id, a known type, exactly one child in a request
    if (!request && type !== "result" && type !== "error") throw new StanzaFault("bad-request");
    const [payload, ...more] = stanza.getChildElements();
    if (request && (payload === undefined || more.length > 0 || !stanza.attrs["id"])) {
      throw new StanzaFault("bad-request");
    }
    if (to.domain !== this.#hub.jid.domain) return this.#elsewhere(stanza, to);
    const session = to.local === "" ? undefined : this.#hub.accounts.at(to)?.sessions.get(to.resource);
    if (session !== undefined) return this.#hub.hand(session, stanza); // RFC 6121 section 8.5.3.1
    if (!request || payload === undefined) return; // answers to nobody
    // RFC 6121 section 8.5.3.2.3: the resource is gone
    if (to.local !== "" && to.resource !== "") throw new StanzaFault("service-unavailable");
    const answer = this.#receivers.serverIq.answer(payload, type, from, to);
    this.#sendBack(from, resultOf(stanza, answer.payload));
    answer.afterwards?.();
  }

  #elsewhere(stanza: XmlElement, to: Jid): void {
    const attachment = this.#hub.serviceAt(to.domain);
    const peer = attachment === undefined ? this.#hub.peerAt(to.domain) : undefined;
    if (attachment === undefined && peer === undefined) throw new StanzaFault("remote-server-not-found"); // RFC 6120 10.4
    this.#hub.note("out", stanza.attrs["from"] ?? "", to.full, stanza);
    if (attachment !== undefined) this.#toService(attachment, stanza, to);
    else peer?.receive(stanza);
  }

  #toService(attachment: Attachment, stanza: XmlElement, to: Jid): void {
    let output: readonly XmlElement[];
    try {
      output = attachment.service.receive(stanza);
    } catch (error) {
      this.#logger.error(`the service ${to.domain} failed`, { why: messageOf(error) });
      throw new StanzaFault("internal-server-error");
    }
    if (output.length > 0) this.#hub.later(() => this.fromService(attachment, output));
  }

  #orBounce(stanza: XmlElement, action: () => void): void {
    try {
      action();
    } catch (error) {
      const fault = error instanceof ProtocolError ? new StanzaFault("bad-request", error.message) : error;
      if (!(fault instanceof StanzaFault)) throw error;
      if (mayBounce(stanza)) this.#sendBack(addressOf(stanza, "from"), errorOf(stanza, fault));
    }
  }

  /** An answer goes to the client that asked, even if it bears no `from`. */
  #sendBack(to: Jid, stanza: XmlElement): void {
    const session = sessionOf(this.#hub, to);
    if (session !== undefined) this.#hub.hand(session, stanza);
    else if (stanza.attrs["from"] !== undefined) this.route(stanza);
  }
}
