// A socket, and TLS over it, without a network: what comes is what the test feeds. Put under the real connection by
// taking the place of the two socket classes of @xmpp; everything above them is what runs on a device.
import { EventEmitter } from "node:events";
import XmppConnection from "@xmpp/tcp/lib/Connection.js";
import TlsSocket from "@xmpp/tls/lib/Socket.js";

export class MemorySocket extends EventEmitter {
  /** The one that was connected last. */
  static latest: MemorySocket | undefined;
  readonly secure = false;
  /** Everything that was written, before TLS and under it. */
  clear = "";
  secret = "";
  /** TLS over it, once there is one. */
  tls: MemoryTls | undefined;
  destroyed = false;

  connect(): void {
    MemorySocket.latest = this;
    queueMicrotask(() => this.emit("connect"));
  }

  setNoDelay(): this {
    return this;
  }

  write(text: string, written?: (error?: Error) => void): void {
    if (this.tls === undefined) this.clear += text;
    else this.secret += text;
    if (written) queueMicrotask(written);
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    queueMicrotask(() => (this.tls ?? this).emit("close"));
  }

  /** Bytes from the network. What a listener throws escapes, as from a real socket. */
  feed(bytes: Uint8Array | string): void {
    if (this.destroyed) return;
    try {
      (this.tls ?? this).emit("data", Buffer.from(bytes));
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

class MemoryTls extends EventEmitter {
  readonly #socket: MemorySocket;

  constructor(socket: MemorySocket) {
    super();
    this.#socket = socket;
    queueMicrotask(() => this.emit("secureConnect"));
  }

  getProtocol(): string {
    return "TLSv1.2";
  }

  /** Nothing to bind a login to. */
  getPeerX509Certificate(): undefined {
    return undefined;
  }

  write(text: string, written?: (error?: Error) => void): void {
    this.#socket.write(text, written);
  }

  end(): void {
    this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

interface Insides {
  Socket: unknown;
}

interface TlsInsides {
  connect: (this: TlsInsides, options: { socket: MemorySocket }) => void;
  _attachSocket(socket: unknown): void;
}

/** From now on connections are made in memory; returns how to undo it. */
export function withoutNetwork(): () => void {
  const plain = XmppConnection.prototype as unknown as Insides;
  const tls = TlsSocket.prototype as unknown as TlsInsides;
  const before = { Socket: plain.Socket, connect: tls.connect };
  plain.Socket = MemorySocket;
  tls.connect = function ({ socket }) {
    socket.tls = new MemoryTls(socket);
    this._attachSocket(socket.tls);
  };
  return () => {
    plain.Socket = before.Socket;
    tls.connect = before.connect;
  };
}
