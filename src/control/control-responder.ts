// XEP-0325 3.1.1 to 3.1.3 and XEP-0324 3.4 on the Thing: set -> guard -> setResponse, or an error; not a word to a message.
import { onAbort, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import { fewAtOnce } from "../core/few-at-once.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { IncomingIq, Router } from "../channel/router.ts";
import { nodeOf, type Devices } from "../provisioning/devices.ts";
import type { Guard } from "../provisioning/guard.ts";
import { IncomingRequest } from "../provisioning/incoming-request.ts";
import { Actuator, type Progress } from "./actuator.ts";
import { namesDone, refuseEnded, refuseLate, whatWasDone, withDone } from "./outcome.ts";
import { planned, understood, type ControlDevice } from "./plan.ts";
import { RunningControl } from "./running-control.ts";

export type { ControlDevice } from "./plan.ts";

/** What answers control requests is made of. */
export interface ControlResponderOptions {
  /** Where requests come in. */
  readonly router: Router;
  /** Who may control. */
  readonly guard: Guard;
  /** What can be set. */
  readonly devices: Devices<ControlDevice>;
  /** Time. */
  readonly clock: Clock;
  /** Background trouble: a parameter could not be set. */
  readonly onFault: (code: "control", message: string, cause?: unknown) => void;
}

// Below the time that a handler has, so that the caller hears from us what has happened and what has not.
const LONGEST_CONTROL = 8_500;
// Devices that one request sets at the same time.
const MOST_AT_ONCE = 8;

/** Obeys `set` on the Thing. */
export function answerControl(options: ControlResponderOptions): void {
  const controls = new Controls(options);
  options.router.onIq(ns.control, "set", async (iq) => {
    if (iq.type !== "set") throw new Refusal("bad-request", "Parameters are set by an IQ of type set.");
    return { payload: await controls.obey(iq) };
  });
}

/** Who tells the Thing what to do. */
type Caller = Pick<IncomingIq, "from" | "payload" | "signal">;

/** What goes on. */
class Controls {
  readonly #options: ControlResponderOptions;
  readonly #hands = new WeakMap<ControlDevice, Actuator>();

  constructor(options: ControlResponderOptions) {
    this.#options = options;
  }

  /** Does what is allowed of it. Resolves to what the caller is told of that; rejects with what they are told instead. */
  async obey({ from, payload, signal: ended }: Caller): Promise<XmlElement> {
    const { guard, devices, clock, onFault } = this.#options;
    const wanted = understood(payload);
    const { nodes, names, tokens } = wanted;
    const progress: Progress[] = [];
    const question = { kind: "control", jid: from.bare, tokens, nodes, parameters: names } as const;
    const control = new RunningControl({ guard, question, from, progress, signal: ended });
    // How far it had come when it was stopped: a device that obeys goes on from there.
    let stopped: readonly Progress[] = progress;
    const limits = { signal: control.signal, timeout: LONGEST_CONTROL };
    const end = guard.running.begin(control, ended);
    try {
      await withDeadline(clock, limits, "control", async (signal) => {
        onAbort(signal, () => (stopped = progress.map((one) => ({ ...one, done: [...one.done] }))));
        await control.refresh();
        const request = new IncomingRequest(from, tokens);
        const done = (): readonly string[] => namesDone(progress);
        const command = { from: from.bare, signal, permission: control, request, done };
        // Rights first: who may not control does not learn what there is to control.
        const plan = planned(devices, wanted, control.grants);
        progress.push(...plan.map(({ device }) => ({ node: nodeOf(device), setting: undefined, done: [] })));
        await fewAtOnce(plan.entries(), MOST_AT_ONCE, ([index, { device, settings }]) =>
          this.#handOf(device).set(settings, command, progress[index] as Progress),
        );
      });
    } catch (error) {
      if (error instanceof TimeoutError) refuseLate(stopped, onFault);
      else if (error instanceof Refusal && error === control.signal.reason) refuseEnded(stopped, error);
      else throw withDone(error, namesDone(progress));
    } finally {
      end();
    }
    if (stopped.every(({ done }) => done.length === 0)) throw new Refusal("forbidden", "Access denied.");
    return whatWasDone(wanted, devices, stopped);
  }

  #handOf(device: ControlDevice): Actuator {
    const hand = this.#hands.get(device) ?? new Actuator(this.#options.onFault);
    this.#hands.set(device, hand);
    return hand;
  }
}
