import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeIo } from "../../src/cli/node-io.ts";

describe("the real world around the command line", () => {
  it("makes folders and files that only this user may read, and removes them", async () => {
    const io = nodeIo();
    const folder = await io.makeFolder();
    const file = join(folder, "secret");
    await io.writeFile(file, "text");
    expect(await io.readFile(file)).toBe("text");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await io.removeFolder(folder);
    expect(existsSync(folder)).toBe(false);
  });

  it("is told to end by the first SIGTERM", () => {
    const { ended } = nodeIo();
    expect(ended.aborted).toBe(false);
    process.emit("SIGTERM");
    expect(ended.aborted).toBe(true);
  });

  it("waits for no key where nobody watches", async () => {
    const io = nodeIo();
    expect(io.terminal).toBe(false);
    await io.waitForKey("press");
  });
});
