// XEP-0115 Entity Capabilities 1.6.0: sections 4 (the element in presence) and 5 (the verification string).
import { createHash } from "node:crypto";
import { buildInfo, type DiscoInfo } from "./disco.ts";
import { ns } from "./namespaces.ts";
import { el, nonEmpty, optional, type XmlElement } from "./xml.ts";

/** What presence says of somebody's capabilities: a fingerprint of its disco#info. */
export interface Caps {
  /** The hash function, by its name in IANA's registry: `sha-1`, `sha-256`, … */
  readonly hash: string;
  /** The software, as a URI. */
  readonly node: string;
  /** The hash of the verification string, in Base64. */
  readonly ver: string;
}

/** Hash functions of which a match proves something, by their names in IANA's registry. */
const functions: ReadonlyMap<string, string> = new Map([
  ["sha-1", "sha1"],
  ["sha-224", "sha224"],
  ["sha-256", "sha256"],
  ["sha-384", "sha384"],
  ["sha-512", "sha512"],
]);

// What presence says is kept for each connection of each friend: no honest one is longer.
const LONGEST_NODE = 512;
const LONGEST_VER = 128;

/** Makes `c`, the element in presence. */
export function buildCaps({ hash, node, ver }: Caps): XmlElement {
  return el("c", { xmlns: ns.caps, hash, node, ver });
}

/**
 * Reads `c` out of presence. `undefined` where there is none, and for one that says nothing: of before version 1.4, which
 * has no `hash` (section 5.4, rule 1), or with nonsense. Presence counts all the same.
 */
export function parseCaps(presence: XmlElement): Caps | undefined {
  const c = presence.getChild("c", ns.caps);
  if (c === undefined) return undefined;
  const [hash, node, ver] = [nonEmpty(c, "hash"), nonEmpty(c, "node"), nonEmpty(c, "ver")];
  if (hash === undefined || node === undefined || ver === undefined) return undefined;
  return functions.has(hash) && node.length <= LONGEST_NODE && ver.length <= LONGEST_VER
    ? { hash, node, ver }
    : undefined;
}

/** The fingerprint of what one can do oneself, for the own presence. Hashed by SHA-1, which everybody must know (section 5.1). */
export function capsOf(info: DiscoInfo, node: string): Caps {
  const text = verificationString(buildInfo(info));
  if (text === undefined) throw new TypeError("no verification string can be made of that");
  return { hash: "sha-1", node, ver: createHash("sha1").update(text).digest("base64") };
}

/** The name of the node under which disco#info is asked for a fingerprint (section 6.2). */
export function capsNode({ node, ver }: Pick<Caps, "node" | "ver">): string {
  return `${node}#${ver}`;
}

/** Tells whether an answer to disco#info is the one that the fingerprint was made of (section 5.4). */
export function isProved(query: XmlElement, { hash, ver }: Pick<Caps, "hash" | "ver">): boolean {
  const algorithm = functions.get(hash);
  const text = verificationString(query);
  if (algorithm === undefined || text === undefined) return false;
  return createHash(algorithm).update(text).digest("base64") === ver;
}

/** Tells whether an answer to disco#info holds forms (XEP-0128). */
export function hasForms(query: XmlElement): boolean {
  return query.getChild("x", ns.form) !== undefined;
}

/**
 * What is hashed (section 5.1). `undefined` for an answer of which none can be made: identities, features or forms twice
 * (section 5.4, rules 3.2 to 3.5), and texts with the sign that parts them, by which one answer could be taken for another.
 */
export function verificationString(query: XmlElement): string | undefined {
  const identities = query.getChildren("identity", ns.discoInfo).map((identity) => {
    const parts = ["category", "type", "xml:lang", "name"].map((name) => optional(identity, name) ?? "");
    return parts.join("/");
  });
  const features = query.getChildren("feature", ns.discoInfo).map((feature) => optional(feature, "var") ?? "");
  const forms = query.getChildren("x", ns.form).map(readForm);
  const told = forms.filter((form) => form !== "none" && form !== "ill-formed");
  const types = told.map(({ type }) => type);
  if (forms.includes("ill-formed") || ![identities, features, types].every(areDifferent)) return undefined;
  const parts = [
    ...sorted(identities),
    ...sorted(features),
    ...told.sort((a, b) => compare(a.type, b.type)).flatMap(({ type, parts }) => [type, ...parts]),
  ];
  return parts.some((part) => part.includes("<")) ? undefined : parts.map((part) => `${part}<`).join("");
}

/** A form's type and its other fields in order. One without a type is passed over (rule 3.6). */
function readForm(form: XmlElement): { readonly type: string; readonly parts: string[] } | "none" | "ill-formed" {
  const types: string[] = [];
  const fields: { readonly name: string; readonly values: readonly string[] }[] = [];
  let isHidden = false;
  for (const field of form.getChildren("field", ns.form)) {
    const name = optional(field, "var") ?? "";
    const values = field.getChildren("value", ns.form).map((value) => value.text());
    if (name === "FORM_TYPE") {
      types.push(...values);
      isHidden = optional(field, "type") === "hidden";
    } else {
      fields.push({ name, values: sorted(values) });
    }
  }
  const [type] = types;
  if (types.length > 1) return "ill-formed"; // rule 3.5
  if (type === undefined || !isHidden) return "none";
  fields.sort((a, b) => compare(a.name, b.name));
  return { type, parts: fields.flatMap(({ name, values }) => [name, ...values]) };
}

const areDifferent = (texts: readonly string[]): boolean => new Set(texts).size === texts.length;

/** By the bytes of UTF-8 (`i;octet` of RFC 4790), which is not how JavaScript compares texts. */
const octets = new TextEncoder();
const compare = (a: string, b: string): number => Buffer.compare(octets.encode(a), octets.encode(b));
const sorted = (texts: readonly string[]): string[] => [...texts].sort(compare);
