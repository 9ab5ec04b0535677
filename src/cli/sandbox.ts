import { join, resolve } from "node:path";
import type { AnnounceOptions } from "../sandbox/announce.ts";
import type { Rule } from "../sandbox/rules.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../sandbox/sandbox.ts";
import { RegistrationError, StorageError } from "../core/errors.ts";
import { randomToken, systemRandom } from "../core/random.ts";
import { UsageError, parse, wholeNumber } from "./args.ts";
import { exitCode, type Io } from "./io.ts";
import type { Command } from "./command.ts";
import { askPeople } from "./ask-desk.ts";
import { askNewThings } from "./pairing-desk.ts";

const OPTIONS = {
  port: { type: "string" },
  domain: { type: "string" },
  pair: { type: "boolean" },
  ask: { type: "boolean" },
  rights: { type: "string" },
  also: { type: "string", multiple: true },
  announce: { type: "boolean" },
  interface: { type: "string" },
  dhcp: { type: "boolean" },
  data: { type: "string" },
  json: { type: "boolean" },
} as const;

/** `xmpp-thing sandbox`: the sandbox for people. */
export const sandbox: Command = {
  summary: "Run an XMPP server with Registry and Provisioning Server on this machine",
  help: `Usage: xmpp-thing sandbox [OPTIONS]

Runs an XMPP server, a Thing Registry and a Provisioning Server in one process, until Ctrl-C,
reachable from this machine only unless announced. Each start is a new world, unless a folder is
given for what Things rely on.

  --port N          the port; default: a free one, announced 5222
  --domain NAME     the XMPP domain; default localhost, announced sandbox.local
  --announce        listens on the local network, and tells it so by multicast DNS: Things on it
                    find the sandbox by themselves. Whoever is on it can make an account
  --interface NAME  the network to announce it on; default: the only one
  --dhcp            with --announce: answers too when Things ask by DHCP. Gives no addresses
                    away; must be root, on a machine that is no DHCP server
  --data DIR        keeps Things, owners, accounts, rules, certificate and port there: Things come
                    back to it when it starts again (needs the package: npm i classic-level)
  --pair            the Provisioning Server is an account, and asks each Thing that
                    registers to trust it: its LED blinks, somebody presses its button
  --ask             shows here who asks for what that no rule decides, one question at a time, and
                    takes the answer: once, always, domain, never. Until then it is refused
  --rights RIGHTS   what it lets the owner do: any of friend,read,control, or none; default: all
  --also NAME       or NAME=RIGHTS: one more Provisioning Server, which lets the owner do that much;
                    default: none. Given again, one more: see how their answers are joined
  --json            one line of JSON once it is ready (docs/sandbox.md lists its keys)
  --help`,
  async run(argv, io) {
    const { values, lists, flags } = parse(argv, OPTIONS, []);
    const port = wholeNumber(values.get("port"), "port", 0, 65_535);
    const domain = values.get("domain");
    const pair = flags.has("pair");
    const how = pair ? "account" : "component";
    const rights = rightsOf(values.get("rights") ?? Object.keys(ALL).join(), "--rights");
    const also = (lists.get("also") ?? []).map((text) => furtherServer(text));
    const json = flags.has("json");
    const ask = flags.has("ask");
    if (json && ask) throw new UsageError("--ask asks people: it goes without --json");
    // In the form for programs nothing else stands on stdout.
    const tell = json ? io.err : io.out;
    const announce = announceOptions(values.get("interface"), flags, tell);
    const data = values.get("data");
    if (data === "") throw new UsageError("--data: needs the path of a folder");
    await using site = await startSandbox({
      ...(port !== undefined && { port }),
      ...(domain !== undefined && { domain }),
      hosting: { provisioning: how },
      // A Thing that trusts the first would refuse to pair with the others else (XEP-0324 3.1.4).
      provisioning: { secondaryTrustAllowed: pair && also.length > 0 },
      furtherProvisioning: also.map(({ name }) => ({ name, hosting: how })),
      ...(announce !== undefined && { announce }),
      ...(data !== undefined && { data }),
    });
    // Whole: what it tells is typed in other terminals, which are in other folders.
    const folder = data === undefined ? await io.makeFolder() : resolve(data);
    try {
      const ca = join(folder, "ca.pem");
      await writeOwn(ca, site.ca, (text) => site.ca.startsWith(text), io);
      const owner = data === undefined ? site.addUser("owner") : await keptOwner(site, join(folder, "owner.json"), io);
      // The owner is who tries things out here.
      const given = [rights, ...also.map((server) => server.rights)];
      const isSaid = [values.get("rights"), ...(lists.get("also") ?? []).map((text) => /=/.exec(text)?.[0])];
      site.provisioningServers.forEach((server, i) => {
        // What somebody has decided since the first start holds, unless another wish is said.
        if (server.rules.length > 0 && isSaid[i] === undefined) return;
        const rules = [{ ...given[i], jid: owner.jid }];
        if (server.rules.length !== 1 || JSON.stringify(sorted(server.rules[0])) !== JSON.stringify(sorted(rules[0])))
          server.setRules(rules);
      });
      await Promise.all(site.provisioningServers.map((server) => server.settled()));
      const [, ...further] = site.provisioningServers.map(({ jid }) => jid);
      const facts = {
        service: site.service,
        domain: site.domain,
        ca,
        registry: site.registry.jid,
        provisioning: site.provisioning.jid,
        username: owner.username,
        password: owner.password,
        ...(further.length > 0 && { furtherProvisioning: further }),
        ...(site.announcement !== undefined && {
          interface: site.announcement.interface,
          machine: site.announcement.machine,
        }),
      };
      if (json) io.out(JSON.stringify(facts));
      else for (const line of describe(facts, { state: join(folder, "thing"), data }, io)) io.out(line);
      const asking = pair ? askNewThings(site, tell, io.ended) : undefined;
      const answering = ask
        ? askPeople({
            servers: site.provisioningServers,
            tell,
            readLine: (prompt) => io.readLine(prompt),
            signal: io.ended,
          })
        : undefined;
      await ended(io.ended);
      await Promise.all([asking, answering]);
      if (!json) io.out("Stopped.");
      return exitCode.done;
    } finally {
      if (data === undefined) await io.removeFolder(folder);
    }
  },
};

