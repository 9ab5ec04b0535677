// What stands at the top level of a stream, and words for what should not.
import { ProtocolError } from "../core/errors.ts";
import { ns } from "../codec/namespaces.ts";
import type { XmlElement } from "../codec/xml.ts";

/** The names of the elements that are counted (XEP-0198). */
export const stanzaNames: ReadonlySet<string> = new Set(["iq", "message", "presence"]);

/** Whether an element is a stanza of a client's stream. */
export function isStanza(element: XmlElement): boolean {
  // The name as it stands: a prefix stands for another namespace.
  return stanzaNames.has(element.name) && element.getNS() === ns.client;
}

/** The server said something else than what it has to. */
export function unexpected(element: XmlElement): ProtocolError {
  return new ProtocolError("not what is due at this point of the negotiation", element.name);
}

/** What a socket's error says. With several addresses Node throws one that has a code, but no message. */
export function describe(error: Error | undefined): string {
  if (error === undefined) return "closed by the other side";
  const code = (error as { code?: unknown }).code;
  return error.message !== "" || typeof code !== "string" ? error.message : code;
}
