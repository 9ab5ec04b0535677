import { X509Certificate } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { buildClearCache } from "../../src/codec/provisioning.ts";
import { buildTokenChallenge, parseTokenChallengeResponse } from "../../src/codec/token-challenge.ts";
import { toCredentials } from "../../src/service/credentials.ts";
import { checkServiceOptions, type ServiceOptions } from "../../src/service/options.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { ServiceClient } from "../../src/service/service-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { StateError } from "../../src/core/errors.ts";
import type { Outcome } from "../support/scripted-wire.ts";
import { deviceCertificate, encryptFor } from "../support/device-certificate.ts";
import { authority, provisioning, scriptedService, type ScriptedService } from "../support/scripted-service.ts";

const soon = { timeout: 5_000, interval: 5 };
const device = deviceCertificate({ name: "energy" });
let site: ScriptedService | undefined;
afterEach(async () => {
  await site?.service.close();
  site = undefined;
});

describe("challenges of the service's token", () => {
  const bytes = new TextEncoder().encode("show that it is yours");
  const challengeOf = (token: string) =>
    buildTokenChallenge({ token, challenge: encryptFor(device.certificate.publicKey, bytes, "oaep") });

  it("P-3.1.3-20, P-3.1.3-24, P-6.2-1: are answered for 60 s to whom it was sent, and to nobody else", async () => {
    site = await scriptedService({ [provisioning]: authority() });
    const { service, wire, clock } = site;
    const token = `${provisioning}-token-1`;
    const early = await wire().ask("stranger@example.org/x", "get", challengeOf(token));
    expect(early.condition).toBe("forbidden");
    await service.canAccess({});
    const { payload } = await wire().ask(provisioning, "get", challengeOf(token));
    expect(parseTokenChallengeResponse(payload).response).toEqual(bytes);
    expect((await wire().ask(provisioning, "get", challengeOf("USER1"))).condition).toBe("forbidden");
    expect((await wire().ask("stranger@example.org/x", "get", challengeOf(token))).condition).toBe("forbidden");
    await clock.advance(60_001);
    expect((await wire().ask(provisioning, "get", challengeOf(token))).condition).toBe("forbidden");
  });
});