/** What a rule may allow. */
type Rights = Pick<Rule, "friend" | "read" | "control">;
const ALL: Rights = { friend: true, read: true, control: true };

/** The parts of a rule in an order that is always the same. */
function sorted(rule: Rule | undefined): unknown {
  return Object.entries(rule ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Reads a list of rights. Throws a {@link UsageError} for words that are none. */
function rightsOf(text: string, option: string): Rights {
  if (text === "none") return {};
  const named = text.split(",");
  const unknown = named.find((name) => !Object.hasOwn(ALL, name));
  if (unknown !== undefined)
    throw new UsageError(`${option}: "${unknown}" is none of friend, read, control; or say none`);
  return Object.fromEntries(named.map((name) => [name, true]));
}

/** Reads `NAME[=RIGHTS]`. Throws a {@link UsageError} for what is none. */
function furtherServer(text: string): { readonly name: string; readonly rights: Rights } {
  const [name = "", ...rest] = text.split("=");
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name))
    throw new UsageError(`--also: "${name}" is no name: small letters, digits, -`);
  if (["owner", "discovery", "provisioning"].includes(name)) throw new UsageError(`--also: "${name}" is taken`);
  return { name, rights: rightsOf(rest.length === 0 ? "none" : rest.join("="), `--also ${name}`) };
}

/** How to announce, if at all. Throws a {@link UsageError} for what makes no sense without. */
function announceOptions(
  network: string | undefined,
  flags: ReadonlySet<string>,
  tell: (line: string) => void,
): AnnounceOptions | undefined {
  if (!flags.has("announce")) {
    if (network !== undefined) throw new UsageError("--interface goes with --announce");
    if (flags.has("dhcp")) throw new UsageError("--dhcp goes with --announce");
    return undefined;
  }
  return {
    ...(network !== undefined && { interface: network }),
    dhcp: flags.has("dhcp"),
    onRename: (machine) =>
      tell(`Another machine on the network has taken the name: this one is called ${machine} now. Things find it.`),
  };
}

interface Facts {
  readonly service: string;
  readonly domain: string;
  readonly ca: string;
  readonly registry: string;
  readonly provisioning: string;
  readonly furtherProvisioning?: readonly string[];
  readonly username: string;
  readonly password: string;
  readonly interface?: string;
  readonly machine?: string;
}

