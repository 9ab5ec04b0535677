// The remembered rights on disk.
import { Journal } from "../storage/journal.ts";
import type { Storage } from "../storage/storage.ts";
import { decodeRights, RIGHTS_FORMAT } from "./rights-file.ts";

/** The journal that holds the remembered rights. */
export function rightsJournal(storage: Storage): Journal {
  return new Journal({ storage, name: "rights", format: RIGHTS_FORMAT });
}

/** How many rights stand in the journal, and what was wrong with it. Writes nothing. */
export async function countRights(storage: Storage): Promise<{ readonly count: number; readonly problem?: string }> {
  const loaded = await rightsJournal(storage).load();
  const read = decodeRights(loaded.blocks, 0);
  const problem = loaded.problem ?? read.problem;
  return { count: read.rights.length, ...(problem !== undefined && { problem }) };
}
