import { createServer } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { probe, type Probe } from "../../src/connection/probe.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { parseService } from "../../src/discovery/address.ts";
import { makeAuthority, makeCertificate } from "../support/certificates.ts";
import {
  HEADER,
  REGISTER,
  features,
  mechanisms,
  serverContext,
  type FakeConnection,
  type FakeServer,
} from "../support/fake-server.ts";
import { addressOf, afterwards, authority, certificate, context, eventually, rejection, serve } from "./harness.ts";

const SECRETS = /<auth|<response|password|type="set"/;

const tls = { ca: authority.cert };

async function look(server: Pick<FakeServer, "port">, more: Parameters<typeof addressOf>[1] = {}): Promise<Probe> {
  return probe(addressOf(server, more), { tls });
}

/** Up to the question what an account takes; answers it. */
async function answering(connection: FakeConnection, answer: (id: string) => string): Promise<void> {
  await connection.upToTls(context);
  connection.send(HEADER + features(mechanisms("SCRAM-SHA-256", "PLAIN"), REGISTER));
  const [, id = ""] = await connection.read(/<iq [^>]*id="([^"]*)"[^>]*><query xmlns="jabber:iq:register"\/><\/iq>/);
  connection.send(answer(id));
}

const form = (fields: string) => (id: string) =>
  `<iq type='result' id='${id}' from='localhost'><query xmlns='jabber:iq:register'>${fields}</query></iq>`;

