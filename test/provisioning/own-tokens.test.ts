import { X509Certificate, constants, privateDecrypt } from "node:crypto";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import { checkCertificate, type CertificateOptions } from "../../src/provisioning/certificate-options.ts";
import { certificateDocument, parseSavedCertificate } from "../../src/provisioning/made-certificate.ts";
import { OwnTokens } from "../../src/provisioning/own-tokens.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { Document } from "../../src/storage/document.ts";
import { NewerFormatError } from "../../src/storage/newer-format.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { deviceCertificate, encrypt, encryptFor, rsaKey } from "../support/device-certificate.ts";
import { failingStorage } from "../support/failing-storage.ts";
import { jid, listeningLogger, scriptedChannel, settled } from "../support/scripted-wire.ts";
import { tokenPeer } from "../support/token-peer.ts";

const [one, two] = [jid("one.example.org"), jid("two.example.org")];
const device = deviceCertificate();
const given: CertificateOptions = { content: device.cert + device.keyPem };
const message = new TextEncoder().encode("what was encrypted");
const never = new AbortController().signal;

async function site(
  options: {
    storage?: Storage;
    certificate?: CertificateOptions | undefined;
    trusted?: BareJid[];
    jid?: string;
  } = {},
) {
  const { trusted = [one, two] } = options;
  const storage = options.storage ?? (await failingStorage());
  const certificate = "certificate" in options ? options.certificate : given;
  const { channel, whereabouts, wire, clock } = scriptedChannel({
    ...(options.jid !== undefined && { jid: options.jid }),
  });
  const faults: string[] = [];
  const logger = listeningLogger();
  const own = new OwnTokens({
    ...{ channel, whereabouts, clock, logger, storage },
    random: new SeededRandom("own tokens"),
    certificate: certificate && checkCertificate(certificate),
    trusted: () => trusted,
    onFault: (code, text) => void faults.push(`${code}: ${text}`),
  });
  const servers = { one: tokenPeer("one"), two: tokenPeer("two") };
  wire.peer(one, servers.one.peer);
  wire.peer(two, servers.two.peer);
  await own.open();
  return { own, storage, wire, clock, faults, logger, servers, trusted };
}

let folder: string | undefined;
afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true });
  folder = undefined;
});

