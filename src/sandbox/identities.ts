// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.1.3: who is behind a token, and for how long.
import type { Clock, Timer } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { base64Of } from "../codec/base64.ts";
import { readAnyCertificate, readCertificate, type ClientCertificate } from "./identity-certificate.ts";
import { isFingerprint, normaliseIdentity } from "./identity-name.ts";

/** An identity that a Provisioning Server knows: a certificate, and what it is called. */
export interface KnownIdentity {
  /** The SHA-256 fingerprint of the certificate: 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** The name it was enrolled under; absent if it came by itself. */
  readonly name?: string;
  /** Whom the certificate names. Anybody can write anything there. */
  readonly subject: string;
  /** From when the certificate is valid. */
  readonly validFrom: Date;
  /** Until when the certificate is valid. */
  readonly validTo: Date;
  /** It was withdrawn: it gets no token, and the one it had is void. */
  readonly withdrawn: boolean;
  /** Its owner has proved to hold the private key, and has a token that counts. */
  readonly hasToken: boolean;
}

/** What {@link Identities} are made of. */
export interface IdentitiesOptions {
  /** Randomness for tokens. */
  readonly random: RandomSource;
  /** Time: certificates begin and end by its wall clock. */
  readonly clock: Clock;
  /** Whether certificates that nobody enrolled get tokens. */
  readonly unknown: "accept" | "refuse";
  /** What these Things may remember is void: an identity has begun, ended, or got another name. */
  readonly changed: (isConcerned: (thing: BareJid) => boolean) => void;
  /** What is to be kept of an identity is this now; nothing any more. */
  readonly keep: (fingerprint: string, is: KeptIdentity | undefined) => void;
}

/** An identity as it is kept: plain data, fit for JSON. */
export interface KeptIdentity {
  /** The certificate, DER as base-64. */
  readonly certificate: string;
  /** Who has brought it. */
  readonly by?: BareJid;
  /** The name it was enrolled under. */
  readonly name?: string;
  /** It was withdrawn. */
  readonly withdrawn: boolean;
  /** Its token. */
  readonly token?: string;
  /** Somebody was answered because of it. */
  readonly concerns: boolean;
  /** Somebody was answered without it because it could not be proved. */
  readonly deprives: boolean;
}

/** An identity behind a token. */
export interface Identity {
  readonly certificate: ClientCertificate;
  /** Who has brought it; absent if it is the operator's. */
  readonly by: BareJid | undefined;
  name: string | undefined;
  withdrawn: boolean;
  token: string | undefined;
  /** The Things that were answered because of it, or without it because it could not be proved. */
  readonly concerned: Set<BareJid>;
  /** Those of them that were answered without it. */
  readonly deprived: Set<BareJid>;
  /** So many Things are concerned, or it is not known any more which, that all of them count as such. */
  countless: boolean;
  /** The same of those that were answered without it. */
  deprivesCountless: boolean;
}

// XEP-0324 5.4: what anybody can add must not grow without bound.
const MOST_IDENTITIES = 10_000;
// Nor take the room of others: a certificate of one's own costs nothing.
const MOST_OF_ONE = 100;
const MOST_CONCERNED = 1_000;
// The wall clock may be set: no certificate is believed in for longer than this without another look.
const LOOK_AGAIN = 3_600_000;

/** The certificates that a server has seen or been told of, their names, and their tokens. */
export class Identities {
  readonly #options: IdentitiesOptions;
  readonly #all = new Map<string, Identity>();
  readonly #byToken = new Map<string, Identity>();
  #timer: Timer | undefined;

  constructor(options: IdentitiesOptions) {
    this.#options = options;
  }

