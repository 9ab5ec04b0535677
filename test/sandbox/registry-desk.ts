// A Registry at a desk: stanzas by hand, and whatever it says, in the order in which it says it.
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import type { RegistryOptions } from "../../src/sandbox/registry-options.ts";
import { MemoryKeeper, type RecordKeeper, type RegistryRecord } from "../../src/sandbox/registry-records.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

export const COMPONENT = "discovery.example.org";
export const ACCOUNT = "discovery@example.org";
export const THING = "thing@example.org/imc";
export const OWNER = "owner@example.org/phone";
export const STRANGER = "stranger@example.org/x";

/** The tags of XEP-0347's Thing (Listings 10 and 15). */
export const LISTED = `<str name='SN' value='394872348732948723'/><str name='MAN' value='www.ktc.se'/>
  <str name='MODEL' value='IMC'/><num name='V' value='1.2'/><str name='KEY' value='4857402340298342'/>`;
/** The same without KEY. */
export const SHOWN = LISTED.replace("<str name='KEY' value='4857402340298342'/>", "");
export const NODE = "nodeId='imc1' sourceId='MeteringTopology'";

type DeskOptions = Partial<Omit<RegistryOptions, "clock">> & { readonly clock?: SimulatedClock };

export class RegistryDesk {
  readonly clock: SimulatedClock;
  readonly registry: ReferenceRegistry;
  /** All that was sent, in order. */
  readonly sent: XmlElement[] = [];
  readonly #lines: readonly string[];
  #ids = 0;

  private constructor(registry: ReferenceRegistry, clock: SimulatedClock, lines: readonly string[]) {
    this.registry = registry;
    this.clock = clock;
    this.#lines = lines;
    registry.onOutput((stanzas) => void this.sent.push(...stanzas));
  }

  /** One that keeps everything in memory. */
  static make(settings: DeskOptions = {}): RegistryDesk {
    const { lines, ...parts } = partsFor(settings);
    return new RegistryDesk(new ReferenceRegistry(parts), parts.clock, lines);
  }

  /** One whose records are kept. */
  static async open(keeper: RecordKeeper, settings: DeskOptions = {}): Promise<RegistryDesk> {
    const { lines, ...parts } = partsFor(settings);
    return new RegistryDesk(await ReferenceRegistry.open({ ...parts, keeper }), parts.clock, lines);
  }

  /** What was logged. */
  get log(): string {
    return this.#lines.join("\n");
  }

