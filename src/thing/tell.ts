// How a Thing tells the program it lives in: one listener's failure is nobody else's.
import type { EventEmitter } from "node:events";
import type { ThingEvents } from "./events.ts";

/**
 * Tells the program, listener by listener. One that fails is told of to `onFailed`, and keeps nothing from the others: an
 * exception thrown out of `emit` would end whatever the Thing was at.
 */
export function tell<Name extends keyof ThingEvents>(
  emitter: EventEmitter<ThingEvents>,
  name: Name,
  about: ThingEvents[Name],
  onFailed: (error: unknown) => void,
): void {
  for (const listener of emitter.rawListeners(name)) {
    try {
      // An async one fails later; unheard, that would end the process.
      const result: unknown = (listener as (...about: readonly unknown[]) => unknown).apply(emitter, about);
      if (result instanceof Promise) result.catch(onFailed);
    } catch (error) {
      onFailed(error);
    }
  }
}