  /** All that are known, in the order in which they came. */
  get list(): readonly KnownIdentity[] {
    return [...this.#all.values()].map((identity) => {
      const { certificate, name, withdrawn, token } = identity;
      return {
        fingerprint: certificate.fingerprint,
        ...(name !== undefined && { name }),
        subject: certificate.subject,
        validFrom: new Date(certificate.validFrom),
        validTo: new Date(certificate.validTo),
        withdrawn,
        hasToken: token !== undefined && this.#isValid(identity),
      };
    });
  }

  /** Takes up again what was kept. Certificates that have expired meanwhile end now. */
  restore(kept: readonly KeptIdentity[]): void {
    for (const { certificate: der, by, name, withdrawn, token, concerns, deprives } of kept) {
      const certificate = readCertificate(new Uint8Array(Buffer.from(der, "base64")));
      if (typeof certificate === "string") continue; // it was one when it was kept: OpenSSL has become stricter
      const identity = this.#add(certificate, by);
      Object.assign(identity, { name, withdrawn, token, countless: concerns, deprivesCountless: deprives });
      if (token !== undefined) this.#byToken.set(token, identity);
    }
    this.#endExpired();
  }

  /** Gives a certificate a name. Throws `ERR_CONFIG` for one that no token can be given for, or no name. */
  enrol(given: string | Uint8Array, name: string): string {
    const option = `the certificate of "${name}"`;
    if (isFingerprint(normaliseIdentity(name, "name"))) throw new ConfigError("name: a fingerprint is no name");
    const certificate = readAnyCertificate(given);
    if (certificate === "broken") throw new ConfigError(`${option}: not an X.509 certificate in PEM or DER`);
    if (certificate === "key") throw new ConfigError(`${option}: not an RSA key of 1,024 to 8,192 bits (P-E12)`);
    const identity = this.#all.get(certificate.fingerprint) ?? this.#add(certificate);
    const isNews = identity.name !== name || identity.withdrawn;
    Object.assign(identity, { name, withdrawn: false });
    if (isNews) {
      this.#keep(identity);
      this.#tell([identity]);
    }
    return certificate.fingerprint;
  }

  /** Ends an identity, or all of that name. Tells whether there was one. */
  withdraw(named: string): boolean {
    const called = normaliseIdentity(named, "identity");
    const isMeant = (identity: Identity): boolean => !identity.withdrawn && namesOf(identity).includes(called);
    const meant = [...this.#all.values()].filter(isMeant);
    for (const identity of meant) {
      identity.withdrawn = true;
      this.#voidToken(identity);
    }
    this.#end(meant);
    return meant.length > 0;
  }

  /**
   * The certificate that somebody wants a token for. Throws the `Refusal` that goes back: `bad-request` for what is
   * none, `not-acceptable` for a key or a time that will not do, `forbidden` for one that is not let in.
   *
   * @param by who shows it; left out: nobody whose certificates are counted
   */
  examine(der: Uint8Array, by?: BareJid): ClientCertificate {
    const certificate = readCertificate(der);
    if (certificate === "broken") throw new Refusal("bad-request", "Not an X.509 certificate in DER form.");
    if (certificate === "key") throw new Refusal("not-acceptable", "Only RSA keys of 1,024 to 8,192 bits are taken.");
    this.admit(certificate, by);
    return certificate;
  }

  /** Throws the `Refusal` that goes back if there is no token for a certificate now: see {@link examine}. */
  admit(certificate: ClientCertificate, by?: BareJid): void {
    const now = this.#options.clock.now();
    if (now > certificate.validTo) throw new Refusal("not-acceptable", "The certificate has expired.");
    if (now < certificate.validFrom) throw new Refusal("not-acceptable", "The certificate is not valid yet.");
    const known = this.#all.get(certificate.fingerprint);
    if (known?.withdrawn) throw new Refusal("forbidden", "The certificate was withdrawn.");
    if (known !== undefined) return;
    if (this.#options.unknown === "refuse") throw new Refusal("forbidden", "The certificate is not known here.");
    if (!this.#hasRoom(by)) throw new Refusal("resource-constraint", "Too many certificates.");
  }

  /** The token of a certificate that {@link admit} lets in and whose owner has proved to be its owner. */
  tokenFor(certificate: ClientCertificate, by?: BareJid): string {
    const identity = this.#all.get(certificate.fingerprint) ?? this.#add(certificate, by);
    // P-3.1.3-14: base64url has no white space.
    if (identity.token === undefined) {
      identity.token = randomToken(this.#options.random, 24);
      this.#byToken.set(identity.token, identity);
      this.#keep(identity);
    }
    this.proved(identity);
    return identity.token;
  }

  /** Who is behind a token of this server, if it still counts. */
  behind(token: string): Identity | undefined {
    const identity = this.#byToken.get(token);
    return identity !== undefined && this.#isValid(identity) ? identity : undefined;
  }

  /** A Thing is answered about somebody who uses a token of this identity, which was proved or was not. */
  answered(identity: Identity, thing: BareJid, proved: boolean): void {
    const isFirst = identity.concerned.size === 0 && !identity.countless;
    const isDepriving = !proved && identity.deprived.size === 0 && !identity.deprivesCountless;
    if (identity.concerned.size < MOST_CONCERNED) identity.concerned.add(thing);
    else if (!identity.concerned.has(thing)) identity.countless = true;
    if (!proved && identity.deprived.size < MOST_CONCERNED) identity.deprived.add(thing);
    if (isFirst || isDepriving) this.#keep(identity);
    if (isFirst) this.#watch();
  }

  /** Its owner has answered a challenge: Things that were answered without it are to ask again (P-3.5.1-1). */
  proved(identity: Identity): void {
    const deprived = new Set(identity.deprived);
    identity.deprived.clear();
    // So many that some may not have been noted.
    const all = deprived.size >= MOST_CONCERNED || identity.deprivesCountless;
    if (deprived.size === 0 && !all) return;
    identity.deprivesCountless = false;
    this.#keep(identity);
    this.#options.changed((thing) => all || deprived.has(thing));
  }

  /** Stops looking at the clock. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #isValid({ certificate, withdrawn }: Identity): boolean {
    const now = this.#options.clock.now();
    return !withdrawn && now >= certificate.validFrom && now <= certificate.validTo;
  }

  #add(certificate: ClientCertificate, by?: BareJid): Identity {
    const identity: Identity = {
      certificate,
      by,
      name: undefined,
      withdrawn: false,
      token: undefined,
      concerned: new Set(),
      deprived: new Set(),
      countless: false,
      deprivesCountless: false,
    };
    this.#all.set(certificate.fingerprint, identity);
    return identity;
  }

  /** Makes room by what has expired and has no name, if it must. */
  #hasRoom(by: BareJid | undefined): boolean {
    if (!this.#isFull(by)) return true;
    this.#endExpired();
    const now = this.#options.clock.now();
    for (const [fingerprint, identity] of this.#all) {
      if (identity.name !== undefined || now <= identity.certificate.validTo) continue;
      this.#voidToken(identity);
      this.#all.delete(fingerprint);
      this.#options.keep(fingerprint, undefined);
    }
    return !this.#isFull(by);
  }

  #isFull(by: BareJid | undefined): boolean {
    if (this.#all.size >= MOST_IDENTITIES) return true;
    let own = 0;
    for (const identity of this.#all.values()) if (identity.by === by && identity.name === undefined) own++;
    return by !== undefined && own >= MOST_OF_ONE;
  }

  #endExpired(): void {
    const now = this.#options.clock.now();
    this.#end([...this.#byToken.values()].filter(({ certificate }) => now > certificate.validTo));
  }

  /** It is void for good. That of one that has expired counts again if it was the clock that was wrong. */
  #voidToken(identity: Identity): void {
    if (identity.token !== undefined) this.#byToken.delete(identity.token);
    identity.token = undefined;
  }

  /** The rules that name them speak of nobody, and the Things concerned forget (P-3.1.3-5). */
  #end(identities: readonly Identity[]): void {
    this.#tell(identities);
    for (const identity of identities) {
      identity.concerned.clear();
      identity.deprived.clear();
      identity.countless = false;
      identity.deprivesCountless = false;
      this.#keep(identity);
    }
    this.#watch();
  }

  #keep({ certificate, by, name, withdrawn, token, ...concerning }: Identity): void {
    this.#options.keep(certificate.fingerprint, {
      certificate: base64Of(certificate.der),
      ...(by !== undefined && { by }),
      ...(name !== undefined && { name }),
      withdrawn,
      ...(token !== undefined && { token }),
      concerns: concerning.countless || concerning.concerned.size > 0,
      deprives: concerning.deprivesCountless || concerning.deprived.size > 0,
    });
  }

  #tell(identities: readonly Identity[]): void {
    const concerned = new Set(identities.flatMap((identity) => [...identity.concerned]));
    const all = identities.some(({ countless }) => countless);
    if (all || concerned.size > 0) this.#options.changed((thing) => all || concerned.has(thing));
  }

  /** Waits for the next certificate to end, if a Thing may remember something because of it. */
  #watch(): void {
    this.stop();
    const { clock } = this.#options;
    let wait = Infinity;
    for (const { concerned, countless, certificate } of this.#byToken.values()) {
      if (concerned.size > 0 || countless) wait = Math.min(wait, LOOK_AGAIN, certificate.validTo + 1 - clock.now());
    }
    if (wait < Infinity) this.#timer = clock.schedule(Math.max(0, wait), () => this.#endExpired());
  }
}

/** All that an identity may be called in rules. */
export function namesOf({ certificate, name }: Identity): readonly string[] {
  return name === undefined ? [certificate.fingerprint] : [certificate.fingerprint, name];
}
