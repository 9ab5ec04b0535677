// What somebody answers to a question of a Provisioning Server, made into a rule (XEP-0324 3.2 to 3.4, 3.6).
import { base64Of } from "../codec/base64.ts";
import type { Credential } from "../codec/credentials.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { CredentialConditions } from "../sandbox/credential-conditions.ts";
import type { PrivilegeList } from "../sandbox/people.ts";
import type { UndecidedQuestion } from "../sandbox/provisioning-server-options.ts";
import type { ReadLimits, Rule, Within } from "../sandbox/rules.ts";
import { domainOf, partText, partyOf, quoted, type Part } from "./ask-question.ts";
import { printable } from "./printable.ts";

/** What an answer comes to: a rule, or of a privilege what is put in front of a list. */
export type Decision = { readonly rule: Rule } | { readonly privileges: PrivilegeList };

/** What somebody has typed. */
export type Answer =
  | {
      readonly is: "decision";
      readonly decision: Decision;
      /** It in words. */
      readonly says: string;
    }
  | { readonly is: "skip" | "more" | "help" }
  | { readonly is: "wrong"; readonly why: string };

const verdicts = ["once", "always", "domain", "never", "skip", "more", "help"] as const;
type Verdict = (typeof verdicts)[number];

/** What an answer allows of what was asked. */
interface Scope {
  all: boolean;
  domain: boolean;
  readonly chosen: Part[];
}

/** An answer that means nothing: the message tells why. */
class WrongAnswer extends Error {}

/**
 * Understands an answer: `once`, `always`, `domain`, `never`, `skip`, `more`, `help`, or their first letters; behind the
 * first four `all`, or numbers of parts, or `field=NAME` and the like.
 *
 * @param shown the parts that can be chosen by number: those that were shown
 */
export function parseAnswer(text: string, question: UndecidedQuestion, shown: readonly Part[]): Answer {
  try {
    const [first = "", ...rest] = wordsOf(text);
    const verdict = verdictOf(first);
    if (verdict === "skip" || verdict === "more" || verdict === "help") {
      if (rest.length > 0) throw new WrongAnswer(`${verdict} goes with nothing`);
      return { is: verdict };
    }
    const scope = scopeOf(rest, verdict, question, shown);
    return { is: "decision", decision: decisionOf(verdict, scope, question), says: inWords(verdict, scope, question) };
  } catch (error) {
    if (error instanceof WrongAnswer) return { is: "wrong", why: error.message };
    throw error;
  }
}

/** Words are parted by blanks, save in double quotes: `field="Temperature, max"`. */
function wordsOf(text: string): readonly string[] {
  return (text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []).map((word) => word.replaceAll('"', ""));
}

function verdictOf(word: string): Verdict {
  const small = word.toLowerCase();
  const verdict = verdicts.find((one) => small === one || small === one.charAt(0));
  if (small === "?") return "help";
  if (verdict === undefined) throw new WrongAnswer(`${word === "" ? "an answer" : quoted(word)} is none of ${WORDS}`);
  return verdict;
}

const WORDS = "once, always, domain, never, skip";

function scopeOf(
  words: readonly string[],
  verdict: Verdict,
  question: UndecidedQuestion,
  shown: readonly Part[],
): Scope {
  const scope: Scope = { all: false, domain: verdict === "domain", chosen: [] };
  for (const word of words) {
    if (word.toLowerCase() === "all") scope.all = true;
    else if (word.toLowerCase() === "domain") scope.domain = true;
    else if (/^\d[\d,]*$/.test(word)) scope.chosen.push(...word.split(",").map((number) => numbered(number, shown)));
    else scope.chosen.push(named(word, question));
  }
  const { kind } = question;
  if (scope.domain && verdict === "once") throw new WrongAnswer("once is for one; domain goes with always or never");
  if (kind === "hasPrivilege" && (verdict === "once" || scope.domain || scope.all))
    throw new WrongAnswer(
      "a privilege is for one user, or for everybody, and lasts: always or never, or always 2 for one above",
    );
  if (scope.domain && domainOf(question) === undefined) throw new WrongAnswer("nobody knows the domain of that user");
  if (scope.chosen.length > 0 && scope.all) throw new WrongAnswer("all, or only some; not both");
  if (scope.chosen.length > 0 && verdict === "never" && kind !== "canAccess" && kind !== "hasPrivilege")
    throw new WrongAnswer("never refuses what was asked, or all; what to choose is what is allowed");
  if (kind === "isFriend" && (scope.all || scope.chosen.length > 0))
    throw new WrongAnswer("a friendship is one thing, and has no parts");
  if (kind === "canAccess" && verdict === "once")
    throw new WrongAnswer("whether a user may use a service is looked at again all the time: always or never");
  return scope;
}

