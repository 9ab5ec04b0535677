import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endPointOf } from "../../src/connection/channel-binding.ts";

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
/** What a certificate is made of: something signed, the algorithm, the signature. */
const certificate = (algorithm: string, signed = "3003020105"): Uint8Array => {
  const inside = `${signed}${algorithm}03020055`;
  return bytes(`3082${(inside.length / 2).toString(16).padStart(4, "0")}${inside}`);
};
// RSASSA-PSS as OpenSSL writes it, with SHA-512.
const pss =
  "304206092a864886f70d01010a3035a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500a204020200be";

describe("tls-server-end-point (RFC 5929 section 4.1)", () => {
  it.each([
    ["RSA with MD5: SHA-256 in its place", "300d06092a864886f70d0101040500", "sha256"],
    ["RSA with SHA-1: SHA-256 in its place", "300d06092a864886f70d0101050500", "sha256"],
    ["RSA with SHA-256", "300d06092a864886f70d01010b0500", "sha256"],
    ["RSA with SHA-384", "300d06092a864886f70d01010c0500", "sha384"],
    ["RSA with SHA-512", "300d06092a864886f70d01010d0500", "sha512"],
    ["ECDSA with SHA-384", "300a06082a8648ce3d040303", "sha384"],
    ["RSASSA-PSS with SHA-512", pss, "sha512"],
    ["RSASSA-PSS with its default, SHA-1: SHA-256 in its place", "300d06092a864886f70d01010a3000", "sha256"],
  ])("is the hash of the certificate by the function of its signature: %s", (_what, algorithm, hash) => {
    const one = certificate(algorithm);
    expect(Buffer.from(endPointOf(one) ?? []).toString("hex")).toBe(createHash(hash).update(one).digest("hex"));
  });

  it("reads lengths in one byte and in several", () => {
    const one = certificate("300d06092a864886f70d01010b0500", `3081c8${"05".repeat(200)}`);
    expect(endPointOf(one)).toHaveLength(32);
    expect(endPointOf(bytes("301730030201053009" + "06072a8648ce3d0401" + "0303005555" + "0100"))).toHaveLength(32);
  });

  it.each([
    ["Ed25519, where it is not defined", certificate("300506032b6570")],
    [
      "RSASSA-PSS with a hash that is not known",
      certificate(pss.replace("60864801650304020305", "60864801650304020905")),
    ],
    ["an algorithm without a name", certificate("3002 0500".replace(" ", ""))],
    ["a certificate that is cut short", certificate("300d06092a864886f70d01010b0500").slice(0, 12)],
    ["a length that is longer than a number", bytes("30ff0102")],
    ["something else", bytes("0401aa")],
    ["nothing", bytes("")],
  ])("is not there for %s", (_what, one) => {
    expect(endPointOf(one)).toBeUndefined();
  });

  it("never throws, whatever the certificate", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (some) => {
        const found = endPointOf(new Uint8Array(some));
        expect([undefined, 32, 48, 64]).toContain(found?.length);
      }),
    );
  });
});
