import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import {
  buildError,
  iq,
  iqType,
  message,
  parseError,
  presence,
  presenceType,
  stanzaErrorOf,
  type PresenceType,
} from "../../src/codec/stanza.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { parameterProblem, text } from "./arbitraries.ts";
import { anyElement, isTotal, overTheWire, refuses } from "./laws.ts";

describe("the frame of a stanza", () => {
  it("is of jabber:client, with the attributes given and no others", () => {
    const payload = el("x", { xmlns: "urn:x" });
    expect(String(iq({ type: "get", id: "1" }))).toBe('<iq xmlns="jabber:client" type="get" id="1"/>');
    expect(String(iq({ type: "set", id: "1", to: "b", from: "a" }, payload))).toBe(
      '<iq xmlns="jabber:client" type="set" id="1" to="b" from="a"><x xmlns="urn:x"/></iq>',
    );
    expect(String(message({ to: "b" }, payload))).toBe(
      '<message xmlns="jabber:client" to="b"><x xmlns="urn:x"/></message>',
    );
    expect(String(message({ to: "b", from: "a", id: "1" }))).toBe(
      '<message xmlns="jabber:client" to="b" from="a" id="1"/>',
    );
    expect(String(presence())).toBe('<presence xmlns="jabber:client"/>');
    expect(String(presence({ type: "unavailable", to: "b", from: "a" }))).toBe(
      '<presence xmlns="jabber:client" type="unavailable" to="b" from="a"/>',
    );
  });

  it("carries any id and address as it is", () => {
    fc.assert(
      fc.property(text, text, (id, to) => {
        expect(overTheWire(iq({ type: "get", id, to })).attrs).toEqual({ xmlns: ns.client, type: "get", id, to });
      }),
    );
  });

  it("has a type: four for an IQ", () => {
    for (const type of ["get", "set", "result", "error"] as const) expect(iqType(iq({ type, id: "1" }))).toBe(type);
    for (const type of ["", "GET", "query", "constructor"]) refuses(iqType, `<iq type='${type}'/>`, "iq/@type");
    refuses(iqType, "<iq/>", "iq/@type");
  });

  it("has a type: eight for presence, one of them said by silence (RFC 6121 section 4.7.1)", () => {
    const types: PresenceType[] = [
      "available",
      "unavailable",
      "subscribe",
      "subscribed",
      "unsubscribe",
      "unsubscribed",
      "probe",
      "error",
    ];
    for (const type of types) expect(presenceType(overTheWire(presence({ type })))).toBe(type);
    for (const type of ["", "available", "Subscribe", "__proto__"]) {
      refuses(presenceType, `<presence type='${type}'/>`, "presence/@type");
    }
  });
});

describe("an error (RFC 6120 section 8.3)", () => {
  it("is read as it was written", () => {
    const types = fc.constantFrom("auth", "cancel", "continue", "modify", "wait");
    const conditions = fc.constantFrom("forbidden", "item-not-found", "undefined-condition", "gone");
    const parameters = fc.array(parameterProblem, { minLength: 1, maxLength: 3 });
    const said = { condition: conditions, type: types, text };
    fc.assert(
      fc.property(fc.oneof(fc.record(said), fc.record({ ...said, parameters })), (info) => {
        expect(parseError(overTheWire(buildError(info)))).toEqual(info);
      }),
    );
  });

  it("is made of a refusal, words only where there are some", () => {
    expect(String(buildError(new Refusal("forbidden")))).toBe(
      `<error type="cancel"><forbidden xmlns="${ns.stanzas}"/></error>`,
    );
    expect(parseError(buildError(new Refusal("resource-constraint", "Later.")))).toEqual({
      condition: "resource-constraint",
      type: "wait",
      text: "Later.",
    });
  });

  it("is an error however odd it is: never nothing, and nothing is thrown", () => {
    isTotal(anyElement("error", ns.client), parseError, buildError);
    const unknown = { condition: "undefined-condition", type: "cancel", text: "" };
    expect(parseError(undefined)).toEqual(unknown);
    expect(parseError(parseXml("<error/>"))).toEqual(unknown);
    expect(parseError(parseXml("<error type='fatal'><forbidden/></error>"))).toEqual(unknown);
    expect(parseError(parseXml(`<error type='wait'><text xmlns='${ns.stanzas}'>Hm.</text></error>`))).toEqual({
      condition: "undefined-condition",
      type: "wait",
      text: "Hm.",
    });
  });

  it("says what is wrong with single parameters, as far as that can be understood (XEP-0325 3.1.3)", () => {
    const problem = "<paramError xmlns='urn:xmpp:iot:control' var='Output'>Invalid parameter type.</paramError>";
    const nameless = "<paramError xmlns='urn:xmpp:iot:control'>Hm.</paramError><paramError var='Other'/>";
    const xml = (inside: string) => `<error type='modify'><bad-request xmlns='${ns.stanzas}'/>${inside}</error>`;
    expect(parseError(parseXml(xml(problem + nameless))).parameters).toEqual([
      { name: "Output", text: "Invalid parameter type." },
    ]);
    expect(parseError(parseXml(xml(nameless)))).not.toHaveProperty("parameters");
    expect(stanzaErrorOf(parseXml(`<iq type='error'>${xml(problem)}</iq>`), "a@b.c")?.parameters).toEqual([
      { name: "Output", text: "Invalid parameter type." },
    ]);
  });

  it("has its condition without prefix, and beside elements of the application", () => {
    const xml = `<error type='auth' xmlns:s='${ns.stanzas}'><app xmlns='urn:app'/><s:text>Why.</s:text><s:forbidden/></error>`;
    expect(parseError(parseXml(xml))).toEqual({ condition: "forbidden", type: "auth", text: "Why." });
  });
});

