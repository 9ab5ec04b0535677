// A value that was sent for a parameter, checked, and ready to be handed to the device.
import type { LightAbort } from "../core/light-abort.ts";
import { textOfSetting, type ParameterSetting } from "../codec/control.ts";
import type { ControlContext, ControlParameter } from "./definition.ts";
import { limitsOf, momentOf, typeOf, wrongType, type Limits } from "./limits.ts";

/** A parameter and the value it is to have, which it takes. */
export interface Setting {
  /** The name of the parameter. */
  readonly name: string;
  /** How long that may take, in milliseconds. */
  readonly timeout: number;
  /** Has the device do it. */
  set(turn: Turn): void | Promise<void>;
}

/** Who sets it, and when they stop to wait for it. */
export interface Turn extends Pick<ControlContext, "from" | "request"> {
  readonly stop: LightAbort;
}

// As long as a sensor is waited for.
const LONGEST_SET = 30_000;

// Read once: a pattern is made into a machine.
const limits = new WeakMap<ControlParameter, Limits>();

function limitsOfOne(parameter: ControlParameter): Limits {
  const known = limits.get(parameter) ?? limitsOf(parameter);
  limits.set(parameter, known);
  return known;
}

/** How many steps it takes to check a value of the parameter's type: patterns take long for long texts. */
export function stepsFor(parameter: ControlParameter, given: ParameterSetting): number {
  return given.kind === "string" ? given.value.length * limitsOfOne(parameter).steps : 0;
}

/** What is to be done, or what is wrong with the value in words for the caller (XEP-0325 3.1.3, 3.3.4). */
export function settingFor(parameter: ControlParameter, given: ParameterSetting): Setting | string {
  const kind = typeOf(parameter);
  if (given.kind !== kind) return wrongType(kind);
  const problem = limitsOfOne(parameter).problemOf(given);
  if (problem !== undefined) return `Invalid parameter value: ${problem}.`;
  const text = textOfSetting(given);
  return {
    name: parameter.name,
    timeout: parameter.timeout ?? LONGEST_SET,
    set: ({ from, request, stop }) =>
      parameter.set(valueOf(given) as never, {
        ...{ from, request, text },
        // Made when it is first looked at: most devices are quick.
        get signal() {
          return stop.signal;
        },
      }),
  };
}

/** The value as a device gets it: what was checked, and a `Date` of its own for each. */
function valueOf({ kind, value }: ParameterSetting): boolean | number | bigint | string | Date {
  if (kind === "dateTime") return new Date(momentOf(value));
  return kind === "color" ? value.toUpperCase() : value;
}
