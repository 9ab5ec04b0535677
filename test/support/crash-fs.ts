import type { ProcessProbe } from "../../src/storage/process-probe.ts";
import {
  copyImage,
  overwrite,
  RecordingFileSystem,
  type Image,
  type Node,
  type Operation,
  type Recording,
} from "./recording-fs.ts";

export { RecordingFileSystem, variant, type Recording } from "./recording-fs.ts";

/*
 * A disk that loses power. A run is recorded operation by operation; then every prefix of it is a crash, and for each
 * crash there are many disks that may be found afterwards:
 * - what was written to a file since its last sync may be there, missing, torn at any byte, or have holes (zeros, or
 *   the old bytes) where a block did not make it while a later one did;
 * - what was made, renamed or removed in a folder since its last sync may each have happened or not, whatever became of
 *   the rest.
 * A sync covers what was asked for before it was called, and counts from when it resolved.
 */

/**
 * Records what a run does to a disk. `fs.mark(label)` in the run notes what has been acknowledged.
 *
 * @param start the disk the run finds; default an empty one
 */
export async function recordRun(
  run: (fs: RecordingFileSystem) => Promise<void>,
  start?: RecordingFileSystem,
): Promise<Recording> {
  const fs = start?.copy() ?? new RecordingFileSystem();
  await run(fs);
  return fs.recording;
}

/** One disk that may be found after a crash. */
export interface CrashState {
  /** The disk. It records as well, so a crash in the recovery can be played too. */
  readonly fs: RecordingFileSystem;
  /** What had been acknowledged before the crash, in order. */
  readonly marks: readonly string[];
  /** How many operations of the run had been done. */
  readonly prefix: number;
  /** Which crash this is, and the seed: for the message of a failing test. */
  readonly description: string;
}

/** How many states, and which. */
export interface CrashOptions {
  /** Draws the states where there are too many to try all. The same seed gives the same states. */
  readonly seed: number;
  /**
   * The most states for a crash; all of them where there are no more. Default 30, with SOAK=1 in the environment 300.
   */
  readonly statesPerCrash?: number;
}