function numbered(number: string, shown: readonly Part[]): Part {
  const part = shown[Number(number) - 1];
  if (part === undefined) throw new WrongAnswer(`there is no ${number} in the list`);
  return part;
}

/** `field=NAME`: where everything is asked for there is no number of it. */
function named(word: string, { kind, nodes, fields, types, parameters }: UndecidedQuestion): Part {
  const [, is, name = ""] = /^(node|field|kind|parameter)=(.+)$/s.exec(word) ?? [];
  const fits = kind === "canRead" ? ["node", "field", "kind"] : kind === "canControl" ? ["node", "parameter"] : [];
  if (is === undefined || !fits.includes(is)) {
    const forms = fits.map((one) => `${one}=NAME`);
    throw new WrongAnswer(`${quoted(word)} is none of ${["all", "domain", "a number", ...forms].join(", ")}`);
  }
  const check = (asked: readonly string[]): void => {
    if (asked.length > 0 && !asked.includes(name)) throw new WrongAnswer(`${is} ${quoted(name)} was not asked for`);
  };
  if (is === "node") {
    check(nodes.map(({ nodeId }) => nodeId));
    return { is, value: { nodeId: name } };
  }
  if (is === "kind") {
    const value = fieldTypes.find((type) => type === name);
    if (value === undefined)
      throw new WrongAnswer(`there is no kind ${quoted(name)}; there are ${fieldTypes.join(", ")}`);
    check(types);
    return { is, value };
  }
  check(is === "field" ? fields : parameters);
  return is === "field" ? { is, value: name } : { is: "parameter", value: name };
}

function decisionOf(verdict: Verdict, scope: Scope, question: UndecidedQuestion): Decision {
  if (question.kind === "hasPrivilege") return { privileges: privilegesOf(verdict, scope, question) };
  return { rule: ruleOf(verdict, scope, question) };
}

/** XEP-0324 3.7: of the user by name, before a login of everybody. */
function privilegesOf(verdict: Verdict, { chosen }: Scope, question: UndecidedQuestion): PrivilegeList {
  const { privilege = "", userName, identities } = question;
  const some = chosen.flatMap((part) => (part.is === "privilege" ? [part.value] : []));
  const ids = some.length > 0 ? some : [privilege];
  return {
    service: identities[0] ?? "",
    ...(userName !== undefined && { user: userName }),
    privileges: ids.map((id) => (verdict === "never" ? { exclude: id } : { include: id })),
  };
}

function ruleOf(verdict: Verdict, scope: Scope, question: UndecidedQuestion): Rule {
  const { thing, kind } = question;
  const allowed = verdict !== "never";
  const jid = scope.domain ? domainOf(question) : partyOf(question);
  const once = verdict === "once" && { once: true };
  if (kind === "isFriend") return { thing, ...(jid !== undefined && { jid }), ...once, friend: allowed };
  if (kind === "canAccess") return accessRule(allowed, scope, question);
  const limits = limitsOf(scope.chosen);
  const value = allowed && Object.keys(limits).length > 0 ? limits : allowed;
  const within = askedFor(question);
  return {
    thing,
    ...(jid !== undefined && { jid }),
    ...once,
    ...(!scope.all && Object.keys(within).length > 0 && { within }),
    ...(kind === "canRead" ? { read: value } : { control: value }),
  };
}

