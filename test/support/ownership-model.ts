// Whose a Thing is, said once more: from XEP-0347 3.6 to 3.17 and the settled readings D-E8 to D-E20, without a look at the
// implementation. Sequential and small; what happens at the same time is tried in every order.

/** What the Registry has of a Thing or node. */
export type Held =
  | { readonly is: "nothing" }
  /** Registered and unclaimed: whoever presents exactly this text may claim it (3.9). Empty: nobody can (3.17). */
  | { readonly is: "open"; readonly text: string }
  /** Claimed. `text`: what it was claimed with, which its owner may repeat (3.9). */
  | { readonly is: "owned"; readonly owner: string; readonly public: boolean; readonly text: string }
  /** Removed by its owner; the Thing has still to hear of it (3.10). */
  | { readonly is: "removed"; readonly owner: string; readonly public: boolean }
  /** Its own owner: public at once (3.7). */
  | { readonly is: "self" };

/** What the Thing or node knows of itself. */
export type Known =
  /** `gaveUp`: it has forgotten an owner, and the Registry has not heard that it did (D-E17). */
  | { readonly is: "free"; readonly gaveUp?: boolean }
  | { readonly is: "owned"; readonly owner: string; readonly public: boolean; readonly listed: boolean }
  | { readonly is: "self" };

/** A Thing or node, and its record. */
export interface Whose {
  /** What the Registry has. */
  readonly held: Held;
  /** What the Thing knows. */
  readonly known: Known;
  /** It was reset, or taken out, and the Registry has still to forget it (3.16). */
  readonly leaving: boolean;
  /** Whether the concentrator has it at the moment. */
  readonly isThere: boolean;
}

/** What somebody does to a Thing or node. Strangers do the same things as owners: the model tells who may. */
export type Deed =
  | { readonly do: "claim"; readonly who: string; readonly text: string; readonly public: boolean }
  | { readonly do: "remove" | "disown" | "update"; readonly who: string }
  | { readonly do: "reset" }
  | { readonly do: "takeOut" }
  | { readonly do: "putIn" };

/** What the doer hears: `done`, the condition of a refusal, or `nothing` (the answer, or the deed, got lost). */
export type Answer = string;

/** A deed and what was heard of it until now. */
export interface Done {
  readonly deed: Deed;
  readonly answer: Answer;
}

/** How things stand around a Thing while deeds are done. */
export interface Around {
  /** Whether the Thing can have been online at some moment. */
  readonly wasOnline: boolean;
  /** Whether it was all the time, with nothing lost and nobody killed: then every deed that may be done is done. */
  readonly isCalm: boolean;
  /** The claim texts that it can have shown to the Registry meanwhile. */
  readonly texts: readonly string[];
  readonly selfOwned: boolean;
}

/** Before the first start. */
export const unborn: Whose = { held: { is: "nothing" }, known: { is: "free" }, leaving: false, isThere: true };

/** What may have become of it after a deed, with the answers that go with it. */
export function after(whose: Whose, deed: Deed, around: Around): readonly { whose: Whose; answer: Answer }[] {
  const { held } = whose;
  const refused = [{ whose, answer: "item-not-found" }];
  switch (deed.do) {
    case "claim": {
      const { who, text, public: isPublic } = deed;
      // 3.9: the same claimer again hears the same again, and nothing changes.
      if (held.is === "owned" && held.owner === who && held.text === text) return [{ whose, answer: "done" }];
      if (held.is !== "open" || held.text !== text || text === "") return refused;
      return [{ whose: { ...whose, held: { is: "owned", owner: who, public: isPublic, text } }, answer: "done" }];
    }
    case "update":
      return held.is === "owned" && held.owner === deed.who ? [{ whose, answer: "done" }] : refused;
    case "remove": {
      if (held.is !== "owned" || held.owner !== deed.who) return refused;
      const { owner, public: isPublic } = held;
      return [{ whose: { ...whose, held: { is: "removed", owner, public: isPublic } }, answer: "done" }];
    }
    case "disown": {
      // Removed while the Thing was being asked: it is given up all the same.
      const wasRemoved = held.is === "removed" && held.owner === deed.who && around.wasOnline;
      if (!wasRemoved && (held.is !== "owned" || held.owner !== deed.who)) return refused;
      const free: Whose = { ...whose, held: { is: "open", text: "" }, known: { is: "free" } };
      // 3.17: only a Thing that hears of it. A refusal may have come before a late acknowledgement (D-E17).
      if (wasRemoved) return [...refused, { whose: free, answer: "done" }];
      // One that is just being reset may have gone from the Registry before.
      if (around.isCalm && !whose.leaving) return [{ whose: free, answer: "done" }];
      const stays = { whose, answer: "not-allowed" };
      const unheard = { whose: { ...whose, known: { is: "free", gaveUp: true } } as Whose, answer: "not-allowed" };
      const freed = ["done", "not-allowed"].map((answer) => ({ whose: free, answer }));
      return around.wasOnline ? [...freed, unheard, stays] : [stays];
    }
    case "reset":
      if (!whose.isThere) return [{ whose, answer: "done" }];
      return [{ whose: { ...whose, known: { is: "free" }, leaving: true }, answer: "done" }];
    case "takeOut":
      return [{ whose: { ...whose, known: { is: "free" }, leaving: true, isThere: false }, answer: "done" }];
    case "putIn":
      return [{ whose: { ...whose, isThere: true }, answer: "done" }];
  }
}

