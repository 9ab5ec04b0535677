// The address of a host in `.local`: RFC 6762 section 3.
import { sleep } from "../core/abort.ts";
import { randomFraction, type RandomSource } from "../core/random.ts";
import type { Search } from "./finder.ts";
import { defaultMdns, type MdnsSettings } from "./mdns-options.ts";
import { Questions, inTurn, toQueries, type Question } from "./mdns-questions.ts";
import { isHost, keyOf, readRecords } from "./mdns-records.ts";
import { machine, MdnsSockets, type MdnsWorld } from "./mdns-sockets.ts";

// Three questions go out in this time, a second and two apart.
const LONGEST = 3_500;
// From the first answer on: the other family of addresses, and other links, are about as fast.
const PATIENCE = 200;
// Whoever answers for a name that is not its own does not crowd out the true one.
const MOST_OF_ONE_SENDER = 4;
const MOST_SENDERS = 64;
const MOST_ADDRESSES = 8;

/**
 * The IP addresses of a host, by multicast DNS: eight at most, those of IPv4 first, whoever answers; a link-local one of IPv6 with the
 * name of its interface (`fe80::1%eth0`). None if nobody answers within 3.5 s, or nobody can be asked. Whoever is on
 * the network can answer: it proves nothing. Rejects with the signal's reason.
 *
 * @param host a name that ends in `.local`
 * @param settings where to ask
 * @param world what tests have instead of this machine
 */
export async function lookupLocal(
  host: string,
  search: Search,
  settings: MdnsSettings = defaultMdns,
  world: MdnsWorld = machine,
): Promise<readonly string[]> {
  const { signal, clock } = search;
  signal.throwIfAborted();
  const name = keyOf(host);
  if (!name.endsWith(".local") || !isHost(name)) return [];
  const said = new Map<string, Set<string>>();
  const questions = new Questions();
  const asked: readonly Question[] = [
    { type: "A", name },
    { type: "AAAA", name },
  ];
  questions.set(asked, clock.monotonic());
  questions.take(clock.monotonic()); // each socket asks as soon as it is open
  const enough = new AbortController();
  let patience = { cancel: (): void => undefined };
  const sockets = new MdnsSockets({
    settings,
    search,
    world,
    questions: () => toQueries(questions.all, []),
    heard: (packet, sender, link) => {
      for (const record of readRecords(packet, link, search.drop)) {
        if ((record.type !== "A" && record.type !== "AAAA") || keyOf(record.name) !== name || record.ttl === 0)
          continue;
        const addresses = said.get(sender) ?? new Set();
        if (addresses.size >= MOST_OF_ONE_SENDER || (!said.has(sender) && said.size >= MOST_SENDERS)) continue;
        if (said.size === 0) patience = clock.schedule(PATIENCE, () => enough.abort());
        said.set(sender, addresses.add(record.address));
      }
    },
  });
  const onAbort = (): void => enough.abort();
  signal.addEventListener("abort", onAbort, { once: true });
  const end = clock.schedule(LONGEST, onAbort);
  try {
    if ((await sockets.open()) === 0) return [];
    for (;;) {
      await sleep(clock, Math.max(0, questions.next - clock.monotonic()), enough.signal);
      sockets.ask(toQueries(questions.take(clock.monotonic()), []));
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!enough.signal.aborted) throw error;
    const answers = inOrderOfLots([...said.values()], search.random).map((addresses) => [...addresses].sort(byFamily));
    return [...new Set(inTurn(answers))].slice(0, MOST_ADDRESSES).sort(byFamily);
  } finally {
    end.cancel();
    patience.cancel();
    signal.removeEventListener("abort", onAbort);
    await sockets.close();
  }
}

/** At random: whoever has many addresses, and answers first, is not the only one who counts. */
function inOrderOfLots<T>(all: readonly T[], random: RandomSource): readonly T[] {
  const drawn = all.map((one) => ({ one, lot: randomFraction(random) }));
  return drawn.sort((a, b) => a.lot - b.lot).map(({ one }) => one);
}

/** IPv4 first: every network that a Thing is on has it. */
function byFamily(a: string, b: string): number {
  return Number(a.includes(":")) - Number(b.includes(":"));
}
