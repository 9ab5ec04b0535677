// Values for property tests of the codecs. All of them may stand in XML; what may not is tested by itself.
import fc from "fast-check";
import type { CanControl, CanControlResponse } from "../../src/codec/can-control.ts";
import {
  parameterKinds,
  parseSetting,
  type ParameterKind,
  type ParameterSetting,
  type SetRequest,
  type SetResponse,
} from "../../src/codec/control.ts";
import { fieldQualities, fieldTypes, type FieldQualitySet, type FieldTypeSet } from "../../src/codec/field-types.ts";
import type {
  GetToken,
  GetTokenChallenge,
  GetTokenChallengeResponse,
  GetTokenResponse,
} from "../../src/codec/get-token.ts";
import type { Claimed, Mine, Register, Remove, Unregister, Update } from "../../src/codec/iot-discovery.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import type { CanRead, CanReadResponse, IsFriendResponse } from "../../src/codec/provisioning.ts";
import type { Found, Search, SearchOperator } from "../../src/codec/search.ts";
import type { Failure, Field, FieldGroup, Fields, FieldValue, ReadRequest } from "../../src/codec/sensor-data.ts";
import { foldTagName, tagProblem, type Tag } from "../../src/codec/tags.ts";
import type { TokenChallenge, TokenChallengeResponse } from "../../src/codec/token-challenge.ts";
import type { Tokens } from "../../src/codec/tokens.ts";
import type { ParameterProblem } from "../../src/core/errors.ts";
import { parseJid, type BareJid } from "../../src/core/jid.ts";

type Arbitrary<T> = fc.Arbitrary<T>;

const codePoint = (min: number, max: number): Arbitrary<string> =>
  fc.integer({ min, max }).map((point) => String.fromCodePoint(point));

/** A character that XML 1.0 allows (section 2.2), often one that needs an escape somewhere. */
export const character: Arbitrary<string> = fc.oneof(
  { arbitrary: codePoint(0x20, 0x7e), weight: 6 },
  { arbitrary: fc.constantFrom(...Array.from("<>&\"';:#\\=/ ")), weight: 4 },
  { arbitrary: fc.constantFrom("\t", "\n", "\r"), weight: 1 },
  { arbitrary: codePoint(0x7f, 0xd7ff), weight: 2 },
  { arbitrary: codePoint(0xe000, 0xfffd), weight: 1 },
  { arbitrary: codePoint(0x10000, 0x10ffff), weight: 2 },
);

/** Words that have tripped programs before. */
const hostile = fc.constantFrom(
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "xmlns",
  "</listing>",
  "<!--",
  "]]>",
  "&amp;amp;",
  "&#0;",
  " ",
  "true",
  "\u{1F321}".repeat(40),
  "x".repeat(16_384),
);

/** Any text. */
export const text: Arbitrary<string> = fc.oneof(
  { arbitrary: fc.string({ unit: character }), weight: 4 },
  { arbitrary: hostile, weight: 1 },
);
const nonEmpty = text.filter((value) => value !== "");

/** Leaves keys out at will, never sets them to `undefined`: as the parsers do. */
const partial = <T extends object>(model: { [K in keyof T]-?: Arbitrary<Exclude<T[K], undefined>> }): Arbitrary<T> =>
  fc.record(model, { requiredKeys: [] }) as unknown as Arbitrary<T>;

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);

/** A bare JID, of a user or a component, normalised. */
export const bareJid: Arbitrary<BareJid> = fc
  .tuple(
    fc.option(fc.oneof(label, fc.constantFrom("caf\u00e9", "a\\5cb", "__proto__", "x+y=z!")), { nil: "" }),
    label,
    label,
  )
  .map(([local, host, top]) => parseJid(`${local}${local && "@"}${host}.${top}`).bare);

/** A node as `node` elements name it. */
export const nodeRef: Arbitrary<NodeRef> = fc
  .tuple(text, partial<{ sourceId?: string; cacheType?: string }>({ sourceId: nonEmpty, cacheType: nonEmpty }))
  .map(([nodeId, rest]) => ({ nodeId, ...rest }));

/** A node as elements name it that need not be about one: an empty id would be none. */
export const realNodeRef: Arbitrary<NodeRef> = nodeRef.filter(({ nodeId }) => nodeId !== "");

