import { isIP, isIPv6 } from "node:net";
import { systemClock, type Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { isComponent } from "../core/jid.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { checkKnown } from "../core/options.ts";
import { randomToken, systemRandom, type RandomSource } from "../core/random.ts";
import {
  ANNOUNCED_DOMAIN,
  ANNOUNCED_PORT,
  announce,
  whereToAnnounce,
  type AnnounceOptions,
  type Announcement,
  type RunningAnnouncement,
} from "./announce.ts";
import { attachAccount } from "./attach-account.ts";
import type { Attachment } from "./attach-component.ts";
import { makeCertificates } from "./certificates.ts";
import type { ReferenceProvisioningServer } from "./provisioning-server.ts";
import { checkRegistrySettings, type RegistrySettings } from "./registry-limits.ts";
import { ReferenceRegistry } from "./registry.ts";
import { SandboxData } from "./sandbox-data.ts";
import {
  makeProvisioningServers,
  type FurtherProvisioning,
  type Hosting,
  type ProvisioningSettings,
} from "./sandbox-provisioning.ts";
import { XmppDomain, type StanzaListener } from "./server/domain.ts";
import { XmppListener } from "./server/listener.ts";
import type { StanzaService } from "./stanza-service.ts";

/** How each of the two services is reached. */
export interface HostingOptions {
  /** The Thing Registry. Default: as a component. */
  readonly registry?: Hosting;
  /** The Provisioning Server. Default: as a component. */
  readonly provisioning?: Hosting;
}

/** How a sandbox is set up. */
export interface SandboxOptions {
  /** The XMPP domain. Default `localhost`; of a sandbox that is announced `sandbox.local`. */
  readonly domain?: string;
  /**
   * The address to listen on. Default 127.0.0.1; of a sandbox that is announced the IPv4 address of the interface. One
   * that others reach lets whoever is on the network make accounts.
   */
  readonly host?: string;
  /** The port; 0, the default, lets the system choose. Of a sandbox that is announced the default is 5222. */
  readonly port?: number;
  /** Makes it known on a local network, so that Things find it without any configuration. Default: no. */
  readonly announce?: AnnounceOptions;
  /**
   * How its services are reached (XEP-0324 5.1, XEP-0347 5.1). Default: as components, which Things find by
   * themselves. Accounts (`discovery@` and `provisioning@` + domain) they must be told of, or be asked by.
   */
  readonly hosting?: HostingOptions;
  /** Where its Thing Registry stops, and how long it waits. */
  readonly registry?: RegistrySettings;
  /** What its Provisioning Server is told. Default: it refuses everything. */
  readonly provisioning?: ProvisioningSettings;
  /**
   * Further Provisioning Servers, to see several answer side by side (XEP-0324 5.3). Things do not trust them by
   * themselves: configure them with all the addresses, or let accounts among them ask.
   */
  readonly furtherProvisioning?: readonly FurtherProvisioning[];
  /**
   * How clients make accounts (XEP-0077): by plain `fields`, by a data `form` beside them, as Prosody offers it, or not
   * at all: `closed`. Default `fields`.
   */
  readonly registration?: "fields" | "form" | "closed";
  /**
   * A folder in which it keeps what Things rely on, so that they find it again when it starts again, also after
   * `kill -9`: the Things of its Registry and what they are still to be told, all accounts with their contacts and the
   * messages that wait, its authority and certificate, the domain, the port; what its Provisioning Servers decide by:
   * rules, users, privileges, known certificates, tokens, and who is still to be told of a change. `rules`, `users` and
   * `privileges` that are given at a start take the place of those that were kept. It needs the optional package classic-level: `npm i classic-level`. Default: nothing is kept.
   */
  readonly data?: string;
  /** Where it writes what happens. Default: nowhere. */
  readonly logger?: Logger;
  /** Time. Default: the machine's. */
  readonly clock?: Clock;
  /** Randomness. Default: the operating system's. */
  readonly random?: RandomSource;
}

/** An account of the sandbox. */
export interface SandboxUser {
  /** The bare JID. */
  readonly jid: string;
  /** The part before the `@`. */
  readonly username: string;
  /** The password. */
  readonly password: string;
}

/** An XMPP server with a Thing Registry and a Provisioning Server, in this process, on loopback unless said otherwise. */
export interface Sandbox extends AsyncDisposable {
  /** Where it listens: `xmpp://host:port`. */
  readonly service: string;
  /** The port. */
  readonly port: number;
  /** The XMPP domain. */
  readonly domain: string;
  /** How it makes itself known on the local network; `undefined` if it does not. */
  readonly announcement: Announcement | undefined;
  /** The authority that its certificate is to be checked by, PEM. Made at this start, with `data` at the first; its key is nowhere. */
  readonly ca: string;
  /** The Thing Registry, at `discovery.` + domain; as an account at `discovery@` + domain. */
  readonly registry: ReferenceRegistry;
  /**
   * The Provisioning Server, at `provisioning.` + domain, as an account at `provisioning@` + domain: set its rules
   * here. Without rules every answer is no.
   */
  readonly provisioning: ReferenceProvisioningServer;
  /** All its Provisioning Servers, that one first. */
  readonly provisioningServers: readonly ReferenceProvisioningServer[];
  /** Makes an account. Default password: random. Throws `ERR_REGISTRATION` if the name is taken. */
  addUser(username: string, password?: string): SandboxUser;
  /** Gives an account another password. Throws `ERR_REGISTRATION` if there is no such account, or the password is empty. */
  setPassword(username: string, password: string): void;
  /** Cuts the connection of a full JID, or all of a bare one, as if the link had gone. Tells how many there were. */
  drop(jid: string): number;
  /** Puts a service of one's own at its address. Throws `ERR_CONFIG` if there is one already. */
  attach(service: StanzaService): void;
  /** Takes a service away, as if it had gone offline: its address is not found until it is attached again. */
  detach(service: StanzaService): void;
  /**
   * Lets this sandbox and another, of another domain, exchange stanzas as servers of different domains do, services
   * included. Returns how to cut them off from each other again. Throws `ERR_CONFIG` if both have the same domain.
   */
  federate(other: Sandbox): () => void;
  /** Listens to every stanza that goes through. Returns how to take it back. */
  onStanza(listener: StanzaListener): () => void;
  /** Ends everything. Harmless when called again. */
  stop(): Promise<void>;
}

const KNOWN: readonly (keyof SandboxOptions)[] = [
  "domain",
  "host",
  "port",
  "announce",
  "hosting",
  "registry",
  "provisioning",
  "furtherProvisioning",
  "registration",
  "data",
  "logger",
  "clock",
  "random",
];

// What a sandbox needs of another, and nobody else of any.
const servers = new WeakMap<Sandbox, XmppDomain>();

/**
 * Starts a sandbox: for demos, and for tests of Things. Rejects with `ERR_CONFIG` for an option that is wrong, also when
 * it is to be announced and nobody has said on which of several networks, with `ERR_CONNECTION` for an address or port
 * that cannot be had, and with `ERR_STORAGE` for a folder of `data` that another sandbox has, or that is damaged.
 *
 * @example
 * ```ts
 * import { startSandbox } from "xmpp-thing/sandbox";
 *
 * const sandbox = await startSandbox();
 * sandbox.provisioning.setRules([{ jid: "friend@localhost", friend: true, read: { fields: ["Temperature"] } }]);
 * const thing = new Thing({
 *   storage: memoryStorage(),
 *   server: { service: sandbox.service, domain: sandbox.domain },
 *   tls: { ca: sandbox.ca },
 * });
 * await sandbox.stop();
 * ```
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  checkKnown(options, KNOWN);
  if (options.registry !== undefined) checkRegistrySettings(options.registry, "registry");
  const data = options.data === undefined ? undefined : await SandboxData.open(options.data);
  try {
    return await startWith(options, data);
  } catch (error) {
    await data?.close();
    throw error;
  }
}

async function startWith(options: SandboxOptions, data: SandboxData | undefined): Promise<Sandbox> {
  const { clock = systemClock, random = systemRandom, logger = silentLogger } = options;
  const on = options.announce === undefined ? undefined : whereToAnnounce(options.announce, options.host);
  const { host = on?.address ?? "127.0.0.1", port = data?.port ?? (on === undefined ? 0 : ANNOUNCED_PORT) } = options;
  if (isIP(host) === 0) throw new ConfigError(`host: "${host}" is not an IP address of this machine`);
  const name = options.domain ?? data?.domain ?? (on === undefined ? "localhost" : ANNOUNCED_DOMAIN);
  const { registration } = options;
  const server = new XmppDomain({ domain: name, clock, random, logger, registration, kept: data?.accounts });
  const { domain } = server;
  const certificates = await (data?.certificates(domain, clock) ?? makeCertificates(domain, clock));
  const { hosting = {} } = options;
  const address = (name: string, how: Hosting = "component"): string =>
    how === "account" ? `${name}@${domain}` : `${name}.${domain}`;
  const parts = { clock, random, logger };
  const settings = { ...options.registry, jid: address("discovery", hosting.registry), ...parts };
  const registry =
    data === undefined
      ? new ReferenceRegistry(settings)
      : await ReferenceRegistry.open({ ...settings, keeper: data.keeper });
  const provisioningServers = await makeProvisioningServers(
    {
      first: { ...options.provisioning, jid: address("provisioning", hosting.provisioning) },
      further: options.furtherProvisioning ?? [],
    },
    address,
    parts,
    data && ((jid) => data.provisioning(jid)),
  );
  const [provisioning] = provisioningServers;
  const services = [registry, ...provisioningServers];
  for (const service of services) if (isComponent(service.jid)) server.attach(service);
  const listener = new XmppListener({ domain: server, certificates, host, port, clock, random, logger });
  const listening = await listener.listen();
  await data?.listening(listening);
  const service = `xmpp://${isIPv6(host) ? `[${host}]` : host}:${listening}`;
  const accounts: Attachment[] = [];
  let announcement: RunningAnnouncement | undefined;
  let stopping: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    await announcement?.stop();
    for (const each of services) each.stop();
    await Promise.all(accounts.map((account) => account.close()));
    await listener.close();
    server.isolate();
    await registry.close();
    await Promise.all(provisioningServers.map((server) => server.close()));
    if (data === undefined) return;
    await server.end();
    await data.close();
  };
  const stop = (): Promise<void> => (stopping ??= end());
  try {
    for (const account of services.filter(({ jid }) => !isComponent(jid))) {
      const password = randomToken(random);
      const username = account.jid.slice(0, account.jid.indexOf("@"));
      if (server.hasAccount(username)) server.setPassword(username, password);
      else server.register(username, password);
      accounts.push(await attachAccount(account, { service, password, tls: { ca: certificates.ca }, ...parts }));
    }
    if (options.announce !== undefined && on !== undefined) {
      const jids = { registry: registry.jid, provisioning: provisioning.jid };
      announcement = await announce(options.announce, { on, host, port: listening, domain, ...jids, ...parts });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const sandbox: Sandbox = {
    service,
    port: listening,
    domain,
    announcement,
    ca: certificates.ca,
    registry,
    provisioning,
    provisioningServers,
    addUser(username, password = randomToken(random, 12)) {
      server.register(username, password);
      return { jid: `${username}@${domain}`, username, password };
    },
    setPassword: (username, password) => server.setPassword(username, password),
    drop: (jid) => server.drop(jid),
    attach: (component) => server.attach(component),
    detach: (component) => server.detach(component),
    federate(other) {
      const peer = servers.get(other);
      if (peer === undefined) throw new ConfigError("other: not a sandbox that startSandbox made");
      return server.federate(peer);
    },
    onStanza: (heard) => server.onStanza(heard),
    stop,
    [Symbol.asyncDispose]: stop,
  };
  servers.set(sandbox, server);
  return sandbox;
}