/** The owner's account, with the password of last time: whoever has written it down need not do so again. */
async function keptOwner(site: Sandbox, path: string, io: Io): Promise<SandboxUser> {
  const known = await passwordIn(path, io);
  const password = known ?? randomToken(systemRandom, 12);
  const isOwn = (text: string): boolean => text === "{}" || OWNER.startsWith(text) || text.startsWith(OWNER);
  if (known === undefined) await writeOwn(path, `${JSON.stringify({ username: "owner", password })}\n`, isOwn, io);
  try {
    return site.addUser("owner", password);
  } catch (error) {
    if (!(error instanceof RegistrationError) || error.condition !== "conflict") throw error;
    site.setPassword("owner", password);
    return { jid: `owner@${site.domain}`, username: "owner", password };
  }
}

/** What is kept of the owner begins so. */
const OWNER = '{"username":"owner","password":"';

/** The password in a file; `undefined` if there is no such file, or a start that was cut off has left a part of it. */
async function passwordIn(path: string, io: Io): Promise<string | undefined> {
  try {
    const { password } = JSON.parse(await io.readFile(path)) as { readonly password?: unknown };
    return typeof password === "string" && password !== "" ? password : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a file of the sandbox's own. One of that name that somebody else has put there stays as it is: `ERR_STORAGE`. */
async function writeOwn(path: string, content: string, isOwn: (text: string) => boolean, io: Io): Promise<void> {
  const before = await io.readFile(path).catch(() => undefined);
  if (before === content) return;
  if (before !== undefined && !isOwn(before))
    throw new StorageError(
      `--data: "${path}" is there already, and is not of this sandbox: move it, or give another folder`,
    );
  await io.writeFile(path, content);
}

/** Where things are kept. */
interface Places {
  /** A folder that goes with the sandbox: a Thing whose account has gone with it would be refused for ever. */
  readonly state: string;
  /** The sandbox's own folder, if it keeps anything. */
  readonly data: string | undefined;
}

function describe(facts: Facts, { state, data }: Places, io: Io): readonly string[] {
  const { service, domain, ca, registry, provisioning, username, password, machine } = facts;
  const server = `export THING_SERVICE=${service} THING_DOMAIN=${domain} THING_CA=${quoted(ca)}`;
  return [
    `XMPP server            ${service}, domain ${domain}`,
    `Its authority          ${ca}`,
    `Thing Registry         ${registry}`,
    `Provisioning Server    ${provisioning}`,
    ...(facts.furtherProvisioning ?? []).map((jid) => `                  and  ${jid}`),
    `Account to claim with  ${username}, password ${password}`,
    ...(machine === undefined
      ? ["", "In a second terminal, before you start the Thing:", `  ${server} THING_STATE=${quoted(state)}`]
      : onTheNetwork(facts, machine, io)),
    "",
    machine === undefined
      ? "In a third, before you claim, read or control it:"
      : "In a third terminal here, before you claim, read or control it:",
    `  ${server}`,
    `  export OWNER_USERNAME=${username} OWNER_PASSWORD=${password}`,
    "",
    data === undefined
      ? "Ctrl-C stops it; it forgets everything then."
      : `Ctrl-C stops it; started again with --data ${quoted(data)}, it goes on as it was.`,
  ];
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** What to do so that a Thing on another machine, which knows nothing, comes here. */
function onTheNetwork({ interface: network = "", ca, domain }: Facts, machine: string, io: Io): readonly string[] {
  // The file is the user's who runs this, and nobody else's.
  const sudo = io.env["SUDO_USER"] === undefined ? "" : "sudo ";
  return [
    `Announced on           ${network}, as ${machine}`,
    "",
    ...(domain.endsWith(".local") && machine !== domain
      ? [`Another machine here is called ${domain} already; another --domain tells them apart.`, ""]
      : []),
    "A Thing on this network finds the sandbox by itself. It needs one file, so that",
    "it trusts no other one: the authority. In a second terminal here, with the name",
    "of the Pi and of its user:",
    `  ${sudo}scp ${quoted(ca)} pi@raspberrypi.local:ca.pem`,
    "On the Pi, where the project is, with nothing else set (a Thing that was started",
    "before: THING_STATE=, a new folder):",
    "  THING_CA=~/ca.pem npm run -s example thermometer",
  ];
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
