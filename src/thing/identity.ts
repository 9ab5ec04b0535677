// Who the Thing is: account, KEY, owner, trust. Made on the first start, kept in one document, so that no power cut can
// leave half of it.
import { ConfigError } from "../core/errors.ts";
import { randomHex, randomToken, type RandomSource } from "../core/random.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import type { Account, AccountStore } from "../connection/account.ts";
import type { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";
import type { AccountOptions } from "./options.ts";
import { savedDocument, type Saved } from "./saved.ts";
import type { ThingState } from "./state.ts";

// XEP-0347 6.5 wants a KEY that cannot be guessed; 160 bits are 27 characters, still a small QR code. Letters, digits,
// `-` and `_` only: nothing that a claim text, XML or a person would have to escape.
const KEY_BYTES = 20;
const PASSWORD_BYTES = 24;

/** What of a state outlives a restart. */
type Kept = Pick<ThingState, "ownership" | "trust" | "examining">;

/** The Thing's identity on disk. */
export class Identity implements AccountStore {
  readonly #document: Document<Saved>;
  readonly #random: RandomSource;
  readonly #configured: AccountOptions;
  readonly #domain: string;
  readonly #queue = new SerialQueue();
  #saved: Saved | undefined;

  constructor(options: { storage: Storage; random: RandomSource; account: AccountOptions; domain: string }) {
    const { storage, random, account, domain } = options;
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
    this.#saved = value === undefined ? this.#made() : this.#asConfigured(value);
    await this.#document.save(this.#saved);
    return { saved: this.#saved, ...(problem !== undefined && { problem }) };
  }

  /** Keeps ownership and trust; durable once resolved. */
  remember(state: Kept): Promise<void> {
    const { ownership, trust, examining } = state;
    return this.#change((saved) => ({ ...saved, ownership, trust, examining }));
  }

  /** Keeps what a factory reset has left, with another KEY: who has seen the one before must not claim the Thing (XEP-0347 6.5). */
  startAnew(state: Kept): Promise<void> {
    const { ownership, trust, examining } = state;
    const key = randomToken(this.#random, KEY_BYTES);
    return this.#change((saved) => ({ ...saved, key, ownership, trust, examining }));
  }

  /** The KEY that was made (XEP-0347 6.5). */
  get key(): string {
    return this.#current().key;
  }

  /** What nobody may see of it; nothing before it is open. */
  get secrets(): readonly string[] {
    return this.#saved === undefined ? [] : [this.#saved.account.password, this.#saved.key];
  }

  /** The account to log in with. */
  load(): Promise<Account> {
    return Promise.resolve(this.#current().account);
  }

  /** The server has it. */
  made(): Promise<void> {
    return this.#change((saved) => ({ ...saved, account: { ...saved.account, pending: false } }));
  }

  /** The name is taken: another one, unless it was configured. Then all stays, since the account may be ours after all. */
  async renew(): Promise<Account> {
    if (this.#configured.username !== undefined) return this.#current().account;
    await this.#change((saved) => ({ ...saved, account: this.#newAccount() }));
    return this.#current().account;
  }

  #current(): Saved {
    if (this.#saved === undefined) throw new TypeError("the identity is not open");
    return this.#saved;
  }

  #change(how: (saved: Saved) => Saved): Promise<void> {
    return this.#queue.run(async () => {
      const next = how(this.#current());
      await this.#document.save(next);
      this.#saved = next;
    });
  }

  #made(): Saved {
    return {
      domain: this.#domain,
      account: this.#newAccount(),
      key: randomToken(this.#random, KEY_BYTES),
      ownership: { is: "unregistered" },
      trust: { is: "none" },
      examining: [],
    };
  }

  #newAccount(): Account {
    return {
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
    const { account } = saved;
    const { username = account.username, password = account.password } = this.#configured;
    const moved = username !== account.username || this.#domain !== saved.domain;
    if (!moved) return { ...saved, account: { ...account, password } };
    const [from, to] = [`${account.username}@${saved.domain}`, `${username}@${this.#domain}`];
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
    return {
      ...saved,
      domain: this.#domain,
      account: { ...account, username, password, pending: true },
      ownership: { is: "unregistered" },
      trust: { is: "none" },
      examining: [],
    };
  }
}
