// XEP-0324 Internet of Things - Provisioning 0.5.1: who may do what (3.2 to 3.4, 3.6, 5.5).
import { tryParseJid, type BareJid } from "../core/jid.ts";
import type { Credential } from "../codec/credentials.ts";
import type { FieldType } from "../codec/field-types.ts";
import { refersTo, type NodeRef } from "../codec/node-ref.ts";
import { doCredentialsFit, type CredentialConditions } from "./credential-conditions.ts";

/** What may be read. A list that is absent is no limit; an empty list leaves nothing. */
export interface ReadLimits {
  /** The nodes. What a reference leaves out may be anything (P-5.5-3). */
  readonly nodes?: readonly NodeRef[];
  /** The names of the fields. */
  readonly fields?: readonly string[];
  /** The kinds of field. */
  readonly types?: readonly FieldType[];
}

/** What may be controlled. A list that is absent is no limit; an empty list leaves nothing. */
export interface ControlLimits {
  /** The nodes. What a reference leaves out may be anything (P-5.5-3). */
  readonly nodes?: readonly NodeRef[];
  /** The names of the parameters. */
  readonly parameters?: readonly string[];
}

/** What a question must ask for, and nothing beyond, so that a rule speaks of it. A list that is absent is no condition. */
export interface Within extends ReadLimits, ControlLimits {}

/**
 * One rule. It speaks for the Things and parties it names, or for all where it names none, and about the rights it
 * mentions. **The first rule that fits and mentions the right decides; if none does, the answer is no.**
 */
export interface Rule {
  /** Which Thing, or which service where users are let in: a bare JID, or a domain for all in it. Left out: every one. A resource is ignored. */
  readonly thing?: string;
  /** Who wants something of it: a bare JID, or a domain for all its accounts. Left out: everybody. */
  readonly jid?: string;
  /**
   * The identity behind a service token of the question (XEP-0324 3.1.3): the name its certificate was enrolled under,
   * or the certificate's SHA-256 fingerprint in hexadecimal. Left out: any, or none.
   */
  readonly service?: string;
  /** The identity behind a device token of the question, named in the same way. Left out: any, or none. */
  readonly device?: string;
  /** The identity behind a user token of the question, named in the same way. Left out: any, or none. */
  readonly user?: string;
  /**
   * The name that the user has logged in by (XEP-0324 3.6.2), at the `service` of the same rule: what a service says of
   * its users counts for nobody else. Left out: any, or none.
   */
  readonly userName?: string;
  /** It speaks only of questions for these nodes, fields and parameters, and nothing beyond. Left out: of all. */
  readonly within?: Within;
  /** It speaks only of users with these credentials (XEP-0324 3.6.2); goes with `access`. Left out: of all. */
  readonly credentials?: CredentialConditions;
  /**
   * It goes when it has allowed something, and `clearCache` follows that answer after `retry` (10 s), or before the Thing's
   * next question: what was asked for can be done until then. Default false: it stays.
   */
  readonly once?: boolean;
  /** May they be friends? Left out: the rule says nothing of it. */
  readonly friend?: boolean;
  /** May it be read, and what of it? Left out: the rule says nothing of it. */
  readonly read?: boolean | ReadLimits;
  /** May it be controlled, and what of it? Left out: the rule says nothing of it. */
  readonly control?: boolean | ControlLimits;
  /** May a user be let into a service (XEP-0324 3.6.2)? Left out: the rule says nothing of it. */
  readonly access?: boolean;
}

/**
 * Who acts, as far as tokens have proved it: for each kind of token what the identity behind it may be called, its
 * fingerprint among it. One identity of a kind: where a question carries several tokens, each is looked at by itself.
 */
export interface Acting {
  /** The service. */
  readonly service?: readonly string[];
  /** The device. */
  readonly device?: readonly string[];
  /** The user. */
  readonly user?: readonly string[];
  /** The name that a user of that service has logged in by. */
  readonly userName?: string;
}

/** The kinds of identity that a rule can name. */
export const actors = ["service", "device", "user"] as const;

/** The rights that a rule can mention. */
export const rights = ["friend", "read", "control", "access"] as const;

/** A right that a rule can mention. */
export type Right = (typeof rights)[number];

