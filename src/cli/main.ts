// `npx xmpp-thing …`: which command, and what its end means.
import { isSdkError, messageOf } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { UsageError } from "./args.ts";
import type { Command } from "./command.ts";
import { exitCode, type ExitCode, type Io } from "./io.ts";
import { printableLines } from "./printable.ts";

// Loaded when called: reading a Thing does not need the sandbox and its certificates.
const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["demo", async () => (await import("./demo.ts")).demo],
  ["sandbox", async () => (await import("./sandbox.ts")).sandbox],
  ["discover", async () => (await import("./discover.ts")).discover],
  ["qr", async () => (await import("./qr.ts")).qr],
  ["claim", async () => (await import("./claim.ts")).claim],
  ["status", async () => (await import("./status.ts")).status],
  ["reset", async () => (await import("./reset.ts")).reset],
  ["search", async () => (await import("./search.ts")).search],
  ["update", async () => (await import("./owned.ts")).update],
  ["remove", async () => (await import("./owned.ts")).remove],
  ["disown", async () => (await import("./owned.ts")).disown],
  ["nodes", async () => (await import("./nodes.ts")).nodes],
  ["read", async () => (await import("./read.ts")).read],
  ["control", async () => (await import("./control.ts")).control],
]);

const general = `Usage: xmpp-thing COMMAND [OPTIONS]

  demo             Watch a Thing being paired by LED and button, or claimed and read
  sandbox          Run an XMPP server with Registry and Provisioning Server on this machine
  discover         Tell which XMPP servers are heard of here, and which prove themselves
  qr TEXT          Make the QR code of a claim text: in the terminal, as SVG or as PNG
  claim TEXT       Claim a Thing by the text of its QR code
  search COND ...  Search for public Things: 'MAN=www.ktc.se' 'V>=1' 'SN=39487*'
  update JID ...   Change what the Registry shows of a Thing of yours: NAME=VALUE
  remove JID       Take a Thing of yours out of searches
  disown JID       Give a Thing of yours up
  nodes JID        List the nodes behind a concentrator
  read JID         Read a Thing
  control JID ...  Set what can be controlled of a Thing, NAME=VALUE; --form shows what that is
  status           Tell who a Thing is, whose, and what was wrong last
  reset            Make a Thing a new one: factory reset, while it is off

xmpp-thing COMMAND --help tells more. xmpp-thing --version tells the version.`;

/** Runs the tool. Resolves to the exit code; never rejects. */
export async function main(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [name, ...args] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    (name === undefined ? io.err : io.out)(general);
    return name === undefined ? exitCode.usage : exitCode.done;
  }
  if (name === "--version") {
    io.out(version);
    return exitCode.done;
  }
  const load = commands.get(name);
  if (load === undefined) {
    io.err(`xmpp-thing: there is no command "${name}"\n\n${general}`);
    return exitCode.usage;
  }
  const command = await load();
  if (args.includes("--help") || args.includes("-h")) {
    io.out(command.help);
    return exitCode.done;
  }
  try {
    return await command.run(args, io);
  } catch (error) {
    return explain(error, name, io);
  }
}

/** Says what went wrong, in a way that says what to do, and gives it its exit code. */
function explain(error: unknown, command: string, io: Io): ExitCode {
  if (error instanceof UsageError) {
    io.err(`xmpp-thing ${command}: ${error.message}\nTry: xmpp-thing ${command} --help`);
    return exitCode.usage;
  }
  // Others may have written a part of it: a Registry or a Thing that refuses says why in its own words.
  io.err(printableLines(`xmpp-thing ${command}: ${messageOf(error)}`));
  if (!isSdkError(error)) return exitCode.failed;
  switch (error.code) {
    case "ERR_CONFIG":
      return exitCode.usage;
    case "ERR_TIMEOUT":
      return exitCode.noAnswer;
    case "ERR_CONNECTION":
    case "ERR_TLS_POLICY":
      return exitCode.noConnection;
    default:
      return exitCode.failed;
  }
}
