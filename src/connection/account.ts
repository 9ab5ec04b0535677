/** An account on an XMPP server, and how it is used. */
export interface Account {
  /** The user name: the part of the JID before the `@`. */
  readonly username: string;
  /** The password. */
  readonly password: string;
  /** The resource of the full JID. The same each time, so that a new stream takes the place of a dead one. */
  readonly resource: string;
  /** Not known to be on the server yet: it is made there if the login is refused. */
  readonly pending: boolean;
}

/** Where the account is kept. */
export interface AccountStore {
  /** The account; made up, and kept, on the first call ever. */
  load(): Promise<Account>;
  /** The server has the account: it is pending no longer. Durable once resolved. */
  made(): Promise<void>;
  /** The name is taken by somebody else: another one, if it may be changed; pending, and durable once resolved. */
  renew(): Promise<Account>;
}
