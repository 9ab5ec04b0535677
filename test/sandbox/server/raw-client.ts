// A client of bytes: it writes XML as text and reads text. It shares nothing with the library but this folder.
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** RFC 5802 section 3, for the client. */
export function scramClient(
  hash: "sha1" | "sha256" | "sha512",
  given: { password: string; clientFirstBare: string; serverFirst: string; withoutProof: string },
): { proof: string; signature: string } {
  const field = (name: string): string => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(given.serverFirst)?.[1] ?? "";
  const mac = (key: Uint8Array, text: string): Uint8Array =>
    new Uint8Array(createHmac(hash, key).update(text).digest());
  const salt = new Uint8Array(Buffer.from(field("s"), "base64"));
  const { length } = createHash(hash).digest();
  const salted = new Uint8Array(pbkdf2Sync(given.password, salt, Number(field("i")), length, hash));
  const clientKey = mac(salted, "Client Key");
  const message = `${given.clientFirstBare},${given.serverFirst},${given.withoutProof}`;
  const stored = new Uint8Array(createHash(hash).update(clientKey).digest());
  const signature = mac(stored, message);
  return {
    proof: Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!)).toString("base64"),
    signature: Buffer.from(mac(mac(salted, "Server Key"), message)).toString("base64"),
  };
}

export const base64 = (text: string): string => Buffer.from(text).toString("base64");
export const plain = (user: string, password: string): string => base64(`\0${user}\0${password}`);
const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";

export class RawClient {
  /** What has come and was not yet looked at. */
  text = "";
  /** All that has come. */
  all = "";
  closed = false;
  #socket!: Duplex;
  readonly raw: Duplex;
  #wake: () => void = () => undefined;

  constructor(
    raw: Duplex,
    /** Whose server it is. */
    readonly domain = "localhost",
  ) {
    this.raw = raw;
    this.#use(raw);
    raw.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  static async connect(port: number, domain?: string): Promise<RawClient> {
    const socket: Socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new RawClient(socket, domain);
  }

  #use(socket: Duplex): void {
    this.#socket = socket;
    const decoder = new TextDecoder();
    socket.on("data", (bytes: Uint8Array) => {
      const text = decoder.decode(bytes, { stream: true });
      this.text += text;
      this.all += text;
      this.#wake();
    });
    socket.on("error", () => undefined);
  }

  send(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** Waits until what has come matches, and takes everything up to the end of the match. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text);
      if (match !== null) {
        this.text = this.text.slice(match.index + match[0].length);
        return match;
      }
      if (this.closed) throw new Error(`closed before ${String(pattern)}; got ${this.all.slice(-500)}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Waits until what has come matches, or the connection ends. Takes what came before the match, and the match too. */
  async upTo(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.text);
      if (match !== null) {
        const before = this.text.slice(0, match.index);
        this.text = this.text.slice(match.index + match[0].length);
        return before;
      }
      if (this.closed) return this.text.replace(/<stream:error>[^]*|<\/stream:stream>/, "");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async untilClosed(): Promise<string> {
    while (!this.closed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.text;
  }

  async open(to = this.domain): Promise<string> {
    this.send(
      `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${to}' version='1.0'>`,
    );
    const [features] = await this.until(/<stream:stream [^]*?<\/stream:features>/);
    return features;
  }

  async startTls(ca: string, servername = this.domain): Promise<TLSSocket> {
    await this.open();
    this.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await this.until(/<proceed [^>]*\/>/);
    return this.secure(ca, servername);
  }

  async secure(ca: string, servername = this.domain): Promise<TLSSocket> {
    this.raw.removeAllListeners("data");
    const secure = connectTls({ socket: this.raw, ca, servername });
    this.#use(secure);
    await new Promise((resolve, reject) => secure.once("secureConnect", resolve).once("error", reject));
    return secure;
  }

  async auth(mechanism: string, data: string): Promise<string> {
    this.send(`<auth xmlns='${SASL}' mechanism='${mechanism}'>${data}</auth>`);
    return this.saslAnswer();
  }

  async saslAnswer(): Promise<string> {
    const [answer] = await this.until(/<(success|failure|challenge)\b[^>]*(\/>|>[^]*?<\/\1>)/);
    return answer;
  }

  /** SCRAM with the check of the server's signature. Resolves to the last answer. */
  async scram(hash: "sha1" | "sha256", user: string, password: string): Promise<string> {
    const clientFirstBare = `n=${user},r=fyko+d2lbbFgONRv9qkxdawL`;
    const challenge = await this.auth(
      hash === "sha1" ? "SCRAM-SHA-1" : "SCRAM-SHA-256",
      base64(`n,,${clientFirstBare}`),
    );
    const serverFirst = Buffer.from(/>(.*)</.exec(challenge)![1]!, "base64").toString();
    const nonce = /r=([^,]*)/.exec(serverFirst)![1]!;
    const withoutProof = `c=biws,r=${nonce}`;
    const { proof, signature } = scramClient(hash, { password, clientFirstBare, serverFirst, withoutProof });
    this.send(`<response xmlns='${SASL}'>${base64(`${withoutProof},p=${proof}`)}</response>`);
    const answer = await this.saslAnswer();
    if (answer.startsWith("<success") && !answer.includes(`>${base64(`v=${signature}`)}<`)) {
      throw new Error("the server did not prove itself");
    }
    return answer;
  }

  /** The whole way to a bound resource. */
  async login(ca: string, user: string, password: string, resource: string): Promise<void> {
    await this.startTls(ca);
    await this.open();
    await this.bindAs(user, password, resource);
  }

  /** The way from TLS to a bound resource. */
  async bindAs(user: string, password: string, resource: string, hash: "sha1" | "sha256" = "sha256"): Promise<void> {
    const answer = await this.scram(hash, user, password);
    if (!answer.startsWith("<success")) throw new Error(answer);
    await this.open();
    this.send(
      `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    );
    await this.until(/<iq [^>]*type=["']result["'][^]*?<\/iq>/);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.raw.destroy();
  }
}
