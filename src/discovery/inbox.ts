/** What has come in and waits to be taken: many put in, one takes out. */
export class Inbox<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #ended = false;
  #wake = (): void => undefined;

  /** Puts something in. */
  push(item: T): void {
    if (!this.#ended) this.#items.push(item);
    this.#wake();
  }

  /** Nothing more comes in; what is there can still be taken. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      const next = this.#items.shift();
      if (next !== undefined) yield next;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
