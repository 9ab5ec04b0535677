// The code of the guides, run as it stands there, in a world that has what it speaks of: test/support/guides.
// docs.test.ts checks all of it by its types.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StateError } from "../src/core/errors.ts";
import { controlScenes } from "./support/guides/control.ts";
import type { Scene, Scenes } from "./support/guides/scenes.ts";
import { snippets } from "./support/guides/snippets.ts";
import { World } from "./support/guides/world.ts";

/** What cannot run here, by words of the block, and why. */
const exceptions = new Map([
  ["decryptOaepSha1", "needs a key that never leaves the hardware"],
  ["declare function ssdp", "finders of which own-finders.test.ts runs each"],
  ["owner.claim(", "claims what is on a sticker: owner-client.test.ts and the README's first Thing do so"],
  ["meter@example.org", "reads a Thing that there is not: sensor-reader.test.ts, acting.test.ts"],
  ["cellar@example.org", "reads a concentrator that there is not: concentrator.test.ts"],
  ["await thing.addNode", "changes a Thing that is not shown: nodes.test.ts"],
  ['waitFor("provisioned", { timeout: 600_000 })', "waits for an owner"],
  ["ServiceClient.connect", "a service with users: test/service and scenario/service.ts"],
  ["of discover())", "listens on a real network: test/network"],
  ["attachComponent(", "needs a server of others: attach-component.test.ts, scenario/services.test.ts"],
  ["attachAccount(", "needs a server of others: attach-account.test.ts"],
  ['from "vitest"', "names of vitest's only"],
  ["console.debug = console.error;", "one line for where a trace goes: trace-process.test.ts"],
  ["unverified: [", "a part of the options, not a program"],
  ["process.stdin.on", "waits for a button"],
  ["await thing.reset()", "is no Thing any more afterwards: factory-reset.test.ts"],
  ["sticker.svg", "writes files where it stands"],
  ["readFileSync(", "reads certificates, or is the README's first Thing, which examples.test.ts runs"],
  ["announce: {", "announces itself on a real interface"],
]);

const scenes: Scenes = [...controlScenes];

/** A snippet without a scene of its own: what it exports is called, and its Things come to their server. */
const plainly: Scene = async (world, load) => {
  const exported = Object.values(await load()).filter((part) => typeof part === "function");
  for (const part of exported) {
    const text = String(part);
    const given =
      text.includes("provisioning") || text.includes("sandbox")
        ? await world.sandbox("localhost")
        : await world.thing("thing", {});
    await (part as (given: unknown) => unknown)(given);
  }
  for (const thing of world.things) {
    await thing.start().catch((error: unknown) => {
      if (!(error instanceof StateError)) throw error; // it is running already
    });
    await thing.waitFor("registered", { timeout: 10_000 });
  }
};

const runnable = snippets
  .filter(({ language, text }) => language === "ts" && !/^\/\/ \S+\.ts\n/.test(text)) // files of a name: docs.test.ts, own-finders.test.ts
  .map((snippet) => ({ ...snippet, scenes: scenes.filter(([words]) => snippet.text.includes(words)) }));
const excepted = ({ text, scenes: own }: (typeof runnable)[number]): boolean =>
  own.length === 0 && [...exceptions.keys()].some((words) => text.includes(words));

describe("what the guides show, run", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  it("has a scene for one snippet each", () => {
    for (const [words] of scenes) expect(snippets.filter(({ text }) => text.includes(words)).length, words).toBe(1);
    for (const { name, scenes: own } of runnable) expect(own.length, name).toBeLessThan(2);
  });

  it.each(runnable.filter((one) => !excepted(one)))("$name", async ({ text, scenes: own }) => {
    const [[, scene] = ["", plainly]] = own;
    await scene(world, () => world.load({ text }));
    expect(world.complaints).toEqual([]);
  });
});
