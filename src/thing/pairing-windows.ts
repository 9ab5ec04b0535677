// Windows and rests of the LED and the button (XEP-0324 3.1.1, 3.1.4, 6.1), as a pure function. Times are monotonic, in
// milliseconds.
import type { BareJid } from "../core/jid.ts";

/** How a window ended. */
export type PairingOutcome =
  /** The button was pressed: they are friends, and the Thing asks whether it is a provisioning server. */
  | "accepted"
  /** Nobody pressed the button in time: the request is refused. */
  | "refused"
  /** Whoever asked for friendship has taken it back. */
  | "withdrawn"
  /** The stream has ended. Nobody was refused: the server sends the request again. */
  | "disconnected"
  /** The Thing has an owner or a provisioning server now, who decides about the request; or it was reset. */
  | "overtaken"
  /** The button was pressed, but the disk did not take it: a fault says why. The request stays pending. */
  | "failed";

/** Somebody who waits for a window. */
export interface Waiting {
  readonly jid: BareJid;
  /** From when on it may have one: when it came, or when its rest ends. */
  readonly since: number;
}

/** What is remembered of somebody whose window ended without a press. */
export interface Rest {
  /** When its last window ended. */
  readonly ended: number;
  /** How long it rests from then on. */
  readonly length: number;
}

/** The LED, and those who wait for it. */
export interface Windows {
  /** The one window. */
  readonly open?: { readonly jid: BareJid; readonly opened: number; readonly deadline: number };
  /** Until when the LED stays dark after a window, so that everybody sees that the next one is another's. */
  readonly darkUntil?: number;
  /** For whom the button was pressed, until that is on disk. No other window opens meanwhile. */
  readonly accepting?: BareJid;
  /** In the order in which they came. */
  readonly waiting: readonly Waiting[];
  readonly rests: ReadonlyMap<BareJid, Rest>;
}

/** What can happen. */
export type WindowsEvent =
  /** Somebody asks for friendship, and the button is to decide. */
  | { readonly type: "asked"; readonly jid: BareJid }
  /** The button was pressed. */
  | { readonly type: "pressed" }
  /** Somebody is to be decided about no more. */
  | { readonly type: "left"; readonly jid: BareJid; readonly outcome: "withdrawn" | "overtaken" }
  /** What the press was for is on disk; or what came in between. */
  | { readonly type: "kept"; readonly outcome: Exclude<PairingOutcome, "refused"> }
  /** Time has passed. */
  | { readonly type: "tick" }
  /** The stream has ended. */
  | { readonly type: "disconnected" }
  /** Back to factory settings: all rests are forgotten. */
  | { readonly type: "reset" };

/** What came of it, in order. */
export type Happening =
  | { readonly is: "opened"; readonly jid: BareJid; readonly deadline: number }
  | { readonly is: "pressed"; readonly jid: BareJid }
  | { readonly is: "ended"; readonly jid: BareJid; readonly outcome: PairingOutcome }
  /** No room for it: the XMPP server has its request, and sends it again at the next login. */
  | { readonly is: "displaced"; readonly jid: BareJid };

/** Before anybody has asked. */
export const noWindows: Windows = { waiting: [], rests: new Map() };

// A press in the first second was meant for something else, or the finger was on the button already.
const DEAF = 1_000;
// Without it a press that comes a moment too late for one would accept the next, who has waited for just that.
const DARK = 3_000;
const FIRST_REST = 60_000;
const LONGEST_REST = 3_600_000;
const MOST_WAITING = 100;
const MOST_RESTS = 256;

/** What comes of an event at a moment. `length` is how long a window is open. */
export function windowsAfter(
  before: Windows,
  event: WindowsEvent,
  at: number,
  length: number,
): { readonly windows: Windows; readonly happened: readonly Happening[] } {
  const happened: Happening[] = [];
  let now = before;
  // Whatever else happens: who has run out of time has run out of time.
  if (now.open !== undefined && at >= now.open.deadline) now = end(now, now.open.jid, "refused", at, happened);
  now = after(now, event, at, happened);
  const isFree = now.open === undefined && now.accepting === undefined && at >= (now.darkUntil ?? at);
  const next = isFree ? nextOf(now, at) : undefined;
  if (next !== undefined) {
    const { jid } = next;
    const deadline = at + length;
    now = { ...now, open: { jid, opened: at, deadline }, waiting: without(now.waiting, jid) };
    happened.push({ is: "opened", jid, deadline });
  }
  return { windows: now, happened };
}

/** When there is something to do next if nothing happens; `undefined` if never. */
export function nextMoment({ open, darkUntil = 0, accepting, waiting }: Windows): number | undefined {
  if (open !== undefined) return open.deadline;
  if (accepting !== undefined || waiting.length === 0) return undefined;
  return Math.max(darkUntil, Math.min(...waiting.map(({ since }) => since)));
}

function after(now: Windows, event: WindowsEvent, at: number, happened: Happening[]): Windows {
  const { open, accepting } = now;
  switch (event.type) {
    case "asked":
      return asked(now, event.jid, at, happened);
    case "pressed": {
      if (open === undefined || at - open.opened < DEAF) return now;
      happened.push({ is: "pressed", jid: open.jid });
      return { ...closed(now), accepting: open.jid };
    }
    case "left":
      if (open?.jid === event.jid) return end(now, event.jid, event.outcome, at, happened);
      return { ...now, waiting: without(now.waiting, event.jid) };
    case "kept":
      return accepting === undefined ? now : end(now, accepting, event.outcome, at, happened);
    case "tick":
      return now;
    case "disconnected": {
      const ended = open === undefined ? now : end(now, open.jid, "disconnected", at, happened);
      return { ...ended, waiting: [] };
    }
    case "reset": {
      const ended = open === undefined ? now : end(now, open.jid, "overtaken", at, happened);
      const waiting = ended.waiting.map(({ jid }) => ({ jid, since: at }));
      return { ...ended, waiting, rests: new Map() };
    }
  }
}

