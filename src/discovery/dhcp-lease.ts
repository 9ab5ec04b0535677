// What the system knows of its network already: leases of systemd-networkd, and the local domain in resolv.conf.
import { hostName } from "../codec/dhcp.ts";
import type { FileSystem } from "../storage/file-system.ts";

/** As much of a disk as is read. */
export type LeaseFiles = Pick<FileSystem, "readdir" | "readFile">;

/** A lease of the system's own DHCP client. */
export interface Lease {
  /** The address that it is for. */
  readonly address: string;
  /** The DHCP server that gave it; empty if it is not said. */
  readonly server: string;
  /** The local domain (option 15), if one was given. */
  readonly domain: string | undefined;
  /** Options that have no name of their own, by code. */
  readonly options: ReadonlyMap<number, Uint8Array>;
}

// A host has a lease for each interface, and each is a page of text.
const MOST_LEASES = 32;
const LONGEST_FILE = 65_536;

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const hex = /^(?:[\da-f]{2})+$/i;

/**
 * Reads one file of `/run/systemd/netif/leases`: lines of `NAME=value`, options that systemd has no name for as
 * `OPTION_224=` and hexadecimal digits. It keeps only those from 224 to 254, and asks for them when its own
 * configuration says so (`RequestOptions=224`). `undefined` if the text is no lease.
 */
export function parseNetworkdLease(text: string): Lease | undefined {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0 && !line.startsWith("#")) values.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const address = values.get("ADDRESS") ?? "";
  const server = values.get("SERVER_ADDRESS") ?? "";
  if (!ipv4.test(address)) return undefined;
  const options = new Map<number, Uint8Array>();
  for (const [name, value] of values) {
    const code = Number(/^OPTION_(\d{1,3})$/.exec(name)?.[1] ?? 0);
    if (code > 0 && code < 255 && hex.test(value)) options.set(code, new Uint8Array(Buffer.from(value, "hex")));
  }
  return { address, server: ipv4.test(server) ? server : "", domain: hostName(values.get("DOMAINNAME")), options };
}

/** All leases of systemd-networkd; none where it does not run or nobody may read them. */
export async function readLeases(files: LeaseFiles, folder: string): Promise<readonly Lease[]> {
  const names = await files.readdir(folder).catch((): string[] => []);
  const texts = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .slice(0, MOST_LEASES)
      .map((name) => readText(files, `${folder}/${name}`)),
  );
  return texts.flatMap((text) => parseNetworkdLease(text) ?? []);
}

/**
 * The local domain that `resolv.conf` names: the first of its last line `search` or `domain` (resolv.conf(5)).
 * `undefined` if there is none.
 */
export function parseResolvConf(text: string): string | undefined {
  let domain: string | undefined;
  for (const line of text.split("\n")) {
    const [word, first] = line.trim().split(/\s+/, 2);
    if (word === "search" || word === "domain") domain = hostName(first);
  }
  return domain;
}

/** The local domain by `/etc/resolv.conf`, for names that are not qualified. */
export async function readLocalDomain(files: LeaseFiles): Promise<string | undefined> {
  return parseResolvConf(await readText(files, "/etc/resolv.conf"));
}

/** Empty if it cannot be read, or is nothing of that kind. */
async function readText(files: LeaseFiles, path: string): Promise<string> {
  const bytes = await files.readFile(path).catch(() => new Uint8Array());
  return bytes.length > LONGEST_FILE ? "" : Buffer.from(bytes).toString("latin1");
}
