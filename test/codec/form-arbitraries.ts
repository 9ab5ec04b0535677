// Forms for property tests, and requests for them. All of it may stand in XML.
import fc from "fast-check";
import type { GetForm } from "../../src/codec/control-form.ts";
import type { DataForm, FormField } from "../../src/codec/data-form.ts";
import type { FormPage, LayoutPart } from "../../src/codec/form-layout.ts";
import type { FormRange, FormValidation, ValidationMethod } from "../../src/codec/form-validation.ts";
import { nodeRef, text, tokens } from "./arbitraries.ts";

const word = text.filter((value) => value !== "");
// Blanks around words for people do not count.
const line = text.map((value) => value.replace(/\s+/g, " ").trim());
const words = line.filter((value) => value !== "");

/** Leaves keys out at will, never sets them to `undefined`. */
const partial = <T extends object>(model: {
  [K in keyof T]-?: fc.Arbitrary<Exclude<T[K], undefined>>;
}): fc.Arbitrary<T> => fc.record(model, { requiredKeys: [] }) as unknown as fc.Arbitrary<T>;

const range = partial<FormRange>({ min: text, max: text });
const method: fc.Arbitrary<ValidationMethod> = fc.oneof(
  fc.constantFrom<ValidationMethod>({ is: "basic" }, { is: "open" }),
  range.map((ends) => ({ is: "range" as const, ...ends })),
  text.map((pattern) => ({ is: "regex" as const, pattern })),
);
const validation: fc.Arbitrary<FormValidation> = fc
  .tuple(
    fc.record({ datatype: fc.oneof(fc.constantFrom("xs:int", "xdc:Color"), text), method }),
    partial<{ listRange?: FormRange }>({ listRange: range }),
  )
  .map(([value, rest]) => ({ ...value, ...rest }));

const field: fc.Arbitrary<FormField> = fc
  .tuple(
    fc.record({
      name: word,
      type: fc.constantFrom("", "hidden", "text-single", "text-private", "list-single", "boolean"),
      label: text,
      required: fc.boolean(),
      values: fc.array(text, { maxLength: 3 }),
      media: fc.boolean(),
    }),
    partial<Pick<FormField, "desc" | "options" | "validation" | "notSame" | "group">>({
      desc: words,
      options: fc.array(fc.record({ label: text, value: text }), { minLength: 1, maxLength: 3 }),
      validation,
      notSame: fc.constant(true as const),
      group: text,
    }),
  )
  .map(([value, rest]) => ({ ...value, ...rest }));

/** Pages that name only fields of the form. */
function pagesOf(fields: readonly FormField[]): fc.Arbitrary<readonly FormPage[]> {
  const leaves: fc.Arbitrary<LayoutPart> = fc.oneof(
    text.map((said) => ({ text: said })),
    ...fields.map(({ name }) => fc.constant({ field: name })),
  );
  const { part } = fc.letrec<{ part: LayoutPart }>((tie) => ({
    part: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaves,
      fc.record({ section: text, parts: fc.array(tie("part"), { maxLength: 3 }) }),
    ),
  }));
  return fc.array(fc.record({ label: text, parts: fc.array(part, { maxLength: 4 }) }), { maxLength: 3 });
}

/** Any form that can be made. */
export const dataForm: fc.Arbitrary<DataForm> = fc
  .uniqueArray(field, { maxLength: 4, selector: ({ name }) => name })
  .chain((fields) =>
    fc.record({
      type: fc.constantFrom("form" as const, "submit" as const, "cancel" as const, "result" as const),
      title: line,
      instructions: fc.array(words, { maxLength: 2 }).map((lines) => lines.join("\n")),
      fields: fc.constant(fields),
      pages: pagesOf(fields),
    }),
  )
  .map(({ pages, ...form }) => (pages.length === 0 ? form : { ...form, pages }));

/** A request for a control form. */
export const getForm: fc.Arbitrary<GetForm> = fc
  .tuple(
    fc.record({ nodes: fc.array(nodeRef, { maxLength: 4 }), tokens }),
    partial<{ lang?: string }>({ lang: fc.constantFrom("en", "sv-SE", "es-CL") }),
  )
  .map(([value, rest]) => ({ ...value, ...rest }));
