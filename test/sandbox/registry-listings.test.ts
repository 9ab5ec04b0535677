// The listings of XEP-0347 3.6 to 3.17, played to the Registry as they are printed, in two dialogues: it must say what
// the listings say. Only the ids of its own requests, and `public` on `claimed` (D-E5), are its own affair.
import { readdirSync, readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { canonical } from "../support/canonical.ts";
import { validateStanzas } from "../support/schema.ts";

const folder = new URL("../cases/xep-0347/", import.meta.url);
const names = readdirSync(folder);

/** The stanzas of a listing, as printed, or as corrected where it has a mistake. */
function listing(number: number, as: "printed" | "corrected" = "printed"): readonly XmlElement[] {
  const of = names.filter((name) => name.startsWith(`${number}-`) && name.endsWith(".xml"));
  const corrected = of.find((name) => name.endsWith(".corrected.xml"));
  const printed = of.find((name) => !name.endsWith(".corrected.xml")) ?? "";
  const text = readFileSync(new URL((as === "corrected" && corrected) || printed, folder), "utf8");
  return parseXml(text.slice(text.indexOf("<listing"))).getChildElements();
}

let registry: ReferenceRegistry;
let sent: XmlElement[];
/** The id of the last request that the Registry made. */
let requestId: string;
/** All it said in any of the dialogues. */
const all: XmlElement[] = [];

beforeEach(() => {
  registry = new ReferenceRegistry({ jid: "discovery.example.org" });
  registry.onOutput((stanzas) => void sent.push(...stanzas));
});

/** Plays the first stanza of a listing; what follows in it must be what is said, and then come other listings. */
function play(number: number, ...answers: readonly (readonly [listing: number, stanza?: number])[]): void {
  const [stanza, ...own] = listing(number);
  say(stanza!, [...own.map(comparable), ...answers.map(([other, index = 0]) => wanted(other, index))]);
}

/** Plays the stanza of a listing that acknowledges the last request of the Registry. */
function acknowledge(number: number, index: number, ...answers: readonly (readonly [listing: number])[]): void {
  const stanza = listing(number)[index]!;
  const own = el(stanza.name, { ...stanza.attrs, id: requestId });
  say(
    own,
    answers.map(([other]) => wanted(other, 0)),
  );
}

function wanted(number: number, index: number): unknown {
  return comparable(listing(number, "corrected")[index]!);
}

function say(stanza: XmlElement, expected: readonly unknown[]): void {
  sent = [];
  sent.push(...registry.receive(stanza));
  all.push(...sent);
  requestId = sent.find(({ attrs }) => attrs["type"] === "set")?.attrs["id"] ?? requestId;
  expect(sent.map(comparable)).toEqual(expected);
}

function comparable(stanza: XmlElement): unknown {
  const { attributes, children, ...rest } = canonical(stanza);
  return {
    ...rest,
    attributes: attributes["type"] === "set" ? { ...attributes, id: "of its own" } : attributes,
    children: children.map((child) =>
      typeof child !== "string" && child.name === "claimed"
        ? { ...child, attributes: { public: "true", ...child.attributes } }
        : child,
    ),
  };
}

describe("the listings of XEP-0347, played to the Registry", () => {
  it("D-3.6-2, D-3.6-12, D-3.9-15 to -17, D-3.9-20, -21: a Thing registers, is claimed, registers again; a claim fails", () => {
    play(15, [19]);
    play(10);
    play(15, [17], [20]);
    acknowledge(23, 0);
    expect(registry.unacknowledged).toEqual([]);
    play(15, [17]);
    say(listing(10)[0]!, [wanted(11, 0)]);
  });

  it("D-3.9-14, D-3.9-23: a private claim", () => {
    play(10);
    say(listing(16)[0]!, [comparable(withPublic(listing(17)[0]!, "false")), wanted(21, 0)]);
  });

  it("D-3.13-8 to -11, D-3.14-4, D-3.14-5, D-3.15-31: a Thing and its owner update, and a curious one searches", () => {
    play(31, [34]);
    play(10);
    play(31, [35]);
    play(36, [39]);
    play(15, [17], [20]);
    acknowledge(23, 0);
    play(31, [33]);
    play(40, [41]);
    play(36, [38]);
  });

  it("D-3.10-3 to -5: a Thing is removed, and not found any more", () => {
    play(24, [27]);
    play(10);
    play(15, [17], [20]);
    acknowledge(23, 0);
    play(24, [26], [28]);
    acknowledge(28, 1);
    expect(registry.unacknowledged).toEqual([]);
    play(24, [27]);
    play(31, [34]);
  });

  it("D-3.16-3: a Thing unregisters", () => {
    play(43, [45]);
    play(10);
    play(43, [45]);
    play(15, [19]);
  });

  it("D-3.17-3 to -5, D-3.17-9 to -11: a Thing is disowned, or not", () => {
    play(46, [48]);
    play(10);
    play(15, [17], [20]);
    acknowledge(23, 0);
    play(46, [50]);
    acknowledge(52, 0, [53]);
    play(46, [48]);
    play(31, [35]);
    play(10);
    play(15, [17], [20]);
    acknowledge(23, 0);
    say(parseXml("<presence xmlns='jabber:client' from='thing@example.org/imc' type='unavailable'/>"), []);
    play(46, [49]);
  });

  it("D-3.8-1, D-3.9-18, D-3.9-25, D-3.10-6, D-3.15-32, D-3.16-2, D-3.17-6: the same behind a concentrator", () => {
    play(13);
    play(15, [18], [22]);
    // The XEP prints these two answers for the Thing of its other listings only.
    say(listing(32)[0]!, [comparable(listing(33)[0]!)].map(toTheRack));
    play(40, [42]);
    play(37, [38]);
    play(47, [51]);
    acknowledge(52, 0); // the Thing's, not the concentrator's: nothing
    say(iqResult("rack@example.org/plcs"), [wanted(53, 0)]);
    play(13);
    play(15, [18], [22]);
    say(iqResult("rack@example.org/plcs"), []);
    play(25, [26], [29]);
    expect(registry.unacknowledged).toEqual([
      { jid: "rack@example.org", node: { nodeId: "imc1", sourceId: "MeteringTopology" }, notice: "removed" },
    ]);
    say(listing(44)[0]!, [comparable(listing(45)[0]!)].map(toTheRack));
    expect(registry.unacknowledged).toEqual([]);
  });

  it("and all that it says is valid by the schemas", async () => {
    expect(all.length).toBeGreaterThan(40);
    expect(await validateStanzas(all)).toEqual([]);
  });
});

function withPublic(stanza: XmlElement, value: string): XmlElement {
  const [claimed] = stanza.getChildElements();
  return el(stanza.name, stanza.attrs, el("claimed", { ...claimed?.attrs, public: value }));
}

function toTheRack(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer).replace("thing@example.org/imc", "rack@example.org/plcs"));
}

function iqResult(from: string): XmlElement {
  return parseXml(
    `<iq xmlns='jabber:client' type='result' from='${from}' to='discovery.example.org' id='${requestId}'/>`,
  );
}
