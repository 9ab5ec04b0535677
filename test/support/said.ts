// Who listens to what is said in this process, and what a test says in its own words.
import type { XmlElement } from "../../src/codec/xml.ts";

const listeners = new Set<(stanza: XmlElement) => void>();
const testsOwn = new WeakSet<XmlElement>();

/** For wires without a stream: tells that these go out. */
export function noteSent(stanzas: readonly XmlElement[]): void {
  for (const stanza of stanzas) listeners.forEach((listen) => listen(stanza));
}

/** Is told of what goes out; ends when what it returns is called. */
export function listenTo(listen: (stanza: XmlElement) => void): () => void {
  listeners.add(listen);
  return () => void listeners.delete(listen);
}

/** Marks what a test says itself, as a liar or an attacker would: no schema binds it. */
export function inTestsWords(stanza: XmlElement): XmlElement {
  testsOwn.add(stanza);
  return stanza;
}

/** True for what was marked so. */
export const isInTestsWords = (stanza: XmlElement): boolean => testsOwn.has(stanza);
