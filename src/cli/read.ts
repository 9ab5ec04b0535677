import { StanzaError, TimeoutError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import type { Field, FieldGroup } from "../codec/sensor-data.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import { ReadoutError } from "../sensor/readout-error.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { UsageError, parse } from "./args.ts";
import { exitCode } from "./io.ts";
import { nodeHelp, nodeOf, nodeOptions } from "./named-thing.ts";
import type { Command } from "./command.ts";
import { jsonText, printable } from "./printable.ts";

/** `xmpp-thing read JID` (XEP-0323 3.1). */
export const read: Command = {
  summary: "Read a Thing",
  help: `Usage: xmpp-thing read JID [OPTIONS]

Reads what you may see of a Thing. A bare JID (name@domain) is befriended first; a full one
(name@domain/resource) is asked as it is.

  --field NAME      read only this field
  --type TYPE       momentary (default), status, computed, identity, peak, all, …
${nodeHelp}
${accountHelp}`,
  async run(argv, io) {
    const own = { field: { type: "string" }, type: { type: "string" } } as const;
    const options = { ...accountOptions, ...nodeOptions, ...own };
    const args = parse(argv, options, ["JID"]);
    const [jid = ""] = args.operands;
    if (jid.startsWith("IoTDisco")) throw new UsageError("this is a claim text: use xmpp-thing claim");
    const address = tryParseJid(jid);
    if (address === undefined || address.local === "") {
      throw new UsageError(`"${jid}" is not the address of a Thing, name@domain`);
    }
    const types = typesOf(args.values.get("type") ?? "momentary");
    const field = args.values.get("field");
    const thing = { jid, node: nodeOf(args) };
    await using connection = await connectAs(args, io);
    const owner = new OwnerClient(connection);
    const wanted = { types, ...(field !== undefined && { fields: [field] }) };
    const reading = owner.read(thing, { ...wanted, timeout: timeoutOf(args), signal: io.ended });
    const { groups, failure } = await whatCame(allowed(reading));
    if (args.flags.has("json")) io.out(jsonText(groups.flatMap(toJson)));
    else for (const line of groups.flatMap(toLines)) io.out(printable(line));
    if (failure !== undefined) throw failure;
    if (groups.some((group) => group.fields.length > 0)) return exitCode.done;
    io.err("The Thing has nothing to show of what you asked for.");
    return exitCode.nothing;
  },
};

function typesOf(text: string): readonly FieldType[] {
  if (text === "all") return fieldTypes;
  const type = fieldTypes.find((one) => one === text);
  if (type === undefined) throw new UsageError(`--type must be all or one of ${fieldTypes.join(", ")}`);
  return [type];
}

async function allowed<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof TimeoutError) {
      const why = "it is offline, not claimed yet, or the address is wrong";
      throw new TimeoutError(`${error.message}: ${why}`, { cause: error });
    }
    if (!(error instanceof StanzaError)) throw error;
    if (error.condition === "service-unavailable") {
      const why = "it is offline, or no Thing, or one that has nothing to read";
      throw new Error(`${error.message}: ${why}`, { cause: error });
    }
    if (error.condition !== "forbidden") throw error;
    const who = "claim it first if nobody has, or ask who runs its provisioning server";
    throw new Error(`you may not read this Thing: ${who}`, { cause: error });
  }
}

/** What was read, also where something else failed. */
async function whatCame(
  reading: Promise<readonly FieldGroup[]>,
): Promise<{ groups: readonly FieldGroup[]; failure?: ReadoutError }> {
  try {
    return { groups: await reading };
  } catch (error) {
    if (!(error instanceof ReadoutError) || error.groups.length === 0) throw error;
    return { groups: error.groups, failure: error };
  }
}

const valueText = (field: Field): string =>
  field.kind === "numeric" ? (field.unit === "" ? field.text : `${field.text} ${field.unit}`) : String(field.value);

function toLines({ node, fields }: FieldGroup): readonly string[] {
  const prefix = node.nodeId === "" ? "" : `${node.nodeId} `;
  return fields.map((field) => `${prefix}${field.name}: ${valueText(field)}`);
}

function toJson({ node, timestamp, fields }: FieldGroup): readonly object[] {
  return fields.map((field) => ({
    ...(node.nodeId !== "" && { node }),
    timestamp,
    name: field.name,
    value: typeof field.value === "bigint" ? String(field.value) : field.value,
    ...(field.kind === "numeric" && { text: field.text, unit: field.unit }),
    types: [...field.types],
  }));
}
