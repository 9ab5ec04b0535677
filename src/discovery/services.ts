// The ways to find a Thing Registry (XEP-0347 3.5) or a provisioning server (3.11), one after the other.
import { ConnectionError, DiscoveryError, messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import type { Components } from "./components.ts";
import { serviceAddress, type ServiceParts } from "./features.ts";
import type { RegistryWays } from "./service-options.ts";

/** How long a service that is named has to answer, or to show up, in milliseconds. */
const ANSWER_WITHIN = 10_000;

/** A way to find a service; or what is to be known of it. */
export interface Way<Found = BareJid> {
  /** What it is called in a message. */
  readonly name: string;
  /** Finds it, or says why not by what it rejects with. */
  readonly find: () => Promise<Found>;
}

/** What it takes to find a service. */
export interface FindingParts extends ServiceParts {
  /** The components of the own server. */
  readonly components: Components;
}

/**
 * The first success. Rejects with `ERR_DISCOVERY` when there is none, saying what was tried and what came of each, with
 * `ERR_CONNECTION` when the stream ends, and with the signal's reason.
 *
 * @param what what is looked for, in words
 */
export async function firstOf<Found>(what: string, ways: readonly Way<Found>[], signal: AbortSignal): Promise<Found> {
  const tried: string[] = [];
  for (const { name, find } of ways) {
    try {
      return await find();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ConnectionError) throw error;
      tried.push(`${name}: ${messageOf(error)}`);
    }
  }
  throw new DiscoveryError(`no ${what} was found (${tried.join("; ")})`);
}

/** A service that is named, if it answers and is one. */
export function named(parts: ServiceParts, name: string, jid: BareJid, feature: string, signal: AbortSignal): Way {
  const options = { signal, timeout: ANSWER_WITHIN };
  return { name, find: async () => serviceAddress(parts, jid, feature, options).then(() => jid) };
}

/** Methods 3 and 4 of both: a part of an address, put before the domain of the server connected to. */
export function completed(
  parts: ServiceParts,
  { subdomain, username }: Pick<RegistryWays, "subdomain" | "username">,
  feature: string,
  signal: AbortSignal,
): Way[] {
  const domain = parts.channel.jid?.domain;
  if (domain === undefined) throw new ConnectionError("not connected");
  const ways: Way[] = [];
  if (subdomain !== undefined) {
    ways.push(named(parts, "subdomain", `${subdomain}.${domain}` as BareJid, feature, signal));
  }
  if (username !== undefined) {
    ways.push(named(parts, "user name", `${username}@${domain}` as BareJid, feature, signal));
  }
  return ways;
}

/** XEP-0347 3.5, in its order: component, bare JID, subdomain, user name, search among the server's components. */
export async function findRegistry(
  parts: FindingParts,
  ways: RegistryWays,
  preferred: readonly string[],
  signal: AbortSignal,
): Promise<BareJid> {
  const { component, jid, search } = ways;
  const feature = ns.discovery;
  const list: Way[] = [];
  if (component !== undefined) list.push(named(parts, "component", component, feature, signal));
  if (jid !== undefined) list.push(named(parts, "JID", jid, feature, signal));
  list.push(...completed(parts, ways, feature, signal));
  if (search) list.push({ name: "search", find: async () => parts.components.find(feature, { signal, preferred }) });
  return firstOf("Thing Registry", list, signal);
}
