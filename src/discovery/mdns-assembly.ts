// From records to servers: XEP-0347 3.3.2.1. Pieces come in any order, in one packet or in many.
import { parseServiceText } from "../codec/dns-sd.ts";
import type { FoundServer } from "./candidate.ts";
import { isLocalName, tryDomain, tryHost } from "./host.ts";
import type { Kept, SenderRecords } from "./mdns-cache.ts";
import type { KnownAnswer, Question } from "./mdns-questions.ts";
import { instanceLabel, keyOf, service } from "./mdns-records.ts";

/** What one sender's records come to. */
export interface Assembly {
  /** Servers that are complete, one for each of their addresses. */
  readonly servers: readonly FoundServer[];
  /** What is missing, to be asked for. */
  readonly missing: readonly Question[];
  /** What need not be told again. */
  readonly known: readonly KnownAnswer[];
  /** When to look again, though nothing new has come; `Infinity` for never. */
  readonly again: number;
}

/**
 * For this long a server waits for its TXT record, which may come in another packet: without it the domain is guessed.
 * Every server has one (XEP-0347 3.3.2.1), be it empty.
 */
export const TEXT_WITHIN = 500;
const MOST_ADDRESSES = 4;

/**
 * Puts together what a sender has said.
 *
 * @param records its records
 * @param now the time, by the clock that never jumps
 * @param addressesOf the addresses of a host by what others have said; asked only if the sender says none itself
 */
export function assemble(
  records: SenderRecords,
  now: number,
  addressesOf: (host: string) => readonly string[],
): Assembly {
  const servers: FoundServer[] = [];
  const missing: Question[] = [];
  const known: KnownAnswer[] = [];
  let again = Infinity;
  for (const pointer of records.ofType("PTR", now)) {
    const { instance } = pointer.record;
    const hosts = [...records.ofType("SRV", now, instance)].sort(byPriority);
    const [text] = [...records.ofType("TXT", now, instance)].reverse();
    const asks: Question[] = [];
    if (hosts.length === 0) asks.push({ type: "SRV", name: instance });
    if (text === undefined) asks.push({ type: "TXT", name: instance });
    const located = hosts.map((host) => ({ host, at: locate(host, records, now, addressesOf) }));
    const nowhere = located.filter(({ at }) => at.length === 0).map(({ host }) => host.record.target);
    const lost: readonly Question[] = nowhere.flatMap((name) => [
      { type: "A", name },
      { type: "AAAA", name },
    ]);
    // The encoder takes a dot in the name of an instance for an end of a label: it cannot be asked for. It comes with
    // the answer to the question for all instances, which is repeated, as long as this one is not said to be known.
    const canBeAsked = !instanceLabel(instance).includes(".");
    missing.push(...(canBeAsked ? asks : []), ...lost);
    if (canBeAsked && asks.length === 0 && lost.length === 0 && isFresh(pointer, now)) {
      known.push({ type: "PTR", name: service, ttl: Math.floor((pointer.until - now) / 1000), data: instance });
    }
    const patience = Math.min(...hosts.map(({ since }) => since)) + TEXT_WITHIN;
    if (text === undefined && patience > now) again = Math.min(again, patience);
    else servers.push(...serversOf(instance, located, text, records.sender));
  }
  return { servers, missing, known, again };
}

/** RFC 2782; weights are for the many servers of a large domain. */
function byPriority(a: Kept<"SRV">, b: Kept<"SRV">): number {
  return a.record.priority - b.record.priority || b.record.weight - a.record.weight;
}

/** RFC 6762 section 7.1: what has lived for more than half its time is told again. */
function isFresh({ heard, until }: Kept<"PTR">, now: number): boolean {
  return until - now > (until - heard) / 2;
}

function locate(
  { record: { target } }: Kept<"SRV">,
  records: SenderRecords,
  now: number,
  addressesOf: (host: string) => readonly string[],
): readonly string[] {
  // A name that is not of multicast DNS is for the system to look up.
  if (!isLocalName(keyOf(target))) return [keyOf(target)];
  const addresses = [...records.ofType("A", now, target), ...records.ofType("AAAA", now, target)];
  const own = addresses.map(({ record: { address } }) => address);
  return (own.length > 0 ? own : addressesOf(target)).slice(0, MOST_ADDRESSES);
}

function serversOf(
  instance: string,
  located: readonly { readonly host: Kept<"SRV">; readonly at: readonly string[] }[],
  text: Kept<"TXT"> | undefined,
  sender: string,
): readonly FoundServer[] {
  const places = located.flatMap(({ host: { record }, at }) => at.map((address) => ({ address, record })));
  return places.flatMap(({ address, record }, preference) => {
    const { target, port } = record;
    const fallback = tryDomain(keyOf(target));
    const said = parseServiceText(text?.record.strings ?? [], fallback);
    const domain = said.ordom ?? fallback;
    if (domain === undefined || tryHost(address) === undefined) return [];
    return {
      host: address,
      port,
      domain,
      // The order among the addresses of one server only: priorities of one server are nothing to another, and whoever
      // gives the highest would be the first.
      preference,
      registries: said.regis,
      provisioning: said.provis,
      heard: `"${printable(instanceLabel(instance))}" at ${printable(keyOf(target))}:${port}, said by ${sender}`,
    };
  });
}

/** For terminals and logs: without signs of control, and those that turn the direction of writing. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");
}
