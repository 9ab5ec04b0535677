// The code of the guides, run as it stands there, in a world that has what it speaks of: test/support/guides.
// docs.test.ts checks all of it by its types.
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { controlScenes } from "./support/guides/control.ts";
import { deskScenes } from "./support/guides/desk.ts";
import { readingScenes } from "./support/guides/reading.ts";
import type { Scene, Scenes } from "./support/guides/scenes.ts";
import { snippets } from "./support/guides/snippets.ts";
import { thingScenes } from "./support/guides/things.ts";
import { World, removeModules } from "./support/guides/world.ts";

const scenes: Scenes = [...controlScenes, ...thingScenes, ...readingScenes, ...deskScenes];

const nobody: Scene = () => Promise.reject(new Error("it has no scene: give it one in test/support/guides"));

const runnable = snippets
  .filter(({ language, text }) => language === "ts" && !/^\/\/ \S+\.ts\n/.test(text)) // files of a name: docs.test.ts, own-finders.test.ts
  .map((snippet) => ({ ...snippet, scenes: scenes.filter(([words]) => snippet.text.includes(words)) }));

describe("what the guides show, run", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());
  afterAll(removeModules);

  it("has a scene for one snippet each", () => {
    for (const [words] of scenes) expect(runnable.filter(({ text }) => text.includes(words)).length, words).toBe(1);
    for (const { name, scenes: own } of runnable) expect(own.length, name).toBe(1);
  });

  for (const { name, text, scenes: own } of runnable) {
    const [[, scene, unless] = ["", nobody]] = own;
    it.skipIf(unless !== undefined)(
      name,
      async () => {
        await scene(world, () => world.load({ text }), text);
        expect(world.complaints).toEqual([]);
      },
      60_000,
    );
  }
});
