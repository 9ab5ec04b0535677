// A home of a test: a server with Registry, Provisioning Server and owner on one host, a Thing on another, and whatever
// tells the Thing where its server is.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RegisteredThing } from "../../src/sandbox/registry-options.ts";
import { makeAuthority, makeCertificate } from "../support/certificates.ts";
import {
  startAvahi,
  startDnsmasq,
  startNetwork,
  startProsodyOn,
  type Network,
  type NetworkHost,
  type NetworkProsody,
  type Running,
} from "../support/network.ts";

/** The domain of every home: no name server of the world knows it. */
export const DOMAIN = "pronto.example";

/** What the household is told at its start. */
export interface HouseholdSettings {
  readonly domain: string;
  readonly port: number;
  readonly componentPort: number;
  readonly secret: string;
  readonly caFile: string;
  /** Whether `mallory` and `trudy` are there. */
  readonly liars: boolean;
}

/** What the household can be asked. */
export type Asked =
  | { readonly do: "claim"; readonly text: string }
  | { readonly do: "read"; readonly jid: string; readonly timeout: number }
  | { readonly do: "registry" }
  | { readonly do: "heard" };

/** What a liar is told at its start. */
export interface LiarSettings {
  /** His own address. */
  readonly address: string;
  /** The true domain. */
  readonly domain: string;
  /** The name of the true server's host. */
  readonly trueHost: string;
  /** A certificate for the true domain and his own, by an authority of his own; its key. Files. */
  readonly cert: string;
  readonly key: string;
  /** Whether he floods the network besides. */
  readonly flood: boolean;
}

/** What a liar's servers got from somebody. */
export interface Got {
  readonly port: number;
  readonly how: "clear" | "tls";
  readonly data: string;
}

/** Registry, Provisioning Server and owner. */
export interface Household {
  /** The owner claims a Thing by its claim text; from then on he may read it. Gives its address. */
  claim(text: string): Promise<string>;
  /** The owner reads a Thing. */
  read(jid: string, timeout?: number): Promise<readonly { name: string; text: string }[]>;
  /** What the Registry knows, and how often it was asked what. */
  registry(): Promise<{ things: readonly RegisteredThing[]; requests: Readonly<Record<string, number>> }>;
  /** The stanzas that `mallory` and `trudy` got. */
  heard(): Promise<Readonly<Record<"mallory" | "trudy", readonly string[]>>>;
}

/** How a home is set up. */
export interface HomeOptions {
  /** Further hosts. */
  readonly hosts?: readonly string[];
  /** dnsmasq: the server's name by DHCP options 224 and 84, and its address by DNS. */
  readonly dhcp?: boolean;
  /** avahi-daemon announces it; with these strings in its TXT record in the place of `ordom` alone. */
  readonly mdns?: boolean | readonly string[];
  /** `mallory` and `trudy` have accounts on the server. */
  readonly liars?: boolean;
  /** There is no server until `open`. */
  readonly later?: boolean;
}

/** A home. */
export interface Home {
  readonly network: Network;
  readonly server: NetworkHost;
  readonly device: NetworkHost;
  readonly prosody: NetworkProsody;
  readonly household: Household;
  /** With `later`: starts the server, and what tells of it. */
  open(telling: { readonly dhcp: boolean; readonly mdns: boolean }): Promise<void>;
  /** The thermometer of the examples, with nothing set but authorities, state and tags. The same state each time. */
  thermometer(env?: Readonly<Record<string, string>>): Running;
  /** A Thing whose readout takes its time (slow-thing.ts), with nothing set either. */
  slowThing(env?: Readonly<Record<string, string>>): Running;
  stop(): Promise<void>;
}

/** The name server of a home knows the server. */
const names = ["host-record=pronto.example,10.77.0.1,fd77::1"];

