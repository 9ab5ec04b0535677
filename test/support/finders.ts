// Searches of a Thing in tests: by finders of the test's own, and by nothing that would go onto a network.
import { parseService } from "../../src/discovery/address.ts";
import type { FoundServer } from "../../src/discovery/candidate.ts";
import type { Finder, Search } from "../../src/discovery/finder.ts";
import { discoveryKeys } from "../../src/discovery/options.ts";
import type { ServerOptions } from "../../src/thing/options.ts";

/** Options of a server that is searched for by these finders only. */
export function onlyBy(...finders: readonly Finder[]): ServerOptions {
  const taken = ["domain", "finders", "timeout", "interfaces"];
  const switches = discoveryKeys.filter((key) => !taken.includes(key)).map((key) => [key, false] as const);
  return { ...(Object.fromEntries(switches) as ServerOptions), finders, timeout: 1_000 };
}

/** A server as one who announces it does. */
export function announced(service: string, domain: string, more: Partial<FoundServer> = {}): FoundServer {
  return { ...parseService(service, domain), heard: "the test", ...more };
}

/** A finder that says, in each search, what the test has put there. */
export class Announcements implements Finder {
  readonly name = "test";
  /** What is announced now. */
  servers: readonly FoundServer[] = [];
  /** How many packets of each search make no sense. */
  nonsense = 0;
  /** How many searches there were. */
  searches = 0;

  constructor(...servers: readonly FoundServer[]) {
    this.servers = servers;
  }

  async *find({ drop }: Search): AsyncGenerator<FoundServer, void> {
    this.searches++;
    for (let i = 0; i < this.nonsense; i++) drop("malformed");
    for (const server of this.servers) yield await Promise.resolve(server);
  }
}
