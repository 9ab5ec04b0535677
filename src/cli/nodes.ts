import { StanzaError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import { nodeText } from "../codec/node-ref.ts";
import type { ConcentratorNode } from "../concentrator/concentrator-client.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { UsageError, parse } from "./args.ts";
import { exitCode } from "./io.ts";
import type { Command } from "./command.ts";
import { jsonText, printable } from "./printable.ts";

/** `xmpp-thing nodes JID` (XEP-0326). */
export const nodes: Command = {
  summary: "List the nodes behind a concentrator",
  help: `Usage: xmpp-thing nodes JID [OPTIONS]

Lists the nodes behind a concentrator: those that you may read. A bare JID (name@domain) is befriended first; a
full one (name@domain/resource) is asked as it is. Ends with 5 if there is none.

  --source ID       only the nodes of this data source
${accountHelp}`,
  async run(argv, io) {
    const args = parse(argv, { ...accountOptions, source: { type: "string" } }, ["JID"]);
    const [jid = ""] = args.operands;
    const address = tryParseJid(jid);
    if (address === undefined || address.local === "") {
      throw new UsageError(`"${jid}" is not the address of a Thing, name@domain`);
    }
    const sourceId = args.values.get("source");
    await using connection = await connectAs(args, io);
    const owner = new OwnerClient(connection);
    const limits = { timeout: timeoutOf(args), signal: io.ended };
    const found = await explained(owner.nodes(jid, { ...limits, ...(sourceId !== undefined && { sourceId }) }));
    if (args.flags.has("json")) io.out(jsonText(found));
    else for (const node of found) io.out(printable(toLine(node)));
    if (found.length > 0) return exitCode.done;
    io.err("There are no nodes that you may read.");
    return exitCode.nothing;
  },
};

async function explained<T>(listing: Promise<T>): Promise<T> {
  try {
    return await listing;
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    const why: Readonly<Record<string, string>> = {
      forbidden: "you may read no node of it: claim one, or ask who runs its provisioning server",
      "item-not-found": "there is no such data source, or no node in it that you may read",
      "service-unavailable": "it is offline, or no concentrator",
    };
    const reason = Object.hasOwn(why, error.condition) ? why[error.condition] : undefined;
    throw reason === undefined ? error : new Error(`${error.message}: ${reason}`, { cause: error });
  }
}

function toLine({ node, displayName, nodeType, isReadable, isControllable }: ConcentratorNode): string {
  const can = [...(isReadable ? ["read"] : []), ...(isControllable ? ["control"] : [])];
  const said = [displayName, nodeType, can.length === 0 ? undefined : can.join(" and ")];
  return [nodeText(node), ...said.filter((one) => one !== undefined)].join(": ");
}
