// The listings of the XEPs, each against its parsed form: see test/cases/README.md.
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { formatClaimText, parseClaimText } from "../src/codec/claim-text.ts";
import {
  buildCanControl,
  buildCanControlResponse,
  parseCanControl,
  parseCanControlResponse,
} from "../src/codec/can-control.ts";
import * as concentrator from "../src/codec/concentrator.ts";
import * as control from "../src/codec/control.ts";
import { buildGetForm, parseGetForm } from "../src/codec/control-form.ts";
import { buildDataForm, parseDataForm } from "../src/codec/data-form.ts";
import { buildInfo, buildInfoQuery, buildItems, buildItemsQuery, parseInfo, parseItems } from "../src/codec/disco.ts";
import { buildFriend, buildUnfriend, parseFriend, parseUnfriend } from "../src/codec/friendship.ts";
import * as getToken from "../src/codec/get-token.ts";
import * as discovery from "../src/codec/iot-discovery.ts";
import { ns } from "../src/codec/namespaces.ts";
import * as provisioning from "../src/codec/provisioning.ts";
import * as search from "../src/codec/search.ts";
import * as service from "../src/codec/service.ts";
import * as sensorData from "../src/codec/sensor-data.ts";
import { buildError, iq, message, parseError, stanzaErrorOf, type IqType } from "../src/codec/stanza.ts";
import {
  buildTokenChallenge,
  buildTokenChallengeResponse,
  parseTokenChallenge,
  parseTokenChallengeResponse,
} from "../src/codec/token-challenge.ts";
import { parseXml, type XmlElement } from "../src/codec/xml.ts";
import { ProtocolError } from "../src/core/errors.ts";
import { canonical } from "./support/canonical.ts";

/** What stands in the JSON beside a listing, for each of its stanzas. */
interface Case {
  /** Which codec reads and makes the payload; `empty` for none, `absent` for what this library does not know. */
  readonly codec: string;
  /** The payload's parsed form. Field types are a sorted list, bytes an object with their `hex`, an xs:long one with its `long`. */
  readonly value?: unknown;
  /** The parsed form of the listing as published, where that differs from the corrected one, or where it is `refused`. */
  readonly published?: unknown;
  /** What the builder takes, where that is not the parsed form; false where the listing is read only. */
  readonly build?: unknown;
  /** Attributes of the payload that are written although the listing leaves them out. */
  readonly adds?: Readonly<Record<string, string>>;
  /** Attributes of the payload that are not written although the listing has them. */
  readonly omits?: readonly string[];
  /** Why there is one of the five before. */
  readonly because?: string;
}

interface Codec {
  readonly parse: (payload: XmlElement) => unknown;
  readonly build?: (value: never) => XmlElement;
}

/** An element that says everything by its name: there is nothing to parse. */
function nameOnly(name: string, namespace: string, build: () => XmlElement): Codec {
  const parse = (payload: XmlElement): unknown => {
    expect(payload.is(name, namespace)).toBe(true);
    return {};
  };
  return { parse, build };
}