describe("own tokens", () => {
  it("P-3.1.1-11, P-3.1.5-1: one is got of each trusted server, and all are there to be sent", async () => {
    const { own, servers } = await site();
    expect(own.ownTokens()).toEqual([]);
    await Promise.all([own.get(one, never), own.get(two, never)]);
    expect(own.ownTokens()).toEqual(["one-token-1", "two-token-1"]);
    expect(servers.one.shown).toEqual([device.certificate.fingerprint256]);
  });

  it("P-3.1.1-14: are not asked for again, neither now nor after a restart", async () => {
    const { own, storage, servers } = await site();
    await own.get(one, never);
    await own.get(one, never);
    const again = await site({ storage });
    expect(again.own.ownTokens()).toEqual(["one-token-1"]);
    await again.own.get(one, never);
    expect([servers.one.shown.length, again.wire.sent.length]).toEqual([1, 0]);
  });

  it("P-E14, P-3.1.3-9: are not asked for without a certificate, and those of before are not used", async () => {
    const { own, storage } = await site();
    await own.get(one, never);
    const without = await site({ storage, certificate: undefined });
    await without.own.get(one, never);
    expect([without.own.ownTokens(), without.own.secrets(), without.wire.sent]).toEqual([[], [], []]);
    expect(without.own.decryptChallenge("one-token-1", new Uint8Array(256))).toBeUndefined();
  });

  it("for another certificate are got anew", async () => {
    const { own, storage } = await site();
    await own.get(one, never);
    const other = deviceCertificate({ key: rsaKey("other") });
    const again = await site({ storage, certificate: { content: other.cert + other.keyPem } });
    expect(again.own.ownTokens()).toEqual([]);
    await again.own.get(one, never);
    expect(again.servers.one.shown).toEqual([other.certificate.fingerprint256]);
  });

  it("of who is trusted no more are neither sent nor kept", async () => {
    const { own, storage, trusted } = await site();
    await Promise.all([own.get(one, never), own.get(two, never)]);
    trusted.splice(0, 1);
    expect(own.ownTokens()).toEqual(["two-token-1"]);
    expect(own.decryptChallenge("one-token-1", new Uint8Array(256))).toBeUndefined();
    await own.retain(trusted);
    expect((await site({ storage })).own.secrets()).toEqual(["two-token-1"]);
  });

  it("of who is trusted no more when the answer comes are not taken", async () => {
    const { own, wire, trusted, storage } = await site();
    let go = (): void => undefined;
    const late = tokenPeer("one", { asked: () => new Promise((resolve) => (go = () => resolve("go on" as never))) });
    wire.peer(one, late.peer);
    const getting = own.get(one, never);
    await settled();
    trusted.length = 0;
    go();
    await getting;
    expect([late.given.length, own.secrets(), await storage.read("tokens")]).toEqual([1, [], undefined]);
  });

  it("given to what the Thing was before a factory reset are not taken", async () => {
    const { own, wire, storage } = await site();
    let go = (): void => undefined;
    const late = tokenPeer("one", { asked: () => new Promise((resolve) => (go = () => resolve("go on" as never))) });
    wire.peer(one, late.peer);
    const getting = own.get(one, never);
    await settled();
    await own.clear();
    go();
    await getting;
    expect([late.given.length, own.secrets(), await storage.read("tokens")]).toEqual([1, [], undefined]);
  });

  it("that could not be kept are kept at the next try, and not asked for again", async () => {
    const storage = await failingStorage();
    const { own, servers } = await site({ storage });
    storage.failing.add("replace");
    await expect(own.get(one, never)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    await own.get(one, never);
    expect(servers.one.given).toEqual(["one-token-1"]);
    expect((await site({ storage })).own.ownTokens()).toEqual(["one-token-1"]);
  });

  it("that are damaged are a fault, and got anew", async () => {
    const { own, storage } = await site();
    await own.get(one, never);
    await storage.replace("tokens", new TextEncoder().encode("nonsense"));
    const again = await site({ storage });
    expect(again.faults).toEqual([
      expect.stringMatching(/^token: the tokens were damaged, and are got anew: "tokens" is damaged/),
    ]);
    await again.own.get(one, never);
    expect((await site({ storage })).own.ownTokens()).toEqual(["one-token-1"]);
  });

  it("that are damaged on a disk that cannot be written any more are a fault, and no reason not to start", async () => {
    const storage = await failingStorage();
    const { own } = await site({ storage });
    await own.get(one, never);
    await storage.replace("tokens", new TextEncoder().encode("nonsense"));
    storage.failing.add("delete").add("replace");
    const again = await site({ storage });
    expect(again.faults).toEqual([expect.stringMatching(/^token: the tokens were damaged/)]);
    expect(again.own.ownTokens()).toEqual([]);
    await expect(again.own.get(one, never)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(again.own.ownTokens()).toEqual(["one-token-1"]);
    storage.failing.clear();
    await again.own.get(one, never);
    expect((await site({ storage })).own.ownTokens()).toEqual(["one-token-1"]);
  });
});

describe("what a newer version has kept", () => {
  it.each(["tokens", "certificate"])("in %s is refused, and stays as it is", async (name) => {
    const storage = await failingStorage();
    await new Document({ storage, name, format: 99, parse: (value) => value }).save({});
    const before = await storage.read(name);
    await expect(site({ storage, certificate: { make: true } })).rejects.toBeInstanceOf(NewerFormatError);
    expect(await storage.read(name)).toEqual(before);
  });
});

describe("a server that gives no token", () => {
  it("is asked again at the next try when it was away (P-3.1.3-16: or had forgotten)", async () => {
    const { own, wire, faults } = await site();
    for (const condition of ["service-unavailable", "remote-server-not-found", "item-not-found"]) {
      wire.peer(one, tokenPeer("one", { asked: () => ({ error: condition }) }).peer);
      await expect(own.get(one, never)).rejects.toMatchObject({ condition });
    }
    wire.peer(one, tokenPeer("one", { asked: () => ({ error: "undefined-condition", type: "wait" }) }).peer);
    await expect(own.get(one, never)).rejects.toMatchObject({ type: "wait" });
    expect(faults).toEqual([]);
  });

  it("is told at once when it refuses, and asked again in an hour", async () => {
    const { own, wire, faults, clock } = await site();
    wire.peer(one, tokenPeer("one", { asked: () => ({ error: "forbidden" }) }).peer);
    let ended = false;
    const getting = own.get(one, never).finally(() => (ended = true));
    getting.catch(() => undefined);
    await settled();
    expect(faults).toEqual(["token: no token: one.example.org answered forbidden; asked again in an hour"]);
    await clock.advance(3_599_000);
    expect(ended).toBe(false);
    await clock.advance(2_000);
    await expect(getting).rejects.toMatchObject({ condition: "forbidden" });
  });
});

describe("a challenge to an own token", () => {
  it("P-3.1.3-20: is decrypted, in both paddings; to anybody else's token there is nothing to say", async () => {
    const { own } = await site();
    await own.get(one, never);
    for (const padding of ["oaep", "pkcs1"] as const) {
      expect(await own.decryptChallenge("one-token-1", encrypt(device.key, message, padding))).toEqual(message);
    }
    for (const token of ["", "one-token", "one-token-1 ", "two-token-1"]) {
      expect(own.decryptChallenge(token, encrypt(device.key, message, "oaep"))).toBeUndefined();
    }
  });

  it("P-E12: that is broken comes to one error, with nothing of it in a fault", async () => {
    const { own, faults } = await site();
    await own.get(one, never);
    const broken = own.decryptChallenge("one-token-1", new Uint8Array(256));
    await expect(broken).rejects.toMatchObject({ message: "the challenge could not be decrypted" });
    expect(faults).toEqual([]);
  });

  it("P-E12: that a callback cannot decrypt comes to the same error; why is told on the device", async () => {
    let works = true;
    const decrypt = (block: Uint8Array): Uint8Array => {
      if (!works) throw new Error("slot 3 is locked");
      const how = { key: device.key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" };
      return new Uint8Array(privateDecrypt(how, block));
    };
    const { own, faults } = await site({ certificate: { content: device.cert, decrypt } });
    await own.get(one, never);
    const challenge = encrypt(device.key, message, "oaep");
    expect(await own.decryptChallenge("one-token-1", challenge)).toEqual(message);
    works = false;
    const error = { message: "the challenge could not be decrypted" };
    await expect(own.decryptChallenge("one-token-1", challenge)).rejects.toMatchObject(error);
    await expect(own.get(two, never)).rejects.toMatchObject(error);
    expect(faults).toEqual(Array(2).fill("token: certificate.decrypt failed: slot 3 is locked"));
  });
});

describe("a certificate that was given", () => {
  it("that cannot be used ends the start", async () => {
    await expect(site({ certificate: { file: "/nowhere" } })).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  it("that has expired is a fault, and used: the server decides", async () => {
    const old = deviceCertificate({ until: new Date(-86_400_000) });
    const { own, faults } = await site({ certificate: { content: old.cert + old.keyPem } });
    expect(faults).toEqual([
      "certificate: the certificate has expired on 1969-12-31T00:00:00.000Z; provisioning servers may not take it any more",
    ]);
    await own.get(one, never);
    expect(own.ownTokens()).toEqual(["one-token-1"]);
  });

  it("keeps its passphrase to itself, and stays in a factory reset", async () => {
    const { own } = await site({ certificate: { ...given, passphrase: "geheim" } });
    await own.get(one, never);
    expect(own.secrets()).toEqual(["one-token-1", "geheim"]);
    await own.clear();
    expect([own.ownTokens(), own.secrets()]).toEqual([[], ["geheim"]]);
    await own.get(one, never);
    expect(own.ownTokens()).toEqual(["one-token-2"]);
  });
});

describe("a certificate that is made on the Thing", () => {
  it("P-3.1.3-2: names it, has an RSA key and no end, and is kept: 0600", async () => {
    folder = await mkdtemp(join(tmpdir(), "xmpp-thing-made-"));
    const storage = fileStorage(folder);
    await storage.open();
    try {
      const { own, servers, logger } = await site({
        storage,
        certificate: { make: true },
        jid: "thing-1@example.org/home",
      });
      expect((await certificateDocument(storage).load()).value).toBeUndefined(); // only when it is needed
      await Promise.all([own.get(one, never), own.get(two, never)]);
      const { value } = await certificateDocument(storage).load();
      const made = new X509Certificate(new Uint8Array(Buffer.from(value?.certificate ?? "", "base64")));
      expect(made.subject).toBe("CN=thing-1@example.org");
      expect(made.verify(made.publicKey)).toBe(true);
      expect(made.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
      expect([new Date(made.validFrom).getUTCFullYear(), new Date(made.validTo).getUTCFullYear()]).toEqual([
        2000, 9999,
      ]);
      expect([servers.one.shown, servers.two.shown]).toEqual([[made.fingerprint256], [made.fingerprint256]]);
      for (const name of await readdir(folder)) {
        if (!name.startsWith(".lock-")) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
      }
      expect(logger.lines.join("\n")).toMatch(/making a key .*made the Thing's certificate/s);
      expect(logger.lines.join("\n")).not.toContain("PRIVATE KEY");
      const again = await site({ storage, certificate: { make: true } });
      expect(again.own.ownTokens()).toEqual(["one-token-1", "two-token-1"]);
      const challenge = encryptFor(made.publicKey, message, "pkcs1");
      expect(await again.own.decryptChallenge("one-token-1", challenge)).toEqual(message);
    } finally {
      await storage.close();
    }
  });

  it("is told of while it takes long", async () => {
    const { own, clock, logger } = await site({
      certificate: { make: { name: "A thermometer \u{1F321}", bits: 3072 } },
    });
    const getting = own.get(one, never);
    await clock.advance(25_000);
    await getting;
    expect(logger.lines.filter((line) => line.includes("still making the key"))).toHaveLength(2);
  });

  it("goes in a factory reset, also while it is being made; the next one is another", async () => {
    const storage = await failingStorage();
    const { own, servers } = await site({ storage, certificate: { make: true } });
    await own.get(one, never);
    await own.clear();
    expect([await storage.read("certificate"), await storage.read("tokens"), own.ownTokens()]).toEqual([
      undefined,
      undefined,
      [],
    ]);
    const getting = own.get(one, never);
    await settled();
    await own.clear();
    await expect(getting).rejects.toMatchObject({ code: "ERR_STATE" });
    expect(await storage.read("certificate")).toBeUndefined();
    await own.get(one, never);
    expect(new Set(servers.one.shown).size).toBe(2);
  });

  it("that could not be kept is not used; it is kept at the next try, and not made again", async () => {
    const storage = await failingStorage();
    const { own, wire, logger } = await site({ storage, certificate: { make: true } });
    storage.failing.add("replace");
    for (let i = 0; i < 3; i++) await expect(own.get(one, never)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(wire.sent).toEqual([]);
    storage.failing.clear();
    await own.get(one, never);
    expect(own.ownTokens()).toEqual(["one-token-1"]);
    expect(logger.lines.filter((line) => line.includes("made the Thing's certificate"))).toHaveLength(1);
    expect(await storage.read("certificate.previous")).toBeUndefined();
  });

  it("that could not be kept is another's after a factory reset", async () => {
    const storage = await failingStorage();
    const { own, logger } = await site({ storage, certificate: { make: true } });
    storage.failing.add("replace");
    await expect(own.get(one, never)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    await own.clear();
    await own.get(one, never);
    expect(logger.lines.filter((line) => line.includes("made the Thing's certificate"))).toHaveLength(2);
  });

  it("names an address of any letters, cut between two of them", async () => {
    const local = `${"a".repeat(63)}\u{20000}`;
    const { own, storage } = await site({ certificate: { make: true }, jid: `${local}@example.org/x` });
    await own.get(one, never);
    const { value } = await certificateDocument(storage).load();
    const der = new Uint8Array(Buffer.from(value?.certificate ?? "", "base64"));
    expect(new X509Certificate(der).toLegacyObject().subject.CN).toBe(local);
  });

  it("that is damaged is a fault, and no other takes its place before a factory reset", async () => {
    const storage = await failingStorage();
    const first = await site({ storage, certificate: { make: true } });
    await first.own.get(one, never);
    await storage.replace("certificate", new TextEncoder().encode("nonsense"));
    const { own, wire, faults } = await site({ storage, certificate: { make: true } });
    expect(faults).toEqual([expect.stringMatching(/^certificate: "certificate" is damaged/)]);
    await own.get(one, never);
    expect([wire.sent, own.ownTokens()]).toEqual([[], []]);
    await own.clear();
    await own.get(one, never);
    expect(own.ownTokens()).toEqual(["one-token-1"]);
  });

  it("is read with its own key only", () => {
    const { certificate, key } = { certificate: Buffer.from(device.der).toString("base64"), key: device.keyPem };
    expect(parseSavedCertificate({ certificate, key })).toEqual({ certificate, key });
    const other = rsaKey("other").export({ type: "pkcs8", format: "pem" }).toString();
    expect(() => parseSavedCertificate({ certificate, key: other })).toThrow("another certificate's");
    for (const value of [null, {}, { certificate }, { certificate: 1, key }]) {
      expect(() => parseSavedCertificate(value)).toThrow("no certificate");
    }
    expect(() => parseSavedCertificate({ certificate: "AAAA", key })).toThrow();
  });
});
