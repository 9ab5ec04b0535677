import { describe, expect, it } from "vitest";
import { Refusal, type RefusalCondition } from "../../src/core/refusal.ts";

describe("Refusal", () => {
  it.each([["nope"], ["__proto__"], [""]])("of condition %j, which there is not, is refused", (condition) => {
    expect(() => new Refusal(condition as RefusalCondition, "words")).toThrow(
      `Refusal: there is no condition "${condition}"; there are bad-request, conflict, `,
    );
  });

  // RFC 6120 section 8.3.3: the type that goes with each condition.
  it.each<[RefusalCondition, string]>([
    ["bad-request", "modify"],
    ["conflict", "wait"], // XEP-0325 5.1 has wait where RFC 6120 has cancel
    ["feature-not-implemented", "cancel"],
    ["forbidden", "cancel"], // XEP-0323 3.3 has cancel where RFC 6120 has auth (P-E3)
    ["internal-server-error", "cancel"],
    ["item-not-found", "cancel"],
    ["not-acceptable", "modify"],
    ["not-allowed", "cancel"],
    ["resource-constraint", "wait"],
    ["service-unavailable", "cancel"],
  ])("of condition %s has type %s", (condition, type) => {
    const refusal = new Refusal(condition);
    expect(refusal.type).toBe(type);
    expect(refusal.condition).toBe(condition);
    expect(refusal.text).toBe("");
    expect(refusal.message).toBe(condition);
    expect(refusal.name).toBe("Refusal");
  });

  it("carries words for the asker", () => {
    const refusal = new Refusal("resource-constraint", "Warming up.");
    expect(refusal.text).toBe("Warming up.");
    expect(refusal.message).toBe("resource-constraint: Warming up.");
    expect(refusal.parameters).toEqual([]);
  });
});
