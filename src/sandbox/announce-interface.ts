// On which network the sandbox is announced: on one, that is chosen by name where there are several.
import { isIPv4 } from "node:net";
import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";
import { ConfigError } from "../core/errors.ts";

/** The interface of a machine that was chosen. */
export interface ChosenInterface {
  /** Its name: `eth0`, `wlan0`. */
  readonly name: string;
  /** Its IPv4 address. */
  readonly address: string;
  /** Which part of that address all on the link have in common: `255.255.255.0`. */
  readonly netmask: string;
  /** Every address it has, IPv6 too. */
  readonly addresses: readonly string[];
}

/** The interfaces of this machine that are up and have an address, by their names. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * Chooses an interface. Throws `ERR_CONFIG` if it is not to be found, or if nobody has said which of several.
 *
 * @param wanted its name; left out, the only one that is no loopback and has an IPv4 address
 * @param interfaces what the machine has; left out, this machine
 */
export function chooseInterface(wanted?: string, interfaces: Interfaces = networkInterfaces()): ChosenInterface {
  const all = Object.entries(interfaces).flatMap(([name, infos = []]) => {
    const ipv4 = infos.find(({ family }) => family === "IPv4");
    return ipv4 === undefined ? [] : [{ ...ipv4, name, addresses: infos.map(({ address }) => address) }];
  });
  const list = all.map(({ name, address }) => `${name} (${address})`).join(", ");
  const fitting = all.filter(({ name, internal }) => (wanted === undefined ? !internal : name === wanted));
  const [chosen, another] = fitting;
  if (chosen === undefined) {
    const what = wanted === undefined ? "no network" : `no interface "${wanted}" with an IPv4 address`;
    throw new ConfigError(`announce.interface: there is ${what}; there are: ${list}`);
  }
  if (another !== undefined) {
    throw new ConfigError(`announce.interface: there are several networks, say which one: ${list}`);
  }
  const { name, address, netmask, addresses } = chosen;
  return { name, address, netmask, addresses };
}

/** Tells whether an IPv4 address is one of the link of that interface. */
export function isOnLink(chosen: Pick<ChosenInterface, "address" | "netmask">, address: string): boolean {
  if (!isIPv4(address)) return false;
  const mask = bits(chosen.netmask);
  return (bits(address) & mask) === (bits(chosen.address) & mask);
}

function bits(address: string): number {
  return Buffer.from(address.split(".").map(Number)).readInt32BE();
}