/** Any set of field types, also none and all. */
export const types: Arbitrary<FieldTypeSet> = fc.oneof(
  fc.subarray([...fieldTypes]).map((chosen) => new Set(chosen)),
  fc.constantFrom(
    new Set(fieldTypes),
    new Set(fieldTypes.filter((type) => type.startsWith("historical"))),
    new Set(fieldTypes.filter((type) => type !== "historicalOther")),
  ),
);

/** The tokens of a request. */
export const tokens: Arbitrary<Tokens> = partial<Tokens>({
  serviceToken: nonEmpty,
  deviceToken: nonEmpty,
  userToken: nonEmpty,
});

/** A finite xs:double in one of its many forms. */
export const double: Arbitrary<string> = fc.oneof(
  fc.double({ noDefaultInfinity: true, noNaN: true }).map(String),
  fc.stringMatching(/^[+-]?(\d{1,9}(\.\d{0,6})?|\.\d{1,6})([eE][+-]?\d{1,2})?$/),
);

const tagName = fc
  .oneof(
    fc.constantFrom("SN", "MAN", "MODEL", "V", "KEY", "LAT", "__PROTO__", "\u{1F321}".repeat(32)),
    fc.string({ unit: character, minLength: 1, maxLength: 12 }),
  )
  .map(foldTagName);

/** A tag that XEP-0347 5.2 allows. */
export const tag: Arbitrary<Tag> = fc
  .oneof(
    fc.record({
      name: tagName,
      type: fc.constant("str" as const),
      value: fc.oneof(
        fc.string({ unit: character }),
        fc.constantFrom("\u{1F321}".repeat(128), "\\;\\;", " ", "a:b;c\\d"),
      ),
    }),
    fc.record({ name: tagName, text: double }).map(({ name, text }) => ({
      name,
      type: "num" as const,
      value: Number(text) === 0 ? 0 : Number(text),
      text,
    })),
  )
  .filter((value) => tagProblem(value) === undefined);

/** Tags, one of each name at most. */
export const tags: Arbitrary<readonly Tag[]> = fc.uniqueArray(tag, { selector: ({ name }) => name, maxLength: 8 });

const node = partial<{ node?: NodeRef }>({ node: realNodeRef });
const maybeJid = partial<{ jid?: BareJid }>({ jid: bareJid });

export const register: Arbitrary<Register> = fc
  .tuple(fc.record({ tags, selfOwned: fc.boolean() }), node)
  .map(([value, rest]) => ({ ...value, ...rest }));

export const mine: Arbitrary<Mine> = fc
  .tuple(fc.record({ tags, public: fc.boolean() }), node)
  .map(([value, rest]) => ({ ...value, ...rest }));

export const claimed: Arbitrary<Claimed> = fc
  .tuple(fc.record({ jid: bareJid, public: fc.boolean() }), node)
  .map(([value, rest]) => ({ ...value, ...rest }));

export const update: Arbitrary<Update> = fc
  .tuple(fc.record({ tags }), node, maybeJid)
  .map(([value, rest, jid]) => ({ ...jid, ...value, ...rest }));

/** What `unregister`, `removed` and `disowned` say. */
export const unregister: Arbitrary<Unregister> = node;

/** What `remove` and `disown` say. */
export const remove: Arbitrary<Remove> = fc
  .tuple(fc.record({ jid: bareJid }), node)
  .map(([value, rest]) => ({ ...value, ...rest }));

const upper = text.map((value) => value.toUpperCase());
// NaN and the infinities are xs:double too (D-E31); -0 is 0.
const anyNumber = fc
  .oneof(fc.double(), fc.constantFrom(NaN, Infinity, -Infinity, 1e21))
  .map((value) => (value === 0 ? 0 : value));
const ends = { tag: upper, minIncluded: fc.boolean(), maxIncluded: fc.boolean() };

/** One of the 17 operators. */
export const searchOperator: Arbitrary<SearchOperator> = fc.oneof(
  fc.record({
    op: fc.constantFrom(...(["strEq", "strNEq", "strGt", "strGtEq", "strLt", "strLtEq"] as const)),
    tag: upper,
    value: text,
  }),
  fc.record({
    op: fc.constantFrom(...(["numEq", "numNEq", "numGt", "numGtEq", "numLt", "numLtEq"] as const)),
    tag: upper,
    value: anyNumber,
  }),
  fc.record({ op: fc.constantFrom(...(["strRange", "strNRange"] as const)), ...ends, min: text, max: text }),
  fc.record({ op: fc.constantFrom(...(["numRange", "numNRange"] as const)), ...ends, min: anyNumber, max: anyNumber }),
  fc.record({ op: fc.constant("strMask" as const), tag: upper, value: text, wildcard: text }),
);

