// XEP-0324 Internet of Things - Provisioning 0.5.1: who may do what, and what is left of a question (3.2 to 3.4, 5.5).
import { ConfigError } from "../core/errors.ts";
import { configJid, tryParseJid, type BareJid } from "../core/jid.ts";
import { checkKnown, checkTexts } from "../core/options.ts";
import type { CanControl, CanControlResponse } from "../codec/can-control.ts";
import { fieldTypes, type FieldType, type FieldTypeSet } from "../codec/field-types.ts";
import { checkNodes, type NodeRef } from "../codec/node-ref.ts";
import type { CanRead, CanReadResponse } from "../codec/provisioning.ts";
import { normaliseIdentity } from "./identity-name.ts";

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

/**
 * One rule. It speaks for the Things and parties it names, or for all where it names none, and about the rights it
 * mentions. **The first rule that fits and mentions the right decides; if none does, the answer is no.**
 */
export interface Rule {
  /** Which Thing: a bare JID, or a domain for all its Things. Left out: every Thing. A resource is ignored. */
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
  /** May they be friends? Left out: the rule says nothing of it. */
  readonly friend?: boolean;
  /** May it be read, and what of it? Left out: the rule says nothing of it. */
  readonly read?: boolean | ReadLimits;
  /** May it be controlled, and what of it? Left out: the rule says nothing of it. */
  readonly control?: boolean | ControlLimits;
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
}

/** The kinds of identity that a rule can name. */
export const actors = ["service", "device", "user"] as const;

/**
 * The same rules with their JIDs and fingerprints normalised. Throws `ERR_CONFIG` naming the JID that is none, the
 * identity without a name, or what is no part of a rule: one that fits nobody is a slip, and must not become one that fits
 * everybody.
 */
export function normaliseRules(rules: readonly Rule[]): readonly Rule[] {
  if (!Array.isArray(rules)) throw new ConfigError('rules: must be a list, [{ jid: "anna@localhost", read: true }]');
  return (rules as readonly Rule[]).map((rule, index) => {
    checkRule(rule, `rules[${index}]`);
    const normal: Record<string, unknown> = { ...rule };
    for (const part of ["thing", "jid"] as const) {
      const jid = rule[part];
      if (jid !== undefined) normal[part] = configJid(jid, `rules[${index}].${part}`).bare;
    }
    for (const actor of actors) {
      const identity = rule[actor];
      if (identity !== undefined) normal[actor] = normaliseIdentity(identity, `rules[${index}].${actor}`);
    }
    return normal;
  });
}

function checkRule(rule: Rule, path: string): void {
  checkKnown(rule, [...parties, "friend", "read", "control"], path);
  for (const party of parties) {
    if (party in rule && typeof rule[party] !== "string") {
      throw new ConfigError(`${path}.${party}: must be a text; left out, the rule is for all`);
    }
  }
  const { friend, read, control } = rule;
  if (friend !== undefined && typeof friend !== "boolean")
    throw new ConfigError(`${path}.friend: must be true or false`);
  if (read !== undefined) checkLimits(read, ["nodes", "fields", "types"], `${path}.read`);
  if (control !== undefined) checkLimits(control, ["nodes", "parameters"], `${path}.control`);
}

const parties = ["thing", "jid", ...actors] as const;

function checkLimits(given: boolean | ReadLimits | ControlLimits, known: readonly string[], path: string): void {
  if (typeof given === "boolean") return;
  if (typeof given !== "object")
    throw new ConfigError(`${path}: must be true, false, or an object with ${known.join(", ")}`);
  checkKnown(given, known, path);
  const limits: ReadLimits & ControlLimits = given;
  if (limits.nodes !== undefined) checkNodes(limits.nodes, `${path}.nodes`);
  for (const part of ["fields", "types", "parameters"] as const) {
    if (limits[part] !== undefined) checkTexts(limits[part], `${path}.${part}`);
  }
  const unknown = limits.types?.find((type) => !fieldTypes.includes(type));
  if (unknown === undefined) return;
  throw new ConfigError(`${path}.types: there is no "${unknown as string}"; there are ${fieldTypes.join(", ")}`);
}

/** A new rule in front of the others, in the place of those that said no more than it for the same parties. */
export function withRule(rules: readonly Rule[], rule: Rule): readonly Rule[] {
  const isReplaced = (other: Rule): boolean =>
    other.thing === rule.thing &&
    other.jid === rule.jid &&
    actors.every((actor) => other[actor] === rule[actor]) &&
    (other.friend === undefined || rule.friend !== undefined) &&
    (other.read === undefined || rule.read !== undefined) &&
    (other.control === undefined || rule.control !== undefined);
  return [rule, ...rules.filter((other) => !isReplaced(other))];
}

/**
 * May the two be friends? Rules as {@link normaliseRules} gives them. `isFriend` carries no tokens (XEP-0324 3.2.1):
 * rules that name an identity do not speak of it.
 */
