// A control form that comes back, in part or whole: XEP-0325 3.3.3, 3.3.4, 3.4.6, 3.4.7.
import { ProtocolError } from "../core/errors.ts";
import { Refusal } from "../core/refusal.ts";
import { parseSetting, type ParameterKind, type ParameterSetting } from "../codec/control.ts";
import type { DataForm, FormField } from "../codec/data-form.ts";
import { isParameterField } from "./form-types.ts";
import { wrongType } from "./limits.ts";

/**
 * The fields of a form that somebody has edited: only these are set (XEP-0325 3.3.3). One without a value is none: nothing
 * was entered. Throws `Refusal` for a form that was not filled in.
 */
export function editedFields({ type, fields }: DataForm): readonly FormField[] {
  if (type !== "submit") throw new Refusal("bad-request", "A control form is sent back with the type submit.");
  return fields.filter((field) => isParameterField(field) && field.values.length > 0);
}

/** What a field says, as a value of the type that the device has for it; what is wrong with it, in words, if it is none. */
export function settingOfField({ name, type, values }: FormField, kind: ParameterKind): ParameterSetting | string {
  // XEP-0325 3.4.7: what is a check box for whoever filled it in is not to be a number of the device.
  if (type === "boolean" && kind !== "boolean") return wrongType(kind);
  const [value = "", ...others] = values;
  // XEP-0004 3.3: the lines of a text come one by one.
  const isText = kind === "string";
  if (others.length > 0 && !isText) return "Invalid parameter value: more than one.";
  try {
    return parseSetting(kind, name, isText ? values.join("\n") : value);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return `Invalid parameter value: ${error.message}.`;
  }
}
