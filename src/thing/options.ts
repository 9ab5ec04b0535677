// What a device developer tells the Thing, checked once, in the constructor.
import { systemClock, type Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { configUser, type BareJid } from "../core/jid.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { checkKnown, checkMethods, hasMethods } from "../core/options.ts";
import { systemRandom, type RandomSource } from "../core/random.ts";
import { toTags, type Tag, type Tags } from "../codec/tags.ts";
import { isXmlText } from "../codec/xml.ts";
import { checkKeepalive, type KeepaliveOptions } from "../connection/keepalive.ts";
import {
  checkProvisioning,
  checkRegistry,
  type ProvisioningMethods,
  type ProvisioningWays,
  type RegistryMethods,
  type RegistryWays,
} from "../discovery/service-options.ts";
import { checkTls, type TlsPolicy } from "../connection/tls-policy.ts";
import {
  checkCertificate,
  type CertificateOptions,
  type CertificateSettings,
} from "../provisioning/certificate-options.ts";
import type { RightsOptions } from "../provisioning/rights-cache.ts";
import { checkControl } from "../control/check-control.ts";
import type { ControlParameter } from "../control/definition.ts";
import { checkSensor, type SensorDefinition } from "../sensor/definition.ts";
import type { Storage } from "../storage/storage.ts";
import { checkNodeList, type NodeDefinition, type NodeSettings } from "./node-definition.ts";
import { checkPairing, type PairingOptions, type PairingSettings } from "./pairing.ts";
import { toOwnChanges } from "./tags.ts";
import { checkServer, type ServerOptions, type ServerSettings } from "./server-options.ts";

export type { ServerOptions } from "./server-options.ts";

/** The account to log in with. What is left out is made on the first start and kept. */
export interface AccountOptions {
  /** The part of the JID before the `@`. */
  readonly username?: string;
  /** The password. */
  readonly password?: string;
}

/** What a Thing is told. */
export interface ThingOptions {
  /** Where it keeps what must outlive it: {@link fileStorage} for a device. */
  readonly storage: Storage;
  /** The XMPP server. Default: found on the network (XEP-0347 3.3). */
  readonly server?: ServerOptions;
  /**
   * What an owner must present to claim it, and what is told of it afterwards (XEP-0347 5.2): serial number `SN`,
   * manufacturer's domain `MAN`, `MODEL`, version `V`, … A `KEY` is made if none is given.
   */
  readonly tags?: Tags;
  /**
   * What is told of it once it is claimed and public, in the place of the same tags (XEP-0347 6.4): an empty text hides a
   * tag, a shorter one shortens it, so that nobody can put a claim text together from a search. Default: what was
   * registered, without `KEY`.
   */
  readonly tagsAfterClaim?: Tags;
  /**
   * True if nobody has to claim it (XEP-0347 3.7): it is its own owner, public at once, and shows no claim text. Default:
   * false. A Thing that has an owner keeps it until it is disowned or reset, whatever this says.
   */
  readonly selfOwned?: boolean;
  /** What can be read. Default: nothing. */
  readonly sensor?: SensorDefinition;
  /** What can be set, from outside, of what the device does. Default: nothing. */
  readonly control?: readonly ControlParameter[];
  /**
   * The nodes behind the Thing, each with an owner, a sensor and control of its own (XEP-0347 3.8, docs/concentrator.md): the
   * Thing is a concentrator then, also with an empty list, to which `addNode` adds. Default: it is none.
   */
  readonly nodes?: readonly NodeDefinition[];
  /** The account. Default: made on the server at the first start (XEP-0077). */
  readonly account?: AccountOptions;
  /**
   * The certificate by which provisioning servers know the Thing, whatever its address, and give it tokens (XEP-0324
   * 3.1.3, docs/tokens.md). `{ make: true }` makes one on the Thing. Default: none.
   */
  readonly certificate?: CertificateOptions;
  /** Which certificates to trust. Default: those that Node.js trusts. */
  readonly tls?: TlsPolicy;
  /** When a silent link is asked whether it lives. Default: after 60 s; an answer within 20 s. */
  readonly keepalive?: KeepaliveOptions;
  /**
   * The address of the Thing Registry, a component or an account (a bare JID), or ways to find one. Default: found among the
   * server's components. The one that was found stays, until this option names an address, or a reset.
   */
  readonly registry?: string | RegistryMethods;
  /**
   * The addresses of the provisioning servers, components or accounts (bare JIDs), all of which are trusted from the start;
   * or ways to find one after the claim. Default: the Registry, the owner, or found among the server's components.
   */
  readonly provisioning?: readonly string[] | ProvisioningMethods;
  /**
   * The Thing has an LED and a button: requests for friendship may be accepted by hand, and so trust be given to a
   * provisioning server (XEP-0324 3.1.1). `{}` is enough. Default: neither; what nobody decides stays pending.
   */
  readonly pairing?: PairingOptions;
  /** How much to remember of who may do what. */
  readonly rights?: RightsOptions;
  /** Where to write what happens. Default: nowhere. */
  readonly logger?: Logger;
  /**
   * Shows on the console what goes over the wire, without passwords, tokens, KEY and challenges (docs/tracing.md).
   * Default: only with `THING_DEBUG=1` in the environment.
   */
  readonly debug?: boolean;
  /** Time. Default: the machine's. */
  readonly clock?: Clock;
  /** Randomness. Default: the operating system's. */
  readonly random?: RandomSource;
}

/** The options, checked and completed. */
export interface ThingSettings {
  readonly storage: Storage;
  readonly server: ServerSettings;
  readonly tags: readonly Tag[];
  readonly tagsAfterClaim: readonly Tag[];
  readonly selfOwned: boolean;
  readonly sensor: SensorDefinition | undefined;
  readonly control: readonly ControlParameter[];
  /** `undefined`: the Thing is no concentrator. */
  readonly nodes: readonly NodeSettings[] | undefined;
  readonly account: AccountOptions;
  readonly certificate: CertificateSettings | undefined;
  readonly tls: TlsPolicy;
  readonly keepalive: KeepaliveOptions | undefined;
  readonly registry: BareJid | undefined;
  readonly provisioning: readonly BareJid[];
  /** The ways to find what is not named by an address. */
  readonly ways: { readonly registry: RegistryWays; readonly provisioning: ProvisioningWays };
  readonly pairing: PairingSettings | undefined;
  readonly rights: RightsOptions;
  readonly logger: Logger;
  readonly debug: boolean | undefined;
  readonly clock: Clock;
  readonly random: RandomSource;
}

// Half a gigabyte of memory: whoever gives more means something else.
const MOST_ENTRIES = 1_000_000;
// An hour, in milliseconds: what is gathered for so long is what a power cut takes.
const MOST_GATHER = 3_600_000;

const KNOWN: readonly (keyof ThingOptions)[] = [
  "storage",
  "server",
  "tags",
  "tagsAfterClaim",
  "selfOwned",
  "sensor",
  "control",
  "nodes",
  "account",
  "certificate",
  "tls",
  "keepalive",
  "registry",
  "provisioning",
  "pairing",
  "rights",
  "logger",
  "debug",
  "clock",
  "random",
];

/** Checks the options; throws `ERR_CONFIG` naming the path of the one that is wrong. */
export function checkOptions(options: ThingOptions): ThingSettings {
  const given = (options as ThingOptions | undefined) ?? {};
  checkKnown(given, KNOWN);
  const { storage, sensor, control = [], rights = {}, server: where, ...others } = given as Partial<ThingOptions>;
  if (!isStorage(storage)) {
    throw new ConfigError('storage: must be a Storage, for instance fileStorage("/var/lib/my-thing")');
  }
  const server = checkServer(where);
  if (sensor !== undefined) checkSensor(sensor);
  checkControl(control);
  checkKnown(rights, ["maxEntries", "maxBytes", "maxAge", "gather"], "rights");
  checkPositive(rights.maxEntries, "rights.maxEntries", MOST_ENTRIES);
  checkPositive(rights.maxBytes, "rights.maxBytes", undefined, "bytes");
  checkPositive(rights.maxAge, "rights.maxAge", undefined, "milliseconds");
  checkPositive(rights.gather, "rights.gather", MOST_GATHER, "milliseconds");
  const { logger = silentLogger, clock = systemClock, random = systemRandom } = others;
  checkMethods(logger, ["debug", "info", "warn", "error"], "logger");
  checkMethods(clock, ["now", "monotonic", "schedule"], "clock");
  checkMethods(random, ["bytes"], "random");
  // XEP-0347 6.2: on a server that was merely found, an account of that name may be anybody's.
  const serverIsNamed = server.domain !== undefined;
  const registry = checkRegistry(others.registry, serverIsNamed);
  const provisioning = checkProvisioning(others.provisioning, serverIsNamed);
  return {
    storage,
    server,
    tags: checkTags(options.tags ?? {}),
    tagsAfterClaim: toOwnChanges(options.tagsAfterClaim ?? {}, "tagsAfterClaim"),
    selfOwned: checkFlag(options.selfOwned, "selfOwned") ?? false,
    sensor,
    control: [...control],
    nodes: options.nodes === undefined ? undefined : checkNodeList(options.nodes),
    account: checkAccount(options.account ?? {}, server),
    certificate: options.certificate === undefined ? undefined : checkCertificate(options.certificate),
    tls: checkTls(options.tls ?? {}),
    keepalive: options.keepalive === undefined ? undefined : checkKeepalive(options.keepalive),
    registry: registry.address,
    provisioning: provisioning.servers,
    ways: { registry: registry.ways, provisioning: provisioning.ways },
    pairing: options.pairing === undefined ? undefined : checkPairing(options.pairing),
    rights,
    logger,
    debug: checkFlag(options.debug, "debug"),
    clock,
    random,
  };
}

function checkFlag(value: boolean | undefined, option: string): boolean | undefined {
  if (value !== undefined && typeof value !== "boolean") throw new ConfigError(`${option}: must be true or false`);
  return value;
}

// All of it: a text has a `replace` too.
function isStorage(value: unknown): value is Storage {
  return hasMethods(value, ["open", "close", "read", "replace", "append", "delete"]);
}

function checkTags(tags: Tags): readonly Tag[] {
  if (typeof tags !== "object" || (tags as unknown) === null || Array.isArray(tags)) {
    throw new ConfigError('tags: must be an object, { SN: "4711", V: 1 }');
  }
  const checked = toTags(tags);
  // Whoever knows the other tags, and they stand on the label, could claim the Thing (XEP-0347 6.5).
  if (checked.some((tag) => tag.name === "KEY" && tag.value === "")) {
    throw new ConfigError("tags.KEY: must not be empty; leave it out and one is made");
  }
  return checked;
}

function checkAccount(account: AccountOptions, { domain }: ServerSettings): AccountOptions {
  checkKnown(account, ["username", "password"], "account");
  for (const part of ["username", "password"] as const) {
    const text = account[part];
    if (text !== undefined && typeof text !== "string") throw new ConfigError(`account.${part}: must be a text`);
    if (text === "") throw new ConfigError(`account.${part}: must not be empty`);
    if (text !== undefined && !isXmlText(text)) throw new ConfigError(`account.${part}: holds what XML cannot hold`);
  }
  const { username, password } = account;
  // It is for one server; the first that a stranger announces must not have it tried on it (XEP-0347 6.2).
  if (password !== undefined && domain === undefined) {
    throw new ConfigError("account.password: needs server.domain or server.service, which say whose password it is");
  }
  if (username === undefined) return account;
  configUser(username, "account.username");
  return account;
}

function checkPositive(value: number | undefined, option: string, most?: number, unit?: string): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value > 0 && value <= (most ?? value))) {
    const [of, to] = [unit === undefined ? "" : ` of ${unit}`, most === undefined ? " up" : ` to ${most}`];
    throw new ConfigError(`${option}: must be a whole number${of} from 1${to}`);
  }
}
