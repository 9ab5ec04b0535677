// What parameters are set to now, for control forms: XEP-0325 3.3.1, 5.2.1.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError, messageOf } from "../core/errors.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { namingOf } from "./actuator.ts";
import type { ControlParameter } from "./definition.ts";
import { textOf } from "./form-fields.ts";

// A form is answered in time also where a device does not answer; it is then without the value.
const LONGEST_GET = 2_000;

/** Asks devices for the values of their parameters. */
export class CurrentValues {
  readonly #clock: Clock;
  readonly #onFault: (code: "control", message: string, cause?: unknown) => void;
  // One question a parameter: a device that hangs is not asked ever again beside it.
  readonly #asked = new WeakMap<ControlParameter, Promise<unknown>>();

  constructor(clock: Clock, onFault: (code: "control", message: string, cause?: unknown) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /**
   * The value as it is written; `undefined` if it is not known: a form may lack it (XEP-0325 5.2.1). What goes wrong is a
   * fault. Rejects only when the signal fires, with its reason.
   */
  async valueOf(parameter: ControlParameter, node: NodeRef, signal: AbortSignal): Promise<string | undefined> {
    if (parameter.get === undefined) return undefined;
    try {
      const limits = { signal, timeout: LONGEST_GET };
      const value = await withDeadline(this.#clock, limits, "get", () => this.#ask(parameter));
      return value === undefined ? undefined : textOf(parameter, value);
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof TimeoutError ? "it took too long" : messageOf(error);
      this.#onFault("control", `the value of ${namingOf(node, `"${parameter.name}"`)} is not known: ${why}`, error);
      return undefined;
    }
  }

  #ask(parameter: ControlParameter): Promise<unknown> {
    const before = this.#asked.get(parameter);
    if (before !== undefined) return before;
    const asking = (async (): Promise<unknown> => parameter.get?.())().finally(() => this.#asked.delete(parameter));
    // Its failure is told by those who wait for it; nobody may any more.
    asking.catch(() => undefined);
    this.#asked.set(parameter, asking);
    return asking;
  }
}
