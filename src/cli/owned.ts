// What an owner tells a Registry of one Thing: XEP-0347 3.10, 3.14, 3.17.
import type { CallOptions } from "../core/abort.ts";
import type { Tags } from "../codec/tags.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import type { ThingAddress } from "../owner/thing-reference.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { parse } from "./args.ts";
import { exitCode, type ExitCode, type Io } from "./io.ts";
import type { Command } from "./command.ts";
import { nodeHelp, nodeOptions, thingAt, thingInWords } from "./named-thing.ts";
import { jsonText, printable } from "./printable.ts";
import { registryOf, registryOptions } from "./registry-option.ts";
import { tagsOf } from "./tag-words.ts";

const help = `${nodeHelp}
  --registry JID    the Thing Registry; default: found on your server
${accountHelp}`;

/** `xmpp-thing update JID NAME=VALUE ...` (XEP-0347 3.14). */
export const update: Command = {
  summary: "Change what the Registry shows of a Thing of yours",
  help: `Usage: xmpp-thing update JID NAME=VALUE ... [OPTIONS]

Changes tags of a Thing of yours in the Registry; the others stay. NAME= takes a tag away. V, LAT,
LON and ALT are numbers; write #NAME=VALUE for others that are.

${help}`,
  run: (argv, io) =>
    tell(argv, io, "updated", {
      operands: ["JID", "NAME=VALUE..."],
      ask: (owner, thing, limits, tags) => owner.update(thing, tags, limits),
      done: (thing) => `Updated: ${thing}`,
    }),
};

/** `xmpp-thing remove JID` (XEP-0347 3.10). */
export const remove: Command = {
  summary: "Take a Thing of yours out of searches",
  help: `Usage: xmpp-thing remove JID [OPTIONS]

Takes a Thing of yours out of searches. It stays yours, and does what you may tell it. It does not
come back into searches until it is reset to factory settings and claimed again.

${help}`,
  run: (argv, io) =>
    tell(argv, io, "removed", {
      operands: ["JID"],
      ask: (owner, thing, limits) => owner.remove(thing, limits),
      done: (thing) => `Removed: no search finds ${thing} any more. It is still yours.`,
    }),
};

/** `xmpp-thing disown JID` (XEP-0347 3.17). */
export const disown: Command = {
  summary: "Give a Thing of yours up",
  help: `Usage: xmpp-thing disown JID [OPTIONS]

Gives a Thing up: it has no owner any more, and shows a new claim text. It must be online, for it
has to hear of it.

${help}`,
  run: (argv, io) =>
    tell(argv, io, "disowned", {
      operands: ["JID"],
      ask: (owner, thing, limits) => owner.disown(thing, limits),
      done: (thing) => `Disowned: ${thing} has no owner any more. It shows a new claim text.`,
    }),
};

interface Telling {
  readonly operands: readonly string[];
  readonly ask: (owner: OwnerClient, thing: ThingAddress, limits: CallOptions, tags: Tags) => Promise<void>;
  readonly done: (thing: string) => string;
}

async function tell(argv: readonly string[], io: Io, key: string, { operands, ask, done }: Telling): Promise<ExitCode> {
  const args = parse(argv, { ...accountOptions, ...registryOptions, ...nodeOptions }, operands);
  const [address = "", ...words] = args.operands;
  const thing = thingAt(address, args);
  const tags = tagsOf(words);
  await using connection = await connectAs(args, io);
  const owner = new OwnerClient(connection, registryOf(args));
  await ask(owner, thing, { timeout: timeoutOf(args), signal: io.ended }, tags);
  io.out(args.flags.has("json") ? jsonText({ [key]: true, ...thing }) : done(printable(thingInWords(thing))));
  return exitCode.done;
}
