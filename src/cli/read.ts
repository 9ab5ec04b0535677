import { StanzaError, TimeoutError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import { formatXs, parseXs } from "../codec/xs-values.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import type { FieldReading } from "../sensor/field-reading.ts";
import type { ReadOptions } from "../sensor/read-options.ts";
import { ReadoutError } from "../sensor/readout-error.ts";
import type { Readout } from "../sensor/remote-readout.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { UsageError, parse, type Arguments } from "./args.ts";
import { exitCode, type Io } from "./io.ts";
import { nodeHelp, nodeOf, nodeOptions, withNodeHint } from "./named-thing.ts";
import type { Command } from "./command.ts";
import { jsonText, printable } from "./printable.ts";

/** `xmpp-thing read JID` (XEP-0323 3.1). */
export const read: Command = {
  summary: "Read a Thing",
  help: `Usage: xmpp-thing read JID [OPTIONS]

Reads what you may see of a Thing. A bare JID (name@domain) is befriended first; a full one
(name@domain/resource) is asked as it is. Values are shown as they come; Ctrl-C tells the
Thing that nobody waits any more.

  --field NAME      read only this field
  --type TYPE       momentary (default), status, computed, identity, peak, all, …
  --history         stored values in the place of what is now, each with its time
  --from TIME       no stored value before: 2026-03-07, 2026-03-07T16:24:30Z
  --to TIME         no stored value after
${nodeHelp}
${accountHelp}`,
  async run(argv, io) {
    const text = { type: "string" } as const;
    const own = { field: text, type: text, history: { type: "boolean" }, from: text, to: text } as const;
    const options = { ...accountOptions, ...nodeOptions, ...own };
    const args = parse(argv, options, ["JID"]);
    const [jid = ""] = args.operands;
    if (jid.startsWith("IoTDisco")) throw new UsageError("this is a claim text: use xmpp-thing claim");
    const address = tryParseJid(jid);
    if (address === undefined || address.local === "") {
      throw new UsageError(`"${jid}" is not the address of a Thing, name@domain`);
    }
    const field = args.values.get("field");
    const wanted: ReadOptions = { ...typesAndTime(args), ...(field !== undefined && { fields: [field] }) };
    const thing = { jid, node: nodeOf(args) };
    const show = args.flags.has("json") ? inJson(io) : inLines(io, wanted);
    await using connection = await connectAs(args, io);
    const reading = new OwnerClient(connection).read(thing, {
      ...wanted,
      timeout: timeoutOf(args),
      signal: io.ended,
      onStage: (stage) => stage === "queued" && io.err("The Thing reads later: waiting."),
    });
    const { count, failure } = await whatCame(reading, show);
    if (failure !== undefined) throw failure;
    if (count > 0) return exitCode.done;
    io.err("The Thing has nothing to show of what you asked for.");
    if (field !== undefined) io.err("Names count upper and lower case: without --field you see what there is.");
    return exitCode.nothing;
  },
};

/** What is asked for of now and of the past. */
function typesAndTime(args: Arguments): ReadOptions {
  const [from, to] = [momentOf(args, "from", "T00:00:00"), momentOf(args, "to", "T24:00:00")];
  const type = args.values.get("type");
  if (type !== undefined && args.flags.has("history")) throw new UsageError("--type or --history, not both");
  const isPast = args.flags.has("history") || from !== undefined || to !== undefined;
  const types = type === undefined && isPast ? historicalTypes : typesOf(type ?? "momentary");
  return { types, ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

/** A moment as it is typed: a day is the whole of it, in the zone of this machine. */
function momentOf(args: Arguments, name: string, hours: string): string | undefined {
  const typed = args.values.get(name);
  if (typed === undefined) return undefined;
  const written = formatXs("dateTime", /^\d{4}-\d\d-\d\d$/.test(typed) ? typed + hours : typed);
  if ("problem" in written) throw new UsageError(`--${name} must be a day or a time: 2026-03-07T16:24:30Z`);
  return new Date(parseXs("dateTime", written.text).value).toISOString();
}

const historicalTypes = fieldTypes.filter((type) => type.startsWith("historical"));

function typesOf(text: string): readonly FieldType[] {
  if (text === "all") return fieldTypes;
  const type = fieldTypes.find((one) => one === text);
  if (type === undefined) throw new UsageError(`--type must be all or one of ${fieldTypes.join(", ")}`);
  return [type];
}

/** What becomes of a value as it comes, and of all of them at the end. */
interface Show {
  readonly one: (reading: FieldReading) => void;
  readonly end: () => void;
}

/** A line each, for people. */
function inLines(io: Io, { types = [] }: ReadOptions): Show {
  // What is now is known to be now.
  const isPast = types.some((type) => type.startsWith("historical"));
  const one = (reading: FieldReading): void => {
    const { node, name, timestamp } = reading;
    const before = [isPast ? timestamp : "", node.nodeId].filter((word) => word !== "");
    io.out(printable([...before, `${name}: ${valueText(reading)}`].join(" ")));
  };
  return { one, end: () => undefined };
}

/** A list of all, for programs. */
function inJson(io: Io): Show {
  const all: object[] = [];
  return { one: (reading) => void all.push(toJson(reading)), end: () => io.out(jsonText(all)) };
}

const valueText = (reading: FieldReading): string => {
  if (reading.kind !== "numeric") return String(reading.value);
  return reading.unit === "" ? reading.text : `${reading.text} ${reading.unit}`;
};

function toJson(reading: FieldReading): object {
  const { node, timestamp, name, kind, value, categories, quality, writable } = reading;
  return {
    ...(node.nodeId !== "" && { node }),
    timestamp,
    name,
    kind,
    value: typeof value === "bigint" ? String(value) : value, // JSON has no number that large
    ...(reading.kind === "numeric" && { text: reading.text, unit: reading.unit }),
    ...(reading.kind === "enum" && { dataType: reading.dataType }),
    types: categories,
    quality: [...quality],
    ...(writable !== undefined && { writable }),
  };
}

/** Shows what was read, also where something else failed. */
async function whatCame(reading: Readout, show: Show): Promise<{ count: number; failure?: ReadoutError }> {
  let count = 0;
  try {
    for await (const one of reading) {
      show.one(one);
      count++;
    }
    show.end();
    return { count };
  } catch (error) {
    if (count > 0) show.end();
    if (error instanceof ReadoutError && count > 0) return { count, failure: error };
    throw inWords(error);
  }
}

/** What an error means to whoever has typed the command. */
function inWords(error: unknown): unknown {
  if (error instanceof TimeoutError) {
    const why = "it is offline, not claimed yet, or the address is wrong";
    return new TimeoutError(`${error.message}: ${why}`, { cause: error });
  }
  if (!(error instanceof StanzaError)) return error;
  if (error.condition === "service-unavailable") {
    const why = "it is offline, or no Thing, or one that has nothing to read";
    return new Error(`${error.message}: ${why}`, { cause: error });
  }
  if (error.condition !== "forbidden") return withNodeHint(error);
  const who = "claim it first if nobody has, or ask who runs its provisioning server";
  return new Error(`you may not read this Thing: ${who}`, { cause: error });
}
