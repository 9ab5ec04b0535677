import { describe, expect, it, vi } from "vitest";
import { Socket } from "node:net";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { checkTls, isUnverified, secureContext, tlsFailure } from "../../src/connection/tls-policy.ts";
import { makeAuthority, makeCertificate, type Certificate } from "../support/certificates.ts";
import {
  BIND,
  HEADER,
  PROCEED,
  STARTTLS,
  features,
  mechanisms,
  serverContext,
  type FakeServer,
} from "../support/fake-server.ts";
import { addressOf, authority, certificate, context, open, rejection, serve } from "./harness.ts";

// Somebody else's authority: made once, since it takes a tenth of a second.
const foreign = makeAuthority();

const SECRETS = /<auth|<response|<register|<iq|password|secret|user|dXNlc/;

/** A server that takes STARTTLS with the certificate given, and would log anybody in. */
function serverWith(shown: Certificate): Promise<FakeServer> {
  return serve(async (connection) => {
    await connection.logIn(serverContext(shown));
  });
}

async function refusal(server: FakeServer, options: Parameters<typeof open>[1] = {}): Promise<Error> {
  const error = await rejection(open(server, options));
  await Promise.all(server.connections.map(({ closed }) => closed));
  expect(server.everything).not.toMatch(SECRETS);
  return error;
}

