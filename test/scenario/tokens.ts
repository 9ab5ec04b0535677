// A Thing with a certificate and the reference Provisioning Server, on every site: XEP-0324 3.1.1, 3.1.3.1, 3.1.5.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { certificateDocument } from "../../src/provisioning/made-certificate.ts";
import { tokensDocument } from "../../src/provisioning/token-store.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { deviceCertificate } from "../support/device-certificate.ts";
import { listeningLogger } from "../support/scripted-wire.ts";
import type { Site } from "../support/site.ts";

const within = { timeout: 20_000, interval: 10 };

/** What is kept of tokens, also while the Thing runs. */
async function kept(storage: Storage): Promise<readonly string[]> {
  const { value } = await tokensDocument(storage).load();
  return value?.tokens.map(({ server, token }) => `${server} ${token}`) ?? [];
}

/** The tests of tokens, on a new site each. */
export function tokensOfAThing(startSite: () => Promise<Site>): void {
  const device = deviceCertificate();
  let site: Site;
  let things: Thing[] = [];
  beforeEach(async () => (site = await startSite()));
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(things.map((thing) => thing.stop()));
    things = [];
    await site.stop();
  });

  const start = async (storage: Storage, overrides: Partial<ThingOptions> = {}): Promise<Thing> => {
    const thing = site.thing(storage, {
      certificate: { content: device.cert + device.keyPem },
      provisioning: [site.provisioning.jid],
      ...overrides,
    });
    things.push(thing);
    await thing.start();
    return thing;
  };
  /** How often a token was asked for. */
  const asked = (): number =>
    site.hold.heard.filter((stanza) => stanza.getChild("getToken", ns.provisioning) !== undefined).length;
  const ours = () => site.provisioning.identities.filter(({ subject }) => subject.includes("device 4711"));

  it.each(["oaep", "pkcs1"] as const)(
    "P-3.1.1-11, P-3.1.1-13, P-3.1.3-2, P-3.1.3-10, P-3.1.3-12, P-E12: a preprogrammed server gives a token, padding by %s",
    async (padding) => {
      site.provisioning.padding = padding;
      const storage = memoryStorage();
      await start(storage);
      await vi.waitFor(async () => expect(await kept(storage)).toHaveLength(1), within);
      const fingerprint = device.certificate.fingerprint256.replaceAll(":", "").toLowerCase();
      expect(ours()).toMatchObject([{ fingerprint, hasToken: true }]);
      expect((await kept(storage))[0]).toMatch(new RegExp(`^${site.provisioning.jid} \\S+$`));
    },
  );

  it("P-3.1.1-14: is not asked again after a restart, nor on another stream", async () => {
    const storage = memoryStorage();
    const first = await start(storage);
    await vi.waitFor(async () => expect(await kept(storage)).toHaveLength(1), within);
    const before = await kept(storage);
    await site.cut(first);
    await first.waitFor(({ link }) => link.is === "online", within);
    await first.stop();
    const second = await start(storage);
    await second.waitFor("registered", within);
    // Tokens are asked for side by side with the registration.
    expect(asked()).toBe(1);
    await second.stop();
    await storage.open();
    expect(await kept(storage)).toEqual(before);
    await storage.close();
  });

  it("P-E14: without a certificate nobody is asked", async () => {
    const storage = memoryStorage();
    const thing = site.thing(storage, { provisioning: [site.provisioning.jid] });
    things.push(thing);
    await thing.start();
    await thing.waitFor("registered", within);
    expect([asked(), await kept(storage)]).toEqual([0, []]);
  });

  it("X-E4: a factory reset forgets token and own certificate; another is made, with another token", async () => {
    const storage = memoryStorage();
    const logger = listeningLogger();
    const thing = await start(storage, { certificate: { make: true }, logger });
    await vi.waitFor(async () => expect(await kept(storage)).toHaveLength(1), within);
    const before = (await certificateDocument(storage).load()).value;
    const [token] = await kept(storage);
    await thing.reset();
    await thing.stop();
    await storage.open();
    expect([await kept(storage), (await certificateDocument(storage).load()).value]).toEqual([[], undefined]);
    await storage.close();
    await start(storage, { certificate: { make: true } });
    await vi.waitFor(async () => expect(await kept(storage)).toHaveLength(1), within);
    const after = (await certificateDocument(storage).load()).value;
    expect(after).not.toEqual(before);
    expect(await kept(storage)).not.toEqual([token]);
    expect(logger.lines.join("\n")).toContain("made the Thing's certificate");
  });

  it("shows neither token nor challenge in trace, log, faults and events", async () => {
    const seen: string[] = [];
    for (const method of ["debug", "error", "log", "info", "warn"] as const) {
      vi.spyOn(console, method).mockImplementation(
        (...words: unknown[]) => void seen.push(words.map(String).join(" ")),
      );
    }
    const storage = memoryStorage();
    const logger = listeningLogger();
    const thing = await start(storage, { logger, debug: true });
    thing.on("fault", ({ code, message }) => void seen.push(`${code} ${message}`));
    await vi.waitFor(async () => expect(await kept(storage)).toHaveLength(1), within);
    const { value } = await tokensDocument(storage).load();
    const secrets = [
      value?.tokens[0]?.token ?? "",
      ...site.hold.heard.flatMap((stanza) => {
        const answer = stanza.getChild("getTokenChallengeResponse", ns.provisioning);
        return answer === undefined ? [] : [answer.text()];
      }),
    ];
    expect(secrets).toHaveLength(2);
    await thing.stop();
    const output = [...seen, ...logger.lines].join("\n");
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(8);
      expect(output).not.toContain(secret);
    }
  });

  it("a server that refuses is a fault, and the Thing goes on without the token", async () => {
    const other = deviceCertificate({ name: "device 4711", until: new Date(Date.now() - 3_600_000) });
    const storage = memoryStorage();
    const faults: string[] = [];
    const thing = site.thing(storage, {
      certificate: { content: other.cert + other.keyPem },
      provisioning: [site.provisioning.jid],
    });
    things.push(thing);
    thing.on("fault", ({ code, message }) => void faults.push(`${code}: ${message}`));
    await thing.start();
    await vi.waitFor(() => expect(faults.join("\n")).toMatch(/^token: no token: .*not-acceptable/m), within);
    expect(faults.join("\n")).toMatch(/^certificate: the certificate has expired on /m);
    await thing.waitFor("registered", within);
    expect(await kept(storage)).toEqual([]);
  });
}
