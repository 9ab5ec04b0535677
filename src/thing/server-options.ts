// Where the options say that the XMPP server is: XEP-0347 3.1.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import { parseService, type ServerAddress } from "../discovery/address.ts";
import { findersOf } from "../discovery/finders.ts";
import { checkDiscovery, discoveryKeys, type DiscoveryOptions, type DiscoverySettings } from "../discovery/options.ts";

/**
 * The XMPP server. With a `service` nothing is searched for; with a `domain` only servers of that domain count; with
 * neither the Thing takes the most trusted one that it finds, on which it can have an account.
 */
export interface ServerOptions extends DiscoveryOptions {
  /**
   * Where it listens: `xmpp://host:port` (STARTTLS) or `xmpps://host:port` (TLS from the first byte). Default: searched
   * for (XEP-0347 3.3).
   */
  readonly service?: string;
  /**
   * The XMPP domain, which the certificate must prove. Default: the host of the service, which must then be a name; without
   * a service, that of the server that is found.
   */
  readonly domain?: string;
}

/** {@link ServerOptions}, checked and completed. */
export interface ServerSettings {
  /** The one server, if it was configured. */
  readonly address: ServerAddress | undefined;
  /** The one domain that counts, if it was configured. */
  readonly domain: string | undefined;
  /** How to search, if there is no address. */
  readonly discovery: DiscoverySettings;
}

/** Checks where the server is. Throws `ERR_CONFIG` naming the option that is wrong. */
export function checkServer(options: ServerOptions = {}): ServerSettings {
  if (typeof options !== "object" || (options as unknown) === null || Array.isArray(options)) {
    throw new ConfigError('server: must be an object, for instance { service: "xmpp://host:port" } or { domain: "…" }');
  }
  checkKnown(options, ["service", ...discoveryKeys], "server");
  const { service, ...search } = options;
  if (service === undefined) {
    const discovery = checkDiscovery(search, "server");
    if (findersOf(discovery).length === 0) {
      throw new ConfigError(
        "server: every way to search is switched off, and there is neither server.service nor server.domain",
      );
    }
    return { address: undefined, domain: discovery.domain, discovery };
  }
  if (typeof service !== "string") {
    throw new ConfigError("server.service: must be the address of the XMPP server, xmpp://host:port");
  }
  const { domain, ...others } = search;
  const [needless] = Object.keys(others);
  // Whoever gives both means one of them: what was configured is never overridden by what is found.
  if (needless !== undefined) {
    throw new ConfigError(
      `server.${needless}: says how to search for a server, but with server.service nothing is searched for; leave one of them out`,
    );
  }
  const address = parseService(service, domain, "server");
  return { address, domain: address.domain, discovery: checkDiscovery({}) };
}
