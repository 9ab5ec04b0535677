// XEP-0114 Jabber Component Protocol 1.6: a service of the sandbox behind a real XMPP server. The only file that knows
// @xmpp/component; what it relies on inside the library is held by test/sandbox/attach-component.test.ts.
import { StringDecoder } from "node:string_decoder";
import type { Component } from "@xmpp/component";
import { withDeadline } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import { systemClock, type Clock, type Timer } from "../core/clock.ts";
import { AuthenticationError, ConfigError, ConnectionError, messageOf } from "../core/errors.ts";
import { configJid } from "../core/jid.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { systemRandom, type RandomSource } from "../core/random.ts";
import { ns } from "../codec/namespaces.ts";
import { el, isXmlText, type XmlElement } from "../codec/xml.ts";
import type { StanzaService } from "./stanza-service.ts";

/** Where a service is attached. */
export interface AttachOptions {
  /** The server's component port: `xmpp://127.0.0.1:5347`. XEP-0114 knows no TLS: keep it on loopback. */
  readonly service: string;
  /** The secret that the server's configuration gives the component. */
  readonly secret: string;
  /** Where it tells what happens to the connection. Silent by default. */
  readonly logger?: Logger | undefined;
  /** Time for connecting again. The machine's own by default. */
  readonly clock?: Clock | undefined;
  /** Randomness for connecting again. The system's own by default. */
  readonly random?: RandomSource | undefined;
}

/** A service that is attached to a server. */
export interface Attachment extends AsyncDisposable {
  /** Stops the service and ends the connection, for good. */
  close(): Promise<void>;
}

/**
 * Attaches a service to a real XMPP server, as the component of its address. Resolves once the server delivers to it;
 * a connection that is lost later is made again (first within 1,000 ms, at most 30,000 ms apart) until `close()`.
 *
 * Rejects with `ERR_AUTHENTICATION` if the secret is wrong, `ERR_CONNECTION` if the server cannot be reached or does
 * not know the component, `ERR_CONFIG` if the service is an account or the optional package `@xmpp/component` is not installed.
 */
export async function attachComponent(service: StanzaService, options: AttachOptions): Promise<Attachment> {
  const { local } = configJid(service.jid, "service.jid");
  if (local !== "") throw new ConfigError(`service.jid: "${service.jid}" is an account: use attachAccount`);
  const make = await loadLibrary();
  const link = new ComponentLink(service, options, make);
  try {
    await link.connect();
  } catch (error) {
    await link.close();
    throw error;
  }
  const close = (): Promise<void> => link.close();
  return { close, [Symbol.asyncDispose]: close };
}

type MakeComponent = (typeof import("@xmpp/component"))["default"]["component"];

async function loadLibrary(): Promise<MakeComponent> {
  try {
    return (await import("@xmpp/component")).default.component;
  } catch (cause) {
    throw new ConfigError('attachComponent needs the package "@xmpp/component" (0.13): install it', { cause });
  }
}

const COMPONENT_NS = "jabber:component:accept";
const CONNECT_TIMEOUT = 10_000;

/** A component of the library, and what ends its use. */
interface Stream {
  readonly component: Component;
  readonly ended: AbortController;
}

/** One stream after another, each with a component of its own: the library's do not survive every kind of failure. */
class ComponentLink {
  readonly #service: StanzaService;
  readonly #options: AttachOptions;
  readonly #make: MakeComponent;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #current: Stream | undefined;
  #retry: Timer | undefined;
  #closed: Promise<void> | undefined;

