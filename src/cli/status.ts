import { hostname } from "node:os";
import { nodeText } from "../codec/node-ref.ts";
import { adviceFor } from "../thing/fault-advice.ts";
import type { SavedServer } from "../discovery/cached.ts";
import {
  inspectFolder,
  type Inspection,
  type SavedIdentification,
  type SavedIdentity,
  type SavedNode,
} from "../thing/inspect.ts";
import type { SavedFault } from "../thing/last-fault.ts";
import type { Ownership, Trust } from "../thing/state.ts";
import { UsageError, parse, type Arguments } from "./args.ts";
import { exitCode, type Io } from "./io.ts";
import type { Command } from "./command.ts";
import { jsonText, printable } from "./printable.ts";
import { outLabelled } from "./wrap.ts";

/** `xmpp-thing status --state DIR`: what a Thing's folder says of it. */
export const status: Command = {
  summary: "Tell who a Thing is, whose, and what was wrong last",
  help: `Usage: xmpp-thing status --state DIR [OPTIONS]

Tells what the state folder of a Thing says of it: account, owner, trust, how many rights it
remembers, its certificate, who has given it tokens, its last fault and what to do about that, and
whether it runs now. Also while it runs: nothing is written. Shows no password, KEY, token or key.

  --state DIR       THING_STATE     the folder given to fileStorage
  --json                            one line of JSON (docs/troubleshooting.md lists its keys)
  --help

Ends with 0 if the Thing can start from this folder, 5 if there is none in it, 1 if it cannot be
read.`,
  async run(argv, io) {
    const args = parse(argv, { state: { type: "string" }, json: { type: "boolean" } } as const, []);
    const found = await inspectFolder(stateFolder(args, io));
    const nothing = nothingIn(found);
    if (args.flags.has("json")) io.out(jsonText(toJson(found)));
    else if (nothing === undefined) for (const [name, text] of toLines(found)) outLabelled(io, name, text, 12);
    if (nothing !== undefined) {
      io.err(nothing);
      return exitCode.nothing;
    }
    const parts = [found.identity, found.rights, found.tokens, found.nodes, found.fault];
    return parts.some(({ is }) => is === "unreadable") ? exitCode.failed : exitCode.done;
  },
};

/** The folder that a command is about. */
export function stateFolder({ values }: Arguments, io: Io): string {
  const folder = values.get("state") ?? io.env["THING_STATE"];
  if (folder === undefined || folder === "") throw new UsageError("give --state DIR, or set THING_STATE");
  return folder;
}

/** Why there is no Thing in a folder; `undefined` if there is one, or one is just being made. */
export function nothingIn({ folder, kind, identity, holder }: Inspection): string | undefined {
  const name = printable(JSON.stringify(folder));
  switch (kind) {
    case "absent":
      return `There is no folder ${name}.`;
    case "empty":
      return `${name} is empty: no Thing was started on it yet.`;
    case "foreign":
      return `${name} holds other things, but no Thing: is it the folder that the program gives to fileStorage?`;
    case "state":
      if (identity.is !== "none" || holder !== undefined) return undefined;
      return `${name} holds no Thing: it was reset, or none has got further than opening it. The next start makes a new one.`;
  }
}

/** A label, empty where a line belongs to the one before, and what it tells. */
type Line = readonly [label: string, text: string];

function toLines({ folder, holder, identity, rights, tokens, nodes, fault, server }: Inspection): readonly Line[] {
  const line = (name: string, text: string): Line => [name, text];
  return [
    line("Folder", folder),
    line("Runs now", holder === undefined ? "no" : `yes: ${holder.text} on ${hostname()}`),
    ...(identity.is === "none" ? [line("Account", "none yet: the first start makes one")] : []),
    ...(identity.is === "unreadable" ? [line("Account", `cannot be read: ${identity.why}`)] : []),
    ...(identity.is === "read" ? identityLines(identity.value) : []),
    ...(identity.is === "read" && identity.problem !== undefined ? [line("", identity.problem)] : []),
    ...(server.is === "read" ? [line("Server", serverText(server.value))] : []),
    ...(server.is === "unreadable" ? [line("Server", `${server.why}; it is searched for again`)] : []),
    line("Rights", rights.is === "unreadable" ? rights.why : `${rights.is === "read" ? rights.value : 0} remembered`),
    ...(rights.is === "read" && rights.problem !== undefined ? [line("", `${rights.problem}: asked again`)] : []),
    ...(tokens.is === "read" ? tokenLines(tokens.value) : []),
    ...(tokens.is === "read" && tokens.problem !== undefined ? [line("", tokens.problem)] : []),
    ...(tokens.is === "unreadable" ? [line("Certificate", tokens.why)] : []),
    ...(nodes.is === "read" ? nodeLines(nodes.value) : []),
    ...(nodes.is === "read" && nodes.problem !== undefined
      ? [line("", `${nodes.problem}: the Registry is asked`)]
      : []),
    ...(nodes.is === "unreadable" ? [line("Nodes", nodes.why)] : []),
    ...(fault.is === "none" ? [line("Last fault", "none")] : []),
    ...(fault.is === "unreadable" ? [line("Last fault", fault.why)] : []),
    ...(fault.is === "read"
      ? faultLines(fault.value).map((text, index) => line(index === 0 ? "Last fault" : "", text))
      : []),
  ];
}

