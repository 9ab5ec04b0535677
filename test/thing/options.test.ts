import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import type { ServerAddress } from "../../src/discovery/address.ts";
import type { FoundServer } from "../../src/discovery/candidate.ts";
import type { Finder } from "../../src/discovery/finder.ts";
import { checkDiscovery } from "../../src/discovery/options.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { searchOnly } from "../../src/discovery/service-options.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { checkOptions, type ThingOptions } from "../../src/thing/options.ts";
import { onlyBy } from "../support/finders.ts";
import { makeAuthority } from "../support/certificates.ts";
import { withKey } from "../../src/thing/tags.ts";

const storage = memoryStorage();
const none = { subdomain: undefined, username: undefined };
const least: ThingOptions = { storage, server: { service: "xmpp://example.org" } };
const at = (address: ServerAddress) => ({ address, domain: address.domain, discovery: checkDiscovery({}) });
const finder: Finder = { name: "test", find: () => [] as unknown as AsyncIterable<FoundServer> };
const ca = makeAuthority("a test").cert;
const control = [{ name: "LED", type: "boolean" as const, set: () => undefined }];
const sensor = { fields: [{ name: "T" }], read: () => [] };

const ways = {
  registry: searchOnly,
  provisioning: { servers: [], ...none, registry: true, owner: true, search: true },
};

