// A link between a client and a server that can freeze, as a radio link does, and be cut.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** Bytes in both directions, and what happens to them. */
export class FreezingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #frozen = false;
  /** Bytes that the client and the server have sent so far. */
  readonly bytes = { up: 0, down: 0 };

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const upstream = connect(port, "127.0.0.1");
      this.#join(client, upstream, "up");
      this.#join(upstream, client, "down");
    });
  }

  static async start(port: number): Promise<FreezingProxy> {
    const proxy = new FreezingProxy(port);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on nothing comes through, and nobody is told. What is sent meanwhile is gone. */
  freeze(): void {
    this.#frozen = true;
  }

  /** Cuts the links, for both sides to see. New ones work. */
  cut(): void {
    this.#frozen = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket, way: "up" | "down"): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => undefined);
    from.on("data", (data: Buffer) => {
      if (this.#frozen) return;
      this.bytes[way] += data.length;
      to.write(new Uint8Array(data));
    });
    from.on("close", () => {
      this.#sockets.delete(from);
      // A frozen link does not carry the end of a connection either.
      if (!this.#frozen) to.destroy();
    });
  }
}
