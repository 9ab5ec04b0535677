// The remembered rights on disk.
import { Journal } from "../storage/journal.ts";
import type { Storage } from "../storage/storage.ts";
import { parseRight } from "./right.ts";

/** The format of what is remembered. */
export const RIGHTS_FORMAT = 1;

/** The journal that holds the remembered rights. */
export function rightsJournal(storage: Storage): Journal {
  return new Journal({ storage, name: "rights", format: RIGHTS_FORMAT });
}

/** How many rights stand in the journal, and what was wrong with it. Writes nothing. */
export async function countRights(storage: Storage): Promise<{ readonly count: number; readonly problem?: string }> {
  const { records, problem } = await rightsJournal(storage).load();
  // An answer that was asked again stands there twice.
  const keys = new Set(records.map((record) => parseRight(record)?.key));
  keys.delete(undefined);
  return { count: keys.size, ...(problem !== undefined && { problem }) };
}
