import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildCapabilities,
  buildConcentratorRequest,
  buildContains,
  buildContainsNodes,
  buildDataSources,
  buildNode,
  buildNodes,
  buildNotDone,
  concentratorCommands,
  notDoneCode,
  parseCapabilities,
  parseConcentratorRequest,
  parseContains,
  parseContainsNodes,
  parseDataSources,
  parseNode,
  parseNodes,
  responseCodes,
  type ConcentratorRequest,
  type NodeInformation,
} from "../../src/codec/concentrator.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { iq, stanzaErrorOf } from "../../src/codec/stanza.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { anyElement, isTotal, overTheWire, refuses, roundTrips } from "./laws.ts";
import * as some from "./arbitraries.ts";

const listing = ["getAllDataSources", "getRootDataSources", "getChildDataSources"] as const;
const ofNodes = ["getNodes", "getAllNodes", "getRootNodes", "getChildNodes", "getAncestors"] as const;
const filled = some.text.filter((text) => text !== "");

const request: fc.Arbitrary<ConcentratorRequest> = fc
  .record({
    command: fc.constantFrom(...concentratorCommands),
    sourceId: some.text,
    nodes: fc.array(some.nodeRef, { minLength: 1, maxLength: 5 }),
    onlyIfDerivedFrom: fc.array(some.text, { maxLength: 3 }),
    tokens: some.tokens,
  })
  .map((value) => {
    const { command } = value;
    const one = ["containsNode", "getNode", "getChildNodes", "getAncestors"].includes(command);
    const many = ["containsNodes", "getNodes"].includes(command);
    return {
      ...value,
      sourceId: ["getChildDataSources", "getAllNodes", "getRootNodes"].includes(command) ? value.sourceId : "",
      nodes: one ? value.nodes.slice(0, 1) : many ? value.nodes : [],
      onlyIfDerivedFrom: command === "getAllNodes" ? value.onlyIfDerivedFrom : [],
    };
  });

const information: fc.Arbitrary<NodeInformation> = fc.record(
  {
    nodeId: some.text,
    displayName: filled,
    nodeType: filled,
    cacheType: filled,
    state: fc.constantFrom("None", "Information", "WarningSigned", "WarningUnsigned", "ErrorSigned", "ErrorUnsigned"),
    hasChildren: fc.boolean(),
    isReadable: fc.boolean(),
    isControllable: fc.boolean(),
    hasCommands: fc.boolean(),
    parentId: filled,
    parentCacheType: filled,
    lastChanged: filled,
  },
  { requiredKeys: ["nodeId", "state", "hasChildren", "isReadable", "isControllable", "hasCommands"] },
);

const source = fc.record(
  { sourceId: some.text, name: some.text, hasChildren: fc.boolean(), lastChanged: filled },
  { requiredKeys: ["sourceId", "name", "hasChildren"] },
);

describe("a command (XEP-0326 3)", () => {
  it("is read as it was written", () => {
    roundTrips(request, buildConcentratorRequest, parseConcentratorRequest);
  });

  it.each(concentratorCommands)("%s is read whole or not at all", (command) => {
    isTotal(anyElement(command, ns.concentrators), parseConcentratorRequest, buildConcentratorRequest);
  });

  it("is none in another namespace, or by another name", () => {
    refuses(parseConcentratorRequest, `<getNode xmlns='urn:other' nodeId='n'/>`, "getNode");
    refuses(parseConcentratorRequest, `<holabandola xmlns='${ns.concentrators}'/>`, "holabandola");
  });

  it("about a node names it", () => {
    refuses(parseConcentratorRequest, `<getNode xmlns='${ns.concentrators}' sourceId='s'/>`, "getNode/@nodeId");
    refuses(parseConcentratorRequest, `<getNodes xmlns='${ns.concentrators}'><node/></getNodes>`, "node/@nodeId");
  });
});

describe("a response (XEP-0326 3)", () => {
  it("is read as it was written", () => {
    roundTrips(fc.array(some.text), buildCapabilities, parseCapabilities);
    roundTrips(fc.boolean(), buildContains, parseContains);
    roundTrips(fc.array(fc.boolean()), buildContainsNodes, parseContainsNodes);
    roundTrips(information, buildNode, parseNode);
    for (const command of listing) {
      roundTrips(
        fc.array(source, { maxLength: 5 }),
        (sources) => buildDataSources(command, sources),
        (element) => parseDataSources(command, element),
      );
    }
    for (const command of ofNodes) {
      roundTrips(
        fc.array(information, { maxLength: 5 }),
        (nodes) => buildNodes(command, nodes),
        (element) => parseNodes(command, element),
      );
    }
  });

  it("is read whole or not at all", () => {
    const ok = (name: string) =>
      anyElement(name, ns.concentrators).map((element) =>
        el(name, { state: "None", ...element.attrs, result: "OK" }, ...element.children),
      );
    isTotal(ok("getCapabilitiesResponse"), parseCapabilities, buildCapabilities);
    isTotal(ok("getNodeResponse"), parseNode, buildNode);
    isTotal(ok("containsNodesResponse"), parseContainsNodes, buildContainsNodes);
    isTotal(ok("getAllNodesResponse"), (element) => parseNodes("getAllNodes", element));
    isTotal(ok("getAllDataSourcesResponse"), (element) => parseDataSources("getAllDataSources", element));
  });

  it.each([
    ["without a code", "<getNodeResponse nodeId='n' state='None'/>", "getNodeResponse/@result"],
    ["that was not done", "<getNodeResponse result='NotFound'/>", "getNodeResponse/@result"],
    ["to another command", "<getNodesResponse result='OK'/>", "getNodesResponse"],
    [
      "of a node in a state that there is not",
      "<getNodeResponse result='OK' nodeId='n' state='Fine'/>",
      "getNodeResponse/@state",
    ],
    ["of a node without an id", "<getNodeResponse result='OK' state='None'/>", "getNodeResponse/@nodeId"],
  ])("%s is refused", (_, xml, path) => {
    refuses(parseNode, xml.replace(" ", ` xmlns='${ns.concentrators}' `), path);
  });

  it("that is neither true nor false is refused", () => {
    refuses(
      parseContains,
      `<containsNodeResponse xmlns='${ns.concentrators}' result='OK'>yes</containsNodeResponse>`,
      "containsNodeResponse",
    );
  });
});

describe("a response that something was not done (XEP-0326 5.3, 5.4; S-E7)", () => {
  it.each([
    ["NotFound", "item-not-found"],
    ["InsufficientPrivileges", "forbidden"],
    ["Locked", "conflict"],
    ["NotImplemented", "feature-not-implemented"],
    ["FormError", "bad-request"],
    ["OtherError", "undefined-condition"],
  ] as const)("%s is %s, in a result and in an error alike", (code, condition) => {
    for (const type of ["result", "error"] as const) {
      const stanza = overTheWire(iq({ type, id: "1" }, buildNotDone("getNode", code)));
      expect(stanzaErrorOf(stanza, "peer")).toMatchObject({ condition, text: code });
    }
  });

  it("is told from a success, and from what is none of its kind", () => {
    expect(
      responseCodes.map((code) => notDoneCode(el("xResponse", { xmlns: ns.concentrators, result: code }))),
    ).toEqual([undefined, ...responseCodes.slice(1)]);
    expect(notDoneCode(parseXml("<getNodeResponse xmlns='urn:other' result='NotFound'/>"))).toBeUndefined();
    expect(notDoneCode(parseXml(`<getNode xmlns='${ns.concentrators}' result='NotFound'/>`))).toBeUndefined();
  });
});
