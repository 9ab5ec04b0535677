// What the caller of a control is told when it has come to its end, or was stopped: XEP-0325 3.1.2, 3.1.3, P-3.4.2-7.
import { Refusal } from "../core/refusal.ts";
import type { SetResponse } from "../codec/control.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { XmlElement } from "../codec/xml.ts";
import { devicesMeant, type Device, type Devices } from "../provisioning/devices.ts";
import { fittingResponse } from "./answer-size.ts";
import { TOO_LONG, namingOf, problem, type Progress } from "./actuator.ts";

/** An error of a device, with what was set before it, also on others. */
export function withDone(error: unknown, done: readonly string[]): unknown {
  const [failed] = error instanceof Refusal ? error.parameters : [];
  if (!(error instanceof Refusal) || failed === undefined || done.length === 0) return error;
  return problem(error.condition, failed.name, failed.text, done);
}

/** What was set, as people read it. */
export const namesDone = (progress: readonly Progress[]): readonly string[] =>
  progress.flatMap(({ node, done }) => done.map((name) => namingOf(node, name)));

/** The devices that were being set when it was stopped. */
const beingSet = (progress: readonly Progress[]): readonly { readonly node: NodeRef; readonly name: string }[] =>
  progress.flatMap(({ node, setting }) => (setting === undefined ? [] : [{ node, name: setting }]));

/**
 * Time has run out: what was not begun by now never will be. Returns if that is all there is to say, and something was
 * done; throws what the caller must hear otherwise.
 */
export function refuseLate(progress: readonly Progress[], onFault: (code: "control", message: string) => void): void {
  const [first, ...others] = beingSet(progress);
  const done = namesDone(progress);
  if (first !== undefined) {
    for (const { node, name } of [first, ...others])
      onFault("control", `setting ${namingOf(node, `"${name}"`)} took too long`);
    throw problem("internal-server-error", first.name, TOO_LONG, done);
  }
  if (done.length > 0) return;
  throw new Refusal("resource-constraint", "There was no time left for it; nothing was set. Try again later.");
}

/** The right to it was taken back: what was not begun by now never will be. As {@link refuseLate}. */
export function refuseEnded(progress: readonly Progress[], why: Refusal): void {
  const [first] = beingSet(progress);
  const done = namesDone(progress);
  if (first !== undefined) throw problem(why.condition, first.name, `${why.text} It may be set, or not.`, done);
  if (done.length === 0) throw why;
}

/** What was asked for. */
export interface Asked {
  /** On which nodes. */
  readonly nodes: readonly NodeRef[];
  /** Which parameters, each once. */
  readonly names: readonly string[];
}

/** P-3.4.2-7: the caller is told what was done where that is less than was asked for. */
export function whatWasDone(
  { nodes, names }: Asked,
  devices: Devices<Device>,
  progress: readonly Progress[],
): XmlElement {
  const { found, unknown } = devicesMeant(devices, nodes);
  const { nodes: done, parameters } = largestDone(progress);
  return fittingResponse({
    nodes: done.length === found.size && unknown.length === 0 ? [] : done,
    parameters: parameters.length === names.length ? [] : parameters,
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
