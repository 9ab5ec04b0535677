import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
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

  it("does not take a killed process for a running one when its parent has not asked for its end", async () => {
    // The shell starts a child and becomes a program that never asks.
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"]);
    try {
      const [line] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(line.toString());
      const stateOf = async (): Promise<string | undefined> =>
        (await readFile(`/proc/${pid}/stat`, "latin1")).split(") ")[1]?.charAt(0);
      while ((await stateOf()) !== "Z") await setImmediate();
      expect(() => process.kill(pid, 0)).not.toThrow();
      expect(await systemProcesses.look(pid)).toEqual({ running: false });
    } finally {
      parent.kill("SIGKILL");
    }
  });
});
