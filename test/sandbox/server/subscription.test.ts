import { expect, test } from "vitest";
import {
  inbound,
  noSubscription,
  outbound,
  subscriptionAttribute,
  type SubscriptionState,
} from "../../../src/sandbox/server/subscription.ts";
import { inboundTables, outboundTables, stateNames, type StateName } from "./subscription-tables.ts";

const states: Record<StateName, SubscriptionState> = {
  None: noSubscription,
  "None + Pending Out": { ...noSubscription, pendingOut: true },
  "None + Pending In": { ...noSubscription, pendingIn: true },
  "None + Pending Out+In": { ...noSubscription, pendingOut: true, pendingIn: true },
  To: { ...noSubscription, to: true },
  "To + Pending In": { ...noSubscription, to: true, pendingIn: true },
  From: { ...noSubscription, from: true },
  "From + Pending Out": { ...noSubscription, from: true, pendingOut: true },
  Both: { ...noSubscription, to: true, from: true },
};

for (const [direction, step, tables] of [
  ["outbound", outbound, outboundTables],
  ["inbound", inbound, inboundTables],
] as const) {
  for (const { type, rows } of tables) {
    test.each(rows)(`${direction} "${type}" in state $state (RFC 6121 appendix A)`, ({ state, pass, next }) => {
      expect(step(states[state], type)).toEqual({ pass, next: states[next] });
    });
  }
}

test("the tables hold every pair of state and stanza", () => {
  for (const { rows } of [...outboundTables, ...inboundTables])
    expect(rows.map(({ state }) => state)).toEqual(stateNames);
  expect([outboundTables.length, inboundTables.length]).toEqual([4, 4]);
});

test("the roster shows what has been agreed, never what is pending", () => {
  expect(stateNames.map((name) => subscriptionAttribute(states[name]))).toEqual([
    "none",
    "none",
    "none",
    "none",
    "to",
    "to",
    "from",
    "from",
    "both",
  ]);
});
