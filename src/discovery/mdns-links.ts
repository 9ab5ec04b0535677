// The links that multicast DNS is spoken on: one for each network interface and family of addresses (RFC 6762 section 14).
import { readFileSync } from "node:fs";
import { BlockList, isIP } from "node:net";
import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";

/** One family of addresses on one network interface. */
export interface Link {
  /** The name of the interface: `eth0`. */
  readonly interface: string;
  /** The version of IP. */
  readonly family: 4 | 6;
  /** The own address there; a link-local one of IPv6 with its zone, `fe80::1%eth0`. */
  readonly address: string;
  /** Packets there come from this machine alone. */
  readonly loopback: boolean;
  /** Whether a source address is one of this link (RFC 6762 section 11). */
  readonly isOn: (address: string) => boolean;
}

/** Where the interfaces of the machine are looked up; tests have their own. */
export interface LinkSource {
  /** As `os.networkInterfaces`. */
  readonly list: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** Whether an interface can do multicast. */
  readonly multicast: (name: string) => boolean;
}

/** Those of this machine. */
export const machineLinks: LinkSource = { list: networkInterfaces, multicast: (name) => canMulticast(name) };

// A host of containers has hundreds, and each costs four sockets.
const MOST_LINKS = 16;
const IFF_MULTICAST = 0x1000;

/**
 * The links there are now.
 *
 * @param wanted names or addresses of interfaces; all that can be used if left out
 */
export function linksNow(wanted: readonly string[] | undefined, source: LinkSource = machineLinks): readonly Link[] {
  const links: Link[] = [];
  for (const [name, infos = []] of Object.entries(source.list())) {
    const named = wanted?.includes(name) ?? false;
    const chosen = infos.filter((info) => named || (wanted?.includes(info.address) ?? !info.internal));
    if (chosen.length === 0 || (wanted === undefined && !source.multicast(name))) continue;
    for (const family of [4, 6] as const) {
      const link = linkOf(name, family, chosen, infos);
      if (link !== undefined) links.push(link);
    }
  }
  return links.slice(0, MOST_LINKS);
}

function linkOf(
  name: string,
  family: 4 | 6,
  chosen: readonly NetworkInterfaceInfo[],
  all: readonly NetworkInterfaceInfo[],
): Link | undefined {
  const ours = chosen.filter(({ address }) => isIP(address) === family);
  // ff02::fb is spoken to from a link-local address where there is one.
  const [info] = [...ours.filter(({ address }) => isLinkLocal(address)), ...ours];
  if (info === undefined) return undefined;
  const zone = family === 6 && isLinkLocal(info.address) ? `%${name}` : "";
  const near = new BlockList();
  // Addresses of these ranges are never routed: their packets are from here, whatever the own address is.
  if (family === 4) near.addSubnet("169.254.0.0", 16, "ipv4");
  else near.addSubnet("fe80::", 10, "ipv6");
  for (const { address, cidr } of all) {
    const [net = "", bits = ""] = (cidr ?? "").split("/");
    if (isIP(address) === family && isIP(net) === family) near.addSubnet(net, Number(bits), typeOf(family));
  }
  const isOn = (address: string): boolean => {
    const [bare = "", scope] = address.split("%");
    if (isIP(bare) !== family || (scope !== undefined && scope !== name)) return false;
    return near.check(bare, typeOf(family));
  };
  return { interface: name, family, address: `${info.address}${zone}`, loopback: info.internal, isOn };
}

/** Whether packets to an address reach this link only: it then needs the name of the link beside it. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][\da-f]:/i.test(address);
}

function typeOf(family: 4 | 6): "ipv4" | "ipv6" {
  return family === 4 ? "ipv4" : "ipv6";
}

/** What Linux says of an interface; elsewhere it is tried. */
export function canMulticast(
  name: string,
  read: (path: string) => string = (path) => readFileSync(path, "utf8"),
): boolean {
  try {
    return (Number(read(`/sys/class/net/${name}/flags`)) & IFF_MULTICAST) !== 0;
  } catch {
    return true;
  }
}
