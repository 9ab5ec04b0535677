// XEP-0323 3.1 to 3.3 on the Thing: req -> guard -> accepted and fields, or forbidden.
import type { Clock } from "../core/clock.ts";
import type { Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import { THE_THING, meanTheThing } from "../codec/node-ref.ts";
import { buildAccepted, parseReq, type ReadRequest } from "../codec/sensor-data.ts";
import type { Channel } from "../channel/channel.ts";
import type { IqReply } from "../channel/router.ts";
import type { Device, Devices } from "../provisioning/devices.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { SensorDefinition } from "./definition.ts";
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

/** Answers `req` on the Thing. */
export function answerReadouts(options: SensorResponderOptions): void {
  const { guard, devices, clock, onFault } = options;
  let slow = 0;
  options.channel.router.onIq(ns.sensorData, "req", async ({ from, payload, signal, stream }) => {
    const request = parseReq(payload);
    const { epoch } = guard;
    const grants = await decide(options, request, from, signal);
    if (!meanTheThing(request.nodes)) throw new Refusal("item-not-found", "No such node.");
    const sensor = devices.fitting(THE_THING)[0]?.sensor;
    // A concentrator that is no sensor itself is not read without saying which node (XEP-0323 3.3).
    if (sensor === undefined) throw new Refusal("bad-request", "Name a node.");
    if (request.when !== undefined) throw new Refusal("feature-not-implemented", "Readouts cannot be scheduled.");
    if (slow >= MOST_SLOW_READOUTS) throw new Refusal("resource-constraint", "Too many readouts at once.");
    const wanted = wantedFields(sensor.fields, request);
    const allowed = allowedFields(wanted, grants);
    // What was granted may be another node, or a field this Thing does not have: nothing left is a no (P-E19).
    if (wanted.length > 0 && allowed.size === 0) throw new Refusal("forbidden", "Access denied.");
    const { seqnr } = request;
    const ask = (until: AbortSignal): Promise<readonly Grant[]> => decide(options, request, from, until);
    const carried = new IncomingRequest(from, request.tokens);
    const parts = { guard, sensor, clock, onFault, request: carried };
    const readout = new Readout({ ...parts, from, seqnr, allowed, epoch, ask, stream });
    slow++;
    void readout.done.then(() => slow--);
    return reply(options, readout, seqnr, stream);
  });
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
  if (nodes.length + fields.length > MOST_NAMES || charactersOf(request) > MOST_CHARACTERS) {
    throw new Refusal("not-acceptable", "Name fewer nodes and fields.");
  }
  const decision = await guard.decide({ kind: "read", jid: from.bare, tokens, types, nodes, fields }, signal, from);
  if (decision.outcome === "granted") return decision.grants;
  // A no is told apart from "nobody could be asked": the reader may try that one again (P-E28).
  if (decision.outcome === "refused") throw new Refusal("forbidden", "Access denied.");
  throw new Refusal("resource-constraint", "Nobody could be asked whether you may read. Try again later.");
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
  const isQuick = await isWithin(clock, SAME_WRITE, readout.done);
  // One write, one packet: with two the second waits for the acknowledgement of the first, 44 ms instead of 0.6.
  if (isQuick && !readout.isStale) {
    ended();
    return { payload: accepted, followedBy: [readout.message()] };
  }
  const finish = async (): Promise<void> => {
    await readout.done;
    // From the last look to the write nothing is waited for: no clearCache comes between.
    while (readout.isStale) await readout.refresh();
    // What was granted on a stream is not told on the next one: the rules may have changed in between.
    if (channel.jid === jid) await channel.send(readout.message());
  };
  return {
    payload: accepted,
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
