import { describe, expect, it } from "vitest";
import { codeOf, nodeFileSystem } from "../../src/storage/file-system.ts";

describe("nodeFileSystem", () => {
  it.skipIf(process.platform !== "linux")(
    "takes it that there is nothing to wait for where folders cannot be synced",
    async () => {
      await expect(nodeFileSystem.syncFolder("/proc")).resolves.toBeUndefined(); // EINVAL
    },
  );

  it("rejects when a folder that could be synced cannot be opened", async () => {
    await expect(nodeFileSystem.syncFolder("/there/is/no/such/folder")).rejects.toMatchObject({ code: "ENOENT" });
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
