// The sockets of the finder: interfaces that come and go, and systems that refuse.
import type { Socket } from "node:dgram";
import { EventEmitter } from "node:events";
import type { NetworkInterfaceInfo } from "node:os";
import { afterEach, describe, expect, it, test, vi } from "vitest";
import { silentLogger, type Logger } from "../../src/core/logger.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { findByMdns } from "../../src/discovery/mdns.ts";
import { machine, type MdnsWorld } from "../../src/discovery/mdns-sockets.ts";
import { announced, freePort, startResponder, testSearch } from "../support/mdns-loopback.ts";

const zeros = { bytes: (count: number) => new Uint8Array(count) };
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** An interface that is loopback, though nobody says so. */
const at = (address: string): NetworkInterfaceInfo[] => [
  { address, cidr: `${address}/8`, netmask: "255.0.0.0", mac: "", internal: false, family: "IPv4" },
];

/** A socket of a system that refuses something. */
class Refusing extends EventEmitter {
  constructor(readonly refuses: "bind" | "membership" | "send" | "close") {
    super();
  }
  bind(): this {
    const error = Object.assign(new Error("bind EACCES 0.0.0.0:5353"), { code: "EACCES", syscall: "bind" });
    queueMicrotask(() => (this.refuses === "bind" ? this.emit("error", error) : this.emit("listening")));
    return this;
  }
  send(...args: readonly unknown[]): void {
    const done = args.at(-1) as (error: Error | null) => void;
    const error = this.refuses === "send" ? new Error("send ENETUNREACH 224.0.0.251:5353") : null;
    queueMicrotask(() => done(error));
  }
  close(done: () => void): void {
    if (this.refuses === "close") throw new Error("Not running");
    queueMicrotask(done);
  }
  addMembership(): void {
    if (this.refuses === "membership") {
      throw Object.assign(new Error("addMembership ENODEV"), { code: "ENODEV", syscall: "addMembership" });
    }
  }
  setMulticastTTL(): void {}
  setMulticastLoopback(): void {}
  setMulticastInterface(): void {}
  dropMembership(): void {}
}

const refusing = (what: Refusing["refuses"]): MdnsWorld => ({
  socket: () => new Refusing(what) as unknown as Socket,
  links: { list: () => ({ eth0: at("10.77.0.2") }), multicast: () => true },
});

describe("interfaces", () => {
  it("that come up are asked on, and those that go are let go", async () => {
    const port = await freePort();
    const clock = new SimulatedClock();
    const search = testSearch({ clock, random: zeros });
    const responder = await startResponder(port);
    const asking: string[] = [];
    responder.dns.on("query", (_, { address }) => asking.push(address));
    const up: NodeJS.Dict<NetworkInterfaceInfo[]> = { eth8: at("127.0.0.5") };
    const world: MdnsWorld = { socket: machine.socket, links: { list: () => up, multicast: () => true } };
    const searching = findByMdns({ interfaces: undefined, port }, search, world).next();
    closing.push(async () => {
      search.stop();
      await searching;
      await responder.close();
    });
    await clock.advance(20);
    await vi.waitFor(() => expect(asking).toEqual(["127.0.0.5", "127.0.0.5"]));
    up["eth9"] = at("127.0.0.6");
    await clock.advance(2_000);
    await vi.waitFor(() => expect(asking.filter((from) => from === "127.0.0.6")).toHaveLength(2));
    delete up["eth8"];
    await clock.advance(2_000);
    const before = asking.length;
    await clock.advance(4_000);
    await vi.waitFor(() => expect(asking.slice(before)).toEqual(["127.0.0.6", "127.0.0.6"]));
    delete up["eth9"];
    await clock.advance(10_000);
    up["eth9"] = at("127.0.0.7");
    await clock.advance(2_000);
    await vi.waitFor(() => expect(asking).toContain("127.0.0.7"));
    const { ptr, srv, txt, a } = announced({ address: "10.77.0.1" });
    await responder.say([ptr, srv, txt, a]);
    expect((await searching).value).toMatchObject({ domain: "example.com" });
  });
});

describe("a system that refuses", () => {
  test("to list the interfaces: is told at the beginning, and takes nothing from those in use later", async () => {
    const port = await freePort();
    const clock = new SimulatedClock();
    const search = testSearch({ clock, random: zeros });
    let refuses = true;
    let refused = 0;
    const list = (): NodeJS.Dict<NetworkInterfaceInfo[]> => {
      if (!refuses) return { eth8: at("127.0.0.5") };
      refused++;
      throw new Error("uv_interface_addresses: EMFILE");
    };
    const world: MdnsWorld = { socket: machine.socket, links: { list, multicast: () => true } };
    const never = findByMdns({ interfaces: undefined, port }, search, world).next();
    const failed = expect(never).rejects.toThrow("uv_interface_addresses: EMFILE");
    await clock.advance(20);
    await failed;
    refuses = false;
    const responder = await startResponder(port);
    const searching = findByMdns({ interfaces: undefined, port }, search, world).next();
    closing.push(async () => {
      search.stop();
      await searching;
      await responder.close();
    });
    await clock.advance(20);
    await vi.waitFor(() => expect(responder.asked).toHaveLength(2));
    refuses = true;
    await clock.advance(6_000);
    expect(refused).toBeGreaterThan(2);
    const { ptr, srv, txt, a } = announced({ address: "10.77.0.1" });
    await responder.say([ptr, srv, txt, a]);
    expect((await searching).value).toMatchObject({ domain: "example.com" });
  });

  test.each([
    ["bind", "eth0: bind EACCES 0.0.0.0:5353"],
    ["membership", "eth0: addMembership ENODEV"],
  ] as const)("%s: is told as the reason why nothing can be found", async (what, why) => {
    const clock = new SimulatedClock();
    const search = testSearch({ clock, random: zeros });
    const searching = findByMdns({ interfaces: undefined, port: 5353 }, search, refusing(what)).next();
    const failed = expect(searching).rejects.toMatchObject({ code: "ERR_DISCOVERY", message: why });
    await vi.waitFor(async () => {
      await clock.advance(100);
      expect(clock.pending).toBe(0);
    });
    await failed;
  });

  test("to make sockets is told too", async () => {
    const world: MdnsWorld = {
      ...refusing("bind"),
      socket: () => {
        throw new Error("socket EMFILE");
      },
    };
    const searching = findByMdns({ interfaces: undefined, port: 5353 }, testSearch(), world).next();
    await expect(searching).rejects.toMatchObject({ code: "ERR_DISCOVERY", message: "eth0: socket EMFILE" });
  });

  test.each(["send", "close"] as const)("%s: does no harm, and the search ends when it should", async (what) => {
    const clock = new SimulatedClock();
    const said: string[] = [];
    const logger: Logger = { ...silentLogger, debug: (_, fields) => said.push(String(fields?.["why"])) };
    const search = testSearch({ clock, random: zeros, logger });
    const searching = findByMdns({ interfaces: undefined, port: 5353 }, search, refusing(what)).next();
    await clock.advance(20);
    if (what === "send") await vi.waitFor(() => expect(said).toContain("send ENETUNREACH 224.0.0.251:5353"));
    await clock.advance(5_000);
    search.stop();
    expect(await searching).toEqual({ done: true, value: undefined });
    await vi.waitFor(() => expect(clock.pending).toBe(0));
  });
});
