// What a request to set, or for a control form, reaches: XEP-0324 3.4.2, 3.4.3, XEP-0325 3.4, 5.1.
import { Refusal } from "../core/refusal.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";
import { devicesMeant, nodeOf, type Device, type Devices } from "../provisioning/devices.ts";
import { grantsByNode, permitsControl, type Grant } from "../provisioning/grants.ts";
import type { ControlParameter } from "./definition.ts";

/** A device, and what can be set of it. */
export interface ControlDevice extends Device {
  /** What can be set; left out if nothing can. */
  readonly control?: readonly ControlParameter[];
}

// What may be named in one request: so many nodes and parameters, so many characters in all. As for readouts: it is asked
// on as it is.
const MOST_NAMES = 1_000;
const MOST_CHARACTERS = 16_384;
// A reference can mean several nodes.
const MOST_DEVICES = 1_000;

/** Tells whether a request names more than may be asked on. */
export function namesTooMuch(tokens: Tokens, nodes: readonly NodeRef[], names: readonly string[] = []): boolean {
  return nodes.length + names.length > MOST_NAMES || JSON.stringify([tokens, nodes, names]).length > MOST_CHARACTERS;
}

/** A device of which something is allowed, and what. */
export interface Reached<T> {
  readonly device: ControlDevice;
  readonly allowed: readonly T[];
}

/**
 * The devices that are meant, each with what is allowed of it. Throws `Refusal` for what is not there, and where nothing is
 * allowed, whether it exists or not (P-E19): whoever may set nothing does not learn either what there is.
 *
 * @param of what is asked for of a device, by its name
 */
export function reached<T extends { readonly name: string }>(
  devices: Devices<ControlDevice>,
  nodes: readonly NodeRef[],
  grants: readonly Grant[],
  of: (device: ControlDevice) => readonly T[],
): readonly Reached<T>[] {
  const { found, unknown } = devicesMeant(devices, nodes);
  if (found.size === 0) throw new Refusal("item-not-found", "No such node.");
  // A concentrator of which nothing can be set is not told to without saying which node; as for readouts.
  if (nodes.length === 0 && [...found].every(({ control = [] }) => control.length === 0)) {
    throw new Refusal("bad-request", "Name a node.");
  }
  if (found.size > MOST_DEVICES) throw new Refusal("not-acceptable", "Name fewer nodes.");
  const granted = grantsByNode(grants);
  const all = [...found].flatMap((device): readonly Reached<T>[] => {
    const node = nodeOf(device);
    const reaching = granted(node);
    const allowed = of(device).filter(({ name }) => permitsControl(reaching, { node, name }));
    return allowed.length === 0 ? [] : [{ device, allowed }];
  });
  if (all.length === 0) throw new Refusal("forbidden", "Access denied.");
  if (unknown.some((reference) => granted(reference).length > 0)) throw new Refusal("item-not-found", "No such node.");
  return all;
}
