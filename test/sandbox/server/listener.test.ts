import { Socket, createServer, type AddressInfo } from "node:net";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { makeCertificates, type Certificates } from "../../../src/sandbox/certificates.ts";
import { XmppListener } from "../../../src/sandbox/server/listener.ts";
import { RawClient } from "./raw-client.ts";
import { World } from "./world.ts";

let certificates: Certificates;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  certificates = await makeCertificates("localhost", new World().clock);
});

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

async function listening(): Promise<{ world: World; listener: XmppListener; port: number }> {
  const world = new World();
  const listener = new XmppListener({ domain: world.domain, certificates, clock: world.clock });
  open.push(listener);
  return { world, listener, port: await listener.listen() };
}

async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  open.push({ close: () => client.destroy() });
  return client;
}

test("clients log in over TCP and talk to each other", async () => {
  const { port, listener } = await listening();
  const [alice, bob] = [await connect(port), await connect(port)];
  await alice.login(certificates.ca, "alice", "alice's secret", "a");
  await bob.login(certificates.ca, "bob", "bob's secret", "b");
  expect(listener.connections).toBe(2);
  alice.send("<message to='bob@localhost/b' id='1'><body>hello</body></message>");
  const [message] = await bob.until(/<message [^]*<\/message>/);
  expect(message).toContain(`from="alice@localhost/a"`);
  expect(message).toContain("<body>hello</body>");
  bob.destroy();
  alice.send("<iq type='get' id='2' to='bob@localhost/b'><ping xmlns='urn:xmpp:ping'/></iq>");
  await alice.until(/id="2"/);
});

test("a round trip takes no 40 ms: no side waits for the other's acknowledgement", async () => {
  const { port } = await listening();
  const alice = await connect(port);
  await alice.login(certificates.ca, "alice", "alice's secret", "a");
  const begin = performance.now();
  for (let count = 0; count < 20; count++) {
    alice.send(`<iq type='get' id='n${count}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await alice.until(new RegExp(`id="n${count}"`));
  }
  expect(performance.now() - begin).toBeLessThan(20 * 20);
});

test("every socket has TCP_NODELAY", async () => {
  const set = vi.spyOn(Socket.prototype, "setNoDelay");
  try {
    const { port } = await listening();
    for (const client of [await connect(port), await connect(port)]) await client.open();
    const accepted = set.mock.contexts.filter((socket) => (socket as Socket).localPort === port);
    expect(accepted).toHaveLength(2);
    expect(set.mock.calls.every(([enable]) => enable === true)).toBe(true);
  } finally {
    set.mockRestore();
  }
});

test("TLS proves the domain", async () => {
  const { port } = await listening();
  const client = await connect(port);
  const socket = await client.startTls(certificates.ca, "localhost");
  expect(socket.authorized).toBe(true);
  expect(["TLSv1.2", "TLSv1.3"]).toContain(socket.getProtocol());
  const wrong = await connect(port);
  await expect(wrong.startTls(certificates.ca, "example.org")).rejects.toThrow(/altnames|alternative names/i);
});

test("with direct TLS everything happens inside it (XEP-0368)", async () => {
  const world = new World();
  const listener = new XmppListener({ domain: world.domain, certificates, clock: world.clock, directTls: true });
  open.push(listener);
  const client = await connect(await listener.listen());
  await client.secure(certificates.ca);
  expect(await client.open()).toContain("<mechanism>SCRAM-SHA-256</mechanism>");
  expect(await client.scram("sha256", "alice", "alice's secret")).toMatch(/^<success/);
  const clear = await connect(listener.port);
  clear.send(
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>",
  );
  expect(await clear.untilClosed()).not.toContain("<");
});

test("at the end every client hears system-shutdown, and the port is free again", async () => {
  const { port, listener, world } = await listening();
  const [alice, stranger] = [await connect(port), await connect(port)];
  await alice.login(certificates.ca, "alice", "alice's secret", "a");
  await stranger.open();
  const bob = world.online("bob");
  alice.send("<presence to='bob@localhost/r'/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
  await alice.until(/id="p"[^>]*>/);
  await listener.close();
  await listener.close();
  for (const client of [alice, stranger]) {
    expect(await client.untilClosed()).toBe(
      `<stream:error><system-shutdown xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error></stream:stream>`,
    );
  }
  expect(listener.connections).toBe(0);
  expect(bob.took().at(-1)).toBe("presence unavailable alice@localhost/a");
  await expect(RawClient.connect(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const again = new XmppListener({ domain: world.domain, certificates, port, clock: world.clock });
  open.push(again);
  expect(await again.listen()).toBe(port);
  await connect(port).then((client) => client.open());
});

test("a port that is taken is an error that says so", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  open.push(taken);
  const { port } = taken.address() as AddressInfo;
  const listener = new XmppListener({ domain: new World().domain, certificates, port });
  await expect(listener.listen()).rejects.toMatchObject({
    code: "ERR_CONNECTION",
    message: `cannot listen on 127.0.0.1:${port}: another program listens there, a second sandbox perhaps: stop that one, or choose another port`,
  });
  await listener.close();
});

test("it is disposed of by `await using`, and may be closed before it was opened", async () => {
  const { listener, port } = await listening();
  await listener[Symbol.asyncDispose]();
  await expect(RawClient.connect(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await new XmppListener({ domain: new World().domain, certificates }).close();
});

test("a hundred clients at once", async () => {
  const { port, world, listener } = await listening();
  const clients = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const client = await connect(port);
      await client.login(certificates.ca, "alice", "alice's secret", `r${index}`);
      return client;
    }),
  );
  expect(listener.connections).toBe(100);
  world.online("bob").send(...clients.map((_, index) => `<message to='alice@localhost/r${index}' id='m'/>`));
  await Promise.all(clients.map((client) => client.until(/<message [^>]*id="m"/)));
});
