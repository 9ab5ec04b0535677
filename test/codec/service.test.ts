import { isIPv4 as nodeIPv4, isIPv6 as nodeIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { credentialProblem, isIPv4, isIPv6, type Credential } from "../../src/codec/credentials.ts";
import { ns } from "../../src/codec/namespaces.ts";
import * as codec from "../../src/codec/service.ts";
import { parseXml } from "../../src/codec/xml.ts";
import { anyElement, isTotal, overTheWire, refuses, roundTrips } from "./laws.ts";
import * as some from "./service-arbitraries.ts";

const inNamespace = (text: string): string => text.replace(/^<(\w+)/, `<$1 xmlns='${ns.provisioning}'`);
const of = (text: string) => parseXml(inNamespace(text));
const access = (children: string) =>
  codec.parseCanAccess(of(`<canAccess serviceToken='S'>${children}</canAccess>`)).credentials;

describe("the elements of services and privileges (XEP-0324 3.6, 3.7)", () => {
  it("P-3.6.2-16, P-3.6.2-15, P-3.7.1-1, P-3.7.2-1: are read as they were written", () => {
    roundTrips(some.canAccess, codec.buildCanAccess, codec.parseCanAccess);
    roundTrips(some.canAccessResponse, codec.buildCanAccessResponse, codec.parseCanAccessResponse);
    roundTrips(some.userLoggedIn, codec.buildUserLoggedIn, codec.parseUserLoggedIn);
    roundTrips(some.hasPrivilege, codec.buildHasPrivilege, codec.parseHasPrivilege);
    roundTrips(some.userOfService, codec.buildDownloadPrivileges, codec.parseDownloadPrivileges);
    roundTrips(some.privileges, codec.buildDownloadPrivilegesResponse, codec.parseDownloadPrivilegesResponse);
  });

  const good: Readonly<Record<string, string>> = {
    canAccess: "<canAccess serviceToken='S'><jid value='a@b.c'/><altitude value='1'/></canAccess>",
    canAccessResponse: "<canAccessResponse result='true' userToken='U'/>",
    userLoggedIn: "<userLoggedIn serviceToken='S' userToken='U' userName='Kermit'/>",
    hasPrivilege: "<hasPrivilege serviceToken='S' userToken='U' privilegeId='A.B'/>",
    hasPrivilegeResponse: "<hasPrivilegeResponse result='0'/>",
    downloadPrivileges: "<downloadPrivileges serviceToken='S' userToken='U'/>",
    downloadPrivilegesResponse: "<downloadPrivilegesResponse><include id='A'/></downloadPrivilegesResponse>",
  };
  const parsers = [
    ["canAccess", codec.parseCanAccess, codec.buildCanAccess],
    ["canAccessResponse", codec.parseCanAccessResponse, codec.buildCanAccessResponse],
    ["userLoggedIn", codec.parseUserLoggedIn, codec.buildUserLoggedIn],
    ["hasPrivilege", codec.parseHasPrivilege, codec.buildHasPrivilege],
    ["hasPrivilegeResponse", codec.parseHasPrivilegeResponse, codec.buildHasPrivilegeResponse],
    ["downloadPrivileges", codec.parseDownloadPrivileges, codec.buildDownloadPrivileges],
    ["downloadPrivilegesResponse", codec.parseDownloadPrivilegesResponse, codec.buildDownloadPrivilegesResponse],
  ] as const;

  it.each(parsers)("are read whole or not at all: %s", (name, parse, build) => {
    // Every other one has what it needs, so that something is read at all.
    const elements = anyElement(name, ns.provisioning).map((element) =>
      element.children.length > 2 ? element : of(good[name] ?? ""),
    );
    isTotal(elements, parse as (element: ReturnType<typeof of>) => unknown, build as never);
  });

  it.each(parsers)("are not taken for others: %s", (name, parse) => {
    expect(() => parse(undefined)).toThrow("XEP-0324");
    expect(() => parse(parseXml(`<${name} xmlns='urn:other' result='true'/>`))).toThrow("XEP-0324");
    expect(() => parse(of("<canRead result='true'/>"))).toThrow("XEP-0324");
  });

  it("P-3.6.2-16: are refused without the attributes that the schema wants", () => {
    refuses(codec.parseCanAccess, inNamespace("<canAccess/>"), "canAccess/@serviceToken");
    refuses(codec.parseCanAccess, inNamespace("<canAccess serviceToken=''/>"), "canAccess/@serviceToken");
    refuses(
      codec.parseCanAccessResponse,
      inNamespace("<canAccessResponse userToken='U'/>"),
      "canAccessResponse/@result",
    );
    for (const missing of ["serviceToken", "userToken", "userName"]) {
      const rest = ["serviceToken", "userToken", "userName"].filter((name) => name !== missing);
      const xml = inNamespace(`<userLoggedIn ${rest.map((name) => `${name}='x'`).join(" ")}/>`);
      refuses(codec.parseUserLoggedIn, xml, `userLoggedIn/@${missing}`);
    }
    refuses(
      codec.parseHasPrivilege,
      inNamespace("<hasPrivilege serviceToken='S' userToken='U'/>"),
      "hasPrivilege/@privilegeId",
    );
    refuses(
      codec.parseHasPrivilege,
      inNamespace("<hasPrivilege serviceToken='S' userToken='U' privilegeId='A..B'/>"),
      "hasPrivilege/@privilegeId",
    );
    refuses(
      codec.parseDownloadPrivileges,
      inNamespace("<downloadPrivileges userToken='U'/>"),
      "downloadPrivileges/@serviceToken",
    );
    refuses(codec.parseHasPrivilegeResponse, inNamespace("<hasPrivilegeResponse/>"), "hasPrivilegeResponse/@result");
    refuses(
      codec.parseHasPrivilegeResponse,
      inNamespace("<hasPrivilegeResponse result='yes'/>"),
      "hasPrivilegeResponse/@result",
    );
  });

  it("P-E24: of a login only the attribute userName counts, not the userId of the figures", () => {
    refuses(
      codec.parseUserLoggedIn,
      inNamespace("<userLoggedIn serviceToken='S' userToken='U' userId='Kermit'/>"),
      "userLoggedIn/@userName",
    );
  });

  it("P-3.1.3-14: a user token with white space is none, and one beside a refusal does not count", () => {
    refuses(
      codec.parseCanAccessResponse,
      inNamespace("<canAccessResponse result='true' userToken='A B'/>"),
      "canAccessResponse/@userToken",
    );
    expect(codec.parseCanAccessResponse(of("<canAccessResponse result='false' userToken='U'/>"))).toEqual({
      result: false,
    });
    expect(codec.parseCanAccessResponse(of("<canAccessResponse result='1' userToken=''/>"))).toEqual({ result: true });
  });
});

describe("credentials", () => {
  const every: readonly [string, Credential, string][] = [
    ["P-3.6.2-3", { type: "jid", value: "kermit@example.org" }, "<jid value='Kermit@Example.ORG'/>"],
    ["P-3.6.2-4", { type: "ip4", value: "10.0.0.1" }, "<ip4 value='10.0.0.1'/>"],
    ["P-3.6.2-4", { type: "ip6", value: "2001:db8::1" }, "<ip6 value='2001:db8::1'/>"],
    ["P-3.6.2-5", { type: "hostName", value: "pc7.example.org" }, "<hostName value='pc7.example.org'/>"],
    ["P-3.6.2-6", { type: "x509Certificate", value: new Uint8Array([0, 1, 2]) }, "<x509Certificate base64='AAEC'/>"],
    [
      "P-3.6.2-7",
      { type: "x509CertificateThumbprint", value: new Uint8Array([255]) },
      "<x509CertificateThumbprint base64='/w=='/>",
    ],
    ["P-3.6.2-8", { type: "userName", value: "Kermit" }, "<userName value='Kermit'/>"],
    ["P-3.6.2-9", { type: "longitude", value: 123.45 }, "<longitude value='123.45'/>"],
    ["P-3.6.2-9", { type: "latitude", value: -67.5 }, "<latitude value=' -6.75E1 '/>"],
    ["P-3.6.2-9", { type: "altitude", value: 0 }, "<altitude value='-0'/>"],
    ["P-3.6.2-10", { type: "sso", value: "a ticket" }, "<sso value='a ticket'/>"],
    ["P-3.6.2-11", { type: "protocol", value: "HTTPS" }, "<protocol value='HTTPS'/>"],
  ];

  it.each(every)("%s: there is %o", (_, credential, xml) => {
    expect(access(xml)).toEqual([credential]);
    expect(credentialProblem(credential)).toBeUndefined();
    const written = codec.buildCanAccess({ serviceToken: "S", credentials: [credential] });
    expect(codec.parseCanAccess(overTheWire(written))).toEqual({ serviceToken: "S", credentials: [credential] });
  });

  it("P-E5: are read in the form of the listings too, whatever the case of their type", () => {
    expect(
      access("<credentials type='IpAddress' value='10.0.0.1'/><credentials type='ipaddress' value='::1'/>"),
    ).toEqual([
      { type: "ip4", value: "10.0.0.1" },
      { type: "ip6", value: "::1" },
    ]);
    expect(access("<credentials type='USERNAME' value='Kermit'/><credentials type='Protocol' value='XMPP'/>")).toEqual([
      { type: "userName", value: "Kermit" },
      { type: "protocol", value: "XMPP" },
    ]);
    expect(access("<credentials type='X509Certificate' value='AAEC'/>")).toEqual([
      { type: "x509Certificate", value: new Uint8Array([0, 1, 2]) },
    ]);
  });

  it("P-E5: of a kind that is not known are left out, also of another namespace", () => {
    expect(
      access("<shoeSize value='42'/><credentials type='__proto__' value='x'/><jid xmlns='urn:other' value='a@b'/>"),
    ).toEqual([]);
  });

  it("P-3.6.2-16: stand in any order, and any number of times", () => {
    expect(access("<userName value='B'/><jid value='a@b.c'/><userName value='A'/>").map(({ value }) => value)).toEqual([
      "B",
      "a@b.c",
      "A",
    ]);
  });

  it.each([
    ["<jid value='a@'/>", "canAccess/jid/@value"],
    ["<jid/>", "jid/@value"],
    ["<ip4 value='10.0.0.256'/>", "canAccess/ip4/@value"],
    ["<ip4 value='::1'/>", "canAccess/ip4/@value"],
    ["<ip6 value='10.0.0.1'/>", "canAccess/ip6/@value"],
    ["<ip6 value='fe80::1%eth0'/>", "canAccess/ip6/@value"],
    ["<credentials type='IpAddress' value='here'/>", "canAccess/credentials/@value"],
    ["<userName value=''/>", "canAccess/userName/@value"],
    ["<longitude value='NaN'/>", "canAccess/longitude/@value"],
    ["<latitude value='INF'/>", "canAccess/latitude/@value"],
    ["<altitude value='1e999'/>", "canAccess/altitude/@value"],
    ["<altitude value='0x10'/>", "canAccess/altitude/@value"],
    ["<x509Certificate value='AAEC'/>", "x509Certificate/@base64"],
    ["<x509Certificate base64='?'/>", "canAccess/x509Certificate/@base64"],
    ["<x509Certificate base64=''/>", "canAccess/x509Certificate/@base64"],
    ["<protocol value='Gopher'/>", "canAccess/protocol/@value"],
  ])("are refused where their value is none: %s", (xml, path) => {
    refuses(codec.parseCanAccess, inNamespace(`<canAccess serviceToken='S'>${xml}</canAccess>`), path);
  });
});

describe("IP addresses", () => {
  const groups = fc.constantFrom("0", "1", "ffff", "fffff", "", ":", "g", "10.0.0.1", "256", "01", "%eth0");
  const nearly = fc.array(groups, { maxLength: 9 }).map((parts) => parts.join(":"));
  const dotted = fc.array(groups, { maxLength: 5 }).map((parts) => parts.join("."));

  it("are told as Node.js tells them, but for zones", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), nearly, dotted), (text) => {
        expect(isIPv4(text)).toBe(nodeIPv4(text));
        expect(isIPv6(text)).toBe(nodeIPv6(text) && !text.includes("%"));
      }),
      { numRuns: 2_000 },
    );
    expect(isIPv6("::ffff:10.0.0.1")).toBe(true);
    expect(isIPv6("]/")).toBe(false);
  });
});