const codecs: Readonly<Record<string, Codec>> = {
  infoQuery: nameOnly("query", ns.discoInfo, () => buildInfoQuery()),
  info: { parse: parseInfo, build: buildInfo },
  itemsQuery: nameOnly("query", ns.discoItems, buildItemsQuery),
  items: { parse: parseItems, build: buildItems },
  register: { parse: discovery.parseRegister, build: discovery.buildRegister },
  mine: { parse: discovery.parseMine, build: discovery.buildMine },
  claimed: { parse: discovery.parseClaimed, build: discovery.buildClaimed },
  update: { parse: discovery.parseUpdate, build: discovery.buildUpdate },
  unregister: { parse: discovery.parseUnregister, build: discovery.buildUnregister },
  remove: { parse: discovery.parseRemove, build: discovery.buildRemove },
  removed: { parse: discovery.parseRemoved, build: discovery.buildRemoved },
  disown: { parse: discovery.parseDisown, build: discovery.buildDisown },
  disowned: { parse: discovery.parseDisowned, build: discovery.buildDisowned },
  search: { parse: search.parseSearch, build: search.buildSearch },
  found: { parse: search.parseFound, build: search.buildFound },
  getToken: { parse: getToken.parseGetToken, build: getToken.buildGetToken },
  getTokenChallenge: { parse: getToken.parseGetTokenChallenge, build: getToken.buildGetTokenChallenge },
  getTokenChallengeResponse: {
    parse: getToken.parseGetTokenChallengeResponse,
    build: getToken.buildGetTokenChallengeResponse,
  },
  getTokenResponse: { parse: getToken.parseGetTokenResponse, build: getToken.buildGetTokenResponse },
  tokenChallenge: { parse: parseTokenChallenge, build: buildTokenChallenge },
  tokenChallengeResponse: { parse: parseTokenChallengeResponse, build: buildTokenChallengeResponse },
  isFriend: { parse: provisioning.parseIsFriend, build: provisioning.buildIsFriend },
  isFriendResponse: { parse: provisioning.parseIsFriendResponse, build: provisioning.buildIsFriendResponse },
  friend: { parse: parseFriend, build: buildFriend },
  unfriend: { parse: parseUnfriend, build: buildUnfriend },
  canRead: { parse: provisioning.parseCanRead, build: provisioning.buildCanRead },
  canReadResponse: { parse: provisioning.parseCanReadResponse, build: provisioning.buildCanReadResponse },
  canControl: { parse: parseCanControl, build: buildCanControl },
  canControlResponse: { parse: parseCanControlResponse, build: buildCanControlResponse },
  clearCache: nameOnly("clearCache", ns.provisioning, provisioning.buildClearCache),
  clearCacheResponse: nameOnly("clearCacheResponse", ns.provisioning, provisioning.buildClearCacheResponse),
  canAccess: { parse: service.parseCanAccess, build: service.buildCanAccess },
  canAccessResponse: { parse: service.parseCanAccessResponse, build: service.buildCanAccessResponse },
  userLoggedIn: { parse: service.parseUserLoggedIn, build: service.buildUserLoggedIn },
  hasPrivilege: { parse: service.parseHasPrivilege, build: service.buildHasPrivilege },
  hasPrivilegeResponse: { parse: service.parseHasPrivilegeResponse, build: service.buildHasPrivilegeResponse },
  downloadPrivileges: { parse: service.parseDownloadPrivileges, build: service.buildDownloadPrivileges },
  downloadPrivilegesResponse: {
    parse: service.parseDownloadPrivilegesResponse,
    build: service.buildDownloadPrivilegesResponse,
  },
  req: { parse: sensorData.parseReq, build: sensorData.buildReq },
  accepted: { parse: sensorData.parseAccepted, build: sensorData.buildAccepted },
  fields: { parse: sensorData.parseFields, build: sensorData.buildFields },
  failure: { parse: sensorData.parseFailure, build: sensorData.buildFailure },
  started: { parse: sensorData.parseStarted, build: sensorData.buildStarted },
  done: { parse: sensorData.parseDone, build: sensorData.buildDone },
  cancel: { parse: sensorData.parseCancel, build: sensorData.buildCancel },
  cancelled: { parse: sensorData.parseCancelled, build: sensorData.buildCancelled },
  set: { parse: control.parseSet, build: control.buildSet },
  setResponse: { parse: control.parseSetResponse, build: control.buildSetResponse },
  getForm: { parse: parseGetForm, build: buildGetForm },
  form: { parse: parseDataForm, build: buildDataForm },
  concentratorRequest: {
    parse: concentrator.parseConcentratorRequest,
    build: concentrator.buildConcentratorRequest,
  },
  capabilities: { parse: concentrator.parseCapabilities, build: concentrator.buildCapabilities },
  ...Object.fromEntries(
    (["AllDataSources", "RootDataSources", "ChildDataSources"] as const).map((name): [string, Codec] => [
      name.replace(/^./, (letter) => letter.toLowerCase()),
      {
        parse: (payload) => concentrator.parseDataSources(`get${name}`, payload),
        build: (value: never) => concentrator.buildDataSources(`get${name}`, value),
      },
    ]),
  ),
  contains: { parse: concentrator.parseContains, build: concentrator.buildContains },
  containsNodes: { parse: concentrator.parseContainsNodes, build: concentrator.buildContainsNodes },
  node: { parse: concentrator.parseNode, build: concentrator.buildNode },
  ...Object.fromEntries(
    (["Nodes", "AllNodes", "RootNodes", "ChildNodes", "Ancestors"] as const).map((name): [string, Codec] => [
      name.replace(/^./, (letter) => letter.toLowerCase()),
      {
        parse: (payload) => concentrator.parseNodes(`get${name}`, payload),
        build: (value: never) => concentrator.buildNodes(`get${name}`, value),
      },
    ]),
  ),
  error: { parse: parseError, build: buildError },
};

const folder = new URL("cases/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");

const listings = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => readdirSync(new URL(`${name}/`, folder)).map((file) => `${name}/${file}`))
  .sort();
const cases = listings
  .filter((file) => file.endsWith(".json"))
  .map((file) => {
    const name = file.replace(/\.json$/, "");
    const published = listings.find((other) => other === `${name}.xml` || other === `${name}.txt`);
    const corrected = listings.includes(`${name}.corrected.xml`) ? `${name}.corrected.xml` : published;
    return { name, published: published ?? "", corrected: corrected ?? "", json: JSON.parse(read(file)) as unknown };
  });
const stanzaCases = cases
  .filter(({ published }) => published.endsWith(".xml"))
  .map((listing) => ({ ...listing, json: listing.json as readonly Case[] }));

