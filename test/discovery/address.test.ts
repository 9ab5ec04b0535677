import { describe, expect, it } from "vitest";
import { parseService } from "../../src/discovery/address.ts";

describe("a service", () => {
  it.each([
    ["xmpp://example.org", { host: "example.org", port: 5222, directTls: false, domain: "example.org" }],
    ["xmpps://example.org", { host: "example.org", port: 5223, directTls: true, domain: "example.org" }],
    ["xmpp://example.org:15222", { host: "example.org", port: 15222, directTls: false, domain: "example.org" }],
    ["XMPP://Example.ORG/", { host: "Example.ORG", port: 5222, directTls: false, domain: "example.org" }],
  ])("%s stands for its host as the domain", (text, address) => {
    expect(parseService(text)).toEqual(address);
  });

  it.each([
    ["xmpp://127.0.0.1:5", { host: "127.0.0.1", port: 5, directTls: false, domain: "example.org" }],
    ["xmpps://[::1]:5", { host: "::1", port: 5, directTls: true, domain: "example.org" }],
    ["xmpp://somewhere.else", { host: "somewhere.else", port: 5222, directTls: false, domain: "example.org" }],
  ])("%s can be anywhere when the domain is given", (text, address) => {
    expect(parseService(text, "Example.org")).toEqual(address);
  });

  it.each(["xmpp://127.0.0.1:5222", "xmpps://[::1]"])("%s names no domain", (text) => {
    expect(() => parseService(text)).toThrow(
      expect.objectContaining({
        code: "ERR_CONFIG",
        message: expect.stringContaining("give the domain too") as string,
      }),
    );
  });

  it.each([
    "",
    "example.org",
    "http://example.org",
    "ws://localhost:5280",
    "wss://localhost:5281",
    "xmpp://",
    "xmpp://example.org:0",
    "xmpp://example.org:65536",
    "xmpp://example.org:port",
    "xmpp://user@example.org",
    "xmpp://example.org/path",
    "xmpp://example.org?x",
    "xmpp://[1.2.3.4]",
    "xmpp://[::g]",
    "xmpp://exa mple.org",
  ])("%j is none", (text) => {
    expect(() => parseService(text, "example.org")).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
  });

  it.each(["", "user@example.org", "example.org/resource", "exa mple"])("%j is no domain", (domain) => {
    expect(() => parseService("xmpp://example.org", domain)).toThrow(/is not an XMPP domain/);
  });
});
