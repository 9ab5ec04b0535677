import { StorageError } from "../core/errors.ts";
import { version } from "../core/version.ts";

/** What is kept was written by a newer version of the library: it is left as it is. */
export class NewerFormatError extends StorageError {
  /**
   * @param name of the document or journal
   * @param found the format it is in
   * @param known the newest format that this library knows
   * @param by the version of the library that wrote it, if the file says so
   */
  constructor(name: string, found: number, known: number, by: unknown) {
    const writer = writerOf(by);
    const written = writer === undefined ? "" : `, written by xmpp-thing ${writer}`;
    const wanted = writer === undefined ? "a newer xmpp-thing" : `xmpp-thing ${writer} or newer`;
    super(
      `"${name}" is in format ${found}${written}; this library (${version}) knows formats up to ${known}: use ${wanted}; nothing was touched`,
    );
    this.name = "StorageError";
  }
}

/** What stands in a file may be anything, and ends up in a terminal. */
function writerOf(by: unknown): string | undefined {
  return typeof by === "string" && /^[\w.+-]{1,40}$/.test(by) ? by : undefined;
}
