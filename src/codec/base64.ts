// RFC 4648 base-64 as XML Schema has it (xs:base64Binary), and as P-E12 takes it: white space anywhere is no matter.
import { ProtocolError } from "../core/errors.ts";
import { at, el, type Attributes, type XmlElement } from "./xml.ts";

/** The base-64 form of a block of bytes, without line breaks (P-E12). */
export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Reads a block of bytes. Throws `ERR_PROTOCOL` with the path if the text is none, or holds no bytes. */
export function bytesOf(given: string, path: string): Uint8Array {
  const text = given.replace(/[\t\n\r ]+/g, "");
  if (text === "") throw new ProtocolError("no bytes", path);
  const bytes = Buffer.from(text, "base64");
  // Node.js reads over what it does not understand. Each block of bytes has one spelling only (RFC 4648 section 3.5).
  if (bytes.toString("base64") !== text) throw new ProtocolError("not base-64", path);
  return new Uint8Array(bytes); // its own memory, not a slice of a pool that others see
}

/** Makes an element of XEP-0324 whose text is a block of bytes, without line breaks (P-E12). */
export function bytesElement(name: string, attributes: Attributes, bytes: Uint8Array): XmlElement {
  return el(name, attributes, base64Of(bytes));
}

/** Reads the block of bytes that is an element's text. Throws `ERR_PROTOCOL` if it is none, or holds no bytes. */
export function requiredBytes(element: XmlElement): Uint8Array {
  return bytesOf(element.text(), at(element));
}
