// A thermometer on a Raspberry Pi, or on anything that runs Node.js.
//
//   npm run -s example thermometer
//
// It finds its server by itself. What can be set is set by environment variables; docs/thermometer.md lists them and the
// lines this prints.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Thing, claimCode, fileStorage, isSdkError, type ThingOptions, type ThingState } from "xmpp-thing";
import { parseTagList } from "xmpp-thing/owner";

const CPU = "/sys/class/thermal/thermal_zone0/temp";

/** Thousandths of a degree, as the kernel writes them; `undefined` where there is no such sensor. */
async function cpuTemperature(): Promise<number | undefined> {
  try {
    return Number(await readFile(CPU, "utf8")) / 1000;
  } catch {
    return undefined;
  }
}

/** A room that warms and cools by two degrees an hour. */
function simulatedTemperature(): number {
  return 21 + 2 * Math.sin((Date.now() / 3_600_000) * 2 * Math.PI);
}

const env = (name: string): string | undefined => process.env[name] || undefined;
const say = (line: string): void => console.log(line);

function tagsFrom(text: string): ReturnType<typeof parseTagList> {
  try {
    return parseTagList(text);
  } catch (error) {
    throw new Error(`THING_TAGS: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

async function readCa(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(`THING_CA: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

async function optionsFromEnvironment(): Promise<ThingOptions> {
  const service = env("THING_SERVICE");
  const domain = env("THING_DOMAIN");
  const username = env("THING_USERNAME");
  const password = env("THING_PASSWORD");
  const registry = env("THING_REGISTRY");
  const provisioning = env("THING_PROVISIONING");
  const ca = env("THING_CA");
  const state = env("THING_STATE") ?? join(homedir(), ".local", "state", "xmpp-thermometer");
  const tags = tagsFrom(env("THING_TAGS") ?? "MAN:example.org;MODEL:Thermometer;#V:1");
  const real = (await cpuTemperature()) !== undefined;
  say(real ? `sensor ${CPU}` : "sensor simulated: this machine has no CPU sensor");
  return {
    storage: fileStorage(state),
    // Neither: it is searched for. The domain alone: DNS is asked for its servers.
    server: { ...(service !== undefined && { service }), ...(domain !== undefined && { domain }) },
    account: { ...(username !== undefined && { username }), ...(password !== undefined && { password }) },
    tags: Object.fromEntries(tags.map((tag) => [tag.name, tag.value])),
    ...(registry !== undefined && { registry }),
    ...(provisioning !== undefined && { provisioning: provisioning.trim().split(/\s+/) }),
    ...(ca !== undefined && { tls: { ca: await readCa(ca) } }),
    sensor: {
      fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
      async *read() {
        yield { name: "Temperature", value: (await cpuTemperature()) ?? simulatedTemperature() };
      },
    },
  };
}

/** One line for each part of the state that has changed. */
function tell(state: ThingState, before: ThingState): void {
  const { link, ownership, trust } = state;
  if (link !== before.link) {
    if (link.is === "discovering") say("link discovering");
    else if (link.is === "online") say(`link online ${link.jid}`);
    else if (link.is === "connecting") say(`link connecting ${link.host}:${link.port}`);
    else if (link.is === "waiting") say(`link waiting ${link.ms} ms: ${link.why}`);
    else say("link stopped");
  }
  if (ownership !== before.ownership) {
    if (ownership.is === "claimed") {
      say(`ownership claimed ${ownership.owner} ${ownership.public ? "public" : "private"}`);
    } else if (ownership.is === "registered") say(`ownership registered ${ownership.registry}`);
    else say("ownership unregistered");
  }
  if (trust !== before.trust)
    say(trust.is === "none" ? "trust none" : `trust delegated ${trust.servers.map(({ jid }) => jid).join(" ")}`);
}

async function main(): Promise<void> {
  const thing = new Thing(await optionsFromEnvironment());
  thing.on("state", tell);
  thing.on("claimText", (text) => {
    // Whoever sees it can claim the Thing: shown only while there is no owner.
    if (text !== "") void claimCode(text, { as: "terminal" }).then((code) => say(`claim ${text}\n${code}`));
  });
  thing.on("decision", ({ question, decision, ms }) =>
    say(`decision ${question.kind} ${question.jid} ${decision.outcome} ${decision.source} ${Math.round(ms)} ms`),
  );
  thing.on("friended", (jid) => say(`friend ${jid}`));
  thing.on("rightsCleared", (server) => say(`rights cleared by ${server}`));
  thing.on("fault", ({ code, message }) => say(`fault ${code} ${message}`));

  process.exitCode = 0;
  const end = (): void => void thing.stop().finally(() => say("stopped"));
  let ending = false;
  for (const signal of ["SIGTERM", "SIGINT"]) {
    // Ctrl-C may come twice: from the terminal, and passed on by npm.
    process.on(signal, () => {
      if (!ending) end();
      ending = true;
    });
  }
  // Another copy with the same state has taken over: two would throw each other out for ever.
  thing.on("fault", ({ code }) => {
    if (code !== "conflict") return;
    process.exitCode = 1;
    end();
  });

  await thing.start().catch((error: unknown) => {
    if (!ending) throw error; // told to end while it was starting: that is no failure
  });
}

main().catch((error: unknown) => {
  console.error(isSdkError(error) ? `${error.code}: ${error.message}` : error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
