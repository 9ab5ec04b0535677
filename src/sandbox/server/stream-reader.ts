// RFC 6120 sections 4 and 11: from the bytes of one XML stream to its header and the elements in it.
import { Parser } from "@xmpp/xml";
import { el, type Attributes, type XmlElement } from "../../codec/xml.ts";
import { MOST_DEPTH, MOST_STANZA_BYTES } from "./limits.ts";
import { StreamFault } from "./stream-fault.ts";
import { checkCdata, checkText, readEndTag, readStartTag, tagEnd } from "./xml-syntax.ts";

/** Who gets what a stream holds. */
export interface StreamEvents {
  /** The opening tag of the stream. */
  header(root: XmlElement): void;
  /** An element at the top of the stream. */
  element(element: XmlElement): void;
  /** The closing tag of the stream. */
  footer(): void;
}

interface Open {
  readonly name: string;
  readonly declares: readonly string[];
}

const CDATA = "<![CDATA[";

/** Reads one stream; after a restart comes another reader. */
export class StreamReader {
  readonly #events: StreamEvents;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #parser = new Parser();
  readonly #open: Open[] = [];
  #begun = false;
  #stopped = false;
  #buffer = "";
  /** Where the next token begins. */
  #at = 0;
  /** Bytes of the element at the top of the stream that is being read. */
  #size = 0;

  constructor(events: StreamEvents) {
    this.#events = events;
    let inherited: Attributes = {};
    this.#parser.on("start", (root: XmlElement) => {
      inherited = declarations(root);
      events.header(root);
    });
    this.#parser.on("element", (element: XmlElement) => events.element(withDeclarations(element, inherited)));
  }

  /** Reads what has come. Throws {@link StreamFault} for what may not come. */
  write(bytes: Uint8Array): void {
    if (this.#stopped) return;
    try {
      this.#buffer += this.#decoder.decode(bytes, { stream: true });
    } catch {
      throw new StreamFault("not-well-formed", "The bytes are not UTF-8.");
    }
    while (!this.#isStopped() && this.#at < this.#buffer.length) if (!this.#token(this.#at)) break;
    this.#buffer = this.#buffer.slice(this.#at);
    this.#at = 0;
    if (!this.#isStopped() && this.#size + Buffer.byteLength(this.#buffer) > MOST_STANZA_BYTES) throw tooLarge();
  }

  /** Reads no further. Returns what had come already. */
  stop(): Uint8Array {
    this.#stopped = true;
    return new TextEncoder().encode(this.#buffer.slice(this.#at));
  }

  /** Asked anew after each token: whoever receives an element may stop the reading. */
  #isStopped(): boolean {
    return this.#stopped;
  }

  /** Reads one token; false if there is more to come. It is behind us before anybody is told of it. */
  #token(start: number): boolean {
    const text = this.#buffer;
    if (text[start] !== "<") return this.#text(start);
    const second = text[start + 1];
    if (second === undefined) return false;
    if (second === "!") return this.#cdata(start);
    if (second === "?") return this.#declaration(start);
    const end = tagEnd(text, start);
    if (end < 0) return false;
    this.#at = end;
    this.#tag(text.slice(start, end), second === "/");
    return true;
  }

  #text(start: number): boolean {
    const found = this.#buffer.indexOf("<", start);
    if (found < 0 && this.#open.length > 1) return false;
    const text = this.#buffer.slice(start, found < 0 ? undefined : found);
    this.#at = start + text.length;
    if (this.#open.length > 1) {
      checkText(text);
      this.#pass(text);
    } else if (/[^ \t\r\n]/.test(text)) {
      throw new StreamFault("bad-format", "Text between stanzas.");
    }
    return true;
  }

  #cdata(start: number): boolean {
    const opening = this.#buffer.slice(start, start + CDATA.length);
    if (opening !== CDATA && CDATA.startsWith(opening)) return false;
    // RFC 6120 section 11.1: no comments, no document types
    if (opening !== CDATA || this.#open.length < 2) throw new StreamFault("restricted-xml");
    const closing = this.#buffer.indexOf("]]>", start);
    if (closing < 0) return false;
    const text = this.#buffer.slice(start + CDATA.length, closing);
    this.#at = closing + 3;
    checkCdata(text);
    // As plain text: the parser loses what follows a CDATA section.
    this.#pass(text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`));
    return true;
  }

  /** RFC 6120 section 11.4: an XML declaration in front of the stream; elsewhere no processing instruction at all. */
  #declaration(start: number): boolean {
    const closing = this.#buffer.indexOf("?>", start);
    if (this.#begun) throw new StreamFault("restricted-xml");
    if (closing < 0) return false;
    this.#at = closing + 2;
    const declaration = this.#buffer.slice(start, this.#at);
    if (!/^<\?xml[ \t\r\n]+version=["']1\.\d["'][^<>]*\?>$/.test(declaration)) throw new StreamFault("not-well-formed");
    this.#begun = true;
    return true;
  }

  #tag(tag: string, ending: boolean): void {
    this.#begun = true;
    if (ending) return this.#endTag(tag);
    const { name, declares, uses, empty } = readStartTag(tag);
    this.#open.push({ name, declares });
    for (const prefix of uses) if (!this.#declared(prefix)) throw new StreamFault("not-well-formed", "Unbound prefix.");
    if (this.#open.length > MOST_DEPTH + 1) throw new StreamFault("policy-violation", "Too deep.");
    if (empty) this.#open.pop();
    this.#pass(tag);
    if (empty && this.#open.length === 0) this.#end();
  }

  #endTag(tag: string): void {
    const open = this.#open.pop();
    if (open === undefined || readEndTag(tag) !== open.name) throw new StreamFault("not-well-formed");
    if (this.#open.length === 0) return this.#end();
    this.#pass(tag);
  }

  #end(): void {
    this.stop();
    this.#events.footer();
  }

  #declared(prefix: string): boolean {
    return ["xml", "xmlns"].includes(prefix) || this.#open.some(({ declares }) => declares.includes(prefix));
  }

  #pass(token: string): void {
    this.#size += Buffer.byteLength(token);
    if (this.#size > MOST_STANZA_BYTES) throw tooLarge();
    // The header, or the end of an element at the top: the next begins anew.
    if (this.#open.length <= 1) this.#size = 0;
    try {
      this.#parser.write(token);
    } catch (error) {
      // A character by a number that no document may hold; what the receivers throw is theirs.
      if (error instanceof Error && error.message.startsWith("Illegal XML")) throw new StreamFault("not-well-formed");
      throw error;
    }
  }
}

function tooLarge(): StreamFault {
  return new StreamFault("policy-violation", `More than ${MOST_STANZA_BYTES} bytes.`);
}

/** The prefixes that the stream header declares for all that follows. */
function declarations(root: XmlElement): Attributes {
  const own = Object.entries(root.attrs).filter(([name]) => name.startsWith("xmlns:"));
  return Object.fromEntries(own.filter(([name]) => name !== "xmlns:stream"));
}

/** RFC 6120 section 4.8.5: a stanza that leaves its stream takes the declarations along. */
function withDeclarations(element: XmlElement, inherited: Attributes): XmlElement {
  if (Object.keys(inherited).length === 0) return element;
  const namespace = element.getNS();
  return el(element.name, { xmlns: namespace, ...inherited, ...element.attrs }, ...element.children);
}
