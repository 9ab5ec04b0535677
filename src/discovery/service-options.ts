// How a Thing Registry and provisioning servers are to be found: XEP-0347 3.5, 3.11. Checked once.
import { ConfigError } from "../core/errors.ts";
import { configJid, isComponent, tryParseJid, type BareJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";

/**
 * How to find the Thing Registry (XEP-0347 3.5). What is given is tried in this order, and the first that answers and is
 * a Registry is taken. `{}` is a search.
 */
export interface RegistryMethods {
  /** The address of a component: `discovery.example.org`. */
  readonly component?: string;
  /** The bare JID of an account: `registry@example.org`. It is asked for friendship. */
  readonly jid?: string;
  /** What stands before the domain of the server connected to, in the address of a component: `discovery`. */
  readonly subdomain?: string;
  /**
   * The user name of an account on the server connected to. Only where `server` names the domain or the service: on a
   * server that was merely found, anybody may have registered that name (XEP-0347 6.2).
   */
  readonly username?: string;
  /** Search among the components of the server connected to. Default: true if nothing else is given. */
  readonly search?: boolean;
}

/**
 * How to find a provisioning server once the Thing is claimed (XEP-0347 3.11). What is given is tried in this order, and
 * the first that answers and is one is trusted. `{}` asks the Registry and the owner, then searches.
 */
export interface ProvisioningMethods {
  /** Addresses: components, then accounts (bare JIDs), which are asked for friendship. */
  readonly servers?: readonly string[];
  /** What stands before the domain of the server connected to, in the address of a component: `provisioning`. */
  readonly subdomain?: string;
  /** The user name of an account on the server connected to. Only where `server` names the domain or the service. */
  readonly username?: string;
  /** Ask the Registry whether it is one itself. Default: true if no server, subdomain or user name is given. */
  readonly registry?: boolean;
  /** Ask the owner whether he is one himself. Default: true if no server, subdomain or user name is given. */
  readonly owner?: boolean;
  /** Search among the components of the server connected to. Default: true if no server, subdomain or user name is given. */
  readonly search?: boolean;
}

/** {@link RegistryMethods}, checked and completed. */
export interface RegistryWays {
  readonly component: BareJid | undefined;
  readonly jid: BareJid | undefined;
  readonly subdomain: string | undefined;
  readonly username: string | undefined;
  readonly search: boolean;
}

/** {@link ProvisioningMethods}, checked and completed. */
export interface ProvisioningWays {
  readonly servers: readonly BareJid[];
  readonly subdomain: string | undefined;
  readonly username: string | undefined;
  readonly registry: boolean;
  readonly owner: boolean;
  readonly search: boolean;
}

const registryKeys: readonly (keyof RegistryMethods)[] = ["component", "jid", "subdomain", "username", "search"];
const provisioningKeys: readonly (keyof ProvisioningMethods)[] = [
  "servers",
  "subdomain",
  "username",
  "registry",
  "owner",
  "search",
];

/** How a Registry is found that nobody has named. */
export const searchOnly: RegistryWays = {
  component: undefined,
  jid: undefined,
  subdomain: undefined,
  username: undefined,
  search: true,
};

/**
 * Checks the option `registry`: an address that is the Registry, or ways to find one. Throws `ERR_CONFIG` naming what is
 * wrong.
 *
 * @param serverIsNamed whether the configuration says which server to connect to
 */
export function checkRegistry(
  given: string | RegistryMethods | undefined,
  serverIsNamed: boolean,
): { readonly address: BareJid | undefined; readonly ways: RegistryWays } {
  if (given === undefined) return { address: undefined, ways: searchOnly };
  if (typeof given === "string") return { address: checkService(given, "registry"), ways: searchOnly };
  checkMethods(given, "registry", registryKeys, 'an address, or ways to find one such as { subdomain: "discovery" }');
  const component = given.component === undefined ? undefined : checkService(given.component, "registry.component");
  const jid = given.jid === undefined ? undefined : checkService(given.jid, "registry.jid");
  if (component !== undefined && !isComponent(component)) {
    throw new ConfigError(`registry.component: "${component}" is an account: call it registry.jid`);
  }
  if (jid !== undefined && isComponent(jid)) {
    throw new ConfigError(`registry.jid: "${jid}" is a component: call it registry.component`);
  }
  const parts = checkParts(given, "registry", serverIsNamed);
  const isNamed = [component, jid, parts.subdomain, parts.username].some((one) => one !== undefined);
  const ways = { component, jid, ...parts, search: checkSwitch(given.search, "registry.search", !isNamed) };
  if (!isNamed && !ways.search) throw new ConfigError("registry: with search: false there is no way left to find one");
  return { address: undefined, ways };
}

/**
 * Checks the option `provisioning`: addresses that are trusted whole, or ways to find one after the claim. Throws
 * `ERR_CONFIG` naming what is wrong.
 *
 * @param serverIsNamed whether the configuration says which server to connect to
 */
export function checkProvisioning(
  given: readonly string[] | ProvisioningMethods | undefined,
  serverIsNamed: boolean,
): { readonly servers: readonly BareJid[]; readonly ways: ProvisioningWays } {
  if (isList(given)) return { servers: checkServers(given, "provisioning"), ways: defaultWays };
  const methods = given ?? {};
  checkMethods(
    methods,
    "provisioning",
    provisioningKeys,
    'a list of addresses, or ways to find one such as { subdomain: "provisioning" }',
  );
  const servers = checkServers(methods.servers ?? [], "provisioning.servers");
  const parts = checkParts(methods, "provisioning", serverIsNamed);
  const byDefault = servers.length === 0 && parts.subdomain === undefined && parts.username === undefined;
  const ways: ProvisioningWays = {
    // Methods 1 and 2: components come before accounts.
    servers: [...servers.filter(isComponent), ...servers.filter((jid) => !isComponent(jid))],
    ...parts,
    registry: checkSwitch(methods.registry, "provisioning.registry", byDefault),
    owner: checkSwitch(methods.owner, "provisioning.owner", byDefault),
    search: checkSwitch(methods.search, "provisioning.search", byDefault),
  };
  if (byDefault && !ways.registry && !ways.owner && !ways.search) {
    throw new ConfigError(
      "provisioning: with registry, owner and search switched off there is no way left to find one",
    );
  }
  return { servers: [], ways };
}

const defaultWays: ProvisioningWays = {
  servers: [],
  subdomain: undefined,
  username: undefined,
  registry: true,
  owner: true,
  search: true,
};

/** A Registry or a provisioning server. Which connection of an account it is, its presence says. */
export function checkService(address: string, option: string): BareJid {
  if (typeof address !== "string") throw new ConfigError(`${option}: must be an address`);
  const jid = configJid(address, option);
  if (jid.resource !== "") throw new ConfigError(`${option}: "${address}" must have no resource`);
  return jid.bare;
}

function checkServers(addresses: readonly string[], option: string): readonly BareJid[] {
  if (!isList(addresses)) throw new ConfigError(`${option}: must be a list of addresses`);
  return [...new Set(addresses.map((jid, index) => checkService(jid, `${option}[${index}]`)))];
}

function checkMethods(given: unknown, option: string, known: readonly string[], what: string): void {
  if (typeof given !== "object" || given === null) throw new ConfigError(`${option}: must be ${what}`);
  checkKnown(given, known, option);
}

/** The parts of addresses that are put before the domain: methods 3 and 4. */
function checkParts(
  { subdomain, username }: Pick<RegistryMethods, "subdomain" | "username">,
  option: string,
  serverIsNamed: boolean,
): Pick<RegistryWays, "subdomain" | "username"> {
  if (username !== undefined && !serverIsNamed) {
    throw new ConfigError(
      `${option}.username: needs server.domain or server.service; on a server that was merely found anybody may have registered that name`,
    );
  }
  return {
    subdomain: subdomain === undefined ? undefined : checkPart(subdomain, `${option}.subdomain`, "."),
    username: username === undefined ? undefined : checkPart(username, `${option}.username`, "@"),
  };
}

function checkPart(part: unknown, option: string, sign: "." | "@"): string {
  const example = sign === "." ? "discovery, for discovery.example.org" : "registry, for registry@example.org";
  const jid = typeof part === "string" ? tryParseJid(`${part}${sign}domain`) : undefined;
  const found = sign === "@" ? jid?.local : jid?.local === "" ? jid.domain.slice(0, -".domain".length) : "";
  if (jid === undefined || jid.resource !== "" || found === undefined || found === "") {
    throw new ConfigError(`${option}: "${String(part)}" must be what stands before the domain: ${example}`);
  }
  return found;
}

function checkSwitch(value: boolean | undefined, option: string, byDefault: boolean): boolean {
  if (value !== undefined && typeof value !== "boolean") throw new ConfigError(`${option}: must be true or false`);
  return value ?? byDefault;
}

const isList = (given: unknown): given is readonly string[] => Array.isArray(given);
