import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { buildCanControl, buildCanControlResponse } from "../../src/codec/can-control.ts";
import { buildSet, buildSetResponse } from "../../src/codec/control.ts";
import { buildGetForm } from "../../src/codec/control-form.ts";
import { buildDataForm } from "../../src/codec/data-form.ts";
import { buildInfo, buildInfoQuery, buildItems, buildItemsQuery } from "../../src/codec/disco.ts";
import * as discovery from "../../src/codec/iot-discovery.ts";
import * as getToken from "../../src/codec/get-token.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildFriend, buildUnfriend } from "../../src/codec/friendship.ts";
import * as provisioning from "../../src/codec/provisioning.ts";
import { buildRegistration, buildRegistrationForm, buildRegistrationRequest } from "../../src/codec/registration.ts";
import { buildRoster, buildRosterRemoval } from "../../src/codec/roster.ts";
import { buildFound, buildSearch } from "../../src/codec/search.ts";
import * as service from "../../src/codec/service.ts";
import {
  buildAccepted,
  buildCancel,
  buildCancelled,
  buildDone,
  buildFailure,
  buildFields,
  buildReq,
  buildStarted,
} from "../../src/codec/sensor-data.ts";
import { buildError, iq, message, presence, type PresenceType } from "../../src/codec/stanza.ts";
import { buildTokenChallenge, buildTokenChallengeResponse } from "../../src/codec/token-challenge.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { Refusal, type RefusalCondition } from "../../src/core/refusal.ts";
import * as some from "../codec/arbitraries.ts";
import { dataForm, getForm } from "../codec/form-arbitraries.ts";
import * as users from "../codec/service-arbitraries.ts";
import { validateStanzas } from "../support/schema.ts";

const nonEmpty = some.text.filter((value) => value !== "");
// XEP-0030 wants a JID of at least eight characters in an item, and a feature beside an identity.
const longJid = some.bareJid.filter((jid) => jid.length >= 8);
const info = fc.record({
  identities: fc.array(fc.record({ category: nonEmpty, type: nonEmpty, name: some.text }), {
    minLength: 1,
    maxLength: 2,
  }),
  features: fc.array(some.text, { minLength: 1, maxLength: 4 }),
});
const rosterItem = fc.record({
  jid: some.bareJid,
  subscription: fc.constantFrom("none", "to", "from", "both", "remove"),
  pendingOut: fc.boolean(),
  name: some.text,
  groups: fc.array(some.text, { maxLength: 2 }),
});
const formField = fc.constantFrom("username", "password", "email");
const conditions: readonly RefusalCondition[] = [
  "bad-request",
  "conflict",
  "feature-not-implemented",
  "forbidden",
  "internal-server-error",
  "item-not-found",
  "not-acceptable",
  "not-allowed",
  "resource-constraint",
  "service-unavailable",
];
const presenceTypes: readonly PresenceType[] = [
  "available",
  "unavailable",
  "subscribe",
  "subscribed",
  "unsubscribe",
  "unsubscribed",
  "probe",
  "error",
];

const asked = (payload: XmlElement): XmlElement => iq({ type: "set", id: "1", to: "a@b.c" }, payload);
const told = (payload: XmlElement): XmlElement => message({ to: "a@b.c/d", from: "e.f" }, payload);

