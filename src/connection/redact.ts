// What may be shown of a stanza: a copy in which everything that is a secret, or is named like one, is blotted out. In
// doubt too much is. Total: whatever came over the wire, a copy comes out, and what was given stays as it was.
import { ns } from "../codec/namespaces.ts";
import { el, localName, type XmlElement } from "../codec/xml.ts";
import { streamNs } from "./namespaces.ts";

/** What stands in the place of a secret. */
export const HIDDEN = "(hidden)";

// Elements, attributes and names of tags and fields that hold secrets: KEY (XEP-0347), tokens and challenges (XEP-0324),
// passwords (XEP-0077), and what is called alike.
const secretName =
  /key|token|challenge|passw|passphrase|pwd|secret|credential|nonce|proof|digest|signature|hash|salt|verifier|private|^pin$|^sso$|otp|cookie|^(auth|authenticate|response|success)$|initial-response|additional-data/i;
// A claim text (XEP-0347 3.9), or part of one, in the middle of words.
const claimText = /iotdisco|key\s*[:=]/i;
// Attributes that tell what an element is about. Their values are shown, unless they are secrets themselves.
const naming: ReadonlySet<string> = new Set(["name", "var"]);
// Attributes that are shown whatever the element is.
const framing: ReadonlySet<string> = new Set(["xmlns", "type", "seqnr", "mechanism"]);
// What is nested deeper no stream of ours takes.
const MOST_DEPTH = 80;

/** Blots out known secrets, and what looks like a claim text, in words. */
export function redactText(text: string, secrets: Iterable<string> = []): string {
  if (claimText.test(text)) return HIDDEN;
  let shown = text;
  for (const secret of secrets) shown = shown.replaceAll(secret, HIDDEN);
  return shown;
}

/**
 * A copy for people to see.
 *
 * @param secrets what must not be seen wherever it stands, in addition to what is known by its name
 */
export function redact(element: XmlElement, secrets: Iterable<string> = []): XmlElement {
  const known = [...secrets].filter((secret) => secret !== "");
  try {
    return copy(element, known, "open", 1);
  } catch {
    return el("unreadable");
  }
}

/**
 * How much of what is inside an element is seen. `open`: what has no secret name; `shut`: nothing but the names of
 * elements and how they are framed.
 */
type View = "open" | "shut";

function copy(element: XmlElement, secrets: readonly string[], outside: View, depth: number): XmlElement {
  if (depth > MOST_DEPTH) return el("deeper");
  const view = outside === "shut" || isSecret(element) ? "shut" : "open";
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(element.attrs)) {
    attributes[name] = attribute(name, value ?? "", view, secrets);
  }
  const children = element.children.map((child) => {
    if (typeof child !== "string") return copy(child, secrets, view, depth + 1);
    // Line breaks between elements are no secret.
    if (child.trim() === "") return child;
    return view === "shut" ? HIDDEN : redactText(child, secrets);
  });
  return el(element.name, attributes, ...children);
}

function attribute(name: string, value: string, view: View, secrets: readonly string[]): string {
  const isFrame = framing.has(name) || name.startsWith("xmlns:");
  if (!isFrame && !naming.has(name) && (view === "shut" || secretName.test(name))) return HIDDEN;
  return redactText(value, secrets);
}

function isSecret(element: XmlElement): boolean {
  const namespace = element.getNS() ?? "";
  const name = localName(element);
  // SASL in all its versions. Which mechanisms there are, and that a login failed, is no secret.
  if (namespace === streamNs.sasl || namespace.startsWith("urn:xmpp:sasl:")) {
    return !["mechanisms", "mechanism", "failure"].includes(name) && !isCondition(element);
  }
  // XEP-0077: every field of an account, also those of a data form.
  if (namespace === ns.register && name === "query") return true;
  if (secretName.test(name)) return true;
  return [...naming].some((attribute) => secretName.test(element.attrs[attribute] ?? ""));
}

/** RFC 6120 section 6.5: why a login failed; empty elements, but for a text. */
function isCondition(element: XmlElement): boolean {
  return element.children.length === 0 && Object.keys(element.attrs).every((name) => name === "xmlns");
}
