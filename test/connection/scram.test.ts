import { describe, expect, it } from "vitest";
import { ScramClient } from "../../src/connection/scram.ts";

// RFC 5802 section 5 and RFC 7677 section 3.
const sha1 = {
  hash: "SHA-1",
  binding: "n",
  username: "user",
  password: "pencil",
  nonce: "fyko+d2lbbFgONRv9qkxdawL",
} as const;
const sha1ServerFirst = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
const sha1ServerFinal = "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=";
const sha256 = {
  hash: "SHA-256",
  binding: "n",
  username: "user",
  password: "pencil",
  nonce: "rOprNGfwEbeRWgbNEkqO",
} as const;
const sha256ServerFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

const refused = expect.objectContaining({ code: "ERR_AUTHENTICATION" }) as Error;

describe("SCRAM", () => {
  it("gives the messages of RFC 5802's example", async () => {
    const client = new ScramClient(sha1);
    expect(client.first()).toBe("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    expect(await client.final(sha1ServerFirst)).toBe(
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    );
    expect(client.verified).toBe(false);
    client.verify(sha1ServerFinal);
    expect(client.verified).toBe(true);
  });

  it("gives the messages of RFC 7677's example", async () => {
    const client = new ScramClient(sha256);
    expect(await client.final(sha256ServerFirst)).toBe(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    expect(client.verified).toBe(true);
  });

  // There is no example for it in an RFC: computed by another implementation (Python's hashlib and hmac) from RFC 7677's.
  it.each([
    [
      "n",
      "biws",
      "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
      "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
    ],
    [
      "y",
      "eSws",
      "VrNrCclW9AD/Yk8l31V4OqUMu/q7GisSWUiLQyCJ/FbAjX0cz0yg5fP8qfMm6C+ANjP+JcgB3IS6alx/nEu6Zg==",
      "9ljM8X8/k7XVI8iXtN0M6JKGwlfsiNfKI2LXo41m0hFjx9B+x1naDQ5NGcCm5lXjSgW3MM/3IGsl62659FI3Vg==",
    ],
  ] as const)("does the same with SHA-512, saying %s of channel binding", async (binding, bound, proof, verifier) => {
    const client = new ScramClient({ ...sha256, hash: "SHA-512", binding });
    expect(client.first()).toBe(`${binding},,n=user,r=rOprNGfwEbeRWgbNEkqO`);
    expect(await client.final(sha256ServerFirst)).toBe(
      `c=${bound},r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=${proof}`,
    );
    client.verify(`v=${verifier}`);
    expect(client.verified).toBe(true);
  });

  it("binds the proof to the channel (RFC 5802 section 6; computed as above)", async () => {
    const data = Uint8Array.from({ length: 32 }, (_, index) => index);
    const client = new ScramClient({ ...sha256, binding: { type: "tls-exporter", data } });
    expect(client.first()).toBe("p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    expect(await client.final(sha256ServerFirst)).toBe(
      "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M=",
    );
    client.verify("v=2GiAgapEppLVlUXbxUDksL3VgYHzuqiK5tR4mhJGgvs=");
    expect(client.verified).toBe(true);
  });

  it.each([
    "rmF9pqV8S7su AoZWja4dJRkFsKQ=",
    "rmF9pqV8S7su\uFFFDAoZWja4dJRkFsKQ=",
    "rmF9pqV8S7suAoZWja4dJRkFsKR=",
    "rmF9pqV8S7suAoZWja4dJRkFsKQ",
  ])("takes %j for no proof, although a lenient reader finds the right one in it", async (verifier) => {
    const client = new ScramClient(sha1);
    await client.final(sha1ServerFirst);
    expect(() => client.verify(`v=${verifier}`)).toThrow(refused);
    expect(client.verified).toBe(false);
  });

  it("escapes what would end a name", () => {
    expect(new ScramClient({ ...sha1, username: "a=b,c" }).first()).toContain("n=a=3Db=2Cc,");
  });

  it("brings names and passwords into one form, as SASLprep would", async () => {
    expect(new ScramClient({ ...sha1, username: "Ⅸ" }).first()).toContain("n=IX,");
    const composed = await new ScramClient({ ...sha1, password: "ﬁ\u00E9" }).final(sha1ServerFirst);
    expect(await new ScramClient({ ...sha1, password: "fie\u0301" }).final(sha1ServerFirst)).toBe(composed);
  });

  it.each([
    ["the nonce of another login", "r=other3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"],
    ["only our own nonce", "r=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096"],
    ["too few rounds", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92,i=4095"],
    ["too many rounds", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92,i=1000001"],
    ["rounds that are no number", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92,i=4e5"],
    ["a salt that is no base64", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC!R+Q6sek8bf92,i=4096"],
    ["no rounds", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92"],
    ["no salt", "r=fyko+d2lbbFgONRv9qkxdawLx,s=,i=4096"],
    ["an extension that must be understood", "m=x,r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92,i=4096"],
    ["nothing", ""],
  ])("refuses a first message of the server with %s", async (_what, message) => {
    await expect(new ScramClient(sha1).final(message)).rejects.toThrow(refused);
  });

  it.each([
    ["a wrong signature", "v=smF9pqV8S7suAoZWja4dJRkFsKQ="],
    ["a signature cut short", "v=rmF9pqV8S7suAoZWja4dJRkFsA=="],
    ["an empty signature", "v="],
    ["no signature", ""],
    ["an error", "e=other-error"],
  ])("does not take %s for a proof", async (_what, message) => {
    const client = new ScramClient(sha1);
    await client.final(sha1ServerFirst);
    expect(() => client.verify(message)).toThrow(refused);
    expect(client.verified).toBe(false);
  });

  it("takes nothing for a proof before the server has sent its first message", () => {
    expect(() => new ScramClient(sha1).verify(sha1ServerFinal)).toThrow(refused);
    expect(() => new ScramClient(sha1).verify("")).toThrow(refused);
  });
});
