// XEP-0323 3.1 to 3.3 on the Thing: req -> guard -> accepted and fields, or forbidden.
import type { Clock } from "../core/clock.ts";
import type { Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { buildAccepted, parseReq, type ReadRequest } from "../codec/sensor-data.ts";
import type { XmlElement } from "../codec/xml.ts";
import { parseXs } from "../codec/xs-values.ts";
import type { Channel } from "../channel/channel.ts";
import type { IqReply } from "../channel/router.ts";
import { devicesBelow, devicesMeant, nodeOf, type Device, type Devices } from "../provisioning/devices.ts";
import { grantsByNode, type Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { SensorDefinition } from "./definition.ts";
import type { NodePart, Wanted } from "./node-readout.ts";
import { allowedFields, wantedFields } from "./readout.ts";
import { Readout } from "./running-readout.ts";

/** A device, and what can be read of it. */
export interface SensorDevice extends Device {
  /** What can be read; left out if nothing can. */
  readonly sensor?: SensorDefinition;
}

/** What answers readouts is made of. */
export interface SensorResponderOptions {
  /** Where requests come in and fields go out. */
  readonly channel: Channel;
  /** Who may read. */
  readonly guard: Guard;
  /** What can be read. */
  readonly devices: Devices<SensorDevice>;
  /** Time, also that of the fields. */
  readonly clock: Clock;
  /** Background trouble: the sensor failed, or got something wrong. */
  readonly onFault: (code: "sensor", message: string, cause?: unknown) => void;
}

// A sensor that is as quick as most answers in the same packet as `accepted`; a slower one is not waited for there.
// Short enough for the handler's time also after the guard has taken all of its own.
const SAME_WRITE = 500;
const MOST_SLOW_READOUTS = 32;
// What may be named in one request: so many nodes and fields, so many characters in all. It is asked on as it is, and a
// server with a small bound would end the stream of a Thing that sends more, at a stranger's wish.
const MOST_NAMES = 1_000;
const MOST_CHARACTERS = 16_384;
// What one request may have read: a reference can mean several nodes, and those below them.
const MOST_DEVICES = 1_000;
const MOST_IN_ONE_WRITE = 8;

/** Answers `req` on the Thing. */
export function answerReadouts(options: SensorResponderOptions): void {
  const { guard, devices } = options;
  let slow = 0;
  options.channel.router.onIq(ns.sensorData, "req", async ({ from, payload, signal, stream }) => {
    const request = parseReq(payload);
    const { epoch } = guard;
    const granted = await decide(options, request, from, signal);
    const { found } = devicesMeant(devices, request.nodes);
    if (found.size === 0) throw new Refusal("item-not-found", "No such node.");
    // A concentrator that is no sensor itself is not read without saying which node (XEP-0323 3.3).
    if ([...found].every(({ node, sensor }) => node === undefined && sensor === undefined)) {
      throw new Refusal("bad-request", "Name a node.");
    }
    if (request.when !== undefined) throw new Refusal("feature-not-implemented", "Readouts cannot be scheduled.");
    if (slow >= MOST_SLOW_READOUTS) throw new Refusal("resource-constraint", "Too many readouts at once.");
    const below = devicesBelow(devices, found, MOST_DEVICES);
    if (found.size + below.length > MOST_DEVICES) throw new Refusal("not-acceptable", "Name fewer nodes.");
    const implied = notReached(below, granted);
    const grants = [...granted, ...(await decideBelow(options, request, implied, from, signal))];
    const parts = partsOf([...found, ...below], request, grants);
    const ask = async (until: AbortSignal): Promise<readonly Grant[]> => {
      const first = await decide(options, request, from, until);
      return [...first, ...(await decideBelow(options, request, implied, from, until))];
    };
    const { seqnr, tokens } = request;
    const readout = new Readout({
      ...options,
      from,
      seqnr,
      parts,
      epoch,
      ask,
      stream,
      request: new IncomingRequest(from, tokens),
      wanted: wantedOf(request),
    });
    slow++;
    void readout.done.then(() => slow--);
    return reply(options, readout, seqnr, stream);
  });
}

function wantedOf({ types, from, to }: ReadRequest): Wanted {
  const ms = (text: string): number => parseXs("dateTime", text).value;
  return { types, ...(from !== undefined && { from: ms(from) }), ...(to !== undefined && { to: ms(to) }) };
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
  { guard }: SensorResponderOptions,
  request: ReadRequest,
  from: Jid,
  signal: AbortSignal,
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
  options: SensorResponderOptions,
  request: ReadRequest,
  nodes: readonly NodeRef[],
  from: Jid,
  signal: AbortSignal,
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

async function reply(
  { channel, clock, guard }: SensorResponderOptions,
  readout: Readout,
  seqnr: number,
  stream: AbortSignal,
): Promise<IqReply> {
  const accepted = buildAccepted({ seqnr });
  const { jid } = channel;
  const ended = guard.running.begin(readout, stream);
  // Rights may have been taken back while they were asked for.
  if (readout.isStale) readout.recheck();
  await isWithin(clock, SAME_WRITE, readout.done);
  // One write, one packet: with two the second waits for the acknowledgement of the first, 44 ms instead of 0.6.
  const followedBy: XmlElement[] = [];
  while (readout.hasMore && !readout.isStale && followedBy.length < MOST_IN_ONE_WRITE) followedBy.push(readout.take());
  if (readout.isTold) {
    ended();
    return { payload: accepted, followedBy };
  }
  const finish = async (): Promise<void> => {
    while (!readout.isTold) {
      await readout.more();
      // What is read soon after goes along; what takes longer holds nothing up.
      await isWithin(clock, SAME_WRITE, readout.done);
      while (readout.hasMore) {
        // From the last look to the write nothing is waited for: no clearCache comes between.
        while (readout.isStale) await readout.refresh();
        // What was granted on a stream is not told on the next one: the rules may have changed in between.
        if (channel.jid !== jid) return;
        await channel.send(readout.take());
      }
    }
  };
  return {
    payload: accepted,
    followedBy,
    afterwards: () =>
      void finish()
        .catch(() => undefined)
        .finally(ended),
  };
}

/** Whether a promise that never rejects resolves within so many milliseconds. */
function isWithin(clock: Clock, ms: number, promise: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.schedule(ms, () => resolve(false));
    void promise.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}
