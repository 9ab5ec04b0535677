// What hostile readers, controllers and Things send in XEP-0323 and XEP-0325: each a request or an answer that is to come to
// nothing but an error, whoever sends it.

/** Something hostile. */
export interface Hostile {
  /** What is wrong with it. */
  readonly what: string;
  /** As it stands on the wire. */
  readonly xml: string | Uint8Array;
  /** True for what has no end: the stream is good for nothing any more, which is found out by its silence. */
  readonly isEndless?: boolean;
}

const SENSOR = "urn:xmpp:iot:sensordata";
const CONTROL = "urn:xmpp:iot:control";

/** What is no boolean, number, date or moment, whichever is wanted. */
const nonsense = ["", "NaN", "INF", "-INF", "maybe", "0x10", "1e999", "1;2", "9".repeat(2_000), "__proto__", "２"];
const builtIn = ["__proto__", "constructor", "toString", "hasOwnProperty"];

const LARGE = 10_000_000;
const large = "x".repeat(LARGE);

/** With bytes that no text holds in the place of `@`: a surrogate by itself, say, as UTF-8 forbids it. */
function withBytes(xml: string, bytes: readonly number[]): Uint8Array {
  const [before = "", after = ""] = xml.split("@");
  return new Uint8Array(
    Buffer.concat([before, bytes, after].map((part) => new Uint8Array(Buffer.from(part as string)))),
  );
}

/**
 * What can be done to any element: entities, sizes, depths, characters that are none.
 *
 * @param name the element
 * @param attributes what it has when it is right
 * @param part a part of it, by number
 */
function abuses(name: string, attributes: string, part: (index: number) => string): readonly Hostile[] {
  const make = (content: string, more = ""): string => `<${name} ${attributes}${more}>${content}</${name}>`;
  const parts = (count: number): string => Array.from({ length: count }, (_, index) => part(index)).join("");
  const nest = (depth: number): string => "<a>".repeat(depth) + "</a>".repeat(depth);
  const bomb = `<!DOCTYPE x [<!ENTITY a "${"y".repeat(1_000)}"><!ENTITY b "${"&a;".repeat(1_000)}">]>`;
  return [
    { what: "an entity that is declared", xml: bomb + make("&b;") },
    { what: "an entity of a file", xml: `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>${make("&a;")}` },
    { what: "an entity in a text", xml: make("&bogus;") },
    { what: "an entity in an attribute", xml: make("", " x='&bogus;'") },
    { what: "an attribute of 10 MB", xml: make("", ` x='${large}'`) },
    { what: "a text of 10 MB", xml: make(large) },
    { what: "10 MB without an end", xml: `<${name} ${attributes} x='${large}`, isEndless: true },
    { what: "100,000 parts", xml: make(parts(100_000)) },
    { what: "a depth of 10,000", xml: make(nest(10_000)) },
    {
      what: "a depth of 10,000 without an end",
      xml: `<${name} ${attributes}>${"<a>".repeat(10_000)}`,
      isEndless: true,
    },
    {
      what: "10,000 attributes",
      xml: make("", Array.from({ length: 10_000 }, (_, index) => ` a${index}='1'`).join("")),
    },
    { what: "an attribute twice", xml: make("", " seqnr='2' seqnr='3'") },
    { what: "a lone surrogate", xml: make("&#xD800;") },
    { what: "a lone surrogate in an attribute", xml: make("", " x='&#xDFFF;'") },
    { what: "a lone surrogate as bytes", xml: withBytes(`<${name}@ ${attributes}/>`, [0xed, 0xa0, 0x80]) },
    { what: "bytes that are no text", xml: withBytes(`<${name}@ ${attributes}/>`, [0xff, 0xfe, 0xc0, 0x80]) },
    { what: "a character of no XML", xml: make("&#0;", " x='&#x1F;'") },
    { what: "a comment and an instruction", xml: `<!-- x --><?x y?>${make("")}` },
  ];
}

const about = (what: string, values: readonly string[], make: (value: string) => string): readonly Hostile[] =>
  values.map((value) => ({ what: `${what} ${JSON.stringify(value.slice(0, 20))}`, xml: make(value) }));

const req = (attributes: string, content = ""): string => `<req xmlns='${SENSOR}' ${attributes}>${content}</req>`;
const right = "seqnr='7' momentary='true'";

/** Requests to read, and to cancel a readout. */
export const hostileReadRequests: readonly Hostile[] = [
  ...abuses("req", `xmlns='${SENSOR}' ${right}`, (index) => `<field name='${index}'/>`),
  { what: "9,000 fields", xml: req(right, "<field name='Temperature'/>".repeat(9_000)) },
  { what: "9,000 nodes", xml: req(right, "<node nodeId='x'/>".repeat(9_000)) },
  { what: "a name of 200,000 characters", xml: req(right, `<field name='${"x".repeat(200_000)}'/>`) },
  { what: "tokens of 200,000 characters", xml: req(`${right} userToken='${"x ".repeat(100_000)}'`) },
  { what: "no sequence number", xml: req("momentary='true'") },
  { what: "no kind of field", xml: req("seqnr='7'") },
  { what: "a field without a name", xml: req(right, "<field/>") },
  { what: "a node without an id", xml: req(right, "<node sourceId='x'/>") },
  { what: "another namespace", xml: "<req xmlns='urn:xmpp:iot:sensordata2' seqnr='7' momentary='true'/>" },
  ...about("the sequence number", [...nonsense, "1.5", "4294967296", "-2147483649"], (value) =>
    req(`seqnr='${value}' momentary='true'`),
  ),
  ...about("the kind of field", nonsense, (value) => req(`seqnr='7' momentary='${value}'`)),
  ...about("a field called", builtIn, (value) => req(right, `<field name='${value}'/>`)),
  ...about("a node called", builtIn, (value) => req(right, `<node nodeId='${value}'/>`)),
  ...abuses("cancel", `xmlns='${SENSOR}' seqnr='7'`, () => "<x/>"),
  ...about("to cancel", [...nonsense, "77"], (value) => `<cancel xmlns='${SENSOR}' seqnr='${value}'/>`),
];

