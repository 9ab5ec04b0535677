// A random life of a Thing, on a disk that may be bad for a while: it is claimed, befriended, read and controlled under
// rules that change, told to forget, unfriended, stopped, killed, and started with other servers. What it acknowledges is
// marked in the recording of its disk.
import { setImmediate, setTimeout } from "node:timers/promises";
import { StanzaError, isSdkError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { CachedServer } from "../../src/discovery/cached.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { FileSystem } from "../../src/storage/file-system.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { ThingState } from "../../src/thing/state.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { drawFrom, processesOf, type Draw } from "./crash-fs.ts";
import { FillingDisk } from "./filling-disk.ts";
import { startMemorySite } from "./memory-site.ts";
import { mortal } from "./mortal-fs.ts";
import type { RecordingFileSystem } from "./recording-fs.ts";
import { textOf, type Fact } from "./rights-witness.ts";
import type { Site } from "./site.ts";

/** Where the Thing keeps what must outlive it. */
export const FOLDER = "/var/lib/thing";
export const FIRST = "provisioning.localhost";
export const SECOND = "second.localhost";
/** Who asks. */
export const PEOPLE = ["owner", "anna", "ben", "carl"] as const;
const jidOf = (name: string): string => `${name}@localhost`;

/** The most rules of a life. */
const MOST_RULES = 150;
const numbers = Array.from({ length: MOST_RULES }, (_, index) => String(index + 1));
/** Longer than the Thing gathers what it writes. */
const A_WHILE = 31_000;

/** What the Thing can be asked: for each rule a field and a parameter of its number. */
const things = {
  sensor: {
    fields: numbers.map((name) => ({ name, decimals: 0 })),
    read: () => numbers.map((name) => ({ name, value: Number(name) })),
  },
  control: numbers.map((name) => ({ name, type: "boolean" as const, set: () => undefined })),
} satisfies Partial<ThingOptions>;

/** How a life goes. */
export interface LifeOptions {
  /** The same seed gives the same life. */
  readonly seed: number;
  /** How many things happen in it. */
  readonly steps: number;
  /** Puts something between the Thing and its disk: a fault to be found. */
  readonly storage?: (storage: Storage) => Storage;
  /** The same below the storage. */
  readonly fs?: (fs: FileSystem) => FileSystem;
  /** Whether the Thing makes itself a certificate, and gets tokens for it. */
  readonly certificate?: boolean;
  /** Whether the disk is bad at times. */
  readonly badDisk?: boolean;
}

/** What was seen in a life. */
export interface Lived {
  /** Each answer that the Thing has ever remembered, as text. */
  readonly seen: ReadonlySet<string>;
  /** How often the disk refused. */
  readonly refused: number;
  /** How often something was to be forgotten and could not be, and was not said to be. */
  readonly unforgotten: number;
  /** The codes of what the Thing told of, and of what it said was over. */
  readonly faults: readonly string[];
  readonly healed: readonly string[];
  /** How many answers were read from disk, over all starts. */
  readonly kept: number;
  /** What the Thing did otherwise than the rules say. */
  readonly wrong: readonly string[];
  /** What it remembered at its clean end, as texts. */
  readonly last: readonly string[];
}

/** Lives once. */
export async function liveOnce(recorder: RecordingFileSystem, options: LifeOptions): Promise<Lived> {
  const life = new Life(recorder, options);
  try {
    return await life.run();
  } finally {
    await life.end();
  }
}

class Life {
  readonly #recorder: RecordingFileSystem;
  readonly #options: LifeOptions;
  readonly #draw: Draw;
  readonly #disk: FillingDisk;
  readonly #second: ReferenceProvisioningServer;
  readonly #people = new Map<string, OwnerClient>();
  readonly #allowed = new Map<string, readonly string[]>();
  readonly #numbers = new Map<string, number>();
  readonly #seen = new Set<string>();
  readonly #faults: string[] = [];
  readonly #healed: string[] = [];
  readonly #wrong: string[] = [];
  readonly #clock = new SimulatedClock();
  #site!: Site;
  #thing!: Thing;
  #storage!: Storage;
  #kill: () => void = () => undefined;
  #servers: readonly string[] = [FIRST];
  #rule = 0;
  #boots = 0;
  #kept = 0;
  #unforgotten = 0;
  /** Whether the Thing has said that the disk takes nothing, and not that it does again. */
  #isUnsaved = false;

  constructor(recorder: RecordingFileSystem, options: LifeOptions) {
    this.#recorder = recorder;
    this.#options = options;
    this.#draw = drawFrom(options.seed);
    this.#disk = new FillingDisk(options.fs?.(recorder) ?? recorder, this.#draw);
    this.#second = new ReferenceProvisioningServer({ jid: SECOND });
  }

  async run(): Promise<Lived> {
    this.#site = await startMemorySite({ services: [this.#second] });
    for (const name of PEOPLE) this.#people.set(jidOf(name), new OwnerClient(await this.#site.user(name)));
    await this.#begin();
    for (let step = 0; step < this.#options.steps; step++) {
      await this.#step();
      this.#look();
    }
    if (this.#disk.isInTrouble) await this.#roomAgain();
    await this.#parted();
    await this.#readAll();
    if (this.#isUnsaved) this.#wrong.push("the Thing never said that the disk takes again what is written");
    const last = this.#thing.rights.entries().map(textOf);
    await this.#thing.stop();
    return {
      last,
      seen: this.#seen,
      refused: this.#disk.refused,
      unforgotten: this.#unforgotten,
      faults: this.#faults,
      healed: this.#healed,
      kept: this.#kept,
      wrong: this.#wrong,
    };
  }

  async end(): Promise<void> {
    this.#disk.heal();
    await this.#thing.stop().catch(() => undefined);
    this.#second.stop();
    await this.#site.stop();
  }

  async #begin(): Promise<void> {
    await this.#boot();
    await this.#thing.waitFor("registered");
    this.#mark({ is: "shown", text: this.#thing.claimText });
    await this.#people.get(jidOf("owner"))?.claim(this.#thing.claimText);
    await this.#thing.waitFor("provisioned");
    this.#mark({ is: "claimed", owner: jidOf("owner") });
    // A key takes its time.
    for (let wait = 0; this.#options.certificate === true && !(await this.#hasTokens()) && wait < 2_000; wait++) {
      await setTimeout(10);
    }
    for (const by of [FIRST, SECOND]) await this.#change(by);
  }

  async #step(): Promise<void> {
    const by = this.#servers[this.#draw(this.#servers.length)] ?? FIRST;
    const somebody = this.#somebody();
    if (this.#options.badDisk === true && this.#draw(8) === 0) {
      if (this.#disk.isInTrouble) await this.#roomAgain();
      else this.#fill();
      return;
    }
    const dice = this.#draw(97);
    if (dice < 35) await this.#read(somebody);
    else if (dice < 42) await this.#control(somebody);
    else if (dice < 47) await this.#befriend(somebody);
    else if (dice < 57) await this.#clock.advance(A_WHILE);
    else if (dice < 67) await this.#change(by);
    else if (dice < 71) await this.#meanwhile(() => this.#change(by));
    else if (dice < 76) await this.#forget(somebody);
    else if (dice < 79) await this.#forget(undefined);
    else if (dice < 81) await this.#meanwhile(() => this.#thing.rights.forget(somebody).catch(() => undefined));
    else if (dice < 85) await this.#unfriend(by, somebody);
    else if (dice < 89) await this.#restart(this.#servers);
    else if (dice < 92) await this.#restart(this.#servers, true);
    else if (dice < 95) await this.#delegateAnew();
    else this.#otherServer();
  }

  async #hasTokens(): Promise<boolean> {
    return (await this.#recorder.readdir(FOLDER)).includes("tokens");
  }

  #mark(fact: Fact): void {
    this.#recorder.mark(JSON.stringify(fact));
  }

  #look(thing = this.#thing): void {
    for (const right of thing.rights.entries()) this.#seen.add(textOf(right));
  }

  #somebody(): string {
    return jidOf(PEOPLE[this.#draw(PEOPLE.length)] ?? "owner");
  }

  #server(by: string): ReferenceProvisioningServer {
    return by === FIRST ? this.#site.provisioning : this.#second;
  }

  /** Numbers of the rules that let somebody have something now. */
  #numbersFor(jid: string): readonly string[] {
    const granting = this.#servers.filter((by) => this.#allowed.get(by)?.includes(jid) === true);
    return granting.map((by) => String(this.#numbers.get(by))).sort();
  }

  async #boot(): Promise<void> {
    this.#boots++;
    this.#mark({ is: "boot", servers: this.#servers });
    const { fs, kill } = mortal(this.#disk.fs);
    this.#kill = kill;
    const processes = processesOf("recorded", this.#boots);
    const storage = fileStorage(FOLDER, { fs, processes });
    this.#storage = this.#options.storage?.(storage) ?? storage;
    this.#thing = this.#site.thing(this.#storage, {
      ...things,
      clock: this.#clock,
      random: new SeededRandom(`${this.#options.seed} ${this.#boots}`),
      provisioning: [...this.#servers],
      ...(this.#options.certificate === true && { certificate: { make: true } }),
    });
    this.#isUnsaved = false;
    this.#thing.on("fault", ({ code }) => {
      this.#faults.push(code);
      this.#isUnsaved ||= code === "rights-not-saved";
    });
    // What is remembered for a moment only may be on disk too.
    const thing = this.#thing;
    thing.on("decision", () => this.#look(thing));
    this.#thing.on("healed", (code) => {
      this.#healed.push(code);
      this.#isUnsaved &&= code !== "rights-not-saved";
    });
    await this.#thing.start();
    this.#kept += this.#thing.rights.count;
  }

  /** Other rules: acknowledged, unless the disk is bad. */
  async #change(by: string): Promise<void> {
    if (this.#rule >= MOST_RULES) return;
    const number = ++this.#rule;
    const some = (): string[] => PEOPLE.map(jidOf).filter(() => this.#draw(3) > 0);
    const [allowed, friends] = [some(), some()];
    this.#mark({ is: "rule", by, number, allowed, friends });
    this.#numbers.set(by, number);
    this.#allowed.set(by, allowed);
    const what = String(number);
    this.#server(by).setRules(
      PEOPLE.map(jidOf).map((jid) => ({
        jid,
        friend: friends.includes(jid),
        read: allowed.includes(jid) && { fields: [what] },
        control: allowed.includes(jid) && { parameters: [what] },
      })),
    );
    if (!this.#servers.includes(by)) return;
    if (
      await settled(
        () => this.#server(by).unacknowledged.length === 0,
        () => this.#disk.isBad,
      )
    ) {
      this.#mark({ is: "void", by, number });
    } else this.#unforgotten++;
  }

  async #read(jid: string): Promise<void> {
    const numbersNow = this.#numbersFor(jid);
    // All fields, or only that of one rule and one that no rule names.
    const one = this.#numbers.get(this.#servers[this.#draw(this.#servers.length)] ?? FIRST) ?? 1;
    const fields = this.#draw(3) === 0 ? [String(one), String(MOST_RULES)] : undefined;
    const expected = numbersNow.filter((name) => fields?.includes(name) !== false).join();
    const got = await this.#ask(jid, fields);
    if (got !== expected) this.#wrong.push(`${jid} was to read "${expected}" and got "${got}"`);
  }

  /** What could not be written is tried again, ever more seldom: friendships that are to end do. */
  async #parted(): Promise<void> {
    const isOver = (): boolean => this.#thing.state.parting.length === 0;
    for (let wait = 0; wait < 60 && !isOver(); wait++) await this.#clock.advance(A_WHILE);
    if (!isOver()) this.#wrong.push("a friendship that was to end is one still");
  }

  async #readAll(): Promise<void> {
    for (const name of PEOPLE) await this.#read(jidOf(name));
    await this.#clock.advance(A_WHILE);
    this.#look();
  }

  /** What somebody gets to read. */
  async #ask(jid: string, fields?: readonly string[]): Promise<string> {
    this.#mark({ is: "asks", jid });
    const types = this.#draw(3) === 0 ? (["momentary", "status"] as const) : (["momentary"] as const);
    try {
      const groups = await this.#people.get(jid)?.read(this.#thing.jid, { types, ...(fields && { fields }) });
      const names = groups?.flatMap((group) => group.fields.map(({ name }) => name)) ?? [];
      return names.sort().join();
    } catch (error) {
      if (error instanceof StanzaError && error.condition === "forbidden") return "";
      // What was allowed when it began is ended when it is not any more.
      if (error instanceof Error && error.message.includes("Access denied")) return "";
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #control(jid: string): Promise<void> {
    const by = this.#servers[this.#draw(this.#servers.length)] ?? FIRST;
    const name = String(this.#numbers.get(by));
    const allowed = this.#numbersFor(jid).includes(name);
    this.#mark({ is: "asks", jid });
    const done = await this.#people
      .get(jid)
      ?.control(this.#thing.jid, { [name]: true })
      .then(
        () => true,
        () => false,
      );
    if (done !== allowed) this.#wrong.push(`${jid} ${done ? "could" : "could not"} set ${name}`);
  }

  /** The Thing asks about a friend, who is one afterwards or not. */
  async #befriend(jid: string): Promise<void> {
    const thing = this.#thing.jid.split("/")[0] ?? "";
    void this.#people
      .get(jid)
      ?.befriend(thing, { timeout: 1_000 })
      .catch(() => undefined);
    await turns();
  }

  /** Somebody reads while something changes: they get what the rules of before or of now let them have, or nothing. */
  async #meanwhile(change: () => Promise<unknown>): Promise<void> {
    const asking = [this.#somebody(), this.#somebody()].map(async (jid) => {
      const before = this.#numbersFor(jid);
      const got = (await this.#ask(jid)).split(",").filter((name) => name !== "");
      const now = this.#numbersFor(jid);
      const odd = got.filter((name) => ![...before, ...now].includes(name));
      if (odd.length > 0) this.#wrong.push(`${jid} got "${odd.join()}" while the rules changed`);
    });
    await change();
    await Promise.all(asking);
  }

  async #forget(jid: string | undefined): Promise<void> {
    try {
      await (jid === undefined ? this.#thing.rights.clear() : this.#thing.rights.forget(jid));
      this.#mark({ is: "gone", ...(jid !== undefined && { jid }) });
    } catch (error) {
      if (!(isSdkError(error) && error.code === "ERR_STORAGE" && this.#disk.isBad)) throw error;
      this.#unforgotten++;
    }
  }

  /**
   * XEP-0324 3.2.3: the Thing says nothing, but names whom it is to part with until that is over, on its disk too. That
   * somebody is a friend no more says less: it may be somebody else, and the Thing may have found it out by asking.
   */
  async #unfriend(by: string, jid: string): Promise<void> {
    // Most would be no friends, of whom the Thing forgets what it knows and shows nothing.
    await this.#befriend(jid);
    const thing = this.#thing;
    const ended = new Set<string>();
    const onEnded = (one: string): void => void ended.add(one);
    const onState = (now: ThingState, before: ThingState): void => {
      const isOver = before.parting.some((one) => one === jid) && !now.parting.some((one) => one === jid);
      if (isOver && ended.has(jid)) this.#mark({ is: "gone", jid });
    };
    thing.on("unfriended", onEnded);
    thing.on("state", onState);
    this.#server(by).unfriend(thing.jid, jid);
    await turns();
    thing.off("unfriended", onEnded);
    thing.off("state", onState);
  }

  async #restart(servers: readonly string[], killed = false): Promise<void> {
    const trust = [...servers].sort().join() !== [...this.#servers].sort().join();
    // Of a disk that is bad a Thing starts with what stands on it; to trust others it must be able to say so there.
    if (this.#disk.isInTrouble && (trust || this.#disk.isDefective)) return;
    if (killed) {
      this.#kill();
      await this.#site.cut(this.#thing);
    } else await this.#thing.stop();
    this.#servers = servers;
    await this.#boot();
    if (trust) this.#mark({ is: "gone" });
    await this.#thing.waitFor("online");
    await turns();
  }

  #delegateAnew(): Promise<void> {
    const [other = [FIRST, SECOND]] = [[FIRST], [SECOND], [FIRST, SECOND]]
      .filter((servers) => servers.join() !== this.#servers.join())
      .slice(this.#draw(2));
    return this.#restart(other);
  }

  /** The XMPP server that worked last is another one: a document of its own. */
  #otherServer(): void {
    const candidate = {
      ...{ host: `s${this.#draw(9)}.localhost`, port: 5222, directTls: false, domain: "localhost" },
      ...{ registries: [], provisioning: [], finder: "dhcp", rank: 1, heard: "heard" },
    };
    new CachedServer({ storage: this.#storage, logger: silentLogger }).keep(candidate as never);
  }

  #fill(): void {
    this.#disk.fill(this.#draw(3) === 0 ? "EIO" : "ENOSPC", this.#draw(12));
  }

  /** The disk takes again what is written: rules that nobody has acknowledged are said again. */
  async #roomAgain(): Promise<void> {
    this.#disk.heal();
    for (const by of this.#servers) await this.#change(by);
  }
}

/** So many turns of the event loop that whatever was begun in memory is through. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await setImmediate();
}

/** Waits for something that will be; on a bad disk it may never be. */
async function settled(condition: () => boolean, maybe: () => boolean): Promise<boolean> {
  await turns();
  for (let turn = 0; !condition() && !maybe(); turn++) {
    if (turn > 100_000) throw new Error("the Thing acknowledges nothing");
    await setImmediate();
  }
  return condition();
}
