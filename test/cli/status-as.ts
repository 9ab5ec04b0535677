// The command line as another user: loads what it needs, becomes that user, runs, and ends with the exit code.
import { main } from "../../src/cli/main.ts";
import "../../src/cli/reset.ts";
import "../../src/cli/status.ts";
import { FakeIo } from "../support/fake-io.ts";

const [user, ...argv] = process.argv.slice(2);
process.setgroups?.([]);
process.setgid?.(Number(user));
process.setuid?.(Number(user));
const io = new FakeIo();
process.exitCode = await main(argv, io);
process.stdout.write([...io.lines, ...io.errors].join("\n"));