describe("TLS before everything else", () => {
  it("gives a server without STARTTLS nothing but the opening of the stream", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(mechanisms("PLAIN", "SCRAM-SHA-1"), BIND));
    });
    const error = await refusal(server, {
      account: { username: "user", password: "secret", resource: "r", register: true },
    });
    expect(error).toMatchObject({ code: "ERR_TLS_POLICY" });
    expect(server.everything).toMatch(/^<\?xml version='1.0'\?><stream:stream [^>]*>$/);
  });

  it("ends when the server refuses STARTTLS that it has offered", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(STARTTLS, mechanisms("SCRAM-SHA-1")));
      await connection.read(/<starttls[^>]*>/);
      connection.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
    });
    expect(await refusal(server)).toMatchObject({ code: "ERR_TLS_POLICY", message: "the server refuses TLS" });
  });

  it.each([
    ["of another authority", () => makeCertificate(foreign), /prove to be localhost/],
    ["that is its own authority", () => makeAuthority("localhost"), /prove to be localhost/],
    ["for another name", () => makeCertificate(authority, { dns: ["example.org"] }), /prove to be localhost/],
    [
      "for the address that was connected to, but not for the domain",
      () => makeCertificate(authority, { dns: ["example.org"], ips: ["127.0.0.1"] }),
      /prove to be localhost/,
    ],
    [
      "that has expired",
      () => makeCertificate(authority, { from: new Date(Date.now() - 9e6), until: new Date(Date.now() - 5e6) }),
      /expired/,
    ],
  ])("gives a server with a certificate %s no credentials", async (_what, make, message) => {
    const server = await serverWith(make());
    const error = await refusal(server, {
      account: { username: "user", password: "secret", resource: "r", register: true },
    });
    expect(error).toMatchObject({ code: "ERR_TLS_POLICY", message: expect.stringMatching(message) as string });
  });

  it.each([
    ["alone", ""],
    ["with its authority", foreign.cert],
  ])(
    "says of a certificate of another authority, shown %s, who showed it, and which option is missing",
    async (_how, more) => {
      const { key, cert } = makeCertificate(foreign);
      const server = await serverWith({ key, cert: `${cert}\n${more}` });
      const { message } = await refusal(server);
      const { host, port } = addressOf(server);
      expect(message.split(/: (?:unable to|self-signed)[^;]*; /)).toEqual([
        `the server ${host}:${port} does not prove to be localhost`,
        "its authority is not known here: the option `tls.ca` must give its certificate (PEM)",
      ]);
    },
  );

  it.each([
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ])("names the option for %s only if it can mend that", (code) => {
    const address = { host: "192.0.2.1", port: 5222, domain: "example.org" };
    const { message } = tlsFailure(Object.assign(new Error("no"), { code }), address, Date.UTC(2026, 5, 1));
    const advice = "; its authority is not known here: the option `tls.ca` must give its certificate (PEM)";
    expect(message).toBe(
      `the server 192.0.2.1:5222 does not prove to be example.org: no${code.startsWith("ERR_TLS") ? "" : advice}`,
    );
  });

  it("does the same with direct TLS", async () => {
    const server = await serve(async (connection) => {
      await connection.startTls(serverContext(makeCertificate(foreign)));
    });
    expect(await refusal(server, { address: { directTls: true } })).toMatchObject({ code: "ERR_TLS_POLICY" });
  });

  it("is not talked out of it by the environment", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    try {
      const server = await serverWith(makeCertificate(foreign));
      expect(await refusal(server)).toMatchObject({ code: "ERR_TLS_POLICY" });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("says that the clock is behind when a certificate is not yet valid", async () => {
    const from = new Date(Math.floor(Date.now() / 1_000 + 3_600) * 1_000);
    const server = await serverWith(makeCertificate(authority, { from }));
    const clock = new SimulatedClock({ now: Date.UTC(2000, 0, 1) });
    const error = await refusal(server, { clock });
    expect(error).toMatchObject({ code: "ERR_TLS_POLICY", clockBehind: true });
    expect(error.message).toBe(
      `the device's clock says 2000-01-01T00:00:00.000Z, but the certificate for localhost begins ${from.toISOString()}: set the clock, or wait until the network does (NTP)`,
    );
  });

  it.each([
    [
      "the clock is behind for certain, when it is behind the library itself",
      Date.UTC(2021, 0, 1),
      true,
      /was made after 2026-01-01/,
    ],
    [
      "either may be wrong, when not",
      Date.UTC(2027, 0, 1),
      false,
      /has expired, .*; the device's clock says 2027-01-01/,
    ],
  ])("says of one that has expired that %s", async (_what, now, clockBehind, message) => {
    const until = new Date(Math.floor(Date.now() / 1_000 - 3_600) * 1_000);
    const server = await serverWith(makeCertificate(authority, { from: new Date(Date.now() - 9e6), until }));
    const error = await refusal(server, { clock: new SimulatedClock({ now }) });
    expect(error).toMatchObject({
      code: "ERR_TLS_POLICY",
      clockBehind,
      message: expect.stringMatching(message) as string,
    });
    if (!clockBehind) expect(error.message).toContain(`has expired, ${until.toISOString()}`);
  });

  it("trusts nobody but the authorities of the policy", async () => {
    const server = await serverWith(certificate);
    expect(await refusal(server, { tls: { ca: foreign.cert } })).toMatchObject({ code: "ERR_TLS_POLICY" });
    expect(await refusal(server, { tls: {} })).toMatchObject({ code: "ERR_TLS_POLICY" });
    const stream = await open(server, { tls: { ca: [foreign.cert, authority.cert] } });
    expect(stream.jid.full).toBe("user@localhost/r");
  });

  it("asks for the XMPP domain by name, whatever host it connects to", async () => {
    for (const directTls of [false, true]) {
      let asked: unknown;
      let protocol: unknown;
      const server = await serve(async (connection) => {
        if (directTls) {
          const socket = await connection.startTls(context, { alpn: ["xmpp-client"] });
          await connection.read(/<stream:stream[^>]*>/);
          connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
          await connection.bind(await connection.scram());
          protocol = socket.alpnProtocol;
        } else {
          await connection.logIn(context);
        }
        asked = (connection.socket as { servername?: unknown }).servername;
      });
      await open(server, { address: { directTls } });
      expect(asked).toBe("localhost");
      // XEP-0368 section 3
      expect(protocol).toBe(directTls ? "xmpp-client" : undefined);
    }
  });

  it.each([
    ["bücher.example", "xn--bcher-kva.example", { dns: ["xn--bcher-kva.example"] }],
    ["127.0.0.1", false, { dns: [], ips: ["127.0.0.1"] }],
  ])("has the domain %s proved as certificates have it", async (domain, name, names) => {
    const shown = serverContext(makeCertificate(authority, names));
    const server = await serve((connection) => connection.logIn(shown, { jid: `user@${domain}/r` }));
    await open(server, { address: { domain } });
    expect((server.connections[0]?.socket as { servername?: unknown }).servername).toBe(name);
    expect(await rejection(open(server, { address: { domain: "example.org" } }))).toMatchObject({
      code: "ERR_TLS_POLICY",
    });
  });

  it("insists on the TLS version of the policy", async () => {
    const { createSecureContext } = await import("node:tls");
    const old = createSecureContext({ ...certificate, maxVersion: "TLSv1.2" });
    const server = await serve(async (connection) => {
      await connection.logIn(old);
    });
    expect(await refusal(server, { tls: { ca: authority.cert, minVersion: "TLSv1.3" } })).toMatchObject({
      code: "ERR_TLS_POLICY",
    });
    await open(server);
  });

  it("takes nothing that was slipped in behind the go-ahead for TLS", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(STARTTLS));
      await connection.read(/<starttls[^>]*>/);
      connection.send(`${PROCEED}${features(mechanisms("SCRAM-SHA-1"))}`);
    });
    expect(await refusal(server)).toMatchObject({ code: "ERR_TLS_POLICY" });
  });

  it("forgets what was half said in the clear", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(STARTTLS));
      await connection.read(/<starttls[^>]*>/);
      connection.send(`${PROCEED}<message from='admin@localhost'><body>`);
      await connection.startTls(context);
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      await connection.bind(await connection.scram());
    });
    expect((await open(server)).jid.bare).toBe("user@localhost");
  });

  it("handles no stanza before TLS, nor before the login", async () => {
    const request = "<iq type='get' id='q' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
    const inTheClear = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + request + features(STARTTLS));
    });
    expect(await refusal(inTheClear)).toMatchObject({ code: "ERR_PROTOCOL" });
    const beforeLogin = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + request + features(mechanisms("SCRAM-SHA-1")));
    });
    expect(await refusal(beforeLogin)).toMatchObject({ code: "ERR_PROTOCOL" });
  });

  it("tells a handshake that the network broke from one that proved nothing", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(STARTTLS));
      await connection.read(/<starttls[^>]*>/);
      connection.send(PROCEED);
      await new Promise((resolve) => connection.socket.once("data", resolve));
      connection.socket.destroy();
    });
    expect(await refusal(server)).toMatchObject({ code: "ERR_CONNECTION" });
  });

  it("sets TCP_NODELAY on the socket", async () => {
    const set = vi.spyOn(Socket.prototype, "setNoDelay");
    try {
      const server = await serve(async (connection) => {
        await connection.read(/<stream/);
        connection.socket.destroy();
      });
      await rejection(open(server));
      // The fake server sets it once on its own side.
      expect(set.mock.calls).toEqual([[true], [true]]);
    } finally {
      set.mockRestore();
    }
  });
});

