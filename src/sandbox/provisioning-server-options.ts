// What a reference Provisioning Server is told, and what it tells of the questions it was asked.
import type { Clock } from "../core/clock.ts";
import type { BareJid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { Credential } from "../codec/credentials.ts";
import type { FieldType } from "../codec/field-types.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { ChallengePadding } from "./identity-certificate.ts";
import type { ChallengePolicy } from "./provisioning-server-challenges.ts";
import type { PrivilegeList, User } from "./people.ts";
import type { ProvisioningKeeper } from "./provisioning-server-kept.ts";
import type { Rule } from "./rules.ts";
import type { AggregateOptions } from "./seen-names.ts";

/** What a reference Provisioning Server is made of. */
export interface ProvisioningServerOptions {
  /** Its address: `provisioning.localhost` as a component, `provisioning@localhost` as an account (XEP-0324 5.1). */
  readonly jid: string;
  /** Randomness for the ids of its requests. Default: the operating system's. */
  readonly random?: RandomSource | undefined;
  /** Time, for repeating `clearCache`. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Where it tells what it does. Silent by default. */
  readonly logger?: Logger | undefined;
  /** How long it waits for the acknowledgement of `clearCache` before it repeats it, in milliseconds. Default 10,000. */
  readonly retry?: number | undefined;
  /** The rules it begins with. Default none: everything is refused. */
  readonly rules?: readonly Rule[] | undefined;
  /** The users it begins with: the names that they log in to services by, and their roles. Default none. */
  readonly users?: readonly User[] | undefined;
  /** The privileges it begins with, of users and roles in services (XEP-0324 3.7). Default none: nobody may anything. */
  readonly privileges?: readonly PrivilegeList[] | undefined;
  /**
   * Whether new names of services, users and privileges are noted for the operator (XEP-0324 5.4): see `seenNames`.
   * Default: they are ignored.
   */
  readonly aggregate?: AggregateOptions | undefined;
  /**
   * How many users in services it knows at the most, at least 1. Default 10,000. A service has all the room that others leave; one user
   * too many ends the one of the largest service who was there longest ago, and that service is told by `clearCache`.
   */
  readonly mostUsers?: number | undefined;
  /** Whether Things may trust further servers (XEP-0324 3.1.4). Default false. */
  readonly secondaryTrustAllowed?: boolean | undefined;
  /** How it pads what it encrypts for the holder of a certificate (P-E12). Default `oaep`. */
  readonly padding?: ChallengePadding | undefined;
  /**
   * When it challenges the use of a token in a question (XEP-0324 3.1.3): `always`, `never`, or `{ again }`: not again
   * for so many milliseconds for the same sender, caller and token. Default `always`.
   */
  readonly challenge?: ChallengePolicy | undefined;
  /**
   * How long it waits for the answer to a challenge, in milliseconds, before it answers the question as if that token
   * had not been there. Default 5,000: less than a Thing waits for the answer.
   */
  readonly challengeTimeout?: number | undefined;
  /**
   * Whether certificates that nobody enrolled get tokens (XEP-0324 5.4); of these it keeps 10,000 at most, 100 of one account. Rules name
   * them by their fingerprint. Default `accept`.
   */
  readonly unknownCertificates?: "accept" | "refuse" | undefined;
}

/** What a reference Provisioning Server is made of that outlives its process. */
export interface KeptProvisioningServerOptions extends ProvisioningServerOptions {
  /** Where it keeps what it decides by. */
  readonly keeper: ProvisioningKeeper;
}

/** The questions it answers. */
export type QuestionKind = "isFriend" | "canRead" | "canControl" | "canAccess" | "hasPrivilege" | "downloadPrivileges";

/** A question that a Thing or a service asked. */
export interface AskedQuestion {
  /** The Thing, or the service. */
  readonly thing: BareJid;
  /** What it asked. */
  readonly kind: QuestionKind;
  /** Of whom; of a user whom a service knows otherwise, the service itself. */
  readonly jid: BareJid;
  /** The answer: false for a no. */
  readonly result: boolean;
  /** Who was behind its tokens, by name or else fingerprint; absent if no token of this server was proved. */
  readonly identities?: readonly string[];
}

/**
 * A question that no rule decides, and that was answered by no. A rule that lets it through: `{ thing, jid, … }`, with
 * `within` for just this much. One about a privilege is decided by a list of privileges.
 */
export interface UndecidedQuestion {
  /** The Thing that asked, or the service. */
  readonly thing: BareJid;
  /** What it asked: may the two be friends, may it be read, controlled, may a user be let into a service, do something there. */
  readonly kind: "isFriend" | "canRead" | "canControl" | "canAccess" | "hasPrivilege";
  /** Who wants something of it; of a user whom a service knows otherwise, the service itself. */
  readonly jid: BareJid;
  /**
   * Who was behind the tokens, by name or else fingerprint; empty if no token of this server was proved. Of `hasPrivilege` the
   * service that the user is in.
   */
  readonly identities: readonly string[];
  /** The nodes asked for; none: the Thing itself, or all of them. */
  readonly nodes: readonly NodeRef[];
  /** The fields asked for, of `canRead`; none: all. */
  readonly fields: readonly string[];
  /** The kinds of field asked for, of `canRead`; none: all. */
  readonly types: readonly FieldType[];
  /** The parameters asked for, of `canControl`; none: all. */
  readonly parameters: readonly string[];
  /** What a service knows of its user, of `canAccess` and `hasPrivilege`. A single-sign-on token is a secret, and left out. */
  readonly credentials: readonly Credential[];
  /** The full Privilege ID, of `hasPrivilege`. */
  readonly privilege?: string;
  /** The name that the user has logged in by, of `hasPrivilege`. Left out before a login: then what everybody may counts. */
  readonly userName?: string;
}
