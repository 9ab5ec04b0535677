// A Prosody of one's own. Made for Prosody 0.12 as Debian has it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isInstalled, missing, startServer, type RealXmppServer, type Secrets } from "./server-process.ts";

/** A running Prosody. */
export type Prosody = RealXmppServer;

/** Why there is no Prosody here; `undefined` if there is. With `REQUIRE_PROSODY=1` a missing one fails the run. */
export const noProsody: string | undefined = isInstalled("prosody") ? undefined : missing("Prosody");

/** What the configuration of a Prosody says. */
export interface ProsodyConfig {
  /** Where its files are. */
  readonly folder: string;
  /** For clients, for clients with direct TLS, for components. */
  readonly ports: readonly number[];
  /** The domains that it serves. */
  readonly hosts: readonly string[];
  readonly secrets: Secrets;
  /** The addresses it listens on. Default: loopback. */
  readonly interfaces?: readonly string[];
  /** Further lines of the configuration. Default: none. */
  readonly settings?: string;
  /** It logs to its standard output instead of `prosody.log`. */
  readonly console?: boolean;
  /** From which level on it logs. Default: everything. */
  readonly logLevel?: "debug" | "info";
}

/** The configuration of a Prosody for tests. */
export function prosodyConfig(wanted: ProsodyConfig): string {
  const { folder, ports, hosts, secrets, interfaces = ["127.0.0.1"], console = false, settings = "" } = wanted;
  const { logLevel = "debug" } = wanted;
  const [port, tlsPort, componentPort] = ports;
  const listen = interfaces.map((address) => `"${address}"`).join(", ");
  const sink = console ? `to = "console"` : `to = "file", filename = "${folder}/prosody.log"`;
  const components = [...secrets].map(([name, secret]) => `Component "${name}"\n  component_secret = "${secret}"`);
  // Settings that tests need: no throttle on registrations, no Nagle, root if the tests run as root.
  return `
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
run_as_root = ${process.getuid?.() === 0}
interfaces = { ${listen} }
c2s_ports = { ${port} }
c2s_direct_tls_ports = { ${tlsPort} }
component_ports = { ${componentPort} }
component_interfaces = { ${listen} }
modules_enabled = { "posix", "roster", "saslauth", "tls", "disco", "register_ibr", "register", "ping", "presence",
  "message", "iq", "c2s", "component", "offline", "blocklist", "time", "version", "smacks" }
modules_disabled = { "s2s" }
allow_registration = true
registration_throttle_period = 1
registration_throttle_max = 10000
c2s_require_encryption = true
authentication = "internal_hashed"
storage = "internal"
network_settings = { nagle = false }
${settings}
ssl = { certificate = "${folder}/server.crt", key = "${folder}/server.key" }
log = { { levels = { min = "${logLevel}" }, ${sink} } }
${hosts.map((host) => `VirtualHost "${host}"`).join("\n")}
${components.join("\n")}
`;
}

/**
 * Starts a Prosody; `undefined` if there is none on this machine. It serves `localhost` and, on the same ports, further
 * hosts: to its clients they are other domains. `settings`: further lines of its configuration.
 */
export async function startProsody(
  options: {
    components?: readonly string[];
    hosts?: readonly string[];
    settings?: string;
    logLevel?: "debug" | "info";
  } = {},
): Promise<Prosody | undefined> {
  if (noProsody !== undefined) return undefined;
  const {
    components = ["discovery.localhost", "provisioning.localhost", "other.localhost"],
    hosts = [],
    settings = "",
    logLevel = "debug",
  } = options;
  return startServer(
    {
      name: "Prosody",
      writesAfter: 0,
      hosts,
      ports: () => 3,
      prepare: (folder, ports, certificate, secrets) => {
        mkdirSync(join(folder, "data"));
        writeFileSync(join(folder, "server.crt"), certificate.cert);
        writeFileSync(join(folder, "server.key"), certificate.key, { mode: 0o600 });
        writeFileSync(
          join(folder, "prosody.cfg.lua"),
          prosodyConfig({ folder, ports, secrets, hosts: ["localhost", ...hosts], settings, logLevel }),
        );
      },
      command: (folder) => ({ file: "prosody", args: ["--config", join(folder, "prosody.cfg.lua"), "-F"], env: {} }),
      log: "prosody.log",
      // Without one of its ports it goes on.
      listens: (port) => `on [127.0.0.1]:${port}`,
    },
    components,
  );
}
