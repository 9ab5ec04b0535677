// `npx xmpp-thing discover` on networks of the test's own: dnsmasq, avahi-daemon and Prosody, and whoever lies there.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  networkAvailable,
  startAvahi,
  startDnsmasq,
  startNetwork,
  startProsodyOn,
  type Network,
  type NetworkProsody,
} from "../support/network.ts";

type Event = Readonly<Record<string, unknown>>;

interface Ran {
  readonly code: number;
  readonly text: string;
  readonly errors: string;
  readonly events: readonly Event[];
}

/** Runs the command in the namespace of a host. */
async function discover(network: Network, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const none = { THING_SERVICE: undefined, THING_DOMAIN: undefined, THING_CA: undefined, OWNER_USERNAME: undefined };
  const running = network.host("cli").node("src/cli/bin.ts", ["discover", ...args], { env: { ...none, ...env } });
  const code = await running.exited;
  const text = running.stdout();
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  return { code, text, errors: running.stderr(), events: lines.map((line) => JSON.parse(line) as Event) };
}

/** What was heard, briefly. */
const brief = ({ finder, domain, host, port }: Event): string => [finder, domain, host, port].join(" ");

const of = ({ events }: Ran, event: string): readonly Event[] => events.filter((one) => one["event"] === event);

describe.skipIf(!networkAvailable)("xmpp-thing discover on a network", () => {
  let network: Network;
  let prosody: NetworkProsody;
  beforeAll(async () => {
    network = await startNetwork({ hosts: ["srv", "cli", "liar"] });
    const srv = network.host("srv");
    const liar = network.host("liar");
    prosody = await startProsodyOn(srv, { domain: "pronto.example" });
    // The same domain, on the liar's machine, and signed by the liar's own authority.
    await startProsodyOn(liar, { domain: "pronto.example" });
    const dns = [
      "host-record=xmpp.pronto.example,10.77.0.1",
      "host-record=away.pronto.example,10.77.0.200",
      "srv-host=_xmpps-client._tcp.pronto.example,xmpp.pronto.example,5223,10,5",
      "srv-host=_xmpp-client._tcp.pronto.example,xmpp.pronto.example,5222,5,5",
      "srv-host=_xmpp-client._tcp.nothing.example,.,0,0,0",
    ];
    await startDnsmasq(srv, { options: ["224,pronto.example"], dns });
    await startAvahi(srv, { name: "pronto", txt: ["txtvers=1", "ordom=pronto.example", "regis=registry"] });
    await startAvahi(liar, { name: "liar", txt: ["txtvers=1", "ordom=pronto.example", "provis=mallory"] });
  }, 60_000);
  afterAll(() => network?.stop());

  it(
    "D-3.3-1, D-3.3-2, D-3.4-1: tells what DHCP and multicast DNS say, and who proves it",
    { timeout: 60_000 },
    async () => {
      const run = await discover(network, ["--json", "--timeout", "8", "--ca", prosody.caFile]);
      const heard = of(run, "heard").map(brief);
      expect(heard).toEqual(
        expect.arrayContaining([
          "dhcp pronto.example xmpp.pronto.example 5222",
          "dhcp pronto.example xmpp.pronto.example 5223",
          "mdns pronto.example 10.77.0.1 5222",
          "mdns pronto.example 10.77.0.3 5222",
        ]),
      );
      const looked = of(run, "looked");
      const verdict = (host: string): unknown => looked.find((one) => one["host"] === host)?.["verdict"];
      expect(verdict("xmpp.pronto.example")).toBe("proved");
      expect(verdict("10.77.0.1")).toBe("proved");
      expect(verdict("10.77.0.3")).toBe("unproved");
      expect(looked.find((one) => one["host"] === "10.77.0.1")).toMatchObject({ accounts: true, accountsWhy: "" });
      expect(of(run, "summary")).toMatchObject([
        { domains: ["pronto.example"], proved: ["pronto.example"], goesTo: { domain: "pronto.example" }, tried: [] },
      ]);
      expect([run.code, run.errors]).toEqual([0, ""]);
    },
  );

  it(
    "D-6.8-1: by the authorities that Node.js trusts nobody here proves anything: 4",
    { timeout: 60_000 },
    async () => {
      const run = await discover(network, ["--timeout", "5", "--no-dhcp"]);
      expect(run.text).toMatch(/^unproved +pronto\.example at .*--ca, or THING_CA, must give/m);
      expect(run.text).toMatch(/^result +heard of pronto\.example; no server proves its domain$/m);
      expect(run.code).toBe(4);
    },
  );

  it("D-3.1-1: finds the servers of a domain by SRV records, in their order", { timeout: 60_000 }, async () => {
    const args = ["--json", "--no-dhcp", "--no-mdns", "--ca", prosody.caFile];
    const run = await discover(network, [...args, "--domain", "pronto.example"]);
    expect(of(run, "heard").map(({ finder, port, directTls }) => [finder, port, directTls])).toEqual([
      ["configured", 5222, false],
      ["configured", 5223, true],
    ]);
    expect(of(run, "looked").map((one) => one["verdict"])).toEqual(["proved", "proved"]);
    expect(of(run, "summary")).toMatchObject([{ goesTo: { host: "xmpp.pronto.example", port: 5222 } }]);
    expect(run.code).toBe(0);
    const none = await discover(network, [...args, "--domain", "nothing.example"]);
    expect(of(none, "summary")).toMatchObject([
      { tried: [{ finder: "configured", why: "nothing.example says by DNS that it has no XMPP service" }] },
    ]);
    expect(none.code).toBe(5);
  });
});

describe.skipIf(!networkAvailable)("xmpp-thing discover of a name in .local", () => {
  let network: Network;
  beforeAll(async () => {
    network = await startNetwork({ hosts: ["pronto", "cli"] });
    const pronto = network.host("pronto");
    // XEP-0347 3.3.1.1, Listing 2
    await startDnsmasq(pronto, { options: ["224,pronto.local"], dns: [] });
    await startAvahi(pronto, { name: "printer", type: "_ipp._tcp", txt: [] });
  }, 60_000);
  afterAll(() => network?.stop());

  it("D-3.3.1-3: asks for it by multicast DNS, whoever names it", { timeout: 60_000 }, async () => {
    const addresses = ["10.77.0.1 5222", "fd77::1 5222"].map((at) => `pronto.local ${at}`);
    const byDhcp = await discover(network, ["--json", "--timeout", "8"]);
    const heard = of(byDhcp, "heard").map(brief);
    expect(heard).toEqual(expect.arrayContaining(addresses.map((at) => `dhcp ${at}`)));
    const configured = await discover(network, ["--json", "--timeout", "8", "--no-dhcp", "--domain", "pronto.local"]);
    expect(of(configured, "heard").map(brief)).toEqual(
      expect.arrayContaining(addresses.map((at) => `configured ${at}`)),
    );
    expect(configured.code).toBe(4);
  });
});

describe.skipIf(!networkAvailable)("xmpp-thing discover on a network without a server", () => {
  let network: Network;
  beforeAll(async () => {
    network = await startNetwork({ hosts: ["srv", "cli"] });
  }, 60_000);
  afterAll(() => network?.stop());

  it("says of each way why it found nothing: 5", { timeout: 60_000 }, async () => {
    const run = await discover(network, ["--timeout", "3"]);
    expect(run.text).toMatch(/^dhcp +\S/m);
    expect(run.text).toMatch(/^mdns +\S/m);
    expect(run.text).toMatch(/^result +no XMPP server was heard of; announce one, or name one: /m);
    expect(run.code).toBe(5);
  });
});
