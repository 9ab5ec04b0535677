// The one hand of a device: what is set is set one after another, and not after its time.
import { onAbort, withLimit } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { LightAbort } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { shortened } from "../core/shortened.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { isXmlText } from "../codec/xml.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { Setting } from "./setting.ts";

/** What may be set still: rights can be taken back while a request waits for its turn. */
export interface Permission {
  /** Tells whether {@link allows} has ceased to count. */
  isStale(): boolean;
  /** Asks anew. Rejects with a `Refusal` if nothing may be set any more. */
  refresh(): Promise<void>;
  /** Tells whether a parameter of a node may be set. */
  allows(node: NodeRef, name: string): boolean;
}

/** Who sets, and how long they may. */
export interface Command {
  /** Who. */
  readonly from: BareJid;
  /** Fires when the caller is told that time is up, or the stream has ended: nothing more is begun. */
  readonly signal: AbortSignal;
  readonly permission: Permission;
  /** What they have sent. */
  readonly request: IncomingRequest;
  /** What has been set by now, also of other devices, as people read it. */
  done(): readonly string[];
}

/** How far a request has come with a device: to be looked at also when nobody waits for its end. */
export interface Progress {
  /** Which device. */
  readonly node: NodeRef;
  /** What is being set. */
  setting: string | undefined;
  /** What has been set. */
  readonly done: string[];
}

// A `set` that never ends must not gather callers without end behind it.
const MOST_WAITING = 32;

/**
 * Sets parameters. One for each device: no two calls of `set` overlap, and the settings of one request stay together. Only a
 * call that hangs is not waited for any longer than its parameter allows.
 */
export class Actuator {
  readonly #queue = new SerialQueue();
  readonly #clock: Clock;
  readonly #onFault: (code: "control", message: string, cause?: unknown) => void;
  #waiting = 0;

  constructor(clock: Clock, onFault: (code: "control", message: string, cause?: unknown) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /**
   * Sets them in the order given (XEP-0325 3.2.11), and keeps book of it. What may not be set any more is left out.
   * Rejects with a `Refusal` that names the one that failed; those before it are set, those after it are not. Rejects
   * with the signal's reason when that fires before the end.
   */
  async set(settings: readonly Setting[], command: Command, progress: Progress): Promise<void> {
    if (this.#waiting >= MOST_WAITING) throw new Refusal("resource-constraint", "Too much is being set at once.");
    this.#waiting++;
    try {
      await this.#queue.run(() => this.#setAll(settings, command, progress));
    } finally {
      this.#waiting--;
    }
  }

  async #setAll(settings: readonly Setting[], command: Command, progress: Progress): Promise<void> {
    const { signal, permission } = command;
    for (const setting of settings) {
      signal.throwIfAborted();
      while (permission.isStale()) {
        try {
          await permission.refresh();
        } catch (error) {
          // Of what was begun the caller must hear what was done.
          if (error instanceof Refusal && command.done().length > 0) return;
          throw error;
        }
        signal.throwIfAborted();
      }
      // From the last look to the call of `set` nothing is waited for: no clearCache and no end of the time comes between.
      if (permission.allows(progress.node, setting.name)) await this.#setOne(setting, command, progress);
    }
  }

  async #setOne(setting: Setting, command: Command, progress: Progress): Promise<void> {
    const { name } = setting;
    progress.setting = name;
    try {
      await this.#inTime(setting, command, namingOf(progress.node, `"${name}"`));
      progress.done.push(name);
    } catch (error) {
      throw failure(name, error);
    } finally {
      progress.setting = undefined;
    }
  }

  /** Has the device do it. What comes of a call that hangs, once it is given up, is looked at by nobody. */
  async #inTime(setting: Setting, { from, signal, request }: Command, what: string): Promise<void> {
    const stop = new LightAbort();
    const deaf = onAbort(signal, () => stop.abort(signal.reason));
    const call = { hangs: false };
    try {
      await withLimit(this.#clock, { timeout: setting.timeout }, `setting ${what}`, (limit) => {
        onAbort(limit, () => {
          call.hangs = true;
          stop.abort(limit.reason);
        });
        return setting.set({ from, stop, request });
      });
    } catch (error) {
      if (call.hangs) {
        this.#onFault("control", `setting ${what} has not ended within ${setting.timeout} ms: others are set again`);
        throw new Refusal("internal-server-error", TOO_LONG);
      }
      // Who has been told to stop has not failed.
      if (!(error instanceof Refusal) && !signal.aborted) {
        this.#onFault("control", `${what} could not be set: ${messageOf(error)}`, error);
      }
      throw error;
    } finally {
      deaf();
    }
  }
}

/** What the caller is told of what was begun, and may have come to its end or not. */
export const TOO_LONG = "It took too long: it may be set, or not.";

// In characters, as for readouts: what was set before is to be told too.
const LONGEST_WORDS = 1_000;

/** What the caller is told: the device's own words only when it chose them for the wire. */
function failure(name: string, error: unknown): Refusal {
  const chosen = error instanceof Refusal;
  // A text that XML cannot hold would keep the whole answer from being sent.
  const words = chosen && error.text !== "" && isXmlText(error.text) ? error.text : "It could not be set.";
  return problem(chosen ? error.condition : "internal-server-error", name, shortened(words, LONGEST_WORDS), []);
}

// More is not told in words: the answer is to stay small.
const MOST_TOLD = 20;

/** An error about one parameter (XEP-0325 3.1.3), which tells too what was set before it. */
export function problem(condition: Refusal["condition"], name: string, text: string, done: readonly string[]): Refusal {
  const more = done.length > MOST_TOLD ? `, and ${done.length - MOST_TOLD} more` : "";
  const before = done.length === 0 ? "" : ` Already set: ${done.slice(0, MOST_TOLD).join(", ")}${more}.`;
  return new Refusal(condition, text + before, [{ name, text }]);
}

/** A parameter as people read it: of a node it is said of which. */
export function namingOf({ nodeId }: NodeRef, parameter: string): string {
  return nodeId === "" ? parameter : `${parameter} of node "${nodeId}"`;
}
