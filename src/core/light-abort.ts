// An end that is told of as an AbortSignal tells it, and costs next to nothing as long as nobody needs a true one: to make
// one takes longer than most of what is answered here.

/** What of an `AbortSignal` is listened to inside the package: any one is such, and so is a {@link LightAbort}. */
export interface AbortNotice {
  /** Whether it has ended. */
  readonly aborted: boolean;
  /** Why. */
  readonly reason: unknown;
  /** Throws why, if it has ended. */
  throwIfAborted(): void;
  /** Calls back once, when it ends. */
  addEventListener(type: "abort", listener: () => void, options: { once: true }): void;
  /** Takes that back. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Ends once, for one reason, and tells who listens. */
export class LightAbort implements AbortNotice {
  #listeners: Set<() => void> | undefined;
  #controller: AbortController | undefined;
  #end: { readonly reason: unknown } | undefined;

  get aborted(): boolean {
    return this.#end !== undefined;
  }

  get reason(): unknown {
    return this.#end?.reason;
  }

  /** A true signal, for code of others. Made when it is first looked at. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#end !== undefined) this.#controller.abort(this.#end.reason);
    }
    return this.#controller.signal;
  }

  /** How many listen: who has come to an end of their own must not go on. */
  get listeners(): number {
    return this.#listeners?.size ?? 0;
  }

  /** Ends it. The first reason stands. */
  abort(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    for (const listener of this.#listeners ?? []) {
      this.#listeners?.delete(listener);
      listener();
    }
    this.#controller?.abort(reason);
  }

  throwIfAborted(): void {
    if (this.#end !== undefined) throw this.#end.reason;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    if (this.#end === undefined) (this.#listeners ??= new Set()).add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners?.delete(listener);
  }
}
