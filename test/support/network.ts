// A local network that is nobody's: hosts in network namespaces of their own, joined by a bridge in one more. Nothing of
// it can reach a real interface, and nothing real reaches it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, type Running, type RunOptions } from "./network-process.ts";
import { isInstalled } from "./server-process.ts";

export type { Running, RunOptions } from "./network-process.ts";
export * from "./network-servers.ts";

/** A host of a network. */
export interface NetworkHost {
  /** What the test calls it. */
  readonly name: string;
  /** Its IPv4 address: `10.77.0.1` for the first host, and so on. It changes with `readdress`. */
  readonly address: string;
  /** Its IPv6 address: `fd77::1` for the first host, and so on. */
  readonly address6: string;
  /** Its one interface besides `lo`. */
  readonly interface: string;
  /** A folder of its own, gone with the network. */
  readonly folder: string;
  /** Starts a command in it. */
  spawn(command: string, args: readonly string[], options?: RunOptions): Running;
  /** Runs a TypeScript file of the project, by its path from the project's folder, with tsx. */
  node(script: string, args?: readonly string[], options?: RunOptions): Running;
  /**
   * Takes it off the network: it loses its carrier as when the cable is pulled or the access point dies. Addresses and
   * routes stay; what it sends is gone, and nobody is told.
   */
  down(): void;
  /** Takes it off the network without its noticing: the carrier stays, every packet is swallowed. */
  swallow(): void;
  /** Undoes `down` and `swallow`. */
  up(): void;
  /** Gives it another IPv4 address in the place of its own: `10.77.0.77`. */
  readdress(ip: string): void;
}

/** A network of a test. */
export interface Network {
  /** A host by its name. */
  host(name: string): NetworkHost;
  /** Something to be done before the network goes: the last that was added comes first. */
  onStop(task: () => Promise<void> | void): void;
  /** Ends whatever runs in it and removes it, whatever has happened before. May be called twice. */
  stop(): Promise<void>;
}

const project = fileURLToPath(new URL("../..", import.meta.url));
// The guard of the tests (no-outside.ts) is not for those who have a network of their own.
const unguarded = { NODE_OPTIONS: undefined, NODE_V8_COVERAGE: undefined };
const INTERFACE = "lan0";
const NAMES = /^xt(\d+)-/;
const ETC = "/etc/netns";

const ip = (...args: string[]): string =>
  execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const random = (): string => Math.random().toString(36).slice(2, 8);

/** Whether networks can be made here; if not, one line says why. With `REQUIRE_NETWORK=1` that fails the run. */
export const networkAvailable: boolean = isAvailable();

function isAvailable(): boolean {
  const why = whyNot();
  if (why === undefined) return true;
  const reason = `${why}: the tests in network namespaces are skipped`;
  if (process.env["REQUIRE_NETWORK"] === "1") throw new Error(reason);
  console.log(reason);
  return false;
}

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  const missing = ["ip", "dnsmasq", "avahi-daemon", "prosody"].filter((program) => !isInstalled(program));
  if (missing.length > 0) return `${missing.join(", ")} not installed`;
  const probe = `xt${process.pid}-probe${random()}`;
  try {
    ip("netns", "add", probe);
    ip("netns", "del", probe);
    return undefined;
  } catch (error) {
    return `no network namespace can be made (${error instanceof Error ? error.message.trim() : String(error)})`;
  }
}

/**
 * Makes a network. The first host is the name server of all (`resolv.conf`): names are refused at once unless it runs
 * a dnsmasq with `dns`.
 */
