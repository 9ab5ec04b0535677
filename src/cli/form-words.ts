// What can be controlled of a Thing, for people and for programs.
import type { ControlForm, ControlValue, FormParameter } from "../control/control-form.ts";

const text = (value: ControlValue): string => (value instanceof Date ? value.toISOString() : String(value));

/** A line for each parameter, under the names of their pages. */
export function formLines({ title, parameters }: ControlForm): readonly string[] {
  const pages = new Map<string, string[]>();
  for (const parameter of parameters) {
    const { page = "" } = parameter;
    const lines = pages.get(page) ?? (page === "" ? [] : [`[${page}]`]);
    pages.set(page, lines);
    lines.push(lineOf(parameter));
  }
  const lines = [...pages.values()].flat();
  return title === "" ? lines : [title, ...lines];
}

function lineOf(parameter: FormParameter): string {
  const { name, label, description, value, group } = parameter;
  const words = [label === name ? "" : label, description ?? "", group === undefined ? "" : `(with ${group})`];
  const said = words.filter((word) => word !== "").join(" ");
  const now = value === undefined ? "" : ` = ${text(value)}`;
  return `${name}${now} (${limitsOf(parameter)})${said === "" ? "" : ` ${said}`}`;
}

function limitsOf({ type, min, max, pattern, options }: FormParameter): string {
  if (options !== undefined) return `${type}, one of ${options.map(({ value }) => text(value)).join(", ")}`;
  if (pattern !== undefined && type !== "color") return `${type}, like ${pattern}`;
  if (min === undefined) return max === undefined ? type : `${type}, ${text(max)} at most`;
  return `${type}, ${text(min)} ${max === undefined ? "at least" : `to ${text(max)}`}`;
}

// An empty one is none.
const labelled = (label: string): { readonly label?: string } => (label === "" ? {} : { label });

/** The same as JSON takes it: an integer of 64 bits is a text, as JavaScript's numbers do not hold it. */
export function formJson({ title, parameters }: ControlForm): object {
  const plain = (value: ControlValue): ControlValue => (typeof value === "bigint" ? String(value) : value);
  return {
    title,
    parameters: parameters.map(({ label, value, min, max, options, ...rest }) => ({
      ...rest,
      ...labelled(label),
      ...(value !== undefined && { value: plain(value) }),
      ...(min !== undefined && { min: plain(min) }),
      ...(max !== undefined && { max: plain(max) }),
      ...(options !== undefined && {
        options: options.map((option) => ({ ...labelled(option.label), value: plain(option.value) })),
      }),
    })),
  };
}
