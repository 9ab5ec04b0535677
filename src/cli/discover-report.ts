// What `xmpp-thing discover` tells: for people, and as lines of JSON (docs/discovery.md lists their keys).
import type { Probe } from "../connection/probe.ts";
import type { ServerCandidate } from "../discovery/candidate.ts";
import type { Tried } from "../discovery/search.ts";
import type { Io } from "./io.ts";
import { jsonText } from "./printable.ts";
import { outLabelled } from "./wrap.ts";

/** A server that was looked at. */
export interface Found {
  readonly candidate: ServerCandidate;
  readonly probe: Probe;
}

/** A service, or why there is none. */
export type Service = { readonly jid: string } | { readonly why: string };

/** The services of a server. */
export interface Services {
  readonly domain: string;
  readonly registry: Service;
  readonly provisioning: Service;
}

/** What a line of JSON tells. */
export type DiscoverEvent = "heard" | "looked" | "summary" | "services";

/** Told as it comes in. */
export interface Report {
  heard(candidate: ServerCandidate): void;
  looked(found: Found): void;
  services(services: Services): void;
  summary(findings: Findings): void;
}

// Whoever makes up reasons does not fill the screen.
const MOST_REASONS = 50;

/** All that was heard and seen. */
export class Findings {
  /** Why each finder has found nothing, where there is nothing. */
  tried: readonly Tried[] = [];
  readonly #servers = new Set<string>();
  readonly #proved: Found[] = [];
  readonly #dropped = new Map<string, { finder: string; why: string; count: number }>();
  #heard = 0;

  heard({ domain }: ServerCandidate): void {
    this.#heard++;
    this.#servers.add(domain);
  }

  looked(found: Found): void {
    if (found.probe.verdict === "proved") this.#proved.push(found);
  }

  dropped(finder: string, why: string): void {
    const key = `${finder} ${why}`;
    const known = this.#dropped.get(key);
    if (known !== undefined) known.count++;
    else if (this.#dropped.size < MOST_REASONS) this.#dropped.set(key, { finder, why, count: 1 });
  }

  get isEmpty(): boolean {
    return this.#heard === 0;
  }

  /** How often a server was heard of. */
  get count(): number {
    return this.#heard;
  }

  /** The domains that were heard of. */
  get domains(): readonly string[] {
    return [...this.#servers];
  }

  /** Those of them that a server has proved. */
  get proved(): readonly string[] {
    return [...new Set(this.#proved.map(({ candidate }) => candidate.domain))];
  }

  /**
   * Where a Thing without an account would get to: of those that prove their domain, and let it make an account and log
   * in, the one that it tries first (XEP-0347 3.4). Among equals chance decides.
   */
  get first(): ServerCandidate | undefined {
    const open = this.#proved.filter(({ probe }) => probe.login && probe.accounts).map(({ candidate }) => candidate);
    return open.sort((a, b) => a.rank - b.rank || a.preference - b.preference)[0];
  }

  get drops(): readonly { readonly finder: string; readonly why: string; readonly count: number }[] {
    return [...this.#dropped.values()];
  }
}

const place = ({ host, port }: ServerCandidate): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

const at = (candidate: ServerCandidate): string =>
  `${candidate.domain} at ${place(candidate)}${candidate.directTls ? ", direct TLS" : ""}`;

function resultOf({ first, proved, domains, isEmpty }: Findings): string {
  if (isEmpty) return "no XMPP server was heard of; announce one, or name one: docs/discovery.md";
  if (first !== undefined) return `a Thing goes to ${at(first)}`;
  if (proved.length === 0) return `heard of ${domains.join(", ")}; no server proves its domain`;
  return `${proved.join(", ")}: proved, but a Thing needs an account there that somebody has made`;
}

/** For people. */
export function asText(io: Io): Report {
  let isSilent = true;
  const line = (label: string, text: string): void => {
    isSilent = false;
    outLabelled(io, label, text, 13);
  };
  const more = (text: string): void => line("", text);
  return {
    heard(candidate) {
      line(candidate.finder, at(candidate));
      if (candidate.heard !== "") more(`heard: ${candidate.heard}`);
      hinted("Thing Registry", candidate.registries);
      hinted("Provisioning Server", candidate.provisioning);
    },
    looked({ candidate, probe: { verdict, why, mechanisms, login, accounts, accountsWhy } }) {
      if (verdict !== "proved") {
        line(verdict, `${at(candidate)}: ${why}`);
        return;
      }
      line(verdict, `${at(candidate)}, by its certificate`);
      more(`logs in by: ${mechanisms.join(", ") || "nothing"}${login ? "" : "; a Thing cannot, without SCRAM"}`);
      more(accounts ? "a Thing can make itself an account" : `a Thing can make itself no account: ${accountsWhy}`);
    },
    services({ domain, registry, provisioning }) {
      line("services", `of ${domain}, which lists them`);
      told("Thing Registry", registry);
      told("Provisioning Server", provisioning);
    },
    summary(findings) {
      if (!isSilent) io.out("");
      for (const { finder, why } of findings.tried) line(finder, why);
      for (const { finder, why, count } of findings.drops) line("not taken", `${finder}: ${why}, ${count} times`);
      line("result", resultOf(findings));
    },
  };

  function hinted(what: string, jids: readonly string[]): void {
    if (jids.length > 0) more(`hints at a ${what}: ${jids.join(", ")}; it counts when the server lists it`);
  }

  function told(what: string, service: Service): void {
    more("jid" in service ? `${what}: ${service.jid}` : `${what}: none: ${service.why}`);
  }
}

/** For programs: an object in each line, told apart by `event`. */
export function asJson(io: Io): Report {
  const line = (event: DiscoverEvent, value: object): void => io.out(jsonText({ event, ...value }));
  const address = ({ domain, host, port, directTls }: ServerCandidate): object => ({ domain, host, port, directTls });
  return {
    heard(candidate) {
      const { finder, rank, preference, registries, provisioning, heard } = candidate;
      line("heard", { finder, rank, preference, ...address(candidate), registries, provisioning, heard });
    },
    looked: ({ candidate, probe }) => line("looked", { finder: candidate.finder, ...address(candidate), ...probe }),
    services: (services) => line("services", services),
    summary(findings) {
      const { count, domains, proved, first, tried, drops } = findings;
      const goesTo = first === undefined ? null : address(first);
      line("summary", { heard: count, domains, proved, goesTo, tried, dropped: drops });
    },
  };
}