export async function startNetwork({ hosts }: { readonly hosts: readonly string[] }): Promise<Network> {
  sweep();
  const prefix = `xt${process.pid}-${random()}`;
  const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-network-"));
  const lan = `${prefix}-lan`;
  const namespaces = new Map(hosts.map((name) => [name, `${prefix}-${name}`]));
  const all = [...namespaces.values(), lan];
  const tasks: (() => Promise<void> | void)[] = [];
  const running = new Set<Running>();
  const remove = (): void => {
    all.forEach(removeNamespace);
    try {
      rmdirSync(ETC);
    } catch {
      // Somebody else's are in it.
    }
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", remove);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const task of tasks.reverse()) await (async () => task())().catch((error: unknown) => failures.push(error));
    await Promise.all([...running].map((process) => process.stop()));
    remove();
    process.removeListener("exit", remove);
    if (failures.length > 0) throw failures[0];
  };
  const known = new Map<string, NetworkHost>();
  const network: Network = {
    host: (name) => {
      const host = known.get(name);
      if (host === undefined) throw new Error(`no host ${name} in this network`);
      return host;
    },
    onStop: (task) => void tasks.push(task),
    stop: () => (stopping ??= stop()),
  };
  try {
    ip("netns", "add", lan);
    ip("-n", lan, "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0");
    ip("-n", lan, "link", "set", "br0", "up");
    hosts.forEach((name, index) => {
      const namespace = namespaces.get(name) ?? "";
      const place = { lan, namespace, port: `p${index}`, number: index + 1 };
      const own = join(folder, name);
      mkdirSync(own);
      known.set(name, makeHost(name, place, own, running));
    });
  } catch (error) {
    await network.stop();
    throw error;
  }
  return network;
}

interface Place {
  readonly lan: string;
  readonly namespace: string;
  /** The host's port of the bridge. */
  readonly port: string;
  readonly number: number;
}

function makeHost(name: string, place: Place, folder: string, running: Set<Running>): NetworkHost {
  const { lan, namespace, port, number } = place;
  const inside = (...args: string[]): string => ip("-n", namespace, ...args);
  const address6 = `fd77::${number.toString(16)}`;
  let address = `10.77.0.${number}`;
  mkdirSync(join(ETC, namespace), { recursive: true });
  // `ip netns exec` lays it over /etc/resolv.conf: no name is ever asked of the machine's own name server.
  writeFileSync(join(ETC, namespace, "resolv.conf"), "nameserver 10.77.0.1\noptions timeout:1 attempts:1\n");
  ip("netns", "add", namespace);
  ip("-n", lan, "link", "add", port, "type", "veth", "peer", "name", INTERFACE, "netns", namespace);
  ip("-n", lan, "link", "set", port, "master", "br0", "up");
  inside("link", "set", "lo", "up");
  inside("addr", "add", `${address6}/64`, "dev", INTERFACE, "nodad");
  inside("link", "set", INTERFACE, "up");
  const setAddress = (): void => {
    inside("addr", "add", `${address}/24`, "broadcast", "+", "dev", INTERFACE);
    // Broadcasts and multicasts want a route, even where there is nothing to route to.
    inside("route", "replace", "default", "dev", INTERFACE);
  };
  setAddress();
  const spawn: NetworkHost["spawn"] = (command, args, options) => {
    const started = run("ip", ["netns", "exec", namespace, command, ...args], {
      cwd: project,
      ...options,
      env: { ...unguarded, ...options?.env },
    });
    running.add(started);
    void started.exited.then(() => running.delete(started));
    return started;
  };
  return {
    name,
    get address() {
      return address;
    },
    address6,
    interface: INTERFACE,
    folder,
    spawn,
    node: (script, args = [], options) =>
      spawn(process.execPath, ["--import", "tsx", join(project, script), ...args], options),
    down: () => void ip("-n", lan, "link", "set", port, "down"),
    swallow: () => void ip("-n", lan, "link", "set", port, "nomaster"),
    up: () => void ip("-n", lan, "link", "set", port, "master", "br0", "up"),
    readdress: (to) => {
      inside("addr", "del", `${address}/24`, "dev", INTERFACE);
      address = to;
      setAddress();
    },
  };
}

/** Ends what still runs in a namespace, by process, and takes it away. What is gone already is no trouble. */
function removeNamespace(namespace: string): void {
  try {
    for (const pid of ip("netns", "pids", namespace).split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
  } catch {
    // It was never made, or its process has just ended.
  }
  try {
    ip("netns", "del", namespace);
  } catch {
    // As above.
  }
  rmSync(join(ETC, namespace), { recursive: true, force: true });
}

/** Removes what a test process that was killed has left behind. Its number stands in the names. */
function sweep(): void {
  const names = [...ip("netns", "list").split("\n"), ...list(ETC)].map((line) => line.split(" ")[0] ?? "");
  for (const name of new Set(names)) {
    const pid = Number(NAMES.exec(name)?.[1]);
    if (!Number.isNaN(pid) && !isAlive(pid)) removeNamespace(name);
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