  /** Waits until a keeper that is at once has kept everything. */
  async settled(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Sends a stanza to it, and gives what it says at once. */
  send(xml: string): readonly XmlElement[] {
    const before = this.sent.length;
    this.sent.push(...this.registry.receive(parseXml(xml)));
    return this.sent.slice(before);
  }

  iq(from: string, content: string, type = "set", id = `i${++this.#ids}`): readonly XmlElement[] {
    return this.send(
      `<iq xmlns='jabber:client' type='${type}' from='${from}' to='${this.registry.jid}' id='${id}'>${content}</iq>`,
    );
  }

  ask(from: string, name: string, attributes = "", content = "", type = "set"): readonly XmlElement[] {
    return this.iq(from, `<${name} xmlns='urn:xmpp:iot:discovery' ${attributes}>${content}</${name}>`, type);
  }

  register(tags = LISTED, attributes = "", from = THING): readonly XmlElement[] {
    return this.ask(from, "register", attributes, tags);
  }

  mine(tags = LISTED, from = OWNER, attributes = ""): readonly XmlElement[] {
    return this.ask(from, "mine", attributes, tags);
  }

  remove(attributes = "jid='thing@example.org'", from = OWNER): readonly XmlElement[] {
    return this.ask(from, "remove", attributes);
  }

  disown(attributes = "jid='thing@example.org'", from = OWNER): readonly XmlElement[] {
    return this.ask(from, "disown", attributes);
  }

  search(operators: string, attributes = "", from = STRANGER): readonly XmlElement[] {
    return this.ask(from, "search", attributes, operators, "get");
  }

  presence(from: string, type = ""): readonly XmlElement[] {
    return this.send(
      `<presence xmlns='jabber:client' from='${from}' to='${this.registry.jid}'${type && ` type='${type}'`}/>`,
    );
  }

  /** A Thing that registers, is claimed, and knows it. */
  claimed(settings: { tags?: string; attributes?: string; thing?: string; owner?: string; how?: string } = {}): void {
    const { tags = LISTED, attributes = "", thing = THING, owner = OWNER, how = "" } = settings;
    this.register(tags, attributes, thing);
    const [, notice] = this.mine(tags, owner, how);
    this.acknowledge(notice, thing);
  }

  acknowledge(notice: XmlElement | undefined, from = THING): readonly XmlElement[] {
    return this.iq(from, "", "result", notice?.attrs["id"]);
  }

  refuse(notice: XmlElement | undefined, condition: string, from = THING): readonly XmlElement[] {
    const error = `<error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
    return this.iq(from, error, "error", notice?.attrs["id"]);
  }
}

let desks = 0;

function partsFor(settings: DeskOptions): RegistryOptions & { clock: SimulatedClock; lines: string[] } {
  const lines: string[] = [];
  const write = (message: string, fields?: LogFields): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: write, info: write, warn: write, error: write };
  const clock = settings.clock ?? new SimulatedClock();
  return { jid: COMPONENT, random: new SeededRandom(`desk ${desks++}`), logger, ...settings, clock, lines };
}

/** Keeps records as slowly as it is told to, and fails when it is told to. */
export class HesitantKeeper extends MemoryKeeper {
  /** What it was asked, in order: `put 2`, `delete 1`. */
  readonly asked: string[] = [];
  /** How many calls there are at once; a Registry must make one at a time. */
  atOnce = 0;
  /** Called after each record that was kept or forgotten. */
  onStep: () => void = () => undefined;
  /** Whether the next calls fail: before anything, or after all is kept. */
  fails: "before" | "after" | undefined;
  #gate: Promise<void> | undefined;
  #open: () => void = () => undefined;
  closed = false;

  /** From now on it waits. */
  hold(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  /** It waits no more, and what it was asked is done when this resolves. */
  async release(): Promise<void> {
    this.#gate = undefined;
    this.#open();
    await new Promise((resolve) => setImmediate(resolve));
  }

  override put(records: readonly RegistryRecord[]): Promise<void> {
    return this.#slowly(`put ${records.length}`, records, (record) => super.put([record]));
  }

  override delete(keys: readonly string[]): Promise<void> {
    return this.#slowly(`delete ${keys.length}`, keys, (key) => super.delete([key]));
  }

  override close(): Promise<void> {
    this.closed = true;
    return super.close();
  }

  async #slowly<T>(what: string, all: readonly T[], step: (one: T) => Promise<void>): Promise<void> {
    this.asked.push(what);
    if (++this.atOnce > 1) throw new Error("two calls at once");
    try {
      await this.#gate;
      if (this.fails === "before") throw new Error("the disk is full");
      for (const one of all) {
        await step(one);
        this.onStep();
      }
      if (this.fails === "after") throw new Error("the disk says nothing");
    } finally {
      this.atOnce--;
    }
  }
}

/** What was said, in short: `result owner@example.org/phone claimed` or `error x@y/z item-not-found`. */
export function brief(stanzas: readonly XmlElement[]): readonly string[] {
  return stanzas.map((stanza) => {
    const error = stanza.getChild("error")?.getChildElements()[0];
    const what = error?.name ?? stanza.getChildElements()[0]?.name ?? "";
    return `${stanza.attrs["type"] ?? stanza.name} ${stanza.attrs["to"] ?? ""} ${what}`.trim();
  });
}

/** The Things that a search found, by their serial numbers or node, and whether there are more. */
export function found(stanzas: readonly XmlElement[]): readonly string[] {
  const page = stanzas[0]?.getChild("found", "urn:xmpp:iot:discovery");
  if (page === undefined) return brief(stanzas);
  const things = page.getChildren("thing").map((thing) => {
    const tags = thing.getChildElements().map(({ attrs }) => `${attrs["name"] ?? ""}=${attrs["value"] ?? ""}`);
    const node = ["nodeId", "sourceId", "cacheType"].flatMap((name) => thing.attrs[name] ?? []).join(" ");
    return [thing.attrs["jid"], node, `of ${thing.attrs["owner"] ?? ""}`, ...tags]
      .filter((part) => part !== "")
      .join(" ");
  });
  return page.attrs["more"] === "true" ? [...things, "more"] : things;
}
