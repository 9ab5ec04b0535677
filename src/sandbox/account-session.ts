// RFC 6121 sections 2.2 and 4.2 for a service that is an account: roster, presence, then stanzas in and out.
import { ProtocolError, messageOf } from "../core/errors.ts";
import { tryParseJid, type Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { ns } from "../codec/namespaces.ts";
import { buildRoster, parseRoster } from "../codec/roster.ts";
import { iq, presence, stanzaErrorOf } from "../codec/stanza.ts";
import { isXmlText, optional, type XmlElement } from "../codec/xml.ts";
import { copyStanza } from "./server/stanzas.ts";
import type { StanzaService } from "./stanza-service.ts";

/** What an {@link AccountSession} is made of. */
export interface AccountSessionOptions {
  /** The service. */
  readonly service: StanzaService;
  /** The full JID that the server bound. */
  readonly jid: Jid;
  /** Randomness for the id of the request for the roster. */
  readonly random: RandomSource;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Sends stanzas over the stream, in one write. */
  readonly write: (stanzas: readonly XmlElement[]) => void;
  /** The service is there: its presence has been sent. */
  readonly onReady: () => void;
  /** The server gave no roster: there is no being friends on this stream. */
  readonly onFailed: (error: Error) => void;
}

/** A service on one stream of its account. Knows no socket. */
export class AccountSession {
  readonly #options: AccountSessionOptions;
  readonly #rosterId: string;
  #state: "roster" | "ready" | "ended" = "roster";
  // What came before the roster.
  readonly #early: XmlElement[] = [];

  constructor(options: AccountSessionOptions) {
    this.#options = options;
    this.#rosterId = randomToken(options.random);
  }

  /** Asks for the roster; the rest follows from its answer. */
  begin(): void {
    this.#options.write([iq({ type: "get", id: this.#rosterId }, buildRoster())]);
  }

  /** Takes a stanza from the stream. */
  receive(stanza: XmlElement): void {
    if (this.#state === "ended") return;
    if (this.#state === "ready") return this.#handle(stanza);
    const own = stanza.is("iq") && optional(stanza, "id") === this.#rosterId && this.#isOwn(stanza);
    if (own && ["result", "error"].includes(optional(stanza, "type") ?? "")) this.#takeRoster(stanza);
    else this.#early.push(stanza);
  }

  /** Sends what the service says by itself. Nobody hears it while there is no presence. */
  send(stanzas: readonly XmlElement[]): void {
    if (this.#state !== "ready") return;
    const { write, logger } = this.#options;
    const sent: XmlElement[] = [];
    for (const stanza of stanzas) {
      // The server says who it is (RFC 6120 section 8.1.2.1).
      if (isXmlText(stanza.toString())) sent.push(copyStanza(stanza, { from: undefined }));
      else logger.warn("a stanza held characters that XML forbids");
    }
    if (sent.length > 0) write(sent);
  }

  /** The stream has ended. */
  end(): void {
    const { service } = this.#options;
    const wasReady = this.#state === "ready";
    this.#state = "ended";
    if (wasReady) this.#guard(() => service.onAccount?.());
  }

  #takeRoster(stanza: XmlElement): void {
    const { service, jid, write, onReady, onFailed } = this.#options;
    try {
      const error = stanzaErrorOf(stanza, jid.bare);
      if (error !== undefined) throw error;
      const query = stanza.getChild("query", ns.roster);
      if (query === undefined) throw new ProtocolError("no roster in the answer", "iq");
      const roster = parseRoster(query);
      this.#state = "ready";
      this.#guard(() => service.onAccount?.({ jid: jid.full, roster }));
    } catch (error) {
      this.#state = "ended";
      return onFailed(error as Error);
    }
    write([presence()]);
    for (const early of this.#early.splice(0)) this.#handle(early);
    onReady();
  }

  #handle(stanza: XmlElement): void {
    this.#guard(() => {
      const push = stanza.is("iq") && optional(stanza, "type") === "set" && stanza.getChild("query", ns.roster);
      if (push && this.#isOwn(stanza)) {
        // RFC 6121 section 2.1.6. The service goes by the presence that came before it.
        return this.send([iq({ type: "result", id: optional(stanza, "id") ?? "", to: optional(stanza, "from") })]);
      }
      const { service, jid } = this.#options;
      const named = optional(stanza, "from") !== undefined;
      // RFC 6120 section 8.1.2.1: what bears no sender is of the own account.
      this.send(service.receive(named ? stanza : copyStanza(stanza, { from: jid.bare })));
    });
  }

  #isOwn(stanza: XmlElement): boolean {
    const { bare, full, domain } = this.#options.jid;
    const from = optional(stanza, "from");
    return from === undefined || [bare, full, domain].includes(tryParseJid(from)?.full ?? "");
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.logger.error("the service failed", { account: this.#options.jid.bare, why: messageOf(error) });
    }
  }
}
