import { describe, expect, it } from "vitest";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { FolderView } from "../../src/storage/folder-view.ts";
import { processesOf, RecordingFileSystem, variant } from "../support/crash-fs.ts";

const folder = "/state";
const processes = processesOf("boot");
const denied = (): Promise<never> => Promise.reject(Object.assign(new Error("no"), { code: "EACCES" }));

async function disk(): Promise<RecordingFileSystem> {
  const fs = new RecordingFileSystem();
  const storage = fileStorage(folder, { fs, processes });
  await storage.open();
  await storage.replace("a", new Uint8Array([1, 2]));
  return fs;
}

describe("a state folder looked at from outside", () => {
  it("shows what is kept and who holds it, and takes nothing", async () => {
    const fs = await disk();
    const before = fs.recording.operations.length;
    const view = new FolderView(folder, { fs, processes });
    const storage = view.storage();
    await storage.open();
    expect(await view.names()).toEqual([".lock-1", "a"]);
    expect(await view.holder()).toEqual({ pid: 100, text: "process 100" });
    expect(await storage.read("a")).toEqual(new Uint8Array([1, 2]));
    expect(await storage.read("b")).toBeUndefined();
    await expect(storage.read("../b")).rejects.toMatchObject({ code: "ERR_CONFIG" });
    for (const change of ["replace", "append", "delete"] as const) {
      await expect(storage[change]("a", new Uint8Array(0))).rejects.toMatchObject({ code: "ERR_STATE" });
    }
    await storage.close();
    expect(fs.recording.operations).toHaveLength(before);
  });

  it("says why it cannot be read", async () => {
    const fs = await disk();
    const sealed = new FolderView(folder, { fs: variant(fs, { readdir: denied, readFile: denied }), processes });
    const refused = { code: "ERR_STORAGE", message: expect.stringContaining("permission denied") as string };
    await expect(sealed.names()).rejects.toMatchObject(refused);
    await expect(sealed.holder()).rejects.toMatchObject(refused);
    await expect(sealed.storage().read("a")).rejects.toMatchObject(refused);
    expect(await new FolderView("/nowhere", { fs, processes }).names()).toBeUndefined();
  });
});
