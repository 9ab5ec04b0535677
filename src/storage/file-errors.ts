import { isSdkError, messageOf, StorageError } from "../core/errors.ts";
import { codeOf } from "./file-system.ts";

const advice: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "the disk is full; make room on it"],
  ["EDQUOT", "the disk quota is used up; make room"],
  ["EACCES", "permission denied; let the user that runs the Thing own the folder and all in it"],
  ["EPERM", "not permitted; let the user that runs the Thing own the folder and all in it"],
  ["EROFS", "the file system is read-only; make it writable or use another folder"],
  ["EIO", "the disk reports a defect; replace it"],
  ["EMFILE", "this process has too many files open; raise its limit (ulimit -n)"],
  ["ENFILE", "the machine has too many files open"],
  ["ENOTDIR", "a part of the path is a file; use another folder"],
  ["EEXIST", "a file is where the folder should be; use another folder"],
  ["EISDIR", "a folder is where a file should be; use a folder that holds nothing else"],
  ["ENOENT", "the folder has been removed; start again"],
]);

/** Turns what a file system threw into `ERR_STORAGE` that says what was tried, where, and what to do about it. */
export function storageError(error: unknown, action: string, path: string): Error {
  if (isSdkError(error)) return error;
  const code = codeOf(error);
  const isNowhere = action === "make" && code === "ENOENT";
  const hint = isNowhere
    ? "no folder can be made there; use another one"
    : (advice.get(code ?? "") ?? messageOf(error));
  return new StorageError(`could not ${action} "${path}": ${hint}${code === undefined ? "" : ` (${code})`}`, {
    cause: error,
  });
}
