// What a Thing wrote, what the server acknowledged of it by its own words on the wire (XEP-0198), what arrived, and what
// the Thing said was not delivered: kept by another hand than the one that is tried.
import { expect, vi } from "vitest";
import type { XmlElement } from "../../src/codec/xml.ts";
import { StreamManagement } from "../../src/connection/stream-management.ts";

interface Stream {
  /** What was sent since the server was asked to count. */
  readonly sent: XmlElement[];
  /** How many of them it has acknowledged. */
  acknowledged: number;
}

/** What became of the messages with fields. */
export interface Delivery {
  readonly written: number;
  readonly reported: number;
  readonly lostByServer: number;
}

/** What is listened to. */
interface Counting {
  readonly ask: (this: StreamManagement) => XmlElement;
  readonly sent: (this: StreamManagement, stanza: XmlElement) => void;
  readonly acknowledge: (this: StreamManagement, answer: XmlElement) => void;
}

const isReported = ({ name, attrs }: XmlElement): boolean =>
  name === "message" || (name === "iq" && ["result", "error"].includes(attrs["type"] ?? ""));

const fieldsKey = (to: string, stanza: XmlElement): string | undefined => {
  const fields = stanza.getChild("fields");
  return fields === undefined ? undefined : `${to} ${fields.attrs["seqnr"] ?? ""}`;
};

export class Ledger {
  readonly #streams = new Map<StreamManagement, Stream>();
  readonly #own = new WeakSet<XmlElement>();
  readonly #arrived = new Set<string>();
  readonly #told: number[] = [];
  #written = 0;
  readonly #spies: { mockRestore: () => void }[];

  constructor() {
    const streams = this.#streams;
    const { prototype } = StreamManagement;
    const counting: Counting = prototype;
    const { ask, sent, acknowledge } = counting;
    this.#spies = [
      vi.spyOn(prototype, "ask").mockImplementation(function (this: StreamManagement) {
        streams.set(this, { sent: [], acknowledged: 0 });
        return ask.call(this);
      }),
      vi.spyOn(prototype, "sent").mockImplementation(function (this: StreamManagement, stanza) {
        streams.get(this)?.sent.push(stanza);
        sent.call(this, stanza);
      }),
      vi.spyOn(prototype, "acknowledge").mockImplementation(function (this: StreamManagement, answer) {
        const stream = streams.get(this);
        if (stream !== undefined) stream.acknowledged = Number(answer.attrs["h"]);
        acknowledge.call(this, answer);
      }),
    ];
  }

  /** The Thing writes. */
  wrote(stanzas: readonly XmlElement[]): void {
    for (const stanza of stanzas) {
      this.#own.add(stanza);
      if (stanza.getChild("fields") !== undefined) this.#written++;
    }
  }

  /** Something arrives at a reader. */
  arrived(to: string, stanza: XmlElement): void {
    const key = fieldsKey(to, stanza);
    if (key !== undefined) this.#arrived.add(key);
  }

  /** The fault `not-delivered`. */
  told(message: string): void {
    this.#told.push(Number(/^\d+/.exec(message)?.[0]));
  }

  /** Casts up the accounts, with the last stream still open: each stream that ended was told of with its right number. */
  async close(): Promise<Delivery> {
    const streams = [...this.#streams.values()].filter(({ sent }) => sent.some((stanza) => this.#own.has(stanza)));
    const last = streams.at(-1);
    const ended = streams.slice(0, -1);
    // What was written on a stream that lives arrives.
    await expect.poll(() => this.#missing(last?.sent ?? []), { interval: 20, timeout: 20_000 }).toEqual([]);
    const due = ended.map(({ sent, acknowledged }) => sent.slice(acknowledged).filter(isReported).length);
    expect(this.#told).toEqual(due.filter((count) => count > 0));
    const count = (lists: readonly (readonly XmlElement[])[]): number =>
      lists.reduce((sum, list) => sum + this.#missing(list).length, 0);
    return {
      written: this.#written,
      reported: count(ended.map(({ sent, acknowledged }) => sent.slice(acknowledged))),
      lostByServer: count(ended.map(({ sent, acknowledged }) => sent.slice(0, acknowledged))),
    };
  }

  /** Takes the spies away. */
  stop(): void {
    for (const spy of this.#spies) spy.mockRestore();
  }

  #missing(stanzas: readonly XmlElement[]): readonly string[] {
    return stanzas.flatMap((stanza) => {
      const key = fieldsKey(stanza.attrs["to"] ?? "", stanza);
      return key === undefined || this.#arrived.has(key) ? [] : [key];
    });
  }
}
