// XEP-0325 3.1.1 to 3.1.3 and XEP-0324 3.4 on the Thing: set -> guard -> setResponse, or an error; not a word to a message.
import { onAbort, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ProtocolError, TimeoutError } from "../core/errors.ts";
import { fewAtOnce } from "../core/few-at-once.ts";
import type { Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { IncomingIq, MessageHandler, Router } from "../channel/router.ts";
import { nodeOf, type Devices } from "../provisioning/devices.ts";
import type { Guard } from "../provisioning/guard.ts";
import { IncomingRequest } from "../provisioning/incoming-request.ts";
import { Actuator, type Permission, type Progress } from "./actuator.ts";
import { fittingRefusal } from "./answer-size.ts";
import { namesDone, refuseEnded, refuseLate, whatWasDone, withDone } from "./outcome.ts";
import { planned, understood } from "./plan.ts";
import type { ControlDevice } from "./reach.ts";
import { RunningControl } from "./running-control.ts";

export type { ControlDevice } from "./reach.ts";

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
  const orders = new Orders();
  options.router.onIq(ns.control, "set", async (iq) => {
    if (iq.type !== "set") throw new Refusal("bad-request", "Parameters are set by an IQ of type set.");
    return { payload: await orders.next(iq.from, false, (before) => controls.obey(iq, before)).catch(tell) };
  });
  // XEP-0325 3.1.1: not a word goes back, whatever becomes of it.
  const byMessage: MessageHandler = async ({ from, payload, delayed, stream: signal }) => {
    // Nobody knows any more that it is to be done now: while the device was away its server has kept it, perhaps for days.
    if (delayed) throw new Refusal("not-acceptable", "It was sent some time ago.");
    await orders.next(from, true, (before) => controls.obey({ from, payload, signal }, before));
  };
  options.router.onMessage(ns.control, "set", byMessage, { counted: true });
}

/** What somebody has told the Thing to do, and when it has come to its end. */
interface Order {
  readonly isMessage: boolean;
  readonly ended: Promise<void>;
}

/**
 * What somebody sends by messages is done in the order in which it comes, as they cannot wait for an answer (RFC 6120
 * 10.1): "on" and "off" sent one after the other leave it off, though another right had to be asked for first. The same
 * for a message after a request, and a request after a message. Requests do not wait for one another: who wants an order of
 * them waits for the answers, and who does not need not wait for a slow node to reach a quick one.
 */
class Orders {
  readonly #running = new Map<string, Set<Order>>();

  /** Begins the next one of a sender, and hands it what resolves when those that it comes after have come to their ends. */
  async next<T>(
    { full }: Jid,
    isMessage: boolean,
    begin: (before: Promise<unknown> | undefined) => Promise<T>,
  ): Promise<T> {
    const running = this.#running.get(full) ?? new Set();
    this.#running.set(full, running);
    const before = [...running].filter((order) => isMessage || order.isMessage).map(({ ended }) => ended);
    const own = begin(before.length === 0 ? undefined : Promise.all(before));
    const order = { isMessage, ended: own.then(nothing, nothing) };
    running.add(order);
    try {
      return await own;
    } finally {
      running.delete(order);
      if (running.size === 0) this.#running.delete(full);
    }
  }
}

const nothing = (): void => undefined;

/** Throws an error as it is told. */
function tell(error: unknown): never {
  const told = error instanceof ProtocolError ? new Refusal("bad-request", error.message) : error;
  throw told instanceof Refusal ? fittingRefusal(told) : told;
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

  /**
   * Does what is allowed of it. Resolves to what the caller is told of that; rejects with what they are told instead.
   *
   * @param before what is to come to its end before any of it is done
   */
  async obey({ from, payload, signal: ended }: Caller, before?: Promise<unknown>): Promise<XmlElement> {
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
        await before;
        // While it waited the right may have been taken back.
        while (control.isStale()) await control.refresh();
        const request = new IncomingRequest(from, tokens);
        const done = (): readonly string[] => namesDone(progress);
        const command = { from: from.bare, signal, request, done };
        // Rights first: who may not control does not learn what there is to control.
        const plan = planned(devices, wanted, control.grants);
        progress.push(...plan.map(({ device }) => ({ node: nodeOf(device), setting: undefined, done: [] })));
        await fewAtOnce(plan.entries(), MOST_AT_ONCE, ([index, { device, settings }]) =>
          this.#handOf(device).set(
            settings,
            { ...command, permission: this.#whileThere(device, control) },
            progress[index] as Progress,
          ),
        );
      });
    } catch (error) {
      if (error instanceof TimeoutError) refuseLate(stopped, onFault);
      else if (error instanceof Refusal && error === control.signal.reason) refuseEnded(stopped, error);
      else throw withDone(error, namesDone(progress));
    } finally {
      end();
      control.close();
    }
    if (stopped.every(({ done }) => done.length === 0)) throw new Refusal("forbidden", "Access denied.");
    return whatWasDone(wanted, devices, stopped);
  }

  /** What is allowed, as long as the device is there: a node may be taken away while a request waits for its turn. */
  #whileThere(device: ControlDevice, control: RunningControl): Permission {
    return {
      isStale: () => control.isStale(),
      refresh: () => control.refresh(),
      allows: (node, name) => this.#options.devices.fitting(node).includes(device) && control.allows(node, name),
    };
  }

  #handOf(device: ControlDevice): Actuator {
    const hand = this.#hands.get(device) ?? new Actuator(this.#options.clock, this.#options.onFault);
    this.#hands.set(device, hand);
    return hand;
  }
}
