// The button of a Thing, as its requests for friendship use it: XEP-0324 3.1.1.
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Button } from "./friend-requests.ts";
import { Pairing, type PairingEnded, type PairingSettings, type PairingWindow } from "./pairing.ts";
import type { ThingEvent, ThingState } from "./state.ts";

/** What a button is made of. */
export interface ButtonParts {
  /** The options; `undefined` for a Thing without a button. */
  readonly settings: PairingSettings | undefined;
  readonly clock: Clock;
  /** The state now. */
  readonly state: () => ThingState;
  /** Makes an event durable; resolves to what starts its effects. */
  readonly apply: (event: ThingEvent) => Promise<() => void>;
  readonly onOpened: (window: PairingWindow) => void;
  readonly onEnded: (ended: PairingEnded) => void;
  /** Told when the disk does not take what the button was pressed for. */
  readonly onFault: (code: "state-not-saved", message: string, cause: unknown) => void;
}

/** Makes the button; `undefined` for a Thing that has none. */
export function makeButton({ settings, clock, onOpened, onEnded, ...parts }: ButtonParts): Button | undefined {
  if (settings === undefined) return undefined;
  return {
    pairing: new Pairing({ clock, window: settings.window, onOpened, onEnded }),
    trust: () => parts.state().trust,
    accept: async (jid) => {
      try {
        // On disk first: a power cut before it is told loses nothing (P-3.1.1-6).
        const act = await parts.apply({ type: "accepted", jid });
        const accepted = parts.state().examining.includes(jid);
        act();
        return accepted;
      } catch (error) {
        parts.onFault("state-not-saved", messageOf(error), error);
        throw error;
      }
    },
  };
}
