import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildRegistration,
  buildRegistrationForm,
  buildRegistrationRequest,
  parseRegistration,
  parseRegistrationForm,
} from "../../src/codec/registration.ts";
import { parseXml } from "../../src/codec/xml.ts";

describe("the registration codec (XEP-0077)", () => {
  it("asks for the form with an empty query", () => {
    expect(buildRegistrationRequest().toString()).toBe('<query xmlns="jabber:iq:register"/>');
  });

  it("reads the form of example 2", () => {
    const form = parseXml(
      `<query xmlns='jabber:iq:register'>
        <instructions>Choose a username and password.</instructions><username/><password/><email/>
      </query>`,
    );
    expect(parseRegistrationForm(form)).toEqual({
      registered: false,
      instructions: "Choose a username and password.",
      fields: ["username", "password", "email"],
    });
  });

  it("reads that an account is there already", () => {
    const form = parseXml("<query xmlns='jabber:iq:register'><registered/><username>bill</username></query>");
    expect(parseRegistrationForm(form)).toEqual({ registered: true, instructions: "", fields: ["username"] });
  });

  it("leaves a data form beside the plain fields aside", () => {
    const form = parseXml(
      "<query xmlns='jabber:iq:register'><username/><x xmlns='jabber:x:data' type='form'/></query>",
    );
    expect(parseRegistrationForm(form).fields).toEqual(["username"]);
  });

  it("reads the request that removes the account", () => {
    expect(parseRegistration(parseXml("<query xmlns='jabber:iq:register'><remove/></query>"))).toBe("remove");
  });

  it.each([
    ["without a password", "<query xmlns='jabber:iq:register'><username>bill</username></query>"],
    ["with an empty user name", "<query xmlns='jabber:iq:register'><username/><password>x</password></query>"],
    ["of another namespace", "<query xmlns='urn:other'><username>bill</username><password>x</password></query>"],
  ])("refuses a request %s", (_what, xml) => {
    expect(() => parseRegistration(parseXml(xml))).toThrow(expect.objectContaining({ code: "ERR_PROTOCOL" }));
  });

  it("reads back whatever it makes", () => {
    const text = fc.stringMatching(/^[\x20-\x7Eäß€]+$/);
    fc.assert(
      fc.property(text, text, (username, password) => {
        const made = buildRegistration({ username, password });
        expect(parseRegistration(parseXml(made.toString()))).toEqual({ username, password });
      }),
    );
    const fields = fc.uniqueArray(fc.constantFrom("username", "password", "email", "nick"));
    fc.assert(
      fc.property(
        fc.record({ registered: fc.boolean(), instructions: fc.oneof(text, fc.constant("")), fields }),
        (form) => {
          expect(parseRegistrationForm(parseXml(buildRegistrationForm(form).toString()))).toEqual(form);
        },
      ),
    );
  });
});
