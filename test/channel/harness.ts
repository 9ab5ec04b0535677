import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { Logger } from "../../src/core/logger.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { FakeWire } from "../support/fake-wire.ts";

/** A channel on a fake stream, and everything that can be seen of it. */
export function startChannel(jid?: string) {
  const clock = new SimulatedClock();
  const faults: { readonly code: string; readonly message: string }[] = [];
  const logged: string[] = [];
  const note = (message: string): void => void logged.push(message);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const channel = new StanzaChannel({
    clock,
    random: new SeededRandom("channel"),
    logger,
    onFault: (code, message) => faults.push({ code, message }),
  });
  const wire = new FakeWire(jid);
  channel.attach(wire);
  return { channel, clock, faults, logged, wire };
}

/** A stanza as it comes from the stream. */
export const stanza = (xml: string): XmlElement => parseXml(xml);

/** Lets everything run that is ready to. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a promise has come to by now. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const pending = Symbol();
  const result = await Promise.race([
    promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
    settle().then(() => pending),
  ]);
  return result === pending ? "pending" : result;
}
