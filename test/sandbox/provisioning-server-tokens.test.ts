// XEP-0324 3.1.3.1: how a token is got, as the reference Provisioning Server has it.
import { beforeEach, describe, expect, it } from "vitest";
import { parseXml } from "../../src/codec/xml.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { canonical } from "../support/canonical.ts";
import { EC_CERTIFICATE, makeKeyHolder, makeUselessCertificate } from "./key-holder.ts";
import { SERVER, THING, TokenSite, refusal } from "./token-site.ts";

const device = makeKeyHolder();
const other = makeKeyHolder({ name: "other" });
const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const MINUTE = 60_000;
let site: TokenSite;

beforeEach(() => {
  site = new TokenSite();
});

const posed = (from = THING, holder = device): { seqnr: string; response: string } => {
  const challenge = site.getToken(holder.base64, from)?.getChild("getTokenChallenge");
  return { seqnr: challenge?.attrs["seqnr"] ?? "", response: holder.open(challenge?.text() ?? "") };
};
const text = (sent: ReturnType<TokenSite["getToken"]>): string | undefined =>
  sent?.getChild("error")?.getChild("text")?.text();

describe("getToken", () => {
  it("P-3.1.3-2, P-3.1.3-10, P-3.1.3-11, P-3.1.3-12, P-3.1.3-13, P-3.1.3-26: challenge, answer, token (Listing 4)", () => {
    const challenge = site.getToken(device.base64);
    const encrypted = challenge?.getChild("getTokenChallenge")?.text() ?? "";
    expect(canonical(challenge!)).toEqual(
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='result' from='${SERVER}' to='${THING}' id='1'>
          <getTokenChallenge xmlns='urn:xmpp:iot:provisioning' seqnr='1'>${encrypted}</getTokenChallenge></iq>`),
      ),
    );
    expect(encrypted).toMatch(/^[A-Za-z0-9+/]+=*$/);
    const answer = site.respond("1", device.open(encrypted));
    const token = answer?.getChild("getTokenResponse")?.attrs["token"] ?? "";
    expect(canonical(answer!)).toEqual(
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='result' from='${SERVER}' to='${THING}' id='1'>
          <getTokenResponse xmlns='urn:xmpp:iot:provisioning' token='${token}'/></iq>`),
      ),
    );
    expect(site.server.identities).toMatchObject([
      { fingerprint: device.fingerprint, hasToken: true, withdrawn: false },
    ]);
  });

  it("P-3.1.3-11: a challenge is 32 random bytes, never the same twice", () => {
    const challenges = Array.from({ length: 16 }, () => posed().response);
    expect(new Set(challenges).size).toBe(16);
    for (const challenge of challenges) expect(Buffer.from(challenge, "base64")).toHaveLength(32);
  });

  it("P-3.1.3-4, P-E12: a challenge is padded by OAEP with SHA-1, by option by PKCS #1 v1.5", () => {
    const encrypted = site.getToken(device.base64)?.getChild("getTokenChallenge")?.text() ?? "";
    expect(() => device.open(encrypted, "oaep")).not.toThrow();
    expect(() => device.open(encrypted, "pkcs1")).toThrow();
    site = new TokenSite({ padding: "pkcs1" });
    const old = site.getToken(device.base64)?.getChild("getTokenChallenge")?.text() ?? "";
    expect(() => device.open(old, "oaep")).toThrow();
    expect(site.tokenFor(device, THING, "pkcs1")).toMatch(/^\S+$/);
  });

  it("P-3.1.3-14: a token has no white space, and cannot be guessed from another", () => {
    const tokens = [device, other, makeKeyHolder()].map((holder) => site.tokenFor(holder));
    expect(new Set(tokens).size).toBe(3);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/); // 24 random bytes
  });

  it("P-3.1.3-9: the token is the certificate's, whatever JID its holder happens to use", () => {
    expect(site.tokenFor(device, "renamed@example.net/x")).toBe(site.tokenFor(device));
  });

  it("takes a certificate with white space in it, and of a larger key", () => {
    const wrapped = device.base64.replace(/.{64}/g, "$&\n  ");
    expect(site.getToken(`\n  ${wrapped}\n`)?.attrs["type"]).toBe("result");
    expect(site.tokenFor(makeKeyHolder({ bits: 2_048 }))).toMatch(/^\S+$/);
  });
});

