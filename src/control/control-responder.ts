// XEP-0325 3.1.2, 3.1.3 and XEP-0324 3.4 on the Thing: set -> guard -> setResponse, or an error.
import { onAbort, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import { fewAtOnce } from "../core/few-at-once.ts";
import { Refusal } from "../core/refusal.ts";
import { buildSetResponse, parseSet, type SetRequest, type SetResponse } from "../codec/control.ts";
import { ns } from "../codec/namespaces.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { IncomingIq, Router } from "../channel/router.ts";
import { devicesMeant, nodeOf, type Device, type Devices } from "../provisioning/devices.ts";
import { grantsByNode, permitsControl, type Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import { IncomingRequest } from "../provisioning/incoming-request.ts";
import { Actuator, namingOf, problem, type Progress, type Setting } from "./actuator.ts";
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
// A reference can mean several nodes.
const MOST_DEVICES = 1_000;
// Devices that one request sets at the same time.
const MOST_AT_ONCE = 8;

/** Answers `set` on the Thing. */
export function answerControl(options: ControlResponderOptions): void {
  const { router, guard, devices, clock, onFault } = options;
  const hands = new WeakMap<ControlDevice, Actuator>();
  const handOf = (device: ControlDevice): Actuator => {
    const hand = hands.get(device) ?? new Actuator(onFault);
    hands.set(device, hand);
    return hand;
  };
  router.onIq(ns.control, "set", async (iq) => {
    const request = understood(iq);
    const progress: Progress[] = [];
    const { nodes, parameters, tokens } = request;
    const question = { kind: "control", jid: iq.from.bare, tokens, nodes, parameters: namesOf(parameters) } as const;
    const control = new RunningControl({ guard, question, from: iq.from, progress, signal: iq.signal });
    // How far it had come when it was stopped: a device that obeys goes on from there.
    let stopped: readonly Progress[] = progress;
    const limits = { signal: control.signal, timeout: LONGEST_CONTROL };
    const ended = guard.running.begin(control, iq.signal);
    try {
      await withDeadline(clock, limits, "control", async (signal) => {
        onAbort(signal, () => (stopped = progress.map((one) => ({ ...one, done: [...one.done] }))));
        await control.refresh();
        const asked = new IncomingRequest(iq.from, tokens);
        const done = (): readonly string[] => namesDone(progress);
        const command = { from: iq.from.bare, signal, permission: control, request: asked, done };
        // Rights first: who may not control does not learn what there is to control.
        const plan = checked(devices, request, control.grants);
        progress.push(...plan.map(({ device }) => ({ node: nodeOf(device), setting: undefined, done: [] })));
        await fewAtOnce(plan.entries(), MOST_AT_ONCE, ([index, { device, settings }]) =>
          handOf(device).set(settings, command, progress[index] as Progress),
        );
      });
    } catch (error) {
      if (error instanceof TimeoutError) refuseLate(stopped, onFault);
      else if (error instanceof Refusal && error === control.signal.reason) refuseEnded(stopped, error);
      else throw withDone(error, namesDone(progress));
    } finally {
      ended();
    }
    if (stopped.every(({ done }) => done.length === 0)) throw new Refusal("forbidden", "Access denied.");
    return { payload: whatWasDone(request, devices, stopped) };
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

/** What is to be set of one device. */
interface Plan {
  readonly device: ControlDevice;
  readonly settings: readonly Setting[];
}

/**
 * What is to be set: what is allowed, all of it checked on all nodes before any of it is done (XEP-0325 3.4.3). What is
 * not allowed is left out (P-3.4.2-6, P-3.4.3-4), whether it exists or not; if nothing is left it is a no (P-E19).
 */
function checked(
  devices: Devices<ControlDevice>,
  { nodes, parameters }: SetRequest,
  grants: readonly Grant[],
): readonly Plan[] {
  const { found, unknown } = devicesMeant(devices, nodes);
  if (found.size === 0) throw new Refusal("item-not-found", "No such node.");
  // A concentrator of which nothing can be set is not told to without saying which node; as for readouts.
  if (nodes.length === 0 && [...found].every(({ control = [] }) => control.length === 0)) {
    throw new Refusal("bad-request", "Name a node.");
  }
  if (found.size > MOST_DEVICES) throw new Refusal("not-acceptable", "Name fewer nodes.");
  const granted = grantsByNode(grants);
  const allowed = [...found].flatMap((device) => {
    const node = nodeOf(device);
    const reaching = granted(node);
    const some = parameters.filter(({ name }) => permitsControl(reaching, { node, name }));
    return some.length === 0 ? [] : [{ device, some, known: knownOf(device) }];
  });
  if (allowed.length === 0) throw new Refusal("forbidden", "Access denied.");
  if (unknown.some((reference) => granted(reference).length > 0)) throw new Refusal("item-not-found", "No such node.");
  const strange = allowed.flatMap(({ some, known }) => some.filter(({ name }) => !known.has(name)));
  if (strange.length > 0) throw problems("item-not-found", namesOf(strange), "No such parameter.");
  const odd = allowed.flatMap(({ some }) => some.filter(({ kind }) => kind !== "boolean"));
  if (odd.length > 0) throw problems("bad-request", namesOf(odd), "Invalid parameter type.");
  return allowed.map(({ device, some, known }) => ({
    device,
    settings: some.flatMap(({ name, value }) => {
      const parameter = known.get(name);
      return parameter === undefined || typeof value !== "boolean" ? [] : [{ parameter, value }];
    }),
  }));
}

const knownOf = ({ control = [] }: ControlDevice): ReadonlyMap<string, ControlParameter> =>
  new Map(control.map((parameter) => [parameter.name, parameter]));

const namesOf = (parameters: readonly { readonly name: string }[]): readonly string[] =>
  parameters.map(({ name }) => name);

/** An error about parameters (XEP-0325 3.1.3, 5.1). */
function problems(condition: "bad-request" | "item-not-found", names: readonly string[], text: string): Refusal {
  return new Refusal(
    condition,
    text,
    [...new Set(names)].map((name) => ({ name, text })),
  );
}

/** An error of a device, with what was set before it, also on others. */
function withDone(error: unknown, done: readonly string[]): unknown {
  const [failed] = error instanceof Refusal ? error.parameters : [];
  if (!(error instanceof Refusal) || failed === undefined || done.length === 0) return error;
  return problem(error.condition, failed.name, failed.text, done);
}

/** What was set, as people read it. */
const namesDone = (progress: readonly Progress[]): readonly string[] =>
  progress.flatMap(({ node, done }) => done.map((name) => namingOf(node, name)));

/** The devices that were being set when it was stopped. */
const beingSet = (progress: readonly Progress[]): readonly { readonly node: NodeRef; readonly name: string }[] =>
  progress.flatMap(({ node, setting }) => (setting === undefined ? [] : [{ node, name: setting }]));

/**
 * Time has run out: what was not begun by now never will be. Returns if that is all there is to say, and something was
 * done; throws what the caller must hear otherwise.
 */
function refuseLate(progress: readonly Progress[], onFault: ControlResponderOptions["onFault"]): void {
  const [first, ...others] = beingSet(progress);
  const done = namesDone(progress);
  if (first !== undefined) {
    for (const { node, name } of [first, ...others])
      onFault("control", `setting ${namingOf(node, `"${name}"`)} took too long`);
    throw problem("internal-server-error", first.name, "It took too long: it may be set, or not.", done);
  }
  if (done.length > 0) return;
  throw new Refusal("resource-constraint", "There was no time left for it; nothing was set. Try again later.");
}

/** The right to it was taken back: what was not begun by now never will be. As {@link refuseLate}. */
function refuseEnded(progress: readonly Progress[], why: Refusal): void {
  const [first] = beingSet(progress);
  const done = namesDone(progress);
  if (first !== undefined) throw problem(why.condition, first.name, `${why.text} It may be set, or not.`, done);
  if (done.length === 0) throw why;
}

/** P-3.4.2-7: the caller is told what was done where that is less than was asked for. */
function whatWasDone(
  { nodes, parameters }: SetRequest,
  devices: Devices<ControlDevice>,
  progress: readonly Progress[],
): XmlElement {
  const { found, unknown } = devicesMeant(devices, nodes);
  const { nodes: done, parameters: names } = largestDone(progress);
  return buildSetResponse({
    nodes: done.length === found.size && unknown.length === 0 ? [] : done,
    parameters: names.length === parameters.length ? [] : names,
  });
}

/**
 * A response can only say that all of some parameters were set on all of some nodes (XEP-0325 3.1.2). Where more was done
 * than can be said so, as when several servers grant different things, the largest such part is told: nothing is
 * acknowledged that was not done.
 */
function largestDone(progress: readonly Progress[]): SetResponse {
  let best: SetResponse = { nodes: [], parameters: [] };
  for (const parameters of new Map(progress.map(({ done }) => [JSON.stringify(done), done])).values()) {
    const nodes = progress.filter(({ done }) => parameters.every((name) => done.includes(name)));
    if (nodes.length * parameters.length <= best.nodes.length * best.parameters.length) continue;
    best = { nodes: nodes.map(({ node }) => node), parameters };
  }
  return best;
}
