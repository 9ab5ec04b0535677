// RFC 6120 section 11: cuts what comes over the wire into whole elements of the stream's top level, before any parser
// sees it. What goes on is bounded in size, depth and number of attributes, and holds none of what a stream may not hold.
import { ProtocolError } from "../core/errors.ts";
import { isXmlText } from "../codec/xml.ts";
import { plainTag, type Tag } from "./plain-tag.ts";

/** How much of one stanza is taken. */
export interface XmlLimits {
  /** UTF-8 bytes of one stanza. */
  readonly maxBytes: number;
  /** Elements inside each other, the stanza included. */
  readonly maxDepth: number;
  /** Attributes of one element. */
  readonly maxAttributes: number;
  /** Elements of one stanza, itself included. */
  readonly maxElements: number;
  /** Characters of the name of an element or attribute. Names come up in errors and logs. */
  readonly maxName: number;
}

const name = `[^\\s"'<>/=]+`;
const attribute = `\\s+${name}\\s*=\\s*(?:"[^"<]*"|'[^'<]*')`;
const tagForm = new RegExp(`^<(?:/(${name})\\s*|(${name})((?:${attribute})*)\\s*/?)>$`);
const attributeNames = new RegExp(`\\s+(${name})\\s*=\\s*(?:"[^"]*"|'[^']*')`, "gy");
// RFC 6120 section 11.5
const declaration = /^<\?xml\s[^?]*\?>$/;
// What ends a run of characters inside a tag.
const tagStop = /["'<>]/g;
const CDATA = "<![CDATA[";
const blank = /^\s*$/;
const stanzas: ReadonlySet<string> = new Set(["iq", "message", "presence"]);
const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/**
 * Takes the stream piece by piece and gives back whole pieces: the opening tag of the stream, each element of the top
 * level, the closing tag. An element beyond the limits is passed over, and the stream goes on: a stranger can have a
 * lawful server deliver one. Whatever no lawful server delivers (comments, processing instructions, a DOCTYPE, text
 * between stanzas, broken tags) throws `ERR_PROTOCOL`: the stream is then beyond repair.
 */
export class XmlFramer {
  readonly #limits: XmlLimits;
  readonly #onOversize: (why: string, name: string) => void;
  #place: "text" | "tag" | "quote" | "cdata" = "text";
  #quote = "";
  // The tag in hand.
  #tag = "";
  #attributes = 0;
  // The end of a piece that may be the beginning of the mark that ends a CDATA section.
  #tail = "";
  // Elements that are open. 0: before the stream; 1: between stanzas. Their names, as far as they are looked at.
  #depth = 0;
  readonly #open: string[] = [];
  // The element in hand.
  #parts: string[] = [];
  #bytes = 0;
  #elements = 0;
  #passingOver = false;
  #ended = false;

  /** @param onOversize told when an element is passed over: why, and its name */
  constructor(limits: XmlLimits, onOversize: (why: string, name: string) => void) {
    this.#limits = limits;
    this.#onOversize = onOversize;
  }

  /** Takes the next piece; gives what is whole now. After the end of the stream nothing comes any more. */
  *push(piece: string): Generator<string, void, void> {
    // XML 1.0 section 2.2. The parser does not look.
    if (!isXmlText(piece)) throw broken("characters that XML forbids");
    const text = this.#tail + piece;
    this.#tail = "";
    for (let at = 0; at < text.length && !this.#ended;) {
      const stop = this.#stop(text, at);
      const run = text.slice(at, stop < 0 ? text.length : stop);
      this.#take(run);
      if (stop < 0) return;
      const tag = this.#place === "text" ? this.#wholeTag(text, stop) : undefined;
      if (tag !== undefined) {
        at = stop + tag.text.length;
        this.#tag = tag.text;
        const frame = this.#endTag(tag.text, tag) ? this.#frame() : "";
        if (frame !== "") yield frame;
        continue;
      }
      at = stop + (this.#place === "cdata" ? 3 : 1);
      if (this.#turn(text.charAt(stop))) {
        const frame = this.#frame();
        if (frame !== "") yield frame;
      }
    }
  }

  /** A tag that is there as a whole, as nearly all are; any that is odd is looked at character by character. */
  #wholeTag(text: string, from: number): Tag | undefined {
    const first = text.charAt(from + 1);
    if (this.#passingOver || first === "!" || first === "?") return undefined;
    const tag = plainTag(text, from);
    return tag !== undefined && tag.names.length <= this.#limits.maxAttributes ? tag : undefined;
  }

  /** Where the present run ends. */
  #stop(text: string, from: number): number {
    if (this.#place === "text") return text.indexOf("<", from);
    if (this.#place === "quote") return text.indexOf(this.#quote, from);
    if (this.#place === "cdata") return text.indexOf("]]>", from);
    // What begins with `<!` is no tag: character by character, until it is known what it is.
    if (this.#tag.startsWith("<!") || (this.#tag === "<" && text[from] === "!")) return from;
    tagStop.lastIndex = from;
    return tagStop.exec(text)?.index ?? -1;
  }

  /** Keeps a run. */
  #take(run: string): void {
    if (this.#place === "text") this.#takeText(run);
    else if (this.#place === "cdata") this.#takeCdata(run);
    else this.#tag = this.#bounded(this.#tag + run);
  }

  #takeText(run: string): void {
    if (this.#depth >= 2) this.#keep(run);
    // Whitespace between stanzas only says that the peer lives (RFC 6120 section 4.6.1). The parser would collect it.
    else if (!blank.test(run)) throw broken("text between stanzas");
  }

  /** The parser's own way with CDATA is not used: it becomes plain text here. */
  #takeCdata(run: string): void {
    this.#tail = /\]{0,2}$/.exec(run)?.[0] ?? "";
    const text = this.#tail === "" ? run : run.slice(0, -this.#tail.length);
    this.#keep(text.replace(/[&<>]/g, (character) => escapes[character] as string));
  }

  /** Takes the character that ends a run. True when a frame is whole. */
  #turn(character: string): boolean {
    if (this.#place === "text") {
      this.#place = "tag";
      this.#tag = "<";
      this.#attributes = 0;
      return false;
    }
    if (this.#place === "cdata") {
      this.#keep(this.#tail); // brackets that belong to the text
      this.#tail = "";
      this.#place = "text";
      return false;
    }
    this.#tag += character;
    if (this.#place === "quote") {
      this.#place = "tag";
      return false;
    }
    return this.#inTag(character);
  }

  #inTag(character: string): boolean {
    if (this.#tag.startsWith("<!")) {
      // RFC 6120 section 11.1: no comment, no DOCTYPE.
      if (!CDATA.startsWith(this.#tag) || this.#depth < 2) throw broken("a comment or a document type");
      if (this.#tag === CDATA) this.#place = "cdata";
      return false;
    }
    if (character === "<") throw broken("a tag inside a tag");
    if (character === ">") return this.#endTag(this.#tag);
    this.#place = "quote";
    this.#quote = character;
    // Counted as they come: a tag of very many must not be looked at again with each of them.
    if (++this.#attributes > this.#limits.maxAttributes) this.#passOver("has too many attributes");
    return false;
  }

  #endTag(tag: string, whole?: Tag): boolean {
    this.#place = "text";
    if (tag.startsWith("<?")) {
      // The declaration in front of the stream is for nobody; any other instruction is forbidden.
      if (this.#depth === 0 && declaration.test(tag)) return false;
      throw broken("a processing instruction");
    }
    const before = this.#depth;
    if (tag.startsWith("</")) this.#depth--;
    else if (!tag.endsWith("/>")) this.#depth++;
    if (this.#depth < 0) throw broken("an end without a beginning");
    if (!this.#passingOver) this.#checkTag(whole ?? tagIn(tagForm.exec(tag)));
    this.#open.length = Math.min(this.#open.length, this.#depth);
    if (!tag.startsWith("</") && before > this.#limits.maxDepth) this.#passOver("nests too deeply");
    this.#keep(tag);
    this.#ended = this.#depth === 0;
    return before === 0 || this.#depth <= 1;
  }

  /** The parser would notice a wrong end only when it comes to it, and all that follows would wait for that. */
  #checkTag(tag: Tag | undefined): void {
    if (tag === undefined) throw broken("a broken tag");
    const { text, end, start, names } = tag;
    if (start === undefined) {
      if (this.#open[this.#depth] !== end) throw broken("an end without a beginning");
      return;
    }
    this.#open[this.#depth - (text.endsWith("/>") ? 0 : 1)] = start;
    if (++this.#elements > this.#limits.maxElements) this.#passOver("has too many elements");
    // XML 1.0 section 3.1. The parser would take the last one, where another reader takes the first.
    if (hasTwice(names)) throw broken("an attribute twice");
    if (text.length > this.#limits.maxName && [start, ...names].some(({ length }) => length > this.#limits.maxName)) {
      // Strangers send stanzas; whatever else stands here is the server's own.
      if (!stanzas.has(this.#open[1] ?? "")) throw broken("too long a name");
      this.#passOver("has too long a name");
    }
  }

  #keep(part: string): void {
    if (this.#passingOver || part === "") return;
    this.#bytes += Buffer.byteLength(part);
    if (this.#bytes > this.#limits.maxBytes) this.#passOver(`is larger than ${this.#limits.maxBytes} bytes`);
    else this.#parts.push(part);
  }

  /** Keeps of a tag that has become too long no more than its two ends: enough to find out of it. */
  #bounded(tag: string): string {
    if (this.#bytes + tag.length > this.#limits.maxBytes) {
      this.#passOver(`is larger than ${this.#limits.maxBytes} bytes`, tag);
    }
    return this.#passingOver && tag.length > 16 ? tag.slice(0, 12) + tag.slice(-2) : tag;
  }

  #passOver(why: string, tag = this.#tag): void {
    if (this.#depth === 0) throw broken("an opening tag beyond all bounds");
    // The name of the element in hand: its tag is behind, or still in the making.
    const name = this.#open[1] ?? /^<([^\s/>]*)/.exec(tag)?.[1] ?? "";
    if (!this.#passingOver) this.#onOversize(why, name);
    this.#passingOver = true;
    this.#parts = [];
  }

  #frame(): string {
    const frame = this.#parts.join("");
    this.#parts = [];
    this.#bytes = 0;
    this.#elements = 0;
    this.#passingOver = false;
    return frame;
  }
}

function tagIn(form: RegExpExecArray | null): Tag | undefined {
  if (form === null) return undefined;
  const [text, end, start, attributes = ""] = form as readonly [string, string?, string?, string?];
  const names: string[] = [];
  attributeNames.lastIndex = 0;
  for (let one = attributeNames.exec(attributes); one !== null; one = attributeNames.exec(attributes)) {
    names.push(one[1] as string);
  }
  return { text, start, end, names };
}

function hasTwice(names: readonly string[]): boolean {
  if (names.length > 8) return new Set(names).size < names.length;
  for (let one = 1; one < names.length; one++) if (names.lastIndexOf(names[one] as string, one - 1) >= 0) return true;
  return false;
}

function broken(what: string): ProtocolError {
  return new ProtocolError(`the server sent ${what}`, "stream");
}
