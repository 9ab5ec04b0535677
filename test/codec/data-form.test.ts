import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  answerField,
  buildDataForm,
  fillIn,
  formIn,
  formTypeOf,
  parseDataForm,
  type DataForm,
} from "../../src/codec/data-form.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { text } from "./arbitraries.ts";
import { refuses, roundTrips } from "./laws.ts";

// XEP-0077, listing 9, with the form of a CAPTCHA beside it (XEP-0158, XEP-0221).
const listing = parseXml(`<query xmlns='jabber:iq:register'>
  <x xmlns='jabber:x:data' type='form'>
    <title>Contest Registration</title>
    <instructions>
      Please provide the following information
    </instructions>
    <instructions>to sign up!</instructions>
    <field type='hidden' var='FORM_TYPE'><value>jabber:iq:register</value></field>
    <field type='fixed'><value>Who are you?</value></field>
    <field type='text-single' label='Given Name' var='first'><required/></field>
    <field type='list-single' label='Gender' var='x-gender'><option label='Male'><value>M</value></option></field>
    <field label='Enter the text you see' var='ocr'>
      <media xmlns='urn:xmpp:media-element'><uri type='image/png'>cid:sha1+f24@bob.xmpp.org</uri></media><required/>
    </field>
  </x></query>`);

describe("the codec of data forms (XEP-0004)", () => {
  it("reads the form inside a request", () => {
    const field = { type: "", label: "", required: false, values: [], media: false };
    const form = formIn(listing) as DataForm;
    expect(form).toEqual({
      type: "form",
      title: "Contest Registration",
      instructions: "Please provide the following information\nto sign up!",
      fields: [
        { ...field, name: "FORM_TYPE", type: "hidden", values: ["jabber:iq:register"] },
        { ...field, name: "", type: "fixed", values: ["Who are you?"] },
        { ...field, name: "first", type: "text-single", label: "Given Name", required: true },
        { ...field, name: "x-gender", type: "list-single", label: "Gender" },
        { ...field, name: "ocr", label: "Enter the text you see", required: true, media: true },
      ],
    });
    expect(formTypeOf(form)).toBe("jabber:iq:register");
    expect(formTypeOf({ ...form, fields: [] })).toBe("");
    expect(formIn(parseXml("<query xmlns='jabber:iq:register'/>"))).toBeUndefined();
  });

  it("fills in what is given, gives hidden fields back, and leaves out the rest", () => {
    expect(
      fillIn(
        formIn(listing) as DataForm,
        new Map([
          ["first", "Juliet"],
          ["last", "Capulet"],
        ]),
      ),
    ).toEqual({
      type: "submit",
      title: "",
      instructions: "",
      fields: [answerField("FORM_TYPE", "jabber:iq:register"), answerField("first", "Juliet")],
    });
  });

  it("reads back whatever it makes", () => {
    const word = text.filter((value) => value !== "");
    const line = text.map((value) => value.replace(/\s+/g, " ").trim());
    const field = fc.record({
      name: word,
      type: fc.constantFrom("", "hidden", "text-single", "text-private", "jid-multi"),
      label: text,
      required: fc.boolean(),
      values: fc.array(text, { maxLength: 3 }),
      media: fc.boolean(),
    });
    const form: fc.Arbitrary<DataForm> = fc.record({
      type: fc.constantFrom("form", "submit", "cancel", "result"),
      title: line,
      instructions: fc
        .array(
          line.filter((value) => value !== ""),
          { maxLength: 2 },
        )
        .map((lines) => lines.join("\n")),
      fields: fc.uniqueArray(field, { maxLength: 4, selector: ({ name }) => name }),
    });
    roundTrips(form, buildDataForm, parseDataForm);
  });

  it.each([
    ["something else", "<y xmlns='jabber:x:data' type='form'/>", "y"],
    ["another namespace", "<x xmlns='jabber:x:oob' type='form'/>", "x"],
    ["no type", "<x xmlns='jabber:x:data'/>", "x/@type"],
    ["an unknown type", "<x xmlns='jabber:x:data' type='forms'/>", "x/@type"],
    ["a field without a name", "<x xmlns='jabber:x:data' type='form'><field/></x>", "field/@var"],
    ["a field twice", "<x xmlns='jabber:x:data' type='form'><field var='a'/><field var='a'/></x>", "x/field"],
  ])("refuses %s", (_what, xml, path) => {
    refuses(parseDataForm, xml, path);
  });

  it("takes no form of another namespace for one", () => {
    expect(formIn(el("query", {}, el("x", { xmlns: "jabber:x:oob" })))).toBeUndefined();
  });
});
