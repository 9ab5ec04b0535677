// XEP-0323 3.1 to 3.3 on the Thing: req -> guard -> accepted and fields, or forbidden.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError, messageOf } from "../core/errors.ts";
import type { Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import { THE_THING, meanTheThing } from "../codec/node-ref.ts";
import { buildAccepted, buildFailure, buildFields, parseReq, type ReadRequest } from "../codec/sensor-data.ts";
import { message } from "../codec/stanza.ts";
import { isXmlText, type XmlElement } from "../codec/xml.ts";
import type { Channel } from "../channel/channel.ts";
import type { IqReply } from "../channel/router.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { FieldDefinition, SensorDefinition } from "./definition.ts";
import { allowedFields, readOut, wantedFields } from "./readout.ts";

/** What answers readouts is made of. */
export interface SensorResponderOptions {
  /** Where requests come in and fields go out. */
  readonly channel: Channel;
  /** Who may read. */
  readonly guard: Guard;
  /** What can be read. */
  readonly sensor: SensorDefinition;
  /** Time, also that of the fields. */
  readonly clock: Clock;
  /** Background trouble: the sensor failed, or got something wrong. */
  readonly onFault: (code: "sensor", message: string, cause?: unknown) => void;
}

// A sensor that is as quick as most answers in the same packet as `accepted`; a slower one is not waited for there.
// Short enough for the handler's time also after the guard has taken all of its own.
const SAME_WRITE = 500;
const LONGEST_READOUT = 30_000;
const MOST_SLOW_READOUTS = 32;
// What may be named in one request: so many nodes and fields, so many characters in all. It is asked on as it is, and a
// server with a small bound would end the stream of a Thing that sends more, at a stranger's wish.
const MOST_NAMES = 1_000;
const MOST_CHARACTERS = 16_384;

/** Answers `req` on the Thing. */
export function answerReadouts(options: SensorResponderOptions): void {
  let slow = 0;
  options.channel.router.onIq(ns.sensorData, "req", async ({ from, payload, signal, stream }) => {
    const request = parseReq(payload);
    const { epoch } = options.guard;
    const grants = await decide(options, request, from, signal);
    if (!meanTheThing(request.nodes)) throw new Refusal("item-not-found", "No such node.");
    if (request.when !== undefined) throw new Refusal("feature-not-implemented", "Readouts cannot be scheduled.");
    if (slow >= MOST_SLOW_READOUTS) throw new Refusal("resource-constraint", "Too many readouts at once.");
    const wanted = wantedFields(options.sensor.fields, request);
    const allowed = allowedFields(wanted, grants);
    // What was granted may be another node, or a field this Thing does not have: nothing left is a no (P-E19).
    if (wanted.length > 0 && allowed.size === 0) throw new Refusal("forbidden", "Access denied.");
    const parts = readFields(options, request, allowed, from, stream);
    slow++;
    void parts.finally(() => slow--);
    return reply(options, request, from, parts, epoch, () =>
      stillAllowed(options, request, allowed, from, stream, epoch),
    );
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
  request: ReadRequest,
  from: Jid,
  parts: Promise<XmlElement>,
  epoch: number,
  allowed: () => Promise<boolean>,
): Promise<IqReply> {
  const accepted = buildAccepted({ seqnr: request.seqnr });
  const quick = await within(clock, SAME_WRITE, parts);
  // One write, one packet: with two the second waits for the acknowledgement of the first, 44 ms instead of 0.6.
  if (quick !== undefined && guard.epoch === epoch) return { payload: accepted, followedBy: [quick] };
  const stream = channel.jid;
  const send = async (part: XmlElement): Promise<void> => {
    const isAllowed = await allowed();
    // What was granted on a stream is not told on the next one: the rules may have changed in between.
    if (channel.jid === stream)
      await channel.send(isAllowed ? part : failure(request, from.full, "Access denied.", clock));
  };
  return { payload: accepted, afterwards: () => void parts.then(send).catch(() => undefined) };
}

/** Whether what was granted still is when a slow sensor has come to its end: a clearCache may have come meanwhile. */
async function stillAllowed(
  options: SensorResponderOptions,
  request: ReadRequest,
  read: ReadonlyMap<string, FieldDefinition>,
  from: Jid,
  stream: AbortSignal,
  epoch: number,
): Promise<boolean> {
  if (options.guard.epoch === epoch) return true;
  try {
    const grants = await decide(options, request, from, stream);
    return allowedFields([...read.values()], grants).size === read.size;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** The end of a readout that shows nothing. */
function failure({ seqnr }: ReadRequest, to: string, text: string, clock: Clock): XmlElement {
  const errors = [{ node: THE_THING, timestamp: timestamp(clock), text }];
  return message({ to }, buildFailure({ seqnr, done: true, errors }));
}

const timestamp = (clock: Clock): string => new Date(clock.now()).toISOString();

/** What a promise that never rejects resolves to within so many milliseconds; `undefined` if it takes longer. */
function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = clock.schedule(ms, () => resolve(undefined));
    void promise.then((value) => {
      timer.cancel();
      resolve(value);
    });
  });
}

/** The message that answers a readout: fields, or what went wrong. Never rejects. */
async function readFields(
  { sensor, clock, onFault }: SensorResponderOptions,
  request: ReadRequest,
  allowed: ReadonlyMap<string, FieldDefinition>,
  from: Jid,
  stream: AbortSignal,
): Promise<XmlElement> {
  try {
    const fields = await withDeadline(clock, { timeout: LONGEST_READOUT, signal: stream }, "the sensor", (signal) =>
      readOut(sensor, allowed, signal, (problem) => onFault("sensor", problem)),
    );
    const groups = fields.length === 0 ? [] : [{ node: THE_THING, timestamp: timestamp(clock), fields }];
    return message({ to: from.full }, buildFields({ seqnr: request.seqnr, done: true, groups }));
  } catch (error) {
    // Nobody waits any more: not the sensor's fault.
    if (!(error instanceof Refusal) && !stream.aborted)
      onFault("sensor", `the readout failed: ${messageOf(error)}`, error);
    return failure(request, from.full, failureText(error), clock);
  }
}

/** What the reader is told: the device's own words only when it chose them for the wire. */
function failureText(error: unknown): string {
  // A text that XML cannot hold would keep the whole message from being sent.
  if (error instanceof Refusal && error.text !== "" && isXmlText(error.text)) return error.text;
  return error instanceof TimeoutError ? "Timeout." : "The readout failed.";
}
