import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import forge from "node-forge";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkCertificate, type CertificateOptions } from "../../src/provisioning/certificate-options.ts";
import { readCertificate } from "../../src/provisioning/certificate.ts";
import { readSecretFile } from "../../src/storage/secret-file.ts";
import {
  deviceCertificate,
  ecCertificate,
  encrypt,
  lockedKey,
  pkcs12Of,
  rsaKey,
} from "../support/device-certificate.ts";

const device = deviceCertificate();
const { cert, der, key, keyPem } = device;
const other = deviceCertificate({ name: "somebody else", key: rsaKey("somebody else") });
const keyDer = new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
const message = new TextEncoder().encode("thirty-two bytes, more or less ..");

let folder = "";
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "xmpp-thing-certificate-"))));
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function file(content: string | Uint8Array, mode = 0o600): Promise<string> {
  const path = join(folder, `file-${files++}`);
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

const read = (options: CertificateOptions): ReturnType<typeof readCertificate> =>
  readCertificate(checkCertificate(options));

/** What is wrong with options: at once, or when they are read. */
async function wrong(options: CertificateOptions): Promise<string> {
  try {
    await read(options);
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_CONFIG" });
    return (error as Error).message;
  }
  throw new Error("nothing was wrong");
}

/** It is this certificate, and its key decrypts in both paddings. */
async function works(options: CertificateOptions): Promise<readonly string[]> {
  const { certificate, warnings } = await read(options);
  expect(Buffer.from(certificate.der).equals(der)).toBe(true);
  expect(certificate.fingerprint).toBe(new X509Certificate(cert).fingerprint256);
  for (const padding of ["oaep", "pkcs1"] as const) {
    expect(await certificate.decrypt(encrypt(key, message, padding))).toEqual(message);
  }
  return warnings;
}

const legacyPem = (passphrase?: string): string =>
  key
    .export({ type: "pkcs1", format: "pem", ...(passphrase !== undefined && { cipher: "aes-128-cbc", passphrase }) })
    .toString();

describe("a certificate that is given (P-E12: PEM, DER or PKCS #12)", () => {
  it.each<[string, () => CertificateOptions]>([
    ["PEM with its key", () => ({ content: cert + keyPem })],
    [
      "PEM with its key in front, and words around",
      () => ({ content: `Bag Attributes\n  x: - y -\n${keyPem}\n${cert}` }),
    ],
    [
      "PEM as bytes, lines ended as on Windows",
      () => ({ content: new TextEncoder().encode((cert + keyPem).replaceAll("\n", "\r\n")) }),
    ],
    ["PEM and key apart", () => ({ content: cert, key: keyPem })],
    ["PEM of PKCS #1", () => ({ content: cert + legacyPem() })],
    ["a locked key (PKCS #8)", () => ({ content: cert, key: lockedKey(key, "geheim"), passphrase: "geheim" })],
    ["a locked key of before (PKCS #1)", () => ({ content: cert, key: legacyPem("geheim"), passphrase: "geheim" })],
    ["a passphrase that is not needed", () => ({ content: cert + keyPem, passphrase: "needless" })],
    ["DER", () => ({ content: der, key: keyDer })],
    [
      "DER with a key of PKCS #1",
      () => ({ content: der, key: new Uint8Array(key.export({ type: "pkcs1", format: "der" })) }),
    ],
    [
      "DER with a locked key",
      () => ({
        content: der,
        key: new Uint8Array(key.export({ type: "pkcs8", format: "der", cipher: "aes-256-cbc", passphrase: "geheim" })),
        passphrase: "geheim",
      }),
    ],
    ["PKCS #12", () => ({ content: pkcs12Of(device, "geheim"), passphrase: "geheim" })],
    [
      "PKCS #12 of before",
      () => ({ content: pkcs12Of(device, "geheim", { algorithm: "3des" }), passphrase: "geheim" }),
    ],
    [
      "PKCS #12 with others above it",
      () => ({ content: pkcs12Of(device, "geheim", { chain: [other] }), passphrase: "geheim" }),
    ],
    ["PKCS #12 without a passphrase", () => ({ content: pkcs12Of(device, "") })],
    [
      "PKCS #12 with the key apart",
      () => ({ content: pkcs12Of(device, "geheim", { key: false }), passphrase: "geheim", key: keyPem }),
    ],
  ])("P-3.1.3-2: is read: %s", async (_, options) => {
    expect(await works(options())).toEqual([]);
  });

  it("P-3.1.3-2: is read from files, whatever they are called", async () => {
    expect(await works({ file: await file(cert + keyPem) })).toEqual([]);
    expect(await works({ file: await file(der, 0o644), keyFile: await file(keyPem) })).toEqual([]);
    expect(await works({ file: await file(pkcs12Of(device, "geheim")), passphrase: "geheim" })).toEqual([]);
    expect(await works({ file: await file(cert, 0o644), key: keyPem })).toEqual([]);
  });

  it("is read as OpenSSL writes it", async () => {
    const path = join(folder, "openssl.p12");
    const made = await file(cert + keyPem);
    execFileSync("openssl", ["pkcs12", "-export", "-in", made, "-out", path, "-passout", "pass:geheim"], {
      stdio: "pipe",
    });
    expect(await works({ file: path, passphrase: "geheim" })).toEqual([]);
  });

  it.each(["Grüße", "パス", "\u{1F511} x"])(
    "is opened by the passphrase %s, in all that OpenSSL writes",
    async (passphrase) => {
      const path = join(folder, "unicode.p12");
      const made = await file(cert + keyPem);
      const old = ["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
      for (const more of [[], ["-macalg", "sha512"], ["-nomac"], old]) {
        const how = ["pkcs12", "-export", "-in", made, "-out", path, "-passout", `pass:${passphrase}`, ...more];
        execFileSync("openssl", how, { stdio: "pipe" });
        expect(await works({ file: path, passphrase })).toEqual([]);
        expect(await wrong({ file: path, passphrase: `${passphrase}é` })).toContain(
          "does not open the PKCS #12 content",
        );
      }
    },
  );

  it("P-3.1.3-20: needs no key where a callback decrypts", async () => {
    const { certificate } = await read({ content: cert, decrypt: () => message });
    expect(await certificate.decrypt(new Uint8Array(256))).toEqual(message);
  });

  it("pads as it is told", async () => {
    const { certificate } = await read({ content: cert + keyPem, padding: "oaep" });
    await expect(certificate.decrypt(encrypt(key, message, "pkcs1"))).rejects.toThrow("could not be decrypted");
  });

  it("says until when it is valid", async () => {
    const until = new Date(Date.UTC(2020, 0, 2, 3, 4, 5));
    const { certificate } = await read({ content: deviceCertificate({ until }).cert + keyPem });
    expect(certificate.expires).toBe(until.getTime());
  });
});

describe("a file with a private key that others can read", () => {
  it("is told, and how to change it; one with a certificate alone is not", async () => {
    const open = await file(keyPem, 0o640);
    expect(await works({ file: await file(cert, 0o644), keyFile: open })).toEqual([
      `others on this machine can read the private key in "${open}"; chmod 600 "${open}"`,
    ]);
    const both = await file(cert + keyPem, 0o602);
    expect(await works({ file: both })).toEqual([expect.stringContaining(both)]);
    expect((await read({ file: both, decrypt: () => message })).warnings).toEqual([]);
  });

  it("is not told where a machine does not say", async () => {
    const path = await file(keyPem, 0o666);
    expect((await readSecretFile(path, { uid: undefined })).exposed).toBe(process.getuid !== undefined);
    expect((await readSecretFile(path, { uid: 0 })).exposed).toBe(true);
  });
});

describe("PKCS #12 that says something else", () => {
  const { asn1 } = forge;
  const bytes = (value: forge.asn1.Asn1): Uint8Array =>
    new Uint8Array(Buffer.from(asn1.toDer(value).getBytes(), "binary"));
  const { INTEGER, SEQUENCE, NULL } = asn1.Type;
  const of = (type: forge.asn1.Type, constructed: boolean, value: string | forge.asn1.Asn1[]): forge.asn1.Asn1 =>
    asn1.create(asn1.Class.UNIVERSAL, type, constructed, value);
  const nothing = of(NULL, false, "");

  it.each([
    ["a number", of(INTEGER, false, "\u0003")],
    ["an empty sequence", of(SEQUENCE, true, [])],
    ["a sequence of another version", of(SEQUENCE, true, [of(INTEGER, false, "\u0001"), nothing])],
    ["a longer sequence", of(SEQUENCE, true, [of(INTEGER, false, "\u0003"), nothing, nothing, nothing])],
    ["a sequence that begins otherwise", of(SEQUENCE, true, [nothing, nothing])],
  ])("is none: %s", async (_, value) => {
    expect(await wrong({ content: bytes(value) })).toMatch(/is neither PEM, nor DER, nor PKCS #12/);
  });

  it("is not opened if there is nothing in it", async () => {
    const empty = of(SEQUENCE, true, [of(INTEGER, false, "\u0003"), nothing]);
    expect(await wrong({ content: bytes(empty), passphrase: "geheim" })).toMatch(/does not open the PKCS #12 content/);
  });

  it("needs a certificate beside its key", async () => {
    const [key, out] = [await file(keyPem), join(folder, "lonely.p12")];
    const args = ["pkcs12", "-export", "-nocerts", "-inkey", key, "-out", out, "-passout", "pass:geheim"];
    execFileSync("openssl", args, { stdio: "pipe" });
    expect(await wrong({ file: out, passphrase: "geheim" })).toMatch(/there is no certificate in/);
  });

  it("P-E12: with an elliptic curve in it is told so", async () => {
    const ec = ecCertificate();
    const [cert, key, out] = [await file(ec.cert), await file(ec.keyPem), join(folder, "ec.p12")];
    const args = ["pkcs12", "-export", "-in", cert, "-inkey", key, "-out", out, "-passout", "pass:geheim"];
    execFileSync("openssl", args, { stdio: "pipe" });
    expect(await wrong({ file: out, passphrase: "geheim" })).toMatch(/^certificate\.file: its key is of the type ec/);
  });
});

describe("a certificate that cannot be used is told of, with the option", () => {
  it.each<[string, () => CertificateOptions, RegExp]>([
    [
      "the wrong passphrase for PKCS #12",
      () => ({ content: pkcs12Of(device, "geheim"), passphrase: "falsch" }),
      /^certificate\.content: certificate\.passphrase does not open the PKCS #12 content/,
    ],
    [
      "none for PKCS #12",
      () => ({ content: pkcs12Of(device, "geheim") }),
      /^certificate\.content: the PKCS #12 content needs certificate\.passphrase/,
    ],
    [
      "the wrong one for a key",
      () => ({ content: cert, key: lockedKey(key, "geheim"), passphrase: "falsch" }),
      /^certificate\.key: certificate\.passphrase does not open the private key/,
    ],
    [
      "the wrong one for a key of before",
      () => ({ content: cert + legacyPem("geheim"), passphrase: "falsch" }),
      /^certificate\.content: certificate\.passphrase does not open/,
    ],
    [
      "none for a key",
      () => ({ content: cert, key: lockedKey(key, "geheim") }),
      /^certificate\.key: the private key needs certificate\.passphrase/,
    ],
    [
      "the key of an elliptic curve",
      () => {
        const ec = ecCertificate();
        return { content: ec.cert + ec.keyPem };
      },
      /^certificate\.content: its key is of the type ec/,
    ],
    [
      "a short key",
      () => {
        const short = rsaKey("short", 1024);
        const made = deviceCertificate({ key: short });
        return { content: made.cert + made.keyPem };
      },
      /^certificate\.content: its key has 1024 bits; 2048 are the least/,
    ],
    [
      "somebody else's key",
      () => ({ content: cert, key: other.keyPem }),
      /^certificate\.key: the private key does not belong to the certificate/,
    ],
    [
      "the key of an elliptic curve for it",
      () => ({ content: cert, key: ecCertificate().keyPem }),
      /^certificate\.key: the private key does not belong/,
    ],
    [
      "no key",
      () => ({ content: cert }),
      /^certificate\.content: there is no private key beside it; give certificate\.keyFile, key or decrypt$/,
    ],
    ["no key in DER", () => ({ content: der }), /there is no private key beside it/],
    [
      "no key in PKCS #12",
      () => ({ content: pkcs12Of(device, "geheim", { key: false }), passphrase: "geheim" }),
      /there is no private key beside it/,
    ],
    ["no certificate", () => ({ content: keyPem }), /^certificate\.content: there is no certificate in it/],
    [
      "a damaged one",
      () => ({ content: cert.replace("MII", "AAA") + keyPem }),
      /^certificate\.content: the certificate in it is damaged/,
    ],
    [
      "a key that is none",
      () => ({ content: cert, key: "secret" }),
      /^certificate\.key: is no private key, PEM or DER, or needs another/,
    ],
    [
      "a key that is damaged",
      () => ({ content: cert, key: keyPem.replace("MII", "AAA") }),
      /^certificate\.key: is no private key, PEM or DER$/,
    ],
    ["nonsense", () => ({ content: "nonsense" }), /^certificate\.content: is neither PEM, nor DER, nor PKCS #12/],
    ["DER of something else", () => ({ content: keyDer }), /is neither PEM, nor DER, nor PKCS #12/],
    [
      "a path in the place of a content",
      () => ({ content: "/etc/device.pem" }),
      /is neither PEM, nor DER, nor PKCS #12/,
    ],
    [
      "a file that is not there",
      () => ({ file: "/nowhere/device.pem" }),
      /^certificate\.file: "\/nowhere\/device\.pem" cannot be read: there is no such file/,
    ],
    [
      "a key file that is not there",
      () => ({ content: cert, keyFile: "/nowhere/key" }),
      /^certificate\.keyFile: "\/nowhere\/key" cannot be read/,
    ],
    ["a folder", () => ({ file: folder }), /^certificate\.file: ".*" cannot be read: EISDIR/],
  ])("%s", async (_, options, said) => {
    const message = await wrong(options());
    expect(message).toMatch(said);
    // Nothing of the secrets is in it.
    expect(message).not.toMatch(/geheim|falsch|PRIVATE KEY/);
  });

  it.each<[CertificateOptions, string]>([
    [{}, "certificate: give one of file, content and make"],
    [{ make: false }, "certificate: give one of file, content and make"],
    [{ make: true, file: "x" }, "certificate: give one of"],
    [{ make: true, content: cert }, "certificate: give one of"],
    [{ file: "x", content: cert }, "certificate.file: leave it out, or certificate.content"],
    [{ file: "x", keyFile: "x", key: keyPem }, "certificate.keyFile: leave it out, or certificate.key"],
    [{ file: "" }, "certificate.file: must be the path of a file"],
    [{ file: 1 as never }, "certificate.file: must be the path of a file"],
    [{ content: "" }, "certificate.content: must be a text (PEM) or bytes"],
    [{ content: 1 as never }, "certificate.content: must be a text (PEM) or bytes"],
    [{ file: "x", passphrase: 1 as never }, "certificate.passphrase: must be a text"],
    [{ file: "x", padding: "none" as never }, 'certificate.padding: there is no "none"; there are auto, oaep, pkcs1'],
    [{ file: "x", decrypt: true as never }, "certificate.decrypt: must be a function"],
    [{ file: "x", decrypt: () => message, key: keyPem }, "certificate.decrypt: it has the private key"],
    [{ file: "x", decrypt: () => message, passphrase: "x" }, "certificate.decrypt: it has the private key"],
    [{ file: "x", decrypt: () => message, padding: "oaep" }, "certificate.decrypt: it has the private key"],
    [{ make: true, keyFile: "x" }, "certificate.keyFile: the Thing makes certificate and key itself"],
    [{ make: true, passphrase: "x" }, "certificate.passphrase: the Thing makes"],
    [{ make: true, decrypt: () => message }, "certificate.decrypt: the Thing makes"],
    [{ make: { bits: 1024 } }, "certificate.make.bits: must be one of 2048, 3072, 4096"],
    [{ make: { name: "" } }, "certificate.make.name: must be a text of 1 to 64 characters"],
    [{ make: { name: "x".repeat(65) } }, "certificate.make.name"],
    [{ make: { name: "half a \ud83d" } }, "certificate.make.name"],
    [{ make: { nmae: "x" } as never }, 'certificate.make: there is no option "nmae"'],
    [{ fiel: "x" } as never, 'certificate: there is no option "fiel"'],
    ["device.pem" as never, "certificate: must be an object"],
  ])("before it is looked for: %j", (options, said) => {
    expect(() => checkCertificate(options)).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringContaining(said) as string }) as Error,
    );
  });

  it("where none is given at all", async () => {
    await expect(readCertificate(checkCertificate({ make: true }))).rejects.toThrow("there is none to read");
  });
});
