// The guard of all suites: it stops what would leave loopback, and lets through what does not.
import { spawnSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { lookup, Resolver, resolveSrv } from "node:dns";
import { lookup as lookupPromise, Resolver as PromiseResolver, resolve4 } from "node:dns/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { takeOutside } from "../support/no-outside-guard.mjs";

const sockets: Socket[] = [];
afterEach(() => sockets.splice(0).forEach((socket) => socket.close()));

function socket(type: "udp4" | "udp6" = "udp4"): Promise<Socket> {
  const made = createSocket(type);
  sockets.push(made);
  return new Promise((resolve) => made.bind(0, () => resolve(made)));
}

const nothing = (): void => undefined;
const loopback = "::%lo";

describe("the guard stops", () => {
  it.each<[string, () => unknown]>([
    ["TCP to 192.0.2.1 port 5222", () => connect(5222, "192.0.2.1")],
    ["TCP to 2001:db8::1 port 5222", () => connect({ host: "2001:db8::1", port: 5222 })],
    ["TCP to 192.0.2.1 port 5223", () => connectTls({ host: "192.0.2.1", port: 5223 })],
    ["a lookup of example.org", () => lookup("example.org", nothing)],
    ["a lookup of example.org", () => lookupPromise("example.org")],
    ["resolveSrv of _xmpp-client._tcp.example.org", () => resolveSrv("_xmpp-client._tcp.example.org", nothing)],
    ["resolve4 of example.org", () => resolve4("example.org")],
    ["resolveTxt of example.org", () => new Resolver().resolveTxt("example.org", nothing)],
    ["resolveSrv of example.org", () => new PromiseResolver().resolveSrv("example.org")],
    ["UDP to 192.0.2.1 port 53", async () => (await socket()).send("x", 53, "192.0.2.1")],
    ["UDP to 255.255.255.255 port 67", async () => (await socket()).send("x", 0, 1, 67, "255.255.255.255")],
    ["UDP to server.example port 67", async () => (await socket()).send("x", 67, "server.example")],
    ["UDP to 192.0.2.1 port 9", async () => (await socket()).connect(9, "192.0.2.1")],
    ["multicast to 224.0.0.251 port 5353", async () => (await socket()).send("x", 5353, "224.0.0.251")],
    ["multicast to ff02::fb port 5353", async () => (await socket("udp6")).send("x", 5353, "ff02::fb")],
    ["multicast through 192.0.2.1", async () => (await socket()).setMulticastInterface("192.0.2.1")],
    ["membership of 224.0.0.251 through any interface", async () => (await socket()).addMembership("224.0.0.251")],
    ["membership of ff02::fb through ::%eth9", async () => (await socket("udp6")).addMembership("ff02::fb", "::%eth9")],
  ])("%s", async (what, leave) => {
    await expect(Promise.resolve().then(leave)).rejects.toThrow(`the tests stay on loopback: ${what}`);
    expect(takeOutside()).toEqual([what]);
    expect(takeOutside()).toEqual([]);
  });

  it("a name that a lookup of one's own takes somewhere else", async () => {
    const error = await new Promise((resolve) => {
      const lookup = (_name: string, _options: unknown, done: (error: null, address: string, family: number) => void) =>
        done(null, "192.0.2.1", 4);
      connect({ host: "server.example", port: 5222, autoSelectFamily: false, lookup }).on("error", resolve);
    });
    expect(String(error)).toContain("the tests stay on loopback");
    expect(takeOutside()).toEqual(["TCP to server.example (192.0.2.1) port 5222"]);
  });

  it("a process that a test has started", () => {
    const child = spawnSync(process.execPath, ["-e", 'require("net").connect(5222, "192.0.2.1")'], {
      encoding: "utf8",
    });
    expect(child.stderr).toContain("the tests stay on loopback");
    expect(takeOutside()).toEqual(["TCP to 192.0.2.1 port 5222"]);
  });
});

describe("the guard lets through", () => {
  it("connections to this machine, by address and by name", async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    for (const host of ["127.0.0.1", "localhost", "::ffff:127.0.0.1", undefined]) {
      await new Promise<void>((resolve, reject) => {
        connect({ port, ...(host !== undefined && { host }) })
          .on("connect", resolve)
          .on("error", reject)
          .resume();
      });
    }
    await new Promise((resolve) => server.close(resolve));
  });

  it("datagrams, multicast and broadcast on loopback", async () => {
    const [one, other] = [await socket(), await socket()];
    one.setBroadcast(true);
    one.setMulticastInterface("127.0.0.1");
    other.addMembership("224.0.0.251", "127.0.0.1");
    const { port } = other.address();
    for (const to of ["127.0.0.1", "127.255.255.255", "224.0.0.251"]) {
      const heard = new Promise((resolve) => other.once("message", (message) => resolve(message.toString())));
      one.send(to, port, to);
      expect(await heard).toBe(to);
    }
    (await socket("udp6")).addMembership("ff02::fb", loopback);
  });

  it("name servers of the tests", async () => {
    const resolver = new PromiseResolver({ timeout: 50, tries: 1 });
    resolver.setServers(["127.0.0.1:9"]);
    await expect(resolver.resolveSrv("example.org")).rejects.toThrow(/ECONNREFUSED|ETIMEOUT/);
  });
});
