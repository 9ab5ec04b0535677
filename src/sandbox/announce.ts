// Tells a local network where the sandbox is: XEP-0347 3.3, the server's side.
import { buildServiceText } from "../codec/dns-sd.ts";
import type { Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { checkKnown } from "../core/options.ts";
import type { RandomSource } from "../core/random.ts";
import { startDhcpResponder, type DhcpCounts, type DhcpResponder } from "./announce-dhcp.ts";
import { chooseInterface, type ChosenInterface } from "./announce-interface.ts";
import { MdnsResponder } from "./announce-mdns.ts";
import { openMdnsWire } from "./announce-socket.ts";

/** How a sandbox makes itself known on a local network (XEP-0347 3.3). */
export interface AnnounceOptions {
  /** The name of the network interface, for instance `eth0`. Default: the only one that is not loopback. */
  readonly interface?: string;
  /**
   * The machine name, without `.local`: letters, digits and `-`. Default: that of the domain, if it ends in `.local`, else
   * `sandbox`. If it is taken, `-1`, `-2`, … is added (XEP-0347 3.3.2.1).
   */
  readonly name?: string;
  /** Also answers DHCPINFORM with options 224 and 84 (3.3.1). UDP port 67 must be free, and this process root. Default: no. */
  readonly dhcp?: boolean;
  /** Told when another machine has come with the same machine name, so that there is a new one: `sandbox-1.local`. */
  readonly onRename?: (machine: string) => void;
  /** Other ports than those of the standards, for tests. */
  readonly ports?: {
    /** Of multicast DNS. Default 5353. */
    readonly mdns?: number;
    /** Of the DHCP server. Default 67. */
    readonly dhcp?: number;
  };
}

/** What a sandbox says of itself on a local network. */
export interface Announcement {
  /** The name of the interface. */
  readonly interface: string;
  /** The machine name it has now, with `.local`. */
  readonly machine: string;
  /** What has become of the packets of DHCP; `undefined` without `dhcp`. */
  readonly dhcp: DhcpCounts | undefined;
}

/** What is to be announced, and where. */
export interface AnnouncedSandbox {
  readonly on: ChosenInterface;
  /** The address that the server listens on: one of the interface's. */
  readonly host: string;
  readonly port: number;
  readonly domain: string;
  /** The JIDs of the Thing Registry and of the Provisioning Server. */
  readonly registry: string;
  readonly provisioning: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** An announcement that can be ended. */
export interface RunningAnnouncement extends Announcement {
  /** Says goodbye, and ends. */
  stop(): Promise<void>;
}

/** The port of an announced sandbox: the one that Things try who know only its name. */
export const ANNOUNCED_PORT = 5222;
/** The domain of an announced sandbox. `localhost` would be each host's own. */
export const ANNOUNCED_DOMAIN = "sandbox.local";

const keys: readonly (keyof AnnounceOptions)[] = ["interface", "name", "dhcp", "onRename", "ports"];
const label = /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i;

/** Checks options and chooses the interface. Throws `ERR_CONFIG`. */
export function whereToAnnounce(options: AnnounceOptions, host: string | undefined): ChosenInterface {
  checkKnown(options, keys, "announce");
  const { name, interface: wanted } = options;
  if (name !== undefined && !label.test(name)) {
    throw new ConfigError(`announce.name: "${name}" is no machine name: letters, digits and -, 63 at most`);
  }
  const on = chooseInterface(wanted);
  if (host !== undefined && !on.addresses.includes(host)) {
    throw new ConfigError(`host: ${host} is no address of ${on.name} (${on.addresses.join(", ")})`);
  }
  return on;
}

/** Announces until it is stopped. Resolves when the first announcement is out. */
export async function announce(options: AnnounceOptions, sandbox: AnnouncedSandbox): Promise<RunningAnnouncement> {
  const { on, host, port, domain, registry, provisioning, clock, random, logger } = sandbox;
  const { dhcp = false, ports = {} } = options;
  const text = buildServiceText({ ordom: domain, regis: [registry], provis: [provisioning] });
  // D-3.3.1-3: the characters of RFC 1035.
  if (dhcp && !/^[a-z\d.-]{1,255}$/.test(domain)) {
    throw new ConfigError(`announce.dhcp: "${domain}" cannot be said by DHCP: letters, digits, - and .`);
  }
  let informs: DhcpResponder | undefined;
  if (dhcp) informs = await startDhcpResponder({ on, server: domain, port: ports.dhcp, logger });
  let responder: MdnsResponder | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all([responder?.stop(), informs?.stop()]);
  };
  try {
    const wire = await openMdnsWire({ on, port: ports.mdns, logger });
    const [, ofDomain] = /^([^.]+)\.local$/.exec(domain) ?? [];
    const name = options.name ?? (label.test(ofDomain ?? "") ? ofDomain : undefined) ?? "sandbox";
    const service = { addresses: [host], port, txt: text };
    const { onRename } = options;
    responder = new MdnsResponder({ wire, service, name, clock, random, logger, onRename });
    await responder.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const announced = responder;
  return {
    interface: on.name,
    get machine() {
      return announced.machine;
    },
    get dhcp() {
      return informs?.counts;
    },
    stop,
  };
}