describe("an answer", () => {
  const forbidden = `<error type='auth'><forbidden xmlns='${ns.stanzas}'/></error>`;
  const errorOf = (xml: string) => stanzaErrorOf(parseXml(xml), "a@b.c");

  it("of type error is an error, with or without an error element", () => {
    expect(errorOf(`<iq xmlns='jabber:client' type='error'>${forbidden}</iq>`)).toMatchObject({
      code: "ERR_STANZA",
      condition: "forbidden",
      type: "auth",
      from: "a@b.c",
    });
    expect(errorOf("<iq xmlns='jabber:client' type='error'/>")?.condition).toBe("undefined-condition");
  });

  it("that repeats the question beside the error is that error", () => {
    const xml = `<iq xmlns='jabber:client' type='error'><canRead xmlns='${ns.provisioning}'/>${forbidden}</iq>`;
    expect(errorOf(xml)?.condition).toBe("forbidden");
  });

  it("of type result that holds an error is that error, never a success (P-E2)", () => {
    for (const xmlns of [" xmlns='jabber:client'", ""]) {
      expect(errorOf(`<iq${xmlns} type='result'>${forbidden}</iq>`)?.condition).toBe("forbidden");
    }
    expect(errorOf(`<iq xmlns='jabber:component:accept' type='result'>${forbidden}</iq>`)?.condition).toBe("forbidden");
  });

  it.each([
    ["InsufficientPrivileges", "forbidden"],
    ["NotFound", "item-not-found"],
    ["Locked", "conflict"],
    ["NotImplemented", "feature-not-implemented"],
    ["FormError", "bad-request"],
    ["OtherError", "undefined-condition"],
    ["ok", "undefined-condition"],
  ])("with the old code %s of control is an error, whatever its type (P-E4)", (code, condition) => {
    for (const type of ["result", "error"]) {
      const response = `<setResponse xmlns='${ns.control}' responseCode='${code}'/>`;
      const error = errorOf(`<iq xmlns='jabber:client' type='${type}'>${response}</iq>`);
      expect(error).toMatchObject({ condition, type: "cancel", text: code, from: "a@b.c" });
      expect(errorOf(`<iq xmlns='jabber:client' type='${type}'>${response}${forbidden}</iq>`)).toMatchObject({
        condition: "forbidden",
        text: "",
      });
    }
  });

  it("with an old code of control says in the peer's own words what is wrong with which parameters (P-E4)", () => {
    // As slixmpp writes it: the error names "Output" whatever it is about.
    const response = `<setResponse xmlns='${ns.control}' responseCode='NotFound'><node nodeId='n'/><parameter name='Pump'/><parameter/><error var='Output'> Invalid field Pump </error><error/></setResponse>`;
    for (const type of ["result", "error"]) {
      expect(errorOf(`<iq xmlns='jabber:client' type='${type}'>${response}</iq>`)).toMatchObject({
        condition: "item-not-found",
        text: "Invalid field Pump",
        parameters: [{ name: "Pump", text: "Invalid field Pump" }],
      });
    }
  });

  it("that is rejected, as before 2014, is an error, whatever its type; its reasons are told (P-E3)", () => {
    for (const type of ["result", "error"]) {
      const rejected = (reasons: string): string =>
        `<iq xmlns='jabber:client' type='${type}'><rejected xmlns='${ns.sensorData}' seqnr='1'>${reasons}</rejected></iq>`;
      expect(errorOf(rejected("<error>Access denied.</error><error xmlns=''>Really.</error>"))).toMatchObject({
        ...{ condition: "forbidden", type: "cancel", from: "a@b.c", text: "Access denied. Really.", parameters: [] },
      });
      expect(errorOf(rejected(""))).toMatchObject({ condition: "forbidden", text: "" });
    }
    expect(errorOf("<iq xmlns='jabber:client' type='result'><rejected xmlns='urn:x'/></iq>")).toBeUndefined();
  });

  it("with the old code of success is none in a result, and one in an error (P-E4)", () => {
    const response = `<setResponse xmlns='${ns.control}' responseCode='OK'/>`;
    expect(errorOf(`<iq xmlns='jabber:client' type='result'>${response}</iq>`)).toBeUndefined();
    expect(errorOf(`<iq xmlns='jabber:client' type='error'>${response}</iq>`)?.condition).toBe("undefined-condition");
  });

  it("of type result is none, even with an element called error of somebody else's", () => {
    expect(errorOf("<iq xmlns='jabber:client' type='result'/>")).toBeUndefined();
    expect(errorOf("<iq xmlns='jabber:client' type='result'><error xmlns='urn:x'/></iq>")).toBeUndefined();
    expect(errorOf("<iq xmlns='jabber:client' type='result'><x xmlns='urn:x'><error/></x></iq>")).toBeUndefined();
  });
});
