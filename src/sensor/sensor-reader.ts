// XEP-0323 3.1 to 3.7 as the reader sees it: for owners, services, and Things that read Things.
import { onAbort } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ProtocolError, StanzaError, StateError, TimeoutError } from "../core/errors.ts";
import { parseJid } from "../core/jid.ts";
import { LightAbort } from "../core/light-abort.ts";
import { randomFraction, systemRandom, type RandomSource } from "../core/random.ts";
import { fieldTypes } from "../codec/field-types.ts";
import { ns } from "../codec/namespaces.ts";
import {
  buildCancel,
  buildReq,
  parseAccepted,
  parseDone,
  parseFailure,
  parseFields,
  type FieldGroup,
} from "../codec/sensor-data.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Channel } from "../channel/channel.ts";
import { Patience } from "./patience.ts";
import { checkReadOptions, momentOf, type ReadOptions } from "./read-options.ts";
import { RemoteReadout, type Readout } from "./remote-readout.ts";
import { wantedOf } from "./wanted-groups.ts";

/** Where to read, and what: found out before anything is asked. */
export interface ReadTarget {
  /** A full JID, as it is known from presence. */
  readonly jid: string;
  /** What to read, checked. */
  readonly options: ReadOptions;
  /** Puts an error into other words, for whoever reads. */
  readonly inWords?: (error: unknown) => unknown;
}

/** One readout that answers are waited for. */
interface Waiting {
  readonly take: (payload: XmlElement) => void;
}

const SEQUENCE_NUMBERS = 2 ** 31;
// A Thing that is told that nobody waits any more need not answer: the reader is elsewhere by then.
const CANCEL_TIMEOUT = 10_000;

/** Reads Things. One for each channel. */
export class SensorReader {
  readonly #channel: Channel;
  readonly #clock: Clock;
  // By full JID and sequence number: different Things may use the same one (XEP-0323 3.3).
  readonly #waiting = new Map<string, Waiting>();
  // Not from 1: what a Thing still sends to this address after a restart belongs to another readout.
  #seqnr: number;

  constructor(channel: Channel, clock: Clock, random: RandomSource = systemRandom) {
    this.#channel = channel;
    this.#clock = clock;
    this.#seqnr = Math.floor(randomFraction(random) * SEQUENCE_NUMBERS);
    for (const name of ["started", "fields", "failure", "done"]) {
      channel.router.onMessage(ns.sensorData, name, ({ from, payload }) => {
        this.#waiting.get(key(from.full, Number(payload.attrs["seqnr"])))?.take(payload);
      });
    }
  }

  /**
   * Reads a Thing at its full JID, as it is known from its presence. Awaited, it resolves to what the Thing sent, by node
   * and moment, once it said that it was done; gone through, it gives each value as it comes, and throws at the end if
   * something failed. Rejects with `ERR_STANZA` (`forbidden`: not allowed), `ERR_TIMEOUT` (default 30,000 ms of silence,
   * 300,000 ms in all), with `ERR_PROTOCOL` when the Thing reports a failure ({@link ReadoutError}: what was read all the
   * same is in it), sends nonsense, or more than is taken, and with `ERR_CONFIG` for options that are none.
   */
  read(jid: string, options: ReadOptions = {}): Readout {
    return this.readWhere(() => {
      checkReadOptions(options);
      return { jid, options };
    });
  }

  /** As {@link read}, where it takes time to find out where the Thing is. What `find` rejects with, the readout rejects with. */
  readWhere(find: () => ReadTarget | Promise<ReadTarget>): Readout {
    const readout = new RemoteReadout();
    void this.#begin(readout, find).catch((error: unknown) => readout.fail(error));
    return readout;
  }