export const search: Arbitrary<Search> = fc
  .tuple(
    fc.record({ offset: fc.maxSafeNat(), operators: fc.array(searchOperator, { minLength: 1, maxLength: 5 }) }),
    partial<{ maxCount?: number }>({ maxCount: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) }),
  )
  .map(([value, rest]) => ({ ...value, ...rest }));

export const found: Arbitrary<Found> = fc.record({
  things: fc.array(
    fc.tuple(fc.record({ jid: bareJid, owner: bareJid, tags }), node).map(([value, rest]) => ({ ...value, ...rest })),
    { maxLength: 4 },
  ),
  more: fc.boolean(),
});

const lists = { types, nodes: fc.array(nodeRef, { maxLength: 4 }), fields: fc.array(text, { maxLength: 4 }) };

export const isFriendResponse: Arbitrary<IsFriendResponse> = fc
  .tuple(maybeJid, fc.record({ result: fc.boolean(), secondaryTrustAllowed: fc.boolean() }))
  .map(([jid, value]) => ({ ...jid, ...value }));

export const canRead: Arbitrary<CanRead> = fc.record({ jid: bareJid, tokens, ...lists });

export const canReadResponse: Arbitrary<CanReadResponse> = fc
  .tuple(maybeJid, fc.record({ result: fc.boolean(), ...lists }))
  .map(([jid, value]) => ({ ...jid, ...value }));

const controlLists = { nodes: fc.array(nodeRef, { maxLength: 4 }), parameters: fc.array(text, { maxLength: 4 }) };

export const canControl: Arbitrary<CanControl> = fc.record({ jid: bareJid, tokens, ...controlLists });

export const canControlResponse: Arbitrary<CanControlResponse> = fc
  .tuple(maybeJid, fc.record({ result: fc.boolean(), ...controlLists }))
  .map(([jid, value]) => ({ ...jid, ...value }));

/** What an error says of a parameter. */
export const parameterProblem: Arbitrary<ParameterProblem> = fc.record({ name: text, text });

const zone = fc.constantFrom("", "Z", "+02:00", "-14:00");
const padded = (most: number): Arbitrary<string> => fc.nat(most).map((number) => String(number).padStart(2, "0"));
const day = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([year, ...rest]) => [String(year).padStart(4, "0"), ...rest.map((n) => String(n).padStart(2, "0"))].join("-"));
const clockTime = fc
  .tuple(padded(23), padded(59), padded(59), fc.constantFrom("", ".5", ".250", ".000001"))
  .map(([hours, minutes, seconds, fraction]) => `${hours}:${minutes}:${seconds}${fraction}`);
const joined = (...parts: readonly Arbitrary<string>[]): Arbitrary<string> =>
  fc.tuple(...parts).map((texts) => texts.join(""));

/** A value of each kind of parameter, as it is written. */
export const written: Readonly<Record<ParameterKind, Arbitrary<string>>> = {
  boolean: fc.constantFrom("true", "false"),
  int: fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1)).map(String),
  long: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  string: text,
  double: fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.tuple(fc.integer(), fc.nat(20)).map(([number, decimals]) => number.toFixed(decimals)),
  ),
  date: joined(day, zone),
  time: joined(clockTime, zone),
  dateTime: joined(day, fc.constant("T"), clockTime, zone),
  duration: fc
    .tuple(fc.constantFrom("", "-"), fc.nat(99), fc.nat(999), fc.nat(99), fc.nat(99), fc.constantFrom("0", "30", "1.5"))
    .map(([sign, years, days, hours, minutes, seconds]) => `${sign}P${years}Y${days}DT${hours}H${minutes}M${seconds}S`),
  color: fc.oneof(fc.stringMatching(/^[0-9a-fA-F]{6}$/), fc.stringMatching(/^[0-9a-fA-F]{8}$/)),
};

