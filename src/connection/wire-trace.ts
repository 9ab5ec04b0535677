// The wire trace: what goes over the wire, for the eyes of a developer, without its secrets. @xmpp/debug prints it; by
// itself it would print passwords and tokens, so it is given copies by an emitter of its own (docs/tracing.md).
import { EventEmitter } from "node:events";
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { XmlElement } from "../codec/xml.ts";
import { redact, redactText } from "./redact.ts";

// What happens until @xmpp/debug is loaded, a moment later. More is not kept: something is wrong then.
const MOST_WAITING = 1_000;

/** What prints what an emitter tells. */
type Print = (emitter: EventEmitter, force: boolean) => void;

/** Shows what goes over the wire. Nothing in it ever throws, and nothing changes what it is shown. */
export class WireTrace {
  readonly #emitter = new EventEmitter();
  readonly #secrets = new Set<string>();
  #state: "loading" | "ready" | "failed" = "loading";
  #waiting: (() => void)[] = [];

  /** Begins to load @xmpp/debug; what happens meanwhile is shown then. */
  constructor(logger: Logger, load: () => Promise<{ readonly default: Print }> = () => import("@xmpp/debug")) {
    void this.#load(logger, load);
  }

  /** Names a secret that must not be shown wherever it stands. */
  hide(secret: string): void {
    if (secret !== "") this.#secrets.add(secret);
  }

  /** An element came. */
  received(element: XmlElement): void {
    this.#show("element", () => redact(element, this.#secrets));
  }

  /** An element was written. */
  sent(element: XmlElement): void {
    this.#show("send", () => redact(element, this.#secrets));
  }

  /** How things stand: a word, and what there is to say about it. */
  status(status: string, about = ""): void {
    this.#show("status", () => redactText(status, this.#secrets), redactText(about, this.#secrets));
  }

  /** Something went wrong: its code, and what it was. */
  error(code: string, message: string): void {
    this.#show("error", () => redactText(`${code}: ${message}`, this.#secrets));
  }

  /** @param make makes what is shown, now: the element may be another one later */
  #show(event: string, make: () => unknown, ...about: readonly unknown[]): void {
    if (this.#state === "failed") return;
    const what = make();
    const show = (): void => void this.#emitter.emit(event, what, ...about);
    if (this.#state === "ready") this.#try(show);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(show);
  }

  async #load(logger: Logger, load: () => Promise<{ readonly default: Print }>): Promise<void> {
    try {
      (await load()).default(this.#emitter, true);
      this.#state = "ready";
    } catch (error) {
      this.#state = "failed";
      logger.warn("there is no wire trace: @xmpp/debug could not be loaded", { why: messageOf(error) });
    }
    for (const show of this.#waiting.splice(0)) this.#try(show);
  }

  #try(show: () => void): void {
    try {
      show();
    } catch {
      // Whoever prints has failed: a closed stdout, or an element that its formatter cannot take.
    }
  }
}

/**
 * The trace, if it is wanted.
 *
 * @param debug the option; when it is left out the environment decides: `THING_DEBUG=1`
 */
export function traceIfWanted(debug: boolean | undefined, logger: Logger): WireTrace | undefined {
  return (debug ?? process.env["THING_DEBUG"] === "1") ? new WireTrace(logger) : undefined;
}
