// The sandbox that announces itself, in a network: judged by the finders of Things, by avahi-daemon and by dnsmasq.
import { existsSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import {
  networkAvailable,
  startAvahi,
  startDnsmasq,
  startNetwork,
  type Network,
  type NetworkHost,
  type Running,
} from "../support/network.ts";

const TYPE = "_xmpp-client._tcp.local";

interface Facts {
  readonly service: string;
  readonly domain: string;
  readonly ca: string;
  readonly username: string;
  readonly password: string;
  readonly interface: string;
  readonly machine: string;
}

/** `npx xmpp-thing sandbox --announce` on a host. */
async function announceOn(host: NetworkHost, ...argv: string[]): Promise<Facts & { readonly running: Running }> {
  const running = host.node("src/cli/bin.ts", ["sandbox", "--announce", "--json", ...argv]);
  const [line] = await running.says(/^\{.*\}$/m);
  return { ...(JSON.parse(line) as Facts), running };
}

/** What is answered to a question, a line for each record: `10.77.0.1 A sandbox.local "10.77.0.1"`. */
async function answers(host: NetworkHost, ...argv: string[]): Promise<readonly string[]> {
  const asking = host.node("test/network/ask.ts", argv);
  await asking.exited;
  return [...new Set(asking.stdout().trim().split("\n"))];
}

describe.skipIf(!networkAvailable)("a sandbox that is announced on a network", { timeout: 90_000 }, () => {
  let network: Network;
  afterEach(() => network?.stop());

  it("D-3.3.2-1: is there for all who listen, with what they need to come", async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const { service, domain, machine, interface: name } = await announceOn(network.host("srv"));
    expect({ service, domain, machine, name }).toEqual({
      service: "xmpp://10.77.0.1:5222",
      domain: "sandbox.local",
      machine: "sandbox.local",
      name: "lan0",
    });
    const heard = await answers(network.host("cli"), "mdns", TYPE, "PTR");
    expect(heard).toEqual(
      expect.arrayContaining([
        `10.77.0.1 PTR ${TYPE} "sandbox.${TYPE}"`,
        `10.77.0.1 SRV sandbox.${TYPE} {"priority":0,"weight":0,"port":5222,"target":"sandbox.local"}`,
        `10.77.0.1 TXT sandbox.${TYPE} txtvers=1 ordom=sandbox.local regis=discovery.sandbox.local provis=provisioning.sandbox.local`,
        '10.77.0.1 A sandbox.local "10.77.0.1"',
      ]),
    );
  });

  it("D-3.3.1-2, -3: is found by a Thing's own DHCPINFORM, beside a dnsmasq that knows no XMPP server, and proves its domain", async () => {
    network = await startNetwork({ hosts: ["router", "srv", "cli"] });
    // The name that DHCP gives has to be known to somebody.
    await startDnsmasq(network.host("router"), { dns: ["host-record=pronto.example,10.77.0.2"] });
    const { ca } = await announceOn(network.host("srv"), "--dhcp", "--domain", "pronto.example");
    const argv = ["discover", "--no-mdns", "--json", "--timeout", "5", "--ca", ca];
    const looking = network.host("cli").node("src/cli/bin.ts", argv);
    expect(await looking.exited, looking.stdout() + looking.stderr()).toBe(0);
    expect(looking.stdout()).toMatch(/"event":"summary".*"proved":\["pronto\.example"\]/);
  });

  it("D-3.3.1-2, -3: the name that DHCP gives is one that multicast DNS knows", async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const { ca } = await announceOn(network.host("srv"), "--dhcp");
    const argv = ["discover", "--json", "--timeout", "5", "--ca", ca];
    const looking = network.host("cli").node("src/cli/bin.ts", argv);
    expect(await looking.exited, looking.stdout() + looking.stderr()).toBe(0);
    expect(looking.stdout()).toMatch(
      /"event":"heard","finder":"dhcp".*"domain":"sandbox\.local","host":"10\.77\.0\.1"/,
    );
    expect(looking.stdout()).toMatch(/"event":"summary".*"proved":\["sandbox\.local"\]/);
  });

  it("no lease: beside dnsmasq, which gives them away, it answers nothing but INFORM", async () => {
    network = await startNetwork({ hosts: ["srv", "router", "cli"] });
    await announceOn(network.host("srv"), "--dhcp");
    await startDnsmasq(network.host("router"), { lines: ["no-ping"] });
    const [, ...heard] = await answers(network.host("cli"), "dhcp", "1", "3", "4", "7");
    expect(heard.filter((line) => !line.startsWith("10.77.0.2 "))).toEqual([]);
    // So somebody was asked, and answered.
    expect(heard.join("\n")).toMatch(/^10\.77\.0\.2 type 2 yiaddr 10\.77\.0\.1\d\d$/m);
  });

  it("with --dhcp on the host of a DHCP server it says so, and takes no packet from it", async () => {
    network = await startNetwork({ hosts: ["srv"] });
    const srv = network.host("srv");
    await startDnsmasq(srv);
    const running = srv.node("src/cli/bin.ts", ["sandbox", "--announce", "--dhcp", "--json"]);
    expect(await running.exited).toBe(4);
    expect(running.stderr()).toMatch(/DHCP on UDP port 67: this machine has a DHCP server/);
    expect(running.stdout()).toBe("");
  });

  it("D-3.3.2-9, -10: beside an avahi-daemon that has the name already it is called -1, and both are found", async () => {
    network = await startNetwork({ hosts: ["srv", "sandbox", "cli"] });
    await startAvahi(network.host("sandbox"), { name: "sandbox", port: 5333, txt: ["ordom=other.example"] });
    const { machine } = await announceOn(network.host("srv"));
    expect(machine).toBe("sandbox-1.local");
    const heard = (await answers(network.host("cli"), "mdns", TYPE, "PTR")).join("\n");
    expect(heard).toContain(`10.77.0.1 PTR ${TYPE} "sandbox-1.${TYPE}"`);
    expect(heard).toContain(`10.77.0.2 PTR ${TYPE} "sandbox.${TYPE}"`);
    expect(heard).toContain('10.77.0.1 A sandbox-1.local "10.77.0.1"');
  });

  it("an avahi-daemon that comes later finds the name taken, and takes another itself", async () => {
    network = await startNetwork({ hosts: ["srv", "sandbox", "cli"] });
    const { machine } = await announceOn(network.host("srv"));
    const avahi = await startAvahi(network.host("sandbox"), { name: "sandbox", port: 5333, txt: [] });
    await avahi.says(/Host name conflict, retrying with sandbox-2/);
    await avahi.says(/Service "sandbox #2" .*successfully established/);
    expect(machine).toBe("sandbox.local");
    const heard = (await answers(network.host("cli"), "mdns", TYPE, "PTR")).join("\n");
    expect(heard).toContain(`10.77.0.1 PTR ${TYPE} "sandbox.${TYPE}"`);
  });

  it("gets along with the avahi-daemon of its own host, whichever comes first", async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const [srv, cli] = [network.host("srv"), network.host("cli")];
    const printer = { type: "_ipp._tcp", name: "Printer", port: 631, txt: [] };
    const avahi = await startAvahi(srv, printer);
    const first = await announceOn(srv);
    const both = async (): Promise<string> => {
      const [ours, theirs] = await Promise.all([
        answers(cli, "mdns", TYPE, "PTR"),
        answers(cli, "mdns", "_ipp._tcp.local", "PTR"),
      ]);
      return [...ours, ...theirs].join("\n");
    };
    const heard = await both();
    expect(heard).toContain(`PTR ${TYPE} "sandbox.${TYPE}"`);
    expect(heard).toContain('PTR _ipp._tcp.local "Printer._ipp._tcp.local"');
    expect([first.machine, avahi.stderr().includes("conflict")]).toEqual(["sandbox.local", false]);
    await avahi.stop();
    await startAvahi(srv, printer);
    const again = await both();
    expect(again).toContain(`PTR ${TYPE} "sandbox.${TYPE}"`);
    expect(again).toContain('PTR _ipp._tcp.local "Printer._ipp._tcp.local"');
  });

  it("says nothing on an interface that was not chosen, not even to who asks it there himself", async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const [srv, cli] = [network.host("srv"), network.host("cli")];
    const { service } = await announceOn(srv, "--interface", "lo");
    expect(service).toBe("xmpp://127.0.0.1:5222");
    expect(await answers(cli, "mdns", TYPE, "PTR")).toEqual([""]);
    expect(await answers(cli, "mdns", TYPE, "PTR", "10.77.0.1")).toEqual([""]);
    // On the chosen one it does.
    expect((await answers(srv, "mdns", TYPE, "PTR", "127.0.0.1")).join()).toContain(`sandbox.${TYPE}`);
  });

  it("Ctrl-C: who listens hears goodbye, and nothing answers any more", async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const { running, ca } = await announceOn(network.host("srv"));
    const listening = network.host("cli").node("test/network/ask.ts", ["listen"]);
    await listening.says(/^listening$/m);
    await running.stop();
    expect(await running.exited).toBe(0);
    await listening.says(new RegExp(`^10\\.77\\.0\\.1 PTR ${TYPE} for 0 s$`, "m"), 10_000);
    await listening.stop();
    expect(existsSync(ca)).toBe(false);
    expect(await answers(network.host("cli"), "mdns", TYPE, "PTR")).toEqual([""]);
  });

  it("D-3.3.2-1, -11 to -13: is found by a Thing's own multicast DNS, and proves its domain", async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
    const { ca } = await announceOn(network.host("srv"));
    const argv = ["discover", "--no-dhcp", "--json", "--timeout", "4", "--ca", ca];
    const looking = network.host("cli").node("src/cli/bin.ts", argv);
    expect(await looking.exited, looking.stdout() + looking.stderr()).toBe(0);
    const lines = looking.stdout().trim().split("\n");
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toMatchObject({
      event: "heard",
      finder: "mdns",
      domain: "sandbox.local",
      port: 5222,
      registries: ["discovery.sandbox.local"],
      provisioning: ["provisioning.sandbox.local"],
    });
    expect(events.at(-1)).toMatchObject({ event: "summary", proved: ["sandbox.local"] });
  });

  it.each([{ argv: [] }, { argv: ["--dhcp"] }, { argv: ["--domain", "desk.example"] }])(
    "$argv: the thermometer on another host finds it with nothing but THING_CA, is claimed and provisioned",
    async ({ argv }) => {
      network = await startNetwork({ hosts: ["srv", "pi"] });
      const [srv, pi] = [network.host("srv"), network.host("pi")];
      const { ca, service, domain, username, password } = await announceOn(srv, ...argv);
      const env = { THING_CA: ca, HOME: pi.folder };
      const thing = pi.node("examples/thermometer.ts", [], { env });
      await thing.says(new RegExp(`^ownership registered discovery\\.${domain.replace(".", "\\.")}$`, "m"));
      const [, text = ""] = await thing.says(/^claim (\S+)$/m);
      const owner = { THING_SERVICE: service, THING_DOMAIN: domain, THING_CA: ca };
      const claiming = srv.node("src/cli/bin.ts", ["claim", text], {
        env: { ...owner, OWNER_USERNAME: username, OWNER_PASSWORD: password },
      });
      expect(await claiming.exited, claiming.stderr()).toBe(0);
      await thing.says(/^ownership claimed owner@/m);
      await thing.says(new RegExp(`^trust delegated provisioning\\.${domain.replace(".", "\\.")}$`, "m"));
      await thing.stop();
    },
  );
});
