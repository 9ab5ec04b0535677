// docs/discovery.md on a network: its program, as it stands there, hears what avahi and dnsmasq say by its files.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, it } from "vitest";
import { root, snippetWith } from "../support/guides/snippets.ts";
import { networkAvailable, startAvahi, startDnsmasq, startNetwork, type Network } from "../support/network.ts";

describe.skipIf(!networkAvailable)("what docs/discovery.md says of a network", () => {
  const program = `build/guides-network-${process.pid}.ts`;
  let network: Network;
  beforeAll(async () => {
    network = await startNetwork({ hosts: ["pronto", "cli"] });
    mkdirSync(`${root}build`, { recursive: true });
    writeFileSync(`${root}${program}`, snippetWith("of discover())").text);
  }, 60_000);
  afterAll(async () => {
    rmSync(`${root}${program}`, { force: true });
    await network?.stop();
  });

  it(
    "the program finds the server of its avahi file, and that of its line for dnsmasq",
    { timeout: 60_000 },
    async () => {
      const pronto = network.host("pronto");
      await startAvahi(pronto, { file: snippetWith("<service-group>", "text").text });
      const lines = snippetWith("dhcp-option=224,pronto.home.example", "text").text.trim().split("\n");
      await startDnsmasq(pronto, { lines });
      const searching = network.host("cli").node(program);
      await searching.says(/^example\.com \S+ 5222 mdns$/m, 30_000);
      await searching.says(/^pronto\.home\.example \S+ 5222 dhcp$/m, 30_000);
    },
  );
});