describe("what is no answer to a challenge", () => {
  it("P-3.1.3-15: a wrong answer is a bad-request of type modify, in a stanza of type error (Listing 5, P-E2)", () => {
    const { seqnr } = posed();
    const answer = site.respond(seqnr, "AAECAw==");
    expect(refusal(answer)).toBe("error modify bad-request");
    expect(answer?.getChildElements()).toHaveLength(1);
    const second = posed();
    const bytes = Buffer.from(second.response, "base64");
    bytes[31] = (bytes[31] ?? 0) ^ 1;
    expect(refusal(site.respond(second.seqnr, bytes.toString("base64")))).toBe("error modify bad-request");
  });

  it("P-3.1.3-16: an unknown number is item-not-found of type cancel, in a stanza of type error (Listing 6, P-E2)", () => {
    const { response } = posed();
    expect(refusal(site.respond("77", response))).toBe("error cancel item-not-found");
  });

  it("P-E29: a number is good once, whatever the answer was", () => {
    const first = posed();
    expect(site.respond(first.seqnr, first.response)?.attrs["type"]).toBe("result");
    expect(refusal(site.respond(first.seqnr, first.response))).toBe("error cancel item-not-found");
    const second = posed();
    site.respond(second.seqnr, "AAECAw==");
    expect(refusal(site.respond(second.seqnr, second.response))).toBe("error cancel item-not-found");
  });

  it("P-E29: a number is good for the full JID that got it, and stays so when others try it", () => {
    const { seqnr, response } = posed();
    for (const stranger of ["thief@example.org/device", "thing@example.org/elsewhere", "example.org"]) {
      expect(refusal(site.respond(seqnr, response, stranger))).toBe("error cancel item-not-found");
    }
    expect(site.respond(seqnr, response)?.attrs["type"]).toBe("result");
  });

  it("P-3.1.3-17: a challenge is kept for a minute at least, and not for ever", async () => {
    const [first, second] = [posed(), posed()];
    await site.clock.advance(MINUTE);
    expect(site.respond(first.seqnr, first.response)?.attrs["type"]).toBe("result");
    await site.clock.advance(MINUTE);
    expect(refusal(site.respond(second.seqnr, second.response))).toBe("error cancel item-not-found");
    expect(site.clock.pending).toBe(0);
  });

  it("P-3.1.3-17: a clock that is set does not end a challenge", () => {
    const { seqnr, response } = posed();
    site.clock.jump(HOUR);
    expect(site.respond(seqnr, response)?.attrs["type"]).toBe("result");
  });

  it("the newest has to wait when too many are open, of one client or of all; none is dropped for it", async () => {
    const open = Array.from({ length: 16 }, () => posed());
    expect(refusal(site.getToken(device.base64))).toBe("error wait resource-constraint");
    expect(site.getToken(device.base64, "other@example.org/x")?.attrs["type"]).toBe("result");
    for (const { seqnr, response } of open) expect(site.respond(seqnr, response)?.attrs["type"]).toBe("result");
    expect(site.getToken(device.base64)?.attrs["type"]).toBe("result");
    for (let client = 0; client < 2_000; client++) site.getToken(device.base64, `c${client}@example.org/x`);
    expect(refusal(site.getToken(device.base64, "late@example.org/x"))).toBe("error wait resource-constraint");
    await site.clock.advance(2 * MINUTE);
    expect(site.getToken(device.base64, "late@example.org/x")?.attrs["type"]).toBe("result");
  });

  it("of one account are no more for all its resources: it cannot take the room of the others", () => {
    for (let i = 0; i < 3_000; i++) site.getToken(device.base64, `flood@example.org/${i}`);
    expect(refusal(site.getToken(device.base64, "flood@example.org/x"))).toBe("error wait resource-constraint");
    expect(site.getToken(device.base64)?.attrs["type"]).toBe("result");
  });

  it("is refused as broken if it is no number or no base-64", () => {
    const { seqnr, response } = posed();
    for (const bad of ["x", "", "1.5", "99999999999"]) {
      expect(refusal(site.respond(bad, response))).toBe("error modify bad-request");
    }
    expect(refusal(site.respond(seqnr, "%%%"))).toBe("error modify bad-request");
    expect(refusal(site.respond(seqnr, ""))).toBe("error modify bad-request");
  });
});