export function decideFriend(rules: readonly Rule[], thing: BareJid, jid: BareJid): boolean {
  return rules.find((rule) => rule.friend !== undefined && speaksFor(rule, thing, jid, {}))?.friend ?? false;
}

/** What may be read of the Thing by somebody, before it is narrowed to what was asked. */
export function decideRead(
  rules: readonly Rule[],
  thing: BareJid,
  jid: BareJid,
  acting: Acting = {},
): boolean | ReadLimits {
  return rules.find((rule) => rule.read !== undefined && speaksFor(rule, thing, jid, acting))?.read ?? false;
}

/** What may be controlled of the Thing by somebody, before it is narrowed to what was asked. */
export function decideControl(
  rules: readonly Rule[],
  thing: BareJid,
  jid: BareJid,
  acting: Acting = {},
): boolean | ControlLimits {
  return rules.find((rule) => rule.control !== undefined && speaksFor(rule, thing, jid, acting))?.control ?? false;
}

/** Tells whether a rule is about a Thing, whoever else it names. */
export function isAbout(rule: Rule, thing: BareJid): boolean {
  return names(rule.thing, thing);
}

function speaksFor(rule: Rule, thing: BareJid, jid: BareJid, acting: Acting): boolean {
  const isActing = (actor: (typeof actors)[number]): boolean => {
    const named = rule[actor];
    return named === undefined || (acting[actor]?.includes(named) ?? false);
  };
  return isAbout(rule, thing) && names(rule.jid, jid) && actors.every(isActing);
}

function names(pattern: string | undefined, jid: BareJid): boolean {
  return pattern === undefined || pattern === jid || pattern === tryParseJid(jid)?.domain;
}

/**
 * What is left of a question: what was asked and is allowed. Lists stand in the answer only where something is
 * limited; an answer that leaves nothing is `result='false'` (P-3.3.2-3, P-3.3.3-3).
 */
export function narrow(question: CanRead, allowed: boolean | ReadLimits): CanReadResponse {
  // Listing 14: a no repeats the types of the question.
  const no: CanReadResponse = { jid: question.jid, result: false, types: question.types, nodes: [], fields: [] };
  if (allowed === false) return no;
  const limits = allowed === true ? {} : allowed;
  const nodes = meet(question.nodes, limits.nodes?.map(plain), meetNodes);
  const fields = meet(question.fields, limits.fields, meetSame);
  const types = meetTypes(question.types, limits.types);
  if (nodes === "nothing" || fields === "nothing" || types === "nothing") return no;
  return { jid: question.jid, result: true, types, nodes, fields };
}

/** The same of a question about control (P-3.4.2-1, P-3.4.2-3, P-3.4.3-1, P-3.4.3-3). */
export function narrowControl(question: CanControl, allowed: boolean | ControlLimits): CanControlResponse {
  const no: CanControlResponse = { jid: question.jid, result: false, nodes: [], parameters: [] };
  if (allowed === false) return no;
  const limits = allowed === true ? {} : allowed;
  const nodes = meet(question.nodes, limits.nodes?.map(plain), meetNodes);
  const parameters = meet(question.parameters, limits.parameters, meetSame);
  if (nodes === "nothing" || parameters === "nothing") return no;
  return { jid: question.jid, result: true, nodes, parameters };
}

/** Of a list asked for (empty: everything) and one allowed (absent: everything), what is in both. */
function meet<T>(
  asked: readonly T[],
  allowed: readonly T[] | undefined,
  both: (a: T, b: T) => T | undefined,
): readonly T[] | "nothing" {
  if (allowed === undefined) return []; // no list in a yes: all that was asked (P-3.3.2-2, P-3.3.3-2, P-3.4.3-2)
  const left = asked.length === 0 ? allowed : asked.flatMap((a) => allowed.flatMap((b) => both(a, b) ?? []));
  return left.length === 0 ? "nothing" : unique(left);
}

function meetSame(a: string, b: string): string | undefined {
  return a === b ? a : undefined;
}

/** The nodes that two references both mean. One that leaves out source or cache type means all that fit (P-5.5-3). */
function meetNodes(a: NodeRef, b: NodeRef): NodeRef | undefined {
  const clash = (x: string | undefined, y: string | undefined): boolean =>
    x !== undefined && y !== undefined && x !== y;
  if (a.nodeId !== b.nodeId || clash(a.sourceId, b.sourceId) || clash(a.cacheType, b.cacheType)) return undefined;
  return plain({ ...a, ...b });
}

/** A reference without empty attributes (X-E6), its parts always in the same order. */
function plain({ nodeId, sourceId, cacheType }: NodeRef): NodeRef {
  return { nodeId, ...(sourceId && { sourceId }), ...(cacheType && { cacheType }) };
}

/** The types granted (P-E18): with a limit those in both, without one those asked for. */
function meetTypes(asked: FieldTypeSet, allowed: readonly FieldType[] | undefined): FieldTypeSet | "nothing" {
  if (allowed === undefined) return asked;
  const left = asked.size === 0 ? allowed : allowed.filter((type) => asked.has(type));
  return left.length === 0 ? "nothing" : new Set(left);
}

function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
