import { OwnerClient } from "../owner/owner-client.ts";
import type { ThingFound } from "../owner/found-things.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { parse, wholeNumber } from "./args.ts";
import { exitCode, type Io } from "./io.ts";
import type { Command } from "./command.ts";
import { thingInWords } from "./named-thing.ts";
import { jsonText } from "./printable.ts";
import { registryOf, registryOptions } from "./registry-option.ts";
import { conditionsOf } from "./tag-words.ts";
import { outLabelled } from "./wrap.ts";

/** `xmpp-thing search CONDITION...` (XEP-0347 3.15). */
export const search: Command = {
  summary: "Search for public Things",
  help: `Usage: xmpp-thing search CONDITION ... [or CONDITION ...] [OPTIONS]

Finds the public Things of which all conditions hold: 'MAN=www.ktc.se' 'V>=1' 'SN=39487*'. Quote
them for the shell. The word or between conditions begins an alternative.

  NAME=TEXT  NAME!=TEXT  NAME>TEXT  NAME>=TEXT  NAME<TEXT  NAME<=TEXT
  NAME=MASK         with * for any run of characters
  V=1  V!=1  V>1  V>=1  V<1  V<=1   numbers: V, LAT, LON, ALT; write #NAME for others
  V=1..2  V!=1..2   within a range, outside of it; its ends belong to it

  --limit N         no more than so many
  --registry JID    the Thing Registry; default: found on your server
${accountHelp.replace("one line of JSON", "one line of JSON for each Thing")}

Ends with 5 if nothing is found.`,
  async run(argv, io) {
    const options = { ...accountOptions, ...registryOptions, limit: { type: "string" } } as const;
    const args = parse(argv, options, ["CONDITION..."]);
    const conditions = conditionsOf(args.operands);
    const limit = wholeNumber(args.values.get("limit"), "limit", 1, 1_000_000_000) ?? Infinity;
    await using connection = await connectAs(args, io);
    const owner = new OwnerClient(connection, registryOf(args));
    const show = args.flags.has("json") ? outJson : outLines;
    let found = 0;
    for await (const thing of owner.search(conditions, { timeout: timeoutOf(args), signal: io.ended })) {
      show(io, thing);
      if (++found >= limit) break;
    }
    if (found > 0) return exitCode.done;
    io.err("No public Thing is like that.");
    return exitCode.nothing;
  },
};

function outJson(io: Io, { tags, ...thing }: ThingFound): void {
  // JSON has no infinite numbers (D-E31).
  const values = [...tags].map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]);
  io.out(jsonText({ ...thing, tags: Object.fromEntries(values) as object }));
}

/** For people. Strangers have written most of it: nothing of it is a control character to the terminal. */
function outLines(io: Io, thing: ThingFound): void {
  outLabelled(io, "", thingInWords(thing), 0);
  outLabelled(io, "  owner", thing.selfOwned ? "itself" : thing.owner, 9);
  if (thing.tags.size > 0) {
    outLabelled(io, "  tags", [...thing.tags].map(([name, value]) => `${name}=${value}`).join(", "), 9);
  }
}
