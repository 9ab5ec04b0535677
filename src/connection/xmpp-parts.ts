// The one file that knows the insides of the @xmpp packages (0.14.0). Taken from them: how a socket and a stream are
// opened (`Connection`), how TLS is put over a socket (`Socket` of @xmpp/tls), how elements are built from text
// (`Parser`). Replaced: how bytes become text, what is done with stream errors, how it ends, every timer. Each inside
// that is relied on has a contract test in test/connection/xmpp-parts.test.ts.
import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import XmppConnection from "@xmpp/tcp/lib/Connection.js";
import TlsSocket from "@xmpp/tls/lib/Socket.js";
import type { Element, Parser } from "@xmpp/xml";
import type { XmlElement } from "../codec/xml.ts";
import { bindingsOf, type ChannelBindings } from "./channel-binding.ts";
import { validityOf, type Validity } from "./tls-policy.ts";
import { XmlFramer, type XmlLimits } from "./xml-framer.ts";

/** What a {@link Link} tells. After `onClosed` or {@link Link.destroy} it tells nothing any more. */
export interface LinkListener {
  /** The peer opened its stream. */
  onOpen(header: XmlElement): void;
  /** A whole element of the stream's top level. */
  onElement(element: XmlElement): void;
  /** The peer closed its stream. */
  onEnd(): void;
  /** What came is no XML, or no stream. */
  onBroken(error: Error): void;
  /** The socket is gone. */
  onClosed(error: Error | undefined): void;
  /** Bytes came, whatever they are. */
  onBytes(): void;
  /** An element beyond the limits was passed over: why, and its name. */
  onOversize(why: string, name: string): void;
}

// What may wait for a peer that does not read, in bytes; a single write may be larger.
const MOST_WAITING = 1_048_576;

/** A socket and the XML stream on it: connect, open a stream, put TLS under it, open again. Decides nothing. */
export class Link {
  readonly #listener: LinkListener;
  readonly #connection: StreamConnection;
  #socket: Socket | undefined;
  #tls: TlsSocket | undefined;
  #validity: Validity | undefined;
  #destroyed = false;
  // Bytes that were written, and that the network has not taken.
  #waiting = 0;
  // What was written in this turn, and goes out at its end.
  #outbox: { text: string; readonly gone: Promise<void> } | undefined;

