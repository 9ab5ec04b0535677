// A small world for ownership, in memory and on simulated time: a Thing, a concentrator with nodes, a Registry that keeps
// what it knows, and people. Everything in it can be cut off at any moment, and everything is the same for the same seed.
import { ConnectionError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { presence } from "../../src/codec/stanza.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { Friends } from "../../src/connection/friends.ts";
import { answerPings } from "../../src/connection/ping.ts";
import type { StreamEnd } from "../../src/connection/stream-end.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { MemoryKeeper, recordKey, type RecordKeeper, type RegistryRecord } from "../../src/sandbox/registry-records.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { XmppDomain, type Session } from "../../src/sandbox/server/domain.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";
import { joinBytes } from "../../src/storage/bytes.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import type { NodeDefinition } from "../../src/thing/node-definition.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import type { Draw } from "./crash-fs.ts";

const DOMAIN = "localhost";
/** The Registry. */
export const REGISTRY = `discovery.${DOMAIN}`;
/** The accounts of Things. */
export const THINGS = ["lamp", "hub"] as const;
/** Owners; the last is nobody's owner until the end. */
export const OWNERS = ["anna", "bert", "heir"] as const;
/** Who never claims what is shown to others, and tries everything else. */
export const STRANGER = "mallory";

/** A fault that is planted: how stanzas are changed on their way, or what is kept is not. `undefined`: it gets lost. */
export interface Planted {
  /** What a Thing hears. `say` answers in its place. */
  readonly toThing?: (stanza: XmlElement, say: (stanza: XmlElement) => void) => XmlElement | undefined;
  /** What a Thing says. `tell` answers it in the place of whom it is for. */
  readonly fromThing?: (stanza: XmlElement, tell: (stanza: XmlElement) => void) => XmlElement | undefined;
  /** What the Registry hears. */
  readonly toRegistry?: (stanza: XmlElement) => XmlElement;
  /** What the Registry says. `hear` answers it in the place of whom it is for. */
  readonly fromRegistry?: (stanza: XmlElement, hear: (stanza: XmlElement) => void) => XmlElement | undefined;
  /** The disk says that it has kept something before it has. */
  readonly hastyDisk?: boolean;
  /** The Registry's database does. */
  readonly hastyKeeper?: boolean;
  /** The KEY is always the same. */
  readonly fixedKey?: boolean;
}

// Scrambling passwords is most of what an account costs: it is done once.
let accounts: Promise<readonly (readonly [string, unknown])[]> | undefined;
async function makeAccounts(): Promise<readonly (readonly [string, unknown])[]> {
  const entries: (readonly [string, unknown])[] = [];
  const keep = (changes: readonly (readonly [string, unknown])[]): Promise<void> => {
    entries.push(...changes);
    return Promise.resolve();
  };
  const parts = { clock: new SimulatedClock(), random: new SeededRandom("accounts"), logger: silentLogger };
  const domain = new XmppDomain({ domain: DOMAIN, ...parts, kept: { entries: [], keep } });
  for (const name of [...THINGS, ...OWNERS, STRANGER]) domain.register(name, "secret");
  await domain.idle();
  return entries;
}

/** A disk that takes a moment, and loses power: what is being written then may be there or not. */
class MortalDisk implements Storage {
  readonly contents: Map<string, Uint8Array>;
  readonly #clock: SimulatedClock;
  readonly #draw: Draw;
  readonly #isHasty: boolean;
  readonly #pending = new Set<() => void>();
  #isDead = false;

  constructor(clock: SimulatedClock, draw: Draw, isHasty: boolean, contents = new Map<string, Uint8Array>()) {
    this.contents = contents;
    this.#clock = clock;
    this.#draw = draw;
    this.#isHasty = isHasty;
  }

  /** The power goes. Returns the disk as it is found afterwards. */
  cut(): MortalDisk {
    this.#isDead = true;
    const contents = new Map(this.contents);
    for (const change of this.#pending) {
      if (this.#isHasty || this.#draw(2) === 0) break; // in order
      change();
    }
    return new MortalDisk(this.#clock, this.#draw, this.#isHasty, this.#isHasty ? contents : new Map(this.contents));
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#isHasty ? new Promise((resolve) => this.#clock.schedule(50, resolve)) : Promise.resolve();
  }

  read(name: string): Promise<Uint8Array | undefined> {
    if (this.#isDead) return new Promise(() => undefined);
    return Promise.resolve(this.contents.get(name)?.slice());
  }

  replace(name: string, content: Uint8Array): Promise<void> {
    const copy = content.slice();
    return this.#change(() => this.contents.set(name, copy));
  }

  append(name: string, content: Uint8Array): Promise<void> {
    const copy = content.slice();
    return this.#change(() => this.contents.set(name, joinBytes(this.contents.get(name) ?? new Uint8Array(0), copy)));
  }

  delete(name: string): Promise<void> {
    return this.#change(() => this.contents.delete(name));
  }

  #change(change: () => unknown): Promise<void> {
    if (this.#isDead) return new Promise(() => undefined);
    const done = new Promise<void>((resolve) => {
      const make = (): void => void change();
      this.#pending.add(make);
      this.#clock.schedule(this.#isHasty ? 40 : 1, () => {
        if (this.#isDead) return;
        this.#pending.delete(make);
        make();
        resolve();
      });
    });
    return this.#isHasty ? Promise.resolve() : done;
  }
}

/** A database that takes a moment, and whose process can be killed. */
class MortalKeeper implements RecordKeeper {
  readonly #memory: MemoryKeeper;
  readonly #clock: SimulatedClock;
  readonly #draw: Draw;
  readonly #isHasty: boolean;
  readonly #pending = new Set<() => void>();
  #isDead = false;

  constructor(clock: SimulatedClock, draw: Draw, isHasty: boolean, memory = new MemoryKeeper()) {
    this.#memory = memory;
    this.#clock = clock;
    this.#draw = draw;
    this.#isHasty = isHasty;
  }

  kill(): MortalKeeper {
    this.#isDead = true;
    for (const change of this.#pending) {
      if (this.#isHasty || this.#draw(2) === 0) break;
      change();
    }
    return new MortalKeeper(this.#clock, this.#draw, this.#isHasty, this.#memory);
  }

  load(): AsyncIterable<RegistryRecord> {
    return this.#memory.load();
  }

  put(records: readonly RegistryRecord[]): Promise<void> {
    return this.#change(() => records.forEach((record) => this.#memory.kept.set(recordKey(record), record)));
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#change(() => keys.forEach((key) => this.#memory.kept.delete(key)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #change(change: () => void): Promise<void> {
    if (this.#isDead) return new Promise(() => undefined);
    const done = new Promise<void>((resolve) => {
      this.#pending.add(change);
      this.#clock.schedule(this.#isHasty ? 40 : 1, () => {
        if (this.#isDead) return;
        this.#pending.delete(change);
        change();
        resolve();
      });
    });
    return this.#isHasty ? Promise.resolve() : done;
  }
}

/** Somebody was obeyed: read something of a device, or set it. */
export interface Obeyed {
  readonly device: string;
  readonly who: string;
}

/** A device: the Thing of an account, or a node behind it. */
export interface Device {
  /** `lamp`, `hub/a`. */
  readonly name: string;
  readonly account: (typeof THINGS)[number];
  readonly nodeId?: string;
  readonly selfOwned: boolean;
}

/** All of them. */
export const DEVICES: readonly Device[] = [
  { name: "lamp", account: "lamp", selfOwned: false },
  { name: "hub", account: "hub", selfOwned: false },
  { name: "hub/a", account: "hub", nodeId: "a", selfOwned: false },
  { name: "hub/b", account: "hub", nodeId: "b", selfOwned: false },
  { name: "hub/s", account: "hub", nodeId: "s", selfOwned: true },
];

/** A person with a client. */
export interface Person {
  readonly channel: StanzaChannel;
  readonly client: OwnerClient;
}

/** A Thing that may run. */
export interface Place {
  disk: MortalDisk;
  thing: Thing | undefined;
  /** Whether its stream is up. */
  isUp: boolean;
  /** Whether the device has power, and its program runs. */
  isOn: boolean;
  session: Session | undefined;
  channel: StanzaChannel | undefined;
  /** Ends the stream without a word; it comes back after a while. */
  lose: (after: number) => void;
  /** The next acknowledgement to the Registry gets lost, and the link with it. */
  losesAcknowledgement: boolean;
  /** The nodes that its program defines. */
  readonly nodes: Set<string>;
}

/** The world. */
export class OwnershipSite {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly domain: XmppDomain;
  readonly places = new Map<string, Place>();
  readonly people = new Map<string, Person>();
  /** Who was obeyed since it was emptied. */
  readonly obeyed: Obeyed[] = [];
  /** Each claim text that a device has shown, in order. */
  readonly shown = new Map<string, string[]>();
  /** Faults that Things told, for a failing test. */
  readonly faults: string[] = [];
  registry!: ReferenceRegistry;
  isRegistryUp = false;
  #keeper: MortalKeeper;
  #attached: StanzaService | undefined;
  readonly #draw: Draw;
  readonly #planted: Planted;

  private constructor(seed: number, draw: Draw, entries: readonly (readonly [string, unknown])[], planted: Planted) {
    this.#draw = draw;
    this.#planted = planted;
    this.random = new SeededRandom(seed);
    const parts = { clock: this.clock, random: this.random, logger: silentLogger };
    this.domain = new XmppDomain({ domain: DOMAIN, ...parts, kept: { entries, keep: () => Promise.resolve() } });
    this.#keeper = new MortalKeeper(this.clock, draw, planted.hastyKeeper === true);
    for (const account of THINGS) {
      const nodes = DEVICES.flatMap((device) =>
        device.account === account && device.nodeId !== undefined ? [device.nodeId] : [],
      );
      this.places.set(account, {
        disk: new MortalDisk(this.clock, draw, planted.hastyDisk === true),
        thing: undefined,
        isUp: false,
        isOn: false,
        session: undefined,
        channel: undefined,
        lose: () => undefined,
        losesAcknowledgement: false,
        nodes: new Set(nodes),
      });
    }
    for (const { name } of DEVICES) this.shown.set(name, []);
  }

  /** Everybody is there, and the Things run. */
  static async open(seed: number, draw: Draw, planted: Planted): Promise<OwnershipSite> {
    accounts ??= makeAccounts();
    const site = new OwnershipSite(seed, draw, await accounts, planted);
    await site.startRegistry();
    for (const name of [...OWNERS, STRANGER]) site.#person(name);
    await site.clock.advance(20);
    for (const account of THINGS) await site.start(account);
    return site;
  }

  place(account: string): Place {
    const place = this.places.get(account);
    if (place === undefined) throw new Error(`no ${account}`);
    return place;
  }

  person(name: string): Person {
    const person = this.people.get(name);
    if (person === undefined) throw new Error(`no ${name}`);
    return person;
  }

  /** The Registry begins, with what was kept. */
  async startRegistry(): Promise<void> {
    const parts = { clock: this.clock, random: this.random, logger: silentLogger };
    // Searches and claims come thick in a world in which hardly any time passes.
    const registry = await ReferenceRegistry.open({
      jid: REGISTRY,
      ...parts,
      keeper: this.#keeper,
      searchesPerSecond: 1e6,
    });
    const { toRegistry, fromRegistry } = this.#planted;
    let carry: (stanzas: readonly XmlElement[]) => void = () => undefined;
    const hear = (stanza: XmlElement): void => {
      this.clock.schedule(1, () => carry(registry.receive(stanza)));
    };
    const out = (stanzas: readonly XmlElement[]): readonly XmlElement[] =>
      stanzas.flatMap((stanza) => (fromRegistry === undefined ? stanza : (fromRegistry(stanza, hear) ?? [])));
    const service: StanzaService = {
      jid: registry.jid,
      name: registry.name,
      receive: (stanza) => out(registry.receive(toRegistry?.(stanza) ?? stanza)),
      onOutput: (given) => {
        carry = given;
        registry.onOutput((stanzas) => given(out(stanzas)));
      },
      stop: () => registry.stop(),
    };
    this.registry = registry;
    this.#attached = service;
    this.domain.attach(service);
    this.isRegistryUp = true;
  }

  /** Its process is killed: whatever was not kept is gone. */
  killRegistry(): void {
    if (this.#attached === undefined) return;
    this.domain.detach(this.#attached);
    this.#attached = undefined;
    this.#keeper = this.#keeper.kill();
    this.registry.stop();
    this.isRegistryUp = false;
  }

  /** The program of a Thing begins; it ends in {@link stop} or {@link cutPower}. */
  async start(account: string): Promise<void> {
    const place = this.place(account);
    if (place.isOn) return;
    place.isOn = true;
    const thing = new Thing({
      ...{ storage: place.disk, clock: this.clock, random: this.random, logger: silentLogger },
      server: { service: "xmpp://127.0.0.1:1", domain: DOMAIN },
      account: { username: account, password: "secret" },
      registry: REGISTRY,
      tags: this.#tags(account),
      ...this.#hands(account),
      ...(account === "hub" && { nodes: [...place.nodes].map((nodeId) => this.definition(nodeId)) }),
      [linkSeam]: this.#link(place),
    } as ThingOptions);
    place.thing = thing;
    thing.on(
      "fault",
      ({ code, message }) => code !== "provisioning" && this.faults.push(`${account}: ${code}: ${message}`),
    );
    thing.on("claimText", (text) => this.#show(account, text));
    thing.on("nodeClaimText", (text, { nodeId }) => this.#show(`${account}/${nodeId}`, text));
    await this.during(thing.start());
  }

  /** The program ends as it should. */
  async stop(account: string): Promise<void> {
    const place = this.place(account);
    if (!place.isOn) return;
    place.isOn = false;
    place.isUp = false;
    const { thing } = place;
    place.thing = undefined;
    if (thing !== undefined) await this.during(thing.stop());
  }

  /** The power goes. The server may notice at once, or when the Thing is back. */
  cutPower(account: string): void {
    const place = this.place(account);
    if (!place.isOn) return;
    place.isOn = false;
    place.isUp = false;
    place.thing?.removeAllListeners();
    place.thing = undefined;
    place.disk = place.disk.cut();
    place.lose(Infinity);
  }

  /** A node as the program defines it. */
  definition(nodeId: string): NodeDefinition {
    return {
      nodeId,
      tags: this.#tags(`hub/${nodeId}`),
      ...this.#hands(`hub/${nodeId}`),
      ...(nodeId === "s" && { selfOwned: true }),
      ...(nodeId === "b" && { tagsAfterClaim: { SN: "", ROOM: "cellar" } }),
    };
  }

  /** Waits for what takes simulated time. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const end = promise.then(
      () => (isDone = true),
      () => (isDone = true),
    );
    for (let ms = 0; !isDone && ms < 30_000; ms += 5) await this.clock.advance(5);
    if (!isDone) throw new Error("something takes more than 30 s");
    await end;
    return promise;
  }

  /** Everything ends. */
  async close(): Promise<void> {
    for (const account of THINGS) await this.stop(account);
    this.registry.stop();
  }

  #tags(name: string): ThingOptions["tags"] & object {
    return { SN: name, MAN: "example.org", ...(this.#planted.fixedKey === true && { KEY: `key-of-${name}` }) };
  }

  /** What can be read and set: who does is noted. */
  #hands(device: string): Pick<NodeDefinition, "sensor" | "control"> {
    const note = (from: string): void => void this.obeyed.push({ device, who: from.split("@")[0] ?? from });
    return {
      sensor: {
        fields: [{ name: "Temperature" }],
        read: ({ request }) => {
          note(request.from);
          return [{ name: "Temperature", value: 21 }];
        },
      },
      control: [
        { name: "Output", type: "boolean", set: (_: boolean, { from }: { from: string }) => note(from) } as never,
      ],
    };
  }

  #show(device: string, text: string): void {
    if (text !== "") this.shown.get(device)?.push(text);
  }

  #link(place: Place): MakeLink {
    return ({ channel, account, onState }) => {
      let isEnded = false;
      let end: () => void = () => undefined;
      answerPings(channel);
      const begin = async (): Promise<void> => {
        const { username, resource } = await account.load(DOMAIN);
        await account.made(DOMAIN);
        if (isEnded) return;
        let open = true;
        const { toThing, fromThing } = this.#planted;
        const hear = (stanza: XmlElement): void => {
          if (open) channel.receive(stanza);
        };
        const say = (stanza: XmlElement): void => {
          if (open) session.receive(stanza);
        };
        const lost = (isSilent: boolean, after: number): void => {
          if (!open) return;
          open = false;
          place.isUp = false;
          if (!isSilent) session.end();
          if (isEnded) return;
          channel.detach(new ConnectionError("cut"));
          onState({ is: "waiting", ms: after, reason: new ConnectionError("cut") } as never);
          if (after !== Infinity) this.clock.schedule(after, () => void begin());
        };
        const session: Session = this.domain.bind(
          username,
          resource,
          (stanzas) => {
            for (const stanza of stanzas) {
              const heard = toThing === undefined ? stanza : toThing(stanza, say);
              if (heard !== undefined) this.clock.schedule(1, () => hear(heard));
            }
          },
          () => lost(true, 100),
        );
        end = () => lost(false, Infinity);
        place.lose = (after) => {
          if (after === Infinity) isEnded = true;
          lost(this.#draw(2) === 0, after);
        };
        place.session = session;
        place.channel = channel;
        place.isUp = true;
        channel.attach({
          jid: session.jid,
          write: (stanzas) => {
            for (const stanza of stanzas) {
              if (!open) return Promise.reject(new ConnectionError("cut"));
              const { to, type } = stanza.attrs;
              if (place.losesAcknowledgement && to === REGISTRY && type === "result") {
                place.losesAcknowledgement = false;
                place.lose(500);
                continue;
              }
              const said =
                fromThing === undefined
                  ? stanza
                  : fromThing(stanza, (answer) => this.clock.schedule(1, () => hear(answer)));
              if (said !== undefined) session.receive(said);
            }
            return Promise.resolve();
          },
        });
        onState({ is: "online", jid: session.jid.full });
      };
      return {
        start: () => void begin(),
        stop: () => {
          isEnded = true;
          end();
          return Promise.resolve();
        },
      };
    };
  }

  #person(name: string): void {
    const channel = new StanzaChannel({ clock: this.clock, random: this.random, logger: silentLogger });
    const friends = new Friends(channel);
    answerPings(channel);
    const session = this.domain.bind(name, "desk", (stanzas) => {
      for (const stanza of stanzas) this.clock.schedule(1, () => channel.receive(parseXml(stanza.toString())));
    });
    channel.attach({
      jid: session.jid,
      write: (stanzas) => {
        stanzas.forEach((stanza) => session.receive(stanza));
        return Promise.resolve();
      },
    });
    void friends.load().then(() => channel.send(presence()));
    const close = (): Promise<void> => Promise.resolve();
    const ended = new Promise<StreamEnd>(() => undefined);
    const connection: Connection = { channel, friends, jid: session.jid, ended, close, [Symbol.asyncDispose]: close };
    this.people.set(name, { channel, client: new OwnerClient(connection, { registry: REGISTRY, clock: this.clock }) });
  }
}
