// What an operator has written as rules, looked at before it counts.
import { ConfigError } from "../core/errors.ts";
import { configJid } from "../core/jid.ts";
import { checkKnown, checkTexts } from "../core/options.ts";
import { fieldTypes } from "../codec/field-types.ts";
import { checkNodes } from "../codec/node-ref.ts";
import { normaliseConditions } from "./credential-conditions.ts";
import { normaliseIdentity } from "./identity-name.ts";
import { actors, rights, type ControlLimits, type ReadLimits, type Rule, type Within } from "./rules.ts";

const parties = ["thing", "jid", ...actors, "userName"] as const;
const parts = [...parties, "within", "credentials", "once", ...rights] as const;

/**
 * The same rules with their JIDs, fingerprints and credentials normalised. Throws `ERR_CONFIG` naming the JID that is
 * none, the identity without a name, or what is no part of a rule: one that fits nobody is a slip, and must not become
 * one that fits everybody.
 */
export function normaliseRules(rules: readonly Rule[]): readonly Rule[] {
  if (!Array.isArray(rules)) throw new ConfigError('rules: must be a list, [{ jid: "anna@localhost", read: true }]');
  return (rules as readonly Rule[]).map((rule, index) => normaliseRule(rule, `rules[${index}]`));
}

/** The same of one rule, which stands at that place. */
export function normaliseRule(rule: Rule, path: string): Rule {
  checkRule(rule, path);
  const normal: Record<string, unknown> = { ...rule };
  for (const part of ["thing", "jid"] as const) {
    const jid = rule[part];
    if (jid !== undefined) normal[part] = configJid(jid, `${path}.${part}`).bare;
  }
  for (const actor of actors) {
    const identity = rule[actor];
    if (identity !== undefined) normal[actor] = normaliseIdentity(identity, `${path}.${actor}`);
  }
  if (rule.credentials !== undefined) {
    normal["credentials"] = normaliseConditions(rule.credentials, `${path}.credentials`);
  }
  return normal;
}

function checkRule(rule: Rule, path: string): void {
  checkKnown(rule, parts, path);
  for (const party of parties) {
    if (party in rule && (typeof rule[party] !== "string" || rule[party] === "")) {
      throw new ConfigError(`${path}.${party}: must be a text; left out, the rule is for all`);
    }
  }
  for (const flag of ["friend", "access", "once"] as const) {
    if (rule[flag] !== undefined && typeof rule[flag] !== "boolean")
      throw new ConfigError(`${path}.${flag}: must be true or false`);
  }
  const { read, control } = rule;
  if (read !== undefined) checkLimits(read, ["nodes", "fields", "types"], `${path}.read`);
  if (control !== undefined) checkLimits(control, ["nodes", "parameters"], `${path}.control`);
  checkConditions(rule, path);
}

/** What would make a rule speak of more, or of less, than whoever wrote it thinks. */
function checkConditions(rule: Rule, path: string): void {
  const { friend, read, control, access } = rule;
  if (rule.userName !== undefined && rule.service === undefined) {
    throw new ConfigError(`${path}.userName: goes with service; what a service says of its users counts for it alone`);
  }
  // A condition without a value would be none at all.
  for (const condition of ["within", "credentials"] as const) {
    if (condition in rule && rule[condition] === undefined)
      throw new ConfigError(`${path}.${condition}: must be an object; left out, the rule is for all`);
  }
  if (rule.within !== undefined) {
    if (read === undefined && control === undefined) throw new ConfigError(`${path}.within: goes with read or control`);
    if (friend !== undefined || access !== undefined)
      throw new ConfigError(`${path}.within: goes with read and control only`);
    checkWithin(rule.within, `${path}.within`);
  }
  if (rule.credentials !== undefined && (access === undefined || [friend, read, control].some((x) => x !== undefined)))
    throw new ConfigError(`${path}.credentials: goes with access, and with nothing else`);
  if (access !== undefined && (rule.device !== undefined || rule.user !== undefined || rule.userName !== undefined))
    throw new ConfigError(`${path}.access: what lets a user in are credentials, not device, user or userName`);
  if (access !== undefined && rule.once === true)
    throw new ConfigError(`${path}.once: does not go with access, which is looked at again each time`);
}

function checkWithin(within: Within, path: string): void {
  checkLimits(within, ["nodes", "fields", "types", "parameters"], path);
  for (const [part, list] of Object.entries(within)) {
    if (!Array.isArray(list)) throw new ConfigError(`${path}.${part}: must be a list; left out, there is no condition`);
  }
}

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