describe("the life of a service", () => {
  it("refuses listeners to what it never tells, and options that are left out", async () => {
    site = await scriptedService({ [provisioning]: authority() });
    const { service } = site;
    expect(() => service.on("faults" as "fault", () => undefined)).toThrow(
      'on: there is no event "faults"; there are fault, rightsCleared',
    );
    expect(service.listenerCount("faults" as "fault")).toBe(0);
    await expect(ServiceClient.connect(undefined as never)).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: "service: must be the address of the XMPP server, xmpp://host:port",
    });
  });

  it("P-3.1.1-14: gets its token once, and has it after a restart", async () => {
    const storage = memoryStorage();
    const server = authority();
    const got = (): number => server.asked.filter((payload) => payload.is("getToken")).length;
    site = await scriptedService({ [provisioning]: server }, { storage });
    await site.service.canAccess({});
    expect([got(), site.service.servers, site.service.jid?.full]).toEqual([
      1,
      [provisioning],
      "energy@example.org/service",
    ]);
    await site.service.close();
    expect(site.service.jid).toBeUndefined();
    await expect(site.service.canAccess({})).rejects.toMatchObject({ code: "ERR_STATE" });
    site = await scriptedService({ [provisioning]: server }, { storage });
    await site.service.canAccess({});
    expect(got()).toBe(1);
  });

  it("tells its fingerprint, by which people know it at the provisioning server, once there is a certificate", async () => {
    const { fingerprint256 } = new X509Certificate(device.cert);
    site = await scriptedService(
      { [provisioning]: authority() },
      { certificate: { content: device.cert + device.keyPem } },
    );
    expect(site.service.fingerprint).toBe(fingerprint256);
    await site.service.close();
    site = await scriptedService({}, { certificate: { make: true } });
    expect(site.service.fingerprint).toBeUndefined();
  });

  it("P-5.1-2: shows its servers where it is, on each stream", async () => {
    site = await scriptedService({ [provisioning]: authority() });
    const there = `available ${provisioning}`;
    await vi.waitFor(() => expect(site!.wire().presences).toEqual(["available", there]), soon);
    site.drop();
    site.up();
    await vi.waitFor(() => expect(site!.wire().presences).toEqual(["available", there]), soon);
  });

  it("P-3.5.1-2: a server that was away hears again where it is, until it is there", async () => {
    const server = authority();
    server.instead = (payload) => (payload.is("ping") ? { error: "remote-server-not-found" } : "go on");
    site = await scriptedService({ [provisioning]: server });
    const { wire, clock } = site;
    const told = (): number => wire().presences.filter((one) => one === `available ${provisioning}`).length;
    await vi.waitFor(() => expect(told()).toBe(2), soon);
    server.instead = () => "go on";
    const pings = (): number => server.asked.filter((payload) => payload.is("ping")).length;
    const before = pings();
    await vi.waitFor(async () => {
      await clock.advance(1_000);
      expect(pings()).toBeGreaterThan(before);
    }, soon);
    const after = told();
    await clock.advance(600_000);
    expect(told()).toBe(after);
  });

  it("finds its server among the components, if none is named", async () => {
    const sandbox = await startSandbox();
    const { service: address, domain, ca } = sandbox;
    const service = await ServiceClient.connect({
      ...{ service: address, domain, tls: { ca } },
      account: { username: "energy", password: "secret", register: true },
      certificate: { content: device.cert + device.keyPem },
      storage: memoryStorage(),
    });
    try {
      sandbox.provisioning.setRules([{ access: true }]);
      expect(await service.canAccess({ protocol: "Internal" })).toBeDefined();
      expect(service.servers).toEqual([sandbox.provisioning.jid]);
    } finally {
      await service[Symbol.asyncDispose]();
      await sandbox.stop();
    }
  });

  it("accepts the friendship of its servers and of Things that it has asked, and of nobody else", async () => {
    const account = "provisioning@example.org";
    site = await scriptedService({ [account]: authority() });
    const { wire, service } = site;
    const ended = new AbortController();
    service.read("meter@example.org/x", { signal: ended.signal }).then(undefined, () => undefined);
    await vi.waitFor(() => expect(wire().asked("meter@example.org/x", "req")).toHaveLength(1), soon);
    for (const jid of [account, "meter@example.org", "piggy@example.org"]) wire().presence(jid, "subscribe");
    await vi.waitFor(() => expect(wire().presences).toContain("subscribed meter@example.org"), soon);
    expect(wire().presences).toContain(`subscribed ${account}`);
    expect(wire().presences.join()).not.toContain("piggy");
    ended.abort(new Error("enough"));
  });

  it("an account among its servers is shown no presence of its own accord while it is away: friendship does that", async () => {
    const account = "provisioning@example.org";
    const server = authority();
    server.instead = (payload) => (payload.is("ping") ? { error: "remote-server-not-found" } : "go on");
    site = await scriptedService({ [account]: server });
    await vi.waitFor(() => expect(site!.wire().presences).toContain(`subscribe ${account}`), soon);
    await site.clock.advance(60_000);
    expect(site.wire().presences.filter((one) => one.includes("available"))).toEqual(["available"]);
  });

  it("of the Things that it has asked it remembers the last 1,000", async () => {
    site = await scriptedService({ [provisioning]: authority() });
    const { wire, service } = site;
    const ended = AbortSignal.abort(new Error("enough"));
    const readings = Array.from({ length: 1_001 }, (_, i) =>
      service.read(`thing${i}@example.org/x`, { signal: ended }),
    );
    await Promise.allSettled(readings);
    for (const i of [0, 1]) wire().presence(`thing${i}@example.org`, "subscribe");
    await vi.waitFor(() => expect(wire().presences).toContain("subscribed thing1@example.org"), soon);
    expect(wire().presences).not.toContain("subscribed thing0@example.org");
  });

  it("a Thing that is named by its account is asked for friendship first", async () => {
    site = await scriptedService({ [provisioning]: authority() });
    const ended = new AbortController();
    const reading = Promise.resolve(site.service.read("meter@example.org", { signal: ended.signal }));
    await vi.waitFor(() => expect(site!.wire().presences).toContain("subscribe meter@example.org"), soon);
    ended.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });

  it("a listener that throws is a fault and keeps nothing from happening; the same fault again is told with a count", async () => {
    site = await scriptedService({ [provisioning]: authority() });
    const { service, wire, faults, logger, clock } = site;
    const causes: unknown[] = [];
    service.on("fault", ({ cause }) => void causes.push(cause));
    const failures = [new StateError("not now"), new Error("never")];
    service.on("rightsCleared", () => {
      throw failures.shift() ?? new Error("never");
    });
    const clear = (): Promise<Outcome> => wire().ask(provisioning, "set", buildClearCache());
    expect((await clear()).type).toBe("result");
    expect((await clear()).type).toBe("result");
    await vi.waitFor(() => expect(faults).toEqual(["listener-failed: not now", "listener-failed: never"]), soon);
    expect(causes).toEqual([expect.any(StateError), undefined]);
    await clear();
    await clock.advance(60_000);
    await clear();
    await vi.waitFor(() => expect(faults).toHaveLength(3), soon);
    expect(logger.lines.join("\n")).toMatch(/never \(.*2/);
  });

  it("a token that is refused is a fault, which shows no secret, and a question that waits for it ends in time", async () => {
    const server = authority();
    server.instead = (payload) => (payload.is("getToken") ? { error: "not-acceptable" } : "go on");
    site = await scriptedService({ [provisioning]: server });
    const { service, faults, clock } = site;
    service.on("fault", () => {
      throw new Error("a listener that fails");
    });
    const outcome = expect(service.canAccess({}, { timeout: 1_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await vi.waitFor(() => expect(faults.join("\n")).toMatch(/^token: no token: .*not-acceptable/), soon);
    await clock.advance(1_000);
    await outcome;
    expect(server.asked.some((payload) => payload.is("canAccess"))).toBe(false);
  });
});

describe("options", () => {
  const good: ServiceOptions = {
    service: "xmpp://example.org",
    account: { username: "energy", password: "secret" },
    certificate: { make: true },
    storage: memoryStorage(),
  };

  it("must be there at all", async () => {
    await expect(ServiceClient.connect(undefined as never)).rejects.toThrow();
    expect(() => checkServiceOptions(undefined as never)).toThrow("service: must be the address");
  });

  it("are completed", () => {
    expect(checkServiceOptions(good)).toMatchObject({
      address: { domain: "example.org", port: 5222 },
      account: { resource: "service", register: false },
      provisioning: [],
    });
  });

  it.each([
    ["service", { service: undefined }],
    ["storage", { storage: {} }],
    ["certificate", { certificate: undefined }],
    ["provisioning", { provisioning: "provisioning.example.org" }],
    ["provisioning[0]", { provisioning: ["a@b/c"] }],
    ["debug", { debug: "yes" }],
    ["account", { account: undefined }],
    ["account.password", { account: { username: "a", password: "" } }],
    ["account.username", { account: { username: "a/b", password: "x" } }],
    ["account.resource", { account: { username: "a", password: "x", resource: "\u0000" } }],
    ["keepalive", { keepalive: { idle: "soon" } }],
    ["account.register", { account: { username: "a", password: "x", register: 1 } }],
    ["logger", { logger: {} }],
    ["timeout", { timeout: "30s" }],
    ["there is no option", { certficate: {} }],
  ])("name what is wrong: %s", async (path, wrong) => {
    const connecting = ServiceClient.connect({ ...good, ...wrong } as never);
    await expect(connecting).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(path) as string,
    });
  });

  it("a server that cannot be reached ends the call, and gives the storage back", async () => {
    const storage = memoryStorage();
    const connecting = ServiceClient.connect({
      ...good,
      service: "xmpp://127.0.0.1:1",
      domain: "example.org",
      storage,
    });
    await expect(connecting).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    await storage.open();
    await storage.close();
  });
});

