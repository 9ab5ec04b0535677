// What can be chosen about asking by DHCP.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";

/** How to ask DHCP servers for the name of an XMPP server (XEP-0347 3.3.1). */
export interface DhcpOptions {
  /**
   * The site-specific option that holds the name, from 128 to 254; `false` leaves it to option 84. Default 224. What
   * others keep in it may be something else (D-E23), so that its servers are the last to be tried.
   */
  readonly siteOption?: number | false;
  /**
   * Asks from UDP port 68, as some servers will have it (ISC dhcpd). This needs the rights to bind it, and may take
   * answers that the system's own DHCP client waits for. Default false: from any port.
   */
  readonly port68?: boolean;
  /** The names of the interfaces to ask on, `["eth0"]`. Default: all that have an IPv4 address, but the loopback. */
  readonly interfaces?: readonly string[];
  /**
   * The folder in which systemd-networkd keeps its leases: they are read too. `false` reads none. Default
   * `/run/systemd/netif/leases`.
   */
  readonly lease?: string | false;
}

/** {@link DhcpOptions}, checked and completed. */
export interface DhcpSettings {
  readonly siteOption: number | false;
  readonly port68: boolean;
  readonly interfaces: readonly string[] | undefined;
  readonly lease: string | false;
}

const keys: readonly (keyof DhcpOptions)[] = ["siteOption", "port68", "interfaces", "lease"];

// RFC 2132 gave away the codes up to 127, RFC 3942 some of the others since; 255 is the end of a packet.
const FIRST_SITE_OPTION = 128;
const LAST_SITE_OPTION = 254;

/**
 * Checks options. Throws `ERR_CONFIG` naming the one that is wrong.
 *
 * @param path what they are called where they stand
 * @returns `undefined` if nothing is to be asked
 */
export function checkDhcp(given: boolean | DhcpOptions, path: string): DhcpSettings | undefined {
  if (given === false) return undefined;
  const options: unknown = given === true ? {} : given;
  if (!isOptions(options)) {
    throw new ConfigError(`${path}: must be true, false or { ${keys.join(", ")} }`);
  }
  checkKnown(options, keys, path);
  const { siteOption = 224, port68 = false, interfaces, lease = "/run/systemd/netif/leases" } = options;
  if (siteOption !== false && !isSiteOption(siteOption)) {
    throw new ConfigError(
      `${path}.siteOption: must be the code of a DHCP option from ${FIRST_SITE_OPTION} to ${LAST_SITE_OPTION}, or false`,
    );
  }
  if (typeof port68 !== "boolean") throw new ConfigError(`${path}.port68: must be true or false`);
  const named = (name: unknown): boolean => typeof name === "string" && name !== "";
  if (interfaces !== undefined && !(Array.isArray(interfaces) && interfaces.length > 0 && interfaces.every(named))) {
    throw new ConfigError(`${path}.interfaces: must be a list of names of interfaces, ["eth0"]`);
  }
  if (lease !== false && !named(lease)) throw new ConfigError(`${path}.lease: must be the path of a folder, or false`);
  return { siteOption, port68, interfaces, lease };
}

function isOptions(value: unknown): value is DhcpOptions {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSiteOption(code: unknown): boolean {
  return Number.isInteger(code) && Number(code) >= FIRST_SITE_OPTION && Number(code) <= LAST_SITE_OPTION;
}
