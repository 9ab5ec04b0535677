// The LED and the button of a Thing (XEP-0324 3.1.1, 3.1.4, 6.1): who may be accepted by hand, and when.
import type { Clock, Timer } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import {
  nextMoment,
  noWindows,
  windowsAfter,
  type Happening,
  type PairingOutcome,
  type WindowsEvent,
} from "./pairing-windows.ts";

/** A Thing with an LED and a button. `{}` is enough. */
export interface PairingOptions {
  /**
   * How long the LED shows a request, in milliseconds; from 2,000 to 300,000. Default 30,000. XEP-0324 6.1 wants it short.
   */
  readonly window?: number;
  /**
   * True to lock trust once there is any: no server is added any more until a factory reset, also if the option is taken
   * out later (XEP-0324 6.1). Default: false.
   */
  readonly locked?: boolean;
}

/** A request for friendship that the button accepts. */
export interface PairingWindow {
  /** Who asks. */
  readonly jid: BareJid;
  /** Until when the button accepts it, by the device's clock, which may be wrong. */
  readonly deadline: Date;
  /** How long that was from the moment the window opened, in milliseconds. */
  readonly ms: number;
}

/** How a window has ended. */
export interface PairingEnded {
  /** Who asked. */
  readonly jid: BareJid;
  /** How it has ended. */
  readonly outcome: PairingOutcome;
}

/** What somebody turned out to be whom the button has accepted. */
export interface Paired {
  /** Who. */
  readonly jid: BareJid;
  /** `server`: a provisioning server, trusted from now on. `friend`: an ordinary friend. */
  readonly as: "server" | "friend";
}

/** The options, completed. */
export interface PairingSettings {
  readonly window: number;
  readonly locked: boolean;
}

const DEFAULT_WINDOW = 30_000;
const SHORTEST_WINDOW = 2_000;
const LONGEST_WINDOW = 300_000;

/** Checks the options; throws `ERR_CONFIG` naming the one that is wrong. */
export function checkPairing(options: PairingOptions): PairingSettings {
  if (typeof options !== "object" || (options as object | null) === null) {
    throw new ConfigError("pairing: must be an object; {} is enough");
  }
  checkKnown(options, ["window", "locked"], "pairing");
  const { window = DEFAULT_WINDOW, locked = false } = options;
  if (typeof window !== "number" || !(window >= SHORTEST_WINDOW && window <= LONGEST_WINDOW)) {
    throw new ConfigError(`pairing.window: must be from ${SHORTEST_WINDOW} to ${LONGEST_WINDOW} milliseconds`);
  }
  if (typeof locked !== "boolean") throw new ConfigError("pairing.locked: must be true or false");
  return { window, locked };
}

/** What a {@link Pairing} is made of. */
export interface PairingParts {
  readonly clock: Clock;
  /** How long a window is open, in milliseconds. */
  readonly window: number;
  /** The LED is to be lit. */
  readonly onOpened: (window: PairingWindow) => void;
  /** The LED is to be put out. */
  readonly onEnded: (ended: PairingEnded) => void;
}

/** What comes of somebody who waits for the button. */
export type ByHand = "pressed" | "displaced" | PairingOutcome;

/** The LED and the button, and those who wait for them. */
export class Pairing {
  readonly #parts: PairingParts;
  readonly #waiting = new Map<BareJid, (what: ByHand) => void>();
  readonly #asked = new Map<BareJid, Promise<ByHand>>();
  #windows = noWindows;
  #current: PairingWindow | undefined;
  // For whom the button was pressed, until somebody takes that up: whoever waits may be finding out just then who decides.
  #pressed: BareJid | undefined;
  #timer: Timer | undefined;

  constructor(parts: PairingParts) {
    this.#parts = parts;
  }

  /** The window that is open now. */
  get current(): PairingWindow | undefined {
    return this.#current;
  }

  /** Somebody wants to be accepted by hand. Resolves to what came of it; asked again, it is the same wait. */
  ask(jid: BareJid): Promise<ByHand> {
    if (this.#pressed === jid) return Promise.resolve("pressed");
    let asked = this.#asked.get(jid);
    if (asked === undefined) {
      asked = new Promise<ByHand>((resolve) => this.#waiting.set(jid, resolve));
      this.#asked.set(jid, asked);
      this.#happen({ type: "asked", jid });
    }
    return asked;
  }

  /** The button was pressed. True if that accepts somebody. */
  press(): boolean {
    return this.#happen({ type: "pressed" }).some(({ is }) => is === "pressed");
  }

  /** Takes up a press, to say {@link kept} of it. False if it counts no more. */
  take(jid: BareJid): boolean {
    const counts = this.#pressed === jid;
    if (counts) this.#pressed = undefined;
    return counts;
  }

  /** What the button was pressed for is on disk, or could not be written, or is decided by others meanwhile. */
  kept(outcome: "accepted" | "failed" | "overtaken"): void {
    this.#happen({ type: "kept", outcome });
  }

  /** Somebody has taken the request back, or is decided about by others now. Nothing happens if it does not wait. */
  leave(jid: BareJid, outcome: "withdrawn" | "overtaken"): void {
    if (this.take(jid)) this.#happen({ type: "kept", outcome });
    if (!this.#waiting.has(jid)) return;
    this.#happen({ type: "left", jid, outcome });
    this.#settle(jid, outcome);
  }

  /** The stream has ended: the server sends again what is pending. */
  disconnect(): void {
    this.#happen({ type: "disconnected" });
    this.#drop("disconnected");
    for (const jid of [...this.#waiting.keys()]) this.#settle(jid, "disconnected");
  }

  /** Forgets who is to rest. */
  reset(): void {
    this.#happen({ type: "reset" });
    this.#drop("overtaken");
  }

  /** A press that nobody has taken up counts no more. */
  #drop(outcome: "disconnected" | "overtaken"): void {
    if (this.#pressed !== undefined && this.take(this.#pressed)) this.#happen({ type: "kept", outcome });
  }

  #happen(event: WindowsEvent): readonly Happening[] {
    const { clock, window } = this.#parts;
    const { windows, happened } = windowsAfter(this.#windows, event, clock.monotonic(), window);
    this.#windows = windows;
    this.#timer?.cancel();
    const next = nextMoment(windows);
    this.#timer =
      next === undefined
        ? undefined
        : clock.schedule(next - clock.monotonic(), () => void this.#happen({ type: "tick" }));
    for (const one of happened) this.#tell(one);
    return happened;
  }

  #tell(happening: Happening): void {
    const { clock, window, onOpened, onEnded } = this.#parts;
    const { jid } = happening;
    switch (happening.is) {
      case "opened":
        this.#current = { jid, deadline: new Date(clock.now() + window), ms: window };
        return onOpened(this.#current);
      case "pressed":
        this.#current = undefined;
        this.#pressed = jid;
        return this.#settle(jid, "pressed");
      case "displaced":
        return this.#settle(jid, "displaced");
      case "ended":
        this.#current = undefined;
        this.#settle(jid, happening.outcome);
        return onEnded({ jid, outcome: happening.outcome });
    }
  }

  #settle(jid: BareJid, what: ByHand): void {
    const resolve = this.#waiting.get(jid);
    this.#waiting.delete(jid);
    this.#asked.delete(jid);
    resolve?.(what);
  }
}
