// The finder on a real dnsmasq (XEP-0347 3.3.1), and whoever else is on that network.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { DhcpOptions } from "../../src/discovery/index.ts";
import {
  networkAvailable,
  startDnsmasq,
  startNetwork,
  type DnsmasqOptions,
  type Network,
  type Running,
} from "../support/network.ts";

const NOBODY = "65534";

interface Heard {
  readonly domain: string;
  readonly host: string;
  readonly port: number;
  readonly rank: number;
  readonly heard: string;
  readonly ms: number;
}

interface Outcome {
  readonly servers: readonly Heard[];
  readonly end: string;
  readonly uid: number;
  readonly dropped: Readonly<Record<string, number>>;
}

describe.skipIf(!networkAvailable)("on a network with dnsmasq", () => {
  let network: Network;
  const running: Running[] = [];
  beforeAll(async () => {
    network = await startNetwork({ hosts: ["srv", "cli", "other"] });
  }, 60_000);
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
  });
  afterAll(() => network?.stop());

  const serve = async (options: readonly string[], host = "srv", more: DnsmasqOptions = {}): Promise<void> => {
    running.push(await startDnsmasq(network.host(host), { options, dns: [], ...more }));
  };

  /** Searches until it has heard of so many servers, or has ended. */
  const search = async (dhcp: DhcpOptions | true, enough: number, user?: string): Promise<Outcome> => {
    const options = JSON.stringify({ dhcp });
    const found = network
      .host("cli")
      .node("test/network/discover.ts", [options, String(enough), ...(user === undefined ? [] : [user])]);
    running.push(found);
    await found.says(/"end":/, 60_000);
    const lines = found
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Heard & Outcome);
    return { ...(lines.at(-1) as Outcome), servers: lines.slice(0, -1) };
  };

  it("D-3.3.1-2: an ordinary user finds the names in options 84 and 224", { timeout: 60_000 }, async () => {
    await serve(["224,site.home.example", "84,pronto.home.example"]);
    const { servers, uid, dropped } = await search(true, 4, NOBODY);
    expect(uid).toBe(65_534);
    expect(dropped).toEqual({});
    const found = servers.map(({ domain, host, port, rank }) => [domain, host, port, rank]);
    expect(found).toContainEqual(["pronto.home.example", "pronto.home.example", 5222, 40]);
    expect(found).toContainEqual(["site.home.example", "site.home.example", 5222, 50]);
    expect(servers[0]?.heard).toContain("of 10.77.0.1 on lan0");
  });

  it("D-3.3.1-3: a name of one label is completed by option 15, a NUL forgiven", { timeout: 60_000 }, async () => {
    await serve(["250,70:72:6f:6e:74:6f:00", "option:domain-name,home.example"]);
    const { servers } = await search({ siteOption: 250 }, 1);
    expect(servers[0]).toMatchObject({ domain: "pronto.home.example", rank: 50 });
  });

  it("several servers are all heard, also from port 68", { timeout: 60_000 }, async () => {
    await serve(["224,a.home.example"]);
    await serve(["224,b.home.example"], "other");
    for (const port68 of [false, true]) {
      const { servers } = await search({ port68 }, 4);
      expect([...new Set(servers.map(({ domain }) => domain))].sort()).toEqual(["a.home.example", "b.home.example"]);
    }
  });

  it("D-3.3.1-4: a lease of systemd-networkd is read, and its server asked", { timeout: 60_000 }, async () => {
    await serve(["84,pronto.home.example"]);
    const folder = join(network.host("cli").folder, "leases");
    mkdirSync(folder);
    const lease = ["ADDRESS=10.77.0.2", "SERVER_ADDRESS=10.77.0.1", "DOMAINNAME=home.example", "OPTION_224=6c65617365"];
    writeFileSync(join(folder, "2"), `${lease.join("\n")}\n`);
    const { servers } = await search({ lease: folder }, 4);
    expect(servers[0]).toMatchObject({
      domain: "lease.home.example",
      heard: expect.stringContaining("option 224 of 10.77.0.1 in a lease") as unknown,
    });
    expect(servers.map(({ domain }) => domain)).toContain("pronto.home.example");
  });

  it("what is wrong is said: no option, no server, no rights", { timeout: 120_000 }, async () => {
    await serve(["option:dns-server,10.77.0.1"]);
    expect((await search(true, 1)).end).toContain("dhcp: lan0: 10.77.0.1 answers without option 84 or 224");
    await running.pop()?.stop();
    await running.pop()?.stop();
    const [silence, rights] = await Promise.all([search(true, 1), search({ port68: true }, 1, NOBODY)]);
    expect(silence.end).toContain("dhcp: lan0: no DHCP server answers");
    expect(rights.end).toContain("only root may use UDP port 68 (EACCES)");
  });
});
