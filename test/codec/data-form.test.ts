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
import { ns } from "../../src/codec/namespaces.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { fieldsOfPage } from "../../src/codec/form-layout.ts";
import { dataForm } from "./form-arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips } from "./laws.ts";

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

const inField = (children: string): string =>
  `<x xmlns='jabber:x:data' type='form'><field var='a'>${children}</field></x>`;

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
        { ...field, name: "x-gender", type: "list-single", label: "Gender", options: [{ label: "Male", value: "M" }] },
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
    roundTrips(dataForm, buildDataForm, parseDataForm);
  });

  it.each([
    ["something else", "<y xmlns='jabber:x:data' type='form'/>", "y"],
    ["another namespace", "<x xmlns='jabber:x:oob' type='form'/>", "x"],
    ["no type", "<x xmlns='jabber:x:data'/>", "x/@type"],
    ["an unknown type", "<x xmlns='jabber:x:data' type='forms'/>", "x/@type"],
    ["a field without a name", "<x xmlns='jabber:x:data' type='form'><field/></x>", "field/@var"],
    ["a field twice", "<x xmlns='jabber:x:data' type='form'><field var='a'/><field var='a'/></x>", "x/field"],
    ["an option without a value", inField("<option label='A'/>"), "option"],
    ["XEP-0004 3.2: a value with an element in it", inField("<value>1<b>0</b></value>"), "value"],
    ["XEP-0004 3.2: an option with an element in its value", inField("<option><value><b/></value></option>"), "value"],
    [
      "XEP-0122 3.2: two ways of validation",
      inField(`<validate xmlns='${ns.formValidation}'><basic/><open/></validate>`),
      "validate",
    ],
    [
      "XEP-0325 5.4: a parameter in two groups",
      inField(`<parameterGroup xmlns='${ns.control}' name='a'/><parameterGroup xmlns='${ns.control}' name='b'/>`),
      "field/parameterGroup",
    ],
    ["a group without a name", inField(`<parameterGroup xmlns='${ns.control}'/>`), "parameterGroup/@name"],
    [
      "XEP-0141: sections in sections without end",
      `<x xmlns='jabber:x:data' type='form'><page xmlns='${ns.formLayout}'>${"<section>".repeat(1_000)}${"</section>".repeat(1_000)}</page></x>`,
      "section",
    ],
  ])("refuses %s", (_what, xml, path) => {
    refuses(parseDataForm, xml, path);
  });

  it("gives a whole form or ERR_PROTOCOL, whatever comes in", () => {
    const element = anyElement("x", ns.form).map((x) => el("x", { type: "form", ...x.attrs }, ...x.children));
    isTotal(element, parseDataForm, buildDataForm);
  });

  it("XEP-0122 3.1, 3.2: takes xs:string and basic for granted where nothing is said", () => {
    const form = parseDataForm(parseXml(inField(`<validate xmlns='${ns.formValidation}'><odd/></validate>`)));
    expect(form.fields[0]?.validation).toEqual({ datatype: "xs:string", method: { is: "basic" } });
    const other = parseDataForm(parseXml(inField("<validate xmlns='urn:other' datatype='xs:int'/>")));
    expect(other.fields[0]).not.toHaveProperty("validation");
  });

  it("XEP-0331: says what the prefix of colours means", () => {
    const validation = { datatype: "xdc:Color", method: { is: "basic" as const } };
    const form: DataForm = { type: "form", title: "", instructions: "", fields: [{ ...answerField("a"), validation }] };
    expect(String(buildDataForm(form))).toContain(`xmlns:xdc="${ns.formColor}" datatype="xdc:Color"`);
  });

  it("S-E6: leaves out what a page names that is no field; XEP-0141: gives the fields of a page in their order", () => {
    const { pages = [] } = parseDataForm(
      parseXml(`<x xmlns='jabber:x:data' type='form'>
        <page xmlns='${ns.formLayout}' label='One'>
          <text>Words</text><fieldref var='b'/><fieldref var='c'/><fieldref/><reportedref/>
          <section label='Deeper'><fieldref var='a'/></section>
        </page><field var='a'/><field var='b'/></x>`),
    );
    expect(pages).toEqual([
      { label: "One", parts: [{ text: "Words" }, { field: "b" }, { section: "Deeper", parts: [{ field: "a" }] }] },
    ]);
    expect(pages.map(fieldsOfPage)).toEqual([["b", "a"]]);
  });

  it("takes no form of another namespace for one", () => {
    expect(formIn(el("query", {}, el("x", { xmlns: "jabber:x:oob" })))).toBeUndefined();
  });
});