describe("credentials", () => {
  it("P-3.6.2-4: an address as Node.js gives it goes as what it is", () => {
    expect(toCredentials({ ip: "::ffff:10.0.0.1" })).toEqual([{ type: "ip4", value: "10.0.0.1" }]);
    expect(toCredentials({ ip: "fe80::1%eth0" })).toEqual([{ type: "ip6", value: "fe80::1" }]);
    expect(toCredentials({ ip: undefined, userName: undefined })).toEqual([]);
  });

  it("several of a kind are a list; bytes are copied", () => {
    const bytes = new Uint8Array([1]);
    const list = toCredentials([
      { type: "userName", value: "Kermit" },
      { type: "x509Certificate", value: bytes },
    ]);
    bytes[0] = 2;
    expect(list).toEqual([
      { type: "userName", value: "Kermit" },
      { type: "x509Certificate", value: new Uint8Array([1]) },
    ]);
  });

  it.each([
    [{ ip: 7 }, "credentials.ip"],
    [{ ip: "here" }, "credentials.ip"],
    [{ ip: "10.0.0.300" }, "credentials.ip: not an IPv4 address, four numbers from 0 to 255"],
    [{ ip: "::ffff:10.0.0.300" }, "credentials.ip: not an IPv4 address"],
    [{ ip: "2001:db8::g" }, "credentials.ip: not an IPv6 address"],
    [{ ip4: "::1" }, "credentials.ip4"],
    [{ longitude: NaN }, "credentials.longitude"],
    [{ sso: "\ud800" }, "credentials.sso"],
    [{ sso: "x".repeat(8_193) }, "credentials.sso"],
    [
      { protocol: "http" },
      "credentials.protocol: not one of XMPP, HTTP, HTTPS, TcpSocket, UdpSocket, Queue, Internal, Other",
    ],
    [{ shoeSize: 42 }, "credentials"],
    [[{ type: "shoeSize", value: "42" }], "credentials[0].type"],
    [[{ type: "ip4", value: "x" }], "credentials[0]"],
    [Array.from({ length: 65 }, () => ({ type: "userName", value: "x" })), "credentials"],
  ])("that are none are refused: %j", (given, path) => {
    expect(() => toCredentials(given as never)).toThrow(path);
  });
});
