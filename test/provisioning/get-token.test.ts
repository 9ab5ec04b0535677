import { describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { buildError } from "../../src/codec/stanza.ts";
import { el } from "../../src/codec/xml.ts";
import { checkCertificate } from "../../src/provisioning/certificate-options.ts";
import { readCertificate, type Certificate } from "../../src/provisioning/certificate.ts";
import { getToken } from "../../src/provisioning/get-token.ts";
import { deviceCertificate } from "../support/device-certificate.ts";
import { jid, scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";
import { tokenPeer } from "../support/token-peer.ts";

const server = jid("provisioning.example.org");
const account = jid("provisioning@example.org");
const { cert, keyPem, der } = deviceCertificate();
const certificate = (): Promise<Certificate> =>
  readCertificate(checkCertificate({ content: cert + keyPem })).then((read) => read.certificate);

async function asking(options: Parameters<typeof tokenPeer>[1] = {}) {
  const site = scriptedChannel();
  const its = tokenPeer("p", options);
  site.wire.peer(server, its.peer);
  const token = getToken(site, server, await certificate(), { timeout: 10_000 });
  return { ...site, its, token };
}

describe("getting a token (XEP-0324 3.1.3.1)", () => {
  it.each(["oaep", "pkcs1"] as const)(
    "P-3.1.3-10, P-3.1.3-12, P-E12: shows the certificate and decrypts the challenge, padded by %s",
    async (padding) => {
      const { wire, token } = await asking({ padding });
      expect(await token).toBe("p-token-1");
      const [first, second] = wire.asked(server);
      expect(first?.is("getToken", ns.provisioning)).toBe(true);
      expect(first?.text()).toBe(Buffer.from(der).toString("base64"));
      expect(second?.is("getTokenChallengeResponse", ns.provisioning)).toBe(true);
      // P-3.1.3-26: the number of the challenge, so that the server knows which.
      expect(second?.attrs["seqnr"]).toBe("41");
      expect(Buffer.from(second?.text() ?? "", "base64").toString()).toBe("challenge 41 of p");
      expect(wire.sent.map((stanza) => stanza.attrs["type"])).toEqual(["get", "get"]);
    },
  );

  it("P-E27: asks a server that is an account at one and the same connection", async () => {
    const { wire, ...parts } = scriptedChannel();
    const its = tokenPeer("p");
    wire.peer(`${account}/one`, its.peer);
    let calls = 0;
    const whereabouts = { addressOf: () => Promise.resolve(`${account}/${calls++ === 0 ? "one" : "two"}`) };
    const token = await getToken({ ...parts, whereabouts }, account, await certificate(), {});
    expect(token).toBe("p-token-1");
    expect(wire.asked(`${account}/one`)).toHaveLength(2);
  });

  it.each<[string, Said, object]>([
    ["an error", { error: "forbidden" }, { code: "ERR_STANZA", condition: "forbidden" }],
    [
      "an error inside a result (P-E2)",
      buildError({ condition: "not-allowed", type: "cancel" }),
      { code: "ERR_STANZA", condition: "not-allowed" },
    ],
    ["nothing", undefined, { code: "ERR_PROTOCOL" }],
    ["a token at once", el("getTokenResponse", { xmlns: ns.provisioning, token: "T" }), { code: "ERR_PROTOCOL" }],
    [
      "a challenge without a number (P-3.1.3-26)",
      el("getTokenChallenge", { xmlns: ns.provisioning }, "AAAA"),
      { code: "ERR_PROTOCOL", path: "getTokenChallenge/@seqnr" },
    ],
    [
      "a challenge of something else",
      el("getTokenChallenge", { xmlns: ns.provisioning, seqnr: 1 }, "AAAA"),
      { code: "ERR_PROTOCOL", message: "the challenge could not be decrypted" },
    ],
  ])("ends when the server answers the certificate with %s", async (_, said, error) => {
    const { token, wire } = await asking({ asked: () => said });
    await expect(token).rejects.toMatchObject(error);
    expect(wire.asked(server)).toHaveLength(1);
  });

  const response = (attributes: object): Said => el("getTokenResponse", { xmlns: ns.provisioning, ...attributes });
  it.each<[string, Said, object]>([
    ["P-3.1.3-15: bad-request", { error: "bad-request", type: "modify" }, { condition: "bad-request", type: "modify" }],
    ["P-3.1.3-16: item-not-found", { error: "item-not-found" }, { condition: "item-not-found" }],
    [
      "P-E2: bad-request inside a result",
      buildError({ condition: "bad-request", type: "modify" }),
      { condition: "bad-request" },
    ],
    [
      "P-E2: item-not-found inside a result",
      buildError({ condition: "item-not-found", type: "cancel" }),
      { condition: "item-not-found" },
    ],
    [
      "P-3.1.3-14: a token with a blank",
      response({ token: "A B" }),
      { code: "ERR_PROTOCOL", path: "getTokenResponse/@token" },
    ],
    ["P-3.1.3-14: an empty token", response({ token: "" }), { code: "ERR_PROTOCOL", path: "getTokenResponse/@token" }],
    [
      "a token so long that no server would carry it",
      response({ token: "T".repeat(2_049) }),
      { code: "ERR_PROTOCOL", path: "getTokenResponse/@token" },
    ],
    ["P-3.1.3-26: no token", response({}), { code: "ERR_PROTOCOL", path: "getTokenResponse/@token" }],
    ["nothing", undefined, { code: "ERR_PROTOCOL" }],
  ])("takes for no token: %s", async (_, said, error) => {
    const { token } = await asking({ answered: () => said });
    await expect(token).rejects.toMatchObject(error);
  });

  it("waits neither for a silent server nor for a callback that hangs", async () => {
    const silent = await asking({ asked: () => "silent" });
    silent.token.catch(() => undefined);
    await settled();
    await silent.clock.advance(10_001);
    await expect(silent.token).rejects.toMatchObject({ code: "ERR_TIMEOUT" });

    const { wire, ...parts } = scriptedChannel();
    wire.peer(server, tokenPeer("p").peer);
    const never = new Promise<Uint8Array>(() => undefined);
    const token = getToken(parts, server, { ...(await certificate()), decrypt: () => never }, { timeout: 10_000 });
    token.catch(() => undefined);
    await settled();
    await parts.clock.advance(30_001);
    await expect(token).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      message: expect.stringContaining("decrypting") as string,
    });
  });
});
