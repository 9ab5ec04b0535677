// The bytes of one client's connection: plain first, inside TLS later.
import { createHash, type X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import { TLSSocket, type SecureContext } from "node:tls";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Channel } from "./sasl.ts";

/** Who is told what happens on a connection. */
export interface LinkEvents {
  /** Bytes came. */
  data(bytes: Uint8Array): void;
  /** Nothing comes or goes any more. Told once. */
  closed(): void;
}

// What a client that does not read may have waiting for it, in bytes.
const MOST_WAITING = 8 * 1024 * 1024;
// How long a client may take to close its side, in milliseconds.
const CLOSE_GRACE = 5_000;

/** One client's connection, over any byte stream. */
export class ClientLink {
  readonly #raw: Duplex;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events: LinkEvents;
  #socket: Duplex;
  #corked = false;
  #state: "open" | "ending" | "closed" = "open";

  constructor(raw: Duplex, clock: Clock, logger: Logger, events: LinkEvents) {
    this.#raw = raw;
    this.#clock = clock;
    this.#logger = logger;
    this.#events = events;
    this.#socket = raw;
    this.#listen(raw);
  }

  /** Everything that is written in one turn goes out in one piece. */
  write(text: string): void {
    const socket = this.#socket;
    if (this.#state !== "open" || !socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => this.#uncork());
    }
    socket.write(text);
    if (socket.writableLength > MOST_WAITING) this.cut();
  }

  /** What the TLS channel can be bound by (RFC 5929, RFC 9266); nothing before there is one. */
  get channel(): Channel {
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket)) return new Map();
    const channel = new Map<string, Uint8Array>();
    if (socket.getProtocol() === "TLSv1.3") {
      const data = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
      channel.set("tls-exporter", new Uint8Array(data));
    }
    // Made by the sandbox itself, signed with SHA-256.
    const own = new Uint8Array((socket.getX509Certificate() as X509Certificate).raw);
    channel.set("tls-server-end-point", new Uint8Array(createHash("sha256").update(own).digest()));
    return channel;
  }

  /** Goes on inside TLS. */
  startTls(secureContext: SecureContext): void {
    this.#uncork();
    this.#raw.removeAllListeners("data");
    this.#raw.removeAllListeners("end");
    this.#socket = new TLSSocket(this.#raw, { isServer: true, secureContext });
    this.#listen(this.#socket);
  }

  /** Closes this side when all is written, and waits a while for the other. */
  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#socket.end();
    const grace = this.#clock.schedule(CLOSE_GRACE, () => this.cut());
    this.#raw.once("close", () => grace.cancel());
  }

  /** Cuts the connection at once. */
  cut(): void {
    this.#socket.destroy();
    this.#raw.destroy();
    this.#closed();
  }

  #listen(socket: Duplex): void {
    socket.on("data", (bytes: Uint8Array) => this.#events.data(bytes));
    // A side that closes without a word is a lost link; after the own end it is what was waited for.
    socket.on("end", () => {
      if (this.#state === "open") this.cut();
    });
    socket.on("error", (error: Error) => {
      this.#logger.debug("a client's connection failed", { why: error.message });
      this.cut();
    });
    socket.on("close", () => this.cut());
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }

  #closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#events.closed();
  }
}