/** A number to draw from, new in each run; `CRASH_SEED` in the environment plays a failure again. */
export function crashSeed(): number {
  const given = process.env["CRASH_SEED"];
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

/** How much longer the crash tests run with SOAK=1. */
export const soakFactor = process.env["SOAK"] === "1" ? 10 : 1;

/**
 * Every disk (or, where there are too many, some drawn at random) that may be found after a crash at any moment of a
 * recorded run.
 */
export function* crashStates(recording: Recording, options: CrashOptions): Generator<CrashState, void> {
  const limit = options.statesPerCrash ?? 30 * soakFactor;
  const marks: string[] = [];
  for (let prefix = 0; prefix <= recording.operations.length; prefix++) {
    const last = recording.operations[prefix - 1];
    if (last?.kind === "mark") marks.push(last.label);
    const crash = new Crash(recording, prefix);
    const draw = drawFrom(options.seed + prefix * 7919);
    const states = crash.count <= limit ? crash.all() : crash.some(limit, draw);
    for (const image of states) {
      yield {
        fs: new RecordingFileSystem(image),
        marks: [...marks],
        prefix,
        description: `crash after operation ${prefix} of ${recording.operations.length} (${describe(last)}), seed ${options.seed}`,
      };
    }
  }
}

function describe(operation: Operation | undefined): string {
  if (operation === undefined) return "nothing done";
  if (operation.kind === "rename") return `rename ${operation.from} to ${operation.to}`;
  if ("name" in operation) return `${operation.kind} ${operation.name}`;
  return operation.kind === "mark" ? `mark ${operation.label}` : operation.kind;
}

/** A whole number below the one given. */
export type Draw = (below: number) => number;

/** A small seeded generator (mulberry32). */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type EntryOperation = Extract<Operation, { kind: "make" | "rename" | "unlink" }>;
type DataOperation = Extract<Operation, { kind: "write" | "truncate" }>;
type Change = (image: Image) => void;

/** One moment at which the power goes: what is durable, and what may or may not have happened. */
class Crash {
  readonly #durable: Image;
  /** For each pending change of a folder what may have become of it. */
  readonly #entries: Change[][] = [];
  /** For each file with pending data the simple ones of its possible contents, and a way to draw any. */
  readonly #files: { simple: Change[]; drawn: (draw: Draw) => Change }[] = [];
  readonly count: number;

  constructor({ start, operations }: Recording, prefix: number) {
    this.#durable = copyImage(start);
    const done = operations.slice(0, prefix);
    const covered = new Map<number, number>();
    for (const operation of done) {
      if ("covers" in operation) {
        covered.set(operation.node, Math.max(operation.covers, covered.get(operation.node) ?? 0));
      }
      // Nodes exist from the start; whether a name leads to them is another matter.
      if (operation.kind === "make") this.#durable.set(operation.node, cloneEmpty(operation.what));
    }
    const pending = new Map<number, DataOperation[]>();
    for (const [index, operation] of done.entries()) {
      if (operation.kind === "write" || operation.kind === "truncate") {
        if (index < (covered.get(operation.node) ?? 0)) applyData(this.#durable, operation);
        else pending.set(operation.node, [...(pending.get(operation.node) ?? []), operation]);
      } else if ("folder" in operation) {
        if (index < (covered.get(operation.folder) ?? 0)) applyEntry(this.#durable, operation);
        else this.#entries.push(entryFates(operation));
      }
    }
    for (const [node, operations] of pending) this.#files.push(fileFates(this.#durable, node, operations));
    const fates = [...this.#entries, ...this.#files.map((file) => file.simple)];
    this.count = fates.reduce((product, { length }) => product * length, 1);
  }

  *all(): Generator<Image, void> {
    const fates = [...this.#entries, ...this.#files.map((file) => file.simple)];
    for (let number = 0; number < this.count; number++) {
      let rest = number;
      yield this.#image(
        fates.map((choices) => {
          const choice = choices[rest % choices.length]!;
          rest = Math.floor(rest / choices.length);
          return choice;
        }),
      );
    }
  }

  *some(count: number, draw: Draw): Generator<Image, void> {
    // Two corners first: all of it has happened (a mere kill -9), nothing of it has.
    yield this.#image([...this.#entries.map((choices) => choices[1]!), ...this.#files.map(({ simple }) => simple[1]!)]);
    yield this.#image([]);
    for (let number = 2; number < count; number++) {
      yield this.#image([
        ...this.#entries.map((choices) => choices[draw(choices.length)]!),
        ...this.#files.map(({ simple, drawn }) => (draw(2) === 0 ? simple[draw(2)]! : drawn(draw))),
      ]);
    }
  }

  #image(changes: readonly Change[]): Image {
    const image = copyImage(this.#durable);
    for (const change of changes) change(image);
    return image;
  }
}

function cloneEmpty(node: Node): Node {
  return node.kind === "file" ? { ...node } : { ...node, entries: new Map() };
}

function entriesOf(image: Image, folder: number): Map<string, number> {
  const node = image.get(folder);
  if (node?.kind !== "folder") throw new Error("not a folder");
  return node.entries;
}

function applyEntry(image: Image, operation: EntryOperation): void {
  const entries = entriesOf(image, operation.folder);
  if (operation.kind === "unlink") entries.delete(operation.name);
  else if (operation.kind === "make") entries.set(operation.name, operation.node);
  else {
    if (entries.get(operation.from) === operation.node) entries.delete(operation.from);
    entries.set(operation.to, operation.node);
  }
}

/** Not done, done; a rename may also have left the old name behind. */
function entryFates(operation: EntryOperation): Change[] {
  const fates: Change[] = [() => undefined, (image) => applyEntry(image, operation)];
  if (operation.kind === "rename") {
    fates.push((image) => entriesOf(image, operation.folder).set(operation.to, operation.node));
  }
  return fates;
}

function applyData(image: Image, operation: DataOperation): void {
  const file = image.get(operation.node);
  if (file?.kind !== "file") throw new Error("not a file");
  file.content = changed(file.content, operation);
}

function changed(content: Uint8Array, operation: DataOperation): Uint8Array {
  return operation.kind === "truncate" ? new Uint8Array(0) : overwrite(content, operation.offset, operation.bytes);
}

/** Not written, written, torn at each byte, one block missing; drawn: torn and with any blocks missing. */
function fileFates(image: Image, node: number, operations: readonly DataOperation[]) {
  const file = image.get(node);
  if (file?.kind !== "file") throw new Error("not a file");
  const before = file.content;
  const set =
    (content: () => Uint8Array): Change =>
    (target) =>
      target.set(node, { ...file, content: content() });
  const sizes = operations.map((operation) => (operation.kind === "truncate" ? 1 : operation.bytes.length));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const upTo = (amount: number): Uint8Array => {
    let content = before;
    let left = amount;
    for (const [index, operation] of operations.entries()) {
      if (left <= 0) break;
      const part = operation.kind === "truncate" ? operation : { ...operation, bytes: operation.bytes.slice(0, left) };
      content = changed(content, part);
      left -= sizes[index] ?? 0;
    }
    return content;
  };
  // A block that did not make it: zeros, or what was there before.
  const missing = (content: Uint8Array, from: number, to: number): Uint8Array => {
    const result = content.slice();
    for (let at = from; at < Math.min(to, result.length); at++) result[at] = before[at] ?? 0;
    return result;
  };
  const after = upTo(total);
  const offsets = operations.map((operation) => (operation.kind === "truncate" ? 0 : operation.offset));
  const simple = [set(() => before), set(() => after)];
  for (let amount = 1; amount < total; amount++) simple.push(set(() => upTo(amount)));
  for (let at = Math.min(...offsets); at < after.length; at += 16) simple.push(set(() => missing(after, at, at + 16)));
  const drawn = (draw: Draw): Change => {
    let content = upTo(draw(3) === 0 ? total : draw(total + 1));
    const block = [1, 4, 16, 64, 512][draw(5)] ?? 1;
    // No holes in a third of the cases: a plain tear must not drown among them.
    const holes = draw(3);
    for (let hole = 0; hole < holes; hole++) {
      const at = draw(Math.ceil(content.length / block) + 1) * block;
      content = missing(content, at, at + block);
    }
    return set(() => content);
  };
  return { simple, drawn };
}

/**
 * The processes of a machine on which only the one asking runs: whoever held a lock is gone.
 *
 * @param boot another name for each power cut
 */
export function processesOf(boot: string, pid = 100): ProcessProbe {
  return {
    pid,
    uid: 0,
    boot: () => Promise.resolve(boot),
    look: (asked) => Promise.resolve(asked === pid ? { running: true, started: "1" } : { running: false }),
  };
}
