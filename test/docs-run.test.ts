// The code of the guides, run as it stands there against a sandbox: with its server and its authority in the place of
// example.org, and in memory. What cannot run is listed, with the reason. docs.test.ts checks all of it by its types.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { StateError } from "../src/core/errors.ts";
import { startSandbox, type Sandbox } from "../src/sandbox/sandbox.ts";
import { memoryStorage } from "../src/storage/memory-storage.ts";
import type { ThingOptions } from "../src/thing/options.ts";
import { Thing } from "../src/thing/thing.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** What cannot run here, by words of the block, and why. */
const exceptions = new Map([
  ["decryptOaepSha1", "needs a key that never leaves the hardware"],
  ["declare function ssdp", "finders of which own-finders.test.ts runs each"],
  ["owner.claim(", "claims what is on a sticker: owner-client.test.ts and the README's first Thing do so"],
  ["meter@example.org", "reads a Thing that there is not: sensor-reader.test.ts, acting.test.ts"],
  ["lamp@example.org", "sets a Thing that there is not: controller.test.ts"],
  ["dimmer@example.org", "sets a Thing that there is not: controller.test.ts; examples.test.ts sets by form"],
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

interface Snippet {
  readonly name: string;
  readonly text: string;
}

const snippets: readonly Snippet[] = ["README.md", ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)]
  .filter((page) => page.endsWith(".md"))
  .flatMap((page) => {
    const text = readFileSync(`${root}${page}`, "utf8");
    return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code = ""], index) => ({
      name: `${page}, ${index + 1}`,
      text: code,
    }));
  })
  .filter(({ text }) => !/^\/\/ \S+\.ts\n/.test(text)); // files of a name: run by docs.test.ts and own-finders.test.ts
const runnable = snippets.filter(({ text }) => ![...exceptions.keys()].some((words) => text.includes(words)));

/** A Thing of the guides, on this sandbox. */
const seam = "docsRunSeam";
const shim = `
import { Thing as Base } from "../src/index.ts";
export * from "../src/index.ts";
export class Thing extends Base {
  constructor(options) {
    const seam = globalThis.${seam};
    super(seam.options(options));
    seam.things.push(this);
  }
}
`;

describe("what the guides show, run", () => {
  let sandbox: Sandbox;
  const things: Thing[] = [];
  const files: string[] = [];
  const optionsHere = (options: ThingOptions): ThingOptions => ({
    ...options,
    storage: memoryStorage(),
    server: { service: sandbox.service, domain: sandbox.domain },
    provisioning: [sandbox.provisioning.jid],
    tls: { ca: sandbox.ca },
  });
  const write = (name: string, text: string): string => {
    const file = `${root}build/docs-run-${process.pid}-${name}.ts`;
    writeFileSync(file, text);
    files.push(file);
    return file;
  };
  beforeAll(async () => {
    sandbox = await startSandbox();
    mkdirSync(`${root}build`, { recursive: true });
    write("shim", shim);
    Reflect.set(globalThis, seam, {
      things,
      options: optionsHere,
    });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const thing of things.splice(0)) await thing.stop();
  });
  afterAll(async () => {
    await sandbox.stop();
    Reflect.deleteProperty(globalThis, seam);
    for (const file of files) rmSync(file, { force: true });
  });

  it("is most of it, and every exception is one", () => {
    expect(runnable.length).toBeGreaterThan(12);
    for (const words of exceptions.keys())
      expect(
        snippets.some(({ text }) => text.includes(words)),
        words,
      ).toBe(true);
  });

  it.each(runnable)("$name", async ({ name, text }) => {
    const complaints = vi.spyOn(console, "error").mockReturnValue();
    vi.spyOn(console, "log").mockReturnValue();
    const code = text.replaceAll(
      /from "xmpp-thing(?:\/(\w+))?"/g,
      (_, part: string | undefined) =>
        `from "${part === undefined ? `./docs-run-${process.pid}-shim.ts` : `../src/${part}/index.ts`}"`,
    );
    const file = write(name.replaceAll(/\W+/g, "-"), code);
    const module = (await import(file)) as Readonly<Record<string, unknown>>;
    for (const part of Object.values(module)) {
      if (typeof part !== "function") continue;
      const given = text.includes(": Thing)") ? new Thing(optionsHere({ storage: memoryStorage() })) : sandbox;
      if (given instanceof Thing) things.push(given);
      if (given instanceof Thing) await given.start();
      await (part as (given: unknown) => unknown)(given);
    }
    // Those that are not started in the guide are right by their options; those that are come to their server.
    for (const thing of things) {
      await thing.start().catch((error: unknown) => {
        if (!(error instanceof StateError)) throw error; // it is running already
      });
      await thing.waitFor("registered", { timeout: 10_000 });
    }
    expect(complaints).not.toHaveBeenCalled();
  });
});