/** One who asks again changes nothing: neither its window nor its place. */
function asked(now: Windows, jid: BareJid, at: number, happened: Happening[]): Windows {
  if (now.open?.jid === jid || now.accepting === jid || now.waiting.some((one) => one.jid === jid)) return now;
  const since = Math.max(at, restOf(now, jid));
  const comer: Waiting = { jid, since };
  if (now.waiting.length < MOST_WAITING) return { ...now, waiting: [...now.waiting, comer] };
  const displaced = whoGoes(now, comer);
  happened.push({ is: "displaced", jid: displaced });
  return displaced === jid ? now : { ...now, waiting: [...without(now.waiting, displaced), comer] };
}

/**
 * Whose turn it is: of those who need not rest, whoever's domain has had its last window longest ago, and of these who
 * has waited longest. So a stranger with a thousand accounts of one domain takes every second window at most, and among
 * the accounts of one domain who never had a window comes before those that rest.
 */
function nextOf(now: Windows, at: number): Waiting | undefined {
  const last = new Map<string, number>();
  for (const [jid, { ended }] of now.rests) {
    last.set(domainOf(jid), Math.max(ended, last.get(domainOf(jid)) ?? -Infinity));
  }
  const lastOf = ({ jid }: Waiting): number => last.get(domainOf(jid)) ?? -Infinity;
  let first: Waiting | undefined;
  for (const one of now.waiting) {
    if (one.since > at) continue;
    if (first === undefined || lastOf(one) < lastOf(first)) first = one;
    else if (lastOf(one) === lastOf(first) && one.since < first.since) first = one;
  }
  return first;
}

/**
 * Who goes when there is no room. One who never had a window takes the place of the one who rests longest; else one of a
 * domain with fewer waiting takes the place of the last of the domain with most; else it goes itself.
 */
function whoGoes(now: Windows, comer: Waiting): BareJid {
  const resting = now.waiting.filter(({ jid }) => now.rests.has(jid));
  if (resting.length > 0 && !now.rests.has(comer.jid)) {
    return resting.reduce((last, one) => (one.since > last.since ? one : last)).jid;
  }
  const byDomain = new Map<string, Waiting[]>();
  for (const one of now.waiting) byDomain.set(domainOf(one.jid), [...(byDomain.get(domainOf(one.jid)) ?? []), one]);
  const [largest = []] = [...byDomain.values()].sort((a, b) => b.length - a.length);
  const own = byDomain.get(domainOf(comer.jid))?.length ?? 0;
  return own + 1 < largest.length ? (largest.at(-1) ?? comer).jid : comer.jid;
}

/** The window ends. Who could have been accepted and was not rests, twice as long each time. */
function end(now: Windows, jid: BareJid, outcome: PairingOutcome, at: number, happened: Happening[]): Windows {
  happened.push({ is: "ended", jid, outcome });
  const rests = new Map(now.rests);
  const before = rests.get(jid);
  rests.delete(jid);
  if (outcome === "refused" || outcome === "withdrawn") {
    const length = before === undefined ? FIRST_REST : Math.min(LONGEST_REST, before.length * 2);
    rests.set(jid, { ended: at, length });
  } else if (outcome === "disconnected" || outcome === "failed") {
    // Nobody had the time to press, or somebody did.
    rests.set(jid, { ended: at, length: before?.length ?? FIRST_REST });
  } else if (outcome === "overtaken" && before !== undefined) {
    rests.set(jid, before);
  }
  if (rests.size > MOST_RESTS) rests.delete(soonest(rests));
  return { ...closed(now), rests, darkUntil: at + DARK };
}

/** Whose rest is over first: the least is lost with it. */
function soonest(rests: ReadonlyMap<BareJid, Rest>): BareJid {
  const over = ({ ended, length }: Rest): number => ended + length;
  return [...rests].reduce((first, one) => (over(one[1]) < over(first[1]) ? one : first))[0];
}

function restOf({ rests }: Windows, jid: BareJid): number {
  const rest = rests.get(jid);
  return rest === undefined ? 0 : rest.ended + rest.length;
}

function closed({ waiting, rests, darkUntil }: Windows): Windows {
  return { waiting, rests, ...(darkUntil !== undefined && { darkUntil }) };
}

const without = (waiting: readonly Waiting[], jid: BareJid): readonly Waiting[] =>
  waiting.filter((one) => one.jid !== jid);

// Below these, as in `co.uk`, a domain that somebody has to buy has a label more.
const registries: ReadonlySet<string> = new Set(["ac", "co", "com", "edu", "gov", "net", "org"]);

/** The party behind an address, as far as it can be told: accounts of one domain cost nothing, nor do subdomains. */
function domainOf(jid: BareJid): string {
  const labels = jid.slice(jid.indexOf("@") + 1).split(".");
  return labels.slice(registries.has(labels.at(-2) ?? "") ? -3 : -2).join(".");
}
