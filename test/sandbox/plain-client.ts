// A client of a real server as plain as can be, for the tests of the component adapter: it writes what it is given and
// shows what comes.
import { connect, type TLSSocket } from "node:tls";
import { Parser, type Element } from "@xmpp/xml";
import type { Prosody } from "../support/prosody.ts";

/** A client with an account made for it, online. */
export class PlainClient {
  readonly jid: string;
  readonly #socket: TLSSocket;
  readonly #seen: Element[] = [];
  readonly #waiting = new Set<() => void>();
  #parser = new Parser();

  private constructor(socket: TLSSocket, jid: string) {
    this.#socket = socket;
    this.jid = jid;
    socket.setNoDelay(true);
    socket.setEncoding("utf8");
    socket.on("error", () => undefined);
    socket.on("data", (text: string) => this.#parser.write(text));
  }

  /** Connects by direct TLS, makes the account unless it exists, logs in and binds the resource. */
  static async online(server: Prosody, user: string, resource: string): Promise<PlainClient> {
    const socket = connect({ host: "127.0.0.1", port: server.tlsPort, servername: "localhost", ca: server.ca });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    const client = new PlainClient(socket, `${user}@localhost/${resource}`);
    await client.#open();
    client.send(
      `<iq type='set' id='make'><query xmlns='jabber:iq:register'><username>${user}</username><password>pw</password></query></iq>`,
    );
    await client.next((element) => element.attrs["id"] === "make"); // a conflict is as good
    const secret = Buffer.from(`\0${user}\0pw`).toString("base64");
    client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`);
    await client.next((element) => element.is("success"));
    await client.#open();
    client.send(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    );
    await client.next((element) => element.attrs["id"] === "bind");
    return client;
  }

  send(xml: string): void {
    this.#socket.write(xml);
  }

  /** The first element that fits, of those not yet taken. */
  async next(fits: (element: Element) => boolean): Promise<Element> {
    for (;;) {
      const index = this.#seen.findIndex(fits);
      const [found] = index < 0 ? [] : this.#seen.splice(index, 1);
      if (found) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Asks, and gives the answer. */
  async ask(to: string, payload: string, type = "set"): Promise<Element> {
    const id = `q${this.#seen.length}-${payload.length}`;
    this.send(`<iq type='${type}' id='${id}' to='${to}'>${payload}</iq>`);
    return this.next((element) => element.attrs["id"] === id);
  }

  /** Ends as a power cut does. */
  cut(): void {
    this.#socket.destroy();
  }

  async #open(): Promise<void> {
    this.#parser.removeAllListeners();
    this.#parser = new Parser();
    this.#parser.on("element", (element: Element) => {
      this.#seen.push(element);
      for (const resolve of this.#waiting) resolve();
      this.#waiting.clear();
    });
    this.send(
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>",
    );
    await this.next((element) => element.is("features"));
  }
}