/** What a rule is looked for. */
export interface Matter {
  /** Who asks. */
  readonly thing: BareJid;
  /** About whom; left out where users are known by their credentials only. */
  readonly jid?: BareJid;
  /** Who acts. */
  readonly acting?: Acting;
  /** What is asked for; what is left out or empty is everything. */
  readonly asked?: Asked;
  /** What a service knows of its user. */
  readonly credentials?: readonly Credential[];
}

/** What is asked for; what is left out or empty is everything. */
interface Asked {
  readonly nodes?: readonly NodeRef[];
  readonly fields?: readonly string[];
  readonly types?: ReadonlySet<FieldType>;
  readonly parameters?: readonly string[];
}

/** A new rule in front of the others, in the place of those that said no more than it for the same parties. */
export function withRule(rules: readonly Rule[], rule: Rule): readonly Rule[] {
  const isReplaced = (other: Rule): boolean =>
    other.thing === rule.thing &&
    other.jid === rule.jid &&
    other.userName === rule.userName &&
    rule.once !== true &&
    actors.every((actor) => other[actor] === rule[actor]) &&
    isAlike(other.within, rule.within) &&
    isAlike(other.credentials, rule.credentials) &&
    rights.every((right) => other[right] === undefined || rule[right] !== undefined);
  return [rule, ...rules.filter((other) => !isReplaced(other))];
}

function isAlike(one: object | undefined, other: object | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The rule that decides, of those that `normaliseRules` gives; `undefined` if nobody has decided that. */
export function ruleFor(rules: readonly Rule[], right: Right, matter: Matter): Rule | undefined {
  return rules.find((rule) => rule[right] !== undefined && speaksOf(rule, right, matter));
}

/** May the two be friends? `isFriend` carries no tokens (XEP-0324 3.2.1): rules that name an identity do not speak of it. */
export function decideFriend(rules: readonly Rule[], thing: BareJid, jid: BareJid): boolean {
  return ruleFor(rules, "friend", { thing, jid })?.friend ?? false;
}

/** What may be read of the Thing by somebody, before it is narrowed to what was asked. */
export function decideRead(
  rules: readonly Rule[],
  thing: BareJid,
  jid: BareJid,
  acting: Acting = {},
): boolean | ReadLimits {
  return ruleFor(rules, "read", { thing, jid, acting })?.read ?? false;
}

/** What may be controlled of the Thing by somebody, before it is narrowed to what was asked. */
export function decideControl(
  rules: readonly Rule[],
  thing: BareJid,
  jid: BareJid,
  acting: Acting = {},
): boolean | ControlLimits {
  return ruleFor(rules, "control", { thing, jid, acting })?.control ?? false;
}

/** Tells whether a rule is about a Thing, whoever else it names. */
export function isAbout(rule: Rule, thing: BareJid): boolean {
  return isNamed(rule.thing, thing);
}

function speaksOf(rule: Rule, right: Right, matter: Matter): boolean {
  const { thing, jid, acting = {}, asked = {}, credentials = [] } = matter;
  const isActing = (actor: (typeof actors)[number]): boolean => {
    const named = rule[actor];
    return named === undefined || (acting[actor]?.includes(named) ?? false);
  };
  return (
    isAbout(rule, thing) &&
    actors.every(isActing) &&
    (rule.userName === undefined || rule.userName === acting.userName) &&
    (right === "access"
      ? doCredentialsFit(rule.jid, rule.credentials, credentials, rule.access !== true)
      : jid !== undefined && isNamed(rule.jid, jid)) &&
    isWithin(rule.within, asked)
  );
}

function isNamed(pattern: string | undefined, jid: BareJid): boolean {
  return pattern === undefined || pattern === jid || pattern === tryParseJid(jid)?.domain;
}

/** Who asks for everything asks for more than any list holds. */
function isWithin({ nodes, fields, types, parameters }: Within = {}, asked: Asked): boolean {
  return (
    areAll(asked.nodes, nodes, (one, all) => all.some((each) => refersTo(each, one))) &&
    areAll(asked.fields, fields, isIn) &&
    areAll([...(asked.types ?? [])], types, isIn) &&
    areAll(asked.parameters, parameters, isIn)
  );
}

function areAll<T>(
  asked: readonly T[] = [],
  list: readonly T[] | undefined,
  is: (one: T, list: readonly T[]) => boolean,
): boolean {
  return list === undefined || (asked.length > 0 && asked.every((one) => is(one, list)));
}

function isIn<T>(one: T, list: readonly T[]): boolean {
  return list.includes(one);
}
