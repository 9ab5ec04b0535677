// A server that says whatever a test wants it to, on real sockets: for what no lawful server does.
import type { EventEmitter } from "node:events";
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { TLSSocket, createSecureContext, type SecureContext } from "node:tls";
import type { Certificate } from "./certificates.ts";

/** What opens a stream. */
export const HEADER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='x1' from='localhost' version='1.0'>";
export const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
export const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
export const BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
export const SM = "<sm xmlns='urn:xmpp:sm:3'/>";
export const REGISTER = "<register xmlns='http://jabber.org/features/iq-register'/>";
const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";

export function features(...offers: readonly string[]): string {
  return `<stream:features>${offers.join("")}</stream:features>`;
}

export function mechanisms(...names: readonly string[]): string {
  return `<mechanisms xmlns='${SASL}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join("")}</mechanisms>`;
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** How a fake server logs a client in. */
export interface LoginOptions {
  readonly mechanism?: `SCRAM-${"SHA-1" | "SHA-256" | "SHA-512"}${"" | "-PLUS"}`;
  /** What the client is to say of channel binding. Default `y`: it could, and is offered none. */
  readonly flag?: "y" | "n" | "p=tls-exporter" | "p=tls-server-end-point";
  readonly password?: string;
  readonly rounds?: number;
  /** The proof of the server in a challenge of its own, not with the success. */
  readonly proofFirst?: boolean;
  /** The full JID to bind. Default: the user at localhost, with the resource asked for. */
  readonly jid?: string;
  /** What else is offered with bind. */
  readonly offers?: readonly string[];
}

/** One connection to a fake server. */
export class FakeConnection {
  /** What came before TLS, and under it. */
  clear = "";
  secret = "";
  readonly closed: Promise<void>;
  #socket: Socket;
  #unread = "";
  #wake: () => void = () => undefined;
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    let closed: () => void = () => undefined;
    this.closed = new Promise((resolve) => (closed = resolve));
    socket.once("close", () => {
      this.#isClosed = true;
      closed();
      this.#wake();
    });
    this.#listen(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  send(data: string | Uint8Array): void {
    this.#socket.write(data);
  }

  /** Waits until what came and was not read yet matches, and reads it up to there. Rejects when the client is gone. */
  async read(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#unread);
      if (match !== null) {
        this.#unread = this.#unread.slice(match.index + match[0].length);
        return match;
      }
      if (this.#isClosed) throw new Error(`the client is gone; waited for ${pattern}, have: ${this.#unread}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The server's side of a handshake. */
  async startTls(context: SecureContext, options: { alpn?: string[] } = {}): Promise<TLSSocket> {
    const plain = this.#socket;
    plain.removeAllListeners("data");
    const socket = new TLSSocket(plain, {
      isServer: true,
      secureContext: context,
      ...(options.alpn && { ALPNProtocols: options.alpn }),
    });
    this.#socket = socket;
    this.#listen(socket);
    await new Promise<void>((resolve, reject) => {
      (socket as EventEmitter).once("secure", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed during the handshake")));
    });
    return socket;
  }

  /** Header, features, STARTTLS, header: up to where the login would be offered. */
  async upToTls(context: SecureContext): Promise<void> {
    await this.read(/<stream:stream[^>]*>/);
    this.send(HEADER + features(STARTTLS));
    await this.read(/<starttls[^>]*>/);
    this.send(PROCEED);
    await this.startTls(context);
    await this.read(/<stream:stream[^>]*>/);
  }

  /** All of it, up to the bound resource. Resolves to the user name. */
  async logIn(context: SecureContext, options: LoginOptions = {}): Promise<string> {
    const { mechanism = "SCRAM-SHA-1" } = options;
    await this.upToTls(context);
    this.send(HEADER + features(mechanisms(mechanism)));
    const username = await this.scram(options);
    await this.bind(username, options);
    return username;
  }

  /** The server's side of SCRAM; checks the client's proof. */
  async scram(options: LoginOptions = {}): Promise<string> {
    const { mechanism = "SCRAM-SHA-1", password = "secret", rounds = 4_096, proofFirst = false } = options;
    const { flag = "y" } = options;
    const hash = mechanism.replace(/^SCRAM-SHA-(\d+).*$/, "sha$1");
    const bytes = createHash(hash).digest().length;
    const channel = flag.startsWith("p=") ? this.#binding(flag.slice(2)) : "";
    const bound = Buffer.from(`${Buffer.from(`${flag},,`).toString("hex")}${channel}`, "hex").toString("base64");
    const hmac = (key: Uint8Array, text: string): Uint8Array =>
      new Uint8Array(createHmac(hash, key).update(text).digest());
    const auth = await this.read(/<auth [^>]*mechanism="([^"]*)"[^>]*>([^<]*)<\/auth>/);
    if (auth[1] !== mechanism) throw new Error(`the client chose ${auth[1]}`);
    const said = Buffer.from(auth[2] as string, "base64").toString();
    if (!said.startsWith(`${flag},,`)) throw new Error(`the client says of channel binding: ${said}`);
    const bare = said.slice(flag.length + 2);
    const [, username = "", clientNonce = ""] = /^n=(.*),r=(.*)$/.exec(bare) ?? [];
    const salt = new Uint8Array(randomBytes(16));
    const nonce = clientNonce + randomBytes(9).toString("hex");
    const first = `r=${nonce},s=${Buffer.from(salt).toString("base64")},i=${rounds}`;
    this.send(`<challenge xmlns='${SASL}'>${base64(first)}</challenge>`);
    const response = await this.read(/<response [^>]*>([^<]*)<\/response>/);
    const [, withoutProof = "", proof = ""] =
      /^(c=[^,]*,r=[^,]*),p=(.*)$/.exec(Buffer.from(response[1] as string, "base64").toString()) ?? [];
    const salted = new Uint8Array(pbkdf2Sync(password, salt, rounds, bytes, hash));
    const clientKey = hmac(salted, "Client Key");
    const message = `${bare},${first},${withoutProof}`;
    const signature = hmac(new Uint8Array(createHash(hash).update(clientKey).digest()), message);
    const expected = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)));
    if (withoutProof !== `c=${bound},r=${nonce}` || proof !== expected.toString("base64")) {
      this.send(`<failure xmlns='${SASL}'><not-authorized/></failure>`);
      throw new Error("the client does not know the password");
    }
    const verifier = base64(`v=${Buffer.from(hmac(hmac(salted, "Server Key"), message)).toString("base64")}`);
    if (proofFirst) {
      this.send(`<challenge xmlns='${SASL}'>${verifier}</challenge>`);
      await this.read(/<response [^>]*\/>/);
    }
    this.send(`<success xmlns='${SASL}'>${proofFirst ? "" : verifier}</success>`);
    return username;
  }

  /** From the login to the bound resource. */
  async bind(username: string, options: LoginOptions = {}): Promise<void> {
    await this.read(/<stream:stream[^>]*>/);
    this.send(HEADER + features(BIND, ...(options.offers ?? [])));
    const [, id = "", resource = ""] = await this.read(
      /<iq [^>]*id="([^"]*)"[^>]*><bind [^>]*><resource>([^<]*)<\/resource><\/bind><\/iq>/,
    );
    const jid = options.jid ?? `${username}@localhost/${resource}`;
    this.send(
      `<iq type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${jid}</jid></bind></iq>`,
    );
  }

  /** The data of a channel binding, in hexadecimal. */
  #binding(type: string): string {
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket)) throw new Error("nothing to bind to before TLS");
    if (type === "tls-exporter")
      return socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)).toString("hex");
    return createHash("sha256")
      .update(new Uint8Array(socket.getX509Certificate()?.raw ?? []))
      .digest("hex");
  }

  #listen(socket: Socket): void {
    socket.on("error", () => undefined);
    socket.on("data", (data: Buffer) => {
      const text = data.toString();
      if (socket instanceof TLSSocket) this.secret += text;
      else this.clear += text;
      this.#unread += text;
      this.#wake();
    });
  }
}

/** A fake server: each connection is given to the script. */
export class FakeServer implements AsyncDisposable {
  readonly connections: FakeConnection[] = [];
  /** What scripts failed with. */
  readonly failures: unknown[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(script: (connection: FakeConnection, index: number) => unknown) {
    this.#server = createServer((socket) => {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      const connection = new FakeConnection(socket);
      const index = this.connections.push(connection) - 1;
      void (async () => await script(connection, index))().catch((error: unknown) => this.failures.push(error));
    });
  }

  static async start(script: (connection: FakeConnection, index: number) => unknown, port = 0): Promise<FakeServer> {
    const server = new FakeServer(script);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", reject);
      server.#server.listen(port, "127.0.0.1", resolve);
    });
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections are open at this moment. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Everything that clients sent, in the clear and under TLS. */
  get everything(): string {
    return this.connections.map(({ clear, secret }) => clear + secret).join("\n");
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What a server needs to show a certificate. */
export function serverContext(certificate: Certificate): SecureContext {
  return createSecureContext(certificate);
}
