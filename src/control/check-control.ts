// Whether what a device developer says about what can be controlled makes sense.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import { parameterKinds, type ParameterKind } from "../codec/control.ts";
import { isXmlText } from "../codec/xml.ts";
import type { ControlParameter } from "./definition.ts";
import { isNameOfForm } from "./form-types.ts";
import { limitsOf } from "./limits.ts";

const everywhere = ["name", "type", "label", "description", "page", "group", "timeout", "get", "set"];
const numeric = [...everywhere, "min", "max", "options", "unit"];
const temporal = [...everywhere, "min", "max", "options"];

/** What can be said of the parameters of each type. */
const optionsOf: Readonly<Record<ParameterKind, readonly string[]>> = {
  boolean: everywhere,
  int: numeric,
  long: numeric,
  double: numeric,
  string: [...everywhere, "maxLength", "pattern", "options"],
  date: temporal,
  time: temporal,
  duration: temporal,
  dateTime: [...everywhere, "min", "max"],
  color: [...everywhere, "options"],
};

const texts = ["label", "description", "page", "group", "unit"] as const;

/** Checks the definitions; throws `ERR_CONFIG` naming the one that is wrong. */
export function checkControl(parameters: readonly ControlParameter[], option = "control"): void {
  if (!Array.isArray(parameters)) throw new ConfigError(`${option}: must be a list`);
  const names = new Set<string>();
  for (const [index, parameter] of parameters.entries()) {
    const wrong = (problem: string): ConfigError => new ConfigError(`${option}[${index}]: ${problem}`);
    const given = parameter as Readonly<Record<string, unknown>> | null | undefined;
    if (typeof given !== "object" || given === null) throw wrong("must be an object");
    const { name, type = "boolean", timeout, set, get } = given;
    const kind = parameterKinds.find((one) => one === type);
    if (kind === undefined) throw wrong(`unknown type "${String(type)}"; there are ${parameterKinds.join(", ")}`);
    checkKnown(given, optionsOf[kind], `${option}[${index}]`);
    if (typeof name !== "string" || name === "" || !isXmlText(name)) throw wrong("needs a name");
    if (isNameOfForm(name)) throw wrong(`"${name}" is what a form says of itself: no form could set it`);
    if (names.has(name)) throw wrong(`"${name}" is defined twice`);
    if (typeof set !== "function") throw wrong("set must be a function");
    if (get !== undefined && typeof get !== "function") throw wrong("get must be a function");
    if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0)) {
      throw wrong("timeout must be a number of milliseconds, above 0");
    }
    for (const text of texts) {
      const words = given[text];
      if (words === undefined) continue;
      if (typeof words !== "string" || words === "" || !isXmlText(words)) {
        throw wrong(`${text} must be a text that XML can hold, not empty`);
      }
    }
    try {
      limitsOf(parameter as ControlParameter);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw wrong(error.message);
    }
    names.add(name);
  }
}
