// A control form as the controller sees it: XEP-0325 3.3.1, 3.3.3, 3.4.4, 5.2.1, 5.4.
import { ConfigError, ProtocolError } from "../core/errors.ts";
import type { ParameterKind, ParameterSetting } from "../codec/control.ts";
import { answerField, type DataForm, type FormField } from "../codec/data-form.ts";
import { fieldsOfPage } from "../codec/form-layout.ts";
import type { FormRange } from "../codec/form-validation.ts";
import { parseXs } from "../codec/xs-values.ts";
import { isParameterField, kindOfField } from "./form-types.ts";

/** A value of a parameter: a moment is a `Date`, a `long` a bigint, what is neither number nor boolean a text. */
export type ControlValue = boolean | number | bigint | string | Date;

/** A value that a parameter can be given. */
export interface ParameterOption {
  /** Words for people; empty if none. */
  readonly label: string;
  /** The value. */
  readonly value: ControlValue;
}

/** A parameter of a Thing, as its control form describes it. */
export interface FormParameter {
  /** Its name. */
  readonly name: string;
  /** What people see instead of the name; empty if nothing is said. */
  readonly label: string;
  /** What it is for. Left out: not said. */
  readonly description?: string;
  /** Its type. */
  readonly type: ParameterKind;
  /** What it is set to now. Left out: not known, or not the same on all nodes. */
  readonly value?: ControlValue;
  /** The least that it takes. Left out: not said. */
  readonly min?: ControlValue;
  /** The most that it takes. Left out: not said. */
  readonly max?: ControlValue;
  /** A regular expression for its text (XEP-0122 3.2.4). Left out: not said. */
  readonly pattern?: string;
  /** The values to choose from. Left out: it is no list. */
  readonly options?: readonly ParameterOption[];
  /** The page of the form on which it stands. Left out: none with a name. */
  readonly page?: string;
  /** Parameters of the same group are to be set together. Left out: by itself. */
  readonly group?: string;
}

/** What can be controlled of a Thing. */
export interface ControlForm {
  /** The name of what is controlled, for people; empty if none is said. */
  readonly title: string;
  /** What can be set, in the order in which it is to be. */
  readonly parameters: readonly FormParameter[];
  /** What goes back with the form as it came, by name. */
  readonly hidden: ReadonlyMap<string, readonly string[]>;
}

/** Reads a control form. Values and limits that are none of the type are left out. Throws `ERR_PROTOCOL` for no form to fill in. */
export function controlFormOf({ type, title, fields, pages = [] }: DataForm): ControlForm {
  if (type !== "form") throw new ProtocolError("not a form to be filled in", "x/@type");
  const pageOf = new Map(pages.flatMap((page) => fieldsOfPage(page).map((name) => [name, page.label] as const)));
  const hidden = fields.filter((field) => field.type === "hidden");
  return {
    title,
    parameters: fields.filter(isParameterField).map((field) => parameterOf(field, pageOf.get(field.name))),
    hidden: new Map(hidden.map(({ name, values }) => [name, values])),
  };
}

function parameterOf(field: FormField, page = ""): FormParameter {
  const { name, label, desc, values, options, validation, group } = field;
  const kind = kindOfField(field);
  const method = validation?.method;
  const range: FormRange = method?.is === "range" ? method : {};
  const value =
    values.length > 1 && kind !== "string" ? undefined : values.length === 0 ? undefined : values.join("\n");
  const [now, min, max] = [read(kind, value), read(kind, range.min), read(kind, range.max)];
  const choices = options?.flatMap((option): readonly ParameterOption[] => {
    const chosen = read(kind, option.value);
    return chosen === undefined ? [] : [{ label: option.label, value: chosen }];
  });
  return {
    name,
    label,
    ...(desc !== undefined && { description: desc }),
    type: kind,
    ...(now !== undefined && { value: now }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(method?.is === "regex" && { pattern: method.pattern }),
    ...(choices !== undefined && { options: choices }),
    ...(page !== "" && { page }),
    ...(group !== undefined && { group }),
  };
}

/** A text as a value; `undefined` for none, and for one that is none of the type. */
function read(kind: ParameterKind, text: string | undefined): ControlValue | undefined {
  if (text === undefined) return undefined;
  try {
    const { value } = parseXs(kind, text);
    return kind === "dateTime" ? new Date(value as number) : value;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** The form as it goes back: what is to be set, in the form's own order, and what was hidden in it (XEP-0325 3.3.3). */
export function filledIn(
  form: ControlForm,
  settings: readonly { setting: ParameterSetting; text: string }[],
): DataForm {
  const given = new Map(settings.map(({ setting, text }) => [setting.name, text]));
  const known = new Set(form.parameters.map(({ name }) => name));
  const unknown = [...given.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) throw new ConfigError(`values: the form has no parameter "${unknown}"`);
  const fields = form.parameters.flatMap(({ name, type }): readonly FormField[] => {
    const text = given.get(name);
    if (text === undefined) return [];
    const lines = type === "string" ? text.split("\n") : [text];
    return [answerField(name, ...lines)];
  });
  const hidden = [...form.hidden].map(([name, values]): FormField => ({
    ...answerField(name, ...values),
    type: "hidden",
  }));
  return { type: "submit", title: "", instructions: "", fields: [...hidden, ...fields] };
}
