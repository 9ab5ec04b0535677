// Applies events to the state one at a time, makes each new state durable, then does what follows from it.
import { setMaxListeners } from "node:events";
import { onAbort, sleep } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { isSdkError, messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import type { NoticeEvent } from "./answers.ts";
import type { FaultCode } from "./faults.ts";
import { OwnerPace, TooOftenError, isOfRegistry } from "./owner-pace.ts";
import { oddClaim, registryIn } from "./ownership.ts";
import { initialState, type ThingEffect, type ThingEvent, type ThingState } from "./state.ts";
import { transition } from "./transition.ts";
import { withLock } from "./trust.ts";

/** What is done on the wire, while there is a stream. */
export type WireEffect = Exclude<ThingEffect, { do: "clearRights" }>;

/** Does an effect; the event it comes to, if any. Rejects to be tried again later. */
export type Perform = (effect: WireEffect, signal: AbortSignal) => Promise<ThingEvent | undefined>;

/** What a {@link Runner} is made of. */
export interface RunnerOptions {
  /** Does effects. */
  readonly perform: Perform;
  /** Makes what is to outlive a restart durable. */
  readonly save: (state: ThingState, event: ThingEvent) => Promise<void>;
  /** Trust that comes about stays until a factory reset (XEP-0324 6.1). Default: no. */
  readonly locked?: boolean;
  /** Forgets all rights, or those of these parties, durably. */
  readonly clearRights: (of?: readonly BareJid[]) => Promise<void>;
  /** Told of each new state, once it is durable. */
  readonly onState: (state: ThingState, before: ThingState, event: ThingEvent) => void;
  /** Background trouble. */
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
  /** What such a fault was about has worked. */
  readonly onHealed: (code: FaultCode) => void;
  /** Time. */
  readonly clock: Clock;
  /** Randomness for the spread of tries. */
  readonly random: RandomSource;
}

const faultOf: Readonly<Record<WireEffect["do"], FaultCode>> = {
  greet: "greeting",
  introduce: "greeting",
  register: "registry",
  unregister: "registry",
  resetAccount: "account-kept",
  emptyKey: "registry",
  updateTags: "registry",
  leaveRegistry: "registry",
  examine: "pairing",
  part: "greeting",
  askOwner: "owner",
  findServers: "provisioning",
  getToken: "token",
  reviewFriends: "provisioning",
};

function isKept(state: ThingState, before: ThingState): boolean {
  return (["ownership", "trust", "examining", "parting"] as const).some((part) => state[part] !== before[part]);
}

/** What is under way once at a time. */
function nameOf(effect: WireEffect): string {
  switch (effect.do) {
    case "examine":
    case "part":
    case "getToken":
      return `${effect.do} ${effect.jid}`;
    case "askOwner":
    case "findServers":
      return `${effect.do} ${String(effect.owner)}`;
    default:
      return effect.do;
  }
}

// What is done once more, at once, if it is asked for again while it is under way: what it says to the Registry may have
// changed in the middle of it. Of others the same again would tell nobody anything.
const RENEWED: ReadonlySet<WireEffect["do"]> = new Set(["register", "emptyKey", "updateTags", "leaveRegistry"]);
// To these a Registry may answer that the Thing is another's.
const PACED: ReadonlySet<WireEffect["do"]> = new Set(["register", "emptyKey", "updateTags"]);

/** Something that is under way, and what it is to go on with. */
interface Attempt {
  now: WireEffect;
  next: WireEffect | undefined;
  /** Ends the wait for the next try. */
  wake: () => void;
}

/** The state of a Thing, and what it is doing about it. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #queue = new SerialQueue();
  readonly #busy = new Map<string, Attempt>();
  readonly #pace: OwnerPace;
  #state = initialState;
  #resets = 0;
  #isDiskUnsure = false;
  // What is done on the wire belongs to one stream, and ends with it: the next one starts from the state again.
  #stream = new AbortController();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#pace = new OwnerPace(options.clock);
  }

  /** The state now. */
  get state(): ThingState {
    return this.#state;
  }

  /**
   * True after a state could not be kept, until one could. The disk may hold it all the same, and the next start would go on
   * from what never counted.
   */
  get isDiskUnsure(): boolean {
    return this.#isDiskUnsure;
  }

  /** Applies an event and does what follows. Resolves when the new state is durable. */
  async dispatch(event: ThingEvent): Promise<void> {
    const act = await this.apply(event);
    act();
  }

  /**
   * Applies an event. Resolves, once the new state is durable, to what starts the effects: a notice is to be
   * acknowledged in between (D-E17).
   */
  apply(event: ThingEvent): Promise<() => void> {
    return this.#apply(event, () => true);
  }

  /** What was found out before a reset is nobody's any more, also if the reset is just being written. */
  async #dispatchFound(event: ThingEvent, resets: number): Promise<void> {
    const act = await this.#apply(event, () => resets === this.#resets);
    act();
  }

  #apply(event: ThingEvent, counts: () => boolean, isNotice = false): Promise<() => void> {
    if (event.type === "link") this.#linkChanged(event.link.is === "online");
    const stream = this.#stream;
    const { clearRights, onState, onFault } = this.#options;
    const onUnsaved = (error: unknown): void => onFault("rights-not-saved", messageOf(error), error);
    return this.#queue.run(async () => {
      if (!counts()) return () => undefined;
      const before = this.#state;
      this.#notice(before, event);
      const { state: after, effects } = transition(before, event);
      const state = this.#options.locked === true ? withLock(after) : after;
      const by = state !== before && isOfRegistry(event) ? registryIn(state.ownership) : undefined;
      if (by !== undefined && isNotice) this.#pace.check("the Thing", by);
      if (state !== before) {
        // Before the new trust counts: no answer of the old servers may stand in for the new ones.
        for (const effect of effects) {
          if (effect.do !== "clearRights") continue;
          const cleared = clearRights(effect.of);
          // Of single parties is forgotten in memory what counts until then, and on disk once it takes it: `part` sees to that.
          await (effect.of === undefined ? cleared : cleared.catch(onUnsaved));
        }
        if (isKept(state, before)) await this.#save(state, event);
        this.#state = state;
        if (by !== undefined) this.#pace.count(by);
        if (event.type === "reset") {
          this.#resets++;
          this.#begin();
        }
        // Nor one that they gave while it was written.
        const isAll = effects.some((effect) => effect.do === "clearRights" && effect.of === undefined);
        if (isAll) await clearRights().catch(onUnsaved);
        onState(state, before, event);
        // Nothing on the wire waits for it.
        void this.#queue.run(() => this.#mend(event));
      } else await this.#mend(event);
      const onWire = effects.filter((effect): effect is WireEffect => effect.do !== "clearRights");
      const { signal } = event.type === "reset" ? this.#stream : stream;
      return () => this.#act(onWire, signal);
    });
  }

  async #save(state: ThingState, event: ThingEvent): Promise<void> {
    try {
      await this.#options.save(state, event);
    } catch (error) {
      // Until there is a state that counts there is none to go back to.
      if (event.type !== "loaded") this.#isDiskUnsure = true;
      throw error;
    }
    this.#isDiskUnsure = false;
    this.#options.onHealed("state-not-saved");
  }

  /** Puts the state that counts in the place of one that the disk may hold. If it takes nothing, the next event does. */
  async #mend(event: ThingEvent): Promise<void> {
    if (this.#isDiskUnsure) await this.#save(this.#state, event).catch(() => undefined);
  }

  /**
   * As {@link apply}, for a notice of the Registry. If it cannot be kept it is not acknowledged. A disowning is off then
   * (XEP-0347 3.17). Of a claim the Registry may not tell again on this stream: it is asked, by registering (XEP-0347 3.6),
   * until the claim is kept. A removal shows again with the next update (XEP-0347 3.13). The same for one that comes too soon
   * after too many others.
   */
  async applyNotice(event: NoticeEvent): Promise<() => void> {
    const stream = this.#stream;
    try {
      return await this.#apply(event, () => true, true);
    } catch (error) {
      this.#options.onFault(
        error instanceof TooOftenError ? "registry-restless" : "state-not-saved",
        messageOf(error),
        error,
      );
      if (event.type === "claimed") this.#start({ do: "register", registry: event.registry }, stream.signal);
      throw new Refusal("resource-constraint");
    }
  }

  /** Ends what is being done, and waits for states that are being written. */
  async stop(): Promise<void> {
    this.#stream.abort(new Error("stopped"));
    await this.#queue.idle();
  }

  #linkChanged(online: boolean): void {
    this.#stream.abort(new Error("the stream has ended"));
    if (online) this.#begin();
  }

  #begin(): void {
    this.#stream.abort(new Error("something else is to be done"));
    this.#stream = new AbortController();
    setMaxListeners(0, this.#stream.signal); // all that is being done listens: no leak, and no warning of one
    this.#busy.clear();
  }

  #act(effects: readonly WireEffect[], signal: AbortSignal): void {
    const [first, ...others] = effects;
    if (first === undefined) return;
    // Presence goes first: who is asked later must know where the Thing is.
    if (first.do === "greet")
      void this.#attempt(first, signal).then(() => others.forEach((one) => this.#start(one, signal)));
    else effects.forEach((one) => this.#start(one, signal));
  }

  #start(effect: WireEffect, signal: AbortSignal): void {
    void this.#attempt(effect, signal);
  }

  /** A Registry that gives a Thing away that is somebody's is not followed, and people should know (D-E29). */
  #notice({ ownership }: ThingState, event: ThingEvent): void {
    const odd = event.type === "claimed" ? oddClaim("the Thing", ownership, event) : undefined;
    if (odd !== undefined) this.#options.onFault("owner-change-ignored", odd);
  }

  /** Tries until it is done or the stream ends. Never rejects. */
  async #attempt(first: WireEffect, signal: AbortSignal): Promise<void> {
    const { clock, random, perform, onFault, onHealed } = this.#options;
    const name = nameOf(first);
    if (signal.aborted) return;
    const busy = this.#busy.get(name);
    if (busy !== undefined) {
      if (RENEWED.has(first.do) && busy.now !== first) renew(busy, first);
      return;
    }
    const attempt: Attempt = { now: first, next: undefined, wake: () => undefined };
    this.#busy.set(name, attempt);
    const resets = this.#resets;
    const backoff = new Backoff(random);
    let told = "";
    try {
      for (;;) {
        // Else at once: a Thing that is stopped in the moment when it came online has greeted before, or not at all.
        if (this.#mustWait(attempt) > 0) await this.#turn(attempt, signal);
        const effect = attempt.now;
        try {
          const event = await perform(effect, signal);
          if (event !== undefined) await this.#dispatchFound(event, resets);
          if (resets !== this.#resets) return;
          onHealed(faultOf[effect.do]);
          if (!goesOn(attempt)) return;
        } catch (error) {
          signal.throwIfAborted();
          // What stays wrong is told once: a site may have no provisioning server for years.
          const message = messageOf(error);
          const unsaved = isSdkError(error) && error.code === "ERR_STORAGE";
          if (message !== told) onFault(unsaved ? "state-not-saved" : faultOf[effect.do], message, error);
          told = message;
          if (!goesOn(attempt)) await pause(clock, backoff.next(), attempt, signal);
        }
      }
    } catch {
      // The stream has ended; the next one begins anew.
    } finally {
      if (this.#busy.get(name) === attempt) this.#busy.delete(name);
    }
  }

  /** A Registry that changes whose the Thing is again and again is asked nothing to which it could say so once more, for a while. */
  async #turn(attempt: Attempt, signal: AbortSignal): Promise<void> {
    for (let wait = this.#mustWait(attempt); wait > 0; wait = this.#mustWait(attempt)) {
      await pause(this.#options.clock, wait, attempt, signal);
    }
  }

  #mustWait({ now }: Attempt): number {
    return PACED.has(now.do) ? this.#pace.wait(registryIn(this.#state.ownership)) : 0;
  }
}

/** It was asked for again, as something else perhaps: that is done next. */
function renew(attempt: Attempt, effect: WireEffect): void {
  attempt.next = effect;
  attempt.wake();
}

/** Goes on with what was asked for meanwhile; false if nothing was. */
function goesOn(attempt: Attempt): boolean {
  const { next } = attempt;
  if (next === undefined) return false;
  attempt.now = next;
  attempt.next = undefined;
  return true;
}

/** Waits so many milliseconds, or until there is something else to do. Rejects when the stream ends. */
async function pause(clock: Clock, ms: number, attempt: Attempt, signal: AbortSignal): Promise<void> {
  const nap = new AbortController();
  attempt.wake = () => nap.abort(new Error("there is something else to do"));
  const forget = onAbort(signal, attempt.wake);
  await sleep(clock, ms, nap.signal).catch(() => signal.throwIfAborted());
  forget();
  attempt.wake = () => undefined;
  goesOn(attempt);
}
