// A relay board with three outputs and a dimmer, which owners and their friends switch.
//
//   npm run -s example relay
//
// Set by environment variables: THING_SERVICE, THING_DOMAIN, THING_CA and THING_STATE as for the thermometer
// (docs/thermometer.md), RELAY_FOLDER, where Linux has the files of the outputs, and RELAY_OFF, which of them are off after
// each start. docs/relay.md explains it.
import { readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import {
  Refusal,
  Thing,
  claimCode,
  fileStorage,
  isSdkError,
  type ControlContext,
  type ControlParameter,
  type ThingOptions,
} from "xmpp-thing";

const env = (name: string): string | undefined => process.env[name] || undefined;
const say = (line: string): void => console.log(line);

const OUTPUTS = ["Output1", "Output2", "Output3"];
const DIMMER = "Dimmer";
const KEPT = "outputs.json";

const folder = env("RELAY_FOLDER");
// systemd says where its StateDirectory= is.
const state = env("THING_STATE") ?? env("STATE_DIRECTORY") ?? join(homedir(), ".local", "state", "xmpp-relay");
// Beside what the Thing keeps, and in the same manner: after a power cut it is the old content or the new, never half of one.
const kept = fileStorage(join(state, "outputs"));

/** What is on, in per cent: an output is at 0 or 100, the dimmer anywhere between. */
const levels = new Map([...OUTPUTS, DIMMER].map((name) => [name, 0]));

/** The file by which Linux switches an output: 0 is off, `max_brightness` is all that there is. */
const fileOf = (name: string, file: string): string => join(folder ?? "", name.toLowerCase(), file);

/** Told to who asks, in words that say nothing of this machine. */
const unreachable = (name: string): Refusal => new Refusal("resource-constraint", `${name} cannot be reached.`);

/** The most that its file takes: 1 for a relay, 255 or another number for a dimmer. */
async function fullLevel(name: string): Promise<number> {
  const full = Number(await readFile(fileOf(name, "max_brightness"), "utf8"));
  if (!(full > 0)) throw unreachable(name);
  return full;
}

/** Switches an output; without a folder it is only noted. */
async function drive(name: string, percent: number): Promise<void> {
  if (folder !== undefined) {
    try {
      await writeFile(fileOf(name, "brightness"), String(Math.round(((await fullLevel(name)) * percent) / 100)));
    } catch {
      throw unreachable(name);
    }
  }
  levels.set(name, percent);
}

/** What an output is at: what its file says, since other programs, and hands, may switch it too. */
async function levelOf(name: string): Promise<number> {
  if (folder === undefined) return levels.get(name) ?? 0;
  try {
    const level = Number(await readFile(fileOf(name, "brightness"), "utf8"));
    return Math.round((level * 100) / (await fullLevel(name)));
  } catch {
    throw unreachable(name);
  }
}

let written = "";

/** For a caller: done, on the disk, and only then acknowledged. The disk is spared what changes nothing. */
async function obey(name: string, percent: number, { from }: ControlContext): Promise<void> {
  await drive(name, percent);
  const text = JSON.stringify(Object.fromEntries(levels));
  if (text !== written) await kept.replace(KEPT, new TextEncoder().encode(text));
  written = text;
  say(`${name} ${name === DIMMER ? `${percent} %` : percent > 0 ? "on" : "off"} by ${from}`);
}

/** Where they were when the power went, but for those that are to be off after each start. */
async function restore(): Promise<void> {
  const off = new Set(env("RELAY_OFF")?.trim().split(/\s+/));
  for (const name of off) if (!levels.has(name)) throw new Error(`RELAY_OFF: there is no output "${name}"`);
  await kept.open();
  const content = await kept.read(KEPT);
  let saved = new Map<string, unknown>();
  try {
    if (content !== undefined) saved = new Map(Object.entries(JSON.parse(Buffer.from(content).toString()) as object));
  } catch {
    say("outputs damaged: all of them are off");
  }
  for (const name of levels.keys()) {
    const percent = saved.get(name);
    const isSane = typeof percent === "number" && percent >= 0 && percent <= 100;
    // One that cannot be reached keeps the others from nothing.
    await drive(name, isSane && !off.has(name) ? percent : 0).catch((error: unknown) => {
      if (error instanceof Refusal) say(`fault output ${error.text}`);
    });
  }
}

const output = (name: string): ControlParameter => ({
  name,
  type: "boolean",
  label: name.replace(/(?=\d)/, " "),
  get: async () => (await levelOf(name)) > 0,
  set: (value, context) => obey(name, value ? 100 : 0, context),
});

const dimmer: ControlParameter = {
  name: DIMMER,
  type: "int",
  description: "0 is dark.",
  min: 0,
  max: 100,
  unit: "%",
  get: () => levelOf(DIMMER),
  set: (percent, context) => obey(DIMMER, percent, context),
};

async function optionsFromEnvironment(): Promise<ThingOptions> {
  const service = env("THING_SERVICE");
  const domain = env("THING_DOMAIN");
  const ca = env("THING_CA");
  return {
    storage: fileStorage(join(state, "thing")),
    server: { ...(service !== undefined && { service }), ...(domain !== undefined && { domain }) },
    tags: { MAN: "example.org", MODEL: "Relay", V: 1 },
    ...(ca !== undefined && { tls: { ca: await readFile(ca, "utf8") } }),
    // By the names of the parameters: who reads a field that is writable knows what to set.
    sensor: {
      fields: [
        ...OUTPUTS.map((name) => ({ name, type: "boolean" as const, writable: true })),
        { name: DIMMER, unit: "%", decimals: 0, writable: true },
      ],
      async *read({ fields }) {
        for (const name of OUTPUTS) if (fields.has(name)) yield { name, value: (await levelOf(name)) > 0 };
        if (fields.has(DIMMER)) yield { name: DIMMER, value: await levelOf(DIMMER) };
      },
    },
    control: [...OUTPUTS.map(output), dimmer],
  };
}

async function main(): Promise<void> {
  const thing = new Thing(await optionsFromEnvironment());
  await restore();
  say(folder === undefined ? "outputs simulated: RELAY_FOLDER is not set" : `outputs ${folder}`);
  thing.on("state", ({ link, ownership }, before) => {
    if (link !== before.link && link.is === "online") say(`online ${link.jid}`);
    if (ownership !== before.ownership) say(`ownership ${ownership.is}`);
  });
  thing.on("claimText", (text) => {
    // Whoever sees it can claim the relay: shown only while it has no owner.
    if (text !== "") void claimCode(text, { as: "terminal" }).then((code) => say(`claim ${text}\n${code}`));
  });
  thing.on("decision", ({ question, decision }) => {
    if (question.kind === "control") say(`control ${question.jid} ${decision.outcome}`);
  });
  thing.on("fault", ({ code, message }) => say(`fault ${code} ${message}`));
  let isEnding = false;
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      if (!isEnding) {
        void thing
          .stop()
          .finally(() => kept.close())
          .finally(() => say("stopped"));
      }
      isEnding = true;
    });
  }
  await thing.start().catch((error: unknown) => {
    if (!isEnding) throw error; // told to end while it was starting: that is no failure
  });
}

main().catch((error: unknown) => {
  console.error(isSdkError(error) ? `${error.code}: ${error.message}` : error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
