// Whoever installs Things and tells a Provisioning Server of each (P-3.1.1-4), for the sandbox.
import { sleep } from "../core/abort.ts";
import { systemClock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { addressText } from "./ask-question.ts";
import { printable } from "./printable.ts";

/** How often it looks for new Things, in milliseconds. */
const LOOK = 500;
/** When it asks again who has not accepted: a Thing that has refused rests for a minute at first. */
const AGAIN = 65_000;

/**
 * Has each Provisioning Server ask each Thing that registers for friendship, until it accepts or the signal fires; one
 * after the other, since a Thing has one LED.
 */
export async function askNewThings(site: Sandbox, tell: (line: string) => void, signal: AbortSignal): Promise<void> {
  const known = new Set<string>();
  try {
    for (;;) {
      for (const { jid } of site.registry.things) {
        if (known.has(jid)) continue;
        known.add(jid);
        void askForAll(site, jid, tell, signal);
      }
      await sleep(systemClock, LOOK, signal);
    }
  } catch {
    // The sandbox is ending.
  }
}

async function askForAll(site: Sandbox, jid: string, tell: (line: string) => void, signal: AbortSignal): Promise<void> {
  for (const server of site.provisioningServers) await ask(server, jid, tell, signal);
}

async function ask(
  server: Sandbox["provisioning"],
  jid: string,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  // Whoever can register a Thing has chosen its name.
  const name = addressText(jid);
  try {
    for (;;) {
      tell(`Asking ${name} to trust ${server.jid}: press its button while the LED blinks`);
      const outcome = await server.askFriendship(jid, { signal });
      tell(`${name}: ${outcome}`);
      if (outcome === "accepted") return;
      await sleep(systemClock, AGAIN, signal);
    }
  } catch (error) {
    if (!signal.aborted) tell(`${name}: ${printable(messageOf(error))}`);
  }
}
