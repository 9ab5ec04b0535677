// XEP-0323 3.1 as the reader sees it: for owners, services, and Things that read Things.
import { checkCall, withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ConfigError, ProtocolError, StanzaError } from "../core/errors.ts";
import { parseJid } from "../core/jid.ts";
import { checkKnown, checkTexts } from "../core/options.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import { ns } from "../codec/namespaces.ts";
import { checkNodes, type NodeRef } from "../codec/node-ref.ts";
import {
  buildReq,
  parseAccepted,
  parseDone,
  parseFailure,
  parseFields,
  type FieldGroup,
} from "../codec/sensor-data.ts";
import type { Tokens } from "../codec/tokens.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Channel } from "../channel/channel.ts";
import { ReadoutError, type NodeFailure } from "./readout-error.ts";

/** What to read. */
export interface ReadOptions extends CallOptions {
  /** The names of the fields. Default all. */
  readonly fields?: readonly string[];
  /** The kinds of field. Default `momentary`. */
  readonly types?: readonly FieldType[];
  /** Nodes of a concentrator. Default: the Thing itself. */
  readonly nodes?: readonly NodeRef[];
  /** Tokens to present. Default none. */
  readonly tokens?: Tokens;
}

/** Refuses what cannot be read. Throws `ERR_CONFIG`. */
export function checkReadOptions(options: ReadOptions): void {
  checkKnown(options, ["fields", "types", "nodes", "tokens", "timeout", "signal"], "options");
  const { fields, types, nodes } = options;
  if (fields !== undefined) checkTexts(fields, "fields");
  if (types !== undefined) checkTypes(types);
  if (nodes !== undefined) checkNodes(nodes, "nodes");
  checkCall(options);
}

function checkTypes(types: readonly FieldType[]): void {
  if (!Array.isArray(types) || types.length === 0) throw new ConfigError('types: must be a list, ["momentary"]');
  const known = new Set<unknown>(fieldTypes);
  const wrong = types.findIndex((type) => !known.has(type));
  if (wrong < 0) return;
  throw new ConfigError(
    `types[${wrong}]: there is no ${JSON.stringify(types[wrong])}; there are ${fieldTypes.join(", ")}`,
  );
}

interface Waiting {
  readonly take: (payload: XmlElement) => void;
}

const DEFAULT_TIMEOUT = 30_000;
// Groups, fields and errors of one readout: a Thing gone wrong must not fill the reader's memory.
const MOST_PARTS = 100_000;

/** Reads Things. One for each channel. */
export class SensorReader {
  readonly #channel: Channel;
  readonly #clock: Clock;
  // By full JID and sequence number: different Things may use the same one (XEP-0323 3.3).
  readonly #waiting = new Map<string, Waiting>();
  #seqnr = 0;

  constructor(channel: Channel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
    for (const name of ["fields", "failure", "done"]) {
      channel.router.onMessage(ns.sensorData, name, ({ from, payload }) => {
        this.#waiting.get(key(from.full, Number(payload.attrs["seqnr"])))?.take(payload);
      });
    }
  }

  /**
   * Reads a Thing at its full JID, as it is known from its presence. Resolves to what it sent, by node and moment, once
   * it said that it was done. Rejects with `ERR_STANZA` (`forbidden`: not allowed), `ERR_TIMEOUT` (default 30,000 ms),
   * with `ERR_PROTOCOL` when the Thing reports a failure ({@link ReadoutError}: what was read all the same is in it) or
   * sends nonsense, and with `ERR_CONFIG` for options that are none.
   */
  async read(jid: string, options: ReadOptions = {}): Promise<readonly FieldGroup[]> {
    checkReadOptions(options);
    const { fields = [], types = ["momentary"], nodes = [], tokens = {}, timeout = DEFAULT_TIMEOUT, signal } = options;
    const to = parseJid(jid).full;
    this.#seqnr = (this.#seqnr + 1) % 2 ** 31;
    const seqnr = this.#seqnr;
    const payload = buildReq({
      seqnr,
      types: new Set(fieldTypes.filter((t) => types.includes(t))),
      nodes,
      fields,
      tokens,
    });
    try {
      return await withDeadline(this.#clock, { signal, timeout }, `reading ${to}`, async (limited) => {
        const readout = this.#collect(key(to, seqnr));
        readout.catch(() => undefined); // the request may fail first
        const answer = await this.#channel.request({ type: "get", to, payload }, { signal: limited });
        refuseRejected(answer, to);
        parseAccepted(answer);
        return readout;
      });
    } finally {
      this.#waiting.delete(key(to, seqnr));
    }
  }

  #collect(id: string): Promise<readonly FieldGroup[]> {
    return new Promise((resolve, reject) => {
      const groups: FieldGroup[] = [];
      const failures: NodeFailure[] = [];
      let failed = false;
      let parts = 0;
      const end = (): void => {
        if (failed) reject(new ReadoutError(failures, groups));
        else resolve(groups);
      };
      const take = (payload: XmlElement): void => {
        if (payload.is("done")) {
          parseDone(payload);
          return end();
        }
        const part = payload.is("fields") ? parseFields(payload) : parseFailure(payload);
        if ("groups" in part) {
          groups.push(...part.groups);
          parts += part.groups.reduce((sum, group) => sum + 1 + group.fields.length, 0);
        } else {
          failed = true; // also when it gives no reason
          failures.push(...part.errors);
          parts += part.errors.length;
        }
        if (parts > MOST_PARTS) reject(new ProtocolError("the Thing sends more than can be taken", "fields"));
        if (part.done) end();
      };
      this.#waiting.set(id, {
        take: (payload) => {
          try {
            take(payload);
          } catch (error) {
            reject(error);
          }
        },
      });
    });
  }
}

const key = (jid: string, seqnr: number): string => `${seqnr} ${jid}`;

/** Things of before 2014 refuse in a result (P-E3). */
function refuseRejected(answer: XmlElement | undefined, from: string): void {
  if (!answer?.is("rejected", ns.sensorData)) return;
  const reasons = answer.getChildren("error").map((error) => error.text());
  throw new StanzaError("forbidden", "cancel", from, reasons.join(" "));
}
