// Started once with sudo: whose the folder is, in words.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { nodeFileSystem, type FileSystem } from "../../src/storage/file-system.ts";
import { explainAccess, foreignOwner, refuseAsRoot, userText } from "../../src/storage/ownership.ts";
import { systemProcesses, type ProcessProbe } from "../../src/storage/process-probe.ts";
import { processesOf, variant } from "../support/crash-fs.ts";

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn("skipped: only root can make files of another user");

describe.skipIf(!isRoot)("a folder that is used by two users", () => {
  let base: string;
  let folder: string;
  let folders = 0;
  let child: ChildProcessWithoutNullStreams;
  let answers: Interface;

  /** What a process of user nobody hears when it opens a folder. */
  async function asNobody(path: string): Promise<string> {
    const answer = once(answers, "line") as Promise<[string]>;
    child.stdin.write(`${path}\n`);
    return (await answer)[0];
  }

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), "xmpp-thing-users-"));
    await chmod(base, 0o755);
    const program = fileURLToPath(new URL("hold-folder.ts", import.meta.url));
    child = spawn(process.execPath, ["--import", "tsx", program, String(NOBODY)]);
    answers = createInterface({ input: child.stdout });
    await once(answers, "line");
  });
  afterAll(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await rm(base, { recursive: true, force: true });
  });
  beforeEach(() => {
    folder = join(base, `folder-${++folders}`);
  });

  const chownAdvice = (): string =>
    `started once with sudo? If it still runs, stop it; then: sudo chown -R nobody: ${folder}`;

  it("and was made by root is refused to the user, by both names and what to type", async () => {
    const storage = fileStorage(folder);
    await storage.open();
    await storage.close();
    expect(await asNobody(folder)).toBe(
      `could not open "${folder}": "${folder}" belongs to root (uid 0), and this process runs as nobody (uid 65534); ${chownAdvice()}`,
    );
  });

  it.each([".lock-1", "thing"])("and holds a file %s of root's names the file", async (name) => {
    await mkdir(folder, { mode: 0o700 });
    await chown(folder, NOBODY, NOBODY);
    await writeFile(join(folder, name), "x", { mode: 0o600 });
    const said = await asNobody(folder);
    // Only what is read at the opening can be in the way of it.
    if (name === "thing") expect(said).toBe("won");
    else expect(said).toContain(`"${join(folder, name)}" belongs to root (uid 0)`);
    if (name !== "thing") expect(said).toContain(chownAdvice());
  });

  it("and belongs to the user is refused to root before anything is written", async () => {
    await mkdir(folder, { mode: 0o700 });
    await chown(folder, NOBODY, NOBODY);
    await expect(fileStorage(folder).open()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: `"${folder}" belongs to nobody (uid 65534), and this process runs as root: what it wrote there they could not read; run it without sudo, or give the folder to root: chown -R root: ${folder}`,
    });
    expect(await readdir(folder)).toEqual([]);
    expect(await asNobody(folder)).toBe("won");
  });

  it("and is not there, in a folder of root's, tells how to make it", async () => {
    expect(await asNobody(folder)).toBe(
      `could not open "${folder}": "${base}" belongs to root (uid 0), and this process runs as nobody (uid 65534); make the folder: sudo install -d -m 700 -o nobody ${folder}`,
    );
  });

  it("and cannot be reached says where it ends", async () => {
    await mkdir(folder, { mode: 0o700 });
    await mkdir(join(folder, "state"));
    expect(await asNobody(join(folder, "state"))).toContain("use a folder that nobody can reach");
  });
});

describe("whose a folder is", () => {
  const processes = (uid: number | undefined): ProcessProbe => ({
    ...systemProcesses,
    uid,
    userName: (asked) => Promise.resolve(asked === 1_000 ? "pi" : undefined),
  });
  const owned = (uids: Record<string, number>): FileSystem =>
    variant(nodeFileSystem, {
      stat: (path) => {
        const uid = uids[path];
        return uid === undefined
          ? Promise.reject(Object.assign(new Error("no"), { code: "EACCES" }))
          : Promise.resolve({ mode: 0o40700, uid });
      },
      readdir: () => Promise.resolve(["thing", "rights"]),
    });

  it("is told with the number alone where the user has no name", async () => {
    expect(await userText(1_000, processes(0))).toBe("pi (uid 1000)");
    expect(await userText(7, processes(0))).toBe("uid 7");
    expect(await userText(1_000, processesOf("boot"))).toBe("uid 1000");
  });

  it("is found among its files too, and the path is quoted for the shell", async () => {
    const folder = "/home/pi/the 'thing'";
    const uids = { [folder]: 1_000, [`${folder}/thing`]: 1_000, [`${folder}/rights`]: 1_001 };
    expect(await foreignOwner(folder, `${folder}/thing`, owned(uids), processes(1_000))).toBe(
      `"${folder}/rights" belongs to uid 1001, and this process runs as pi (uid 1000); start it as that user, or: sudo chown -R pi: '/home/pi/the '\\''thing'\\'''`,
    );
  });

  it("is told of what stands above it: how to make it, or where it ends", async () => {
    const missing = (code: string): FileSystem =>
      variant(owned({ "/": 0, "/srv": 0 }), {
        stat: (path) =>
          path.startsWith("/srv/")
            ? Promise.reject(Object.assign(new Error("no"), { code }))
            : Promise.resolve({ mode: 0o40755, uid: 0 }),
      });
    const whose = '"/srv" belongs to uid 0, and this process runs as pi (uid 1000); ';
    const ask = (code: string) => foreignOwner("/srv/state", "/srv/state", missing(code), processes(1_000));
    expect(await ask("ENOENT")).toBe(`${whose}make the folder: sudo install -d -m 700 -o pi /srv/state`);
    expect(await ask("EACCES")).toBe(`${whose}use a folder that pi can reach`);
  });

  it("keeps root out of the folder of another user, and nobody else", async () => {
    const owner = { uid: 1_000 };
    await expect(refuseAsRoot("/state", owner, processes(0))).rejects.toThrow(
      /^"\/state" belongs to pi \(uid 1000\), and this process runs as root: .* chown -R root: \/state$/,
    );
    for (const uid of [1_000, 1_001, undefined]) await refuseAsRoot("/state", owner, processes(uid));
    await refuseAsRoot("/state", { uid: 0 }, processes(0));
  });

  it("is part of what an access that was refused says, with what was tried", async () => {
    const refused = Object.assign(new Error("no"), { code: "EACCES" });
    const where = { folder: "/state", fs: owned({ "/state": 0 }), processes: processes(1_000) };
    expect(await explainAccess(refused, "open", "/state", where)).toMatchObject({
      code: "ERR_STORAGE",
      cause: refused,
      message: expect.stringMatching(
        /^could not open "\/state": "\/state" belongs to uid 0, and .* started once with sudo\? If it still runs, stop it; then: sudo chown -R pi: \/state$/,
      ) as string,
    });
    const full = Object.assign(new Error("no"), { code: "ENOSPC" });
    expect((await explainAccess(full, "open", "/state", where)).message).toContain("make room");
  });

  it("is no reason where nothing is another user's, or users have no numbers", async () => {
    const uids = { "/": 7, "/state": 7, "/state/thing": 7 };
    expect(await foreignOwner("/state", "/state", owned(uids), processes(7))).toBeUndefined();
    expect(await foreignOwner("/state", "/state", owned(uids), processes(undefined))).toBeUndefined();
  });
});