describe("a look at a server", () => {
  it("D-3.4-2: tells that it proves its domain, how to log in, and that accounts can be made; nothing secret is sent", async () => {
    const server = await serve((connection) => answering(connection, form("<username/><password/>")));
    expect(await look(server)).toEqual({
      verdict: "proved",
      why: "",
      mechanisms: ["SCRAM-SHA-256", "PLAIN"],
      login: true,
      accounts: true,
      accountsWhy: "",
    });
    expect(server.everything).not.toMatch(SECRETS);
    await eventually(() => server.open === 0);
    expect(server.failures).toEqual([]);
  });

  it.each([
    [
      "asks for more",
      form("<username/><password/><email/>"),
      "the server asks a new account for username, password, email, and a device gives",
    ],
    [
      "asks for what is not understood",
      form("<x xmlns='jabber:x:data'/>"),
      "a form for a new account that cannot be read",
    ],
    [
      "makes none",
      (id: string) =>
        `<iq type='error' id='${id}'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
      "the server made no account: not-allowed",
    ],
    ["answers with nothing", (id: string) => `<iq type='result' id='${id}'/>`, "does not say what it wants to know"],
    ["ends the stream", () => "</stream:stream>", "the server closed the stream"],
  ])("tells of one that proves its domain, but %s", async (_what, answer, why) => {
    const server = await serve((connection) => answering(connection, answer));
    const { verdict, accounts, accountsWhy } = await look(server);
    expect([verdict, accounts]).toEqual(["proved", false]);
    expect(accountsWhy).toContain(why);
  });

  it("D-6.8-1: says of a certificate of another authority, or for another domain, that it proves nothing", async () => {
    const foreign = serverContext(makeCertificate(makeAuthority()));
    const other = await serve((connection) => connection.upToTls(foreign));
    expect(await look(other)).toMatchObject({
      verdict: "unproved",
      why: expect.stringMatching(/does not prove to be localhost.*`tls\.ca`/) as string,
      mechanisms: [],
      accounts: false,
    });
    const elsewhere = await serve((connection) => connection.upToTls(context));
    // Its certificate is good for localhost, which is also where it is: what counts is the domain.
    expect(await look(elsewhere, { domain: "example.org", host: "localhost" })).toMatchObject({ verdict: "unproved" });
    for (const server of [other, elsewhere]) expect(server.everything).not.toMatch(SECRETS);
  });

  it("tells of a clock that contradicts the certificate", async () => {
    const [from, until] = [new Date(Date.now() + 86_400_000), new Date(Date.now() + 172_800_000)];
    const late = serverContext(makeCertificate(authority, { from, until }));
    const server = await serve((connection) => connection.upToTls(late));
    expect(await look(server)).toMatchObject({
      verdict: "clock",
      why: expect.stringContaining("set the clock") as string,
    });
  });

  it("tells of one without TLS, and gives it nothing but the opening of the stream", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1"), REGISTER));
    });
    expect(await look(server)).toMatchObject({
      verdict: "unproved",
      why: expect.stringContaining("offers no TLS") as string,
    });
    expect(server.everything).toMatch(/^<\?xml version='1.0'\?><stream:stream [^>]*>/);
    expect(server.everything).not.toMatch(SECRETS);
  });

  it("tells of one that serves another domain", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      const error = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
      connection.send(`${HEADER}${error}</stream:stream>`);
    });
    expect(await look(server)).toMatchObject({
      verdict: "refused",
      why: expect.stringContaining("host-unknown") as string,
    });
  });

  it("tells of what speaks no XMPP", async () => {
    const server = await serve((connection) => connection.send("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await look(server)).toMatchObject({ verdict: "no-xmpp" });
  });

  it("tells that nobody listens, or answers in time", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    expect(await look({ port })).toMatchObject({
      verdict: "unreachable",
      why: expect.stringContaining("ECONNREFUSED") as string,
    });
    const silent = await serve(() => undefined);
    const clock = new SimulatedClock();
    const looking = probe(addressOf(silent), { tls, clock });
    await eventually(() => silent.connections.length === 1);
    await clock.advance(10_000);
    expect(await looking).toMatchObject({
      verdict: "unreachable",
      why: `127.0.0.1:${silent.port}: no answer within 10000 ms`,
    });
    await eventually(() => silent.open === 0);
  });

  it("tells what a server has proved that then falls silent", async () => {
    const silent = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
    });
    const clock = new SimulatedClock({ now: Date.now() });
    const looking = probe(addressOf(silent), { tls, clock });
    await eventually(() => silent.everything.includes("jabber:iq:register"));
    await clock.advance(10_000);
    expect(await looking).toMatchObject({
      verdict: "proved",
      mechanisms: ["SCRAM-SHA-1"],
      accounts: false,
      accountsWhy: expect.stringContaining("no answer within") as string,
    });
    await eventually(() => silent.open === 0);
  });

  it("ends with the signal, and leaves no socket", async () => {
    const silent = await serve(() => undefined);
    const controller = new AbortController();
    const looking = probe(addressOf(silent), { tls, signal: controller.signal });
    await eventually(() => silent.connections.length === 1);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await rejection(looking)).toBe(reason);
    await eventually(() => silent.open === 0);
  });

  it("is refused by a policy that cannot be used", async () => {
    const nothing = probe(addressOf({ port: 1 }), { tls: { ca: "none" } });
    await expect(nothing).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  it("takes not more mechanisms, and no longer names, than make sense", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `M${index}${"x".repeat(500)}`);
    const server = await serve(async (connection) => {
      await connection.upToTls(serverContext(certificate));
      connection.send(`${HEADER}${features(mechanisms(...names))}</stream:stream>`);
    });
    const seen = await look(server);
    expect(seen.verdict).toBe("proved");
    expect(seen.mechanisms).toEqual(names.slice(0, 32).map((name) => name.slice(0, 64)));
    const none = await serve(async (connection) => {
      await connection.upToTls(serverContext(certificate));
      connection.send(`${HEADER}${features()}</stream:stream>`);
    });
    expect(await look(none)).toMatchObject({ verdict: "proved", mechanisms: [], login: false });
  });

  it("sees the sandbox as a Thing does: proved, SCRAM, accounts", async () => {
    const sandbox = await startSandbox();
    afterwards(async () => sandbox[Symbol.asyncDispose]());
    const seen = await probe(parseService(sandbox.service, sandbox.domain), { tls: { ca: sandbox.ca } });
    expect(seen).toMatchObject({ verdict: "proved", accounts: true });
    expect(seen.mechanisms.some((name) => name.startsWith("SCRAM-SHA-"))).toBe(true);
  });
});