/** The types of parameters for which nonsense is none: of each there is a parameter called so. */
export const typesOfParameters = ["int", "long", "double", "date", "time", "dateTime", "duration", "color"] as const;

const set = (content: string, attributes = ""): string => `<set xmlns='${CONTROL}' ${attributes}>${content}</set>`;

/** Requests to set parameters, and for a form. */
export const hostileControlRequests: readonly Hostile[] = [
  ...abuses("set", `xmlns='${CONTROL}'`, (index) => `<boolean name='${index}' value='true'/>`),
  { what: "9,000 parameters", xml: set("<boolean name='x' value='true'/>".repeat(9_000)) },
  { what: "9,000 nodes", xml: set("<node nodeId='x'/>".repeat(9_000) + "<boolean name='LED' value='true'/>") },
  { what: "nothing", xml: set("") },
  { what: "a parameter without a name", xml: set("<boolean value='true'/>") },
  { what: "a parameter without a value", xml: set("<boolean name='LED'/>") },
  { what: "a node without an id", xml: set("<node/><boolean name='LED' value='true'/>") },
  {
    what: "a right value beside a wrong one",
    xml: set("<boolean name='LED' value='true'/><boolean name='LED' value='?'/>"),
  },
  {
    what: "a right value beside one that is not there",
    xml: set("<boolean name='LED' value='true'/><boolean name='X' value='true'/>"),
  },
  ...about("a boolean", nonsense, (value) => set(`<boolean name='LED' value='${value}'/>`)),
  ...typesOfParameters.flatMap((type) =>
    about(`of the type ${type}, for a boolean,`, ["1", ...nonsense], (value) =>
      set(`<${type} name='LED' value='${value}'/>`),
    ),
  ),
  ...typesOfParameters.flatMap((type) =>
    about(`of the type ${type}`, nonsense, (value) => set(`<${type} name='${type}' value='${value}'/>`)),
  ),
  ...about("a parameter called", builtIn, (value) => set(`<boolean name='${value}' value='true'/>`)),
  ...about("a node called", builtIn, (value) => set(`<node nodeId='${value}'/><boolean name='LED' value='true'/>`)),
  ...abuses("getForm", `xmlns='${CONTROL}'`, (index) => `<node nodeId='${index}'/>`),
  ...about(
    "a form of a node called",
    builtIn,
    (value) => `<getForm xmlns='${CONTROL}'><node nodeId='${value}'/></getForm>`,
  ),
];

const fields = (content: string, attributes = "seqnr='{seqnr}' done='true'"): string =>
  `<fields xmlns='${SENSOR}' ${attributes}>${content}</fields>`;
const moment = (content: string, value = "2026-01-01T00:00:00Z"): string =>
  `<node nodeId='n'><timestamp value='${value}'>${content}</timestamp></node>`;
const numeric = (value: string): string => `<numeric name='T' momentary='true' value='${value}' unit='x'/>`;

/** What a Thing sends that is read; `{seqnr}` stands for the number of the readout. */
export const hostileReadAnswers: readonly Hostile[] = [
  ...abuses("fields", `xmlns='${SENSOR}' seqnr='{seqnr}' done='maybe'`, () => moment(numeric("1"))),
  ...about("a number", nonsense, (value) => fields(moment(numeric(value)))),
  ...about("a boolean", nonsense, (value) => fields(moment(`<boolean name='T' momentary='true' value='${value}'/>`))),
  ...about("a kind of field", nonsense, (value) => fields(moment(`<string name='T' momentary='${value}' value='x'/>`))),
  ...about("the end", nonsense, (value) => fields("", `seqnr='{seqnr}' done='${value}'`)),
  { what: "a field without a name", xml: fields(moment("<string momentary='true' value='x'/>")) },
  { what: "a field without a value", xml: fields(moment("<numeric name='T' momentary='true' unit='x'/>")) },
  { what: "a node without an id", xml: fields("<node><timestamp value='2026-01-01T00:00:00Z'/></node>") },
  { what: "values without a moment", xml: fields(`<node nodeId='n'><timestamp>${numeric("1")}</timestamp></node>`) },
  {
    what: "a failure without a moment",
    xml: `<failure xmlns='${SENSOR}' seqnr='{seqnr}'><error nodeId=''>x</error></failure>`,
  },
  { what: "a failure whose end is none", xml: `<failure xmlns='${SENSOR}' seqnr='{seqnr}' done='maybe'/>` },
];

/** What a Thing answers that is asked to do something. */
export const hostileAnswers: readonly Hostile[] = [
  { what: "nothing", xml: "" },
  { what: "something else", xml: "<query xmlns='http://jabber.org/protocol/disco#info'/>" },
  ...about("a sequence number", nonsense, (value) => `<accepted xmlns='${SENSOR}' seqnr='${value}'/>`),
  ...about("whether it is queued", nonsense, (value) => `<accepted xmlns='${SENSOR}' seqnr='1' queued='${value}'/>`),
  ...abuses("accepted", `xmlns='${SENSOR}' seqnr='maybe'`, () => "<x/>"),
  ...abuses("setResponse", `xmlns='${CONTROL}'`, (index) => `<parameter name='${index}'/>`),
  { what: "a parameter without a name", xml: `<setResponse xmlns='${CONTROL}'><parameter/></setResponse>` },
  { what: "a node without an id", xml: `<setResponse xmlns='${CONTROL}'><node/></setResponse>` },
];
