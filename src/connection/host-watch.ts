// What happens to the host that no socket tells of: it slept, or has moved to another network.
import { networkInterfaces } from "node:os";
import type { Clock } from "../core/clock.ts";

/**
 * What has happened. `resumed`: the host, or this process, stood still for a while. `network`: addresses have come or
 * gone.
 */
export type HostChange = "resumed" | "network";

/** What a {@link watchHost} looks at. */
export interface HostWatchOptions {
  /** Time. */
  readonly clock: Clock;
  /** The addresses of this host, but for loopback. Default: those of the system. */
  readonly addresses?: (() => ReadonlySet<string>) | undefined;
  /** Told of each change. */
  readonly onChange: (change: HostChange) => void;
}

// Nobody tells Node.js of either: they are looked for this often. It costs some 50 µs each time.
const LOOK_EVERY = 5_000;
// A process that waits for a busy machine, or a slow card, is late by less than this.
const STOOD_STILL = 10_000;

/** The addresses of this host, but for loopback. */
export function hostAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.filter(({ internal }) => !internal).map(({ address }) => address));
}

/**
 * The addresses, or `undefined` where the system does not tell: a unit of systemd without `AF_NETLINK`, a process that
 * has no file descriptor left. A link needs none of this to live.
 */
export function addressesIfTold(addresses: () => ReadonlySet<string>): ReadonlySet<string> | undefined {
  try {
    return addresses();
  } catch {
    return undefined;
  }
}

/** Watches until what it returns is called. */
export function watchHost({ clock, addresses = hostAddresses, onChange }: HostWatchOptions): () => void {
  let network = signature(addressesIfTold(addresses));
  let [wall, running] = [clock.now(), clock.monotonic()];
  const look = (): void => {
    const [wallNow, runningNow] = [clock.now(), clock.monotonic()];
    const networkNow = signature(addressesIfTold(addresses)) ?? network;
    // Asleep, the monotonic clock stands still on Linux, and the wall clock has jumped afterwards; a process that was
    // stopped finds both ahead. A clock that was set looks the same: to ask once more whether the link lives costs little.
    const stood = Math.max(wallNow - wall, runningNow - running) > LOOK_EVERY + STOOD_STILL;
    const moved = network !== undefined && networkNow !== network;
    [wall, running, network] = [wallNow, runningNow, networkNow];
    timer = clock.schedule(LOOK_EVERY, look);
    if (moved) onChange("network");
    else if (stood) onChange("resumed");
  };
  let timer = clock.schedule(LOOK_EVERY, look);
  return () => timer.cancel();
}

function signature(addresses: ReadonlySet<string> | undefined): string | undefined {
  return addresses && [...addresses].sort().join(" ");
}
