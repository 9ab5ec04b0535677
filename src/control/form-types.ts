// How the type of a control parameter is said in a form, and read from one: XEP-0325 3.3.1, XEP-0122 3.1, XEP-0331, XEP-0336.
import type { ParameterKind } from "../codec/control.ts";
import type { FormField } from "../codec/data-form.ts";

// XEP-0331: the prefix of colours is xdc.
const datatypes: Readonly<Record<ParameterKind, string>> = {
  boolean: "xs:boolean",
  int: "xs:int",
  long: "xs:long",
  double: "xs:double",
  string: "xs:string",
  date: "xs:date",
  time: "xs:time",
  dateTime: "xs:dateTime",
  duration: "xs:duration",
  color: "xdc:Color",
};

/** The datatype of a parameter in a form. */
export function datatypeOf(kind: ParameterKind): string {
  return datatypes[kind];
}

// In lower case. Those of other Things that have no kind of their own are counted with the next wider one.
const kinds: ReadonlyMap<string, ParameterKind> = new Map<string, ParameterKind>([
  ...Object.entries(datatypes).map(([kind, name]) => [name.toLowerCase(), kind as ParameterKind] as const),
  ["xs:byte", "int"],
  ["xs:short", "int"],
  ["xs:unsignedbyte", "int"],
  ["xs:unsignedshort", "int"],
  ["xs:unsignedint", "long"],
  ["xs:integer", "long"],
  ["xs:float", "double"],
  ["xs:decimal", "double"],
  ["xdc:coloralpha", "color"],
]);

// XEP-0004 3.3: these hold nothing to be set. XEP-0325 3.3.3 has the rest of a form without types.
const idle: ReadonlySet<string> = new Set(["hidden", "fixed"]);
// Fields that are about the form and not about the device (XEP-0068, XEP-0336), whatever type they bear when they come back.
const ofTheForm: ReadonlySet<string> = new Set(["FORM_TYPE", "xdd session"]);

/** Tells whether a field of that name is about the form: no parameter can be called so. */
export function isNameOfForm(name: string): boolean {
  return ofTheForm.has(name);
}

/** Tells whether a field stands for a parameter. */
export function isParameterField({ name, type }: FormField): boolean {
  return name !== "" && !idle.has(type) && !isNameOfForm(name);
}

/** The type of the parameter that a field of a form stands for: text where nothing is said. */
export function kindOfField({ type, validation }: FormField): ParameterKind {
  return type === "boolean" ? "boolean" : (kinds.get(validation?.datatype.toLowerCase() ?? "") ?? "string");
}
