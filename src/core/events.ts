import type { EventEmitter } from "node:events";
import { ConfigError } from "./errors.ts";

// Those of Node.js: every EventEmitter has them.
const OF_NODE = ["error", "newListener", "removeListener"];

/** Refuses listeners to events other than these: `on` throws `ERR_CONFIG`. */
export function refuseEventsBut(emitter: EventEmitter, events: readonly string[]): void {
  // Told before the listener is added: what this throws, `on` throws, and nothing is added.
  emitter.on("newListener", (name: string | symbol) => {
    if (typeof name === "symbol" || events.includes(name) || OF_NODE.includes(name)) return;
    throw new ConfigError(`on: there is no event "${name}"; there are ${events.join(", ")}`);
  });
}
