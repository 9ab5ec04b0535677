import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildCaps,
  capsNode,
  capsOf,
  hasForms,
  isProved,
  parseCaps,
  verificationString,
  type Caps,
} from "../../src/codec/caps.ts";
import { buildInfo, type DiscoInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { presence } from "../../src/codec/stanza.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { text } from "./arbitraries.ts";
import { anyElement, isTotal, overTheWire, thrownBy } from "./laws.ts";

const node = "http://code.google.com/p/exodus";
// XEP-0115 5.2.
const exodus = `<query xmlns='${ns.discoInfo}' node='${node}#QgayPKawpkPSDYmwT/WM94uAlu0='>
  <identity category='client' name='Exodus 0.9.1' type='pc'/>
  <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#items'/>
  <feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/muc'/></query>`;
// XEP-0115 5.3.
const psi = `<query xmlns='${ns.discoInfo}' node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>
  <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
  <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
  <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
  <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>
  <x xmlns='jabber:x:data' type='result'>
    <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
    <field var='ip_version'><value>ipv4</value><value>ipv6</value></field>
    <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>
    <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field></x></query>`;

const query = (...inside: string[]): XmlElement =>
  parseXml(`<query xmlns='${ns.discoInfo}'>${inside.join("")}</query>`);
const form = (...fields: string[]): string => `<x xmlns='jabber:x:data' type='result'>${fields.join("")}</x>`;
const formType = (value: string, type = "hidden"): string =>
  `<field var='FORM_TYPE' type='${type}'><value>${value}</value></field>`;
const field = (name: string, ...values: string[]): string =>
  `<field var='${name}'>${values.map((value) => `<value>${value}</value>`).join("")}</field>`;

const plain = text.map((value) => value.replaceAll("<", "("));
const info: fc.Arbitrary<DiscoInfo> = fc.record({
  identities: fc.uniqueArray(fc.record({ category: plain, type: plain, name: plain }), {
    maxLength: 3,
    selector: ({ category, type, name }) => [category, type, "", name].join("/"),
  }),
  features: fc.uniqueArray(plain, { maxLength: 6 }),
});
const caps: fc.Arbitrary<Caps> = fc.record({
  hash: fc.constantFrom("sha-1", "sha-224", "sha-256", "sha-384", "sha-512"),
  node: text.filter((value) => value !== "" && value.length <= 512),
  ver: text.filter((value) => value !== "" && value.length <= 128),
});

describe("the verification string (XEP-0115 5.1)", () => {
  it("is that of the XEP's simple example", () => {
    expect(verificationString(parseXml(exodus))).toBe(
      `client/pc//Exodus 0.9.1<${ns.caps}<${ns.discoInfo}<${ns.discoItems}<http://jabber.org/protocol/muc<`,
    );
    expect(isProved(parseXml(exodus), { hash: "sha-1", ver: "QgayPKawpkPSDYmwT/WM94uAlu0=" })).toBe(true);
    expect(hasForms(parseXml(exodus))).toBe(false);
  });

  it("is that of the XEP's example with languages and a form", () => {
    expect(isProved(parseXml(psi), { hash: "sha-1", ver: "q07IKJEyjvHSyhy//CH0CxmKi8w=" })).toBe(true);
    expect(hasForms(parseXml(psi))).toBe(true);
  });

  it("puts forms, fields and values into order, and passes over a form without a hidden type", () => {
    const told = query(
      form(formType("urn:b"), field("z", "2", "1"), field("a")),
      form(field("no", "type")),
      form(formType("urn:shown", "text-single"), field("no", "hidden type")),
      form(formType("urn:a")),
    );
    expect(verificationString(told)).toBe("urn:a<urn:b<a<z<1<2<");
  });

  it("compares by the bytes of UTF-8", () => {
    const vars = ["\u{10000}", "\u{FF5E}", "b", "B"].map((name) => `<feature var='${name}'/>`);
    expect(verificationString(query(...vars))).toBe("B<b<\u{FF5E}<\u{10000}<");
  });

  it.each([
    ["an identity twice", "<identity category='c' type='t'/><identity category='c' type='t' name=''/>"],
    ["a feature twice", "<feature var='urn:a'/><feature var='urn:a'/>"],
    ["a form twice", form(formType("urn:a")) + form(formType("urn:a"), field("b", "c"))],
    ["a form of two types", form("<field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field>")],
    ["a form with its type twice", form(formType("urn:a"), formType("urn:a"))],
    ["the sign that parts them in a name", "<identity category='c' type='t' name='x&lt;urn:a'/>"],
    ["the sign that parts them in a value", form(formType("urn:a"), field("b", "c&lt;d"))],
  ])("is not made of an answer with %s (XEP-0115 5.4)", (_, inside) => {
    expect(verificationString(query(inside))).toBeUndefined();
    expect(isProved(query(inside), { hash: "sha-1", ver: "x" })).toBe(false);
  });

  it("does not depend on the order in an answer, and proves no other answer", () => {
    fc.assert(
      fc.property(info, plain, (can, more) => {
        const proved = capsOf(can, node);
        const turned = { identities: [...can.identities].reverse(), features: [...can.features].reverse() };
        expect(isProved(overTheWire(buildInfo(turned)), proved)).toBe(true);
        expect(isProved(overTheWire(buildInfo(can)), { ...proved, ver: `${proved.ver}=` })).toBe(false);
        if (can.features.includes(more)) return;
        expect(isProved(overTheWire(buildInfo({ ...can, features: [...can.features, more] })), proved)).toBe(false);
      }),
    );
  });

  it("is made of whatever comes, or not at all", () => {
    isTotal(anyElement("query", ns.discoInfo), verificationString);
  });

  it("cannot be made of one's own mistakes", () => {
    const twice = { identities: [], features: ["urn:a", "urn:a"] };
    expect(thrownBy(() => capsOf(twice, node))).toBeInstanceOf(TypeError);
  });
});

describe("what presence says of it (XEP-0115 4)", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(caps, (value) => {
        expect(parseCaps(overTheWire(presence({}, buildCaps(value))))).toEqual(value);
      }),
    );
  });

  it("names the node under which it is asked for", () => {
    expect(capsNode({ node, ver: "v" })).toBe(`${node}#v`);
  });

  it.each([
    ["nothing", {}],
    ["what is said before version 1.4, without a hash", { node, ver: "1.2", ext: "a b" }],
    ["a hash that proves nothing", { hash: "md5", node, ver: "x" }],
    ["no node", { hash: "sha-1", node: "", ver: "x" }],
    ["no hash of anything", { hash: "sha-1", node }],
    ["a node of more than 512 characters", { hash: "sha-1", node: "x".repeat(513), ver: "x" }],
    ["a hash of more than 128 characters", { hash: "sha-1", node, ver: "x".repeat(129) }],
  ])("counts as nothing when it is %s", (_, attributes) => {
    expect(parseCaps(presence({}, el("c", { xmlns: ns.caps, ...attributes })))).toBeUndefined();
  });

  it("is in a namespace of its own", () => {
    const stray = el("c", { xmlns: "urn:other", hash: "sha-1", node, ver: "x" });
    expect(parseCaps(presence({}, stray))).toBeUndefined();
    expect(parseCaps(presence())).toBeUndefined();
    expect(isProved(query(), { hash: "md5", ver: "x" })).toBe(false);
  });
});
