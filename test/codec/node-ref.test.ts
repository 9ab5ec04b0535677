import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeAttributes, optionalNodeRef, parseNodeRef, refersTo } from "../../src/codec/node-ref.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { nodeRef, realNodeRef } from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips } from "./laws.ts";

describe("a node", () => {
  it("is read as it was written", () => {
    roundTrips(nodeRef, (node) => el("node", nodeAttributes(node)), parseNodeRef);
    roundTrips(realNodeRef, (node) => el("register", nodeAttributes(node)), optionalNodeRef);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("node", "urn:x"), parseNodeRef, (node) => el("node", nodeAttributes(node)));
    refuses(parseNodeRef, "<node sourceId='s'/>", "node/@nodeId");
  });

  it("without an id is none where there need not be one", () => {
    for (const xml of ["<register/>", "<register nodeId=''/>", "<register sourceId='s' cacheType='c'/>"]) {
      expect(optionalNodeRef(parseXml(xml))).toBeUndefined();
    }
  });

  it("with an empty id keeps what else names it: leaving that away would name more nodes than were meant", () => {
    expect(parseNodeRef(parseXml("<node nodeId='' sourceId='s'/>"))).toEqual({ nodeId: "", sourceId: "s" });
  });

  it("has no empty attributes beside its id, read or written (X-E6)", () => {
    expect(parseNodeRef(parseXml("<node nodeId='n' sourceId='' cacheType=''/>"))).toEqual({ nodeId: "n" });
    expect(String(el("node", nodeAttributes({ nodeId: "n", sourceId: "", cacheType: "" })))).toBe('<node nodeId="n"/>');
    expect(String(el("register", nodeAttributes(undefined)))).toBe("<register/>");
  });
});

describe("a reference (P-5.5-3, P-E19)", () => {
  const full = { nodeId: "n", sourceId: "s", cacheType: "c" };

  it.each([
    [{ nodeId: "n" }, true],
    [{ nodeId: "n", sourceId: "s" }, true],
    [{ nodeId: "n", cacheType: "c" }, true],
    [full, true],
    [{ nodeId: "N" }, false],
    [{ nodeId: "n", sourceId: "other" }, false],
    [{ nodeId: "n", sourceId: "s", cacheType: "other" }, false],
    [{ nodeId: "" }, false],
  ])("%j means the whole node: %s", (reference, expected) => {
    expect(refersTo(reference, full)).toBe(expected);
  });

  it("that names a source does not mean a node without one", () => {
    expect(refersTo({ nodeId: "n", sourceId: "s" }, { nodeId: "n" })).toBe(false);
    expect(refersTo({ nodeId: "n", cacheType: "c" }, { nodeId: "n", sourceId: "s" })).toBe(false);
  });

  it("always means itself, and still does when it says less", () => {
    fc.assert(
      fc.property(nodeRef, (node) => {
        expect(refersTo(node, node)).toBe(true);
        expect(refersTo({ nodeId: node.nodeId }, node)).toBe(true);
      }),
    );
  });
});
