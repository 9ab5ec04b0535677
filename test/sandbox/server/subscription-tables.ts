// RFC 6121 appendix A.2 and A.3, spelled out: for each stanza what becomes of it in each of the nine states.
import type { SubscriptionType } from "../../../src/sandbox/server/subscription.ts";

export const stateNames = [
  "None",
  "None + Pending Out",
  "None + Pending In",
  "None + Pending Out+In",
  "To",
  "To + Pending In",
  "From",
  "From + Pending Out",
  "Both",
] as const;
export type StateName = (typeof stateNames)[number];

export interface Table {
  readonly type: SubscriptionType;
  readonly rows: readonly { readonly state: StateName; readonly pass: boolean; readonly next: StateName }[];
}

/** One line a state, in the order above: `yes` or `no` (routed, delivered), then the new state or `-`. */
function table(type: SubscriptionType, lines: string): Table {
  const rows = lines
    .trim()
    .split("\n")
    .map((line, index) => {
      const [, pass, next] = /^\s*(yes|no)\s+(.*?)\s*$/.exec(line)!;
      const state = stateNames[index]!;
      return { state, pass: pass === "yes", next: next === "-" ? state : (next as StateName) };
    });
  return { type, rows };
}

export const outboundTables: readonly Table[] = [
  table(
    "subscribe",
    `
    yes None + Pending Out
    yes -
    yes None + Pending Out+In
    yes -
    yes -
    yes -
    yes From + Pending Out
    yes -
    yes -`,
  ),
  table(
    "unsubscribe",
    `
    yes -
    yes None
    yes -
    yes None + Pending In
    yes None
    yes None + Pending In
    yes -
    yes From
    yes From`,
  ),
  table(
    "subscribed",
    `
    no -
    no -
    yes From
    yes From + Pending Out
    no -
    yes Both
    no -
    no -
    no -`,
  ),
  table(
    "unsubscribed",
    `
    no -
    no -
    yes None
    yes None + Pending Out
    no -
    yes To
    yes None
    yes None + Pending Out
    yes To`,
  ),
];

export const inboundTables: readonly Table[] = [
  table(
    "subscribe",
    `
    yes None + Pending In
    yes None + Pending Out+In
    no -
    no -
    yes To + Pending In
    no -
    no -
    no -
    no -`,
  ),
  table(
    "unsubscribe",
    `
    no -
    no -
    yes None
    yes None + Pending Out
    no -
    yes To
    yes None
    yes None + Pending Out
    yes To`,
  ),
  table(
    "subscribed",
    `
    no -
    yes To
    no -
    yes To + Pending In
    no -
    no -
    no -
    yes Both
    no -`,
  ),
  table(
    "unsubscribed",
    `
    no -
    yes None
    no -
    yes None + Pending In
    yes None
    yes None + Pending In
    no -
    yes From
    yes From`,
  ),
];