/** Every builder, with the values it is to be tried with and the stanza that carries what it makes. */
const builders: Readonly<Record<string, fc.Arbitrary<XmlElement>>> = {
  infoQuery: fc.constant(asked(buildInfoQuery())),
  info: info.map((value) => asked(buildInfo(value))),
  itemsQuery: fc.constant(asked(buildItemsQuery())),
  items: fc.array(fc.record({ jid: longJid, name: some.text })).map((value) => asked(buildItems(value))),
  register: some.register.map((value) => asked(discovery.buildRegister(value))),
  mine: some.mine.map((value) => asked(discovery.buildMine(value))),
  claimed: some.claimed.map((value) => asked(discovery.buildClaimed(value))),
  update: some.update.map((value) => asked(discovery.buildUpdate(value))),
  unregister: some.unregister.map((value) => asked(discovery.buildUnregister(value))),
  remove: some.remove.map((value) => asked(discovery.buildRemove(value))),
  removed: some.unregister.map((value) => asked(discovery.buildRemoved(value))),
  disown: some.remove.map((value) => asked(discovery.buildDisown(value))),
  disowned: some.unregister.map((value) => asked(discovery.buildDisowned(value))),
  search: some.search.map((value) => asked(buildSearch(value))),
  found: some.found.map((value) => asked(buildFound(value))),
  getToken: some.getToken.map((value) => asked(getToken.buildGetToken(value))),
  getTokenChallenge: some.getTokenChallenge.map((value) => asked(getToken.buildGetTokenChallenge(value))),
  getTokenChallengeResponse: some.getTokenChallengeResponse.map((value) =>
    asked(getToken.buildGetTokenChallengeResponse(value)),
  ),
  getTokenResponse: some.getTokenResponse.map((value) => asked(getToken.buildGetTokenResponse(value))),
  tokenChallenge: some.tokenChallenge.map((value) => asked(buildTokenChallenge(value))),
  tokenChallengeResponse: some.tokenChallengeResponse.map((value) => asked(buildTokenChallengeResponse(value))),
  isFriend: some.bareJid.map((jid) => asked(provisioning.buildIsFriend({ jid }))),
  // The schema wants the JID in answers; only what is read may lack it (P-E29).
  isFriendResponse: fc
    .tuple(some.isFriendResponse, some.bareJid)
    .map(([value, jid]) => asked(provisioning.buildIsFriendResponse({ ...value, jid }))),
  canRead: some.canRead.map((value) => asked(provisioning.buildCanRead(value))),
  canReadResponse: fc
    .tuple(some.canReadResponse, some.bareJid)
    .map(([value, jid]) => asked(provisioning.buildCanReadResponse({ ...value, jid }))),
  friend: some.bareJid.map((jid) => told(buildFriend({ jid }))),
  unfriend: some.bareJid.map((jid) => told(buildUnfriend({ jid }))),
  canControl: some.canControl.map((value) => asked(buildCanControl(value))),
  canControlResponse: fc
    .tuple(some.canControlResponse, some.bareJid)
    .map(([value, jid]) => asked(buildCanControlResponse({ ...value, jid }))),
  canAccess: users.canAccess.map((value) => asked(service.buildCanAccess(value))),
  canAccessResponse: users.canAccessResponse.map((value) => asked(service.buildCanAccessResponse(value))),
  userLoggedIn: users.userLoggedIn.map((value) => told(service.buildUserLoggedIn(value))),
  hasPrivilege: users.hasPrivilege.map((value) => asked(service.buildHasPrivilege(value))),
  hasPrivilegeResponse: fc.boolean().map((result) => asked(service.buildHasPrivilegeResponse({ result }))),
  downloadPrivileges: users.userOfService.map((value) => asked(service.buildDownloadPrivileges(value))),
  // The schema knows no root (P-E23); only what is read may have it.
  downloadPrivilegesResponse: users.privileges
    .map((list) => list.filter((entry) => (entry.include ?? entry.exclude) !== ""))
    .map((list) => asked(service.buildDownloadPrivilegesResponse(list))),
  clearCache: fc.constant(asked(provisioning.buildClearCache())),
  clearCacheResponse: fc.constant(asked(provisioning.buildClearCacheResponse())),
  req: some.readRequest.map((value) => asked(buildReq(value))),
  accepted: fc.record({ seqnr: some.int, queued: fc.boolean() }).map((value) => asked(buildAccepted(value))),
  started: some.int.map((seqnr) => told(buildStarted({ seqnr }))),
  done: some.int.map((seqnr) => told(buildDone({ seqnr }))),
  cancel: some.int.map((seqnr) => asked(buildCancel({ seqnr }))),
  cancelled: some.int.map((seqnr) => asked(buildCancelled({ seqnr }))),
  fields: some.fields.map((value) => told(buildFields(value))),
  failure: some.failure.map((value) => told(buildFailure(value))),
  set: some.setRequest.map((value) => asked(buildSet(value))),
  setResponse: some.setResponse.map((value) => asked(buildSetResponse(value))),
  getForm: getForm.map((value) => asked(buildGetForm(value))),
  form: dataForm.map((value) => asked(buildDataForm(value))),
  registrationRequest: fc.constant(iq({ type: "get", id: "1" }, buildRegistrationRequest())),
  registrationForm: fc
    .record({ registered: fc.boolean(), instructions: some.text, fields: fc.uniqueArray(formField) })
    .map((form) => {
      // The schema has an order; the form's own is that of the server.
      const order = ["username", "password", "email"];
      return asked(
        buildRegistrationForm({
          ...form,
          url: "",
          fields: order.filter((name) => form.fields.includes(name as never)),
        }),
      );
    }),
  registration: fc.record({ username: nonEmpty, password: nonEmpty }).map((value) => asked(buildRegistration(value))),
  roster: fc.array(rosterItem, { maxLength: 3 }).map((items) => asked(buildRoster(items))),
  rosterRemoval: some.bareJid.map((jid) => asked(buildRosterRemoval(jid))),
  ping: fc.constant(iq({ type: "get", id: "1" }, el("ping", { xmlns: ns.ping }))),
  error: fc
    .tuple(fc.constantFrom(...conditions), some.text, fc.array(some.parameterProblem, { maxLength: 2 }))
    .map(([condition, text, parameters]) =>
      iq({ type: "error", id: "1" }, buildError(new Refusal(condition, text, parameters))),
    ),
  presence: fc.constantFrom(...presenceTypes).map((type) => presence({ type, to: "a@b.c" })),
};

