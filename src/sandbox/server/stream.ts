// RFC 6120 sections 4 to 7: one client's stream, from its header to the bound resource.
import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";
import type { Clock } from "../../core/clock.ts";
import { ProtocolError, StateError, messageOf } from "../../core/errors.ts";
import { tryParseJid } from "../../core/jid.ts";
import { silentLogger, type Logger } from "../../core/logger.ts";
import { randomToken, type RandomSource } from "../../core/random.ts";
import { ns } from "../../codec/namespaces.ts";
import { el, nonEmpty, optional, own, type XmlElement } from "../../codec/xml.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { ClientLink } from "./client-link.ts";
import type { XmppDomain } from "./domain.ts";
import { startSasl, type SaslExchange, type SaslStep } from "./sasl.ts";
import type { Session } from "./session.ts";
import { StanzaFault } from "./stanza-fault.ts";
import { errorOf, resultOf, stanzaKind } from "./stanzas.ts";
import { StreamFault, type StreamCondition } from "./stream-fault.ts";
import { StreamReader } from "./stream-reader.ts";
import { FOOTER, features, header, readSasl, saslData, saslFailure, streamError, streamNs } from "./stream-texts.ts";

/** What a {@link ClientStream} is made of. */
export interface ClientStreamOptions {
  /** The domain that the client reaches. */
  readonly domain: XmppDomain;
  /** Key and certificate for STARTTLS. */
  readonly secureContext: SecureContext;
  /** TLS begins with the first byte, without STARTTLS (XEP-0368). Default: no. */
  readonly directTls?: boolean | undefined;
  /** Time. */
  readonly clock: Clock;
  /** Randomness for stream ids and nonces. */
  readonly random: RandomSource;
  /** Where oddities are told. Silent by default. */
  readonly logger?: Logger | undefined;
  /** Told once, when nothing more will come and go. */
  readonly onClosed?: (() => void) | undefined;
}

// RFC 6120 section 6.4.5: a few tries, not endless ones.
const MOST_TRIES = 5;

/** One client's connection over any byte stream. STARTTLS is required; nothing else is offered before it. */
export class ClientStream {
  readonly #options: ClientStreamOptions;
  readonly #logger: Logger;
  readonly #link: ClientLink;
  #reader: StreamReader;
  #phase: "plain" | "secure" | "authenticated" | "bound" | "closing" | "closed" = "plain";
  #headerSent = false;
  #exchange: SaslExchange | undefined;
  #tries = 0;
  #username = "";
  #session: Session | undefined;
  readonly #acknowledgements = new Acknowledgements((text) => this.#link.write(text));