describe("a TLS policy", () => {
  it.each([
    ["empty", ""],
    ["no PEM", "certificate"],
    ["an empty list", []],
    ["damaged", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"],
  ])("whose CA is %s is a mistake in the configuration", async (_what, ca) => {
    expect(() => secureContext({ ca })).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
    const server = await serve(() => undefined);
    expect(await rejection(open(server, { tls: { ca } }))).toMatchObject({ code: "ERR_CONFIG" });
    expect(server.connections).toHaveLength(0);
  });

  it.each(["/etc/ssl/my-ca.pem", "ca.crt", "C:\\\\ca", "./ca"])(
    "whose CA is the path %s says how to read it",
    (path) => {
      const quoted = JSON.stringify(path);
      const message = `tls.ca: ${quoted} is the name of a file; give what is in it: readFileSync(${quoted}, "utf8")`;
      expect(() => checkTls({ ca: path })).toThrow(expect.objectContaining({ code: "ERR_CONFIG", message }));
      // Also behind one that is right: it would be passed over in silence.
      expect(() => checkTls({ ca: [authority.cert, path] })).toThrow(message);
    },
  );

  it("shows nothing of a text that is no path", () => {
    // In pieces: no repository is to hold what looks like a key.
    const key = ["BEGIN", "END"].map((word) => `-----${word} PRIVATE KEY-----`).join("\nMIIB/secret\n");
    expect(() => checkTls({ ca: key })).toThrow("tls.ca: no certificate in it (PEM is expected)");
  });

  it("refuses what no compiler would let pass", () => {
    expect(() => checkTls({ ca: Buffer.from(authority.cert) } as object)).toThrow('readFileSync(path, "utf8")');
    expect(() => checkTls({ minVersion: "TLSv1" } as object)).toThrow("tls.minVersion: must be TLSv1.2 or TLSv1.3");
    expect(() => checkTls({ rejectUnauthorized: false } as object)).toThrow('there is no option "rejectUnauthorized"');
    expect(checkTls({ ca: authority.cert, minVersion: "TLSv1.3" })).toMatchObject({ minVersion: "TLSv1.3" });
  });

  it("may hold several certificates in one text", () => {
    expect(() => secureContext({ ca: `comment\n${authority.cert}\n${certificate.cert}` })).not.toThrow();
  });
});

describe("a domain that is named as one whose certificate is not checked", () => {
  const registering = { username: "user", password: "secret", resource: "r", register: true };
  const foreignTo = (domain: string): Certificate => makeCertificate(foreign, { dns: [domain] });

  it.each([
    ["signed by nobody known", () => foreignTo("localhost")],
    ["for another name", () => makeCertificate(authority, { dns: ["example.org"] })],
    ["that has expired", () => makeCertificate(authority, { until: new Date(Date.now() - 5e6), from: new Date(0) })],
  ])(
    "is reached with a certificate %s, by TLS all the same, and that is said before anything secret",
    async (_, shown) => {
      let before = "";
      const told = vi.fn(() => (before = server.everything));
      const server = await serverWith(shown());
      await open(server, { tls: { ca: authority.cert, unverified: ["LOCALHOST"] }, onUnverified: told });
      expect(told).toHaveBeenCalledExactlyOnceWith(
        expect.stringContaining("the certificate for localhost was not checked"),
      );
      expect(before).not.toMatch(SECRETS);
      expect(server.connections[0]?.clear).not.toMatch(SECRETS);
    },
  );

  it("D-E25: makes an account there, and on no other unverified stream", async () => {
    const refusing = (): Promise<FakeServer> =>
      serve(async (connection) => {
        await connection.upToTls(serverContext(foreignTo("localhost")));
        connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
        await connection.read(/<auth /);
        connection.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
        const [, get] = await connection.read(/<iq [^>]*type="get" id="([^"]*)"/);
        connection.send(
          `<iq type='result' id='${get}'><query xmlns='jabber:iq:register'><username/><password/></query></iq>`,
        );
        const [, set] = await connection.read(/<iq [^>]*type="set" id="([^"]*)".*<password>secret<\/password>/);
        connection.send(
          `<iq type='error' id='${set}'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
        );
      });
    for (const unverified of [undefined, [], ["example.org", "localhost.example", "host.localhost"]]) {
      const error = await refusal(await refusing(), { account: registering, tls: { ca: authority.cert, unverified } });
      expect(error).toMatchObject({ code: "ERR_TLS_POLICY" });
    }
    const server = await refusing();
    const options = { account: registering, tls: { ca: authority.cert, unverified: ["localhost"] } };
    expect(await rejection(open(server, options))).toMatchObject({ code: "ERR_REGISTRATION" });
    expect(server.everything).toContain("<password>secret</password>");
  });

  it("needs TLS like any other", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
    });
    const error = await refusal(server, { tls: { unverified: ["localhost"] } });
    expect(error).toMatchObject({
      code: "ERR_TLS_POLICY",
      message: expect.stringContaining("offers no TLS") as string,
    });
  });

  it("says nothing where the certificate was checked", async () => {
    const told = vi.fn();
    await open(await serverWith(certificate), {
      tls: { ca: authority.cert, unverified: ["example.org"] },
      onUnverified: told,
    });
    expect(told).not.toHaveBeenCalled();
  });

  it("may be written as people write it", () => {
    const policy = checkTls({ unverified: ["München.example"] });
    expect(isUnverified(policy, "xn--mnchen-3ya.example")).toBe(true);
    expect(isUnverified(policy, "münchen.example")).toBe(true);
    expect(isUnverified(policy, "x.münchen.example")).toBe(false);
    expect(isUnverified({}, "localhost")).toBe(false);
  });

  it.each([
    ["192.168.1.20", "is an address"],
    ["2130706433", "is an address"],
    ["::1", "is an address"],
    ["[::1]", "is an address"],
    ["example.org:5222", "is an address"],
    ["*", "there are no wildcards"],
    ["*.example.org", "there are no wildcards"],
    ["", "is not the name of a domain"],
    ["exa mple.org", "is not the name of a domain"],
    ["example..org", "is not the name of a domain"],
    ["thing@example.org", "is not the name of a domain"],
  ])("is not %j", (name, why) => {
    const message = expect.stringMatching(
      new RegExp(`^tls\\.unverified\\[1\\]: ${JSON.stringify(name).replace(/[[\]*.]/g, "\\$&")}.*${why}`),
    );
    const refused = expect.objectContaining({ code: "ERR_CONFIG", message: message as string }) as Error;
    expect(() => checkTls({ unverified: ["example.org", name] })).toThrow(refused);
  });

  it("is not every domain at once", () => {
    const list = 'tls.unverified: must be a list of domains, ["example.org"]';
    for (const unverified of [true, "localhost", {}]) expect(() => checkTls({ unverified } as object)).toThrow(list);
    expect(() => checkTls({ unverified: [true] } as object)).toThrow("tls.unverified[0]: must be the name of a domain");
  });
});
