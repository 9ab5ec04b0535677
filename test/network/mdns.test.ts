// The finder on real avahi-daemons (XEP-0347 3.3.2), on several hosts of a network, by IPv4 and IPv6.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { DiscoverOptions, ServerCandidate } from "../../src/discovery/index.ts";
import {
  networkAvailable,
  startAvahi,
  startNetwork,
  type AvahiOptions,
  type Network,
  type Running,
} from "../support/network.ts";

const NOBODY = "65534";

interface Outcome {
  readonly servers: readonly ServerCandidate[];
  readonly end: string;
  readonly dropped: Readonly<Record<string, number>>;
}

describe.skipIf(!networkAvailable)("on a network with avahi-daemon", () => {
  let network: Network;
  const running: Running[] = [];
  beforeAll(async () => {
    network = await startNetwork({ hosts: ["srv", "cli", "other"] });
  }, 60_000);
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
  });
  afterAll(() => network?.stop());

  const announce = async (host: string, options: AvahiOptions): Promise<Running> => {
    const avahi = await startAvahi(network.host(host), options);
    running.push(avahi);
    return avahi;
  };

  /** Searches as an ordinary user, until it has heard of so many servers, or has ended. */
  const search = async (options: DiscoverOptions, enough: number): Promise<Outcome> => {
    const given = JSON.stringify({ dhcp: false, ...options });
    const searching = network.host("cli").node("test/network/discover.ts", [given, String(enough), NOBODY]);
    running.push(searching);
    await searching.says(/"end":/, 60_000);
    const lines = searching
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ServerCandidate & Outcome);
    return { ...(lines.at(-1) as Outcome), servers: lines.slice(0, -1) };
  };

  it(
    "D-3.3.2-1, D-3.3.2-4, D-3.3.2-8: an ordinary user finds a server by IPv4 and IPv6",
    { timeout: 60_000 },
    async () => {
      const txt = ["txtvers=1", "ordom=pronto.example", "regis=registry", "provis=provisioning.pronto.example"];
      await announce("srv", { name: "Pronto 1.2 Küche", hostName: "pronto", port: 5299, txt });
      const { address6 } = network.host("srv");
      const { servers, dropped } = await search({}, 2);
      expect(dropped).toEqual({});
      for (const { finder, port, domain, registries, provisioning, heard, rank } of servers) {
        expect({ finder, port, domain, registries, provisioning, rank }).toEqual({
          finder: "mdns",
          port: 5299,
          domain: "pronto.example",
          registries: ["registry@pronto.example"],
          provisioning: ["provisioning.pronto.example"],
          rank: 30,
        });
        expect(heard).toContain('"Pronto 1.2 Küche" at pronto.local:5299, said by');
      }
      const hosts = servers.map(({ host }) => host);
      expect(hosts).toContain("10.77.0.1");
      expect(hosts).toContain(address6);
    },
  );

  it(
    "D-3.3.2-11: several servers are all found; one that says nothing of its domain by its host",
    { timeout: 60_000 },
    async () => {
      await announce("srv", { name: "one", txt: ["ordom=one.example"] });
      await announce("other", { name: "two", hostName: "two", txt: [] });
      const { servers, end } = await search({ timeout: 3_000 }, 1_000);
      expect(end).toBe("");
      expect([...new Set(servers.map(({ domain }) => domain))].sort()).toEqual(["one.example", "two.local"]);
    },
  );

  it("D-3.3.2-4: an address that holds on one link only comes with the link", { timeout: 60_000 }, async () => {
    const other = network.host("other");
    expect(await other.spawn("ip", ["-6", "addr", "del", `${other.address6}/64`, "dev", other.interface]).exited).toBe(
      0,
    );
    await announce("other", { name: "two", hostName: "two", txt: ["ordom=two.example"] });
    const { servers } = await search({}, 2);
    expect(servers.map(({ host }) => host).sort()).toEqual([
      other.address,
      expect.stringMatching(/^fe80::[\da-f:]+%lan0$/) as string,
    ]);
  });

  it("a name in .local is looked up without DNS", { timeout: 60_000 }, async () => {
    await announce("srv", { name: "one", hostName: "pronto", txt: [] });
    const { servers } = await search({ domain: "pronto.local" }, 3);
    expect(servers).toContainEqual(
      expect.objectContaining({ finder: "configured", host: "10.77.0.1", port: 5222, domain: "pronto.local" }),
    );
  });

  it(
    "a server that has gone is not found any more, and an interface that is none is named",
    { timeout: 60_000 },
    async () => {
      const avahi = await announce("srv", { name: "one", txt: ["ordom=one.example"] });
      expect((await search({}, 1)).servers).toHaveLength(1);
      await avahi.stop();
      const [gone, nowhere] = await Promise.all([
        search({ timeout: 2_500 }, 1),
        search({ mdns: { interfaces: ["wlan7"] } }, 1),
      ]);
      expect(gone.end).toContain("mdns: heard nothing within 2500 ms");
      expect(nowhere.end).toContain("mdns: none of the interfaces wlan7 is up and can do multicast");
    },
  );
});
