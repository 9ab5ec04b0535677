import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { messageOf } from "../../src/core/errors.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { FileSystem } from "../../src/storage/file-system.ts";
import { folderHolder, lockFolder } from "../../src/storage/lock.ts";
import { systemProcesses, type ProcessProbe, type ProcessSighting } from "../../src/storage/process-probe.ts";
import { RecordingFileSystem, soakFactor, variant } from "../support/crash-fs.ts";

/** A machine of our own: its processes, by number, and when they were started. */
function machine(boot: string | undefined, running: ReadonlyMap<number, string | undefined>) {
  return (pid: number): ProcessProbe => ({
    pid,
    uid: 0,
    boot: () => Promise.resolve(boot),
    look: (asked): Promise<ProcessSighting> =>
      Promise.resolve(running.has(asked) ? { running: true, started: running.get(asked) } : { running: false }),
  });
}

async function disk(): Promise<RecordingFileSystem> {
  const fs = new RecordingFileSystem();
  await fs.mkdir("/state", 0o700);
  return fs;
}

const held = (pid: number) => ({ code: "ERR_STORAGE", message: expect.stringContaining(String(pid)) as string });

describe("the lock of a folder", () => {
  it("is held against another process, by name, until it is given free", async () => {
    const fs = await disk();
    const as = machine("boot", new Map([[10, "5"], [11, "6"]])); // prettier-ignore
    const lock = await lockFolder("/state", fs, as(10));
    await expect(lockFolder("/state", fs, as(11))).rejects.toMatchObject(held(10));
    await lock.release();
    await lockFolder("/state", fs, as(11));
    await expect(lockFolder("/state", fs, as(10))).rejects.toMatchObject(held(11));
  });

  it("tells of its holder what can be known of it", async () => {
    const fs = await disk();
    const as = machine("boot", new Map([[10, "5"], [11, "6"]])); // prettier-ignore
    await lockFolder("/state", fs, as(10));
    const refused = (more: Partial<ProcessProbe>): Promise<unknown> =>
      lockFolder("/state", fs, { ...as(11), ...more }).catch((error: unknown) => messageOf(error));
    const who = (text: string): unknown => expect.stringContaining(`is in use by process ${text}: stop that one`);
    expect(await refused({})).toEqual(who("10"));
    expect(await refused({ describe: () => Promise.resolve({}) })).toEqual(who("10"));
    expect(await refused({ describe: () => Promise.resolve({ uid: 1_000 }) })).toEqual(who("10 (user 1000)"));
    const describe = () => Promise.resolve({ command: "node a.mjs", uid: 0, ms: 7_200_000 });
    expect(await refused({ describe, userName: () => Promise.resolve("root") })).toEqual(
      who("10 (node a.mjs, user root, started 2 h ago)"),
    );
  });

  it("can be looked at without being taken", async () => {
    const fs = await disk();
    const as = machine("boot", new Map([[10, "5"], [11, "6"]])); // prettier-ignore
    expect(await folderHolder("/state", fs, as(11))).toBeUndefined();
    const lock = await lockFolder("/state", fs, as(10));
    const before = fs.recording.operations.length;
    expect(await folderHolder("/state", fs, as(11))).toBe(10);
    expect(await folderHolder("/state", fs, machine("another boot", new Map([[10, "5"]]))(11))).toBeUndefined();
    expect(fs.recording.operations).toHaveLength(before);
    await lock.release();
    expect(await folderHolder("/state", fs, as(11))).toBeUndefined();
  });

  it("is held against the same process", async () => {
    const fs = await disk();
    const as = machine("boot", new Map([[10, "5"]]));
    await lockFolder("/state", fs, as(10));
    await expect(lockFolder("/state", fs, as(10))).rejects.toMatchObject(held(10));
  });

  it("is taken over when its process has ended", async () => {
    const fs = await disk();
    await lockFolder("/state", fs, machine("boot", new Map([[10, "5"]]))(10));
    await lockFolder("/state", fs, machine("boot", new Map([[11, "6"]]))(11));
    expect(await fs.readdir("/state")).toEqual([".lock-2"]);
  });

  it("is taken over when the number of its process now belongs to another, also to the one that asks", async () => {
    const fs = await disk();
    await lockFolder("/state", fs, machine("boot", new Map([[10, "5"]]))(10));
    const later = machine("boot", new Map([[10, "99"], [11, "6"]])); // prettier-ignore
    await lockFolder("/state", fs, later(11));
    // A container: the process is always number 1.
    const other = await disk();
    await lockFolder("/state", other, machine("boot", new Map([[1, "5"]]))(1));
    await lockFolder("/state", other, machine("boot", new Map([[1, "99"]]))(1));
  });

  it("is taken over after a power cut, even by a process with the same number and start time", async () => {
    const fs = await disk();
    const running = new Map([[10, "5"]]);
    await lockFolder("/state", fs, machine("first", running)(10));
    await lockFolder("/state", fs, machine("second", running)(10));
  });

  it("goes by the number alone where nothing else can be known", async () => {
    const fs = await disk();
    const as = machine(undefined, new Map([[10, undefined], [11, undefined]])); // prettier-ignore
    await lockFolder("/state", fs, as(10));
    await expect(lockFolder("/state", fs, as(11))).rejects.toMatchObject(held(10));
    await lockFolder("/state", fs, machine(undefined, new Map([[11, undefined]]))(11));
  });

  it.each(["", "{", "null", "[]", '{"pid":"10"}', '{"pid":0}', '{"pid":-1}', '{"pid":1.5}', "\0\0\0\0"])(
    "takes a lock file that holds %j for a left-over of a power cut",
    async (content) => {
      const fs = await disk();
      const file = await fs.open("/state/.lock-7", "w", 0o600);
      await file.write(new TextEncoder().encode(content));
      await lockFolder("/state", fs, machine("boot", new Map([[10, "5"], [0, "5"], [1, "5"], [-1, "5"]]))(10)); // prettier-ignore
      expect(await fs.readdir("/state")).toEqual([".lock-8"]);
    },
  );

  it("believes a lock that does not say when its process was started", async () => {
    const fs = await disk();
    await (await fs.open("/state/.lock-1", "w", 0o600)).write(new TextEncoder().encode('{"pid":10}'));
    const as = machine("boot", new Map([[10, "5"], [11, "6"]])); // prettier-ignore
    await expect(lockFolder("/state", fs, as(11))).rejects.toMatchObject(held(10));
  });

  it("gives up when others always come first", async () => {
    const fs = await disk();
    let number = 0;
    const crowded = variant(fs, {
      open: async (path, mode, permissions) => {
        if (mode === "wx") await fs.open(`/state/.lock-${++number}`, "w", permissions);
        return fs.open(path, mode, permissions);
      },
    });
    const asking = lockFolder("/state", crowded, machine("boot", new Map([[10, "5"]]))(10));
    await expect(asking).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining("try again") as string,
    });
  });

  it("does not stumble over lock files that vanish while it looks", async () => {
    const fs = await disk();
    await lockFolder("/state", fs, machine("boot", new Map([[10, "5"]]))(10));
    const vanished = variant(fs, {
      readdir: async (path) => [...(await fs.readdir(path)), ".lock-0"],
    });
    await lockFolder("/state", vanished, machine("boot", new Map([[11, "5"]]))(11));
  });
});

