// A concentrator: meters behind one account, each with a claim text, an owner and a sensor of its own.
//
//   npm run -s example concentrator
//
// Set by environment variables: THING_SERVICE, THING_DOMAIN, THING_CA and THING_STATE as for the thermometer
// (docs/thermometer.md), and METERS, how many meters there are (3 without it). docs/concentrator.md explains it.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Thing, claimCode, fileStorage, isSdkError, type NodeDefinition, type ThingOptions } from "xmpp-thing";

const env = (name: string): string | undefined => process.env[name] || undefined;
const say = (line: string): void => console.log(line);

/** A meter on the bus. A real one would be asked over a serial line; this one has something to say at any time. */
function meter(number: number): NodeDefinition {
  let isOn = true;
  return {
    nodeId: `meter${number}`,
    displayName: `Meter ${number}`,
    tags: { SN: `M-${number}`, MAN: "example.org", MODEL: "Meter", V: 1 },
    // The serial number is needed for the claim only: nobody has to find it afterwards.
    tagsAfterClaim: { SN: "", CLASS: "Electricity" },
    sensor: {
      fields: [
        { name: "Power", unit: "W", decimals: 0 },
        { name: "On", type: "boolean" },
      ],
      read: () => [
        { name: "Power", value: isOn ? 100 * number : 0 },
        { name: "On", value: isOn },
      ],
    },
    control: [
      {
        name: "On",
        type: "boolean",
        set: (value) => {
          isOn = value;
          say(`meter${number} ${value ? "on" : "off"}`);
        },
      },
    ],
  };
}

async function optionsFromEnvironment(): Promise<ThingOptions> {
  const service = env("THING_SERVICE");
  const domain = env("THING_DOMAIN");
  const ca = env("THING_CA");
  const meters = Number(env("METERS") ?? 3);
  return {
    storage: fileStorage(env("THING_STATE") ?? join(homedir(), ".local", "state", "xmpp-concentrator")),
    server: { ...(service !== undefined && { service }), ...(domain !== undefined && { domain }) },
    tags: { MAN: "example.org", MODEL: "Gateway", V: 1 },
    ...(ca !== undefined && { tls: { ca: await readFile(ca, "utf8") } }),
    nodes: Array.from({ length: meters }, (_, index) => meter(index + 1)),
  };
}

async function main(): Promise<void> {
  const thing = new Thing(await optionsFromEnvironment());
  thing.on("state", ({ link }, before) => {
    if (link !== before.link && link.is === "online") say(`online ${link.jid}`);
  });
  thing.on("nodeClaimText", (text, { nodeId }) => {
    // Whoever sees it can claim the meter: shown only while it has no owner.
    if (text !== "") void claimCode(text, { as: "terminal" }).then((code) => say(`claim ${nodeId} ${text}\n${code}`));
  });
  thing.on("node", ({ nodeId }, ownership) =>
    say(`${nodeId} ${ownership.is === "claimed" ? `claimed ${ownership.owner}` : ownership.is}`),
  );
  thing.on("fault", ({ code, message }) => say(`fault ${code} ${message}`));
  let isEnding = false;
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      if (!isEnding) void thing.stop().finally(() => say("stopped"));
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
