// In a file of its own, which is a process of its own: what is loaded here, the sandbox has loaded.
import { createRequire } from "node:module";
import { afterEach, describe, expect, it } from "vitest";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";

const { cache } = createRequire(import.meta.url);
const loaded = (name: string): boolean => Object.keys(cache).some((path) => path.includes(`/node_modules/${name}/`));

describe("what only announcing needs", () => {
  let sandbox: Sandbox | undefined;
  afterEach(() => sandbox?.stop());

  it("is not loaded by a sandbox that is not announced, and is by one that is", async () => {
    sandbox = await startSandbox();
    expect([loaded("multicast-dns"), loaded("dhcp")]).toEqual([false, false]);
    await sandbox.stop();
    sandbox = await startSandbox({ port: 0, announce: { interface: "lo", name: "lazy" } });
    expect([loaded("multicast-dns"), loaded("dhcp")]).toEqual([true, false]);
  });
});