const NO_ACCOUNT = "none yet: no server was found that makes one";

function identityLines({ jid, pending, elsewhere, ownership, trust }: SavedIdentity): readonly Line[] {
  const registry = registryOf(ownership);
  return [
    ["Account", jid === undefined ? NO_ACCOUNT : `${jid}${pending ? " (not made on the server yet)" : ""}`],
    ...elsewhere.map((account) => ["", `${account}, of before`] as const),
    ["Owner", ownerText(ownership)],
    ["Registry", registry],
    ["Trust", trustText(trust, ownership)],
  ];
}

/** By its fingerprint the operator of a provisioning server knows which Thing it is. */
function tokenLines({ fingerprint, made, servers }: SavedIdentification): readonly Line[] {
  return [
    ["Certificate", `SHA-256 ${fingerprint ?? "unknown"}${made ? ", made on the Thing" : ""}`],
    ["Tokens", servers.length === 0 ? "none" : `${servers.length}, of ${servers.join(", ")}`],
  ];
}

// Who has more sees all of them with --json.
const MOST_NODES = 20;

/** The nodes behind it that have an owner: of others nothing is kept. */
function nodeLines(nodes: readonly SavedNode[]): readonly Line[] {
  const owned = nodes.flatMap(({ node, ownership }) =>
    ownership.is === "claimed" ? [`${nodeText(node)}: ${ownership.owner}${ownership.public ? "" : " (private)"}`] : [],
  );
  const more = owned.length - MOST_NODES;
  const shown = [...owned.slice(0, MOST_NODES), ...(more > 0 ? [`and ${more} more`] : [])];
  return [
    ["Nodes", owned.length === 0 ? "none with an owner" : `${owned.length} with an owner`],
    ...shown.map((text): Line => ["", text]),
  ];
}

function serverText({ host, port, directTls, domain, finder }: SavedServer): string {
  const at = host.includes(":") ? `[${host}]` : host;
  return `${domain} at ${directTls ? "xmpps" : "xmpp"}://${at}:${port}, found by ${finder}; tried first`;
}

function ownerText(ownership: Ownership): string {
  switch (ownership.is) {
    case "claimed":
      return `${ownership.owner}${ownership.public ? "" : " (private)"}`;
    case "selfOwned":
      return "itself (self-owned)";
    case "registered":
      return ownership.disownedBy === undefined ? "none yet" : `none any more; ${ownership.disownedBy} has disowned it`;
    case "unregistered":
      return "none yet";
  }
}

function registryOf(ownership: Ownership): string {
  if (ownership.is !== "unregistered") {
    const isRemoved = "listed" in ownership && !ownership.listed;
    return `${ownership.registry}${isRemoved ? " (removed there: nobody finds it)" : ""}`;
  }
  const left = ownership.leaving?.registry;
  return left === undefined ? "none yet" : `none yet; after a reset ${left} is still to forget it`;
}

function trustText(trust: Trust, ownership: Ownership): string {
  if (trust.is === "none") {
    return `no provisioning server: ${ownership.is === "claimed" ? "only the owner" : "nobody"} may read or control it`;
  }
  const servers = trust.servers.map(({ jid, origin }) => `${jid} (${origin})`).join(", ");
  return trust.locked ? `${servers}, locked` : servers;
}

function faultLines({ code, message, at, times, healed }: SavedFault): readonly string[] {
  const often = times > 1 ? `, ${times} times or more` : "";
  return [
    `${code}, ${timeText(at)}${often}${healed ? ", healed since" : ""}`,
    message,
    ...(healed ? [] : [`To do: ${adviceFor(code) ?? "unknown to this version of xmpp-thing"}`]),
  ];
}

/** By the device's own clock, which may have been wrong. */
function timeText(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "at an unknown time" : date.toISOString();
}

function toJson({ folder, kind, holder, identity, rights, tokens, nodes, fault, server }: Inspection): object {
  const known = identity.is === "read" ? identity.value : undefined;
  return {
    folder,
    kind,
    running: holder === undefined ? null : { pid: holder.pid, host: hostname(), text: holder.text },
    jid: known?.jid ?? null,
    pending: known?.pending ?? null,
    elsewhere: known?.elsewhere ?? [],
    ownership: known?.ownership ?? null,
    trust: known?.trust ?? null,
    rights: rights.is === "read" ? rights.value : null,
    certificate:
      tokens.is === "read" ? { fingerprint: tokens.value.fingerprint ?? null, made: tokens.value.made } : null,
    tokens: tokens.is === "read" ? tokens.value.servers : null,
    nodes: nodes.is === "read" ? nodes.value : null,
    server: server.is === "read" ? server.value : null,
    fault: fault.is === "read" ? { ...fault.value, advice: adviceFor(fault.value.code) ?? null } : null,
    problems: Object.entries({ identity, rights, tokens, nodes, fault, server }).flatMap(([part, found]) => {
      if (found.is === "unreadable") return [{ part, unreadable: true, message: found.why }];
      if (found.is === "read" && found.problem !== undefined)
        return [{ part, unreadable: false, message: found.problem }];
      return [];
    }),
  };
}
