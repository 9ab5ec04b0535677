// How servers are searched for: what is on unless it is switched off, and what has to be switched on by name.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import { checkDhcp, type DhcpOptions, type DhcpSettings } from "./dhcp-options.ts";
import type { Finder } from "./finder.ts";
import { hostOfDomain, tryDomain } from "./host.ts";
import { checkMdns, type MdnsOptions, type MdnsSettings } from "./mdns-options.ts";

/** How to search for servers (XEP-0347 3.3). */
export interface DiscoveryOptions {
  /**
   * The XMPP domain that is wanted: DNS is asked who serves it, and whatever is heard of other domains does not count.
   * Default: any that is heard of.
   */
  readonly domain?: string;
  /** Asks the DHCP servers of the network (XEP-0347 3.3.1). Default true. */
  readonly dhcp?: boolean | DhcpOptions;
  /** Asks by multicast DNS for servers that announce themselves (XEP-0347 3.3.2). Default true. */
  readonly mdns?: boolean | MdnsOptions;
  /** Finders of the program's own, beside those that come with the library. Default: none. */
  readonly finders?: readonly Finder[];
  /** How long to listen, in milliseconds. Default 10,000. */
  readonly timeout?: number;
}

/** {@link DiscoveryOptions}, checked and completed. */
export interface DiscoverySettings {
  readonly domain: string | undefined;
  readonly dhcp: DhcpSettings | undefined;
  readonly mdns: MdnsSettings | undefined;
  readonly finders: readonly Finder[];
  readonly timeout: number;
}

/** The options there are. */
export const discoveryKeys: readonly (keyof DiscoveryOptions)[] = ["domain", "dhcp", "mdns", "finders", "timeout"];

const LONGEST = 600_000;

/**
 * Checks options. Throws `ERR_CONFIG` naming the one that is wrong.
 *
 * @param path what the options are called where they stand
 */
export function checkDiscovery(options: DiscoveryOptions, path = ""): DiscoverySettings {
  checkKnown(options, discoveryKeys, path);
  const name = (option: string): string => (path === "" ? option : `${path}.${option}`);
  const { dhcp = true, mdns = true, finders = [], timeout = 10_000 } = options;
  if (!Number.isSafeInteger(timeout) || timeout < 1 || timeout > LONGEST) {
    throw new ConfigError(`${name("timeout")}: must be a whole number of milliseconds from 1 to ${LONGEST}`);
  }
  if (!Array.isArray(finders) || !finders.every(isFinder)) {
    throw new ConfigError(`${name("finders")}: must be a list of finders, { name: "…", async *find(search) { … } }`);
  }
  return {
    domain: options.domain === undefined ? undefined : checkDomain(options.domain, name("domain")),
    dhcp: checkDhcp(dhcp, name("dhcp")),
    mdns: checkMdns(mdns, name("mdns")),
    finders,
    timeout,
  };
}

function checkDomain(given: unknown, path: string): string {
  const domain = tryDomain(given);
  if (domain === undefined || hostOfDomain(domain) === undefined) {
    throw new ConfigError(`${path}: ${JSON.stringify(given)} is not an XMPP domain`);
  }
  return domain;
}

function isFinder(value: unknown): value is Finder {
  if (typeof value !== "object" || value === null) return false;
  const { name, find } = value as Readonly<Record<string, unknown>>;
  return typeof name === "string" && name !== "" && typeof find === "function";
}