describe("certificates that get no token", () => {
  it.each([
    ["nothing", ""],
    ["no base-64", "MII*"],
    ["no certificate", "AAECAw=="],
    ["PEM in base-64", Buffer.from(device.pem).toString("base64")],
    ["one with something behind it", Buffer.concat([device.der, new Uint8Array(1)]).toString("base64")],
    ["one that ends too early", Buffer.from(device.der.subarray(0, -1)).toString("base64")],
  ])("P-3.1.3-5: %s is broken", (_what, certificate) => {
    expect(refusal(site.getToken(certificate))).toBe("error modify bad-request");
  });

  it("P-E12: keys that cannot encrypt, or are too small", () => {
    expect(refusal(site.getToken(EC_CERTIFICATE))).toBe("error modify not-acceptable");
    expect(text(site.getToken(EC_CERTIFICATE))).toBe("Only RSA keys of 1,024 to 8,192 bits are taken.");
    expect(refusal(site.getToken(makeKeyHolder({ bits: 512 }).base64))).toBe("error modify not-acceptable");
    expect(refusal(site.getToken(makeUselessCertificate()))).toBe("error modify not-acceptable");
  });

  it("P-3.1.3-5: one whose end is no date", () => {
    // UTCTime 270101000000Z, in the thirteenth month. Nobody checks its own signature on it.
    const text = Buffer.from(device.der).toString("latin1");
    const odd = Buffer.from(text.replace("270101000000Z", "271301000000Z"), "latin1");
    expect(odd.toString("base64")).not.toBe(device.base64);
    expect(refusal(site.getToken(odd.toString("base64")))).toBe("error modify bad-request");
  });

  it("P-3.1.3-5: those that have expired or are not valid yet, by the server's clock", async () => {
    const short = makeKeyHolder({ from: NOW + HOUR, until: NOW + 2 * HOUR });
    expect(refusal(site.getToken(short.base64))).toBe("error modify not-acceptable");
    expect(text(site.getToken(short.base64))).toBe("The certificate is not valid yet.");
    await site.clock.advance(HOUR);
    expect(site.tokenFor(short)).toMatch(/^\S+$/);
    await site.clock.advance(HOUR + 1);
    expect(refusal(site.getToken(short.base64))).toBe("error modify not-acceptable");
    expect(text(site.getToken(short.base64))).toBe("The certificate has expired.");
  });

  it("P-3.1.3-5: one that ends between challenge and answer", async () => {
    const short = makeKeyHolder({ until: NOW + 10_000 });
    const { seqnr, response } = posed(THING, short);
    await site.clock.advance(11_000);
    expect(refusal(site.respond(seqnr, response))).toBe("error modify not-acceptable");
    const second = posed();
    site.server.enrol(device.der, "device");
    site.server.withdraw("device");
    expect(refusal(site.respond(second.seqnr, second.response))).toBe("error cancel forbidden");
  });

  it("P-3.1.3-5: one that was withdrawn, until it is enrolled again; then by a new token", () => {
    const token = site.tokenFor(device);
    expect(site.server.withdraw(device.fingerprint.toUpperCase().replace(/..(?=.)/g, "$&:"))).toBe(true);
    expect(site.server.withdraw(device.fingerprint)).toBe(false);
    expect(refusal(site.getToken(device.base64))).toBe("error cancel forbidden");
    expect(text(site.getToken(device.base64))).toBe("The certificate was withdrawn.");
    expect(site.server.identities).toMatchObject([{ withdrawn: true, hasToken: false }]);
    site.server.enrol(device.pem, "device");
    expect(site.tokenFor(device)).not.toBe(token);
  });

  it("P-5.4-1: unknown ones are ignored by option, and otherwise added once they are proved", () => {
    const strict = new TokenSite({ unknownCertificates: "refuse" });
    expect(refusal(strict.getToken(device.base64))).toBe("error cancel forbidden");
    expect(strict.server.identities).toEqual([]);
    strict.server.enrol(device.der, "device");
    expect(strict.tokenFor(device)).toMatch(/^\S+$/);
    // Nobody is added who has not proved to hold the key.
    site.getToken(device.base64);
    expect(site.server.identities).toEqual([]);
  });
});

describe("enrolling", () => {
  it("names a certificate, PEM or DER, and tells what is known of it", () => {
    const strings = new TextEncoder();
    const named = [device.pem, device.der, strings.encode(device.pem)].map((given, i) =>
      site.server.enrol(given, `n${i}`),
    );
    expect(named).toEqual([device.fingerprint, device.fingerprint, device.fingerprint]);
    expect(site.server.identities).toEqual([
      {
        fingerprint: device.fingerprint,
        name: "n2",
        subject: "CN=device",
        validFrom: new Date(NOW - 365 * 24 * HOUR),
        validTo: new Date(NOW + 365 * 24 * HOUR),
        withdrawn: false,
        hasToken: false,
      },
    ]);
  });

  it("refuses what no token can be given for, and names that are none", () => {
    const { server } = site;
    expect(() => server.enrol("nonsense", "x")).toThrow(ConfigError);
    expect(() => server.enrol(new Uint8Array(Buffer.from(EC_CERTIFICATE, "base64")), "x")).toThrow(/RSA/);
    expect(() => server.enrol(device.pem, "")).toThrow(ConfigError);
    expect(() => server.enrol(device.pem, device.fingerprint)).toThrow(/name/);
    expect(() => server.withdraw(" ")).toThrow(ConfigError);
    expect(server.withdraw("nobody")).toBe(false);
    expect(server.identities).toEqual([]);
  });
});
