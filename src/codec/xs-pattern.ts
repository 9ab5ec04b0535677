// XML Schema part 2, appendix F: regular expressions. Matched by all ways at once instead of one after another, so that no
// text that a stranger makes up takes longer than another of its length. Left aside: the blocks of Unicode, \p{Is…}.

/** Tells of one character whether it is meant. */
type Test = (character: string) => boolean;

type Node =
  | { readonly kind: "one"; readonly test: Test }
  | { readonly kind: "all" | "any"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly part: Node; readonly least: number; readonly most: number };

/** Goes on in one or two ways without reading anything. */
interface Fork {
  readonly test?: undefined;
  readonly next: number;
  other: number;
}

/** Reads one character, or forks. The first one is the end. */
type State = { readonly test: Test; readonly next: number } | Fork;

// A pattern stands in a program: one that is longer, or repeats more, is a mistake or should be a function.
const LONGEST = 1_000;
const MOST_STATES = 2_000;

/** A pattern that a whole text must match. */
export class XsPattern {
  readonly #states: readonly State[];
  readonly #start: number;

  /** Throws `SyntaxError` for what is no pattern of XML Schema, and for one that is too long. */
  constructor(pattern: string) {
    if (pattern.length > LONGEST) throw new SyntaxError(`longer than ${LONGEST} characters`);
    const machine = new Machine();
    this.#start = machine.add(new PatternReader(pattern).read(), END);
    this.#states = machine.states;
  }

  /** How long it takes for each character of a text, in steps. */
  get size(): number {
    return this.#states.length;
  }

  /** Tells whether the whole text is one that it means. */
  matches(text: string): boolean {
    const marks = new Uint32Array(this.#states.length);
    let now = this.#reached([this.#start], marks, 1);
    let turn = 1;
    for (const character of text) {
      turn++;
      const next = now.flatMap((at) => {
        const state = this.#states[at];
        return state?.test?.(character) === true ? [state.next] : [];
      });
      if (next.length === 0) return false;
      now = this.#reached(next, marks, turn);
    }
    return now.includes(END);
  }

  /** The states that read a character, and the end, that can be come to from some without reading one; each once. */
  #reached(from: readonly number[], marks: Uint32Array, turn: number): readonly number[] {
    const found: number[] = [];
    const open = [...from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const state = this.#states[at];
      if (state === undefined || marks[at] === turn) continue;
      marks[at] = turn;
      if (at === END || state.test !== undefined) found.push(at);
      else open.push(state.next, state.other);
    }
    return found;
  }
}

const END = 0;

/** Makes the states, each part with what comes after it. */
class Machine {
  readonly states: State[] = [{ next: END, other: END }];
  #steps = 0;

  add(node: Node, next: number): number {
    if (++this.#steps > MOST_STATES) throw new SyntaxError("it repeats too much");
    switch (node.kind) {
      case "one":
        return this.#state({ test: node.test, next });
      case "all":
        return node.parts.reduceRight((after, part) => this.add(part, after), next);
      case "any":
        return node.parts.map((part) => this.add(part, next)).reduceRight((other, way) => this.#either(way, other));
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ part, least, most }: Extract<Node, { kind: "repeat" }>, next: number): number {
    let start = next;
    if (most === Infinity) {
      const loop: Fork = { next, other: next };
      start = this.#state(loop);
      loop.other = this.add(part, start);
    } else {
      for (let count = least; count < most; count++) start = this.#either(this.add(part, start), next);
    }
    for (let count = 0; count < least; count++) start = this.add(part, start);
    return start;
  }

  #either(way: number, other: number): number {
    return this.#state({ next: way, other });
  }

  #state(state: State): number {
    return this.states.push(state) - 1;
  }
}

const letters = /^\p{L}$/u;
const marksOfNames = /^[\p{L}\p{Nd}\p{M}.\-_:·]$/u;
const digits = /^\p{Nd}$/u;
const others = /^[\p{P}\p{Z}\p{C}]$/u;
const categories = /^(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|Z[slp]?|S[mcko]?|C[cfon]?)$/;

const isOneOf =
  (characters: string): Test =>
  (character) =>
    characters.includes(character);
const not =
  (test: Test): Test =>
  (character) =>
    !test(character);

/** F.1.1: what a letter behind a backslash means, in small letters; in capitals it is all else. */
const classes: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["s", isOneOf(" \t\n\r")],
  ["i", (character) => letters.test(character) || character === "_" || character === ":"],
  ["c", (character) => marksOfNames.test(character)],
  ["d", (character) => digits.test(character)],
  ["w", (character) => !others.test(character)],
]);
const controls: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);
const META = ".\\?*+{}()[]|";

/** Reads a pattern from its beginning to its end. */
class PatternReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  read(): Node {
    const node = this.#branches();
    if (this.#at < this.#characters.length) throw this.#wrong();
    return node;
  }

