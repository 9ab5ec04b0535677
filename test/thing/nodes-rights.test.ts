// What is remembered of the rights of somebody who has disowned a node (XEP-0347 3.17).
import { afterEach, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { meter, stage, type Stage } from "./nodes-site.ts";

let on: Stage | undefined;
afterEach(async () => {
  await on?.stop();
  on = undefined;
});

const anna = bareJid("anna@localhost");

test("D-3.17-7: whoever disowns one of several nodes has nothing remembered of them, and stays a friend", async () => {
  on = await stage();
  on.site.provisioning.setRules([{ jid: anna, friend: true, read: true }]);
  const thing = await on.start([meter("a"), meter("b")], { provisioning: [on.site.provisioning.jid] });
  const owner = await on.claim("anna", "a");
  await on.claim("anna", "b");
  expect(await on.reads("anna", { nodeId: "a" })).toEqual(["a"]);
  const remembered = () => thing.rights.entries().filter(({ question }) => question.kind === "read");
  expect(remembered()).toHaveLength(1);
  await owner.disown({ jid: bareJid(thing.jid), node: { nodeId: "a" } });
  await on.becomes("a", "registered");
  expect(remembered()).toEqual([]);
  expect(thing.state.parting).toEqual([]);
});
