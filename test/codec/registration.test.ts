import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildFormAnswer,
  buildRegistration,
  buildRegistrationForm,
  buildRegistrationRequest,
  buildRemoval,
  parseRegistration,
  parseRegistrationForm,
} from "../../src/codec/registration.ts";
import { fillIn, parseDataForm } from "../../src/codec/data-form.ts";
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
      url: "",
    });
  });

  it("reads that an account is there already", () => {
    const form = parseXml("<query xmlns='jabber:iq:register'><registered/><username>bill</username></query>");
    expect(parseRegistrationForm(form)).toEqual({ registered: true, instructions: "", fields: ["username"], url: "" });
  });

  it("reads a data form beside the plain fields, and the page on the Web of listing 25", () => {
    const form = parseXml(
      "<query xmlns='jabber:iq:register'><username/><x xmlns='jabber:x:data' type='form'/></query>",
    );
    const empty = { type: "form", title: "", instructions: "", fields: [] };
    expect(parseRegistrationForm(form)).toMatchObject({ fields: ["username"], form: empty });
    const page = parseXml(
      "<query xmlns='jabber:iq:register'><instructions>To register, visit http://www.shakespeare.lit/contests.php</instructions><x xmlns='jabber:x:oob'><url>http://www.shakespeare.lit/contests.php</url></x></query>",
    );
    expect(parseRegistrationForm(page)).toEqual({
      registered: false,
      instructions: "To register, visit http://www.shakespeare.lit/contests.php",
      fields: [],
      url: "http://www.shakespeare.lit/contests.php",
    });
  });

  it("reads a data form that was filled in, and sends nothing beside it (section 4, rule 5)", () => {
    const answer = fillIn(
      parseDataForm(
        parseXml(
          "<x xmlns='jabber:x:data' type='form'><field type='hidden' var='FORM_TYPE'><value>jabber:iq:register</value></field><field var='username'/><field var='password'/><field var='nick'/></x>",
        ),
      ),
      new Map([
        ["username", "bill"],
        ["password", "Calliope"],
      ]),
    );
    const query = buildFormAnswer(answer);
    expect(query.toString()).toBe(
      '<query xmlns="jabber:iq:register"><x xmlns="jabber:x:data" type="submit"><field var="FORM_TYPE"><value>jabber:iq:register</value></field><field var="username"><value>bill</value></field><field var="password"><value>Calliope</value></field></x></query>',
    );
    expect(parseRegistration(query)).toEqual({ username: "bill", password: "Calliope" });
    // Listing 11
    expect(buildRemoval().toString()).toBe('<query xmlns="jabber:iq:register"><remove/></query>');
    expect(parseRegistration(buildRemoval())).toBe("remove");
  });

  it("reads the request that removes the account", () => {
    expect(parseRegistration(parseXml("<query xmlns='jabber:iq:register'><remove/></query>"))).toBe("remove");
  });

  it.each([
    ["without a password", "<query xmlns='jabber:iq:register'><username>bill</username></query>"],
    ["with an empty user name", "<query xmlns='jabber:iq:register'><username/><password>x</password></query>"],
    [
      "by a form that was not filled in",
      "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='form'/></query>",
    ],
    [
      "by a form for something else",
      "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>x</value></field></x></query>",
    ],
    [
      "by a form without a password",
      "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='username'><value>bill</value></field><field var='password'/></x></query>",
    ],
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
        fc.record({
          registered: fc.boolean(),
          instructions: fc.oneof(text, fc.constant("")),
          fields,
          url: fc.constantFrom("", "https://example.org/?a=1&b=2"),
        }),
        (form) => {
          expect(parseRegistrationForm(parseXml(buildRegistrationForm(form).toString()))).toEqual(form);
        },
      ),
    );
  });
});
