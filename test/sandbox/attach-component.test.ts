import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { systemClock } from "../../src/core/clock.ts";
import { AuthenticationError, ConfigError, ConnectionError } from "../../src/core/errors.ts";
import type { Logger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { attachComponent, type Attachment } from "../../src/sandbox/attach-component.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";
import { startProsody, type Prosody } from "../support/prosody.ts";
import { PlainClient } from "./plain-client.ts";

const DOMAIN = "discovery.localhost";
const SECRET = "s3cret";
const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='42' from='${DOMAIN}'>`;
const HANDSHAKE = createHash("sha1").update(`42${SECRET}`).digest("hex");

/** Remembers what comes in and answers with what it is given. */
class EchoService implements StanzaService {
  readonly jid = DOMAIN;
  readonly name = "Echo";
  readonly received: XmlElement[] = [];
  answers: readonly XmlElement[] = [];
  stopped = false;
  /** How often it was told that a stream is up. */
  attached = 0;
  carry: (stanzas: readonly XmlElement[]) => void = () => undefined;

  receive(stanza: XmlElement): readonly XmlElement[] {
    this.received.push(stanza);
    if (stanza.getChild("fail")) throw new Error("a mistake");
    return this.answers;
  }
  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void {
    this.carry = carry;
  }
  onAttached(): void {
    this.attached++;
  }
  stop(): void {
    this.stopped = true;
  }
}

/** The server's end of the component port, played by the test. */
class FakeServer {
  readonly #server: Server;
  readonly sockets: Socket[] = [];
  /** What came on the newest connection. */
  text = "";
  /** What is written on connection, before anything is read. */
  greeting = HEADER;
  /** What is said before the stream ends. */
  farewell = "";
  /** What is answered to the handshake. */
  welcome = "<handshake/>";

  private constructor() {
    this.#server = createServer((socket) => {
      this.sockets.push(socket);
      socket.setNoDelay(true);
      this.text = "";
      let greeted = false;
      socket.on("error", () => undefined);
      socket.on("data", (data: Buffer) => {
        this.text += data.toString();
        if (!greeted) socket.write(this.greeting);
        greeted = true;
        if (data.includes("</handshake>")) socket.write(this.welcome);
        if (data.includes("</stream:stream>")) socket.end(`${this.farewell}</stream:stream>`);
      });
    });
  }

  static async start(): Promise<FakeServer> {
    const fake = new FakeServer();
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get service(): string {
    return `xmpp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get socket(): Socket {
    return this.sockets.at(-1)!;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const soon = { timeout: 2_000, interval: 2 };

const log: string[] = [];
const note = (message: string, fields?: object): void => void log.push(`${message} ${JSON.stringify(fields)}`);
const logger: Logger = { debug: note, info: note, warn: note, error: note };
const unheard: unknown[] = [];
const onUnheard = (error: unknown): void => void unheard.push(error);

beforeAll(() => void process.on("unhandledRejection", onUnheard).on("uncaughtException", onUnheard));
afterAll(() => void process.off("unhandledRejection", onUnheard).off("uncaughtException", onUnheard));

describe("attached to a server played by the test", () => {
  let fake: FakeServer;
  let service: EchoService;
  let clock: SimulatedClock;
  let attachment: Attachment | undefined;

  beforeEach(async () => {
    log.length = 0;
    fake = await FakeServer.start();
    service = new EchoService();
    clock = new SimulatedClock();
  });
  afterEach(async () => {
    await attachment?.close();
    attachment = undefined;
    await fake.stop();
    expect(unheard).toEqual([]);
    expect(clock.pending).toBe(0);
    expect(log.join("\n")).not.toContain(SECRET);
  });

  const options = () => ({ service: fake.service, secret: SECRET, logger, clock, random: new SeededRandom("link") });
  const attach = async (): Promise<void> => {
    attachment = await attachComponent(service, options());
  };
  const received = (count: number): Promise<void> =>
    vi.waitFor(() => expect(service.received).toHaveLength(count), soon);
  const heard = (text: string): Promise<void> => vi.waitFor(() => expect(fake.text).toContain(text), soon);
  const logged = (text: string): Promise<void> => vi.waitFor(() => expect(log.join("\n")).toContain(text), soon);

  it("proves that it knows the secret without saying it (XEP-0114)", async () => {
    await attach();
    expect(fake.text).toContain(`<handshake>${HANDSHAKE}</handshake>`);
    expect(fake.text).toContain(`to="${DOMAIN}"`);
    expect(fake.text).not.toContain(SECRET);
    expect(log).toEqual([`attached {"component":"${DOMAIN}"}`]);
  });

  it("gives the service what it understands: stanzas in jabber:client, elements of this library", async () => {
    await attach();
    fake.socket.write(
      `<iq type='error' id='1' from='a@b/c' to='${DOMAIN}'><error type='cancel'><x xmlns='urn:x'><y xmlns='jabber:component:accept'/></x></error></iq>`,
    );
    await received(1);
    const [iq] = service.received;
    expect(iq?.is("iq", "jabber:client")).toBe(true);
    expect(iq?.getChildElements()[0]?.is("error", "jabber:client")).toBe(true);
    expect(iq?.getChild("error")?.getChild("x", "urn:x")?.getChild("y")?.getNS()).toBe("jabber:client");
    expect(iq?.attrs).toMatchObject({ type: "error", id: "1", from: "a@b/c", to: DOMAIN });
  });

  it("sends answers in one write, in the namespace of the stream, and leaves the service's elements as they are", async () => {
    await attach();
    const iq = parseXml(
      "<iq xmlns='jabber:client' type='error' id='1' to='a@b/c'><error type='cancel'><x xmlns='urn:x'>1 &lt; 2</x></error></iq>",
    );
    const before = iq.toString();
    service.answers = [iq, el("message", { xmlns: "jabber:client", to: "a@b", from: DOMAIN })];
    let writes = 0;
    fake.socket.on("data", () => writes++);
    fake.socket.write(`<message from='a@b/c' to='${DOMAIN}'/>`);
    await heard("<message");
    expect(writes).toBe(1);
    const sent = fake.text.slice(fake.text.indexOf("</handshake>") + "</handshake>".length);
    expect(sent).not.toContain("jabber:client");
    const stream = parseXml(`<stream xmlns='jabber:component:accept'>${sent}</stream>`);
    expect(stream.getChildElements().map((stanza) => stanza.getNS())).toEqual(Array(2).fill("jabber:component:accept"));
    expect(stream.getChild("iq")?.getChild("error", "jabber:component:accept")?.getChild("x", "urn:x")?.text()).toBe(
      "1 < 2",
    );
    expect(stream.getChild("message")?.attrs).toMatchObject({ from: DOMAIN, to: "a@b" });
    expect(iq.toString()).toBe(before);
    expect(iq.getChildElements()[0]?.getNS()).toBe("jabber:client");
  });

  it("answers nothing in the service's place", async () => {
    await attach();
    fake.socket.write(`<iq type='get' id='1' from='a@b/c' to='${DOMAIN}'><x xmlns='urn:x'/></iq>`);
    fake.socket.write(`<iq type='get' id='2' from='@/c' to='${DOMAIN}'/>`);
    await received(2);
    service.carry([el("message", { xmlns: "jabber:client", to: "last@b", from: DOMAIN })]);
    await heard("last@b");
    expect(fake.text).not.toContain("<iq");
  });

  it("carries what the service sends by itself", async () => {
    await attach();
    service.carry([el("presence", { xmlns: "jabber:client", to: "a@b", from: DOMAIN })]);
    await heard(`<presence`);
  });

  it("keeps characters whole that come in two pieces", async () => {
    await attach();
    const bytes = new TextEncoder().encode(`<message from='a@b/c' to='${DOMAIN}'><body>21 °C €</body></message>`);
    const middle = bytes.indexOf(0xc2) + 1; // within the degree sign
    fake.socket.write(bytes.subarray(0, middle));
    await new Promise((resolve) => setTimeout(resolve, 20)); // two packets
    fake.socket.write(bytes.subarray(middle));
    await received(1);
    expect(service.received[0]?.getChild("body")?.text()).toBe("21 °C €");
  });

  it("does not let out characters that would end the stream", async () => {
    await attach();
    service.carry([
      el("message", { xmlns: "jabber:client", to: "a@b", from: DOMAIN, id: "\u0001" }),
      el("message", { xmlns: "jabber:client", to: "good@b", from: DOMAIN }),
    ]);
    await heard("good@b");
    expect(fake.text).not.toContain("\u0001");
    expect(log.join()).toContain("XML forbids");
    service.carry([el("message", { xmlns: "jabber:client", to: "\u0001" })]);
  });

  it("outlives a mistake of the service, and tells it", async () => {
    await attach();
    fake.socket.write(`<iq type='get' id='1' from='a@b/c' to='${DOMAIN}'><fail xmlns='urn:x'/></iq>`);
    service.answers = [el("message", { xmlns: "jabber:client", to: "alive@b", from: DOMAIN })];
    fake.socket.write(`<message from='a@b/c' to='${DOMAIN}'/>`);
    await heard("alive@b");
    expect(log).toContain(`the service failed {"component":"${DOMAIN}","why":"a mistake"}`);
  });

  it("serves a stanza that comes in one packet with the welcome", async () => {
    service.answers = [el("message", { xmlns: "jabber:client", to: "early@b", from: DOMAIN })];
    fake.welcome = `<handshake/><presence from='a@b/c' to='${DOMAIN}'/>`;
    await attach();
    await heard("early@b");
  });

  it("sends without Nagle's delay", async () => {
    const setNoDelay = vi.spyOn((await import("node:net")).Socket.prototype, "setNoDelay");
    await attach();
    expect(setNoDelay).toHaveBeenCalledWith(true);
    setNoDelay.mockRestore();
  });

  describe("when it is closed", () => {
    it("ends the stream, stops the service, and stays away", async () => {
      await attach();
      await attachment?.close();
      await attachment?.close();
      expect(fake.text).toContain("</stream:stream>");
      expect(service.stopped).toBe(true);
      await clock.advance(120_000);
      expect(fake.sockets).toHaveLength(1);
      service.carry([el("message", { xmlns: "jabber:client", to: "late@b" })]);
      expect(fake.text).not.toContain("late@b");
    });

    it("does not answer what comes while it closes", async () => {
      await attach();
      service.answers = [el("message", { xmlns: "jabber:client", to: "late@b", from: DOMAIN })];
      fake.farewell = `<message from='a@b/c' to='${DOMAIN}'/>`;
      await attachment?.close();
      expect(service.received).toHaveLength(1);
      expect(fake.text).not.toContain("late@b");
      await logged("not sent");
    });

    it("is closed by `await using` too", async () => {
      await attach();
      await attachment?.[Symbol.asyncDispose]();
      expect(service.stopped).toBe(true);
    });

    it("closes also while it is connecting again", async () => {
      await attach();
      fake.greeting = ""; // accepts, and says nothing
      fake.socket.destroy();
      await logged("detached");
      await clock.advance(1_000);
      await vi.waitFor(() => expect(fake.sockets).toHaveLength(2), soon);
      await attachment?.close();
      await clock.advance(120_000);
      expect(fake.sockets).toHaveLength(2);
      expect(log.join()).not.toContain("not attached");
    });

    it("closes also while it waits to connect again", async () => {
      await attach();
      fake.socket.destroy();
      await logged("detached");
      service.carry([el("message", { xmlns: "jabber:client", to: "lost@b" })]); // nowhere to go
      await attachment?.close();
      await clock.advance(120_000);
      expect(fake.sockets).toHaveLength(1);
    });
  });

  describe("when the connection is lost", () => {
    const back = async (): Promise<void> => {
      await logged("detached");
      await clock.advance(1_000); // the first window of the backoff
      await vi.waitFor(() => expect(log.filter((line) => line.startsWith("attached"))).toHaveLength(2), soon);
      expect(service.attached).toBe(2);
      service.carry([el("message", { xmlns: "jabber:client", to: "again@b", from: DOMAIN })]);
      await heard("again@b");
    };

    it.each<[string, (socket: Socket) => void]>([
      ["by the socket", (socket) => socket.destroy()],
      ["by a stream that ends and leaves the socket open", (socket) => socket.write("</stream:stream>")],
      ["by data behind the end", (socket) => socket.write("</stream:stream><message/>")],
      [
        "by a stream error",
        (socket) =>
          socket.write("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"),
      ],
      ["by an empty stream error", (socket) => socket.write("<stream:error/>")],
      ["by what is no XML", (socket) => socket.write("<a></b>")],
      ["by an entity that does not exist", (socket) => socket.write("<message><body>&bogus;</body></message>")],
    ])("comes back: %s", async (_how, end) => {
      await attach();
      end(fake.socket);
      await back();
    });

    it("comes back by its own clock only, not by the library's", async () => {
      await attach();
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      fake.socket.destroy();
      await logged("detached");
      vi.advanceTimersByTime(60_000);
      vi.useRealTimers();
      for (let i = 0; i < 100; i++) await clock.advance(0);
      expect(fake.sockets).toHaveLength(1);
    });

    it("waits no longer each time, once it was attached again", async () => {
      await attach();
      for (let times = 1; times < 10; times++) {
        log.length = 0;
        fake.socket.destroy();
        await logged("detached");
        await clock.advance(1_000);
        await vi.waitFor(() => expect(log.at(-1)).toMatch(/^attached/), soon);
      }
    });

    it("does not go where another host tells it to", async () => {
      await attach();
      const other = await FakeServer.start();
      const host = other.service.replace("xmpp://", "");
      fake.socket.write(
        `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${host}</see-other-host></stream:error>`,
      );
      await back();
      expect(other.sockets).toEqual([]);
      await other.stop();
    });

    it("goes on trying, less and less often, also past a server that does not answer or refuses", async () => {
      await attach();
      fake.greeting = "";
      fake.socket.destroy();
      await logged("detached");
      const until = (text: string): Promise<void> =>
        vi.waitFor(
          async () => {
            await clock.advance(100);
            expect(log.join("\n")).toContain(text);
          },
          { timeout: 5_000, interval: 5 },
        );
      await until("no answer within 10000 ms");
      fake.greeting = HEADER;
      fake.welcome = "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
      await until("refused the secret");
      log.length = 0;
      fake.welcome = "<handshake/>";
      await until("attached {");
    });
  });

  describe("when it cannot be attached", () => {
    const failure = (): Promise<unknown> => attachComponent(service, options()).catch((error: unknown) => error);

    it("is an authentication error if the secret is wrong", async () => {
      fake.welcome =
        "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>";
      const error = await failure();
      expect(error).toBeInstanceOf(AuthenticationError);
      expect((error as Error).message).toBe(`the server refused the secret of ${DOMAIN}`);
      expect(service.stopped).toBe(true);
    });

    it.each([
      [
        "does not know the component",
        `${HEADER}<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`,
      ],
      ["speaks no XML", "<html></body>"],
      ["ends the stream at once", `${HEADER}</stream:stream>`],
    ])("is a connection error if the server %s", async (_what, greeting) => {
      fake.greeting = greeting;
      const error = await failure();
      expect(error).toBeInstanceOf(ConnectionError);
      await clock.advance(120_000);
      expect(fake.sockets).toHaveLength(1);
    });

    it("is a connection error if nobody listens", async () => {
      const { service: nowhere } = fake;
      await fake.stop();
      const error = await attachComponent(service, { service: nowhere, secret: SECRET }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(ConnectionError);
      expect((error as Error).message).toContain("ECONNREFUSED");
      fake = await FakeServer.start();
    });

    it("is a connection error if the server does not open the stream within the library's two seconds", async () => {
      fake.greeting = "";
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      const attempt = failure();
      for (let i = 0; i < 100 && fake.sockets.length === 0; i++) await clock.advance(0);
      for (let i = 0; i < 100; i++) await clock.advance(0); // the stream header goes out
      vi.advanceTimersByTime(2_000);
      vi.useRealTimers();
      expect(await attempt).toMatchObject({ message: `${DOMAIN} could not be attached: no answer` });
    });

    it("is a connection error if the server says nothing for ten seconds", async () => {
      fake.greeting = "";
      const attempt = failure();
      await vi.waitFor(() => expect(fake.sockets).toHaveLength(1), soon);
      await clock.advance(10_000);
      expect(await attempt).toBeInstanceOf(ConnectionError);
    });

    it("is a configuration error if the package is not there", async () => {
      vi.doMock("@xmpp/component", () => {
        throw new Error("Cannot find package");
      });
      const error = await failure();
      vi.doUnmock("@xmpp/component");
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as Error).message).toContain("@xmpp/component");
      expect(fake.sockets).toEqual([]);
    });
  });
});

const prosody: Prosody | undefined = await startProsody();
afterAll(() => prosody?.stop());

describe.skipIf(prosody === undefined)("attached to Prosody", () => {
  const server = prosody!;
  const registry = new ReferenceRegistry({ jid: DOMAIN, random: systemRandom, clock: systemClock });
  const provisioning = new ReferenceProvisioningServer({
    jid: "provisioning.localhost",
    random: systemRandom,
    clock: systemClock,
    retry: 300,
    logger,
  });
  const at = (service: StanzaService) => ({
    ...server.component(service.jid),
    logger,
  });
  const attachments: Attachment[] = [];
  const clients: PlainClient[] = [];
  const online = async (user: string, resource: string): Promise<PlainClient> => {
    const client = await PlainClient.online(server, user, resource);
    clients.push(client);
    return client;
  };
  const child = (element: XmlElement): string => element.getChildElements().join("");
  const isClear = (element: XmlElement): boolean => element.getChild("clearCache") !== undefined;

  beforeAll(async () => {
    for (const service of [registry, provisioning]) attachments.push(await attachComponent(service, at(service)));
  });
  afterAll(async () => {
    for (const client of clients) client.cut();
    for (const attachment of attachments) await attachment.close();
    expect(unheard).toEqual([]);
  });

  it("is refused with a wrong secret, and unknown under another name", async () => {
    const wrong = attachComponent(new EchoService(), { ...at(registry), secret: "wrong" });
    await expect(wrong).rejects.toBeInstanceOf(AuthenticationError);
    const stranger = Object.assign(new EchoService(), { jid: "nobody.localhost" });
    await expect(attachComponent(stranger, at(registry))).rejects.toThrow(/host-unknown/);
    await expect(attachComponent(new EchoService(), at(registry))).rejects.toThrow(/conflict/);
  });

  it("is found, registered with and claimed at over the wire (D-3.6-1, D-3.9-12, D-3.9-21, D-3.9-26)", async () => {
    const [thing, owner] = [await online("thing", "r1"), await online("owner", "phone")];
    expect(
      child(await owner.ask("localhost", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "get")),
    ).toContain(DOMAIN);
    const info = await owner.ask(DOMAIN, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "get");
    expect(child(info)).toContain("urn:xmpp:iot:discovery");

    const tags = "<str name='SN' value='1'/><str name='NAME' value='Küche 21 °C'/><str name='KEY' value='k'/>";
    const registered = await thing.ask(DOMAIN, `<register xmlns='urn:xmpp:iot:discovery'>${tags}</register>`);
    expect([registered.attrs["type"], child(registered), registered.getNS()]).toEqual(["result", "", "jabber:client"]);
    expect(registry.things[0]?.tags[1]?.value).toBe("Küche 21 °C");

    const failed = await owner.ask(DOMAIN, "<mine xmlns='urn:xmpp:iot:discovery'><str name='SN' value='1'/></mine>");
    expect(failed.getChild("error", "jabber:client")?.getChild("item-not-found")).toBeDefined();
    const mine = await owner.ask(DOMAIN, `<mine xmlns='urn:xmpp:iot:discovery'>${tags}</mine>`);
    expect(mine.getChild("claimed", "urn:xmpp:iot:discovery")?.attrs).toMatchObject({
      jid: "thing@localhost",
      public: "true",
    });
    const notice = await thing.next((element) => element.getChild("claimed") !== undefined);
    expect(notice.attrs).toMatchObject({ type: "set", from: DOMAIN, to: thing.jid });
    expect(notice.getChild("claimed", "urn:xmpp:iot:discovery")?.attrs).toMatchObject({
      jid: "owner@localhost",
      public: "true",
    });
    thing.send(`<iq type='result' id='${notice.attrs["id"] ?? ""}' to='${DOMAIN}'/>`);
    await vi.waitFor(() => expect(registry.things[0]?.told).toBe(true), 2_000);
  });

  it("learns by directed presence that a Thing is gone and back, and tells it first to clear its cache (P-3.5.1-2, P-5.2-5, P-5.2-6)", async () => {
    const ask = "<isFriend xmlns='urn:xmpp:iot:provisioning' jid='friend@localhost'/>";
    const before = await online("device", "r1");
    before.send(`<presence/><presence to='${provisioning.jid}'/>`);
    expect(child(await before.ask(provisioning.jid, ask, "get"))).toContain('result="false"');
    before.cut();
    provisioning.allowFriend("device@localhost", "friend@localhost");
    expect(provisioning.unacknowledged).toEqual(["device@localhost"]);

    const after = await online("device", "r1");
    const order: string[] = [];
    after.send(`<presence/><presence to='${provisioning.jid}'/>`);
    after.send(`<iq type='get' id='barrier' to='${provisioning.jid}'><ping xmlns='urn:xmpp:ping'/></iq>`);
    const clear = await after.next((element) => {
      const isOurs = isClear(element) || element.attrs["id"] === "barrier";
      if (isOurs) order.push(isClear(element) ? "clearCache" : "barrier");
      return isOurs;
    });
    expect(order).toEqual(["clearCache"]);
    expect(clear.attrs).toMatchObject({ type: "set", from: provisioning.jid, to: after.jid });
    await after.next((element) => element.attrs["id"] === "barrier");
    const repeated = await after.next(isClear); // after 300 ms
    after.send(
      `<iq type='result' id='${repeated.attrs["id"] ?? ""}' to='${provisioning.jid}'><clearCacheResponse xmlns='urn:xmpp:iot:provisioning'/></iq>`,
    );
    await vi.waitFor(() => expect(provisioning.unacknowledged).toEqual([]), 2_000);
    expect(child(await after.ask(provisioning.jid, ask, "get"))).toContain('result="true"');
  });

  it("gets service-unavailable for a Thing that left without a word, and waits for it (P-E8)", async () => {
    const thing = await online("quiet", "r1"); // no presence: nobody is told when it goes
    await thing.ask(provisioning.jid, "<isFriend xmlns='urn:xmpp:iot:provisioning' jid='x@localhost'/>", "get");
    thing.cut();
    log.length = 0;
    provisioning.setRules([]);
    // At once, or at the first repetition if Prosody had not noticed yet.
    const notice = '{"thing":"quiet@localhost/r1","why":"service-unavailable"}';
    await vi.waitFor(() => expect(log.join("\n")).toContain(notice), soon);
    expect(provisioning.unacknowledged).toContain("quiet@localhost");
    const back = await online("quiet", "r1");
    back.send(`<presence to='${provisioning.jid}'/>`);
    const clear = await back.next(isClear);
    back.send(`<iq type='result' id='${clear.attrs["id"] ?? ""}' to='${provisioning.jid}'/>`);
    await vi.waitFor(() => expect(provisioning.unacknowledged).not.toContain("quiet@localhost"), 2_000);
  });

  it("comes back by itself after Prosody was killed", async () => {
    await server.kill();
    await server.restart();
    const client = await online("late", "r1");
    await vi.waitFor(
      async () => {
        const answer = await client.ask(DOMAIN, "<ping xmlns='urn:xmpp:ping'/>", "get");
        expect(answer.attrs["type"]).toBe("result");
      },
      { timeout: 10_000, interval: 200 },
    );
  });
});
