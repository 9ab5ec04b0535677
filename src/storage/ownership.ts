// Whose the folder is, for the sentence that one needs who has started a Thing with sudo once.
import { dirname, join } from "node:path";
import { StorageError } from "../core/errors.ts";
import { storageError } from "./file-errors.ts";
import { codeOf, type FileSystem } from "./file-system.ts";
import type { ProcessProbe } from "./process-probe.ts";

/** A user for people: `pi (uid 1000)`. */
export async function userText(uid: number, processes: ProcessProbe): Promise<string> {
  const name = await nameOf(uid, processes);
  return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
}

const nameOf = (uid: number, processes: ProcessProbe): Promise<string | undefined> =>
  processes.userName?.(uid) ?? Promise.resolve(undefined);

/**
 * What keeps this user from the folder, if it is that it, or something in it, belongs to another user: what, to whom, and
 * how to change that. `undefined` if nothing in it does.
 *
 * @param path what could not be used: the folder or a file in it
 */
export async function foreignOwner(
  folder: string,
  path: string,
  fs: FileSystem,
  processes: ProcessProbe,
): Promise<string | undefined> {
  const { uid } = processes;
  if (uid === undefined) return undefined;
  const found = await firstForeign([path, folder, ...(await pathsIn(folder, fs)), ...above(folder)], uid, fs);
  if (found === undefined) return undefined;
  const [owner, me, name] = await Promise.all([
    userText(found.uid, processes),
    userText(uid, processes),
    nameOf(uid, processes),
  ]);
  const whose = `"${found.path}" belongs to ${owner}, and this process runs as ${me}`;
  const who = name ?? String(uid);
  if (found.path !== folder && dirname(found.path) !== folder) {
    const advice = (await isMissing(folder, fs))
      ? `make the folder: sudo install -d -m 700 -o ${who} ${shellWord(folder)}`
      : `use a folder that ${who} can reach`;
    return `${whose}; ${advice}`;
  }
  const start =
    found.uid === 0 ? "started once with sudo? If it still runs, stop it; then" : "start it as that user, or";
  return `${whose}; ${start}: sudo chown -R ${who}: ${shellWord(folder)}`;
}

async function isMissing(path: string, fs: FileSystem): Promise<boolean> {
  return fs.stat(path).then(
    () => false,
    (error: unknown) => codeOf(error) === "ENOENT",
  );
}

/** A path as a shell takes it. */
const shellWord = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/** What went wrong in a folder, as `ERR_STORAGE`; and if it is that something belongs to another user, whose it is. */
export async function explainAccess(
  error: unknown,
  action: string,
  path: string,
  where: { readonly folder: string; readonly fs: FileSystem; readonly processes: ProcessProbe },
): Promise<Error> {
  const forbidden = ["EACCES", "EPERM"].includes(codeOf(error) ?? "");
  const foreign = forbidden ? await foreignOwner(where.folder, path, where.fs, where.processes) : undefined;
  if (foreign === undefined) return storageError(error, action, path);
  return new StorageError(`could not ${action} "${path}": ${foreign}`, { cause: error });
}

/**
 * Refuses to work as root in the folder of somebody who is not: what root writes there its owner could not read any more.
 * Nothing has been written yet.
 */
export async function refuseAsRoot(
  folder: string,
  owner: { readonly uid: number },
  processes: ProcessProbe,
): Promise<void> {
  if (processes.uid !== 0 || owner.uid === 0) return;
  const whose = await userText(owner.uid, processes);
  throw new StorageError(
    `"${folder}" belongs to ${whose}, and this process runs as root: what it wrote there they could not read; run it without sudo, or give the folder to root: chown -R root: ${shellWord(folder)}`,
  );
}

async function firstForeign(paths: readonly string[], uid: number, fs: FileSystem) {
  for (const path of paths) {
    const owner = await fs.stat(path).catch(() => undefined);
    if (owner !== undefined && owner.uid !== uid) return { path, uid: owner.uid };
  }
  return undefined;
}

async function pathsIn(folder: string, fs: FileSystem): Promise<readonly string[]> {
  const names = await fs.readdir(folder).catch(() => []);
  return names.map((name) => join(folder, name));
}

/** The folders above one, the nearest first. */
function above(folder: string): readonly string[] {
  const parent = dirname(folder);
  return parent === folder ? [] : [parent, ...above(parent)];
}