/** A file system on which the scheduler decides when each call returns: any process may be overtaken at any point. */
function scheduled(fs: FileSystem, scheduler: fc.Scheduler): FileSystem {
  const slow =
    <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      await scheduler.schedule(Promise.resolve(), "call");
      const result = await call(...args);
      return scheduler.schedule(Promise.resolve(result), "return");
    };
  return variant(fs, {
    readdir: slow((path) => fs.readdir(path)),
    readFile: slow((path) => fs.readFile(path)),
    unlink: slow((path) => fs.unlink(path)),
    open: slow(async (path, mode, permissions) => {
      const file = await fs.open(path, mode, permissions);
      return { write: slow((content) => file.write(content)), sync: () => file.sync(), close: () => file.close() };
    }),
  });
}

describe("processes that race for a folder", () => {
  const race = async (scheduler: fc.Scheduler, pids: number[], leftOver: boolean, again: boolean): Promise<void> => {
    const fs = await disk();
    const as = machine("boot", new Map(pids.map((pid) => [pid, "5"])));
    if (leftOver) await lockFolder("/state", fs, machine("boot", new Map([[9, "1"]]))(9));
    const slow = scheduled(fs, scheduler);
    let holders = 0;
    let won = 0;
    const run = async (pid: number): Promise<void> => {
      for (let turn = 0; turn < (again ? 2 : 1); turn++) {
        const lock = await lockFolder("/state", slow, as(pid)).catch(() => undefined);
        if (lock === undefined) continue;
        won++;
        expect(++holders).toBe(1);
        if (!again) return;
        await scheduler.schedule(Promise.resolve(), "work");
        holders--;
        await lock.release();
      }
    };
    await scheduler.waitFor(Promise.all(pids.map(run)));
    if (!again) expect(won).toBe(1);
    expect(won).toBeGreaterThan(0);
  };

  it.each([
    ["two, a left-over lock", [10, 11], true, false, 800],
    ["two, a new folder", [10, 11], false, false, 400],
    ["three, a left-over lock", [10, 11, 12], true, false, 800],
    ["three that come and go", [10, 11, 12], true, true, 800],
  ])(
    "are never two at once, and one of them wins: %s",
    async (_, pids, leftOver, again, runs) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), (scheduler) => race(scheduler, pids, leftOver, again)),
        { numRuns: runs * soakFactor },
      );
    },
    20_000 * soakFactor,
  );

  it("gives no folder to a process whose lock file was removed while it slept", async () => {
    const fs = await disk();
    const as = machine("boot", new Map([[10, "5"], [11, "6"], [12, "7"]])); // prettier-ignore
    let slept = false;
    const sleepy = variant(fs, {
      open: async (path, mode, permissions) => {
        const file = await fs.open(path, mode, permissions);
        if (mode !== "wx" || slept) return file;
        slept = true; // the file is made and still empty; another process comes, tidies up, and goes
        await (await lockFolder("/state", fs, as(11))).release();
        expect(await fs.readdir("/state")).toEqual([".lock-2"]);
        return file;
      },
    });
    await lockFolder("/state", sleepy, as(10));
    await expect(lockFolder("/state", fs, as(12))).rejects.toMatchObject(held(10));
  });

  it("would be two at once if a left-over lock were simply removed and made anew", async () => {
    const naive = async (fs: FileSystem): Promise<boolean> => {
      const stale = await fs.readFile("/state/lock").catch(() => new Uint8Array(0));
      if (stale.length > 0) return false;
      await fs.unlink("/state/lock").catch(() => undefined);
      const file = await fs.open("/state/lock", "wx", 0o600).catch(() => undefined);
      await file?.write(new Uint8Array(1));
      return file !== undefined;
    };
    const found = fc.check(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const fs = await disk();
        await (await fs.open("/state/lock", "w", 0o600)).close();
        const slow = scheduled(fs, scheduler);
        const results = await scheduler.waitFor(Promise.all([naive(slow), naive(slow)]));
        expect(results.filter(Boolean)).toHaveLength(1);
      }),
      { numRuns: 300 },
    );
    expect((await found).failed).toBe(true);
  });
});