  async #begin(readout: RemoteReadout, find: () => ReadTarget | Promise<ReadTarget>): Promise<void> {
    const found = find();
    // Not waited for where there is nothing to wait for: what is read first is asked for first.
    const target = found instanceof Promise ? await found : found;
    if (readout.isOver) return;
    if (target.inWords !== undefined) readout.inWords = target.inWords;
    await this.#ask(readout, target);
  }

  async #ask(readout: RemoteReadout, { jid, options }: ReadTarget): Promise<void> {
    const { fields = [], types = ["momentary"], nodes = [], tokens = {}, signal, onStage } = options;
    signal?.throwIfAborted();
    const to = parseJid(jid).full;
    this.#seqnr = (this.#seqnr + 1) % SEQUENCE_NUMBERS;
    const seqnr = this.#seqnr;
    const [after, before, when] = (["from", "to", "when"] as const).map((name) => momentOf(options, name));
    const wanted = { types: new Set(types), fields: new Set(fields), from: after?.ms, to: before?.ms };
    const later = when === undefined ? {} : { later: Math.max(0, when.ms - this.#clock.now()) };
    const patience = new Patience(this.#clock, `reading ${to}`, { ...options, ...later }, (error) =>
      readout.fail(error),
    );
    const over = new LightAbort();
    const deaf = signal === undefined ? undefined : onAbort(signal, () => readout.abort(signal.reason));
    const so = { heard: false, refused: false, started: false };
    const take = (payload: XmlElement): void => {
      const isStart = payload.is("started");
      // Once it has begun, it only says something more by what it reads.
      if (isStart && so.started) return;
      so.heard = true;
      so.started ||= isStart;
      patience.heard();
      if (isStart) return onStage?.("started");
      const part = partOf(payload);
      if (part.groups !== undefined) readout.add(wantedOf(part.groups, wanted), countOf(part.groups));
      if (part.errors !== undefined) readout.addFailures(part.errors);
      if (part.done) readout.finish();
    };
    this.#waiting.set(key(to, seqnr), {
      take: (payload) => {
        try {
          take(payload);
        } catch (error) {
          readout.fail(error);
        }
      },
    });
    readout.whenOver((end) => {
      this.#waiting.delete(key(to, seqnr));
      patience.end();
      deaf?.();
      over.abort(noMore);
      const isDone = "by" in end && end.by === "thing";
      const isGone = "error" in end && end.error instanceof TimeoutError && !so.heard;
      if (!isDone && !isGone && !so.refused) this.#cancel(to, seqnr);
    });
    const payload = buildReq({
      seqnr,
      types: new Set(fieldTypes.filter((type) => wanted.types.has(type))),
      nodes,
      fields,
      tokens,
      ...(after !== undefined && { from: after.text }),
      ...(before !== undefined && { to: before.text }),
      ...(when !== undefined && { when: when.text }),
    });
    try {
      // How long is waited is the readout's matter: it has one timer for everything.
      const limits = { signal: over, timeout: Infinity };
      const answer = await this.#channel.request({ type: "get", to, payload }, limits);
      const { queued, seqnr: accepted } = parseAccepted(answer);
      if (accepted !== seqnr) throw new ProtocolError("another readout was accepted", "accepted/@seqnr");
      // Its messages may have come first (XEP-0323 3.1): then it has begun.
      if (so.heard || readout.isOver) return;
      so.heard = true;
      if (queued) patience.queued();
      else patience.heard();
      onStage?.(queued ? "queued" : "accepted");
    } catch (error) {
      so.refused = error instanceof StanzaError;
      throw error;
    }
  }

  /** Tells a Thing that nobody waits any more (XEP-0323 3.7). Whether it goes on is its own decision. */
  #cancel(to: string, seqnr: number): void {
    const payload = buildCancel({ seqnr });
    this.#channel.request({ type: "get", to, payload }, { timeout: CANCEL_TIMEOUT }).catch(() => undefined);
  }
}

// One for all: the fields come with the answer, so that nearly every request ends by it, and an error takes long to make.
const noMore = new StateError("the readout is over");

const key = (jid: string, seqnr: number): string => `${seqnr} ${jid}`;

const countOf = (groups: readonly FieldGroup[]): number =>
  groups.reduce((count, { fields }) => count + 1 + fields.length, 0);

type Part = Partial<ReturnType<typeof parseFields> & ReturnType<typeof parseFailure>>;

function partOf(payload: XmlElement): Part {
  if (payload.is("done")) return { ...parseDone(payload), done: true };
  return payload.is("fields") ? parseFields(payload) : parseFailure(payload);
}
