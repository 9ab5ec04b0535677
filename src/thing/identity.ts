// Who the Thing is: accounts, KEY, owner, trust. Made on the first start, kept in one document, so that no power cut can
// leave half of it.
import { ConfigError, DiscoveryError } from "../core/errors.ts";
import { randomHex, randomToken, type RandomSource } from "../core/random.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import type { Account, AccountStore } from "../connection/account.ts";
import type { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";
import { accountOn, afterReset, isSettled, toBeReset, withAccount, withInUse, type DomainAccount } from "./accounts.ts";
import type { AccountOptions } from "./options.ts";
import { savedDocument, type Saved } from "./saved.ts";
import type { AccountReset, ThingEvent, ThingState } from "./state.ts";

// XEP-0347 6.5 wants a KEY that cannot be guessed; 160 bits are 27 characters, still a small QR code. Letters, digits,
// `-` and `_` only: nothing that a claim text, XML or a person would have to escape.
const KEY_BYTES = 20;
const PASSWORD_BYTES = 24;
const NODE_SECRET_BYTES = 32;
// Made up for servers that were heard of, and not on disk: as many as a search may hear of.
const MOST_MADE_UP = 64;

/** What of a state outlives a restart. */
type Kept = Pick<ThingState, "ownership" | "trust" | "examining" | "parting">;

/** What an {@link Identity} is made of. */
export interface IdentityOptions {
  /** Where it is kept. */
  readonly storage: Storage;
  /** For names, passwords, KEY. */
  readonly random: RandomSource;
  /** What the options say of the account. */
  readonly account: AccountOptions;
  /** The domain that the options name. Left out: whichever a server is found on. */
  readonly domain?: string | undefined;
}

/** The Thing's identity on disk. */
export class Identity implements AccountStore {
  readonly #document: Document<Saved>;
  readonly #random: RandomSource;
  readonly #configured: AccountOptions;
  readonly #domain: string | undefined;
  readonly #queue = new SerialQueue();
  readonly #madeUp = new Map<string, DomainAccount>();
  #saved: Saved | undefined;
  // Where the Thing is online; on disk it is the account that stands first.
  #inUse: string | undefined;
  // Made when the Thing moved to another domain; on disk together with that.
  #keyThere: string | undefined;
  #nodeSecretThere: string | undefined;

  constructor({ storage, random, account, domain }: IdentityOptions) {
    this.#domain = domain;
    this.#document = savedDocument(storage);
    this.#random = random;
    this.#configured = account;
  }

  /**
   * Reads what is saved, or makes it. Resolves to it with a word on what was wrong, if the newest generation was damaged.
   * Rejects with `ERR_STORAGE` if all are: a new identity would silently be another Thing, one without an owner.
   */
  async open(): Promise<{ readonly saved: Saved; readonly problem?: string }> {
    const { value, problem } = await this.#document.load();
    const known = value === undefined ? this.#made() : this.#asConfigured(value);
    this.#saved = known.nodeSecret === undefined ? { ...known, nodeSecret: this.#newNodeSecret() } : known;
    await this.#document.save(this.#saved);
    return { saved: this.#saved, ...(problem !== undefined && { problem }) };
  }

  /** Keeps what an event has left; durable once resolved. */
  keepAfter(state: Kept, event: ThingEvent): Promise<void> {
    if (event.type === "reset") return this.startAnew(state, event.account);
    if (event.type === "disowned" && this.#isLeft(state)) return this.#disowned(state);
    if (event.type === "accountLeft") return this.#accountLeft(state, event);
    return this.remember(state);
  }

  /** Keeps ownership and trust; durable once resolved. */
  remember(state: Kept): Promise<void> {
    const { ownership, trust, examining, parting } = state;
    return this.#change((saved) => ({ ...saved, ownership, trust, examining, parting }));
  }

  /** Keeps what a factory reset has left, with another KEY: who has seen the one before must not claim the Thing (XEP-0347 6.5). */
  startAnew(state: Kept, account?: AccountReset): Promise<void> {
    const { ownership, trust, examining, parting } = state;
    const key = randomToken(this.#random, KEY_BYTES);
    // The nodes behind it are those of another Thing from now on: their owners of before, and their KEYs, count no more.
    const nodeSecret = this.#newNodeSecret();
    this.#keyThere = undefined;
    this.#nodeSecretThere = undefined;
    const newPassword = randomToken(this.#random, PASSWORD_BYTES);
    return this.#change((saved) => {
      const [home, ...others] = this.#atHome(saved).accounts;
      const accounts = home === undefined ? [] : [toBeReset(home, account, newPassword), ...others];
      return { ...saved, accounts, key, nodeSecret, ownership, trust, examining, parting };
    });
  }

  /** Whether a state that is to be kept is the first without the owner of what is kept. */
  #isLeft({ ownership }: Kept): boolean {
    return ownership.is !== "claimed" && this.#current().ownership.is === "claimed";
  }

  /** With another KEY, in one write: the owner of before has seen the one before (XEP-0347 6.5). */
  #disowned({ ownership, trust, examining, parting }: Kept): Promise<void> {
    const key = randomToken(this.#random, KEY_BYTES);
    this.#keyThere = undefined;
    return this.#change((saved) => ({ ...saved, key, ownership, trust, examining, parting }));
  }

  /** In one write, so that no power cut has the new account removed too. */
  #accountLeft(state: Kept, { domain, outcome }: Extract<ThingEvent, { type: "accountLeft" }>): Promise<void> {
    const { ownership, trust, examining, parting } = state;
    return this.#change((saved) => {
      const before = this.#accountOn(domain);
      const account = outcome === "removed" ? this.#newAccount(domain) : afterReset(before, outcome);
      return { ...saved, accounts: withAccount(saved.accounts, account), ownership, trust, examining, parting };
    });
  }

  /** The KEY that was made (XEP-0347 6.5). */
  get key(): string {
    return this.#keyThere ?? this.#current().key;
  }

  /** From which the KEYs of nodes are derived. Another one after a factory reset, and where the Thing is another one. */
  get nodeSecret(): string {
    return this.#nodeSecretThere ?? this.#current().nodeSecret ?? "";
  }

  /** What nobody may see of it; nothing before it is open. */
  get secrets(): readonly string[] {
    if (this.#saved === undefined) return [];
    const accounts = [...this.#saved.accounts, ...this.#madeUp.values()];
    const passwords = accounts.flatMap(({ password, newPassword }) => [password, newPassword ?? ""]);
    return [
      ...new Set([...passwords.filter((password) => password !== ""), this.#saved.key, this.key, this.nodeSecret]),
    ];
  }

  /**
   * The one domain whose servers count: the configured one; else, of a Thing that is settled, the one that it is on.
   * `undefined`: any.
   */
  get onlyDomain(): string | undefined {
    if (this.#domain !== undefined) return this.#domain;
    const { accounts, ...kept } = this.#atHome(this.#current());
    return isSettled(kept) ? accounts[0]?.domain : undefined;
  }

  /** The account to log in with on a domain. One that was not used yet is kept in memory, and is another one elsewhere. */
  load(domain: string): Promise<Account> {
    const only = this.onlyDomain;
    if (only !== undefined && domain !== only) {
      return Promise.reject(new DiscoveryError(`${domain} is passed over: ${this.#why(only)}`));
    }
    return Promise.resolve(this.#accountOn(domain));
  }

  /** It is about to be made there. */
  keep(domain: string): Promise<void> {
    return this.#put(domain, (account) => account);
  }

  /** The server has it. */
  made(domain: string): Promise<void> {
    return this.#put(domain, (account) => ({ ...account, pending: false }));
  }

  /** The name is taken: another one, unless it was configured. Then all stays, since the account may be ours after all. */
  async renew(domain: string): Promise<Account> {
    if (this.#configured.username === undefined) await this.#put(domain, () => this.#newAccount(domain));
    return this.#accountOn(domain);
  }

  /** The new password counts. */
  passwordChanged(domain: string): Promise<void> {
    return this.#put(domain, (account) => afterReset(account, "changed"));
  }

  /**
   * A stream is up on a domain: that is the Thing's home from now on. Tells at once whether it was another one before;
   * `kept` resolves when it is durable. A Thing that has moved has another KEY: a Registry of the domain before may have
   * heard the old one, and whoever knows it could claim the Thing where it is now (XEP-0347 6.5).
   */
  settle(domain: string): { readonly moved: boolean; readonly kept: Promise<void> } {
    const before = this.#atHome(this.#current()).accounts[0]?.domain;
    const moved = before !== undefined && before !== domain;
    this.#inUse = domain;
    if (moved) {
      this.#keyThere = randomToken(this.#random, KEY_BYTES);
      this.#nodeSecretThere = this.#newNodeSecret();
    }
    return { moved, kept: this.keep(domain) };
  }

  #current(): Saved {
    if (this.#saved === undefined) throw new TypeError("the identity is not open");
    return this.#saved;
  }

  #why(only: string): string {
    if (this.#domain !== undefined) return `the options name ${only}`;
    return `the Thing is known on ${only}, and stays there until a factory reset, or until \`server\` names another domain`;
  }

  #accountOn(domain: string): DomainAccount {
    const { username } = this.#configured;
    for (const known of [accountOn(this.#current().accounts, domain), this.#madeUp.get(domain)]) {
      if (known !== undefined && (username === undefined || username === known.username)) return known;
    }
    const account = this.#newAccount(domain);
    const [oldest] = this.#madeUp.keys();
    if (oldest !== undefined && this.#madeUp.size >= MOST_MADE_UP) this.#madeUp.delete(oldest);
    this.#madeUp.set(domain, account);
    return account;
  }

  async #put(domain: string, how: (account: DomainAccount) => DomainAccount): Promise<void> {
    await this.#change((saved) => ({ ...saved, accounts: withAccount(saved.accounts, how(this.#accountOn(domain))) }));
    this.#madeUp.delete(domain);
  }

  #change(how: (saved: Saved) => Saved): Promise<void> {
    return this.#queue.run(async () => {
      // Together with the home: a registration must never be on disk beside the domain of before.
      const next = this.#atHome(how(this.#current()));
      await this.#document.save(next);
      this.#saved = next;
    });
  }

  /** With the account in use first. */
  #atHome(saved: Saved): Saved {
    const home = saved.accounts[0]?.domain;
    if (this.#inUse === undefined || home === this.#inUse) return saved;
    const key = this.#keyThere ?? saved.key;
    const nodeSecret = this.#nodeSecretThere ?? saved.nodeSecret;
    const account = accountOn(saved.accounts, this.#inUse) ?? this.#accountOn(this.#inUse);
    const accounts = withInUse(withAccount(saved.accounts, account), this.#inUse);
    return {
      ...saved,
      key,
      ...(nodeSecret !== undefined && { nodeSecret }),
      accounts: this.#isLeaving ? accounts.filter(({ domain }) => domain !== home) : accounts,
    };
  }

  /**
   * A factory reset was not taken back on the server where the Thing was: friends and owner of before still know the
   * account there. Whoever lures the Thing to another domain must not have it come back as theirs. A configured name is
   * all that people have of an account: it stays.
   */
  get #isLeaving(): boolean {
    const { ownership } = this.#current();
    const isLeaving = ownership.is === "unregistered" && ownership.leaving !== undefined;
    return isLeaving && this.#configured.username === undefined;
  }

  /** What is configured is never changed or removed, whatever a reset of before has wanted. */
  #untouched(account: DomainAccount): DomainAccount {
    const { username, password } = this.#configured;
    if (username === undefined && password === undefined) return account;
    const { newPassword } = account;
    const kept = afterReset(account, "kept");
    return password === undefined && newPassword !== undefined ? { ...kept, newPassword } : kept;
  }

  #made(): Saved {
    return {
      accounts: this.#domain === undefined ? [] : [this.#newAccount(this.#domain)],
      key: randomToken(this.#random, KEY_BYTES),
      nodeSecret: this.#newNodeSecret(),
      ownership: { is: "unregistered" },
      trust: { is: "none" },
      examining: [],
      parting: [],
    };
  }

  #newAccount(domain: string): DomainAccount {
    return {
      domain,
      username: this.#configured.username ?? `thing-${randomHex(this.#random, 8)}`,
      password: this.#configured.password ?? randomToken(this.#random, PASSWORD_BYTES),
      // Kept: a Thing that comes back takes the place of its own dead connection instead of standing beside it.
      resource: randomToken(this.#random, 9),
      pending: true,
    };
  }

  /**
   * What is saved, with the account and domain of the options. At another address it is another Thing: one that has an
   * owner is not moved, since owner and Registry would never hear of it, nor one whose trust is locked; any other begins
   * anew.
   */
  #asConfigured(saved: Saved): Saved {
    const [home] = saved.accounts;
    const domain = this.#domain ?? home?.domain;
    if (domain === undefined) return saved; // no server was found yet
    const known = accountOn(saved.accounts, domain) ?? this.#newAccount(domain);
    const { username = known.username, password = known.password } = this.#configured;
    const pending = known.pending || username !== known.username;
    const accounts = withInUse(
      withAccount(saved.accounts, this.#untouched({ ...known, username, password, pending })),
      domain,
    );
    const moved = home !== undefined && (username !== home.username || domain !== home.domain);
    if (!moved) return { ...saved, accounts };
    const [from, to] = [`${home.username}@${home.domain}`, `${username}@${domain}`];
    if (saved.ownership.is === "claimed") {
      throw new ConfigError(
        `account: the storage holds ${from}, which belongs to ${saved.ownership.owner}; ${to} is another Thing and needs a storage of its own`,
      );
    }
    // Else whoever writes the options could have it trust others (P-6.1-2).
    if (saved.trust.is === "delegated" && saved.trust.locked) {
      throw new ConfigError(
        `account: the storage holds ${from}, whose trust is locked; ${to} is another Thing: it needs a storage of its own, or a factory reset of this one (npx xmpp-thing reset)`,
      );
    }
    const anew = { ownership: { is: "unregistered" }, trust: { is: "none" }, examining: [], parting: [] } as const;
    return { ...saved, accounts, nodeSecret: this.#newNodeSecret(), ...anew };
  }

  #newNodeSecret(): string {
    return randomToken(this.#random, NODE_SECRET_BYTES);
  }
}