describe("privileges that are downloaded", () => {
  const read = (children: string) => codec.parseDownloadPrivilegesResponse(of(list(children)));
  const list = (children: string): string => `<downloadPrivilegesResponse>${children}</downloadPrivilegesResponse>`;
  const written = [{ exclude: "Sensors.Delete" }, { include: "Sensors" }];

  it("P-3.7.2-2: keep their order", () => {
    expect(read("<exclude id='Sensors.Delete'/><include id='Sensors'/>")).toEqual(written);
    expect(read("<include id='B'/><include id='A'/><exclude id='B'/>")).toEqual([
      { include: "B" },
      { include: "A" },
      { exclude: "B" },
    ]);
    expect(read("")).toEqual([]);
  });

  it("P-E6: are read without their namespace too, also on a stream of jabber:client", () => {
    const children = "<exclude id='Sensors.Delete'/><include id='Sensors'/>";
    expect(codec.parseDownloadPrivilegesResponse(parseXml(list(children)))).toEqual(written);
    const stanza = parseXml(`<iq xmlns='jabber:client'>${list(children)}</iq>`);
    expect(codec.parseDownloadPrivilegesResponse(stanza.getChildElements()[0])).toEqual(written);
    const mixed = list("<exclude id='Sensors.Delete'/><include xmlns='urn:xmpp:iot:provisioning' id='Sensors'/>");
    expect(codec.parseDownloadPrivilegesResponse(parseXml(mixed))).toEqual(written);
  });

  it("P-E23: may hold the root, which has no ID", () => {
    expect(read("<include id=''/>")).toEqual([{ include: "" }]);
  });

  it.each([
    ["<include/>", "downloadPrivilegesResponse/include/@id"],
    ["<exclude id='A..B'/>", "downloadPrivilegesResponse/exclude/@id"],
    ["<include id='A'/><deny id='B'/>", "downloadPrivilegesResponse"],
    ["<exclude xmlns='urn:other' id='B'/><include id='A'/>", "downloadPrivilegesResponse"],
    ["<exclude xmlns='jabber:client' id='B'/><include id='A'/>", "downloadPrivilegesResponse"],
  ])(
    "are refused as a whole where one entry is not understood: it may be what takes something away: %s",
    (xml, path) => {
      refuses(codec.parseDownloadPrivilegesResponse, inNamespace(list(xml)), path);
    },
  );
});
