// What comes of a readout, for whoever reads: one value after another as they come, or all of it once it is done.
import { ProtocolError, StateError } from "../core/errors.ts";
import type { FieldGroup } from "../codec/sensor-data.ts";
import { readingOf, type FieldReading } from "./field-reading.ts";
import { ReadoutError, type NodeFailure } from "./readout-error.ts";

/**
 * A readout under way. `await` it for all that was read, by node and moment, or go through it with `for await` to have
 * each value as it comes: one of the two, once. Leaving the loop cancels the readout at the Thing (XEP-0323 3.7). It is no
 * list itself: `read(…)[0]` is undefined, `(await read(…))[0]` the first group.
 *
 * @example
 * ```ts
 * for await (const { name, value, timestamp } of owner.read("meter@example.org", { types: ["historicalHour"] })) {
 *   console.log(timestamp, name, value);
 * }
 * ```
 */
export interface Readout extends Promise<readonly FieldGroup[]>, AsyncIterable<FieldReading> {}

// What may wait for somebody to take it, in fields, groups and errors, and in characters: a Thing gone wrong must not
// fill the reader's memory, nor one that is faster than who takes what it sends.
const MOST_PARTS = 100_000;
const MOST_CHARACTERS = 16_777_216;

/** How a readout ended. */
export type ReadoutEnd = { readonly by: "thing" } | { readonly by: "reader" } | { readonly error: unknown };

/** A readout that is filled as messages come. */
export class RemoteReadout implements Readout {
  readonly [Symbol.toStringTag] = "Readout";
  #groups: FieldGroup[] = [];
  readonly #failures: NodeFailure[] = [];
  #failed = false;
  // What is held, and all that came.
  #parts = 0;
  #came = 0;
  #characters = 0;
  #end: ReadoutEnd | undefined;
  #isStreamed = false;
  #all: Promise<readonly FieldGroup[]> | undefined;
  #onEnd: (end: ReadoutEnd) => void = () => undefined;
  #wake: () => void = () => undefined;
  #isCut = false;

  /** Puts an error into other words, for whoever reads. */
  inWords: (error: unknown) => unknown = (error) => error;

  /** Whether nothing is added any more. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** Calls back when it is over, at once if it is. */
  whenOver(callback: (end: ReadoutEnd) => void): void {
    if (this.#end === undefined) this.#onEnd = callback;
    else callback(this.#end);
  }

  /**
   * Adds what was read.
   *
   * @param groups what was wanted of it
   * @param came how many parts it were with all that was not
   */
  add(groups: readonly FieldGroup[], came: number): void {
    if (this.#end !== undefined) return;
    for (const group of groups) {
      this.#groups.push(group);
      this.#count(group, 1);
    }
    this.#came += came;
    this.#check();
    this.#wake();
  }

  /** Adds what could not be read: nothing, when the Thing gives no reason. */
  addFailures(failures: readonly NodeFailure[]): void {
    if (this.#end !== undefined) return;
    this.#failed = true; // also without a reason
    this.#came += failures.length;
    for (const failure of failures) {
      this.#failures.push(failure);
      this.#parts++;
      this.#characters += charactersOf({ ...failure, fields: [] }) + failure.text.length;
    }
    this.#check();
  }

  /** The Thing said that it was all. */
  finish(): void {
    this.#over({ by: "thing" });
  }

  /** It comes to nothing more; what came is given before. */
  fail(error: unknown): void {
    this.#over({ error: this.inWords(error) });
  }

  /** Nobody wants any more of it, also of what came. */
  abort(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#isCut = true;
    this.#over({ error: reason });
  }

  then<A = readonly FieldGroup[], B = never>(
    onResolved?: ((groups: readonly FieldGroup[]) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#collected().then(onResolved, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<readonly FieldGroup[] | B> {
    return this.#collected().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<readonly FieldGroup[]> {
    return this.#collected().finally(onFinally);
  }

  [Symbol.asyncIterator](): AsyncGenerator<FieldReading, void> {
    if (this.#isStreamed || this.#all !== undefined) {
      throw new StateError("what was read is taken already: await a readout, or go through it, once");
    }
    this.#isStreamed = true;
    const stream = this.#stream();
    // Whoever leaves before the first value, or while one is waited for, leaves too: a generator alone would not hear of it.
    const [leave, fail] = [stream.return.bind(stream), stream.throw.bind(stream)];
    stream.return = (value) => {
      this.#over({ by: "reader" });
      return leave(value);
    };
    stream.throw = (error) => {
      this.#over({ by: "reader" });
      return fail(error);
    };
    return stream;
  }

  async *#stream(): AsyncGenerator<FieldReading, void> {
    try {
      for (;;) {
        const groups = this.#groups;
        this.#groups = [];
        for (const group of groups) {
          for (const field of group.fields) {
            if (!this.#isCut) yield readingOf(group, field);
          }
          this.#count(group, -1);
        }
        if (this.#groups.length > 0 && !this.#isCut) continue;
        if (this.#end !== undefined) {
          this.#throwIfFailed(this.#end, []);
          return;
        }
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#over({ by: "reader" });
    }
  }

  async #collected(): Promise<readonly FieldGroup[]> {
    this.#all ??= this.#isStreamed
      ? Promise.reject(new StateError("somebody goes through the readout: it cannot be awaited too"))
      : this.#collect();
    return this.#all;
  }

  async #collect(): Promise<readonly FieldGroup[]> {
    while (this.#end === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#throwIfFailed(this.#end, this.#groups);
    return this.#groups;
  }

  #throwIfFailed(end: ReadoutEnd, groups: readonly FieldGroup[]): void {
    if ("error" in end) throw end.error;
    if (this.#failed) throw this.inWords(new ReadoutError(this.#failures, groups));
  }

  #over(end: ReadoutEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#onEnd(end);
    this.#wake();
  }

  #count(group: FieldGroup, times: 1 | -1): void {
    this.#parts += times * (1 + group.fields.length);
    this.#characters += times * charactersOf(group);
  }

  #check(): void {
    const parts = this.#isStreamed ? this.#parts : this.#came;
    if (parts <= MOST_PARTS && this.#characters <= MOST_CHARACTERS) return;
    this.fail(new ProtocolError("the Thing sends more than can be taken", "fields"));
  }
}

/** All texts of a group, whichever of them a Thing gone wrong makes long. */
function charactersOf({ node, timestamp, fields }: FieldGroup): number {
  const { nodeId, sourceId = "", cacheType = "" } = node;
  let count = nodeId.length + sourceId.length + cacheType.length + timestamp.length;
  for (const field of fields) {
    count += field.name.length;
    if (field.module !== undefined) count += field.module.length;
    if (field.stringIds !== undefined) count += field.stringIds.length;
    if (field.kind === "numeric") count += field.text.length + field.unit.length;
    else if (typeof field.value === "string") count += field.value.length;
    if (field.kind === "enum") count += field.dataType.length;
  }
  return count;
}
