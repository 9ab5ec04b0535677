// The network that the tests make: what is tried in it counts only if it is a network, and if nothing of it stays.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import {
  networkAvailable,
  startAvahi,
  startDnsmasq,
  startNetwork,
  startProsodyOn,
  type Network,
  type NetworkHost,
} from "../support/network.ts";

const probe = "test/network/probe.mjs";

/** What is left of this process's networks on the machine. */
function left(): string[] {
  const ours = (name: string): boolean => name.startsWith(`xt${process.pid}-`);
  const namespaces = execFileSync("ip", ["netns", "list"], { encoding: "utf8" }).split("\n").filter(ours);
  return [...namespaces, ...(existsSync("/etc/netns") ? readdirSync("/etc/netns").filter(ours) : [])];
}

/** Runs, and is not only waiting for its parent to take note of its end. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe.skipIf(!networkAvailable)("a network of a test", () => {
  let network: Network;
  afterEach(() => network?.stop());

  const reaches = async (from: NetworkHost, address: string): Promise<boolean> => {
    const code = await from.spawn(process.execPath, [probe, "tcp", address, "7000"]).exited;
    return code === 0;
  };

  it("joins hosts by IPv4 and IPv6, loses one of them, and gives another address", { timeout: 60_000 }, async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const [srv, cli] = [network.host("srv"), network.host("cli")];
    expect([srv.address, srv.address6, cli.address]).toEqual(["10.77.0.1", "fd77::1", "10.77.0.2"]);
    const echo = srv.spawn(process.execPath, [probe, "echo", "7000"]);
    await echo.says(/^listening$/m);
    expect(await Promise.all([reaches(cli, srv.address), reaches(cli, srv.address6)])).toEqual([true, true]);
    srv.down();
    expect(await reaches(cli, srv.address)).toBe(false);
    srv.up();
    expect(await reaches(cli, srv.address6)).toBe(true);
    srv.swallow();
    expect(await reaches(cli, srv.address)).toBe(false);
    srv.up();
    srv.readdress("10.77.0.77");
    const moved = await Promise.all([reaches(cli, "10.77.0.1"), reaches(cli, "10.77.0.77")]);
    expect([srv.address, ...moved]).toEqual(["10.77.0.77", false, true]);
  });

  it("has no way to the machine's own network", async () => {
    network = await startNetwork({ hosts: ["cli"] });
    const seen = network.host("cli").spawn("ip", ["-o", "link"]);
    expect(await seen.exited).toBe(0);
    expect(
      seen
        .stdout()
        .trim()
        .split("\n")
        .map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1]),
    ).toEqual(["lo", "lan0"]);
  });

  it("runs dnsmasq, avahi-daemon and Prosody side by side", { timeout: 60_000 }, async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const [srv, cli] = [network.host("srv"), network.host("cli")];
    const [prosody] = await Promise.all([
      startProsodyOn(srv, { domain: "pronto.example" }),
      startDnsmasq(srv, { options: ["224,pronto.example"], dns: ["host-record=pronto.example,10.77.0.1"] }),
      startAvahi(srv, { name: "Pronto XMPP", txt: ["ordom=pronto.example"] }),
    ]);
    const tls = cli.spawn(process.execPath, [probe, "tls", "pronto.example", String(prosody.tlsPort)], {
      env: { NODE_EXTRA_CA_CERTS: prosody.caFile },
    });
    const unknown = cli.spawn(process.execPath, [probe, "tls", "nobody.example", "5223"]);
    expect(await tls.exited).toBe(0);
    expect(await unknown.exited).toBe(1);
    expect(unknown.stdout()).toMatch(/ENOTFOUND/);
  });

  it("leaves nothing behind, whatever ran in it and whatever has failed", async () => {
    const broken = await startNetwork({ hosts: ["srv"] });
    const srv = broken.host("srv");
    const stubborn = srv.spawn("sh", ["-c", "trap '' TERM; echo here; (trap '' TERM; sleep 600) & wait; sleep 600"]);
    await stubborn.says(/here/);
    const namespace =
      left()
        .find((name) => name.includes("-srv"))
        ?.split(" ")[0] ?? "";
    const pids = execFileSync("ip", ["netns", "pids", namespace], { encoding: "utf8" }).trim().split("\n");
    broken.onStop(() => Promise.reject(new Error("planted")));
    expect(pids.filter(isAlive)).toEqual(pids);
    await expect(broken.stop()).rejects.toThrow("planted");
    expect(left()).toEqual([]);
    expect(existsSync(srv.folder)).toBe(false);
    await expect.poll(() => pids.filter(isAlive)).toEqual([]);
  });

  it("tells the last words of a process that ends without saying what was waited for", async () => {
    network = await startNetwork({ hosts: ["srv"] });
    const short = network.host("srv").spawn("sh", ["-c", "echo these are my last words; exit 3"]);
    await expect(short.says(/something else/)).rejects.toThrow(/ended with 3 .*[^]*these are my last words/);
    expect(await short.exited).toBe(3);
  });
});
