// State folders as Things have left them, in older formats and in ones to come.
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** A copy of the folder that a Thing has left in some format: claimed, trusted, two rights, one fault. All made up. */
export function stateOfFormat(format: 1 | 2 | 3 | 4 | 5): string {
  const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-state-"));
  cpSync(fixture(`state-${format}`), folder, { recursive: true });
  return folder;
}

/** That of format 1. */
export function stateOfFormat1(): string {
  return stateOfFormat(1);
}

/** Everything in a folder, byte for byte, with what the file system says of it. */
export function contentOf(folder: string): ReadonlyMap<string, string> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "latin1")]));
}

/** Removes a folder. */
export function removeState(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
