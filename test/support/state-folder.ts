// State folders as Things have left them, in older formats and in ones to come.
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const fixture = fileURLToPath(new URL("../fixtures/state-1", import.meta.url));

/** A copy of the folder that version 0.1.0 has left in format 1: claimed, trusted, two rights, one fault. All made up. */
export function stateOfFormat1(): string {
  const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-state-"));
  cpSync(fixture, folder, { recursive: true });
  return folder;
}

/** Everything in a folder, byte for byte, with what the file system says of it. */
export function contentOf(folder: string): ReadonlyMap<string, string> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "latin1")]));
}

/** Removes a folder. */
export function removeState(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