  constructor(address: { host: string; port: number; domain: string }, limits: XmlLimits, listener: LinkListener) {
    this.#listener = listener;
    this.#connection = new StreamConnection(address, limits, {
      onOpen: (header) => this.#tell(() => listener.onOpen(header)),
      onElement: (element) => this.#tell(() => listener.onElement(element)),
      onEnd: () => this.#tell(() => listener.onEnd()),
      onBroken: (error) => this.#tell(() => listener.onBroken(error)),
      onBytes: () => this.#tell(() => listener.onBytes()),
      onOversize: (why, name) => this.#tell(() => listener.onOversize(why, name)),
    });
    this.#connection.on("error", (error: Error) => this.#closed(error));
    this.#connection.on("disconnect", () => this.#closed(undefined));
  }

  /** Connects the socket. */
  async connect(): Promise<void> {
    const connected = this.#connection.connect("");
    const socket = this.#connection.socket as Socket;
    this.#socket = socket;
    // With Nagle's algorithm a round trip takes 44 ms in the place of 0.6.
    socket.setNoDelay(true);
    await connected;
  }

  /** Puts TLS under what follows. Resolves when the handshake has succeeded as the options demand. */
  secure(options: ConnectionOptions): Promise<void> {
    const socket = this.#socket as Socket;
    const tls = new TlsSocket();
    this.#tls = tls;
    this.#connection._detachParser();
    this.#connection._detachSocket();
    // From here on the TLS socket tells what goes wrong; the one below must not end the process.
    socket.on("error", () => undefined);
    tls.connect({ ...options, socket });
    // Before Node judges it: of one that is refused nothing can be asked any more.
    const shown = tls.socket as TLSSocket;
    shown.prependOnceListener("secure", () => (this.#validity = validityOf(shown.getPeerCertificate(true))));
    this.#connection._attachSocket(tls);
    return new Promise((resolve, reject) => {
      tls.once("connect", resolve);
      tls.once("error", reject);
    });
  }

  /** When the certificate that the server has shown is valid, whether it proves anything or not. */
  get validity(): Validity | undefined {
    return this.#validity;
  }

  /** What the TLS channel can be bound by; nothing before there is one. */
  get bindings(): ChannelBindings {
    const socket = this.#tls?.socket as TLSSocket | undefined;
    return socket === undefined ? new Map() : bindingsOf(socket);
  }

  /** Opens a stream, or opens it anew: what the old one left half read is forgotten. */
  open(domain: string): void {
    this.#connection._detachParser();
    this.#connection.open({ domain, lang: "en" }).catch((error: unknown) => this.#closed(error as Error));
  }

  /** The own address of the socket. */
  get localAddress(): string | undefined {
    return this.#socket?.localAddress;
  }

  /** How many bytes the network has not taken yet. */
  get backlog(): number {
    return this.#waiting;
  }

  /**
   * Writes text; resolves when it was handed to the network. All that is written in one turn goes out in one piece: an
   * answer with the count of stanzas before it, the answers to all that one packet has asked. The link ends when too much
   * waits for the network.
   */
  async write(text: string): Promise<void> {
    const bytes = Buffer.byteLength(text);
    if (this.#waiting > 0 && this.#waiting + bytes > MOST_WAITING) {
      const error = new Error(`more than ${MOST_WAITING} bytes wait for a server that does not read`);
      this.#closed(error);
      throw error;
    }
    this.#waiting += bytes;
    try {
      await this.#post(text);
    } finally {
      this.#waiting -= bytes;
    }
  }

  /** Writes the end of the own stream. */
  writeEnd(): Promise<void> {
    return this.#post(this.#connection.footer());
  }

  #post(text: string): Promise<void> {
    if (this.#outbox === undefined) {
      const outbox = { text, gone: endOfTurn().then(() => this.#flush()) };
      this.#outbox = outbox;
      return outbox.gone;
    }
    this.#outbox.text += text;
    return this.#outbox.gone;
  }

  #flush(): Promise<void> {
    const text = this.#outbox?.text ?? "";
    this.#outbox = undefined;
    return this.#connection.write(text);
  }

  /** Gives up the socket, now. */
  destroy(): void {
    this.#destroyed = true;
    this.#connection._detachParser();
    this.#tls?.socket?.destroy();
    this.#socket?.destroy();
  }

  #closed(error: Error | undefined): void {
    this.#tell(() => {
      this.destroy();
      this.#listener.onClosed(error);
    });
  }

  #tell(what: () => void): void {
    if (!this.#destroyed) what();
  }
}

/** Resolves when all promises are settled that wait for nothing else: no byte comes in between. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}

type StreamListener = Omit<LinkListener, "onClosed">;

class StreamConnection extends XmppConnection {
  readonly #address: { readonly host: string; readonly port: number };
  readonly #limits: XmlLimits;
  readonly #listener: StreamListener;
  #decoder = new StringDecoder("utf8");
  #framer: XmlFramer | undefined;

  constructor(address: { host: string; port: number; domain: string }, limits: XmlLimits, listener: StreamListener) {
    super({ domain: address.domain });
    this.timeout = 0; // time is watched from outside, on the injected clock
    this.#address = address;
    this.#limits = limits;
    this.#listener = listener;
  }

  override socketParameters(): { host: string; port: number } {
    return { host: this.#address.host, port: this.#address.port };
  }

  // The original decodes each chunk for itself, lets what the parser throws fall through, and reads on without a parser.
  override _onData(data: Buffer): void {
    this.#listener.onBytes();
    const parser = this.parser;
    if (parser === null || this.#framer === undefined) return;
    try {
      for (const frame of this.#framer.push(this.#decoder.write(data))) parser.write(frame);
    } catch (error) {
      this.#broken(error as Error);
    }
  }

  // The original acts on stream errors by itself: it follows see-other-host, and dies of an empty one.
  override _attachParser(parser: Parser): void {
    this.parser = parser;
    this.#decoder = new StringDecoder("utf8");
    this.#framer = new XmlFramer(this.#limits, (why, name) => this.#listener.onOversize(why, name));
    parser.on("start", (header: Element) => {
      this._status("open", header);
      this.#listener.onOpen(header);
    });
    parser.on("element", (element: Element) => this.#listener.onElement(element));
    parser.on("end", () => this.#listener.onEnd());
    parser.on("error", (error: Error) => this.#broken(error));
  }

  override _detachParser(): void {
    this.parser?.removeAllListeners();
    this.parser = null;
    this.#framer = undefined;
  }

  #broken(error: Error): void {
    this._detachParser();
    this.#listener.onBroken(error);
  }
}
