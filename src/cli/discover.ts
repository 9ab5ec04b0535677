import { systemClock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { ns } from "../codec/namespaces.ts";
import { probe } from "../connection/probe.ts";
import type { TlsPolicy } from "../connection/tls-policy.ts";
import { parseService } from "../discovery/address.ts";
import { rank, type ServerCandidate } from "../discovery/candidate.ts";
import { Components } from "../discovery/components.ts";
import { discover as search, type DiscoverOptions } from "../discovery/discover.ts";
import type { Finder } from "../discovery/finder.ts";
import { NothingFoundError } from "../discovery/search.ts";
import { keyOf } from "../discovery/sieve.ts";
import { accountOptions, connectAs, inWordsOfOptions, pick, tlsOf } from "./account.ts";
import { UsageError, parse, wholeNumber, type Arguments } from "./args.ts";
import type { Command } from "./command.ts";
import { Findings, asJson, asText, type Found, type Report } from "./discover-report.ts";
import { exitCode, type Io } from "./io.ts";

const OPTIONS = {
  ...accountOptions,
  interface: { type: "string", multiple: true },
  "no-dhcp": { type: "boolean" },
  "no-mdns": { type: "boolean" },
} as const;

// What a look at a server takes at most; how many are looked at together, and of how many.
const LOOK = 10_000;
const LOOKS_AT_ONCE = 8;
const MOST_LOOKS = 64;

/** `xmpp-thing discover` (XEP-0347 3.3, 3.4), with finders of a test's own. */
export function discoverWith(finders: readonly Finder[]): Command {
  return {
    summary: "Tell which XMPP servers are heard of here, and which prove themselves",
    help: `Usage: xmpp-thing discover [OPTIONS]

Searches this network for XMPP servers, as a Thing without configuration does, and tells what it
hears as it hears it. Each server is looked at: does its certificate prove its domain, how can one
log in, can a Thing make itself an account. Nothing secret is sent, no account is made.

  --domain NAME     THING_DOMAIN    look for the servers of this XMPP domain only, in DNS too
  --timeout SECONDS                 how long to listen; default 10
  --interface NAME                  listen on this network interface only; may be given again
  --no-dhcp                         do not ask DHCP servers
  --no-mdns                         do not ask by multicast DNS
  --ca FILE         THING_CA        the authority that signs the servers' certificates, PEM;
                                    default: those that Node.js trusts
  --json                            lines of JSON (docs/discovery.md lists their keys)
  --help

With a server and an account it also tells the Thing Registry and Provisioning Server there:
  --service URL     THING_SERVICE   xmpp://host:port or xmpps://host:port
  --username NAME   OWNER_USERNAME  your user name; your password in OWNER_PASSWORD

Ends with 0 if a server proved its domain, 4 if none of those that were heard of did, 5 if none was
heard of.`,
    run: (argv, io) => run(parse(argv, OPTIONS, []), io, finders),
  };
}

/** `xmpp-thing discover`. */
export const discover: Command = discoverWith([]);

async function run(args: Arguments, io: Io, finders: readonly Finder[]): ReturnType<Command["run"]> {
  const tls = await tlsOf(args, io);
  const report = args.flags.has("json") ? asJson(io) : asText(io);
  const findings = new Findings();
  const looks = new Looks(tls, io.ended, (found) => {
    findings.looked(found);
    report.looked(found);
  });
  const options = optionsOf(args, io, finders);
  checkAccount(args, io);
  if (io.terminal) io.err(`Listening for ${(options.timeout ?? 0) / 1_000} s …`);
  try {
    for await (const candidate of search({ ...options, onDropped: (finder, why) => findings.dropped(finder, why) })) {
      findings.heard(candidate);
      report.heard(candidate);
      looks.at(candidate);
    }
  } catch (error) {
    if (!(error instanceof NothingFoundError)) throw error;
    findings.tried = error.tried;
  } finally {
    await looks.done;
  }
  io.ended.throwIfAborted();
  report.summary(findings);
  if (hasAccount(args, io)) await tellServices(args, io, report);
  if (findings.isEmpty) return exitCode.nothing;
  return findings.proved.length === 0 ? exitCode.noConnection : exitCode.done;
}

function optionsOf(args: Arguments, io: Io, finders: readonly Finder[]): DiscoverOptions {
  const domain = pick("domain", "THING_DOMAIN", args, io);
  const service = pick("service", "THING_SERVICE", args, io);
  const interfaces = args.lists.get("interface");
  const seconds = wholeNumber(args.values.get("timeout"), "timeout", 1, 600) ?? 10;
  const options: DiscoverOptions = {
    // With a server its domain is what THING_DOMAIN says, and others on the network are worth to be told too.
    ...(domain !== undefined && service === undefined && { domain }),
    dhcp: !args.flags.has("no-dhcp") && (interfaces === undefined || { interfaces }),
    mdns: !args.flags.has("no-mdns") && (interfaces === undefined || { interfaces }),
    timeout: seconds * 1_000,
    finders: [...(service === undefined ? [] : [given(service, domain)]), ...finders],
    signal: io.ended,
  };
  checkWays(options);
  return options;
}

/** Refuses what would find or tell nothing, by the words of the command line. */
function checkWays({ domain, dhcp, mdns, finders = [] }: DiscoverOptions): void {
  if (domain !== undefined || dhcp !== false || mdns !== false || finders.length > 0) return;
  throw new UsageError("--no-dhcp and --no-mdns leave no way to search: give --domain, or --service");
}

function checkAccount(args: Arguments, io: Io): void {
  if (!args.values.has("username") || hasAccount(args, io)) return;
  throw new UsageError("--username goes with --service, and with your password in OWNER_PASSWORD");
}

/** The server that was named, among those that are heard of. */
function given(service: string, domain: string | undefined): Finder {
  const address = parseService(service, domain);
  return {
    name: "service",
    rank: rank.configured,
    async *find() {
      yield await Promise.resolve({ ...address, heard: service });
    },
  };
}

/** Looks at servers, some at a time, each once, whoever names them. */
class Looks {
  readonly #seen = new Set<string>();
  readonly #waiting: ServerCandidate[] = [];
  readonly #busy = new Set<Promise<void>>();

  constructor(
    readonly tls: TlsPolicy,
    readonly signal: AbortSignal,
    readonly tell: (found: Found) => void,
  ) {}

  /** Looks at a server, now or when it is its turn. */
  at(candidate: ServerCandidate): void {
    const key = keyOf(candidate);
    if (this.#seen.has(key) || this.#seen.size >= MOST_LOOKS) return;
    this.#seen.add(key);
    this.#waiting.push(candidate);
    this.#next();
  }

  /** Resolves when all were looked at; also when the signal has put an end to it. */
  get done(): Promise<void> {
    return (async () => {
      while (this.#busy.size > 0) await Promise.all(this.#busy);
    })();
  }

  #next(): void {
    if (this.#busy.size >= LOOKS_AT_ONCE || this.signal.aborted) return;
    const candidate = this.#waiting.shift();
    if (candidate === undefined) return;
    const look = this.#look(candidate).finally(() => {
      this.#busy.delete(look);
      this.#next();
    });
    this.#busy.add(look);
  }

  async #look(candidate: ServerCandidate): Promise<void> {
    try {
      const seen = await probe(candidate, { tls: this.tls, signal: this.signal, timeout: LOOK });
      this.tell({ candidate, probe: { ...seen, why: inWordsOfOptions(seen.why) } });
    } catch {
      // The signal has fired: nobody wants to know any more.
    }
  }
}

function hasAccount(args: Arguments, io: Io): boolean {
  const named = [pick("service", "THING_SERVICE", args, io), pick("username", "OWNER_USERNAME", args, io)];
  return named.every((value) => value !== undefined) && (io.env["OWNER_PASSWORD"] ?? "") !== "";
}

/** What the components of the server can do (XEP-0347 3.5, 3.11), as a Thing would see it. */
async function tellServices(args: Arguments, io: Io, report: Report): Promise<void> {
  await using connection = await connectAs(args, io);
  const components = new Components({ channel: connection.channel, clock: systemClock });
  const [registry, provisioning] = await Promise.all([
    service(components, ns.discovery, io.ended),
    service(components, ns.provisioning, io.ended),
  ]);
  report.services({ domain: connection.jid.domain, registry, provisioning });
}

async function service(
  components: Components,
  feature: typeof ns.discovery | typeof ns.provisioning,
  signal: AbortSignal,
): Promise<{ readonly jid: string } | { readonly why: string }> {
  try {
    return { jid: await components.find(feature, { signal }) };
  } catch (error) {
    signal.throwIfAborted();
    return { why: messageOf(error) };
  }
}