describe("the lock between real processes", () => {
  interface Other {
    readonly child: ChildProcessWithoutNullStreams;
    readonly pid: number;
    ask(folder: string): Promise<string>;
  }
  const others: Other[] = [];
  let base: string;
  let folders = 0;
  let folder: string;

  async function start(): Promise<Other> {
    const program = fileURLToPath(new URL("hold-folder.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", program]);
    const answers: Interface = createInterface({ input: child.stdout });
    const ready = once(answers, "line");
    const other: Other = {
      child,
      pid: child.pid ?? 0,
      async ask(path) {
        const answer = once(answers, "line") as Promise<[string]>;
        child.stdin.write(`${path}\n`);
        return (await answer)[0];
      },
    };
    others.push(other);
    await ready;
    return other;
  }

  async function kill(other: Other): Promise<void> {
    if (other.child.exitCode !== null || other.child.signalCode !== null) return;
    const ended = once(other.child, "exit");
    other.child.kill("SIGKILL");
    await ended;
  }

  /** The text of a lock that was held when its process was killed. */
  let leftOver: string;

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), "xmpp-thing-lock-"));
    const [first] = await Promise.all([start(), start(), start()]);
    const killed = join(base, "killed");
    expect(await first.ask(killed)).toBe("won");
    leftOver = await readFile(join(killed, ".lock-1"), "utf8");
    await expect(fileStorage(killed).open()).rejects.toMatchObject(held(first.pid));
    await kill(first);
    const storage = fileStorage(killed);
    await storage.open();
    await storage.close();
  }, 20_000);

  afterAll(async () => {
    for (const other of others) await kill(other);
    await rm(base, { recursive: true, force: true });
  });

  beforeEach(() => {
    folder = join(base, `folder-${++folders}`);
  });

  const mine: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const storage of mine.splice(0)) await storage.close();
  });

  async function open(): Promise<void> {
    const storage = fileStorage(folder);
    await storage.open();
    mine.push(storage);
  }

  it("names the process that holds the folder, here and there", async () => {
    const other = others[1]!;
    expect(await other.ask(folder)).toBe("won");
    const refusal = open();
    await expect(refusal).rejects.toMatchObject(held(other.pid));
    if (process.platform === "linux") {
      // Who it is, as whom it runs and since when; what to do; nothing of its other arguments.
      await expect(refusal).rejects.toThrow(
        new RegExp(
          `^"${folder}" is in use by process ${other.pid} \\(node hold-folder\\.ts, user \\S+, started \\d+ (s|min) ago\\): ` +
            `stop that one, or use another folder; if it is not, remove ${folder}/\\.lock-1$`,
        ),
      );
    }
    folder = `${folder}-mine`;
    await open();
    expect(await other.ask(folder)).toContain(`process ${process.pid}`);
  });

  it("is taken over after a kill -9", async () => {
    expect(JSON.parse(leftOver)).toMatchObject({ pid: others[0]!.pid });
    await mkdir(folder);
    await writeFile(join(folder, ".lock-3"), leftOver);
    await open();
    expect(await readdir(folder)).toEqual([".lock-4"]);
  });

  it(
    "is one process's when several race for it, with and without a left-over lock",
    async () => {
      const racers = others.slice(1);
      for (let round = 0; round < 100 * soakFactor; round++) {
        const at = join(base, `race-${round}`);
        if (round % 3 !== 0) {
          await mkdir(at, { mode: 0o700 });
          await writeFile(join(at, ".lock-1"), leftOver);
        }
        const answers = await Promise.all(racers.map((racer) => racer.ask(at)));
        const winner = racers[answers.indexOf("won")]!;
        expect(
          answers.filter((answer) => answer === "won"),
          `round ${round}: ${answers.join("; ")}`,
        ).toHaveLength(1);
        for (const answer of answers) {
          if (answer !== "won") expect(answer).toContain(`process ${winner.pid}`);
        }
      }
    },
    10_000 * soakFactor,
  );

  it.skipIf(process.platform !== "linux")("is taken over when its process's number was given to another", async () => {
    const other = others[1]!;
    const stale = JSON.parse(leftOver) as { started: string; boot: string };
    await mkdir(folder);
    await writeFile(join(folder, ".lock-1"), JSON.stringify({ ...stale, pid: other.pid, started: "1" }));
    await open();
    await mine.pop()?.close();

    const { started } = await systemProcesses.look(other.pid);
    await writeFile(join(folder, ".lock-3"), JSON.stringify({ ...stale, pid: other.pid, started }));
    await expect(open()).rejects.toMatchObject(held(other.pid));
    await writeFile(join(folder, ".lock-3"), JSON.stringify({ boot: "another", pid: other.pid, started }));
    await open();
  });
});
