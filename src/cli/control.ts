import { StanzaError, TimeoutError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { UsageError, parse } from "./args.ts";
import { exitCode } from "./io.ts";
import { nodeHelp, nodeOf, nodeOptions } from "./named-thing.ts";
import type { Command } from "./command.ts";
import { jsonText, printable } from "./printable.ts";

/** `xmpp-thing control JID NAME=true` (XEP-0325 3.1.2, 3.2.1). */
export const control: Command = {
  summary: "Set what can be controlled of a Thing",
  help: `Usage: xmpp-thing control JID NAME=true|false ... [OPTIONS]

Sets parameters of a Thing, in this order. A bare JID (name@domain) is befriended first; a full one
(name@domain/resource) is told as it is. Ends with 1 if you may not set all of them.

${nodeHelp}
${accountHelp}`,
  async run(argv, io) {
    const args = parse(argv, { ...accountOptions, ...nodeOptions }, ["JID", "NAME=true|false..."]);
    const [jid = "", ...words] = args.operands;
    const address = tryParseJid(jid);
    if (address === undefined || address.local === "") {
      throw new UsageError(`"${jid}" is not the address of a Thing, name@domain`);
    }
    const values = valuesOf(words);
    const thing = { jid, node: nodeOf(args) };
    await using connection = await connectAs(args, io);
    const owner = new OwnerClient(connection);
    const { parameters } = await explained(
      owner.control(thing, values, { timeout: timeoutOf(args), signal: io.ended }),
    );
    const left = [...values.keys()].filter((name) => !parameters.includes(name));
    if (args.flags.has("json")) io.out(jsonText({ set: parameters, notAllowed: left }));
    else for (const name of parameters) io.out(printable(`${name}: ${String(values.get(name))}`));
    if (left.length === 0) return exitCode.done;
    io.err(`You may not set: ${left.join(", ")}`);
    return exitCode.failed;
  },
};

function valuesOf(words: readonly string[]): ReadonlyMap<string, boolean> {
  const values = new Map<string, boolean>();
  for (const word of words) {
    const [, name, value] = /^(.+)=(true|false)$/s.exec(word) ?? [];
    if (name === undefined) throw new UsageError(`"${word}" is not NAME=true or NAME=false`);
    if (values.has(name)) throw new UsageError(`"${name}" is given twice`);
    values.set(name, value === "true");
  }
  return values;
}

async function explained<T>(controlling: Promise<T>): Promise<T> {
  try {
    return await controlling;
  } catch (error) {
    if (error instanceof TimeoutError) {
      const why = "it is offline, not claimed yet, or the address is wrong; whether it was set is not known";
      throw new TimeoutError(`${error.message}: ${why}`, { cause: error });
    }
    if (!(error instanceof StanzaError)) throw error;
    if (error.condition === "forbidden") {
      const who =
        "claim it first if nobody has, or ask who runs its provisioning server; names count upper and lower case";
      throw new Error(`you may not control this Thing: ${who}`, { cause: error });
    }
    if (error.condition === "service-unavailable") {
      const why = "it is offline, or no Thing, or one of which nothing can be controlled";
      throw new Error(`${error.message}: ${why}`, { cause: error });
    }
    const problems = error.parameters.map(({ name, text }) => `${name}: ${text}`).join("\n");
    if (problems === "") throw error;
    throw new Error(`${error.message}\n${problems}`, { cause: error });
  }
}
