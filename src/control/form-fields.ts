// The control form of a device: XEP-0325 3.3.1, 3.4.4, 5.4, with XEP-0122 validation and XEP-0141 layout.
import type { FormField } from "../codec/data-form.ts";
import type { FormPage } from "../codec/form-layout.ts";
import type { FormValidation, ValidationMethod } from "../codec/form-validation.ts";
import { formatXs } from "../codec/xs-values.ts";
import type { ControlParameter } from "./definition.ts";
import { datatypeOf } from "./form-types.ts";
import { typeOf } from "./limits.ts";

/** All that may be said of a parameter, whatever its type. */
interface Said {
  readonly unit?: string;
  readonly min?: unknown;
  readonly max?: unknown;
  readonly pattern?: string;
  readonly options?: readonly unknown[];
}

/** A parameter as a field of a form, still without a value. Each is marked as `notSame`: sent back only if it was edited. */
export function fieldOf(parameter: ControlParameter): FormField {
  const { name, label = name, description, group } = parameter;
  const { unit, options } = parameter as Said;
  const kind = typeOf(parameter);
  const choices = options?.map((value) => ({ label: "", value: textOf(parameter, value) }));
  return {
    name,
    type: kind === "boolean" ? "boolean" : choices === undefined ? "text-single" : "list-single",
    label: unit === undefined ? label : `${label} (${unit})`,
    required: false,
    values: [],
    media: false,
    ...(description !== undefined && { desc: description }),
    ...(choices !== undefined && { options: choices }),
    validation: { datatype: datatypeOf(kind), method: methodOf(parameter) },
    notSame: true,
    ...(group !== undefined && { group }),
  };
}

/** What the device takes of that type, where XEP-0122 has words for it. */
function methodOf(parameter: ControlParameter): ValidationMethod {
  const { min, max, pattern, options } = parameter as Said;
  // XEP-0122 3.2: of a list anything but basic would allow what is none of its options.
  if (options !== undefined) return { is: "basic" };
  // XEP-0122 3.2.4: found anywhere in the text, unless it says otherwise.
  if (pattern !== undefined) return { is: "regex", pattern: `^(${pattern})$` };
  if (parameter.type === "color") return { is: "regex", pattern: "^([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$" };
  if (min === undefined && max === undefined) return { is: "basic" };
  return {
    is: "range",
    ...(min !== undefined && { min: textOf(parameter, min) }),
    ...(max !== undefined && { max: textOf(parameter, max) }),
  };
}

/** A value of a parameter as it is written. Throws `TypeError` for one that is none. */
export function textOf(parameter: ControlParameter, value: unknown): string {
  const written = formatXs(typeOf(parameter), value);
  if ("problem" in written) throw new TypeError(written.problem);
  return written.text;
}

/**
 * What several nodes have in common of a parameter of theirs (XEP-0325 3.4.4); `undefined` if they do not mean the same by
 * its name. Where they differ in what they take, no more is said than its type.
 */
export function commonField(fields: readonly FormField[]): FormField | undefined {
  const [first, ...others] = fields;
  if (first === undefined) return undefined;
  const datatype = first.validation?.datatype ?? "";
  if (others.some(({ validation }) => validation?.datatype !== datatype)) return undefined;
  const sameLimits = others.every((other) => takes(other) === takes(first));
  const sameGroup = others.every(({ group }) => group === first.group);
  const { group, options, ...rest } = first;
  const basic: FormValidation = { datatype, method: { is: "basic" } };
  return {
    ...rest,
    ...(sameLimits
      ? options !== undefined && { options }
      : { type: first.type === "list-single" ? "text-single" : first.type, validation: basic }),
    ...(sameGroup && group !== undefined && { group }),
  };
}

const takes = ({ type, options = [], validation }: FormField): string => JSON.stringify([type, options, validation]);

/**
 * The pages of a form (XEP-0141), in the order in which the parameters name them. One that names none stands with its
 * group (XEP-0325 5.4). None if there is but one, without a name.
 */
export function pagesOf(
  fields: readonly FormField[],
  pageOf: (name: string) => string | undefined,
): readonly FormPage[] {
  const pages = new Map<string, { readonly field: string }[]>();
  for (const { name, group = "" } of fields) {
    const label = pageOf(name) ?? group;
    const parts = pages.get(label) ?? [];
    pages.set(label, parts);
    parts.push({ field: name });
  }
  return [...pages.keys()].every((label) => label === "") ? [] : [...pages].map(([label, parts]) => ({ label, parts }));
}

/** The field with a value in it. A text of several lines is one of its own kind (XEP-0004 3.3). */
export function withValue(field: FormField, text: string): FormField {
  if (field.type !== "text-single" || !text.includes("\n")) return { ...field, values: [text] };
  return { ...field, type: "text-multi", values: text.split("\n") };
}