describe("everything that the builders make", () => {
  it("is allowed by the schemas", async () => {
    // All in one call: each starts a machine of its own.
    const each = Object.values(builders).map((builder) => fc.array(builder, { minLength: 40, maxLength: 60 }));
    await fc.assert(
      fc.asyncProperty(fc.tuple(...each), async (stanzas) => {
        expect(await validateStanzas(stanzas.flat())).toEqual([]);
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });
});

describe("what is wrong is found", () => {
  const fine = iq({ type: "get", id: "1" }, buildInfoQuery());
  const inIq = (payload: string, type = "set"): string =>
    `<iq xmlns='jabber:client' type='${type}' id='1'>${payload}</iq>`;

  const inForm = (children: string): string =>
    `<x xmlns='${ns.form}' type='form'><field type='boolean' var='a'>${children}</field></x>`;

  const planted: readonly [string, string][] = [
    ["an unknown attribute", inIq(`<req xmlns='${ns.sensorData}' seqnr='1' momentarily='true'/>`)],
    ["a missing one", inIq(`<req xmlns='${ns.sensorData}' momentary='true'/>`)],
    ["one of the wrong type", inIq(`<req xmlns='${ns.sensorData}' seqnr='one'/>`)],
    ["a parameter that is not of its kind", inIq(`<set xmlns='${ns.control}'><int name='A' value='1,5'/></set>`)],
    ["a parameter of a kind that there is not", inIq(`<set xmlns='${ns.control}'><bool name='A' value='1'/></set>`)],
    [
      "a control form with two ways of validation",
      inIq(inForm(`<validate xmlns='${ns.formValidation}'><basic/><open/></validate>`)),
    ],
    ["one with a group without a name", inIq(inForm(`<parameterGroup xmlns='${ns.control}'/>`))],
    [
      "one with a page of odd things",
      inIq(`<x xmlns='${ns.form}' type='form'><page xmlns='${ns.formLayout}'><odd/></page></x>`),
    ],
    ["an old code of success (P-E4)", inIq(`<setResponse xmlns='${ns.control}' responseCode='OK'/>`, "result")],
    ["an unknown element", inIq(`<rejected xmlns='${ns.sensorData}' seqnr='1'/>`)],
    [
      "a child without its namespace",
      inIq(`<register xmlns='${ns.discovery}'><str xmlns='' name='A' value='1'/></register>`),
    ],
    ["a payload without its namespace", inIq("<canReadResponse jid='a@b.c' result='true'/>")],
    [
      "a challenge that is no base-64",
      inIq(`<getTokenChallenge xmlns='${ns.provisioning}' seqnr='1'>A=</getTokenChallenge>`),
    ],
    [
      "one without its number (P-3.1.3-26)",
      inIq(`<getTokenChallenge xmlns='${ns.provisioning}'>AAAA</getTokenChallenge>`),
    ],
    ["one without its token", inIq(`<tokenChallenge xmlns='${ns.provisioning}'>AAAA</tokenChallenge>`)],
    ["an unknown namespace", inIq("<register xmlns='urn:ieee:iot:disco:1.0'/>")],
    ["a number that is none", inIq(`<register xmlns='${ns.discovery}'><num name='A' value='1,5'/></register>`)],
    [
      "a roster with an unknown subscription",
      inIq("<query xmlns='jabber:iq:roster'><item jid='a@b' subscription='x'/></query>"),
    ],
    ["a ping with words", inIq("<ping xmlns='urn:xmpp:ping'><x/></ping>", "get")],
    ["an IQ without an id", `<iq xmlns='jabber:client' type='get'><query xmlns='${ns.discoInfo}'/></iq>`],
    ["an unknown type", inIq("", "query")],
    ["an address that is none", `<presence xmlns='jabber:client' to='a b'/>`],
    ["a stanza that is none", "<stanza xmlns='jabber:client'/>"],
    ["a payload in a stanza's place", `<register xmlns='${ns.discovery}'/>`],
    ["a stanza of another stream", "<presence xmlns='jabber:server'/>"],
    ["an unknown condition", inIq(`<error type='cancel'><sorry xmlns='${ns.stanzas}'/></error>`, "error")],
    ["an error without its error", inIq("", "error")],
    ["an error in a result (P-E2)", inIq(`<error type='cancel'><forbidden xmlns='${ns.stanzas}'/></error>`, "result")],
    ["a request without a child", inIq("")],
    ["a request with two", inIq(`<query xmlns='${ns.discoInfo}'/><query xmlns='${ns.discoInfo}'/>`)],
    ["a result with two", inIq(`<query xmlns='${ns.discoInfo}'/><query xmlns='${ns.discoInfo}'/>`, "result")],
    ["what is no XML", "<iq xmlns='jabber:client' type='get' id='1'>"],
    ["a character that XML forbids", inIq("\u0001")],
  ];
  let violations: readonly string[] = [];
  beforeAll(async () => {
    violations = await validateStanzas([fine, ...planted.map(([, bad]) => bad), fine]);
  });

  it.each(planted)("%s", (_, bad) => {
    expect(violations.filter((violation) => violation.endsWith(`: ${bad}`)).length).toBeGreaterThan(0);
  });

  it("and nothing else", () => {
    const bad = planted.map(([, stanza]) => stanza);
    expect(violations.filter((violation) => !bad.some((stanza) => violation.endsWith(stanza)))).toEqual([]);
  });

  it("in the midst of thousands, with line breaks in them, and each by itself", async () => {
    const lines = message(
      { to: "a@b.c" },
      buildFailure({ seqnr: 1, done: true, errors: [{ node: { nodeId: "" }, timestamp: "t", text: "a\r\nb\n" }] }),
    );
    const many: (XmlElement | string)[] = Array.from({ length: 4_500 }, (_, index) => (index % 2 === 0 ? fine : lines));
    many[1_234] = inIq(`<req xmlns='${ns.sensorData}' seqnr='first'/>`);
    many[4_321] = inIq(`<req xmlns='${ns.sensorData}' seqnr='second'/>`);
    const violations = await validateStanzas(many);
    expect(violations.filter((violation) => violation.endsWith(String(many[1_234]))).length).toBeGreaterThan(0);
    expect(violations.filter((violation) => violation.endsWith(String(many[4_321]))).length).toBeGreaterThan(0);
    expect(violations.filter((violation) => !/first|second/.test(violation))).toEqual([]);
  });

  it("but not in what is right, with or without the namespace that a stream has", async () => {
    expect(await validateStanzas([])).toEqual([]);
    expect(await validateStanzas([fine, "<presence/>", "<iq type='result' id='1'/>"])).toEqual([]);
  });
});
