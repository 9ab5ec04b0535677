// A link of multicast DNS in memory, for several responders on it and a clock that passes when told.
import type { HeardPacket, MdnsWire, SentPacket, Sender } from "../../src/sandbox/announce-mdns.ts";
import { MdnsResponder, type MdnsResponderOptions } from "../../src/sandbox/announce-mdns.ts";
import type { HeardRecord, OwnRecord } from "../../src/sandbox/announce-records.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

export const TYPE = "_xmpp-client._tcp.local";

/** A packet that went over the link. */
export interface Passed {
  readonly at: number;
  readonly packet: SentPacket;
  readonly to: Sender | undefined;
  readonly from: string;
}

/** As a decoder hands it over: texts are bytes. */
function heard(record: OwnRecord): HeardRecord {
  const data = record.type === "TXT" ? record.data.map((text) => Buffer.from(text)) : record.data;
  return { ...record, class: "IN", data };
}

/** A link to which everybody listens, also to himself. */
export class Link {
  readonly clock = new SimulatedClock();
  readonly passed: Passed[] = [];
  readonly #wires = new Map<string, MdnsWire>();

  /** A wire of a host. */
  wire(address: string): MdnsWire {
    const wire: MdnsWire = {
      port: 5353,
      onPacket: () => undefined,
      send: (packet, to) => {
        this.passed.push({ at: this.clock.monotonic(), packet, to, from: address });
        if (to === undefined) this.say(packet, address);
        return Promise.resolve();
      },
      close: () => {
        this.#wires.delete(address);
        return Promise.resolve();
      },
    };
    this.#wires.set(address, wire);
    return wire;
  }

  /** Somebody says something to all. */
  say(packet: SentPacket, address = "10.0.0.99", port = 5353): void {
    const copy: HeardPacket = {
      type: packet.type,
      id: packet.id ?? 0,
      questions: packet.questions ?? [],
      answers: (packet.answers ?? []).map(heard),
      authorities: (packet.authorities ?? []).map(heard),
      additionals: (packet.additionals ?? []).map(heard),
    };
    // Later, as on a network.
    queueMicrotask(() => {
      for (const wire of this.#wires.values()) wire.onPacket(copy, { address, port });
    });
  }

  /** A responder of a host. */
  responder(
    address: string,
    options: Partial<MdnsResponderOptions> & { seed?: number; port?: number } = {},
  ): MdnsResponder {
    const { seed = 1, port = 5222, wire = this.wire(address), ...others } = options;
    return new MdnsResponder({
      wire,
      service: { addresses: [address], port, txt: ["txtvers=1", "ordom=example.com"] },
      name: "pronto",
      clock: this.clock,
      random: new SeededRandom(seed),
      logger: silentLogger,
      ...others,
    });
  }

  /** What went over it, as text: `0 q pronto.local ANY`, `750 r PTR pronto…`. */
  log(type: "query" | "response"): readonly string[] {
    return this.passed
      .filter(({ packet }) => packet.type === type)
      .map(({ at, from, packet: { questions = [], answers = [] } }) => {
        const said = type === "query" ? questions : answers;
        return `${Math.round(at)} ${from}: ${said.map(({ type: what, name }) => `${what} ${name}`).join(", ")}`;
      });
  }

  /** The answers that went to all since a moment, each by its type, name and lifetime. */
  answers(since = 0): readonly string[] {
    return this.passed
      .filter(({ packet, at, to }) => packet.type === "response" && at >= since && to === undefined)
      .flatMap(({ packet }) => packet.answers ?? [])
      .map(({ type, name, ttl }) => `${type} ${name} ${ttl}`);
  }
}
