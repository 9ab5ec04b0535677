// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.6.2: users whom services have let in, and their tokens.
import { base64Of } from "../codec/base64.ts";
import type { Credential } from "../codec/credentials.ts";
import type { BareJid } from "../core/jid.ts";
import { randomToken, type RandomSource } from "../core/random.ts";

/** A user in a service, behind a user token. */
export interface Session {
  /** The user token. */
  readonly token: string;
  /** The service that it was given to, by the name or else the fingerprint of its certificate. */
  readonly service: string;
  /** The JID that the service asked from. */
  readonly by: BareJid;
  /** What the service knows of the user: looked at again each time, so that new rules count at once. */
  readonly credentials: readonly Credential[];
  /** The name that the user has logged in by. */
  userName: string | undefined;
  /** The Things and services that were answered because of it, and the moment of the last time. */
  readonly concerned: Map<BareJid, number>;
  /** So many are concerned that all count as such: the moment of the last answer of those that are not noted. */
  countless: number | undefined;
}

/** What {@link Sessions} are made of. */
export interface SessionsOptions {
  /** Randomness for tokens. */
  readonly random: RandomSource;
  /** How many there are at the most. */
  readonly most: number;
  /** A session is another now, or gone (`undefined`). */
  readonly changed: (session: Session, is: Session | undefined) => void;
  /** The moment, by which it can be told what somebody has forgotten since. */
  readonly moment: () => number;
  /** Tells whether somebody has forgotten what they were told until that moment. */
  readonly hasForgotten: (jid: BareJid, moment: number) => boolean;
}

const MOST_CONCERNED = 1_000;

/**
 * The users in services, by their tokens; of very many those that were used last. A service has all the room that the others leave,
 * and gives of it when they come: none has less than its share.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  /** The one that was used last stands last. */
  readonly #all = new Map<string, Session>();
  readonly #counts = new Map<string, number>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** Lets a user in (P-3.6.2-12). The same user in the same service again is another session: they may be two people. */
  begin(service: string, by: BareJid, credentials: readonly Credential[]): Session {
    if (this.#all.size >= this.#options.most) this.#makeRoom(service);
    const token = randomToken(this.#options.random, 24); // base64url: no white space (P-3.1.3-14)
    const session: Session = {
      ...{ token, service, by, credentials },
      userName: undefined,
      // Whoever has let the user in goes by that.
      concerned: new Map([[by, this.#options.moment()]]),
      countless: undefined,
    };
    this.#add(session);
    this.#options.changed(session, session);
    return session;
  }

  /** Takes one up again that was kept. */
  restore(session: Session): void {
    this.#add(session);
  }

  /** The session of a token that a service has, and no other one (P-3.7.1-4). */
  find(token: string, service: readonly string[]): Session | undefined {
    const session = this.#all.get(token);
    if (session === undefined || !service.includes(session.service)) return undefined;
    this.#all.delete(token);
    this.#all.set(token, session);
    return session;
  }

  /** A Thing or service asks with a token: what it is told may change with the session. */
  answered(token: string, jid: BareJid): void {
    const session = this.#all.get(token);
    if (session === undefined) return;
    const moment = this.#options.moment();
    if (session.concerned.size < MOST_CONCERNED || session.concerned.has(jid)) session.concerned.set(jid, moment);
    else session.countless = moment;
  }

  /** A user has logged in. Tells whether that is news. */
  loggedIn(session: Session, userName: string): boolean {
    if (session.userName === userName) return false;
    session.userName = userName;
    this.#options.changed(session, session);
    return true;
  }

  /**
   * Gives what tells whether somebody was answered because of any user, and has not forgotten it since: as it is now. It goes
   * through the users once, not for each of very many Things.
   */
  concerning(): (jid: BareJid) => boolean {
    const moments = new Map<BareJid, number>();
    let countless = -1;
    for (const session of this.#all.values()) {
      countless = Math.max(countless, session.countless ?? -1);
      for (const [jid, moment] of session.concerned) moments.set(jid, Math.max(moments.get(jid) ?? -1, moment));
    }
    return (jid) => {
      const last = Math.max(countless, moments.get(jid) ?? -1);
      return last >= 0 && !this.#options.hasForgotten(jid, last);
    };
  }

  /** The same of one user. */
  concerns({ concerned, countless }: Session, jid: BareJid): boolean {
    const { hasForgotten } = this.#options;
    return [concerned.get(jid), countless].some((moment) => moment !== undefined && !hasForgotten(jid, moment));
  }

  #add(session: Session): void {
    this.#all.set(session.token, session);
    this.#counts.set(session.service, (this.#counts.get(session.service) ?? 0) + 1);
  }

  /** For one more user of a service. It is the service that has most who gives; this one, if no other has more than it will have. */
  #makeRoom(service: string): void {
    let [largest, most] = [service, (this.#counts.get(service) ?? 0) + 1];
    for (const [other, count] of this.#counts) if (count > most) [largest, most] = [other, count];
    for (const session of this.#all.values()) {
      if (session.service !== largest) continue;
      this.#all.delete(session.token);
      const left = (this.#counts.get(session.service) ?? 1) - 1;
      if (left > 0) this.#counts.set(session.service, left);
      else this.#counts.delete(session.service);
      return this.#options.changed(session, undefined);
    }
  }
}

/** A session as it is kept: plain data, fit for JSON. */
export interface KeptSession extends Pick<Session, "token" | "service" | "by"> {
  /** The name that the user has logged in by. */
  readonly userName?: string;
  /** The credentials; bytes as base-64. */
  readonly credentials: readonly { readonly type: Credential["type"]; readonly value: string | number }[];
}

/** What is kept of a session. */
export function keptSession({ token, service, by, userName, credentials }: Session): KeptSession {
  const plain = credentials.map(({ type, value }) => ({
    type,
    value: value instanceof Uint8Array ? base64Of(value) : value,
  }));
  return { token, service, by, ...(userName !== undefined && { userName }), credentials: plain };
}

/** The session that was kept. Whom it concerned is not known any more: everybody, until they have forgotten. */
export function sessionOf({ token, service, by, userName, credentials }: KeptSession): Session {
  const read = credentials.map(({ type, value }) =>
    type === "x509Certificate" || type === "x509CertificateThumbprint"
      ? { type, value: new Uint8Array(Buffer.from(String(value), "base64")) }
      : ({ type, value } as Credential),
  );
  return { ...{ token, service, by, userName, credentials: read }, concerned: new Map(), countless: 0 };
}
