import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileStorage, type FileStorageOptions } from "../../src/storage/file-storage.ts";
import { nodeFileSystem, type FileSystem } from "../../src/storage/file-system.ts";
import { systemProcesses } from "../../src/storage/process-probe.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { processesOf, RecordingFileSystem } from "../support/crash-fs.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const onUnix = describe.skipIf(process.platform === "win32");
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);

let base: string;
let folder: string;
const opened: Storage[] = [];

async function openAt(path: string, options?: FileStorageOptions): Promise<Storage> {
  const storage = fileStorage(path, options);
  await storage.open();
  opened.push(storage);
  return storage;
}

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "xmpp-thing-storage-"));
  folder = join(base, "state");
});

afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close().catch(() => undefined);
  await rm(base, { recursive: true, force: true });
});

describe("fileStorage", () => {
  it.each([[undefined], [""], [{ path: "/tmp" }]])("refuses what is no folder: %j", (folder) => {
    expect(() => fileStorage(folder as string)).toThrow(
      'fileStorage: must be given a folder, for instance fileStorage("/var/lib/my-thing")',
    );
  });

  it("keeps what was replaced and added, and forgets what was deleted", async () => {
    const storage = await openAt(folder);
    expect(await storage.read("a")).toBeUndefined();
    await storage.replace("a", bytes("one"));
    await storage.append("a", bytes("two"));
    await storage.append("b", bytes("three"));
    expect(await storage.read("a")).toEqual(bytes("onetwo"));
    expect(await readFile(join(folder, "b"), "utf8")).toBe("three");
    await storage.delete("a");
    await storage.delete("a");
    expect(await storage.read("a")).toBeUndefined();
  });

  it("finds everything again after close and open", async () => {
    const storage = await openAt(folder);
    await storage.replace("a", bytes("kept"));
    await storage.close();
    await storage.close();
    expect(await (await openAt(folder)).read("a")).toEqual(bytes("kept"));
  });

  it("does on one name what is asked in the order it was asked", async () => {
    const storage = await openAt(folder);
    const reads: Promise<Uint8Array | undefined>[] = [];
    for (let round = 0; round < 20; round++) {
      void storage.replace("a", bytes(`${round}:`));
      void storage.append("a", bytes("x"));
      reads.push(storage.read("a"));
      void storage.delete("a");
    }
    for (const [round, read] of reads.entries()) expect(await read).toEqual(bytes(`${round}:x`));
    await storage.close();
    expect((await readdir(folder)).filter((name) => !name.startsWith("."))).toEqual([]);
  });

  it("takes the content as it is at the call", async () => {
    const storage = await openAt(folder);
    const content = bytes("abc");
    const done = [storage.replace("a", content), storage.append("a", content)];
    content.fill(0);
    await Promise.all(done);
    expect(await storage.read("a")).toEqual(bytes("abcabc"));
  });

  it("ends what was begun before it closes, and refuses use before and after", async () => {
    const storage = fileStorage(folder);
    await expect(storage.read("a")).rejects.toMatchObject({ code: "ERR_STATE" });
    await storage.open();
    const written = storage.replace("a", bytes("late"));
    await storage.close();
    expect(await readFile(join(folder, "a"), "utf8")).toBe("late");
    await written;
    await expect(storage.append("a", bytes("x"))).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  it.each(["", ".", "..", ".hidden", "a/b", "../a", "A", "ä", "a b", "a\0", "-a", "a".repeat(101)])(
    "refuses the name %j",
    async (name) => {
      const storage = await openAt(folder);
      await expect(storage.replace(name, bytes("x"))).rejects.toMatchObject({ code: "ERR_CONFIG" });
      await expect(storage.read(name)).rejects.toMatchObject({ code: "ERR_CONFIG" });
    },
  );

  it("keeps names apart from each other and from its own files", async () => {
    const storage = await openAt(folder);
    const letter = fc.constantFrom("a", "b", "z", "0", "9", ".", "_", "-");
    const name = fc.string({ unit: letter, minLength: 1, maxLength: 12 }).filter((text) => /^[a-z0-9]/.test(text));
    const contents = new Map(fc.sample(fc.tuple(name, fc.string()), 40));
    await Promise.all([...contents].map(([key, text]) => storage.replace(key, bytes(text))));
    for (const [key, text] of contents) expect(await storage.read(key)).toEqual(bytes(text));
  });

  it("removes at open what a killed process left half-written, and nothing else", async () => {
    await mkdir(folder);
    for (const name of [".identity.tmp", "identity", "trust.tmp", ".keep"]) await writeFile(join(folder, name), name);
    await openAt(folder);
    expect((await readdir(folder)).sort()).toEqual([".keep", ".lock-1", "identity", "trust.tmp"]);
  });

  it("does not let one folder be opened twice in one process, whatever its path is called", async () => {
    const storage = await openAt(folder);
    const held = { code: "ERR_STORAGE", message: expect.stringContaining(String(process.pid)) as string };
    await expect(storage.open()).rejects.toMatchObject(held);
    await expect(fileStorage(folder).open()).rejects.toMatchObject(held);
    await symlink(folder, join(base, "alias"));
    await expect(fileStorage(join(base, "alias")).open()).rejects.toMatchObject(held);
    expect(await storage.read("a")).toBeUndefined(); // the holder is not disturbed
    await storage.close();
    await openAt(join(base, "alias"));
  });

  it("refuses a second open while the first is on its way", async () => {
    const storage = fileStorage(folder);
    opened.push(storage);
    const first = storage.open();
    await expect(storage.open()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    await first;
  });

  it("closes also when its folder is gone", async () => {
    const storage = await openAt(folder);
    await rm(folder, { recursive: true });
    await expect(storage.close()).resolves.toBeUndefined();
  });
});

onUnix("fileStorage keeps others out", () => {
  it("makes the folder 0700 with those above it, and every file 0600, whatever the umask", async () => {
    const before = process.umask(0);
    try {
      const deep = join(base, "var", "lib", "thing");
      const storage = await openAt(deep);
      await storage.replace("a", bytes("secret"));
      await storage.append("b", bytes("secret"));
      expect(await modeOf(deep)).toBe("700");
      for (const name of ["a", "b", ".lock-1"]) expect(await modeOf(join(deep, name))).toBe("600");
    } finally {
      process.umask(before);
    }
  });

  it("never has a file that others may read, not even while it is written", async () => {
    const asked: number[] = [];
    const fs: FileSystem = {
      ...nodeFileSystem,
      open: (path, mode, permissions) => {
        asked.push(permissions);
        return nodeFileSystem.open(path, mode, permissions);
      },
    };
    const storage = await openAt(folder, { fs });
    await storage.replace("a", bytes("x"));
    await storage.append("b", bytes("x"));
    expect(new Set(asked)).toEqual(new Set([0o600]));
    expect(asked.length).toBe(3);
  });

  it("tightens an empty folder of ours, and one that it used before", async () => {
    await mkdir(folder);
    await chmod(folder, 0o755);
    const storage = await openAt(folder);
    await storage.replace("a", bytes("x"));
    expect(await modeOf(folder)).toBe("700");
    await storage.close();
    await chmod(folder, 0o777);
    await openAt(folder);
    expect(await modeOf(folder)).toBe("700");
  });

  it("leaves a folder with other things in it as it is, and refuses one in which others may write", async () => {
    await mkdir(join(folder, "other"), { recursive: true });
    await chmod(folder, 0o1777); // like /tmp
    await expect(fileStorage(folder).open()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining("folder of its own") as string,
    });
    expect(await readdir(folder)).toEqual(["other"]);
    await chmod(folder, 0o755);
    await openAt(folder);
    expect(await modeOf(folder)).toBe("755");
  });

  it("does not change a folder of another user", async () => {
    await mkdir(folder);
    await chmod(folder, 0o755);
    const processes = { ...systemProcesses, uid: (systemProcesses.uid ?? 0) + 1 };
    await openAt(folder, { processes });
    expect(await modeOf(folder)).toBe("755");
  });

  it("asks nothing of permissions where users have no numbers", async () => {
    await mkdir(folder);
    await chmod(folder, 0o777);
    await openAt(folder, { processes: { ...systemProcesses, uid: undefined } });
    expect(await modeOf(folder)).toBe("777");
  });
});

/** The machine's file system on which some calls fail. */
function failing(code: string, when: (call: string, path: string) => boolean): FileSystem {
  const check = (call: string, path: string): void => {
    if (when(call, path)) throw Object.assign(new Error(`${code}: no`), { code });
  };
  return {
    mkdir: async (path, mode) => (check("mkdir", path), nodeFileSystem.mkdir(path, mode)),
    stat: async (path) => (check("stat", path), nodeFileSystem.stat(path)),
    chmod: async (path, mode) => (check("chmod", path), nodeFileSystem.chmod(path, mode)),
    readdir: async (path) => (check("readdir", path), nodeFileSystem.readdir(path)),
    readFile: async (path) => (check("readFile", path), nodeFileSystem.readFile(path)),
    rename: async (from, to) => (check("rename", from), nodeFileSystem.rename(from, to)),
    unlink: async (path) => (check("unlink", path), nodeFileSystem.unlink(path)),
    syncFolder: async (path) => (check("syncFolder", path), nodeFileSystem.syncFolder(path)),
    open: async (path, mode, permissions) => {
      check("open", path);
      const file = await nodeFileSystem.open(path, mode, permissions);
      return {
        write: async (content) => {
          await file.write(content.subarray(0, Math.floor(content.length / 2))); // a full disk takes what still fits
          check("write", path);
          await file.write(content.subarray(Math.floor(content.length / 2)));
        },
        sync: async () => (check("sync", path), file.sync()),
        close: () => file.close(),
      };
    },
  };
}

describe("fileStorage when the disk refuses", () => {
  it.each([
    ["ENOSPC", "open", "make room"],
    ["ENOSPC", "write", "make room"],
    ["EDQUOT", "write", "make room"],
    ["EIO", "sync", "replace it"],
    ["EROFS", "open", "read-only"],
    ["EACCES", "open", "own the folder"],
    ["EPERM", "rename", "own the folder"],
    ["EMFILE", "open", "ulimit -n"],
    ["EWEIRD", "rename", "EWEIRD: no"],
  ])(
    "a replacement that fails with %s at %s leaves the old content and no temporary file",
    async (code, call, hint) => {
      let refusing = false;
      const storage = await openAt(folder, { fs: failing(code, (called) => refusing && called === call) });
      await storage.replace("a", bytes("old"));
      refusing = true;
      await expect(storage.replace("a", bytes("new"))).rejects.toMatchObject({
        code: "ERR_STORAGE",
        message: expect.stringContaining(hint) as string,
        cause: { code },
      });
      refusing = false;
      expect(await storage.read("a")).toEqual(bytes("old"));
      expect((await readdir(folder)).sort()).toEqual([".lock-1", "a"]);
      await storage.replace("a", bytes("newer"));
      expect(await storage.read("a")).toEqual(bytes("newer"));
    },
  );

  it("gives the words of an error that has no code", async () => {
    const fs: FileSystem = { ...nodeFileSystem, readFile: () => Promise.reject(new Error("no such card")) };
    const storage = await openAt(folder, { fs });
    await expect(storage.read("a")).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringMatching(/no such card$/) as string,
    });
  });

  it("says so when the new content stands but its durability is not known", async () => {
    let refusing = false;
    const storage = await openAt(folder, { fs: failing("EIO", (call) => refusing && call === "syncFolder") });
    refusing = true;
    await expect(storage.replace("a", bytes("new"))).rejects.toMatchObject({ code: "ERR_STORAGE" });
    await expect(storage.delete("b")).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(await storage.read("a")).toEqual(bytes("new"));
  });

  it.each(["readFile", "unlink", "open"])("rejects with ERR_STORAGE when %s fails", async (call) => {
    let refusing = false;
    const storage = await openAt(folder, { fs: failing("EIO", (called) => refusing && called === call) });
    await storage.replace("a", bytes("x"));
    refusing = true;
    const calls = {
      readFile: () => storage.read("a"),
      unlink: () => storage.delete("a"),
      open: () => storage.append("a", bytes("x")),
    };
    await expect(calls[call as keyof typeof calls]()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining(join(folder, "a")) as string,
    });
  });

  it("an open that fails gives the folder free again", async () => {
    await mkdir(folder);
    await writeFile(join(folder, ".a.tmp"), "");
    for (const call of ["mkdir", "stat", "readdir", "open", "write", "unlink", "syncFolder"]) {
      await expect(
        fileStorage(folder, { fs: failing("EIO", (called) => called === call) }).open(),
      ).rejects.toMatchObject({
        code: "ERR_STORAGE",
        message: expect.stringContaining(folder) as string,
      });
    }
    await openAt(folder);
  });

  it.each(["ENOSPC", "EDQUOT", "EROFS"])(
    "opens on a disk that says %s, to read; and takes the lock when it can",
    async (code) => {
      const first = await openAt(folder);
      await first.replace("a", bytes("old"));
      await first.close();
      await writeFile(join(folder, ".a.tmp"), "left over");
      for (const call of ["open", "write"]) {
        let refusing = true;
        const fs = failing(code, (called) => refusing && [call, "unlink"].includes(called));
        const storage = fileStorage(folder, { fs });
        await storage.open();
        expect(await storage.read("a")).toEqual(bytes("old"));
        await expect(storage.replace("a", bytes("new"))).rejects.toMatchObject({ code: "ERR_STORAGE" });
        refusing = false;
        await storage.replace("a", bytes("old"));
        await expect(fileStorage(folder).open()).rejects.toMatchObject({
          message: expect.stringContaining("is in use") as string,
        });
        await storage.close();
      }
      await openAt(folder);
    },
  );

  it("a folder that another process has taken meanwhile stays theirs", async () => {
    let refusing = true;
    await openAt(folder).then((first) => first.close());
    const fs = failing("ENOSPC", (called) => refusing && called === "write");
    const late = fileStorage(folder, { fs });
    await late.open();
    const faster = await openAt(folder);
    refusing = false;
    await late.replace("a", bytes("x"));
    await late.close();
    await expect(fileStorage(folder).open()).rejects.toMatchObject({
      message: expect.stringContaining("is in use") as string,
    });
    await faster.close();
    // A full disk hides nobody who holds the folder.
    const holder = await openAt(folder);
    refusing = true;
    await expect(fileStorage(folder, { fs }).open()).rejects.toMatchObject({
      message: expect.stringContaining("is in use") as string,
    });
    await holder.close();
  });

  it("rejects when a lock file cannot be read or removed, and when the folder cannot be given free", async () => {
    for (let number = 1; number < 3; number++) {
      const storage = await openAt(folder);
      await storage.close();
    }
    const locks = (await readdir(folder)).filter((name) => name.startsWith(".lock"));
    expect(locks).toEqual([".lock-2"]);
    for (const call of ["readFile", "unlink"]) {
      const fs = failing("EIO", (called, path) => called === call && path.includes(".lock"));
      await expect(fileStorage(folder, { fs }).open()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    }
    let refusing = false;
    const other = join(base, "other");
    const storage = await openAt(other, { fs: failing("EIO", (called) => refusing && called === "open") });
    refusing = true;
    await expect(storage.close()).rejects.toMatchObject({ code: "ERR_STORAGE" });
  });

  it("says what is wrong when a file is where the folder should be", async () => {
    await writeFile(folder, "");
    await expect(fileStorage(folder).open()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining("use another folder") as string,
    });
    await expect(fileStorage(join(folder, "below")).open()).rejects.toMatchObject({ code: "ERR_STORAGE" });
  });
});

describe("fileStorage and the disk", () => {
  it("syncs in the order that a power cut demands: file, name, folder; and every folder above a new one", async () => {
    const fs = new RecordingFileSystem();
    const storage = fileStorage("/var/lib/thing", { fs, processes: processesOf("boot") });
    await storage.open();
    expect(fs.recording.operations.filter(({ kind }) => kind === "syncFolder")).toHaveLength(4); // /var/lib, /var, /, then its own
    const before = fs.recording.operations.length;
    await storage.replace("a", bytes("x"));
    await storage.delete("a");
    await storage.append("b", bytes("x"));
    expect(fs.recording.operations.slice(before).map(({ kind }) => kind)).toEqual([
      ...["make", "write", "syncFile", "rename", "syncFolder"],
      ...["unlink", "syncFolder"],
      ...["make", "write"],
    ]);
  });
});
