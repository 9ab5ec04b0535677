import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import {
  checkProvisioning,
  checkRegistry,
  searchOnly,
  type ProvisioningMethods,
  type RegistryMethods,
} from "../../src/discovery/service-options.ts";

const noRegistry = { component: undefined, jid: undefined, subdomain: undefined, username: undefined };
const noServer = { servers: [], subdomain: undefined, username: undefined };

describe("the option registry", () => {
  test("D-3.5-1: is a search by default, and for {}", () => {
    expect(checkRegistry(undefined, false)).toEqual({ address: undefined, ways: searchOnly });
    expect(checkRegistry({}, false)).toEqual({ address: undefined, ways: searchOnly });
    expect(checkRegistry({ search: true }, false).ways).toEqual(searchOnly);
  });

  test("as a text is the address itself, normalised", () => {
    expect(checkRegistry("Discovery.Example.org", false).address).toBe("discovery.example.org");
    expect(checkRegistry("registry@example.org", false).address).toBe("registry@example.org");
  });

  test("as ways keeps them, normalised, and searches only if told to", () => {
    const all: RegistryMethods = {
      component: "Discovery.example.org",
      jid: "Registry@example.org",
      subdomain: "IoT.Discovery",
      username: "Registry",
    };
    const ways = {
      component: "discovery.example.org",
      jid: "registry@example.org",
      subdomain: "iot.discovery",
      username: "registry",
      search: false,
    };
    expect(checkRegistry(all, true)).toEqual({ address: undefined, ways });
    expect(checkRegistry({ ...all, search: true }, true).ways).toEqual({ ...ways, search: true });
    expect(checkRegistry({ subdomain: "d" }, false).ways).toEqual({ ...noRegistry, subdomain: "d", search: false });
  });

  const wrong: [string, unknown, string][] = [
    ["nothing that is an address", 7, "registry: must be an address, or ways to find one"],
    ["null", null, "registry: must be an address, or ways to find one"],
    ["a JID that is none", "@", 'registry: "@" is not a JID'],
    ["an address with a resource", "a.b/c", 'registry: "a.b/c" must have no resource'],
    ["an unknown way", { host: "x" }, 'registry: there is no option "host"; there are component, jid, subdomain'],
    ["a component that is no text", { component: 7 }, "registry.component: must be an address"],
    [
      "an account as component",
      { component: "a@b.c" },
      'registry.component: "a@b.c" is an account: call it registry.jid',
    ],
    ["a component as JID", { jid: "a.b" }, 'registry.jid: "a.b" is a component: call it registry.component'],
    ["a JID with a resource", { jid: "a@b.c/d" }, 'registry.jid: "a@b.c/d" must have no resource'],
    [
      "a whole address as subdomain",
      { subdomain: "a@b" },
      'registry.subdomain: "a@b" must be what stands before the domain',
    ],
    [
      "an empty subdomain",
      { subdomain: "" },
      'registry.subdomain: "" must be what stands before the domain: discovery',
    ],
    ["a subdomain that is no text", { subdomain: 7 }, 'registry.subdomain: "7" must be'],
    [
      "a whole address as user name",
      { username: "a@b" },
      'registry.username: "a@b" must be what stands before the domain',
    ],
    ["an empty user name", { username: "" }, 'registry.username: "" must be'],
    ["a user name with a resource", { username: "a/b" }, 'registry.username: "a/b" must be'],
    ["a search that is neither on nor off", { search: "yes" }, "registry.search: must be true or false"],
    ["no way at all", { search: false }, "registry: with search: false there is no way left to find one"],
  ];

  test.each(wrong)("with %s is refused with ERR_CONFIG, by its name", (_, given, message) => {
    expect(() => checkRegistry(given as RegistryMethods, true)).toThrow(ConfigError);
    expect(() => checkRegistry(given as RegistryMethods, true)).toThrow(message);
  });
});

describe("the option provisioning", () => {
  test("D-3.11-2: asks the Registry and the owner, and searches, by default, for {} and for an empty list", () => {
    const ways = { ...noServer, registry: true, owner: true, search: true };
    for (const given of [undefined, {}, []]) expect(checkProvisioning(given, false)).toEqual({ servers: [], ways });
    expect(checkProvisioning({ owner: false }, false).ways).toEqual({ ...ways, owner: false });
  });

  test("as a list is trusted whole: the addresses, each once", () => {
    expect(checkProvisioning(["A.b", "p@a.b", "a.B"], false).servers).toEqual(["a.b", "p@a.b"]);
  });

  test("as ways keeps them, components before accounts, and does nothing else unless told to", () => {
    const methods: ProvisioningMethods = { servers: ["p@a.b", "A.b", "q@a.b", "c.d"], subdomain: "P", username: "U" };
    const ways = {
      servers: ["a.b", "c.d", "p@a.b", "q@a.b"],
      subdomain: "p",
      username: "u",
      registry: false,
      owner: false,
      search: false,
    };
    expect(checkProvisioning(methods, true)).toEqual({ servers: [], ways });
    const more = { registry: true, owner: true, search: true };
    expect(checkProvisioning({ ...methods, ...more }, true).ways).toEqual({ ...ways, ...more });
  });

  const off = { registry: false, owner: false, search: false };
  const wrong: [string, unknown, string][] = [
    ["one server for a list", "a.b", "provisioning: must be a list of addresses, or ways to find one"],
    ["a server that is no address", ["a.b", ""], 'provisioning[1]: "" is not a JID'],
    ["a server that is no text", [7], "provisioning[0]: must be an address"],
    ["an unknown way", { jid: "x" }, 'provisioning: there is no option "jid"; there are servers, subdomain, username'],
    ["servers that are no list", { servers: "a.b" }, "provisioning.servers: must be a list of addresses"],
    [
      "a server with a resource among the ways",
      { servers: ["a.b/c"] },
      'provisioning.servers[0]: "a.b/c" must have no',
    ],
    ["a whole address as subdomain", { subdomain: "a@b" }, 'provisioning.subdomain: "a@b" must be what stands'],
    ["an owner that is no switch", { owner: "bob@a.b" }, "provisioning.owner: must be true or false"],
    ["no way at all", off, "provisioning: with registry, owner and search switched off there is no way left"],
  ];

  test.each(wrong)("with %s is refused with ERR_CONFIG, by its name", (_, given, message) => {
    expect(() => checkProvisioning(given as ProvisioningMethods, true)).toThrow(ConfigError);
    expect(() => checkProvisioning(given as ProvisioningMethods, true)).toThrow(message);
  });
});

test("D-3.5-8, D-6.2-1, D-E21: a user name is refused where any server may be found: there anybody may have that account", () => {
  const message = "username: needs server.domain or server.service";
  expect(() => checkRegistry({ username: "registry" }, false)).toThrow(`registry.${message}`);
  expect(() => checkProvisioning({ username: "provisioning" }, false)).toThrow(`provisioning.${message}`);
  expect(checkRegistry({ username: "registry" }, true).ways.username).toBe("registry");
});
