// A thermometer on a 1-wire bus: a DS18B20 at a Raspberry Pi, read from the files that Linux makes for it.
//
//   npm run -s example wire-sensor
//
// Set by environment variables: THING_SERVICE, THING_DOMAIN, THING_CA and THING_STATE as for the thermometer
// (docs/thermometer.md), WIRE_FOLDER, where the devices of the bus are, and WIRE_SENSOR, which of them to read.
// docs/wire-sensor.md explains it; wire-sensor.service beside this file has it started with the Pi.
import { readFile, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Refusal, Thing, claimCode, fileStorage, isSdkError, type ThingOptions } from "xmpp-thing";

const env = (name: string): string | undefined => process.env[name] || undefined;
const say = (line: string): void => console.log(line);

const folder = env("WIRE_FOLDER") ?? "/sys/bus/w1/devices";
const TRIES = 3;

/** Why there is no temperature, in words that a reader may see: they say nothing of this machine. */
const failed = (why: string): Refusal => new Refusal("resource-constraint", why);

/** Which sensor is to be read. It may be plugged in at any time, so it is looked for at each readout. */
async function findSensor(): Promise<string> {
  const named = env("WIRE_SENSOR");
  if (named !== undefined) return named;
  // 28 is the family of the DS18B20; the folder holds the bus master too.
  const found = await readdir(folder).catch(() => []);
  const [sensor, ...others] = found.filter((name) => name.startsWith("28-")).sort();
  if (sensor === undefined) throw failed("There is no sensor on the bus.");
  if (others.length > 0) throw failed("There are several sensors on the bus, and none is chosen.");
  return sensor;
}

/**
 * What the file of a sensor says, in thousandths of a degree; `undefined` if it was damaged on the way. Two lines of the
 * nine bytes that the sensor sent: the first ends with what became of their checksum, the second with the temperature.
 *
 *     72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
 *     72 01 4b 46 7f ff 0e 10 57 t=23125
 */
function thousandthsIn(text: string): number | undefined {
  const [, bytes = "", thousandths] = /^((?:[\da-f]{2} ){9}): crc=[\da-f]{2} YES\n.* t=(-?\d+)\n?$/.exec(text) ?? [];
  if (thousandths === undefined) return undefined;
  // A short circuit reads as zeros, and their checksum is right.
  if (/^[0 ]+$/.test(bytes)) throw failed("The sensor does not answer.");
  const value = Number(thousandths);
  // What it says until it has measured for the first time: most often its supply has failed.
  if (value === 85_000) throw failed("The sensor has been reset: it has measured nothing yet.");
  if (value < -55_000 || value > 125_000) throw failed("The sensor tells what it cannot measure.");
  return value;
}

/** Measures, which takes the sensor three quarters of a second, in °C. On long wires not every try arrives. */
async function measure(signal: AbortSignal): Promise<number> {
  const file = join(folder, await findSensor(), "w1_slave");
  for (let tries = 0; tries < TRIES; tries++) {
    signal.throwIfAborted();
    const text = await readFile(file, { encoding: "utf8", signal }).catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw failed("The sensor cannot be reached.");
    });
    const thousandths = thousandthsIn(text);
    if (thousandths !== undefined) return thousandths / 1000;
  }
  throw failed("What the sensor sends is damaged on the way.");
}

async function optionsFromEnvironment(): Promise<ThingOptions> {
  const service = env("THING_SERVICE");
  const domain = env("THING_DOMAIN");
  const ca = env("THING_CA");
  // systemd says where its StateDirectory= is.
  const state = env("THING_STATE") ?? env("STATE_DIRECTORY") ?? join(homedir(), ".local", "state", "xmpp-wire-sensor");
  return {
    storage: fileStorage(state),
    server: { ...(service !== undefined && { service }), ...(domain !== undefined && { domain }) },
    tags: { MAN: "example.org", MODEL: "DS18B20", V: 1 },
    ...(ca !== undefined && { tls: { ca: await readFile(ca, "utf8") } }),
    sensor: {
      fields: [{ name: "Temperature", unit: "°C", decimals: 3 }],
      read: async ({ signal }) => [{ name: "Temperature", value: await measure(signal) }],
    },
  };
}

async function main(): Promise<void> {
  const thing = new Thing(await optionsFromEnvironment());
  thing.on("state", ({ link, ownership }, before) => {
    if (link !== before.link && link.is === "online") say(`online ${link.jid}`);
    if (ownership !== before.ownership) say(`ownership ${ownership.is}`);
  });
  thing.on("claimText", (text) => {
    // Whoever sees it can claim the sensor: shown only while it has no owner.
    if (text !== "") void claimCode(text, { as: "terminal" }).then((code) => say(`claim ${text}\n${code}`));
  });
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
