import { afterEach, describe, expect, it } from "vitest";
import { hostAddresses, watchHost, type HostChange } from "../../src/connection/host-watch.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

let stop = (): void => undefined;
afterEach(() => stop());

function watched(...addresses: readonly string[]) {
  const clock = new SimulatedClock();
  const host = { addresses: new Set(addresses), changes: [] as HostChange[], clock };
  stop = watchHost({ clock, addresses: () => host.addresses, onChange: (change) => host.changes.push(change) });
  return host;
}

describe("the watch over the host", () => {
  it("says nothing while nothing happens", async () => {
    const { clock, changes } = watched("192.0.2.1");
    await clock.advance(3_600_000);
    expect(changes).toEqual([]);
  });

  it("notices within 5 s that the host has slept: the wall clock is ahead then", async () => {
    const { clock, changes } = watched("192.0.2.1");
    await clock.advance(60_000);
    clock.jump(8 * 3_600_000);
    await clock.advance(5_000);
    expect(changes).toEqual(["resumed"]);
    await clock.advance(60_000);
    expect(changes).toEqual(["resumed"]);
  });

  it("is not taken in by a clock that is steered, nor by one that is set back", async () => {
    const { clock, changes } = watched("192.0.2.1");
    clock.jump(2_000);
    await clock.advance(5_000);
    clock.jump(-86_400_000);
    await clock.advance(5_000);
    expect(changes).toEqual([]);
  });

  it("notices that addresses have gone, or come, whatever their order", async () => {
    const host = watched("192.0.2.1", "2001:db8::1");
    host.addresses = new Set(["2001:db8::1", "192.0.2.1"]);
    await host.clock.advance(5_000);
    expect(host.changes).toEqual([]);
    host.addresses = new Set();
    await host.clock.advance(5_000);
    host.addresses = new Set(["198.51.100.7"]);
    await host.clock.advance(5_000);
    expect(host.changes).toEqual(["network", "network"]);
  });

  it("does without where the system does not tell the addresses, and takes that for no change", async () => {
    const host = watched("192.0.2.1");
    const refuse = (): never => {
      throw new Error("uv_interface_addresses: EMFILE");
    };
    const { addresses } = host;
    Object.defineProperty(host, "addresses", { get: refuse, configurable: true });
    await host.clock.advance(10_000);
    Object.defineProperty(host, "addresses", { value: addresses, writable: true });
    await host.clock.advance(5_000);
    expect(host.changes).toEqual([]);
    host.addresses = new Set();
    await host.clock.advance(5_000);
    expect(host.changes).toEqual(["network"]);
    const changes: HostChange[] = [];
    let told = false;
    const tells = (): ReadonlySet<string> => (told ? new Set(["192.0.2.1"]) : refuse());
    const unwatch = watchHost({ clock: host.clock, addresses: tells, onChange: (change) => changes.push(change) });
    told = true;
    await host.clock.advance(10_000);
    unwatch();
    expect(changes).toEqual([]);
  });

  it("ends", async () => {
    const host = watched("192.0.2.1");
    stop();
    host.addresses = new Set();
    await host.clock.advance(60_000);
    expect(host.changes).toEqual([]);
    expect(host.clock.pending).toBe(0);
  });

  it("looks at the addresses of this machine, but for loopback", () => {
    expect([...hostAddresses()]).not.toContain("127.0.0.1");
  });
});
