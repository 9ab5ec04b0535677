// Says by multicast DNS where the sandbox is: XEP-0347 3.3.2, RFC 6762 6 to 10, RFC 6763.
import type { Clock, Timer } from "../core/clock.ts";
import { ConnectionError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { randomFraction, type RandomSource } from "../core/random.ts";
import { additionalsTo, answersTo, plain, type HeardQuestion } from "./announce-answers.ts";
import {
  givesWay,
  machineName,
  recordsOf,
  sameName,
  sameRecord,
  type AnnouncedService,
  type HeardRecord,
  type OwnRecord,
  type Records,
} from "./announce-records.ts";

/** A packet of multicast DNS that was heard. */
export interface HeardPacket {
  readonly type: "query" | "response";
  readonly id: number;
  readonly questions: readonly HeardQuestion[];
  readonly answers: readonly HeardRecord[];
  readonly authorities: readonly HeardRecord[];
  readonly additionals: readonly HeardRecord[];
}

/** A packet to send. */
export interface SentPacket {
  readonly type: "query" | "response";
  readonly id?: number;
  readonly questions?: readonly HeardQuestion[];
  readonly answers?: readonly OwnRecord[];
  readonly authorities?: readonly OwnRecord[];
  readonly additionals?: readonly OwnRecord[];
}

/** Who sent a packet. */
export interface Sender {
  readonly address: string;
  readonly port: number;
}

/** The network as the responder sees it: one link. */
export interface MdnsWire {
  /** Where everybody listens: 5353. */
  readonly port: number;
  /** Called with each packet of somebody on the link, also with our own. */
  onPacket: (packet: HeardPacket, from: Sender) => void;
  /** Sends to everybody, or to one. Never rejects: the network may be away for a while. */
  send(packet: SentPacket, to?: Sender): Promise<void>;
  /** Listens no more. */
  close(): Promise<void>;
}

/** What a {@link MdnsResponder} is made of. */
export interface MdnsResponderOptions {
  readonly wire: MdnsWire;
  /** What is announced. */
  readonly service: AnnouncedService;
  /** The machine name to try first, without `.local`. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Told of each later change of the machine name. */
  readonly onRename?: ((machine: string) => void) | undefined;
}

// RFC 6762 8.1: up to 250 ms before the first of three questions, and 250 ms after each.
const PROBES = 3;
const PROBE_MS = 250;
// RFC 6762 8.2: how long who has given way waits.
const GAVE_WAY_MS = 1_000;
// RFC 6762 8.3: the second announcement comes a second after the first.
const ANNOUNCE_MS = 1_000;
// RFC 6762 6: several may answer for a name that is everybody's, so each waits a little. No record goes out twice in a second.
const SHARED_LEAST_MS = 20;
const SHARED_MOST_MS = 120;
const SAME_RECORD_MS = 1_000;
// RFC 6762 6: but whoever asks for our own name has to hear soon that it is taken.
const DEFENCE_MS = 250;
// RFC 6762 8.1: after 15 conflicts within 10 s each further try waits 5 s, here until there has been none for a minute.
// Somebody may claim every name there is.
const MOST_CONFLICTS = 15;
const CONFLICTS_MS = 10_000;
const SLOW_MS = 5_000;
const PEACE_MS = 60_000;
/** How many names are tried before the first announcement. */
export const MOST_NAMES = 20;

/** Answers for one server on one link, under a machine name that nobody else there has. */
export class MdnsResponder {
  readonly #options: MdnsResponderOptions;
  readonly #timers = new Set<Timer>();
  readonly #sentAt = new Map<OwnRecord, number>();
  readonly #pending = new Set<OwnRecord>();
  // Before the first question nothing counts: what is on its way then may be an announcement of our own.
  #phase: "waiting" | "probing" | "announced" | "stopped" = "waiting";
  #attempt = 0;
  #records: Records;
  #conflicts: readonly number[] = [];
  #slowUntil = -1;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(options: MdnsResponderOptions) {
    this.#options = options;
    this.#records = recordsOf(machineName(options.name, 0), options.service);
  }

  /** `machine.local`, under which the server is announced now. */
  get machine(): string {
    return this.#records.host;
  }

  /** Finds a free name and announces it. Rejects with `ERR_CONNECTION` if {@link MOST_NAMES} names are taken. */
  start(): Promise<void> {
    const { wire, random } = this.#options;
    wire.onPacket = (packet, from) => this.#heard(packet, from);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#probe(randomFraction(random) * PROBE_MS);
    });
  }

  /** Says goodbye, so that nobody looks for the server any more, and ends. Harmless when called again. */
  async stop(): Promise<void> {
    const { wire } = this.#options;
    const announced = this.#phase === "announced";
    if (this.#phase === "stopped") return;
    this.#phase = "stopped";
    this.#rest();
    this.#settle?.reject(new ConnectionError("the announcement was stopped"));
    if (announced) await this.#goodbye(new Set());
    await wire.close();
  }

  // --- RFC 6762 8.1: is the name free? -------------------------------------------------------------------------

  #probe(wait: number): void {
    this.#phase = "waiting";
    this.#rest();
    this.#after(wait, () => {
      this.#phase = "probing";
      this.#ask(PROBES);
    });
  }

  #ask(left: number): void {
    if (left === 0) return this.#won();
    const { host, instance, unique } = this.#records;
    const questions = [host, instance].map((name) => ({ name, type: "ANY" }));
    void this.#options.wire.send({ type: "query", questions, authorities: unique });
    this.#after(PROBE_MS, () => this.#ask(left - 1));
  }

  /** D-3.3.2-9, -10: another machine has the name. */
  #taken(): void {
    const { name, service, logger } = this.#options;
    const taken = this.#records.host;
    this.#attempt++;
    if (this.#settle !== undefined && this.#attempt >= MOST_NAMES) {
      const { reject } = this.#settle;
      this.#settle = undefined;
      this.#rest();
      reject(new ConnectionError(`every name from ${name}.local to ${taken} is taken on this network`));
      return;
    }
    this.#records = recordsOf(machineName(name, this.#attempt), service);
    logger.info("a machine name is taken", { taken, next: this.#records.host });
    this.#probe(this.#patience());
  }

  /** How long to wait before the next try: nothing, unless somebody claims one name after the other. */
  #patience(): number {
    const now = this.#options.clock.monotonic();
    this.#conflicts = [...this.#conflicts.filter((at) => now - at < CONFLICTS_MS), now].slice(-MOST_CONFLICTS);
    if (this.#conflicts.length < MOST_CONFLICTS && now >= this.#slowUntil) return 0;
    this.#slowUntil = now + PEACE_MS;
    return SLOW_MS;
  }

  // --- RFC 6762 8.3, 8.4, 10.1: announcing -----------------------------------------------------------------------

  #won(): void {
    this.#phase = "announced";
    const { onRename } = this.#options;
    const announced = this.#announce();
    this.#after(ANNOUNCE_MS, () => void this.#announce());
    const settle = this.#settle;
    this.#settle = undefined;
    if (settle !== undefined) void announced.then(settle.resolve);
    else onRename?.(this.machine);
  }

  #announce(): Promise<void> {
    return this.#multicast(this.#records.all);
  }

  /** What was ours is no more. Not said of a name that another machine has: the records are its own now. */
  #goodbye(lost: ReadonlySet<string>): Promise<void> {
    const { pointer, unique } = this.#records;
    const ours = [pointer, ...unique].filter(
      ({ name, type, data }) => !lost.has(name) && !(type === "PTR" && lost.has(data)),
    );
    if (ours.length === 0) return Promise.resolve();
    return this.#options.wire.send({ type: "response", answers: ours.map((record) => ({ ...record, ttl: 0 })) });
  }

  // --- What others say -------------------------------------------------------------------------------------------

  #heard(packet: HeardPacket, from: Sender): void {
    if (this.#phase === "stopped" || this.#phase === "waiting") return;
    if (packet.type === "response") this.#heardAnswers([...packet.answers, ...packet.additionals], from);
    else if (this.#phase === "probing") this.#heardProbe(packet.authorities);
    else this.#heardQuestions(packet, from);
  }

  /** Somebody asks for the same name at this moment. */
  #heardProbe(authorities: readonly HeardRecord[]): void {
    const { host, instance, unique } = this.#records;
    for (const name of [host, instance]) {
      const theirs = authorities.filter((record) => sameName(record.name, name));
      if (theirs.length === 0 || !givesWay(of(name, unique), theirs)) continue;
      return this.#probe(GAVE_WAY_MS);
    }
  }

  #heardAnswers(heard: readonly HeardRecord[], { port }: Sender): void {
    // RFC 6762 6: an answer of multicast DNS comes from its port, any other is somebody's attempt.
    if (port !== this.#options.wire.port) return;
    const { host, instance, unique, all } = this.#records;
    const living = heard.filter((record) => record.ttl !== 0);
    if (this.#phase === "probing") {
      if (living.some(({ name }) => sameName(name, host) || sameName(name, instance))) this.#taken();
      return;
    }
    const contested = new Set<string>();
    for (const record of living) {
      const ours = unique.filter(({ name, type }) => type === record.type && sameName(name, record.name));
      const [first] = ours;
      if (first !== undefined && !ours.some((own) => sameRecord(own, record))) contested.add(first.name);
    }
    if (contested.size > 0) return this.#contest(contested);
    // RFC 6762 6.6: somebody says that a record of ours is no more, or not for long.
    const forgotten = all.filter((own) =>
      heard.some((record) => sameRecord(own, record) && (record.ttl ?? 0) < own.ttl / 2),
    );
    this.#queue(forgotten, 0, SAME_RECORD_MS);
  }

  /** RFC 6762 9: another machine has taken the name since. Both ask anew, and one of them gets another. */
  #contest(lost: ReadonlySet<string>): void {
    this.#options.logger.warn("another machine has the same name", { machine: this.machine });
    void this.#goodbye(lost);
    this.#probe(this.#patience() + PROBE_MS);
  }

  #heardQuestions({ id, questions: asked, answers: known, authorities }: HeardPacket, from: Sender): void {
    const { wire, random } = this.#options;
    const { questions, answers, additionals } = answersTo(asked, known, this.#records);
    // Nobody has port 0, but a packet may say so.
    if (answers.length === 0 || from.port === 0) return;
    if (from.port !== wire.port) {
      // RFC 6762 6.7: an asker without multicast DNS wants its own question back.
      const reply = { questions, answers: answers.map(plain), additionals: additionals.map(plain) };
      void wire.send({ type: "response", id, ...reply }, from);
    } else if (authorities.length > 0) {
      this.#queue(answers, 0, DEFENCE_MS);
    } else {
      const shared = answers.some(({ flush }) => !flush);
      const wait = SHARED_LEAST_MS + randomFraction(random) * (SHARED_MOST_MS - SHARED_LEAST_MS);
      this.#queue(answers, shared ? wait : 0, SAME_RECORD_MS);
    }
  }

  // --- Sending ---------------------------------------------------------------------------------------------------

  /** Sends records after a wait; those that were sent just now, later; those that are waiting, once. */
  #queue(answers: readonly OwnRecord[], wait: number, interval: number): void {
    const fresh = answers.filter((record) => !this.#pending.has(record));
    if (fresh.length === 0) return;
    const now = this.#options.clock.monotonic();
    const due = fresh.map((record) => (this.#sentAt.get(record) ?? -interval) + interval - now);
    for (const record of fresh) this.#pending.add(record);
    this.#after(Math.max(wait, ...due), () => {
      for (const record of fresh) this.#pending.delete(record);
      void this.#multicast(fresh);
    });
  }

  #multicast(answers: readonly OwnRecord[]): Promise<void> {
    const now = this.#options.clock.monotonic();
    for (const record of answers) this.#sentAt.set(record, now);
    const additionals = additionalsTo(answers, this.#records);
    return this.#options.wire.send({ type: "response", answers, additionals });
  }

  #after(ms: number, then: () => void): void {
    const timer = this.#options.clock.schedule(ms, () => {
      this.#timers.delete(timer);
      then();
    });
    this.#timers.add(timer);
  }

  /** Nothing of what was to come comes any more. */
  #rest(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#pending.clear();
    this.#sentAt.clear();
  }
}

function of(name: string, records: readonly OwnRecord[]): readonly OwnRecord[] {
  return records.filter((record) => record.name === name);
}