  #wrong(why = `unexpected "${this.#next ?? "end"}"`): SyntaxError {
    return new SyntaxError(`${why} at character ${this.#at + 1}`);
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(expected?: string): string {
    const character = this.#next;
    if (character === undefined || (expected !== undefined && character !== expected)) throw this.#wrong();
    this.#at++;
    return character;
  }

  #skip(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at++;
    return true;
  }

  #branches(): Node {
    const parts = [this.#branch()];
    while (this.#skip("|")) parts.push(this.#branch());
    return { kind: "any", parts };
  }

  #branch(): Node {
    const parts: Node[] = [];
    while (this.#next !== undefined && this.#next !== "|" && this.#next !== ")") parts.push(this.#piece());
    return { kind: "all", parts };
  }

  #piece(): Node {
    const part = this.#atom();
    if (this.#skip("?")) return { kind: "repeat", part, least: 0, most: 1 };
    if (this.#skip("*")) return { kind: "repeat", part, least: 0, most: Infinity };
    if (this.#skip("+")) return { kind: "repeat", part, least: 1, most: Infinity };
    if (!this.#skip("{")) return part;
    const least = this.#number();
    const most = !this.#skip(",") ? least : this.#next === "}" ? Infinity : this.#number();
    this.#take("}");
    if (most < least) throw this.#wrong("more at least than at most");
    return { kind: "repeat", part, least, most };
  }

  #number(): number {
    let text = "";
    while (/^[0-9]$/.test(this.#next ?? "")) text += this.#take();
    if (text === "") throw this.#wrong();
    return Number(text);
  }

  #atom(): Node {
    const character = this.#take();
    if (character === "(") {
      const inside = this.#branches();
      this.#take(")");
      return inside;
    }
    if (character === "[") return { kind: "one", test: this.#characterClass() };
    if (character === ".") return { kind: "one", test: not(isOneOf("\n\r")) };
    if (character === "\\") return { kind: "one", test: testOf(this.#escape()) };
    this.#at--;
    // They mean themselves to XML Schema, and something else to those who write such patterns.
    if (character === "^" || character === "$") throw this.#wrong(`"${character}" is not needed, or wants a backslash`);
    if (META.includes(character)) throw this.#wrong();
    this.#at++;
    return { kind: "one", test: testOf(character) };
  }

  /** What stands behind a backslash: a character, or a test for many. */
  #escape(): string | Test {
    const character = this.#take();
    const control = controls.get(character);
    if (control !== undefined) return control;
    if (`${META}-^$`.includes(character)) return character;
    if (character === "p" || character === "P") return this.#category(character === "P");
    const test = classes.get(character.toLowerCase());
    if (test === undefined) throw new SyntaxError(`"\\${character}" is not known at character ${this.#at}`);
    return classes.has(character) ? test : not(test);
  }

  #category(isInverted: boolean): Test {
    this.#take("{");
    let name = "";
    while (this.#next !== "}") name += this.#take();
    this.#take("}");
    if (!categories.test(name)) throw this.#wrong(`there is no category "${name}"`);
    const expression = new RegExp(`^\\p{${name}}$`, "u");
    return (character) => expression.test(character) !== isInverted;
  }

  /** What stands between brackets, behind the first of them. */
  #characterClass(): Test {
    const isInverted = this.#skip("^");
    const tests: Test[] = [];
    let without: Test | undefined;
    do {
      if (this.#next === "-" && this.#characters[this.#at + 1] === "[") {
        if (tests.length === 0) throw this.#wrong();
        this.#at += 2;
        without = this.#characterClass();
        break;
      }
      tests.push(this.#range());
    } while (this.#next !== "]");
    this.#take("]");
    return (character) =>
      tests.some((test) => test(character)) !== isInverted && !(without !== undefined && without(character));
  }

  /** A character, a range of them, or a test. */
  #range(): Test {
    const first = this.#member();
    const isRange = this.#next === "-" && !["]", "["].includes(this.#characters[this.#at + 1] ?? "]");
    if (typeof first !== "string" || !isRange) return testOf(first);
    this.#at++;
    const last = this.#member();
    if (typeof last !== "string") throw this.#wrong("no range");
    const [from, to] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0];
    if (from > to) throw this.#wrong("a range that goes backwards");
    return (character) => {
      const point = character.codePointAt(0) ?? 0;
      return from <= point && point <= to;
    };
  }

  #member(): string | Test {
    const character = this.#take();
    if (character === "\\") return this.#escape();
    if (character !== "[" && character !== "]") return character;
    this.#at--;
    throw this.#wrong();
  }
}

const testOf = (meant: string | Test): Test => (typeof meant === "string" ? (character) => character === meant : meant);
