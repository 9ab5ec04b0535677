// XEP-0323 3.1 to 3.7 on the Thing: req -> guard -> accepted and fields, now or later, or forbidden; cancel.
import { onAbort } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import type { Jid } from "../core/jid.ts";
import { LightAbort, type AbortNotice } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import {
  buildAccepted,
  buildCancelled,
  buildStarted,
  parseCancel,
  parseReq,
  type ReadRequest,
} from "../codec/sensor-data.ts";
import { message } from "../codec/stanza.ts";
import type { XmlElement } from "../codec/xml.ts";
import { parseXs } from "../codec/xs-values.ts";
import type { Channel } from "../channel/channel.ts";
import type { IqReply } from "../channel/router.ts";
import { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { Wanted } from "./definition.ts";
import { QueuedReadout, isToCome } from "./queued-readout.ts";
import { decideRead, type ReadDecision, type ReadDecisionOptions, type SensorDevice } from "./read-decision.ts";
import { ReadoutTable, type Entry } from "./readout-table.ts";
import { Readout } from "./running-readout.ts";

export type { SensorDevice };

/** What answers readouts is made of. */
export interface SensorResponderOptions extends ReadDecisionOptions {
  /** Where requests come in and fields go out. */
  readonly channel: Channel;
  /** Time, also that of the fields. */
  readonly clock: Clock;
  /** Background trouble: the sensor failed, or got something wrong. */
  readonly onFault: (code: "sensor", message: string, cause?: unknown) => void;
}

/** A request, and who sent it. */
interface Asked {
  readonly options: SensorResponderOptions;
  readonly request: ReadRequest;
  readonly from: Jid;
  readonly entry: Entry;
}

// A sensor that is as quick as most answers in the same packet as `accepted`; a slower one is not waited for there.
// Short enough for the handler's time also after the guard has taken all of its own to answer one question.
const SAME_WRITE = 500;
const MOST_IN_ONE_WRITE = 8;

/** Answers `req` and `cancel` on the Thing. */
export function answerReadouts(options: SensorResponderOptions): void {
  const { router } = options.channel;
  const table = new ReadoutTable();
  router.onIq(ns.sensorData, "req", async ({ from, payload, signal, stream }) => {
    const request = parseReq(payload);
    const entry = table.enter(from, request.seqnr, stream);
    const asked = { options, request, from, entry };
    try {
      const decision = await decideRead(options, request, from, signal);
      const when = request.when === undefined ? 0 : msOf(request.when);
      return await (isToCome(options.clock, when)
        ? queue(asked, decision, when)
        : begin(asked, decision, stream, signal));
    } catch (error) {
      entry.leave();
      throw error;
    }
  });
  // Only who asked for a readout finds it: others have numbers of their own (XEP-0323 3.7).
  router.onIq(ns.sensorData, "cancel", ({ from, payload }) => {
    const { seqnr } = parseCancel(payload);
    const entry = table.find(from, seqnr);
    if (entry === undefined) throw new Refusal("item-not-found", "No such readout.");
    entry.cancel();
    return { payload: buildCancelled({ seqnr }) };
  });
}

const msOf = (text: string): number => parseXs("dateTime", text).value;

function wantedOf({ types, from, to }: ReadRequest): Wanted {
  return { types, ...(from !== undefined && { from: msOf(from) }), ...(to !== undefined && { to: msOf(to) }) };
}

function readoutOf(
  { options, request, from }: Asked,
  decision: ReadDecision,
  stream: AbortNotice,
  refused?: Refusal,
): Readout {
  const { guard, clock, onFault } = options;
  return new Readout({
    ...{ guard, clock, onFault, from, stream, ...decision, seqnr: request.seqnr },
    request: new IncomingRequest(from, request.tokens),
    wanted: wantedOf(request),
    ...(refused !== undefined && { refused }),
  });
}

/** Reads now (XEP-0323 3.1). */
async function begin(asked: Asked, decision: ReadDecision, stream: AbortNotice, signal: AbortNotice): Promise<IqReply> {
  const { options, request, entry } = asked;
  if (!entry.hasRoom("slow")) throw tooMany();
  const readout = readoutOf(asked, decision, stream);
  entry.onCancel(() => readout.cancel());
  const unlist = options.guard.running.begin(readout, stream);
  const ended = (): void => {
    unlist();
    readout.cancel();
    entry.leave();
  };
  // It may have taken long to find out what is allowed: who is told that time is up is sent nothing of it any more.
  onAbort(signal, ended);
  // Rights may have been taken back while they were asked for.
  if (readout.isStale) readout.recheck();
  await worthIt(options.clock, readout);
  signal.throwIfAborted();
  // One write, one packet: with two the second waits for the acknowledgement of the first, 44 ms instead of 0.6.
  const followedBy: XmlElement[] = [];
  while (readout.hasMore && readout.isWorth && !readout.isStale && followedBy.length < MOST_IN_ONE_WRITE) {
    followedBy.push(...taken(readout));
  }
  const payload = buildAccepted({ seqnr: request.seqnr });
  if (readout.isTold) {
    ended();
    return { payload, followedBy };
  }
  if (!entry.hasRoom("slow")) {
    ended();
    throw tooMany();
  }
  entry.stage = "slow";
  const { jid } = options.channel;
  return { payload, followedBy, afterwards: () => void tellRest(options, readout, jid).finally(ended) };
}

const tooMany = (): Refusal => new Refusal("resource-constraint", "Too many readouts at once.");

const isTold = (readout: Readout): boolean => readout.isTold;

const taken = (readout: Readout): readonly XmlElement[] => {
  const stanza = readout.take();
  return stanza === undefined ? [] : [stanza];
};

/** Tells all that is not told yet, as it comes: the next is read while one is sent, and no more than that. Never rejects. */
async function tellRest(
  { channel, clock }: SensorResponderOptions,
  readout: Readout,
  jid: Jid | undefined,
  first: readonly XmlElement[] = [],
): Promise<void> {
  let before = first;
  try {
    while (!isTold(readout)) {
      await readout.more();
      // What is read soon after goes along; what takes longer holds nothing up.
      await worthIt(clock, readout);
      // From the last look to the write nothing is waited for: no clearCache comes between.
      while (readout.isStale) await readout.refresh();
      // What was granted on a stream is not told on the next one: the rules may have changed in between.
      if (isTold(readout) || channel.jid !== jid) return;
      const stanzas = [...before, ...taken(readout)];
      before = [];
      if (stanzas.length > 0) await channel.send(...stanzas);
    }
  } catch {
    // The stream is gone, and with it whom to tell.
  }
}

/** Waits until there is something worth a message, or long enough. */
async function worthIt(clock: Clock, readout: Readout): Promise<void> {
  if (readout.isWorth) return;
  await new Promise<void>((resolve) => {
    const timer = clock.schedule(SAME_WRITE, resolve);
    void readout.whenWorth().then(() => {
      timer.cancel();
      resolve();
    });
  });
  readout.flush();
}

/** Reads later (XEP-0323 3.4): decided about now, while it waits whenever rights change, and when it begins. */
function queue(asked: Asked, decision: ReadDecision, when: number): IqReply {
  const { options, request, from, entry } = asked;
  const { channel, clock, guard } = options;
  const { seqnr } = request;
  if (!entry.hasRoom("queued")) throw new Refusal("resource-constraint", "Too many readouts are queued.");
  entry.stage = "queued";
  const { jid } = channel;
  const queued = new QueuedReadout({
    ...{ clock, when, jid: from.bare, ask: decision.ask },
    hasRoom: () => entry.hasRoom("slow"),
    onDue: () => void start(asked, decision, jid),
    onRefused: (reason) => void refuse(asked, decision, jid, reason),
  });
  entry.onCancel(() => queued.stop());
  const unlist = guard.running.begin(queued, queued.signal);
  if (guard.epoch !== decision.epoch) queued.recheck();
  if (entry.isCancelled) unlist();
  return { payload: buildAccepted({ seqnr, queued: true }) };
}

/** The time has come. Without a stream there is nobody to be told: it is forgotten (XEP-0323 3.1). */
async function start(asked: Asked, before: ReadDecision, jid: Jid | undefined): Promise<void> {
  const { options, request, from, entry } = asked;
  const { channel, guard } = options;
  const { stream } = channel;
  const stop = new LightAbort();
  let deaf = (): void => undefined;
  entry.stage = "slow";
  entry.onCancel(() => stop.abort(new Refusal("forbidden", "Cancelled.")));
  try {
    if (stream === undefined || channel.jid !== jid) return;
    deaf = onAbort(stream, () => stop.abort(stream.reason));
    const decision = await decideRead(options, request, from, stop);
    const readout = readoutOf(asked, decision, stop);
    entry.onCancel(() => readout.cancel());
    const unlist = guard.running.begin(readout, stop);
    const started = message({ to: from.full }, buildStarted({ seqnr: request.seqnr }));
    if (readout.isStale) readout.recheck();
    await tellRest(options, readout, jid, [started]);
    unlist();
    readout.cancel();
  } catch (error) {
    if (error instanceof Refusal && !entry.isCancelled) await refuse(asked, before, jid, error);
  } finally {
    // A stream outlives many.
    deaf();
    entry.leave();
  }
}

/** Tells that what was queued is not read after all. */
async function refuse(asked: Asked, before: ReadDecision, jid: Jid | undefined, reason: Refusal): Promise<void> {
  const { options, entry } = asked;
  entry.leave();
  const readout = readoutOf(asked, before, new LightAbort(), reason);
  await tellRest(options, readout, jid);
}