describe("the options of a Thing", () => {
  test("need no more than a storage and a server", () => {
    expect(checkOptions(least)).toEqual({
      storage,
      server: at({ host: "example.org", port: 5222, directTls: false, domain: "example.org" }),
      tags: [],
      tagsAfterClaim: [],
      selfOwned: false,
      sensor: undefined,
      control: [],
      account: {},
      tls: {},
      registry: undefined,
      provisioning: [],
      ways,
      rights: {},
      logger: silentLogger,
      clock: systemClock,
      random: systemRandom,
    });
  });

  test("are all taken over, addresses normalised, KEY last", () => {
    const [clock, random] = [new SimulatedClock(), new SeededRandom("x")];
    const settings = checkOptions({
      storage,
      server: { service: "xmpps://[::1]:5999", domain: "Example.ORG" },
      tags: { KEY: "k", sn: "1", V: 1.5 },
      tagsAfterClaim: { sn: "" },
      selfOwned: true,
      sensor,
      control,
      account: { username: "Thermometer", password: "p w" },
      tls: { ca },
      registry: "Discovery.example.org",
      provisioning: ["A.example.org", "b.example.org", "a.EXAMPLE.org"],
      rights: { maxEntries: 5, maxBytes: 1_000 },
      logger: silentLogger,
      clock,
      random,
    });
    expect(settings).toEqual({
      storage,
      server: at({ host: "::1", port: 5999, directTls: true, domain: "example.org" }),
      tags: [
        { name: "SN", type: "str", value: "1" },
        { name: "V", type: "num", value: 1.5, text: "1.5" },
        { name: "KEY", type: "str", value: "k" },
      ],
      tagsAfterClaim: [{ name: "SN", type: "str", value: "" }],
      selfOwned: true,
      sensor,
      control,
      account: { username: "Thermometer", password: "p w" },
      tls: { ca },
      registry: "discovery.example.org",
      provisioning: ["a.example.org", "b.example.org"],
      ways,
      rights: { maxEntries: 5, maxBytes: 1_000 },
      logger: silentLogger,
      clock,
      random,
    });
  });

  test("D-3.1-1, D-3.2-2: need no server: it is searched for, by whatever finders there are", () => {
    expect(checkOptions({ storage }).server).toEqual({
      address: undefined,
      domain: undefined,
      discovery: checkDiscovery({}),
    });
    expect(checkOptions({ storage, server: {} }).server).toEqual(checkOptions({ storage }).server);
    const { server } = checkOptions({ storage, server: { finders: [finder], timeout: 5 } });
    expect(server).toMatchObject({
      address: undefined,
      domain: undefined,
      discovery: { finders: [finder], timeout: 5 },
    });
  });

  test("D-3.1-1: take a domain alone: its servers are searched for; a password is for that one", () => {
    const { server, account } = checkOptions({
      storage,
      server: { domain: "Example.ORG" },
      account: { password: "p" },
    });
    expect(server).toMatchObject({ address: undefined, domain: "example.org", discovery: { domain: "example.org" } });
    expect(account).toEqual({ password: "p" });
    expect(checkOptions({ storage, account: { username: "thermometer" } }).account).toEqual({
      username: "thermometer",
    });
  });

  const wrong: [string, Record<string, unknown>, string][] = [
    ["no storage", { storage: undefined }, "storage: must be a Storage"],
    ["a folder for a storage", { storage: "/var/lib/thing" }, "storage: must be a Storage"],
    ["half a storage", { storage: { ...storage, replace: () => undefined } }, "storage: must be a Storage"],
    ["a server as a text", { server: "xmpp://example.org" }, "server: must be an object"],
    ["no object for a server", { server: null }, "server: must be an object"],
    ["a service that is no text", { server: { service: 5222 } }, "server.service: must be the address"],
    ["what is no option of a server", { server: { host: "x" } }, 'server: there is no option "host"'],
    ["a domain alone that is none", { server: { domain: "a@b" } }, 'server.domain: "a@b"'],
    ["a finder that is none", { server: { finders: [{}] } }, "server.finders: must be a list of finders"],
    ["a search without end", { server: { timeout: 0 } }, "server.timeout: must be a whole number"],
    [
      "no way to find a server",
      { server: onlyBy() },
      "server: every way to search is switched off, and there is neither",
    ],
    [
      "a service, and how to search for one",
      { server: { service: "xmpp://example.org", finders: [finder] } },
      "server.finders: says how to search for a server, but with server.service nothing is searched for",
    ],
    [
      "a password for whatever server is found",
      { server: {}, account: { password: "hunter2" } },
      "account.password: needs server.domain or server.service, which say whose password it is",
    ],
    ["a service that is none", { server: { service: "http://example.org" } }, 'server.service: "http://example.org"'],
    [
      "a service at an IP address without a domain",
      { server: { service: "xmpp://127.0.0.1" } },
      "server.service: 127.0.0.1",
    ],
    ["a domain that is none", { server: { service: "xmpp://127.0.0.1", domain: "a@b" } }, 'server.domain: "a@b"'],
    ["a tag that is no text", { tags: { SN: true } }, "tags.SN"],
    ["a tag of the wrong type", { tags: { V: "1.0" } }, "tags.V"],
    ["a tag with a forbidden name", { tags: { "A;B": "1" } }, "tags.A;B"],
    ["an empty KEY", { tags: { SN: "1", key: "" } }, "tags.KEY: must not be empty"],
    ["a sensor that cannot be read", { sensor: { fields: [] } }, "sensor.read"],
    ["control that is no list", { control: {} }, "control"],
    ["a parameter without a name", { control: [{ type: "boolean" }] }, "control[0]"],
    ["a field without a name", { sensor: { fields: [{}], read: () => [] } }, "sensor.fields[0]"],
    ["an authority by its path", { tls: { ca: "/etc/ca.pem" } }, 'tls.ca: "/etc/ca.pem" is the name of a file'],
    ["an authority that is no certificate", { tls: { ca: "PEM" } }, "tls.ca: no certificate in it"],
    ["an empty user name", { account: { username: "" } }, "account.username: must not be empty"],
    ["an empty password", { account: { password: "" } }, "account.password: must not be empty"],
    ["a password that XML cannot hold", { account: { password: "\u0000" } }, "account.password: holds what"],
    ["a user name that XML cannot hold", { account: { username: "a\u0007" } }, "account.username: holds what"],
    ["a user name that is an address", { account: { username: "a@b" } }, "account.username"],
    ["a user name with a blank", { account: { username: "a b" } }, "account.username"],
    ["a user name with a slash", { account: { username: "a/b" } }, "account.username"],
    ["a user name with an address and a slash", { account: { username: "a@b/c" } }, "account.username"],
    ["a Registry that is no address", { registry: "@" }, "registry"],
    [
      "a Registry with a resource",
      { registry: "discovery.example.org/x" },
      'registry: "discovery.example.org/x" must have no',
    ],
    ["one server for a list", { provisioning: "provisioning.example.org" }, "provisioning: must be a list"],
    ["a server that is no address", { provisioning: ["a.b", ""] }, "provisioning[1]"],
    ["a Registry as a list", { registry: 7 }, "registry: must be an address, or ways to find one"],
    [
      "a user name on a server that is searched for",
      { server: {}, registry: { username: "registry" } },
      "registry.username: needs server.domain or server.service",
    ],
    [
      "a server's user name without any server",
      { server: undefined, provisioning: { username: "provisioning" } },
      "provisioning.username: needs server.domain or server.service",
    ],
    ["an unknown way to a Registry", { registry: { host: "x" } }, 'registry: there is no option "host"'],
    ["an unknown way to a server", { provisioning: { jid: "x" } }, 'provisioning: there is no option "jid"'],
    ["an account with a resource", { provisioning: ["a.b", "p@a.b/c"] }, "provisioning[1]"],
    ["a server with a resource", { provisioning: ["a.b/c"] }, "provisioning[0]"],
    ...[0, -1, 1.5, NaN, Infinity, "10"].flatMap((value): [string, Record<string, unknown>, string][] => [
      [`${value} for the most entries`, { rights: { maxEntries: value } }, "rights.maxEntries"],
      [`${value} for the most bytes`, { rights: { maxBytes: value } }, "rights.maxBytes"],
    ]),
    ...["tags", "sensor", "account", "tls", "keepalive", "rights"].flatMap((option) =>
      [60, "text", []].map((value): [string, Record<string, unknown>, string] => [
        `${JSON.stringify(value)} for ${option}`,
        { [option]: value },
        `${option}: must be an object, `,
      ]),
    ),
    ["a list for a server", { server: [] }, "server: must be an object"],
    ["a user name that is no text", { account: { username: 5 } }, "account.username: must be a text"],
    ["what is no option of an account", { account: { user: "anna" } }, 'account: there is no option "user"'],
    ["what is no option of rights", { rights: { max: 5 } }, 'rights: there is no option "max"'],
    [
      "a time as a text",
      { rights: { gather: "30s" } },
      "rights.gather: must be a whole number of milliseconds from 1 to",
    ],
    [
      "an age below nothing",
      { rights: { maxAge: -1 } },
      "rights.maxAge: must be a whole number of milliseconds from 1 up",
    ],
    ["a logger that is a function", { logger: () => undefined }, "logger: must be an object with debug, info, warn"],
    ["half a clock", { clock: { now: () => 0 } }, "clock: must be an object with now, monotonic, schedule"],
    ["randomness that is a function", { random: Math.random }, "random: must be an object with bytes"],
    ["more entries than there is room for", { rights: { maxEntries: 1_000_001 } }, "rights.maxEntries"],
  ];

  test.each(wrong)("with %s are refused with ERR_CONFIG, by the option's name", (_, options, message) => {
    const all = { ...least, ...options };
    expect(() => checkOptions(all)).toThrow(ConfigError);
    expect(() => checkOptions(all)).toThrow(message);
  });

  test("never show a password in what they say", () => {
    const account = { username: "a@b", password: "hunter2\u0000" };
    for (const one of [account, { password: account.password }]) {
      expect(() => checkOptions({ ...least, account: one })).toThrow(expect.not.stringContaining("hunter2") as string);
    }
  });

  test("let the cache be as large as they allow at most", () => {
    const rights = { maxEntries: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER };
    checkOptions({ ...least, rights });
    const cache = new RightsCache({ storage, logger: silentLogger, onFault: () => undefined, ...rights });
    expect(cache.count).toBe(0);
  });
});

