import { withDeadline } from "../core/abort.ts";
import { systemClock } from "../core/clock.ts";
import { parse, UsageError } from "./args.ts";
import type { Command } from "./command.ts";
import { lifeStory } from "./demo-life.ts";
import { pairingStory } from "./demo-pairing.ts";
import { play, type Story } from "./demo-stage.ts";
import { exitCode } from "./io.ts";
import { Narrator } from "./narrator.ts";

const stories: ReadonlyMap<string, Story> = new Map([
  ["pairing", pairingStory],
  ["life", lifeStory],
]);
const WHOLE_DEMO = 60_000;

/** `xmpp-thing demo`: a story of a Thing, watched on the sandbox. */
export const demo: Command = {
  summary: "Watch a Thing being paired by LED and button, or claimed and read",
  help: `Usage: xmpp-thing demo [STORY] [OPTIONS]

Starts an XMPP server on this machine and shows on it how a Thing comes to be trusted and used.
Ends with code 0 only if every step did what it says.

STORY, "pairing" if none is given:
${[...stories].map(([name, { summary }]) => `  ${name.padEnd(18)}${summary}`).join("\n")}

  --auto            press the keys by itself (as without a terminal)
  --xml             show what goes over the wire
  --help`,
  async run(argv, io) {
    const { flags, operands } = parse(argv, { auto: { type: "boolean" }, xml: { type: "boolean" } } as const, [
      "STORY?",
    ]);
    const name = operands[0] ?? "pairing";
    const story = stories.get(name);
    if (story === undefined) {
      throw new UsageError(`there is no story "${name}"; there are ${[...stories.keys()].join(", ")}`);
    }
    const alone = flags.has("auto") || !io.terminal;
    const pause = alone ? (): Promise<void> => Promise.resolve() : (): Promise<void> => io.waitForKey("  [any key] ");
    const narrator = new Narrator({ io, pause, xml: flags.has("xml") });
    // A person may take their time over reading; on its own the demo may not.
    const timeout = alone ? WHOLE_DEMO : undefined;
    await withDeadline(systemClock, { signal: io.ended, timeout }, "the demo", (signal) =>
      play(story, { io, narrator, signal, alone }),
    );
    return exitCode.done;
  },
};
