// What a service is told, checked once.
import { checkCall, type CallOptions } from "../core/abort.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { configJid, configUser, type BareJid } from "../core/jid.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { checkKnown, checkMethods, hasMethods } from "../core/options.ts";
import { systemRandom, type RandomSource } from "../core/random.ts";
import { isXmlText } from "../codec/xml.ts";
import { checkKeepalive, type KeepaliveOptions } from "../connection/keepalive.ts";
import { checkTls, type TlsPolicy } from "../connection/tls-policy.ts";
import { parseService, type ServerAddress } from "../discovery/address.ts";
import { checkService } from "../discovery/service-options.ts";
import {
  checkCertificate,
  type CertificateOptions,
  type CertificateSettings,
} from "../provisioning/certificate-options.ts";
import type { Storage } from "../storage/storage.ts";

/** The account that a service logs in with. */
export interface ServiceAccount {
  /** The part of the JID before the `@`. */
  readonly username: string;
  /** The password. */
  readonly password: string;
  /**
   * The resource of the full JID. Default `service`: a new stream takes the place of a dead one. Several processes on one account need
   * one each.
   */
  readonly resource?: string;
  /** Make the account (XEP-0077) if the login is refused. Default false. */
  readonly register?: boolean;
}

/** What a service is told. */
export interface ServiceOptions extends CallOptions {
  /** The XMPP server: `xmpp://host:port` (STARTTLS, port 5222 if none is given) or `xmpps://host:port` (direct TLS, 5223). */
  readonly service: string;
  /** The XMPP domain, which the server's certificate must prove. Default: the host of `service`. */
  readonly domain?: string;
  /** The account. */
  readonly account: ServiceAccount;
  /**
   * The certificate by which provisioning servers know the service (XEP-0324 3.6.1). `{ make: true }` makes one and keeps
   * it. Another certificate is another service to them, without rights.
   */
  readonly certificate: CertificateOptions;
  /** Where certificate and tokens are kept: `fileStorage` with a folder of the service's own. */
  readonly storage: Storage;
  /**
   * The provisioning servers: addresses of components or accounts (bare JIDs), all of which are trusted. Default: found among the
   * server's components.
   */
  readonly provisioning?: readonly string[];
  /** Which certificates of XMPP servers to trust. Default: those that Node.js trusts. */
  readonly tls?: TlsPolicy;
  /** When a silent link is asked whether it lives. Default: after 60 s; an answer within 20 s. */
  readonly keepalive?: KeepaliveOptions;
  /** Where to write what happens. Default: nowhere. */
  readonly logger?: Logger;
  /** Shows on the console what goes over the wire, without secrets (docs/tracing.md). Default: only with `THING_DEBUG=1`. */
  readonly debug?: boolean;
  /** Time. Default: the machine's. */
  readonly clock?: Clock;
  /** Randomness. Default: the operating system's. */
  readonly random?: RandomSource;
}

/** {@link ServiceOptions}, checked and completed. */
export interface ServiceSettings extends CallOptions {
  readonly address: ServerAddress;
  readonly account: Required<ServiceAccount>;
  readonly certificate: CertificateSettings;
  readonly storage: Storage;
  /** Empty: found. */
  readonly provisioning: readonly BareJid[];
  readonly tls: TlsPolicy;
  readonly keepalive: KeepaliveOptions | undefined;
  readonly logger: Logger;
  readonly debug: boolean | undefined;
  readonly clock: Clock;
  readonly random: RandomSource;
}

const KNOWN: readonly (keyof ServiceOptions)[] = [
  "service",
  "domain",
  "account",
  "certificate",
  "storage",
  "provisioning",
  "tls",
  "keepalive",
  "logger",
  "debug",
  "clock",
  "random",
  "signal",
  "timeout",
];

/** Checks the options; throws `ERR_CONFIG` naming the path of the one that is wrong. */
export function checkServiceOptions(options: ServiceOptions): ServiceSettings {
  const given = (options as Partial<ServiceOptions> | undefined) ?? {};
  checkKnown(given, KNOWN);
  const { service, domain, storage, certificate, provisioning = [], keepalive, debug, signal, timeout } = given;
  if (typeof service !== "string")
    throw new ConfigError("service: must be the address of the XMPP server, xmpp://host:port");
  if (!hasMethods(storage, ["open", "close", "read", "replace", "append", "delete"])) {
    throw new ConfigError('storage: must be a Storage, for instance fileStorage("/var/lib/my-service")');
  }
  if (certificate === undefined) {
    throw new ConfigError("certificate: a service needs one to be known by, for instance { make: true }");
  }
  if (!Array.isArray(provisioning)) throw new ConfigError("provisioning: must be a list of addresses");
  if (debug !== undefined && typeof debug !== "boolean") throw new ConfigError("debug: must be true or false");
  checkCall({ signal, timeout });
  const { logger = silentLogger, clock = systemClock, random = systemRandom } = given;
  checkMethods(logger, ["debug", "info", "warn", "error"], "logger");
  checkMethods(clock, ["now", "monotonic", "schedule"], "clock");
  checkMethods(random, ["bytes"], "random");
  return {
    address: parseService(service, domain),
    account: checkAccount(given.account),
    certificate: checkCertificate(certificate),
    storage: storage as Storage,
    provisioning: [...new Set(provisioning.map((jid: string, index) => checkService(jid, `provisioning[${index}]`)))],
    tls: checkTls(given.tls ?? {}),
    keepalive: keepalive === undefined ? undefined : checkKeepalive(keepalive),
    ...{ logger, debug, clock, random, signal, timeout },
  };
}

function checkAccount(given: ServiceAccount | undefined): Required<ServiceAccount> {
  if (given === undefined) throw new ConfigError("account: must be { username, password }");
  checkKnown(given, ["username", "password", "resource", "register"], "account");
  const { username, password, resource = "service", register = false } = given;
  for (const [name, text] of Object.entries({ username, password, resource }) as [string, unknown][]) {
    if (typeof text !== "string" || text === "") throw new ConfigError(`account.${name}: must be a text, not empty`);
    if (!isXmlText(text)) throw new ConfigError(`account.${name}: holds what XML cannot hold`);
  }
  if (typeof register !== "boolean") throw new ConfigError("account.register: must be true or false");
  configUser(username, "account.username");
  return { username, password, resource: configJid(`a@b/${resource}`, "account.resource").resource, register };
}
