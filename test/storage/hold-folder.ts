// A process of its own for the lock's tests: each line it gets is a folder to open; it answers "won" or what kept it out.
// Given a number, it is that user once it has loaded what it needs.
import { createInterface } from "node:readline";
import { messageOf } from "../../src/core/errors.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";

const user = process.argv[2];
if (user !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(Number(user));
  process.setuid?.(Number(user));
}
process.stdout.write("ready\n");
for await (const folder of createInterface({ input: process.stdin })) {
  await fileStorage(folder)
    .open()
    .then(
      () => process.stdout.write("won\n"),
      (error: unknown) => process.stdout.write(`${messageOf(error)}\n`),
    );
}
