// What holds for every codec.
import fc from "fast-check";
import { expect } from "vitest";
import { ProtocolError } from "../../src/core/errors.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { text } from "./arbitraries.ts";

/** Over the wire and back: through real XML text. */
export const overTheWire = (element: XmlElement): XmlElement => parseXml(String(element));

/** What was built is read as what it was built from. */
export function roundTrips<T>(
  arbitrary: fc.Arbitrary<T>,
  build: (value: T) => XmlElement,
  parse: (element: XmlElement) => unknown,
): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      expect(parse(overTheWire(build(value)))).toEqual(value);
    }),
    { numRuns: 150 },
  );
}

/** What something throws; nothing thrown is an error of the test. */
export function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** The text is refused with ERR_PROTOCOL, at that path. */
export function refuses(parse: (element: XmlElement) => unknown, xml: string, path: string): void {
  const error = thrownBy(() => parse(parseXml(xml)));
  expect(error).toBeInstanceOf(ProtocolError);
  expect((error as ProtocolError).path).toBe(path);
}

const attributeNames = [
  ..."jid result nodeId sourceId cacheType name value unit seqnr done queued timestamp when public selfOwned var".split(
    " ",
  ),
  ..."category type all historical momentary identity historicalDay secondaryTrustAllowed automaticReadout".split(" "),
  ..."offset maxCount more owner min max minIncluded maxIncluded wildcard".split(" "),
  ..."serviceToken deviceToken userToken __proto__ constructor hasOwnProperty toString".split(" "),
];
const childNames =
  "node field str num timestamp numeric string boolean int parameter error identity feature item text thing strEq numGtEq strRange numNRange strMask __proto__".split(
    " ",
  );

const values = fc.oneof(
  fc.constantFrom(
    "true",
    "false",
    "1",
    "0",
    "",
    "-1",
    "2147483648",
    "1.5",
    "NaN",
    "INF",
    "1e999",
    "a@b.c",
    "@",
    " true ",
  ),
  text,
);

// What most elements need: without it hardly one in a thousand would be read.
const usual = fc
  .subarray(
    Object.entries({ jid: "a@b.c", result: "true", nodeId: "n", name: "x", value: "1", seqnr: "7", timestamp: "T" }),
    {
      minLength: 5,
    },
  )
  .map((entries) => Object.fromEntries(entries));

/** Any element of that name and namespace: known attributes with good and bad values, known and unknown children. */
export function anyElement(name: string, namespace: string): fc.Arbitrary<XmlElement> {
  const attributes = fc
    .tuple(usual, fc.dictionary(fc.constantFrom(...attributeNames), values, { maxKeys: 3, noNullPrototype: true }))
    .map(([first, second]) => ({ ...first, ...second }));
  const { element } = fc.letrec<{ element: XmlElement }>((tie) => ({
    element: fc
      .tuple(
        fc.constantFrom(...childNames),
        attributes,
        fc.array(fc.oneof({ depthSize: "small", withCrossShrink: true }, text, tie("element")), { maxLength: 4 }),
        fc.constantFrom(undefined, undefined, undefined, "urn:other"),
      )
      .map(([child, attrs, children, xmlns]) => el(child, { ...attrs, xmlns }, ...children)),
  }));
  return fc
    .tuple(attributes, fc.array(element, { maxLength: 4 }))
    .map(([attrs, children]) => el(name, { ...attrs, xmlns: namespace }, ...children));
}

/**
 * Whatever comes in, the parser gives a whole value or throws ERR_PROTOCOL: nothing else is thrown, and what it gives
 * can be built and read again.
 */
export function isTotal<T>(
  elements: fc.Arbitrary<XmlElement>,
  parse: (element: XmlElement) => T,
  build?: (value: T) => XmlElement,
): void {
  let read = 0;
  const law = fc.property(elements, (element) => {
    let value: T;
    try {
      value = parse(overTheWire(element));
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError);
      return;
    }
    read++;
    if (build) expect(parse(overTheWire(build(value)))).toEqual(value);
  });
  // Of some elements hardly one in fifty is read: by chance none of the first two hundred is, and more are drawn.
  for (let round = 0; round < 20 && (round === 0 || read === 0); round++) fc.assert(law, { numRuns: 200 });
  expect(read).toBeGreaterThan(0); // else nothing was shown
}
