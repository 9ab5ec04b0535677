// The one place that knows how XML elements are made. Everything above reads them through `XmlElement`.
import { Element, Parser } from "@xmpp/xml";
import { ProtocolError } from "../core/errors.ts";
import { own } from "../core/own.ts";

export { own };

/** An XML element as the codecs see it: what `@xmpp/xml` gives, less what nobody here needs. */
export interface XmlElement {
  /** The tag name, with its prefix if it has one. */
  readonly name: string;
  /** Attributes by name, values unescaped. */
  readonly attrs: Readonly<Record<string, string | undefined>>;
  /** Child elements and text, in order. */
  readonly children: readonly (XmlElement | string)[];
  /** Tells whether the local name is this, and the namespace too if one is given. */
  is(name: string, ns?: string): boolean;
  /** The namespace in force, inherited from the parent if need be. */
  getNS(): string | undefined;
  /** The first child element of that local name and namespace. */
  getChild(name: string, ns?: string): XmlElement | undefined;
  /** All child elements of that local name and namespace. */
  getChildren(name: string, ns?: string): XmlElement[];
  /** All child elements. */
  getChildElements(): XmlElement[];
  /** The text directly inside. */
  text(): string;
  /** As XML. */
  toString(): string;
}

/** Attributes for {@link el}; `undefined` leaves one out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes an element. Attributes that are `undefined` and children that are `undefined` are left out. */
export function el(
  name: string,
  attributes: Attributes = {},
  ...children: readonly (XmlElement | string | undefined)[]
): XmlElement {
  const element = new Element(name);
  for (const key of Object.keys(attributes)) {
    const value = attributes[key];
    if (value !== undefined) element.attrs[key] = String(value);
  }
  for (const child of children) if (child !== undefined && child !== "") element.append(child as Element);
  return element;
}

const special = /["&'<>]/;
const entities: Readonly<Record<string, string>> = {
  ...{ "&": "&amp;", "<": "&lt;", ">": "&gt;" },
  ...{ '"': "&quot;", "'": "&apos;" },
};
const escaped = (text: string): string =>
  special.test(text) ? text.replace(/["&'<>]/g, (character) => entities[character] as string) : text;

/** An element as XML: what its `toString` gives, in a fraction of the time. */
export function xmlOf({ name, attrs, children }: XmlElement): string {
  let text = `<${name}`;
  for (const key of Object.keys(attrs)) {
    const value = attrs[key];
    if (value !== undefined) text += ` ${key}="${escaped(value)}"`;
  }
  if (children.length === 0) return `${text}/>`;
  text += ">";
  for (const child of children) {
    text += typeof child === "string" ? child.replace(/[&<>]/g, (one) => entities[one] as string) : xmlOf(child);
  }
  return `${text}</${name}>`;
}

/** Parses one XML document. For tests, tools and the sandbox; streams are parsed by the connection. */
export function parseXml(text: string): XmlElement {
  const parser = new Parser();
  const found: { root?: Element; ended?: boolean; failure?: unknown } = {};
  const beforeTheEnd = (): void => {
    if (found.ended) found.failure ??= new Error("something follows the root element");
  };
  parser.on("start", (element: Element) => (found.root = element));
  parser.on("element", (element: Element) => {
    beforeTheEnd();
    found.root?.append(element);
  });
  parser.on("end", () => {
    beforeTheEnd();
    found.ended = true;
  });
  parser.on("error", (error: unknown) => (found.failure ??= error));
  try {
    if (!isXmlText(text)) throw new Error("a character that XML forbids");
    parser.write(text.replace(/^\s*<\?xml.*?\?>/s, "").trim());
  } catch (error) {
    found.failure ??= error;
  }
  if (found.root === undefined || !found.ended || found.failure !== undefined) {
    throw new ProtocolError("not well-formed XML", "", { cause: found.failure });
  }
  return found.root;
}

/** The name of an element without its prefix. */
export function localName(element: XmlElement): string {
  return element.name.slice(element.name.indexOf(":") + 1);
}

// XML 1.0 section 2.2: the characters that no document may hold, not even escaped. Lone surrogates are among them.
const illegal = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

/** Tells whether a text holds only characters that XML 1.0 allows. */
export function isXmlText(text: string): boolean {
  return !illegal.test(text);
}

/** The path of an attribute, for error messages. */
export function at(element: XmlElement, attribute?: string): string {
  return attribute === undefined ? element.name : `${element.name}/@${attribute}`;
}

/** The value of an attribute, `undefined` if it is absent. Attribute values live on after the stanza, so they are copied. */
export function optional(element: XmlElement, name: string): string | undefined {
  if (!Object.hasOwn(element.attrs, name)) return undefined;
  return own(element.attrs[name] as string);
}

/** The value of an attribute; absent and empty are the same (X-E6). */
export function nonEmpty(element: XmlElement, name: string): string | undefined {
  const value = optional(element, name);
  return value === "" ? undefined : value;
}

/** The value of an attribute that must be there. */
export function required(element: XmlElement, name: string): string {
  const value = optional(element, name);
  if (value === undefined) throw new ProtocolError("missing attribute", at(element, name));
  return value;
}

/** An `xs:boolean` attribute (`true`, `false`, `1`, `0`), or the schema's default. */
export function flag(element: XmlElement, name: string, absent: boolean): boolean {
  const value = optional(element, name)?.trim();
  if (value === undefined) return absent;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new ProtocolError("not an xs:boolean", at(element, name));
}

/** An `xs:boolean` attribute that must be there. */
export function requiredFlag(element: XmlElement, name: string): boolean {
  required(element, name);
  return flag(element, name, false);
}

/** An `xs:int` attribute that must be there. */
export function requiredInt(element: XmlElement, name: string): number {
  const value = required(element, name).trim();
  const number = Number(value);
  if (!/^[+-]?\d+$/.test(value) || number < -(2 ** 31) || number >= 2 ** 31) {
    throw new ProtocolError("not an xs:int", at(element, name));
  }
  return number === 0 ? 0 : number; // not -0
}
