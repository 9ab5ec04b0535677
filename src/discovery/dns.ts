// What is asked of the system's DNS servers: SRV records (RFC 2782). Answers prove nothing, whoever gives them.
import { Resolver } from "node:dns/promises";

/** An SRV record: a host that gives a service of a domain. */
export interface SrvRecord {
  /** The host; empty or `.` says that there is no such service. */
  readonly name: string;
  /** Its port. */
  readonly port: number;
  /** Lower ones are tried first. */
  readonly priority: number;
  /** Among equal priorities: the share of clients that it wants. */
  readonly weight: number;
}

/** Asks DNS. Injected, so that tests need no server. */
export interface Dns {
  /** The SRV records of a name; none if there are none. Rejects when nobody can tell, and when the signal fires. */
  srv(name: string, signal: AbortSignal): Promise<readonly SrvRecord[]>;
}

// There is such a name, but nothing of the kind; and there is no such name.
const none: ReadonlySet<unknown> = new Set(["ENODATA", "ENOTFOUND"]);

/** By the DNS servers that the system is configured with; or others, for tests, each `address:port`. */
export function systemDns(servers?: readonly string[]): Dns {
  return {
    async srv(name, signal) {
      signal.throwIfAborted();
      // One for each question: cancelling ends all questions of a resolver.
      const resolver = new Resolver({ timeout: 2_000, tries: 2 });
      if (servers !== undefined) resolver.setServers(servers);
      const onAbort = (): void => resolver.cancel();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        return await resolver.resolveSrv(name);
      } catch (error) {
        signal.throwIfAborted();
        if (none.has((error as { code?: unknown }).code)) return [];
        throw error;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
