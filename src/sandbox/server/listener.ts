import { createServer, type Server } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { systemClock, type Clock } from "../../core/clock.ts";
import { ConnectionError } from "../../core/errors.ts";
import { silentLogger, type Logger } from "../../core/logger.ts";
import { systemRandom, type RandomSource } from "../../core/random.ts";
import type { Certificates } from "../certificates.ts";
import type { XmppDomain } from "./domain.ts";
import { ClientStream } from "./stream.ts";

/** What an {@link XmppListener} is made of. */
export interface XmppListenerOptions {
  /** The domain that clients reach through it. */
  readonly domain: XmppDomain;
  /** Key and certificate for STARTTLS. */
  readonly certificates: Pick<Certificates, "key" | "certificate">;
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** The port; 0 (the default) lets the system choose. */
  readonly port?: number | undefined;
  /** TLS begins with the first byte, without STARTTLS (XEP-0368). Default: no, STARTTLS is required. */
  readonly directTls?: boolean | undefined;
  /** Time. */
  readonly clock?: Clock | undefined;
  /** Randomness for stream ids and nonces. */
  readonly random?: RandomSource | undefined;
  /** Where oddities are told. Silent by default. */
  readonly logger?: Logger | undefined;
}

// More clients at once are refused.
const MOST_CONNECTIONS = 1_000;

/** Listens for clients on TCP. */
export class XmppListener implements AsyncDisposable {
  readonly #options: XmppListenerOptions;
  readonly #secureContext: SecureContext;
  readonly #streams = new Set<ClientStream>();
  #server: Server | undefined;

  constructor(options: XmppListenerOptions) {
    this.#options = options;
    const { key, certificate } = options.certificates;
    this.#secureContext = createSecureContext({ key, cert: certificate, minVersion: "TLSv1.2" });
  }

  /** The port it listens on; 0 while it does not. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#streams.size;
  }

  /** Begins to listen; resolves to the port. Rejects with `ERR_CONNECTION` if that cannot be had. */
  listen(): Promise<number> {
    const { domain, host = "127.0.0.1", port = 0, clock = systemClock, random = systemRandom, logger } = this.#options;
    const server = createServer((socket) => {
      socket.setNoDelay(true); // otherwise a second small write waits for the acknowledgement of the first, up to 40 ms
      const stream: ClientStream = new ClientStream(socket, {
        domain,
        secureContext: this.#secureContext,
        directTls: this.#options.directTls,
        clock,
        random,
        logger,
        onClosed: () => this.#streams.delete(stream),
      });
      this.#streams.add(stream);
    });
    server.maxConnections = MOST_CONNECTIONS;
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", (error) =>
        reject(new ConnectionError(`cannot listen on ${host}:${port}: ${whyNot(error)}`, { cause: error })),
      );
      server.listen(port, host, () => {
        server.removeAllListeners("error");
        server.on("error", (error) => (logger ?? silentLogger).error("the listener failed", { why: error.message }));
        resolve(this.port);
      });
    });
  }

  /** Stops listening and ends every connection (`system-shutdown`). Harmless when repeated. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const stream of [...this.#streams]) stream.shutDown();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Why a port cannot be had, and what to do. */
function whyNot(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") {
    return "another program listens there, a second sandbox perhaps: stop that one, or choose another port";
  }
  if (error.code === "EACCES") return "this user may not; ports from 1024 on need no rights";
  if (error.code === "EADDRNOTAVAIL") return "this machine does not have that address";
  return error.message;
}