/** What was asked for: a rule for just that leaves everything beyond to be asked about. */
function askedFor({ nodes, fields, types, parameters }: UndecidedQuestion): Within {
  return {
    ...(nodes.length > 0 && { nodes }),
    ...(fields.length > 0 && { fields }),
    ...(types.length > 0 && { types }),
    ...(parameters.length > 0 && { parameters }),
  };
}

/** Only what was chosen; of what nothing was chosen, all. */
function limitsOf(chosen: readonly Part[]): ReadLimits {
  const nodes: NodeRef[] = [];
  const fields: string[] = [];
  const types: FieldType[] = [];
  const parameters: string[] = [];
  for (const part of chosen) {
    if (part.is === "node") nodes.push(part.value);
    if (part.is === "field") fields.push(part.value);
    if (part.is === "kind") types.push(part.value);
    if (part.is === "parameter") parameters.push(part.value);
  }
  return {
    ...(nodes.length > 0 && { nodes }),
    ...(fields.length > 0 && { fields }),
    ...(types.length > 0 && { types }),
    ...(parameters.length > 0 && { parameters }),
  };
}

/** Who is let in by what is known of him: by all that was told, or what was chosen of it. */
function accessRule(allowed: boolean, scope: Scope, question: UndecidedQuestion): Rule {
  const { thing, identities, credentials } = question;
  const chosen = scope.chosen.flatMap((part) => (part.is === "credential" ? [part.value] : []));
  const by = scope.all ? [] : chosen.length > 0 ? chosen : credentials;
  // Services at one address are kept apart.
  const [service] = identities.length === 1 ? identities : [];
  const rule = { thing, ...(service !== undefined && { service }), access: allowed };
  if (scope.domain) {
    const domain = domainOf(question);
    return { ...rule, ...(domain !== undefined && { jid: domain }) };
  }
  const jid = partyOf({ ...question, credentials: by });
  const conditions = conditionsOf(by);
  // Without them the rule would be for everybody who shares the rest.
  if (jid === undefined && by.some(({ type }) => type === "jid"))
    throw new WrongAnswer("that user has several addresses, and a rule is for one: choose by numbers, or say all");
  const isByNothing = jid === undefined && Object.keys(conditions).length === 0;
  if (isByNothing && !scope.all) throw new WrongAnswer("there is nothing to know that user by: say all, for everybody");
  return {
    ...rule,
    ...(jid !== undefined && { jid }),
    ...(Object.keys(conditions).length > 0 && { credentials: conditions }),
  };
}

/** Each kind of credential with all its values; a JID stands in the rule itself. */
function conditionsOf(credentials: readonly Credential[]): CredentialConditions {
  const kinds = new Map<string, (string | number)[]>();
  for (const { type, value } of credentials) {
    if (type === "jid") continue;
    const values = kinds.get(type) ?? [];
    values.push(value instanceof Uint8Array ? base64Of(value) : value);
    kinds.set(type, values);
  }
  return Object.fromEntries(kinds);
}

function inWords(verdict: Verdict, { all, domain, chosen }: Scope, question: UndecidedQuestion): string {
  const what = verdict === "never" ? "Refused" : "Allowed";
  const when = verdict === "once" ? "once" : "from now on";
  const { kind, userName } = question;
  if (kind === "hasPrivilege") {
    const ids = chosen.length > 0 ? `, ${chosen.map(partText).join(", ")}` : "";
    return `${what} ${when}, to ${userName === undefined ? "everybody in that service" : quoted(userName)}${ids}.`;
  }
  const whom = domain ? `, to everybody at ${printable(domainOf(question) ?? "")}` : "";
  const how = chosen.length > 0 ? `, only ${chosen.map(partText).join(", ")}` : all ? ", whatever is asked for" : "";
  return `${what} ${when}${whom}${how}.`;
}
