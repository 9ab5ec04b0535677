// The servers of a home, in a host of a test's network: DHCP and DNS by dnsmasq, multicast DNS by avahi, XMPP by Prosody.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeAuthority, makeCertificate, type Certificate } from "./certificates.ts";
import type { NetworkHost, Running } from "./network.ts";
import { prosodyConfig } from "./prosody.ts";

/** What a dnsmasq serves. */
export interface DnsmasqOptions {
  /** DHCP options, as dnsmasq writes them: `224,pronto.example`, `option:domain-name,home.example`. */
  readonly options?: readonly string[];
  /**
   * Names, as lines of its configuration: `host-record=pronto.example,10.77.0.1`. Without it dnsmasq serves no DNS.
   * A name that is not given does not exist.
   */
  readonly dns?: readonly string[];
  /** Further lines of its configuration. */
  readonly lines?: readonly string[];
}

/** Starts dnsmasq. Resolves when it serves: leases from `10.77.0.100` on, and answers to INFORM. */
export async function startDnsmasq(host: NetworkHost, options: DnsmasqOptions = {}): Promise<Running> {
  const folder = mkdtempSync(join(host.folder, "dnsmasq-"));
  const { dns } = options;
  const config = [
    ...(dns === undefined ? ["port=0"] : ["local=/#/", ...dns]),
    `interface=${host.interface}`,
    "bind-interfaces",
    "except-interface=lo",
    "dhcp-range=10.77.0.100,10.77.0.150,255.255.255.0,1h",
    "dhcp-authoritative",
    ...(options.options ?? []).map((option) => `dhcp-option=${option}`),
    `dhcp-leasefile=${folder}/leases`,
    `pid-file=${folder}/dnsmasq.pid`,
    "log-dhcp",
    "log-facility=-",
    "user=root",
    "no-resolv",
    "no-hosts",
    ...(options.lines ?? []),
  ];
  writeFileSync(join(folder, "dnsmasq.conf"), `${config.join("\n")}\n`);
  const running = host.spawn("dnsmasq", [`--conf-file=${folder}/dnsmasq.conf`, "-k"]);
  await running.says(/DHCP, sockets bound|DHCP, IP range/);
  return running;
}

/** What an avahi-daemon announces. */
export interface AvahiOptions {
  /** The name of the service: `Pronto XMPP`. */
  readonly name: string;
  /** Its port. Default 5222. */
  readonly port?: number;
  /** The strings of its TXT record: `ordom=pronto.example`. */
  readonly txt: readonly string[];
  /** The type of the service. Default `_xmpp-client._tcp`. */
  readonly type?: string;
  /** The host's name without `.local`. Default: the name of the host in the network. */
  readonly hostName?: string;
}

/** The file that describes a service to an avahi-daemon. */
function serviceFile({ name, port = 5222, txt, type = "_xmpp-client._tcp" }: AvahiOptions): string {
  const records = txt.map((record) => `    <txt-record>${xmlText(record)}</txt-record>`).join("\n");
  return `<?xml version="1.0" standalone="no"?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group>
  <name replace-wildcards="no">${xmlText(name)}</name>
  <service>
    <type>${type}</type>
    <port>${port}</port>
${records}
  </service>
</service-group>
`;
}

const xmlText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/**
 * Starts avahi-daemon, by what it is to announce or by a file that says so. Resolves when the service is announced: about
 * 2 s, for it looks first whether the name is free.
 */
export async function startAvahi(
  host: NetworkHost,
  options: AvahiOptions | { readonly file: string },
): Promise<Running> {
  const { hostName = host.name, file } =
    "file" in options ? { file: options.file } : { ...options, file: serviceFile(options) };
  const folder = mkdtempSync(join(host.folder, "avahi-"));
  mkdirSync(join(folder, "services"));
  const config = `
[server]
host-name=${hostName}
domain-name=local
use-ipv4=yes
use-ipv6=yes
allow-interfaces=${host.interface}
enable-dbus=no
ratelimit-interval-usec=0
ratelimit-burst=0
[publish]
publish-workstation=no
publish-hinfo=no
[wide-area]
enable-wide-area=no
`;
  // The folders are compiled in: others are laid over them, for this process only.
  const script = `
set -e
mount -t tmpfs tmpfs /run
mkdir /run/avahi-daemon
mount --bind "$1/services" /etc/avahi/services
exec avahi-daemon -f "$1/avahi.conf" --no-drop-root --no-chroot --no-rlimits --debug
`;
  writeFileSync(join(folder, "avahi.conf"), config);
  writeFileSync(join(folder, "services", "xmpp.service"), file);
  const running = host.spawn("sh", ["-c", script, "sh", folder]);
  await running.says(/successfully established/);
  return running;
}

/** A Prosody on a host of a network. */
export interface NetworkProsody {
  readonly domain: string;
  readonly port: number;
  /** For direct TLS. */
  readonly tlsPort: number;
  /** For components (XEP-0114). */
  readonly componentPort: number;
  /** The authority that signed its certificate, PEM. */
  readonly ca: string;
  /** The same, as a file. */
  readonly caFile: string;
  /** Its components, and the one secret of all. */
  readonly components: readonly string[];
  readonly secret: string;
  /** Its log. */
  log(): string;
  /** Ends it as by a power cut. What it has stored stays. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  restart(): Promise<void>;
}

/** What a Prosody is to be. */
export interface ProsodyOptions {
  /** The domain that it serves, and has a certificate of. */
  readonly domain: string;
  /** Its components. Default: `discovery` and `provisioning` under its domain. */
  readonly components?: readonly string[];
  /** Who signs its certificate. Default: an authority of its own. */
  readonly authority?: Certificate;
  /** It is prepared, but started only by `restart`. */
  readonly later?: boolean;
}

const SECRET = "secret-of-the-components";

/** Starts Prosody on all addresses of a host, with the ports of the book: 5222, 5223, 5347. */
export async function startProsodyOn(host: NetworkHost, options: ProsodyOptions): Promise<NetworkProsody> {
  const { domain, components = [`discovery.${domain}`, `provisioning.${domain}`], later = false } = options;
  const { authority = makeAuthority() } = options;
  const [port, tlsPort, componentPort] = [5222, 5223, 5347];
  const folder = mkdtempSync(join(host.folder, "prosody-"));
  const certificate = makeCertificate(authority, { dns: [domain, `*.${domain}`] });
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "server.crt"), certificate.cert);
  writeFileSync(join(folder, "server.key"), certificate.key, { mode: 0o600 });
  const caFile = join(folder, "ca.crt");
  writeFileSync(caFile, authority.cert);
  const config = prosodyConfig({
    folder,
    ports: [port, tlsPort, componentPort],
    hosts: [domain],
    secrets: new Map(components.map((name) => [name, SECRET])),
    interfaces: ["*", "::"],
    console: true,
  });
  writeFileSync(join(folder, "prosody.cfg.lua"), config);
  let running: Running | undefined;
  let log = "";
  const start = async (): Promise<void> => {
    running = host.spawn("prosody", ["--config", join(folder, "prosody.cfg.lua"), "-F"]);
    for (const each of [port, tlsPort, componentPort]) await running.says(new RegExp(`Activated service .*:${each}`));
  };
  if (!later) await start();
  return {
    ...{ domain, port, tlsPort, componentPort, ca: authority.cert, caFile, components, secret: SECRET },
    log: () => log + (running?.stdout() ?? ""),
    kill: async () => {
      await running?.kill();
      log += running?.stdout() ?? "";
      running = undefined;
    },
    restart: start,
  };
}