/** A parameter of any kind, and the value it is to have. */
export const parameterSetting: Arbitrary<ParameterSetting> = fc.oneof(
  ...parameterKinds.map((kind) =>
    fc.tuple(text, written[kind]).map(([name, value]) => parseSetting(kind, name, value)),
  ),
);

/** A request to set parameters, with values of all kinds. */
export const setRequest: Arbitrary<SetRequest> = fc.record({
  nodes: controlLists.nodes,
  parameters: fc.array(parameterSetting, { maxLength: 6 }),
  tokens,
});

export const setResponse: Arbitrary<SetResponse> = fc.record(controlLists);

/** An xs:int. */
export const int = fc.oneof(fc.integer(), fc.constantFrom(0, -(2 ** 31), 2 ** 31 - 1));

/** An xs:dateTime. */
export const dateTime: Arbitrary<string> = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map((date) => date.toISOString());

const when = partial<Pick<ReadRequest, "from" | "to" | "when">>({ from: dateTime, to: dateTime, when: dateTime });
export const readRequest: Arbitrary<ReadRequest> = fc
  .tuple(fc.record({ seqnr: int, tokens, ...lists }), when)
  .map(([value, when]) => ({ ...value, ...when }));

const fieldValue: Arbitrary<FieldValue> = fc.oneof(
  fc.record({ text: double, unit: text }).map(({ text, unit }) => ({
    kind: "numeric" as const,
    value: Number(text),
    text,
    unit,
  })),
  fc.record({ kind: fc.constant("string" as const), value: text }),
  fc.record({ kind: fc.constant("enum" as const), value: text, dataType: text }),
  fc.record({ kind: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant("int" as const), value: int }),
  fc.record({ kind: fc.constant("long" as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ kind: fc.constant("date" as const), value: dateTime.map((value) => value.slice(0, 10)) }),
  fc.record({ kind: fc.constant("time" as const), value: dateTime.map((value) => value.slice(11)) }),
  fc.record({ kind: fc.constant("duration" as const), value: fc.nat().map((value) => `-P${value}DT0.5S`) }),
  dateTime.map((value) => ({ kind: "dateTime" as const, value, ms: Date.parse(value) })),
);

const qualities: Arbitrary<FieldQualitySet> = fc.subarray([...fieldQualities]).map((list) => new Set(list));
const stringIds = fc.constantFrom("1", "1,2", "1,1|MathModule", "3||A1", "4||A1,5||3", "7|a.bc|x|y");

export const field: Arbitrary<Field> = fc
  .tuple(
    fieldValue,
    fc.record({ name: text, types, quality: qualities }),
    partial<Pick<Field, "writable" | "module" | "stringIds">>({
      writable: fc.boolean(),
      module: text.filter((value) => value !== ""),
      stringIds,
    }),
  )
  .map(([value, rest, more]) => ({ ...value, ...rest, ...more }));

const group: Arbitrary<FieldGroup> = fc.record({
  node: nodeRef,
  timestamp: dateTime,
  fields: fc.array(field, { maxLength: 4 }),
});

export const fields: Arbitrary<Fields> = fc.record({
  seqnr: int,
  done: fc.boolean(),
  groups: fc.array(group, { maxLength: 3 }),
});

export const failure: Arbitrary<Failure> = fc.record({
  seqnr: int,
  done: fc.boolean(),
  errors: fc.array(fc.record({ node: nodeRef, timestamp: dateTime, text }), { maxLength: 3 }),
});

/** A block of bytes, of any length that base-64 pads otherwise. */
export const bytes: Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 1, maxLength: 300 });

/** One token: no white space, not empty. */
export const token: Arbitrary<string> = text.map((value) => value.replace(/\s/gu, "")).filter((value) => value !== "");

export const getToken: Arbitrary<GetToken> = fc.record({ certificate: bytes });
export const getTokenChallenge: Arbitrary<GetTokenChallenge> = fc.record({ seqnr: int, challenge: bytes });
export const getTokenChallengeResponse: Arbitrary<GetTokenChallengeResponse> = fc.record({
  seqnr: int,
  response: bytes,
});
export const getTokenResponse: Arbitrary<GetTokenResponse> = fc.record({ token });
export const tokenChallenge: Arbitrary<TokenChallenge> = fc.record({ token: text, challenge: bytes });
export const tokenChallengeResponse: Arbitrary<TokenChallengeResponse> = fc.record({ response: bytes });
