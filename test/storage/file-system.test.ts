import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { storageError } from "../../src/storage/file-errors.ts";
import { codeOf, nodeFileSystem } from "../../src/storage/file-system.ts";

/** What a process prints that calls the file system: a thread that never ends would not let the tests end either. */
function inAProcess(call: string): Promise<string> {
  const module = new URL("../../src/storage/file-system.ts", import.meta.url).href;
  const program = `import { nodeFileSystem } from ${JSON.stringify(module)}; await nodeFileSystem.${call}`;
  return new Promise((resolve, reject) => {
    const options = { timeout: 15_000, killSignal: "SIGKILL" } as const;
    execFile(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], options, (error, out) =>
      error === null ? resolve(out.trim()) : reject(error),
    );
  });
}

describe("nodeFileSystem", () => {
  it.skipIf(process.platform !== "linux")(
    "takes it that there is nothing to wait for where folders cannot be synced",
    async () => {
      await expect(nodeFileSystem.syncFolder("/proc")).resolves.toBeUndefined(); // EINVAL
    },
  );

  it.skipIf(process.platform !== "linux")(
    "gives up on folders where none can be made, in the place of trying for ever",
    async () => {
      const code = await inAProcess('mkdir("/proc/x/y", 0o700).catch((error) => console.log(error.code))');
      expect(code).toBe("ENOENT");
    },
  );

  it("makes the folders above too, tells the uppermost it made, and takes those that are there", async () => {
    const root = mkdtempSync(join(tmpdir(), "xmpp-thing-test-"));
    try {
      const path = join(root, "a", "b", "c");
      const both = await Promise.all([nodeFileSystem.mkdir(path, 0o700), nodeFileSystem.mkdir(path, 0o700)]);
      expect(both).toContain(join(root, "a"));
      expect(statSync(path).mode & 0o777).toBe(0o700);
      expect(await nodeFileSystem.mkdir(path, 0o700)).toBeUndefined();
      writeFileSync(join(root, "file"), "");
      await expect(nodeFileSystem.mkdir(join(root, "file"), 0o700)).rejects.toMatchObject({ code: "EEXIST" });
      await expect(nodeFileSystem.mkdir(join(root, "file", "a"), 0o700)).rejects.toMatchObject({ code: "ENOTDIR" });
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it("rejects when a folder that could be synced cannot be opened", async () => {
    await expect(nodeFileSystem.syncFolder("/there/is/no/such/folder")).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("storageError", () => {
  it("says of a folder that cannot be made another thing than of one that has been removed", () => {
    const gone = Object.assign(new Error("no"), { code: "ENOENT" });
    expect(storageError(gone, "make", "/proc/x").message).toBe(
      'could not make "/proc/x": no folder can be made there; use another one (ENOENT)',
    );
    expect(storageError(gone, "read", "/a/b").message).toContain("the folder has been removed; start again");
  });
});

describe("codeOf", () => {
  it("is Node's code of an error, and nothing else", () => {
    expect(codeOf(Object.assign(new Error("no"), { code: "ENOENT" }))).toBe("ENOENT");
    expect(codeOf(Object.assign(new Error("no"), { code: 5 }))).toBeUndefined();
    expect(codeOf({ code: "ENOENT" })).toBeUndefined();
    expect(codeOf(undefined)).toBeUndefined();
  });
});
