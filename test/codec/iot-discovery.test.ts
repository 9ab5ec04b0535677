import { describe, expect, it } from "vitest";
import {
  buildClaimed,
  buildDisown,
  buildDisowned,
  buildMine,
  buildRegister,
  buildRemove,
  buildRemoved,
  buildUnregister,
  buildUpdate,
  parseClaimed,
  parseDisown,
  parseDisowned,
  parseMine,
  parseRegister,
  parseRemove,
  parseRemoved,
  parseUnregister,
  parseUpdate,
} from "../../src/codec/iot-discovery.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseXml } from "../../src/codec/xml.ts";
import type { BareJid } from "../../src/core/jid.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips, thrownBy } from "./laws.ts";

const of = (text: string) => parseXml(text.replace(/^<(\w+)/, `<$1 xmlns='${ns.discovery}'`));
const owner = "owner@example.org" as BareJid;

describe("register (XEP-0347 3.6 to 3.8)", () => {
  it("is read as it was written", () => {
    roundTrips(some.register, buildRegister, parseRegister);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("register", ns.discovery), parseRegister, buildRegister);
  });

  it("is about a node only when it names one (X-E6)", () => {
    expect(parseRegister(of("<register nodeId='' sourceId='s'/>"))).toEqual({ tags: [], selfOwned: false });
    expect(parseRegister(of("<register nodeId='n' selfOwned='1'/>"))).toEqual({
      tags: [],
      node: { nodeId: "n" },
      selfOwned: true,
    });
  });

  it("is refused when it is broken", () => {
    refuses(parseRegister, `<register xmlns='${ns.discovery}' selfOwned='maybe'/>`, "register/@selfOwned");
    refuses(parseRegister, "<register xmlns='urn:other'/>", "register");
    refuses(parseRegister, "<register/>", "register");
    refuses(parseRegister, `<mine xmlns='${ns.discovery}'/>`, "mine");
  });
});

describe("mine (XEP-0347 3.9)", () => {
  it("is read as it was written", () => {
    roundTrips(some.mine, buildMine, parseMine);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("mine", ns.discovery), parseMine, buildMine);
  });

  it("is public unless it says otherwise (D-3.9-13, D-3.9-14)", () => {
    for (const [xml, expected] of [
      ["<mine/>", true],
      ["<mine public='true'/>", true],
      ["<mine public='1'/>", true],
      ["<mine public='false'/>", false],
      ["<mine public='0'/>", false],
    ] as const) {
      expect(parseMine(of(xml)).public).toBe(expected);
    }
    refuses(parseMine, `<mine xmlns='${ns.discovery}' public='no'/>`, "mine/@public");
    refuses(parseMine, `<register xmlns='${ns.discovery}'/>`, "register");
  });
});

describe("mine of a node (XEP-0347 9)", () => {
  it("D-9-5: may name a node, although the text never uses it", () => {
    expect(parseMine(of("<mine nodeId='n' sourceId=''/>"))).toEqual({ tags: [], public: true, node: { nodeId: "n" } });
  });
});

