// XEP-0325 3.1.2, 3.1.3 and XEP-0324 3.4 on the Thing: set -> guard -> setResponse, or an error.
import { onAbort, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import { Refusal } from "../core/refusal.ts";
import { buildSetResponse, parseSet, type SetRequest } from "../codec/control.ts";
import { ns } from "../codec/namespaces.ts";
import { THE_THING, meanTheThing, refersTo } from "../codec/node-ref.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { IncomingIq, Router } from "../channel/router.ts";
import type { Device, Devices } from "../provisioning/devices.ts";
import { permitsControl, permitsNode, type Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import { IncomingRequest } from "../provisioning/incoming-request.ts";
import { Actuator, problem, type Progress, type Setting } from "./actuator.ts";
import type { ControlParameter } from "./definition.ts";
import { RunningControl } from "./running-control.ts";

/** A device, and what can be set of it. */
export interface ControlDevice extends Device {
  /** What can be set; left out if nothing can. */
  readonly control?: readonly ControlParameter[];
}

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
// What may be named in one request: so many nodes and parameters, so many characters in all. As for readouts: it is asked
// on as it is.
const MOST_NAMES = 1_000;
const MOST_CHARACTERS = 16_384;

/** Answers `set` on the Thing. */
export function answerControl(options: ControlResponderOptions): void {
  const { router, guard, devices, clock, onFault } = options;
  const actuator = new Actuator(onFault);
  router.onIq(ns.control, "set", async (iq) => {
    const request = understood(iq);
    const progress: Progress = { setting: undefined, done: [] };
    const { nodes, parameters, tokens } = request;
    const question = { kind: "control", jid: iq.from.bare, tokens, nodes, parameters: namesOf(parameters) } as const;
    const control = new RunningControl({ guard, question, from: iq.from, progress, signal: iq.signal });
    // How far it had come when it was stopped: a device that obeys goes on from there.
    let stopped = progress;
    const limits = { signal: control.signal, timeout: LONGEST_CONTROL };
    const ended = guard.running.begin(control, iq.signal);
    try {
      await withDeadline(clock, limits, "control", async (signal) => {
        onAbort(signal, () => (stopped = { ...progress, done: [...progress.done] }));
        await control.refresh();
        const asked = new IncomingRequest(iq.from, tokens);
        const command = { from: iq.from.bare, signal, permission: control, request: asked };
        const parameters = devices.fitting(THE_THING)[0]?.control ?? [];
        const known = new Map(parameters.map((parameter) => [parameter.name, parameter]));
        // Rights first: who may not control does not learn what there is to control.
        await actuator.set(checked(known, request, control.grants), command, progress);
      });
    } catch (error) {
      if (error instanceof TimeoutError) refuseLate(stopped, onFault);
      else if (error instanceof Refusal && error === control.signal.reason) refuseEnded(stopped, error);
      else throw error;
    } finally {
      ended();
    }
    if (stopped.done.length === 0) throw new Refusal("forbidden", "Access denied.");
    return { payload: whatWasDone(request, stopped.done) };
  });
}

/** Reads a request, and refuses what cannot be one whoever asks. */
function understood({ type, payload }: IncomingIq): SetRequest {
  if (type !== "set") throw new Refusal("bad-request", "Parameters are set by an IQ of type set.");
  const request = parseSet(payload);
  const { nodes, parameters, tokens } = request;
  if (request.hasForm) throw new Refusal("feature-not-implemented", "Control forms are not supported.");
  if (parameters.length === 0) throw new Refusal("bad-request", "Name at least one parameter.");
  const names = namesOf(parameters);
  const characters = JSON.stringify([tokens, nodes, names]).length;
  if (nodes.length + names.length > MOST_NAMES || characters > MOST_CHARACTERS) {
    throw new Refusal("not-acceptable", "Name fewer nodes and parameters.");
  }
  // Which of the two is meant cannot be known.
  const seen = new Set<string>();
  const twice = names.filter((name) => seen.size === seen.add(name).size);
  if (twice.length > 0) throw problems("bad-request", [...new Set(twice)], "Named twice.");
  return request;
}

/**
 * What is to be set: what is allowed, all of it checked before any of it is done (XEP-0325 3.4.3). What is not allowed
 * is left out (P-3.4.2-6, P-3.4.3-4), whether it exists or not; if nothing is left it is a no (P-E19).
 */
function checked(
  known: ReadonlyMap<string, ControlParameter>,
  { nodes, parameters }: SetRequest,
  grants: readonly Grant[],
): readonly Setting[] {
  if (!meanTheThing(nodes)) throw new Refusal("item-not-found", "No such node.");
  const allowed = parameters.filter(({ name }) => permitsControl(grants, { node: THE_THING, name }));
  if (allowed.length === 0) throw new Refusal("forbidden", "Access denied.");
  const elsewhere = nodes.filter((reference) => !refersTo(reference, THE_THING));
  if (elsewhere.some((reference) => grants.some((grant) => permitsNode(grant, reference)))) {
    throw new Refusal("item-not-found", "No such node.");
  }
  const unknown = allowed.filter(({ name }) => !known.has(name));
  if (unknown.length > 0) throw problems("item-not-found", namesOf(unknown), "No such parameter.");
  const odd = allowed.filter(({ kind }) => kind !== "boolean");
  if (odd.length > 0) throw problems("bad-request", namesOf(odd), "Invalid parameter type.");
  return allowed.flatMap(({ name, value }) => {
    const parameter = known.get(name);
    return parameter === undefined || typeof value !== "boolean" ? [] : [{ parameter, value }];
  });
}

const namesOf = (parameters: readonly { readonly name: string }[]): readonly string[] =>
  parameters.map(({ name }) => name);

/** An error about parameters (XEP-0325 3.1.3, 5.1). */
function problems(condition: "bad-request" | "item-not-found", names: readonly string[], text: string): Refusal {
  return new Refusal(
    condition,
    text,
    names.map((name) => ({ name, text })),
  );
}

/**
 * Time has run out: what was not begun by now never will be. Returns if that is all there is to say, and something was
 * done; throws what the caller must hear otherwise.
 */
function refuseLate({ setting, done }: Progress, onFault: ControlResponderOptions["onFault"]): void {
  if (setting !== undefined) {
    onFault("control", `setting "${setting}" took too long`);
    throw problem("internal-server-error", setting, "It took too long: it may be set, or not.", done);
  }
  if (done.length > 0) return;
  throw new Refusal("resource-constraint", "There was no time left for it; nothing was set. Try again later.");
}

/** The right to it was taken back: what was not begun by now never will be. As {@link refuseLate}. */
function refuseEnded({ setting, done }: Progress, why: Refusal): void {
  if (setting !== undefined) throw problem(why.condition, setting, `${why.text} It may be set, or not.`, done);
  if (done.length === 0) throw why;
}

/** P-3.4.2-7: the caller is told what was done where that is less than was asked for. */
function whatWasDone({ nodes, parameters }: SetRequest, done: readonly string[]): XmlElement {
  const others = nodes.some((reference) => !refersTo(reference, THE_THING));
  return buildSetResponse({
    nodes: others ? [THE_THING] : [],
    parameters: done.length === parameters.length ? [] : done,
  });
}