/** What becomes of it by itself while the Thing is online: it hears what it missed, and registers (3.6, 3.10, D-E14). */
export function settled(whose: Whose, around: Around): readonly Whose[] {
  const { texts, selfOwned } = around;
  // 3.16: the Registry forgets it, and whoever owned it.
  if (whose.leaving) {
    return settled({ ...whose, leaving: false, held: { is: "nothing" }, known: { is: "free" } }, around);
  }
  if (!whose.isThere) return [whose];
  if (selfOwned) return [{ ...whose, held: { is: "self" }, known: { is: "self" } }];
  const { held, known } = whose;
  if (held.is === "owned" || held.is === "removed") {
    const { owner, public: isPublic } = held;
    const listed = held.is === "owned";
    // 3.10: the owner has removed what had given up its owner already: it registers, and nobody owns it.
    const isFree = held.is === "removed" && known.is === "free" && known.gaveUp === true;
    const open = isFree ? settled({ ...whose, held: { is: "nothing" }, known: { is: "free" } }, around) : [];
    return [
      ...open,
      { ...whose, held: listed ? held : { is: "nothing" }, known: { is: "owned", owner, public: isPublic, listed } },
    ];
  }
  // 3.13: whoever is not known there any more was removed; the owner stays (D-E19).
  if (known.is === "owned") return [{ ...whose, known: { ...known, listed: false } }];
  return texts.map((text) => ({ ...whose, held: { is: "open", text }, known: { is: "free" } }));
}

/**
 * Whatever may be so after deeds that were done at the same time, in every order, each with the answer that was heard; the
 * Thing may hear what it missed at any moment between.
 */
export function possible(
  before: readonly Whose[],
  deeds: readonly Done[],
  around: Around,
  isOnline: boolean,
): readonly Whose[] {
  const found = new Map<string, Whose>();
  const go = (whose: Whose, left: readonly Done[]): void => {
    const gone: Whose = { ...whose, held: { is: "nothing" } };
    const halfway = whose.leaving ? [gone, { ...gone, leaving: false }] : [];
    const moments = around.wasOnline ? [whose, ...halfway, ...settled(whose, around)] : [whose];
    for (const moment of unique(moments)) {
      if (left.length === 0) {
        for (const end of isOnline ? settled(moment, around) : [moment]) found.set(JSON.stringify(end), end);
        continue;
      }
      for (const [index, { deed, answer }] of left.entries()) {
        const rest = left.filter((_, other) => other !== index);
        // Its own device does things in order.
        if (isOwn(deed) && left.slice(0, index).some((one) => isOwn(one.deed))) continue;
        for (const outcome of after(moment, deed, around)) {
          if (answer === outcome.answer || isLost(answer)) go(outcome.whose, rest);
        }
        if (isLost(answer)) go(moment, rest);
      }
    }
  };
  // Who asks again while the Thing is still waited for is answered with the first (3.17).
  const once = unique(deeds.filter(({ deed }) => deed.do === "disown"));
  const joined = [...deeds.filter(({ deed }) => deed.do !== "disown"), ...once];
  for (const whose of before) {
    go(whose, deeds);
    if (joined.length < deeds.length) go(whose, joined);
  }
  return [...found.values()];
}

const isOwn = (deed: Deed): boolean => deed.do === "reset" || deed.do === "takeOut" || deed.do === "putIn";

/** No answer of a Registry: what came of it nobody knows. */
const isLost = (answer: Answer): boolean =>
  answer !== "done" && answer !== "item-not-found" && answer !== "not-allowed";

function unique<T>(all: readonly T[]): readonly T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

/** Whom it obeys: its owner as far as it knows, and nobody else. */
export function obeys({ known }: Whose): string | undefined {
  return known.is === "owned" ? known.owner : undefined;
}

/** Whether a stranger's search finds it (3.15): claimed, public and not removed; or its own owner. */
export function isFound({ held }: Whose): boolean {
  return held.is === "self" || (held.is === "owned" && held.public);
}

/** As a line for people. */
export function inWords({ held, known, leaving, isThere }: Whose): string {
  const record = held.is === "owned" ? `${held.owner}'s${held.public ? "" : ", private"}` : held.is;
  const self =
    known.is === "owned"
      ? `${known.owner}'s${known.public ? "" : ", private"}${known.listed ? "" : ", removed"}`
      : known.is;
  return `Registry: ${record}; Thing: ${self}${leaving ? ", leaving" : ""}${isThere ? "" : ", taken out"}`;
}
