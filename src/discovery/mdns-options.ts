// How multicast DNS is used: what is asked, and where.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";

/** How to search by multicast DNS (XEP-0347 3.3.2). */
export interface MdnsOptions {
  /**
   * The network interfaces to ask on, by name (`eth0`) or by address (`192.168.1.20`). Default: all that are up and can
   * do multicast, except the loopback interface.
   */
  readonly interfaces?: readonly string[];
  /** The UDP port of multicast DNS. Default 5353; another one is of use in tests only. */
  readonly port?: number;
}

/** {@link MdnsOptions}, checked and completed. */
export interface MdnsSettings {
  /** Names or addresses; `undefined` for all that can be used. */
  readonly interfaces: readonly string[] | undefined;
  /** The UDP port. */
  readonly port: number;
}

/** What goes without options. */
export const defaultMdns: MdnsSettings = { interfaces: undefined, port: 5353 };

/**
 * Checks options; `undefined` if multicast DNS is switched off. Throws `ERR_CONFIG` naming the one that is wrong.
 *
 * @param path what the options are called where they stand
 */
export function checkMdns(options: boolean | MdnsOptions, path: string): MdnsSettings | undefined {
  if (typeof options === "boolean") return options ? defaultMdns : undefined;
  if (typeof options !== "object" || (options as unknown) === null) {
    throw new ConfigError(`${path}: must be true, false or options`);
  }
  checkKnown(options, ["interfaces", "port"], path);
  const { interfaces, port = defaultMdns.port } = options;
  const named = interfaces as unknown;
  if (named !== undefined && !(Array.isArray(named) && named.length > 0 && named.every(isName))) {
    throw new ConfigError(`${path}.interfaces: must be a list of names or addresses, ["eth0"]`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ConfigError(`${path}.port: must be a whole number from 1 to 65535`);
  }
  return { interfaces, port };
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}
