// What the guides show besides TypeScript: commands, run as they stand there against a sandbox, and files of others.
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { commandsOf } from "./support/guides/commands.ts";
import { fileScenes } from "./support/guides/files.ts";
import { root, snippets } from "./support/guides/snippets.ts";
import { blockScenes, programsOf } from "./support/guides/terminal.ts";
import { otherBlocks, otherPrograms } from "./support/guides/unrun.ts";
import { World, removeModules } from "./support/guides/world.ts";

const scenes = [...blockScenes, ...fileScenes];
const blocks = snippets
  .filter(({ language }) => language !== "ts" && language !== "mermaid") // mermaid: a drawing
  .map((block) => ({ ...block, scenes: scenes.filter(([words]) => block.text.includes(words)) }));

describe("what the guides tell to type", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());
  afterAll(removeModules);

  for (const block of blocks) {
    for (const [, scene, unless] of block.scenes) {
      it.skipIf(unless !== undefined)(
        block.name,
        async () => {
          await scene(world, block);
          expect(world.complaints).toEqual([]);
        },
        60_000,
      );
    }
  }
});

describe("what is not run", () => {
  it("is a program of others, or a file, with a reason; and no command of this project", () => {
    const programs = new Set<string>();
    const others = new Set<string>();
    for (const block of blocks) {
      if (block.language !== "sh") {
        const [words] = [...otherBlocks.keys()].filter((words) => block.text.includes(words));
        if (block.scenes.length === 0) expect(words, `${block.name} is neither run nor listed`).toBeDefined();
        if (words !== undefined) others.add(words);
        continue;
      }
      const its = programsOf(block);
      // Run as a whole, by a shell.
      for (const program of block.text.startsWith("openssl ") ? [] : its) {
        expect([...otherPrograms.keys()], block.name).toContain(program);
        programs.add(program);
      }
      const ours = block.scenes.length === 0 && commandsOf(block).some(({ args }) => args !== undefined);
      expect(ours, `${block.name} has a command that nobody runs`).toBe(false);
    }
    expect([...others].sort()).toEqual([...otherBlocks.keys()].sort());
    expect([...programs].sort()).toEqual([...otherPrograms.keys()].sort());
  });

  it("examples.test.ts runs every example that is started in a guide", () => {
    const test = readFileSync(`${root}test/examples.test.ts`, "utf8");
    const names = blocks.flatMap(({ text }) => [...text.matchAll(/npm run -s example (\S+)/g)].map(([, name]) => name));
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect(test).toContain(`"scripts/example.mjs", "${name}"`);
  });

  it("has a scene for one block each", () => {
    for (const [words] of scenes) expect(blocks.filter(({ text }) => text.includes(words)).length, words).toBe(1);
  });
});