/** Builds a home. Resolves when all of it is up. */
export async function startHome(options: HomeOptions = {}): Promise<Home> {
  const { hosts = [], liars = false, later = false } = options;
  const network = await startNetwork({ hosts: ["server", "device", ...hosts] });
  try {
    const [server, device] = [network.host("server"), network.host("device")];
    const prosody = await startProsodyOn(server, { domain: DOMAIN, later: true });
    let household: Household | undefined;
    const serve = async (): Promise<void> => {
      await prosody.restart();
      household = await startHousehold(server, prosody, liars);
    };
    const open = async ({ dhcp = false, mdns = false }: HomeOptions): Promise<void> => {
      const txt = mdns === true ? [`ordom=${DOMAIN}`] : mdns;
      await Promise.all([
        serve(),
        dhcp ? startDnsmasq(server, { options: [`224,${DOMAIN}`, `84,${DOMAIN}`], dns: names }) : undefined,
        txt === false ? undefined : startAvahi(server, { name: "Pronto XMPP", txt }),
      ]);
    };
    if (!later) await open(options);
    // What the tests were told by variables is not for the Thing.
    const own = Object.keys(process.env).filter((name) => name.startsWith("THING_"));
    const settings = {
      ...Object.fromEntries(own.map((name) => [name, undefined])),
      ...{ THING_CA: prosody.caFile, THING_STATE: join(device.folder, "state"), THING_TAGS: "SN:1;MAN:x.example" },
    };
    const thing = (script: string, env: Readonly<Record<string, string>> = {}): Running =>
      device.node(script, [], { env: { ...settings, ...env } });
    return {
      ...{ network, server, device, prosody, open },
      get household() {
        if (household === undefined) throw new Error("nobody is at home yet");
        return household;
      },
      thermometer: (env) => thing("examples/thermometer.ts", env),
      slowThing: (env) => thing("test/network/slow-thing.ts", env),
      stop: () => network.stop(),
    };
  } catch (error) {
    await network.stop();
    throw error;
  }
}

/** Lets somebody lie, on a host of his own. Gives what his servers get. */
export async function startLiar(host: NetworkHost, flood: boolean): Promise<{ got: () => readonly Got[] }> {
  const dns = [DOMAIN, `*.${DOMAIN}`, "evil.example", "liar.local"];
  const made = makeCertificate(makeAuthority("Liars"), { dns });
  const [cert, key] = [join(host.folder, "liar.crt"), join(host.folder, "liar.key")];
  writeFileSync(cert, made.cert);
  writeFileSync(key, made.key);
  const settings: LiarSettings = {
    ...{ address: host.address, domain: DOMAIN },
    trueHost: "server.local",
    cert,
    key,
    flood,
  };
  const running = host.node("test/network/impostor.ts", [JSON.stringify(settings)]);
  await running.says(/^lying$/m);
  const lines = (): string[] =>
    running
      .stdout()
      .split("\n")
      .filter((line) => line.startsWith('{"got"'));
  return { got: () => lines().map((line) => (JSON.parse(line) as { got: Got }).got) };
}

async function startHousehold(host: NetworkHost, prosody: NetworkProsody, liars: boolean): Promise<Household> {
  const { domain, port, componentPort, secret, caFile } = prosody;
  const settings: HouseholdSettings = { domain, port, componentPort, secret, caFile, liars };
  const running = host.node("test/network/household.ts", [JSON.stringify(settings)]);
  await running.says(/^ready$/m);
  let last = 0;
  const ask = async (asked: Asked): Promise<unknown> => {
    const id = ++last;
    running.tell(JSON.stringify({ ...asked, id }));
    const [line] = await running.says(new RegExp(`^{"id":${id},.*$`, "m"), 60_000);
    const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
    if (error !== undefined) throw new Error(error);
    return result;
  };
  return {
    claim: async (text) => ((await ask({ do: "claim", text })) as { jid: string }).jid,
    read: (jid, timeout = 10_000) => ask({ do: "read", jid, timeout }) as ReturnType<Household["read"]>,
    registry: () => ask({ do: "registry" }) as ReturnType<Household["registry"]>,
    heard: () => ask({ do: "heard" }) as ReturnType<Household["heard"]>,
  };
}

/** A Thing registers, is claimed, is provisioned, and is read. Gives its address. */
export async function liveALife(thing: Running, household: Household): Promise<string> {
  await thing.says(/^ownership registered discovery\.pronto\.example$/m);
  const [, text = ""] = await thing.says(/^claim (IoTDisco;.*)$/m);
  const jid = await household.claim(text);
  await thing.says(/^ownership claimed owner@pronto\.example public$/m);
  await thing.says(/^trust delegated provisioning\.pronto\.example$/m);
  await readIt(household, jid);
  return jid;
}

/** The owner reads, as often as it takes. */
export async function readIt(household: Household, jid: string, within = 30_000): Promise<void> {
  const deadline = Date.now() + within;
  for (;;) {
    try {
      const fields = await household.read(jid, 8_000);
      if (!fields.some(({ name }) => name.startsWith("Temperature"))) throw new Error(`read ${JSON.stringify(fields)}`);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
