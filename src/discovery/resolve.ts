// From an XMPP domain to the addresses that serve it: RFC 6120 section 3.2, XEP-0368 section 3, RFC 2782.
import { isIP } from "node:net";
import { withDeadline } from "../core/abort.ts";
import { DiscoveryError, messageOf } from "../core/errors.ts";
import { randomFraction, type RandomSource } from "../core/random.ts";
import type { FoundServer } from "./candidate.ts";
import { systemDns, type Dns, type SrvRecord } from "./dns.ts";
import type { Search } from "./finder.ts";
import { hostOfDomain, isLocalName, isLoopbackName, tryHost } from "./host.ts";

/** What {@link resolveDomain} asks. */
export interface Resolvers {
  /** Asks DNS. Default: the system's servers; tests give others. */
  readonly dns?: Dns | undefined;
  /**
   * The IP addresses of a host in `.local`, by multicast DNS (RFC 6762); none if nobody answers. Default: none: such a
   * name is left to the system.
   */
  readonly lookupLocal?: ((host: string, search: Search) => Promise<readonly string[]>) | undefined;
}

// More than any domain has use for: DNS is not trusted to end.
const MOST_RECORDS = 32;
const MOST_ADDRESSES = 8;
// Of DNS, for each question; then it counts as silent.
const ANSWER_WITHIN = 5_000;

/**
 * The servers of a domain, in the order in which they are to be tried, which `preference` holds too. SRV records for
 * direct TLS and for STARTTLS count as one list (XEP-0368 section 3). If there are none, or DNS does not answer, it is
 * the host of the domain's own name, port 5222 and then 5223 with direct TLS. What a server has to prove is the domain,
 * wherever it was found. Rejects with `ERR_DISCOVERY` if the domain says that it has no XMPP service, and with the
 * signal's reason.
 *
 * @param domain an XMPP domain, as `tryDomain` gives it
 */
export async function resolveDomain(
  domain: string,
  search: Search,
  resolvers: Resolvers = {},
): Promise<readonly FoundServer[]> {
  const host = hostOfDomain(domain);
  if (host === undefined) throw new DiscoveryError(`${domain} is no name that a host can have`);
  const local = (name: string): Promise<readonly string[]> => addressesOf(name, search, resolvers);
  if (isIP(host) !== 0 || isLocalName(host) || isLoopbackName(host))
    return byItsName(domain, host, await local(host), ["tls", "starttls"]);
  const { dns = systemDns() } = resolvers;
  const [tls, starttls] = await Promise.all([ask(dns, "tls", host, search), ask(dns, "starttls", host, search)]);
  const records = inOrder([...tls.records, ...starttls.records], search.random);
  if (records.length > 0)
    return (await Promise.all(records.map((record) => located(record, local)))).flat().map(server);
  // RFC 2782: the service is decidedly not there. What is said of direct TLS alone leaves STARTTLS.
  if (starttls.denied) throw new DiscoveryError(`${domain} says by DNS that it has no XMPP service`);
  if (tls.odd || starttls.odd) throw new DiscoveryError(`the SRV records of ${domain} name no host that can be used`);
  const why = tls.why ?? starttls.why;
  if (why !== undefined) search.logger.debug("DNS gave no SRV records", { domain, why });
  return byItsName(domain, host, [host], tls.denied ? ["starttls"] : ["tls", "starttls"]);

  function server({ record, host: at }: Located, preference: number): FoundServer {
    const { service, priority, weight, port, name } = record;
    const heard = `SRV ${nameOf[service]}.${host} ${priority} ${weight} ${port} ${name}`;
    return { host: at, port, directTls: service === "tls", domain, preference, heard };
  }
}

type Service = "tls" | "starttls";

const nameOf = { tls: "_xmpps-client._tcp", starttls: "_xmpp-client._tcp" } as const;

interface ServiceRecord extends SrvRecord {
  readonly service: Service;
}

/** What DNS says of a service. */
interface Answer {
  readonly records: readonly ServiceRecord[];
  /** It is said not to be there. */
  readonly denied: boolean;
  /** There are records, but none that can be used. */
  readonly odd: boolean;
  /** Why there was no answer. */
  readonly why?: string | undefined;
}