  constructor(service: StanzaService, options: AttachOptions, make: MakeComponent) {
    this.#service = service;
    this.#options = options;
    this.#make = make;
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(options.random ?? systemRandom, { first: 1_000, cap: 30_000 });
    service.onOutput((stanzas) => {
      if (this.#current?.component.status === "online") this.#send(this.#current.component, stanzas);
    });
  }

  async connect(): Promise<void> {
    const { service, secret: password } = this.#options;
    const domain = this.#service.jid;
    const stream = this.#prepare(this.#make({ service, domain, password }));
    const { component, ended } = stream;
    this.#current = stream;
    const online = new Promise<unknown>((resolve) => component.once("online", resolve));
    // Not `start()`: a server that speaks no XML makes it reject where nobody can catch it.
    const opened = component.connect(service).then(() => component.open({ domain }));
    opened.catch((error: unknown) => ended.abort(asError(error, domain)));
    try {
      const limits = { signal: ended.signal, timeout: CONNECT_TIMEOUT };
      await withDeadline(this.#clock, limits, `attaching ${domain}`, () => online);
      ended.signal.throwIfAborted();
    } catch (error) {
      drop(component);
      throw asError(error, domain);
    }
    ended.signal.addEventListener("abort", () => this.#lost(stream), { once: true });
    this.#backoff.reset();
    this.#logger.info("attached", { component: domain });
    this.#service.onAttached?.();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#retry?.cancel();
    this.#service.onOutput(() => undefined);
    this.#service.stop();
    if (this.#current === undefined) return;
    const { component, ended } = this.#current;
    this.#current = undefined;
    if (component.status === "online") await component.stop().catch(() => undefined);
    ended.abort(new ConnectionError("closed"));
    drop(component);
  }

  /** Takes out of the library's component what would answer, reconnect or crash by itself. */
  #prepare(component: Component): Stream {
    const ended = new AbortController();
    const end = (error: unknown): void => ended.abort(asError(error, this.#service.jid));
    component.reconnect.stop(); // `stop()` does not stop it, and it hangs on a server that does not answer
    component.removeAllListeners("element"); // its own answers to every IQ
    const decoder = new StringDecoder("utf8"); // it decodes chunk by chunk, and tears characters
    component._onData = (data) => {
      try {
        component.parser?.write(decoder.write(data));
      } catch (error) {
        end(error);
      }
    };
    component._onStreamError = (element) => {
      const condition = element.getChildElements()[0]?.name ?? "undefined-condition";
      end(streamError(condition, this.#service.jid)); // it would follow `see-other-host` anywhere
    };
    component.on("error", end);
    component.on("disconnect", () => end(new ConnectionError("the server closed the connection")));
    component.on("close", () => end(new ConnectionError("the server ended the stream")));
    component.on("connect", () => component.socket?.setNoDelay(true));
    component.on("stanza", (stanza: XmlElement) => this.#receive(component, stanza));
    return { component, ended };
  }

  #receive(component: Component, stanza: XmlElement): void {
    try {
      this.#send(component, this.#service.receive(inNamespace(stanza, COMPONENT_NS, ns.client)));
    } catch (error) {
      this.#logger.error("the service failed", { component: this.#service.jid, why: messageOf(error) });
    }
  }

  /** Everything in one write. What cannot go out is lost, as on any network. */
  #send(component: Component, stanzas: readonly XmlElement[]): void {
    const legal = stanzas.filter((stanza) => isXmlText(stanza.toString()));
    if (legal.length < stanzas.length) this.#logger.warn("a stanza held characters that XML forbids");
    if (legal.length === 0) return;
    component.sendMany(legal.map((stanza) => inNamespace(stanza, ns.client, COMPONENT_NS))).catch((error: unknown) => {
      this.#logger.debug("not sent", { component: this.#service.jid, why: messageOf(error) });
    });
  }

  #lost(stream: Stream): void {
    drop(stream.component);
    if (this.#closed !== undefined) return;
    this.#logger.warn("detached", { component: this.#service.jid, why: messageOf(stream.ended.signal.reason) });
    this.#again();
  }

  #again(): void {
    this.#retry = this.#clock.schedule(this.#backoff.next(), () => {
      this.connect().catch((error: unknown) => {
        if (this.#closed !== undefined) return;
        this.#logger.warn("not attached", { component: this.#service.jid, why: messageOf(error) });
        this.#again();
      });
    });
  }
}

/** Ends a component however it is. Whatever it still says is heard by nobody. */
function drop(component: Component): void {
  const { socket } = component;
  component.removeAllListeners();
  component.on("error", () => undefined);
  socket?.on("error", () => undefined);
  socket?.destroy();
}

function streamError(condition: string, domain: string): Error {
  if (condition === "not-authorized") return new AuthenticationError(`the server refused the secret of ${domain}`);
  return new ConnectionError(`the server ended the stream of ${domain}: ${condition}`);
}

function asError(cause: unknown, domain: string): Error {
  if (cause instanceof AuthenticationError || cause instanceof ConnectionError) return cause;
  // The library's own time-outs (2 s) have no message.
  return new ConnectionError(`${domain} could not be attached: ${messageOf(cause) || "no answer"}`, { cause });
}

/**
 * A copy of a stanza with one default namespace in the place of another (streams of components have their own). A
 * copy, because elements belong to whoever made them, and the library's parser makes them of another class.
 */
function inNamespace(element: XmlElement, from: string, to: string, inherited = from): XmlElement {
  const xmlns = element.attrs["xmlns"] ?? inherited;
  return el(
    element.name,
    { ...element.attrs, xmlns: xmlns === from ? to : element.attrs["xmlns"] },
    ...element.children.map((child) => (typeof child === "string" ? child : inNamespace(child, from, to, ""))),
  );
}
