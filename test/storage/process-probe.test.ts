import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemProcesses } from "../../src/storage/process-probe.ts";

describe("systemProcesses", () => {
  it("knows this process", async () => {
    expect(systemProcesses.pid).toBe(process.pid);
    expect(systemProcesses.uid).toBe(process.getuid?.());
    expect((await systemProcesses.look(process.pid)).running).toBe(true);
  });

  it("knows when a process has ended", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    expect(await systemProcesses.look(child.pid ?? 0)).toEqual({ running: false });
  });
});

describe("systemProcesses of another user", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("are taken for running: a process that may not be signalled is there", async () => {
    vi.spyOn(process, "kill").mockImplementation(() => {
      throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
    });
    expect((await systemProcesses.look(process.pid)).running).toBe(true);
  });

  it("are known by their number alone where /proc does not show them", async () => {
    vi.spyOn(process, "kill").mockReturnValue(true);
    expect(await systemProcesses.look(2 ** 31 - 1)).toEqual({ running: true, started: undefined });
  });
});

describe.skipIf(process.platform !== "linux")("systemProcesses on Linux", () => {
  it("names the boot", async () => {
    expect(await systemProcesses.boot()).toMatch(/^[0-9a-f-]{36}$/);
    expect(await systemProcesses.boot()).toBe(await systemProcesses.boot());
  });

  it("tells when a process was started, also of one with blanks and brackets in its name", async () => {
    const child = spawn(process.execPath, [
      "-e",
      "process.title = 'a) Z 1 (b'; process.stdout.write('.'); setInterval(() => 0, 1000)",
    ]);
    try {
      await once(child.stdout, "data");
      const { running, started } = await systemProcesses.look(child.pid ?? 0);
      expect(running).toBe(true);
      const text = await readFile(`/proc/${child.pid ?? 0}/stat`, "latin1");
      expect(text).toContain("(a) Z 1 (b)");
      expect(text.split(" ").at(-31)).toBe(started); // 22nd of 52 fields, counted from the end
      expect(Number(started)).toBeGreaterThanOrEqual(Number((await systemProcesses.look(process.pid)).started));
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("describes a process: program and script, user, how long it runs; no other argument", async () => {
    const child = spawn(process.execPath, [
      "-e",
      "process.stdout.write('.'); setInterval(() => 0, 1000)",
      "--",
      "--password=x",
      "/opt/secret/a.mjs",
    ]);
    try {
      await once(child.stdout, "data");
      const found = await systemProcesses.describe?.(child.pid ?? 0);
      expect(found).toEqual({ command: "node a.mjs", uid: process.getuid?.(), ms: expect.any(Number) as number });
      expect(found?.ms).toBeGreaterThanOrEqual(0);
      expect(found?.ms).toBeLessThan(3_600_000);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("shows nothing of a title that a terminal would obey, and knows nothing of a process that is not there", async () => {
    const child = spawn(process.execPath, [
      "-e",
      "process.title = '\\x1b[2Jevil'; process.stdout.write('.'); setInterval(() => 0, 1000)",
    ]);
    try {
      await once(child.stdout, "data");
      const found = await systemProcesses.describe?.(child.pid ?? 0);
      expect(found?.command).toBe("?[2Jevil");
    } finally {
      child.kill("SIGKILL");
    }
    expect(await systemProcesses.describe?.(2 ** 31 - 1)).toEqual({});
  });

  it("knows users by name", async () => {
    expect(await systemProcesses.userName?.(0)).toBe("root");
    expect(await systemProcesses.userName?.(4_294_000_000)).toBeUndefined();
  });

  it("does not take a killed process for a running one when its parent has not asked for its end", async () => {
    // The shell starts a child and becomes a program that never asks.
    const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"]);
    const procOf = (pid: number | undefined, file: string): Promise<string> =>
      readFile(`/proc/${pid ?? 0}/${file}`, "latin1");
    let pid: number | undefined;
    try {
      const [line] = (await once(parent.stdout, "data")) as [Buffer];
      pid = Number(line.toString());
      while (!(await procOf(parent.pid, "comm")).startsWith("sleep")) await setImmediate();
      process.kill(pid, "SIGKILL");
      while (!(await procOf(pid, "stat")).includes(") Z ")) await setImmediate();
      expect(process.kill(pid, 0)).toBe(true);
      expect(await systemProcesses.look(pid)).toEqual({ running: false });
    } finally {
      if (pid !== undefined) process.kill(pid, "SIGKILL");
      parent.kill("SIGKILL");
    }
  });
});
