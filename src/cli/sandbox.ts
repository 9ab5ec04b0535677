import { join } from "node:path";
import { startSandbox } from "../sandbox/sandbox.ts";
import { parse, wholeNumber } from "./args.ts";
import { exitCode } from "./io.ts";
import type { Command } from "./command.ts";
import { askNewThings } from "./pairing-desk.ts";

const OPTIONS = {
  port: { type: "string" },
  domain: { type: "string" },
  pair: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** `xmpp-thing sandbox`: the sandbox for people. */
export const sandbox: Command = {
  summary: "Run an XMPP server with Registry and Provisioning Server on this machine",
  help: `Usage: xmpp-thing sandbox [OPTIONS]

Runs an XMPP server, a Thing Registry and a Provisioning Server in one process, reachable from
this machine only, until Ctrl-C. Nothing is kept: each start is a new world.

  --port N          the port; default: a free one
  --domain NAME     the XMPP domain; default localhost
  --pair            the Provisioning Server is an account, and asks each Thing that
                    registers to trust it: its LED blinks, somebody presses its button
  --json            one line of JSON once it is ready (docs/sandbox.md lists its keys)
  --help`,
  async run(argv, io) {
    const { values, flags } = parse(argv, OPTIONS, []);
    const port = wholeNumber(values.get("port"), "port", 0, 65_535) ?? 0;
    const domain = values.get("domain") ?? "localhost";
    const pair = flags.has("pair");
    const hosting = pair ? ({ provisioning: "account" } as const) : {};
    await using site = await startSandbox({ port, domain, hosting });
    const folder = await io.makeFolder();
    try {
      const ca = join(folder, "ca.pem");
      await io.writeFile(ca, site.ca);
      const owner = site.addUser("owner");
      // The owner is who tries things out here: allowed to be a friend of every Thing, to read and to control it.
      site.provisioning.setRules([{ jid: owner.jid, friend: true, read: true, control: true }]);
      const facts = {
        service: site.service,
        domain: site.domain,
        ca,
        registry: site.registry.jid,
        provisioning: site.provisioning.jid,
        username: owner.username,
        password: owner.password,
      };
      if (flags.has("json")) io.out(JSON.stringify(facts));
      else for (const line of describe(facts, join(folder, "thing"))) io.out(line);
      // In the form for programs nothing else stands on stdout.
      const asking = pair ? askNewThings(site, flags.has("json") ? io.err : io.out, io.ended) : undefined;
      await ended(io.ended);
      await asking;
      if (!flags.has("json")) io.out("Stopped.");
      return exitCode.done;
    } finally {
      await io.removeFolder(folder);
    }
  },
};

interface Facts {
  readonly service: string;
  readonly domain: string;
  readonly ca: string;
  readonly registry: string;
  readonly provisioning: string;
  readonly username: string;
  readonly password: string;
}

/** @param state a folder that goes with the sandbox: a Thing whose account has gone with it would be refused for ever */
function describe(facts: Facts, state: string): readonly string[] {
  const { service, domain, ca, registry, provisioning, username, password } = facts;
  const server = `export THING_SERVICE=${service} THING_DOMAIN=${domain} THING_CA=${ca}`;
  return [
    `XMPP server            ${service}, domain ${domain}`,
    `Its authority          ${ca}`,
    `Thing Registry         ${registry}`,
    `Provisioning Server    ${provisioning}`,
    `Account to claim with  ${username}, password ${password}`,
    "",
    "In a second terminal, before you start the Thing:",
    `  ${server} THING_STATE=${state}`,
    "",
    "In a third, before you claim, read or control it:",
    `  ${server}`,
    `  export OWNER_USERNAME=${username} OWNER_PASSWORD=${password}`,
    "",
    "Ctrl-C stops it; it forgets everything then.",
  ];
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
