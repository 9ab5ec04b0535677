import { expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import type { Standing } from "../../src/provisioning/standing.ts";
import { isAnsweredTo } from "../../src/thing/friend-review.ts";
import { nodeOwners } from "../provisioning/node-owners.ts";

const anna = bareJid("anna@example.org");
const bert = bareJid("bert@example.org");

test("X-E1: no server ends the friendship with who owns a node, until the last of their nodes is gone", () => {
  const standing = (...owners: readonly (typeof anna)[]): Standing => ({
    ...{ owner: undefined, registry: undefined, servers: [] },
    nodes: nodeOwners(owners.map((owner, index) => ({ node: { nodeId: `${index}` }, owner }))),
  });
  expect(isAnsweredTo(standing(anna, anna, bert), anna)).toBe(true);
  expect(isAnsweredTo(standing(anna, bert), anna)).toBe(true);
  expect(isAnsweredTo(standing(bert), anna)).toBe(false);
});
