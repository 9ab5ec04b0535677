// XEP-0198, the server's side, on plain bytes.
import { afterEach, beforeAll, expect, test } from "vitest";
import { makeCertificates, type Certificates } from "../../../src/sandbox/certificates.ts";
import { XmppListener } from "../../../src/sandbox/server/listener.ts";
import { RawClient } from "./raw-client.ts";
import { World } from "./world.ts";

const NS = "xmlns='urn:xmpp:sm:3'";
const ENABLED = /<enabled xmlns="urn:xmpp:sm:3"\/>/;
const ASK = /<r xmlns="urn:xmpp:sm:3"\/>/;
let certificates: Certificates;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  certificates = await makeCertificates("localhost", new World().clock);
});

afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function listening(): Promise<{ listener: XmppListener; connect: () => Promise<RawClient> }> {
  const world = new World();
  const listener = new XmppListener({ domain: world.domain, certificates, clock: world.clock });
  open.push(listener);
  const port = await listener.listen();
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(port);
    open.push({ close: () => client.destroy() });
    return client;
  };
  return { listener, connect };
}

async function online(): Promise<{ client: RawClient; listener: XmppListener }> {
  const { connect, listener } = await listening();
  const client = await connect();
  await client.login(certificates.ca, "alice", "alice's secret", "a");
  return { client, listener };
}

const count = async (client: RawClient): Promise<string | undefined> =>
  (await client.until(/<a xmlns="urn:xmpp:sm:3" h="(\d+)"\/>/))[1];

test("the server counts what comes after <enable/>, and nothing that is no stanza", async () => {
  const { client } = await online();
  client.send(`<presence/><enable ${NS} resume='true'/><r ${NS}/>`);
  await client.until(ENABLED); // without an id: there is no resumption
  expect(await count(client)).toBe("0");
  client.send(`<message to='bob@localhost'/><iq type='result' id='1'/><iq/><presence/><r ${NS}/><r ${NS}/>`);
  expect(await count(client)).toBe("4");
  expect(await count(client)).toBe("4");
});

test("the server asks how many have come, one question at a time", async () => {
  const { client } = await online();
  client.send(`<enable ${NS}/>`);
  await client.until(ENABLED);
  const ping = (id: number): void => client.send(`<iq type='get' id='p${id}'><ping xmlns='urn:xmpp:ping'/></iq>`);
  ping(1);
  await client.until(ASK);
  ping(2);
  await client.until(/id="p2"/);
  client.send(`<a ${NS} h='1'/>`);
  ping(3);
  await client.until(ASK);
  expect(client.all.match(/<r xmlns/g)).toHaveLength(2);
  client.send(`<a ${NS} h='3'/><r ${NS}/>`);
  expect(await count(client)).toBe("3");
});

test.each([
  [
    "more than was sent",
    "7",
    /<undefined-condition [^>]*\/><text [^]*<handled-count-too-high xmlns="urn:xmpp:sm:3" h="7" send-count="1"\/><\/stream:error>/,
  ],
  ["fewer than before", "0", /<undefined-condition /],
  ["no number", "many", /<bad-format /],
  ["nothing", "", /<bad-format /],
])("a client that acknowledges %s is thrown out", async (_what, h, error) => {
  const { client } = await online();
  client.send(`<enable ${NS}/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>`);
  await client.until(ASK);
  client.send(`<a ${NS} h='1'/><a ${NS} h='${h}'/>`);
  await client.until(error);
  await client.untilClosed();
});

test("before a resource is bound, twice, or without being asked for, it is refused", async () => {
  const { connect } = await listening();
  const client = await connect();
  await client.startTls(certificates.ca);
  await client.open();
  expect(await client.scram("sha1", "alice", "alice's secret")).toMatch(/^<success/);
  await client.open();
  const refused =
    /<failed xmlns="urn:xmpp:sm:3"><unexpected-request xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"\/><\/failed>/;
  client.send(`<enable ${NS}/>`);
  await client.until(refused);
  client.send(`<resume ${NS} previd='x' h='0'/>`);
  await client.until(/<failed xmlns="urn:xmpp:sm:3"><item-not-found /);
  client.send(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`);
  await client.until(/<\/bind><\/iq>/);
  for (const early of [`<r ${NS}/>`, `<a ${NS} h='0'/>`]) {
    client.send(early);
    await client.until(refused);
  }
  client.send(`<enable ${NS}/>`);
  await client.until(ENABLED);
  client.send(`<enable ${NS}/>`);
  await client.until(refused);
  client.send(`<x ${NS}/><r ${NS}/>`); // what is unknown is ignored
  expect(await count(client)).toBe("0");
});

test("the server says last how many have come", async () => {
  const { client, listener } = await online();
  client.send(`<enable ${NS}/><presence/><message to='bob@localhost'/>`);
  await client.until(ENABLED);
  client.send(`<r ${NS}/>`);
  await count(client);
  await listener.close();
  expect(await client.untilClosed()).toMatch(/<a xmlns="urn:xmpp:sm:3" h="2"\/><stream:error>/);
});