/** Sets as sorted lists, bytes and long integers as digits, as JSON has them. */
function toJson(value: unknown): unknown {
  if (typeof value === "bigint") return { long: String(value) };
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString("hex") };
  if (value instanceof Set) return [...(value as Set<string>)].sort();
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toJson(part)]));
}

/** The other way round: `types` and `quality` are the names under which there are sets. */
function fromJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, part: unknown) => {
    if (typeof part === "object" && part !== null && "hex" in part) return Buffer.from(String(part.hex), "hex");
    if (typeof part === "object" && part !== null && "long" in part) return BigInt(String(part.long));
    return key === "types" || key === "quality" ? new Set(part as string[]) : part;
  });
}

/** What stands for the payload of a stanza: its error, if it has one, else its only child. */
function parsePayload(stanza: XmlElement, { codec }: Case): unknown {
  const children = stanza.getChildElements();
  if (codec === "error") {
    const error = stanzaErrorOf(stanza, "peer");
    if (error === undefined) return undefined;
    const { condition, type, text, parameters } = error;
    return { condition, type, text, ...(parameters.length > 0 && { parameters }) };
  }
  expect(stanzaErrorOf(stanza, "peer")).toBeUndefined();
  if (codec === "empty") return children.length === 0 ? undefined : children;
  expect(children).toHaveLength(1);
  if (codec === "absent") return children[0]?.name;
  try {
    return toJson(codecs[codec]?.parse(children[0]!));
  } catch (error) {
    if (error instanceof ProtocolError) return { refused: error.path };
    throw error;
  }
}

/** The listing's stanza, made by the builders. */
function rebuild(stanza: XmlElement, { codec, value, build = value }: Case): XmlElement {
  const payload = codec === "empty" ? undefined : codecs[codec]?.build?.(fromJson(build) as never);
  const { type, id, to, from } = stanza.attrs;
  if (stanza.is("message")) return message({ to: to!, from, id }, payload!);
  return iq({ type: type as IqType, id: id!, to, from }, payload);
}

/** The stanza with the attributes on its payload that we always write, and without those that we never do. */
function completed(stanza: XmlElement, { adds = {}, omits = [] }: Case): unknown {
  const [payload] = stanza.getChildElements();
  if (payload) {
    Object.assign(payload.attrs, adds);
    for (const name of omits) Reflect.deleteProperty(payload.attrs, name);
  }
  return canonical(stanza);
}

describe.each(stanzaCases)("$name", ({ published, corrected, json }) => {
  it("is read as its JSON says", () => {
    for (const [file, pick] of [
      [published, (entry: Case) => entry.published ?? entry.value],
      [corrected, (entry: Case) => entry.value],
    ] as const) {
      const stanzas = parseXml(read(file)).getChildElements();
      const expected = file === corrected ? json.map((entry) => entry.value) : json.map(pick);
      expect(stanzas.map((stanza, index) => parsePayload(stanza, json[index]!))).toEqual(expected);
    }
  });

  it("is what the builders make", () => {
    const stanzas = parseXml(read(corrected)).getChildElements();
    expect(stanzas).toHaveLength(json.length);
    const made = stanzas
      .map((stanza, index) => ({ stanza, entry: json[index]! }))
      .filter(({ entry }) => entry.build !== false && entry.codec !== "absent");
    for (const { stanza, entry } of made) {
      expect(canonical(parseXml(String(rebuild(stanza, entry))))).toEqual(completed(stanza, entry));
    }
  });
});

describe("xep-0347 Listing 14", () => {
  it("is read and written to the letter", () => {
    const listing = cases.find(({ name }) => name.startsWith("xep-0347/14-"));
    const text = read(listing?.published ?? "").trimEnd();
    expect(parseClaimText(text)).toEqual(listing?.json);
    expect(formatClaimText(listing?.json as ReturnType<typeof parseClaimText>)).toBe(text);
  });
});

describe("the cases", () => {
  it("are complete: every listing has its JSON, every JSON its listing", () => {
    expect(cases.map(({ published }) => published)).not.toContain("");
    const names = cases.map(({ name }) => name);
    const lonely = listings.filter((file) => !names.includes(file.replace(/(\.corrected)?\.\w+$/, "")));
    expect(lonely).toEqual([]);
  });

  it("show every codec there is, and give a reason for every exception", () => {
    const entries = stanzaCases.flatMap(({ json }) => json);
    const known = [...Object.keys(codecs), "empty", "absent"].sort();
    expect([...new Set(entries.map(({ codec }) => codec))].sort()).toEqual(known);
    for (const { codec, published, build, adds, omits, because } of entries) {
      const exception = codec === "absent" || [published, build, adds, omits].some((part) => part !== undefined);
      expect(because !== undefined).toBe(exception);
    }
  });
});
