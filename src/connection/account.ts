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
  /**
   * Another password that the server is to take, or has taken (XEP-0077 section 3.3): it is not known which one counts, so
   * both are tried. Left out: none.
   */
  readonly newPassword?: string;
  /** The server is to remove the account, or has removed it (XEP-0077 section 3.2): another one is made where it is gone. */
  readonly leaving?: true;
}

/** Where the accounts are kept: one for each domain, so that no server learns the password of another. */
export interface AccountStore {
  /**
   * The account on a domain; made up on the first call. Rejects with `ERR_DISCOVERY` for a domain on which there is to be
   * none: the Thing belongs to another.
   */
  load(domain: string): Promise<Account>;
  /**
   * It is about to be made on the server, which has proved its domain: from now on it is the same after a restart.
   * Durable once resolved. Not before: whoever announces domains by the thousand makes nobody write.
   */
  keep(domain: string): Promise<void>;
  /** The server has the account: it is pending no longer. Durable once resolved. */
  made(domain: string): Promise<void>;
  /** The name is taken by somebody else: another one, if it may be changed; pending, and durable once resolved. */
  renew(domain: string): Promise<Account>;
  /** The new password counts: the one before is forgotten. Durable once resolved. */
  passwordChanged(domain: string): Promise<void>;
}