  constructor(raw: Duplex, options: ClientStreamOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#reader = this.#newReader();
    this.#link = new ClientLink(raw, options.clock, this.#logger, {
      data: (bytes) => this.#read(bytes),
      closed: () => this.#closed(),
    });
    if (options.directTls === true) this.#secure();
  }

  /** Ends the stream with an error (RFC 6120 section 4.9), or cuts the link without a word: `dropped`. */
  close(condition: StreamCondition | "dropped"): void {
    if (condition === "dropped") this.#link.cut();
    else this.#fail(new StreamFault(condition));
  }

  /** Ends the stream because the server ends: says so, and does not wait for the client. */
  shutDown(): void {
    this.close("system-shutdown");
    process.nextTick(() => this.#link.cut()); // after what was said went out, which is in a tick too
  }

  #newReader(): StreamReader {
    return new StreamReader({
      header: (root) => this.#onHeader(root),
      element: (element) => this.#onElement(element),
      footer: () => this.#finish(""),
    });
  }

  #read(bytes: Uint8Array): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    try {
      this.#reader.write(bytes);
    } catch (error) {
      if (error instanceof StreamFault) return this.#fail(error);
      this.#logger.error("a stream failed", { why: messageOf(error) });
      this.#fail(new StreamFault("internal-server-error"));
    }
  }

  #onHeader(root: XmlElement): void {
    const { domain } = this.#options;
    // RFC 6120 sections 4.8.1, 4.8.2, 4.9.3.10
    if (root.name !== "stream:stream" || root.getNS() !== streamNs.stream || root.attrs["xmlns"] !== ns.client) {
      throw new StreamFault("invalid-namespace");
    }
    const to = nonEmpty(root, "to");
    if (to === undefined) throw new StreamFault("improper-addressing", 'A stream header needs a "to".');
    if (tryParseJid(to)?.full !== domain.domain) throw new StreamFault("host-unknown"); // section 4.9.3.6
    this.#sendHeader(tryParseJid(optional(root, "from") ?? "")?.bare);
    // Section 4.7.5: without version 1.0 there are no features, so no TLS.
    if (!/^[1-9]\d*\.\d+$/.test(optional(root, "version") ?? "")) throw new StreamFault("unsupported-version");
    const phase = this.#phase;
    if (phase === "plain" || phase === "secure" || phase === "authenticated")
      this.#link.write(features(phase, this.#link.channel));
  }

  #sendHeader(to?: string): void {
    this.#headerSent = true;
    this.#link.write(header({ id: randomToken(this.#options.random), from: this.#options.domain.domain, to }));
  }

  #onElement(element: XmlElement): void {
    if (element.is("error", streamNs.stream)) return this.#finish("");
    if (element.is("features", streamNs.stream)) throw new StreamFault("bad-format");
    switch (this.#phase) {
      case "plain":
        return this.#beforeTls(element);
      case "secure":
        return this.#beforeAuthentication(element);
      case "authenticated":
        if (this.#acknowledgements.take(element, false)) return;
        return this.#beforeBinding(element);
      case "bound":
        if (this.#acknowledgements.take(element, true)) return;
        if (stanzaKind(element) !== undefined) this.#acknowledgements.received();
        return this.#session?.receive(element);
      case "closing":
      case "closed":
    }
  }

  #beforeTls(element: XmlElement): void {
    if (element.is("starttls", streamNs.tls)) return this.#startTls();
    // RFC 6120 section 6.5.4
    if (element.is("auth", streamNs.sasl)) return this.#link.write(saslFailure("encryption-required"));
    throw new StreamFault(stanzaKind(element) === undefined ? "unsupported-stanza-type" : "not-authorized");
  }

  /** RFC 6120 section 5.4.2.3. What came in clear behind the request is thrown away: anybody may have put it there. */
  #startTls(): void {
    this.#reader.stop();
    this.#link.write(el("proceed", { xmlns: streamNs.tls }).toString());
    this.#secure();
  }

  #secure(): void {
    this.#link.startTls(this.#options.secureContext);
    this.#restart("secure");
  }

  #restart(phase: "secure" | "authenticated"): void {
    this.#phase = phase;
    this.#headerSent = false;
    this.#reader = this.#newReader();
  }

  #beforeAuthentication(element: XmlElement): void {
    if (element.getNS() === streamNs.sasl) return this.#onSasl(element);
    const kind = stanzaKind(element);
    if (kind === undefined) throw new StreamFault("unsupported-stanza-type");
    const type = element.attrs["type"];
    const registering = element.getChild("query", ns.register) !== undefined && (type === "get" || type === "set");
    // RFC 6120 section 4.9.3.12
    if (kind !== "iq" || !registering) throw new StreamFault("not-authorized");
    const { domain } = this.#options;
    const answer = domain.answerUnauthenticated(element).toString();
    domain.whenKept(() => this.#link.write(answer));
  }

  #onSasl(element: XmlElement): void {
    if (element.is("abort")) return this.#onSaslStep({ kind: "failure", condition: "aborted" });
    const message = readSasl(element);
    if (element.is("auth")) {
      const { domain, random } = this.#options;
      this.#exchange = startSasl(optional(element, "mechanism") ?? "", domain, random, this.#link.channel);
      if (this.#exchange === undefined) return this.#onSaslStep({ kind: "failure", condition: "invalid-mechanism" });
      // RFC 6120 section 6.4.2: without an initial response the client is asked for it
      if (element.text() === "") return this.#link.write(saslData("challenge", ""));
    } else if (!element.is("response") || this.#exchange === undefined) {
      return this.#onSaslStep({ kind: "failure", condition: "malformed-request" });
    }
    if (message === undefined) return this.#onSaslStep({ kind: "failure", condition: "incorrect-encoding" });
    this.#onSaslStep(this.#exchange.respond(message));
  }

  #onSaslStep(step: SaslStep): void {
    if (step.kind === "challenge") return this.#link.write(saslData("challenge", step.data));
    this.#exchange = undefined;
    if (step.kind === "failure") {
      this.#link.write(saslFailure(step.condition));
      if (++this.#tries >= MOST_TRIES) throw new StreamFault("policy-violation", "Too many tries.");
      return;
    }
    this.#username = step.username;
    this.#link.write(saslData("success", step.data));
    const rest = this.#reader.stop();
    this.#restart("authenticated"); // RFC 6120 section 6.4.6
    if (rest.length > 0) this.#read(rest);
  }

  /** RFC 6120 section 7. */
  #beforeBinding(element: XmlElement): void {
    const request = element.getChild("bind", streamNs.bind);
    if (stanzaKind(element) === undefined) throw new StreamFault("unsupported-stanza-type");
    if (!element.is("iq") || element.attrs["type"] !== "set" || request === undefined) {
      throw new StreamFault("not-authorized"); // section 7.1
    }
    if (!this.#options.domain.hasAccount(this.#username)) throw new StreamFault("not-authorized");
    const resource = request.getChild("resource", streamNs.bind)?.text();
    try {
      this.#session = this.#options.domain.bind(
        this.#username,
        resource ? own(resource) : undefined,
        (stanzas) => this.#link.write(stanzas.join("") + this.#acknowledgements.sent(stanzas.length)),
        (condition) => this.close(condition),
      );
    } catch (error) {
      return this.#link.write(errorOf(element, bindFault(error)).toString());
    }
    this.#phase = "bound";
    const jid = el("jid", {}, this.#session.jid.full);
    this.#link.write(resultOf(element, el("bind", { xmlns: streamNs.bind }, jid)).toString());
  }

  #fail(fault: StreamFault): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    // RFC 6120 section 4.9.1.2: the error stands inside a stream
    if (!this.#headerSent) this.#sendHeader();
    this.#finish(streamError(fault));
  }

  /** RFC 6120 section 4.4: closes the stream, and the connection after it. */
  #finish(lastWords: string): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    this.#phase = "closing";
    this.#reader.stop();
    this.#link.write(this.#acknowledgements.answer() + lastWords + FOOTER);
    this.#link.end();
    this.#session?.end();
  }

  #closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#reader.stop();
    this.#session?.end();
    this.#options.onClosed?.();
  }
}

function bindFault(error: unknown): StanzaFault {
  if (error instanceof ProtocolError) return new StanzaFault("bad-request"); // RFC 6120 section 7.7.2.1
  if (error instanceof StateError) return new StanzaFault("resource-constraint"); // RFC 6120 section 7.6.2.1
  throw error;
}