describe("claimed (XEP-0347 3.9)", () => {
  it("is read as it was written", () => {
    roundTrips(some.claimed, buildClaimed, parseClaimed);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("claimed", ns.discovery), parseClaimed, buildClaimed);
  });

  it("always says whether it is public, and is public where it does not say (D-E5)", () => {
    expect(String(buildClaimed({ jid: owner, public: true }))).toContain('public="true"');
    expect(String(buildClaimed({ jid: owner, public: false }))).toContain('public="false"');
    expect(parseClaimed(of("<claimed jid='owner@example.org'/>")).public).toBe(true);
    expect(parseClaimed(of("<claimed jid='owner@example.org' public='0'/>")).public).toBe(false);
  });

  it("names somebody without resource, in the form JIDs are compared in (D-E7)", () => {
    expect(parseClaimed(of("<claimed jid='Rack@Example.org/plcs'/>")).jid).toBe("rack@example.org");
    expect(parseClaimed(of("<claimed jid='discovery.example.org'/>")).jid).toBe("discovery.example.org");
  });

  it.each(["", "@", "a@", "@b", ".", "a b@c", "a@b/"])("does not name %j: nobody would own the Thing", (jid) => {
    refuses(parseClaimed, `<claimed xmlns='${ns.discovery}' jid='${jid}'/>`, "claimed/@jid");
  });

  it("is refused when it is broken", () => {
    refuses(parseClaimed, `<claimed xmlns='${ns.discovery}'/>`, "claimed/@jid");
    refuses(parseClaimed, `<claimed xmlns='${ns.discovery}' jid='a@b.c' public='FALSE'/>`, "claimed/@public");
    refuses(parseClaimed, "<claimed xmlns='urn:ieee:iot:disco:1.0' jid='a@b.c'/>", "claimed"); // X-E9
    expect(thrownBy(() => parseClaimed(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});

describe("update (XEP-0347 3.13 and 3.14)", () => {
  it("is read as it was written", () => {
    roundTrips(some.update, buildUpdate, parseUpdate);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("update", ns.discovery), parseUpdate, buildUpdate);
  });

  it("takes a tag away by an empty text (D-E2, D-E9)", () => {
    const update = buildUpdate({ tags: [{ name: "KEY", type: "str", value: "" }] });
    expect(String(update)).toBe(`<update xmlns="${ns.discovery}"><str name="KEY" value=""/></update>`);
    expect(parseUpdate(update).tags).toEqual([{ name: "KEY", type: "str", value: "" }]);
  });

  it("D-9-4: names the Thing when its owner changes it, without resource (D-E7)", () => {
    const jid = "thing@example.org" as BareJid;
    expect(parseUpdate(of("<update jid='Thing@example.org/imc' nodeId='n'/>"))).toEqual({
      jid,
      tags: [],
      node: { nodeId: "n" },
    });
    expect(parseUpdate(of("<update jid=''/>"))).toEqual({ tags: [] });
    refuses(parseUpdate, `<update xmlns='${ns.discovery}' jid='a b@c'/>`, "update/@jid");
    expect(buildUpdate({ jid, tags: [] }).attrs["jid"]).toBe(jid);
    expect(buildUpdate({ tags: [] }).attrs).toEqual({ xmlns: ns.discovery });
  });

  it("is nothing else", () => {
    refuses(parseUpdate, `<register xmlns='${ns.discovery}'/>`, "register");
  });
});

describe("unregister (XEP-0347 3.16)", () => {
  it("is read as it was written", () => {
    roundTrips(some.unregister, buildUnregister, parseUnregister);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("unregister", ns.discovery), parseUnregister, buildUnregister);
  });

  it("is nothing else", () => {
    refuses(parseUnregister, `<register xmlns='${ns.discovery}'/>`, "register");
  });
});

describe.each([
  ["remove", "XEP-0347 3.10", buildRemove, parseRemove],
  ["disown", "XEP-0347 3.17", buildDisown, parseDisown],
] as const)("%s (%s)", (name, _, build, parse) => {
  it("D-9-4: is read as it was written", () => {
    roundTrips(some.remove, build, parse);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement(name, ns.discovery), parse, build);
  });

  it("names the Thing without resource (D-E7), and a node only when there is one (X-E6)", () => {
    expect(parse(of(`<${name} jid='Rack@Example.org/plcs' nodeId='' sourceId='s'/>`))).toEqual({
      jid: "rack@example.org",
    });
    expect(parse(of(`<${name} jid='rack@example.org' nodeId='imc1' sourceId='s' cacheType='c'/>`))).toEqual({
      jid: "rack@example.org",
      node: { nodeId: "imc1", sourceId: "s", cacheType: "c" },
    });
  });

  it("is refused when it is broken", () => {
    refuses(parse, `<${name} xmlns='${ns.discovery}'/>`, `${name}/@jid`);
    refuses(parse, `<${name} xmlns='${ns.discovery}' jid=''/>`, `${name}/@jid`);
    refuses(parse, `<${name} xmlns='urn:other' jid='a@b.c'/>`, name);
    refuses(parse, `<register xmlns='${ns.discovery}' jid='a@b.c'/>`, "register");
  });
});

describe.each([
  ["removed", "XEP-0347 3.10", buildRemoved, parseRemoved],
  ["disowned", "XEP-0347 3.17", buildDisowned, parseDisowned],
] as const)("%s (%s)", (name, _, build, parse) => {
  it("D-9-6: is read as it was written, the node and nothing else", () => {
    roundTrips(some.unregister, build, parse);
    expect(parse(of(`<${name} jid='a@b.c'>words<x/></${name}>`))).toEqual({});
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement(name, ns.discovery), parse, build);
  });

  it("is nothing else", () => {
    refuses(parse, `<register xmlns='${ns.discovery}'/>`, "register");
    refuses(parse, `<${name}/>`, name);
  });
});
