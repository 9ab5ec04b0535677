import { describe, expect, test } from "vitest";
import { initialState, ownerOf, registryOf, satisfies, trustedServers } from "../../src/thing/state.ts";
import { links, names, owner, ownerships, registry, server, stateOf, trusts } from "./life.ts";

describe("a state", () => {
  test("before the start is that of a Thing nobody knows", () => {
    expect(initialState).toEqual({
      link: { is: "stopped" },
      ownership: { is: "unregistered" },
      trust: { is: "none" },
      examining: [],
      parting: [],
    });
  });

  test("tells whom the Thing answers to", () => {
    const claimed = stateOf("stopped", "claimed", "found");
    expect([ownerOf(claimed), registryOf(claimed), trustedServers(claimed)]).toEqual([owner, registry, [server]]);
    const registered = stateOf("stopped", "registered", "none");
    expect([ownerOf(registered), registryOf(registered), trustedServers(registered)]).toEqual([
      undefined,
      registry,
      [],
    ]);
    expect([ownerOf(initialState), registryOf(initialState), trustedServers(initialState)]).toEqual([
      undefined,
      undefined,
      [],
    ]);
  });

  test("satisfies a step of the ladder and all below it (settled reading of waitFor)", () => {
    for (const link of names(links)) {
      for (const ownership of names(ownerships)) {
        for (const trust of names(trusts)) {
          const state = stateOf(link, ownership, trust);
          const claimed = /^(claimed|selfOwned)/.test(ownership); // D-3.7-2: it has an owner, itself
          expect(satisfies(state, "online")).toBe(link === "online");
          expect(satisfies(state, "registered")).toBe(ownership !== "unregistered");
          expect(satisfies(state, "claimed")).toBe(claimed);
          expect(satisfies(state, "provisioned")).toBe(claimed && trust !== "none");
          expect(satisfies(state, ({ trust: { is } }) => is === "none")).toBe(trust === "none");
        }
      }
    }
  });
});
