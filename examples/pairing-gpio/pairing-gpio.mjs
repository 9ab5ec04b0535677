// A Thing with an LED and a button on a Raspberry Pi. While a provisioning server asks to be trusted the LED blinks; the
// button says yes. Afterwards those whom the server allows can switch the LED. README.md says what to wire where.
//
//   THING_SERVICE=xmpp://example.org node pairing-gpio.mjs
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Thing, fileStorage } from "xmpp-thing";
import { Button, Led, findGpio } from "./gpio.mjs";

const { env } = process;
/** How long the LED says "done" after pairing, in milliseconds. */
const DONE = 3_000;

async function main() {
  if (!env.THING_SERVICE) throw new Error("Set THING_SERVICE to the address of the XMPP server: xmpp://example.org");
  const gpio = await findGpio();
  let thing, led, button;
  let lit = false; // what was set by control, to go back to after the LED was needed for something else
  let ending = false;

  async function end(exitCode) {
    if (ending) return;
    ending = true;
    process.exitCode = exitCode;
    button?.close();
    await thing?.stop();
    await led?.close();
  }
  // A device without its LED or its button had better end: systemd starts it again.
  function lost(error) {
    console.error(error.message);
    void end(1);
  }

  led = await Led.open(gpio, env.THING_LED || "GPIO17", lost);
  thing = new Thing({
    storage: fileStorage(env.THING_STATE || join(homedir(), ".local", "state", "xmpp-pairing")),
    server: { service: env.THING_SERVICE, ...(env.THING_DOMAIN && { domain: env.THING_DOMAIN }) },
    ...(env.THING_CA && { tls: { ca: await readFile(env.THING_CA, "utf8") } }),
    tags: { MAN: "example.org", MODEL: "Lamp", V: 1 },
    pairing: env.THING_PAIRING_WINDOW ? { window: Number(env.THING_PAIRING_WINDOW) } : {},
    control: [
      {
        name: "LED",
        type: "boolean",
        async set(value) {
          lit = value;
          if (thing.pairing === undefined) await led.show(lit ? "on" : "off");
        },
      },
    ],
    sensor: {
      fields: [{ name: "LED", type: "boolean" }],
      read: () => [{ name: "LED", value: lit }],
    },
  });

  thing.on("claimText", (text) => text && console.log(`claim ${text}`));
  thing.on("pairing", ({ jid, ms }) => {
    console.log(`pairing ${jid}: press the button within ${Math.round(ms / 1000)} s to trust it`);
    void led.show("blink");
  });
  thing.on("paired", ({ jid, as }) => console.log(`paired ${jid} as ${as}`));
  thing.on("pairingEnded", async ({ jid, outcome }) => {
    console.log(`pairing ${jid} ${outcome}`);
    if (outcome === "accepted") {
      await led.show("on");
      await setTimeout(DONE);
    }
    if (thing.pairing === undefined) await led.show(lit ? "on" : "off");
  });
  thing.on("state", ({ link }, before) => {
    if (link.is !== before.link.is) console.log(`link ${link.is} ${link.is === "online" ? link.jid : ""}`.trim());
  });
  thing.on("fault", ({ code, message }) => console.log(`fault ${code} ${message}`));

  button = await Button.open(
    gpio,
    env.THING_BUTTON || "GPIO27",
    () => console.log(thing.pressButton() ? "button: yes" : "button: nobody asks"),
    lost,
  );
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void end(0));
  await thing.start().catch((error) => {
    if (!ending) throw error; // told to end while it was starting: that is no failure
  });
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
