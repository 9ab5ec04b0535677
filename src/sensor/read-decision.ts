// What of a request to read is allowed: XEP-0323 3.3, 5.8, XEP-0324 3.3. The guard is asked before anything is said.
import type { Jid } from "../core/jid.ts";
import type { AbortNotice } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { ReadRequest } from "../codec/sensor-data.ts";
import { devicesBelow, devicesMeant, nodeOf, type Device, type Devices } from "../provisioning/devices.ts";
import { grantsByNode, type Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { SensorDefinition } from "./definition.ts";
import type { NodePart } from "./node-readout.ts";
import { allowedFields, wantedFields } from "./readout.ts";

/** A device, and what can be read of it. */
export interface SensorDevice extends Device {
  /** What can be read; left out if nothing can. */
  readonly sensor?: SensorDefinition;
}

/** What may be read, and how to ask for it anew. */
export interface ReadDecision {
  readonly parts: readonly NodePart[];
  readonly epoch: number;
  /** Asks again what is granted. Rejects with a `Refusal` if nothing is. */
  readonly ask: (signal: AbortNotice) => Promise<readonly Grant[]>;
}

/** Who decides, and about what. */
export interface ReadDecisionOptions {
  readonly guard: Guard;
  readonly devices: Devices<SensorDevice>;
}

// What may be named in one request: so many nodes and fields, so many characters in all. It is asked on as it is, and a
// server with a small bound would end the stream of a Thing that sends more, at a stranger's wish.
const MOST_NAMES = 1_000;
const MOST_CHARACTERS = 16_384;
// What one request may have read: a reference can mean several nodes, and those below them.
const MOST_DEVICES = 1_000;

/** Decides about a request. Rejects with the `Refusal` that is to be sent if nothing of it is allowed, or there. */
export async function decideRead(
  options: ReadDecisionOptions,
  request: ReadRequest,
  from: Jid,
  signal: AbortNotice,
): Promise<ReadDecision> {
  const { guard, devices } = options;
  const { epoch } = guard;
  const granted = await decide(options, request, from, signal);
  const { found } = devicesMeant(devices, request.nodes);
  if (found.size === 0) throw new Refusal("item-not-found", "No such node.");
  // A concentrator that is no sensor itself is not read without saying which node (XEP-0323 3.3).
  if ([...found].every(({ node, sensor }) => node === undefined && sensor === undefined)) {
    throw new Refusal("bad-request", "Name a node.");
  }
  const below = devicesBelow(devices, found, MOST_DEVICES);
  if (found.size + below.length > MOST_DEVICES) throw new Refusal("not-acceptable", "Name fewer nodes.");
  const implied = notReached(below, granted);
  const grants = [...granted, ...(await decideBelow(options, request, implied, from, signal))];
  const ask = async (until: AbortNotice): Promise<readonly Grant[]> => {
    const first = await decide(options, request, from, until);
    return [...first, ...(await decideBelow(options, request, implied, from, until))];
  };
  return { parts: partsOf([...found, ...below], request, grants), epoch, ask };
}

/** The nodes below those that were named which are not granted with them: they are asked about by name (X-E6). */
function notReached(below: readonly SensorDevice[], grants: readonly Grant[]): readonly NodeRef[] {
  const granted = grantsByNode(grants);
  return below.map(nodeOf).filter((node) => granted(node).length === 0);
}

/** What is to be read. Rejects if nothing of what is wanted is granted (P-E19). */
function partsOf(
  devices: readonly SensorDevice[],
  request: ReadRequest,
  grants: readonly Grant[],
): readonly NodePart[] {
  const granted = grantsByNode(grants);
  const wanted = devices.flatMap((device) => {
    const { sensor } = device;
    const fields = sensor === undefined ? [] : wantedFields(sensor.fields, request);
    return sensor === undefined || fields.length === 0 ? [] : [{ node: nodeOf(device), sensor, fields }];
  });
  const parts = wanted.flatMap(({ node, sensor, fields }) => {
    const allowed = allowedFields(node, fields, granted(node));
    return allowed.size === 0 ? [] : [{ node, sensor, allowed }];
  });
  // What was granted may be another node, or a field that is not there: nothing left is a no.
  if (wanted.length > 0 && parts.length === 0) throw new Refusal("forbidden", "Access denied.");
  return parts;
}

/** Asks the guard; returns only if something is granted (XEP-0323 3.3, P-3.3.1-3). */
async function decide(
  { guard }: ReadDecisionOptions,
  request: ReadRequest,
  from: Jid,
  signal: AbortNotice,
): Promise<readonly Grant[]> {
  // Without any kind of field a request asks for nothing: all flags are false by default (XEP-0323 5.6).
  if (request.types.size === 0) throw new Refusal("bad-request", "Name at least one kind of field, or all.");
  const { tokens, types, nodes, fields } = request;
  // Bounds before the question, which goes out as long as the request is.
  if (nodes.length + fields.length > MOST_NAMES || charactersOf(request) > MOST_CHARACTERS) {
    throw new Refusal("not-acceptable", "Name fewer nodes and fields.");
  }
  const decision = await guard.decide({ kind: "read", jid: from.bare, tokens, types, nodes, fields }, signal, from);
  if (decision.outcome === "granted") return decision.grants;
  // A no is told apart from "nobody could be asked": the reader may try that one again (P-E28).
  if (decision.outcome === "refused") throw new Refusal("forbidden", "Access denied.");
  throw new Refusal("resource-constraint", "Nobody could be asked whether you may read. Try again later.");
}

/**
 * What is granted of the nodes below those that were named (XEP-0323 5.8): each of them must be granted itself (X-E6).
 * That none is leaves those that were named.
 */
async function decideBelow(
  options: ReadDecisionOptions,
  request: ReadRequest,
  nodes: readonly NodeRef[],
  from: Jid,
  signal: AbortNotice,
): Promise<readonly Grant[]> {
  if (nodes.length === 0) return [];
  try {
    return await decide(options, { ...request, nodes }, from, signal);
  } catch (error) {
    if (error instanceof Refusal && error.condition === "forbidden") return [];
    throw error;
  }
}

const charactersOf = ({ tokens, nodes, fields }: ReadRequest): number => JSON.stringify([tokens, nodes, fields]).length;
