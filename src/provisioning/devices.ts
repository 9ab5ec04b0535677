// What can be read and controlled behind one address: the Thing itself, and the nodes of a concentrator (XEP-0324 5.5,
// XEP-0323 5.8, 5.9).
import { THE_THING, refersTo, type NodeRef } from "../codec/node-ref.ts";

/** The Thing itself, or a node behind it. */
export interface Device {
  /** Which node; left out for the Thing itself. */
  readonly node?: NodeRef;
  /** The id of the node above it, in the same source. Left out: there is none. */
  readonly parentId?: string;
}

/** The devices behind one address. Each is the same object every time, so long as it is there. */
export interface Devices<D extends Device> {
  /**
   * All that a reference means: what it leaves out may be anything (P-5.5-3). A reference of an empty id means the Thing
   * itself. Nothing for a node that is not there.
   */
  fitting(reference: NodeRef): readonly D[];
  /** The nodes right below a node (XEP-0323 5.8); none below the Thing itself. */
  childrenOf(device: D): readonly D[];
}

/** How a device is named on the wire: a Thing that is no concentrator is a node of an empty id. */
export function nodeOf(device: Device): NodeRef {
  return device.node ?? THE_THING;
}

/** The devices that a request means, each once, in the order in which it names them; and the references that mean none. */
export function devicesMeant<D extends Device>(
  devices: Devices<D>,
  references: readonly NodeRef[],
): { readonly found: ReadonlySet<D>; readonly unknown: readonly NodeRef[] } {
  const found = new Set<D>();
  const unknown: NodeRef[] = [];
  // A request without nodes means the Thing itself (XEP-0323 3.1).
  for (const reference of references.length === 0 ? [THE_THING] : references) {
    const fitting = devices.fitting(reference);
    if (fitting.length === 0) unknown.push(reference);
    for (const device of fitting) found.add(device);
  }
  return { found, unknown };
}

/** All nodes below some (XEP-0323 5.8), without those; at most so many. A node that stands above itself is met once. */
export function devicesBelow<D extends Device>(devices: Devices<D>, above: ReadonlySet<D>, most: number): readonly D[] {
  const met = new Set(above);
  // A set is gone through to its end also while it grows.
  for (const device of met) {
    for (const child of devices.childrenOf(device)) {
      if (met.size - above.size >= most) return [...met].slice(above.size);
      met.add(child);
    }
  }
  return [...met].slice(above.size);
}

/** Devices that come and go, found by what is said of them without looking at all of them. */
export class DeviceIndex<D extends Device> implements Devices<D> {
  readonly #byId = new Map<string, D[]>();
  readonly #byParent = new Map<string, D[]>();

  constructor(devices: Iterable<D> = []) {
    for (const device of devices) this.add(device);
  }

  /** Adds one. That no other has the same name is for the caller to see to. */
  add(device: D): void {
    append(this.#byId, nodeOf(device).nodeId, device);
    const above = parentKey(device);
    if (above !== undefined) append(this.#byParent, above, device);
  }

  /** Takes one out; the same object that was added. */
  delete(device: D): void {
    remove(this.#byId, nodeOf(device).nodeId, device);
    const above = parentKey(device);
    if (above !== undefined) remove(this.#byParent, above, device);
  }

  fitting(reference: NodeRef): readonly D[] {
    return (this.#byId.get(reference.nodeId) ?? []).filter((device) => refersTo(reference, nodeOf(device)));
  }

  childrenOf({ node }: D): readonly D[] {
    return node === undefined ? [] : (this.#byParent.get(keyOf(node.sourceId, node.nodeId)) ?? []);
  }
}

const keyOf = (sourceId: string | undefined, nodeId: string): string => JSON.stringify([sourceId ?? "", nodeId]);

const parentKey = ({ node, parentId }: Device): string | undefined =>
  parentId === undefined ? undefined : keyOf(node?.sourceId, parentId);

function append<D>(lists: Map<string, D[]>, key: string, device: D): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [device]);
  else list.push(device);
}

function remove<D>(lists: Map<string, D[]>, key: string, device: D): void {
  const rest = (lists.get(key) ?? []).filter((one) => one !== device);
  if (rest.length === 0) lists.delete(key);
  else lists.set(key, rest);
}
