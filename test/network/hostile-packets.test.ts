// 10,000 hostile packets on a wire, from a host that hears every question, at a search by DHCP and multicast DNS.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { networkAvailable, startAvahi, startDnsmasq, startNetwork, type Network } from "../support/network.ts";

describe.skipIf(!networkAvailable)("10,000 hostile packets on the wire", () => {
  let network: Network;
  beforeAll(async () => {
    network = await startNetwork({ hosts: ["srv", "cli", "liar"] });
  }, 60_000);
  afterAll(() => network?.stop());

  it("keep nobody from the true server, by DHCP and by multicast DNS", { timeout: 120_000 }, async () => {
    const seed = process.env["HOSTILE_SEED"] ?? String(Date.now());
    const [srv, cli, liar] = ["srv", "cli", "liar"].map((name) => network.host(name)) as [
      ReturnType<Network["host"]>,
      ReturnType<Network["host"]>,
      ReturnType<Network["host"]>,
    ];
    await startDnsmasq(srv, { options: ["84,true.home.example"], dns: [] });
    await startAvahi(srv, { name: "True XMPP", hostName: "true", txt: ["ordom=true.example"] });
    const lies = liar.node("test/network/liar.ts", ["10000", seed]);
    await lies.says(/listening/);
    const search = cli.node("test/network/discover.ts", [JSON.stringify({ timeout: 15_000 })]);
    await lies.says(/said all/, 60_000);
    await search.says(/"end":/, 60_000);
    const lines = search
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { finder?: string; domain?: string; heard?: string; dropped?: object });
    const trueOnes = lines.filter(({ heard = "" }) => /of 10\.77\.0\.1 on lan0|said by 10\.77\.0\.1$/.test(heard));
    const found = new Set(trueOnes.map(({ finder, domain }) => `${finder ?? ""} ${domain ?? ""}`));
    const counts = Object.values(lines.at(-1)?.dropped ?? {}) as readonly number[];
    const dropped = counts.reduce((sum, count) => sum + count, 0);
    console.log(`hostile: 10,000 packets from another host, seed ${seed}, ${dropped} times something dropped`);
    expect([...found].sort()).toEqual(["dhcp true.home.example", "mdns true.example"]);
    expect(dropped).toBeGreaterThan(1_000);
    expect(await search.exited).toBe(0);
  });
});