describe("the tags that are registered", () => {
  test("D-6.5-2: are those of the program, and behind them the KEY that was made", () => {
    const { tags } = checkOptions({ ...least, tags: { SN: "1", V: 2 } });
    expect(withKey(tags, "made").map(({ name, value }) => `${name}=${value}`)).toEqual(["SN=1", "V=2", "KEY=made"]);
    expect(withKey([], "made")).toEqual([{ name: "KEY", type: "str", value: "made" }]);
  });

  test("hold the program's own KEY, a sticker, as it is", () => {
    const { tags } = checkOptions({ ...least, tags: { Key: "on the sticker", SN: "1" } });
    expect(withKey(tags, "made").map(({ name, value }) => `${name}=${value}`)).toEqual(["SN=1", "KEY=on the sticker"]);
    const [first, second] = withKey([{ name: "KEY", type: "str", value: "k" }, ...tags.slice(0, 1)], "made");
    expect([first?.name, second?.name]).toEqual(["SN", "KEY"]);
  });
});

describe("keepalive", () => {
  test("may be longer, for a battery, or shorter", () => {
    const keepalive = { idle: 600_000, patience: 1_000 };
    expect(checkOptions({ ...least, keepalive }).keepalive).toEqual(keepalive);
  });

  test.each([
    [{ idle: 0 }, "keepalive.idle: must be a whole number of milliseconds from 1000 to 86400000"],
    [{ patience: 60.5 }, "keepalive.patience: must be a whole number of milliseconds from 1000 to 86400000"],
    [{ every: 5 }, 'keepalive: there is no option "every"; there are idle, patience'],
  ])("%o is refused", (keepalive, message) => {
    expect(() => checkOptions({ ...least, keepalive: keepalive as object })).toThrow(new ConfigError(message));
  });
});
