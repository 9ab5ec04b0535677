// What a sandbox keeps in a folder, so that Things find the same world when it starts again.
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { LevelStore } from "./level-store.ts";
import { LevelProvisioningKeeper } from "./provisioning-level.ts";
import type { ProvisioningKeeper } from "./provisioning-server-kept.ts";
import { LevelKeeper } from "./registry-level.ts";
import type { RecordKeeper } from "./registry-records.ts";
import type { KeptAccounts } from "./server/domain.ts";

/** What of a sandbox there is only one of. */
interface Site {
  readonly domain: string;
  readonly certificates: Certificates;
  /** Where it listened: who has the address comes back to it. */
  readonly port?: number;
}

const SITE = "site";
const ACCOUNTS = "accounts";

/**
 * A folder with all that Things rely on: the Things of the Registry, what the Provisioning Servers decide by, the
 * accounts of the server, certificate and authority, the port.
 */
export class SandboxData {
  /** Where the Registry keeps its Things. Closed with all the rest, not by itself. */
  readonly keeper: RecordKeeper;
  /** Where the server keeps its accounts. */
  readonly accounts: KeptAccounts;
  readonly #store: LevelStore;
  #site: Site | undefined;

  private constructor(store: LevelStore, site: Site | undefined, entries: KeptAccounts["entries"]) {
    this.#store = store;
    this.#site = site;
    this.keeper = new LevelKeeper(store, () => Promise.resolve());
    this.accounts = { entries, keep: (changes) => store.write(ACCOUNTS, changes) };
  }

  /** Where the Provisioning Server of an address keeps what it decides by. Closed with all the rest, not by itself. */
  provisioning(jid: string): ProvisioningKeeper {
    return new LevelProvisioningKeeper(this.#store, `provisioning ${jid}`, () => Promise.resolve());
  }

  /** Opens a folder; it is made if need be. Rejects as {@link LevelStore.open}. */
  static async open(folder: string): Promise<SandboxData> {
    if (typeof folder !== "string" || folder === "") throw new ConfigError("data: must be the path of a folder");
    const store = await LevelStore.open(join(folder, "database"));
    try {
      const site = (await store.get(SITE, SITE)) as Site | undefined;
      const entries: (readonly [string, unknown])[] = [];
      for await (const entry of store.entries(ACCOUNTS)) entries.push(entry);
      return new SandboxData(store, site, entries);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** The domain it was made for; `undefined` the first time. */
  get domain(): string | undefined {
    return this.#site?.domain;
  }

  /** Where it listened last. */
  get port(): number | undefined {
    return this.#site?.port;
  }

  /**
   * The certificates of last time, made the first time. Rejects with `ERR_CONFIG` if they are of another domain: the
   * accounts would be too.
   */
  async certificates(domain: string, clock: Clock): Promise<Certificates> {
    const known = this.#site;
    if (known === undefined) {
      const certificates = await makeCertificates(domain, clock);
      await this.#keep({ domain, certificates });
      return certificates;
    }
    if (known.domain === domain) return known.certificates;
    throw new ConfigError(`data: "${this.#store.folder}" is of the domain ${known.domain}, not of ${domain}`);
  }

  /** Remembers where it listens. */
  async listening(port: number): Promise<void> {
    if (this.#site !== undefined && this.#site.port !== port) await this.#keep({ ...this.#site, port });
  }

  /** Ends, after what was begun. Harmless when called again. */
  async close(): Promise<void> {
    await this.#store.close();
  }

  async #keep(site: Site): Promise<void> {
    await this.#store.write(SITE, [[SITE, site]]);
    this.#site = site;
  }
}
