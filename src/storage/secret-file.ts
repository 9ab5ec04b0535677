// Files that somebody else has put on the device, with secrets in them: a private key.
import { nodeFileSystem, type FileSystem } from "./file-system.ts";
import { systemProcesses } from "./process-probe.ts";

/** A file with a secret. */
export interface SecretFile {
  /** What is in it. */
  readonly content: Uint8Array;
  /** True if other users of the machine may read or change it. Windows does not say: false. */
  readonly exposed: boolean;
}

/** Reads it. Rejects with what the file system says, which has Node's `code`. */
export async function readSecretFile(
  path: string,
  {
    fs = nodeFileSystem,
    uid = systemProcesses.uid,
  }: { readonly fs?: FileSystem; readonly uid?: number | undefined } = {},
): Promise<SecretFile> {
  const content = await fs.readFile(path);
  const { mode } = await fs.stat(path);
  return { content, exposed: uid !== undefined && (mode & 0o077) !== 0 };
}
