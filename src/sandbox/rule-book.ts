// The rules in force, who they speak for, and who hears of what they leave open.
import { messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { UndecidedQuestion } from "./provisioning-server-options.ts";
import { isAbout, ruleFor, withRule, type Acting, type Matter, type Right, type Rule } from "./rules.ts";
import { normaliseRule, normaliseRules } from "./rules-check.ts";

/** What a {@link RuleBook} is made of. */
export interface RuleBookOptions {
  /** Where a listener's mistakes are told. */
  readonly logger: Logger;
  /** The rules are others now; those of these rules that came, went or moved are what is new. */
  readonly changed: (rules: readonly Rule[], news: readonly Rule[] | "all") => void;
}

/** Is told of questions that no rule decides. */
export type UndecidedListener = (question: UndecidedQuestion) => void;

/** The rules that a server answers by. */
export class RuleBook {
  readonly #options: RuleBookOptions;
  readonly #listeners = new Set<UndecidedListener>();
  #rules: readonly Rule[] = [];

  constructor(options: RuleBookOptions) {
    this.#options = options;
  }

  /** The rules in force, the one that decides first in front. */
  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** Begins with rules that were in force before, or that nobody has been answered by yet. Throws `ERR_CONFIG`. */
  begin(rules: readonly Rule[]): void {
    this.#rules = normaliseRules(rules);
  }

  /** Puts rules in the place of all others. Throws `ERR_CONFIG`; then nothing changes. */
  replace(rules: readonly Rule[]): void {
    this.#put(normaliseRules(rules), "all");
  }

  /** Puts a rule in front of the others. Throws `ERR_CONFIG`; then nothing changes. */
  add(rule: Rule): void {
    const normal = normaliseRule(rule, "rule");
    this.#put(withRule(this.#rules, normal), [normal]);
  }

  /** The rules that decide a question, for each who may be acting; `undefined` where there is none. */
  rulesFor(right: Right, acting: readonly Acting[], matter: Omit<Matter, "acting">): readonly (Rule | undefined)[] {
    // Each once: sixteen tokens of three kinds make thousands of combinations, and few rules.
    return [...new Set(acting.map((who) => ruleFor(this.#rules, right, { ...matter, acting: who })))];
  }

  /** A rule has allowed something. Tells whether it is gone with that. */
  used(rule: Rule | undefined): boolean {
    if (rule?.once !== true || !this.#rules.includes(rule)) return false;
    this.#rules = this.#rules.filter((other) => other !== rule);
    this.#options.changed(this.#rules, []);
    return true;
  }

  /** Tells whoever listens that a question was left open. */
  leftOpen(question: UndecidedQuestion): void {
    for (const listener of this.#listeners) {
      try {
        listener(question);
      } catch (error) {
        this.#options.logger.error("a listener to undecided questions failed", { why: messageOf(error) });
      }
    }
  }

  /** Listens to questions that are left open. Returns how to take it back. */
  onUndecided(listener: UndecidedListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #put(rules: readonly Rule[], news: readonly Rule[] | "all"): void {
    this.#rules = rules;
    this.#options.changed(rules, news);
  }
}

/** Tells whether one of the rules is about a Thing and mentions one of the rights. */
export function areAbout(rules: readonly Rule[] | "all", thing: BareJid, rights: readonly Right[]): boolean {
  if (rules === "all") return true;
  return rules.some((rule) => isAbout(rule, thing) && rights.some((right) => rule[right] !== undefined));
}