async function ask(dns: Dns, service: Service, host: string, search: Search): Promise<Answer> {
  const name = `${nameOf[service]}.${host}`;
  let answer: readonly SrvRecord[];
  try {
    const limits = { signal: search.signal, timeout: ANSWER_WITHIN };
    answer = await withDeadline(search.clock, limits, "DNS", (signal) => dns.srv(name, signal));
  } catch (error) {
    search.signal.throwIfAborted();
    // RFC 6120 section 3.2.1: no answer is no reason to give up.
    return { records: [], denied: false, odd: false, why: messageOf(error) };
  }
  const denies = ({ name: target }: SrvRecord): boolean => target === "" || target === ".";
  if (answer.length > MOST_RECORDS) search.drop("too many");
  const named = answer.slice(0, MOST_RECORDS).filter((record) => !denies(record));
  const records = named.flatMap((record) => checked(record, service) ?? []);
  for (let left = named.length - records.length; left > 0; left--) search.drop("malformed");
  return { records, denied: named.length === 0 && answer.length > 0, odd: named.length > 0 && records.length === 0 };
}

function checked({ name, port, priority, weight }: SrvRecord, service: Service): ServiceRecord | undefined {
  const host = tryHost(name);
  const numbers = [port, priority, weight].every((value) => Number.isInteger(value) && value >= 0 && value <= 65_535);
  if (host === undefined || isIP(host) !== 0 || port === 0 || !numbers) return undefined;
  return { name: host, port, priority, weight, service };
}

/**
 * The order of RFC 2782: by priority; within one, each is drawn with a chance by its weight. Whoever has weight 0 is
 * drawn seldom, but may be.
 */
export function inOrder<T extends SrvRecord>(records: readonly T[], random: RandomSource): readonly T[] {
  const ordered: T[] = [];
  for (const priority of [...new Set(records.map((record) => record.priority))].sort((a, b) => a - b)) {
    const left = records.filter((record) => record.priority === priority).sort((a, b) => a.weight - b.weight);
    while (left.length > 0) {
      const sum = left.reduce((total, { weight }) => total + weight, 0);
      // Where nobody weighs anything, being first in the answer is no merit.
      const drawn = Math.floor(randomFraction(random) * (sum === 0 ? left.length : sum + 1));
      let running = 0;
      const at = sum === 0 ? drawn : left.findIndex(({ weight }) => (running += weight) >= drawn);
      ordered.push(...left.splice(at, 1));
    }
  }
  return ordered;
}

interface Located {
  readonly record: ServiceRecord;
  readonly host: string;
}

async function located(
  record: ServiceRecord,
  local: (host: string) => Promise<readonly string[]>,
): Promise<readonly Located[]> {
  return (await local(record.name)).map((host) => ({ record, host }));
}

/**
 * Where a host is: addresses for a name in `.local` and for this machine; every other name is left to the system, when it
 * is connected to.
 */
async function addressesOf(host: string, search: Search, { lookupLocal }: Resolvers): Promise<readonly string[]> {
  if (isLoopbackName(host)) return ["127.0.0.1", "::1"];
  if (!isLocalName(host) || lookupLocal === undefined) return [host];
  const found = await lookupLocal(host, search);
  const usable = found.filter((address) => isIP(address) !== 0).slice(0, MOST_ADDRESSES);
  // A system that knows multicast DNS, or has such names in its own DNS, may still find it.
  return usable.length > 0 ? usable : [host];
}

/** RFC 6120 section 3.2.2, and the same for direct TLS. */
function byItsName(
  domain: string,
  name: string,
  hosts: readonly string[],
  services: readonly Service[],
): readonly FoundServer[] {
  const ports = [...(services.includes("starttls") ? [5222] : []), ...(services.includes("tls") ? [5223] : [])];
  return ports
    .flatMap((port) => hosts.map((host) => ({ host, port, directTls: port === 5223, domain })))
    .map((address, preference) => ({ ...address, preference, heard: `the name ${name}` }));
}
