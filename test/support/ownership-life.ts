// Random lives of a Thing, a concentrator with nodes, owners, strangers and a Registry, judged by the model of ownership. A life
// is a list of steps drawn from a seed; one that shows a fault is shortened to the steps that it takes.
import { SdkError, StanzaError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { parseClaimText } from "../../src/codec/claim-text.ts";
import { buildSet } from "../../src/codec/control.ts";
import {
  buildClaimed,
  buildDisowned,
  buildRemoved,
  buildUnregister,
  buildUpdate,
} from "../../src/codec/iot-discovery.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { tag } from "../../src/owner/predicates.ts";
import type { Ownership } from "../../src/thing/ownership.ts";
import { drawFrom, type Draw } from "./crash-fs.ts";
import {
  inWords,
  isFound,
  obeys,
  possible,
  settled,
  unborn,
  type Around,
  type Deed,
  type Done,
  type Whose,
} from "./ownership-model.ts";
import { DEVICES, OwnershipSite, REGISTRY, STRANGER, THINGS, type Device, type Planted } from "./ownership-site.ts";

/** What can happen. What is in the way of a step (a Thing that is off) makes it nothing. */
const KINDS = [
  ...["claim", "claim", "claim", "claim", "claimOld", "claimWrong", "claimTwice"],
  ...["update", "thingUpdate", "remove", "disown", "disown", "disown", "loseAcknowledgement"],
  ...["search", "foreign", "forge", "forge", "read", "read", "control"],
  ...[
    "reset",
    "restart",
    "cutPower",
    "cutPower",
    "turnOff",
    "turnOn",
    "turnOn",
    "loseLink",
    "killRegistry",
    "takeOut",
    "putIn",
  ],
] as const;

/** A step: what happens, to what, by whom, and how long until the next. */
export interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly device: Device;
  readonly who: string;
  /** For what a kind leaves open. */
  readonly choice: number;
  /** Milliseconds until the next step; `undefined`: until all is quiet, and is judged. */
  readonly pace: number | undefined;
}

/** The steps of a seed. */
export function stepsOf(seed: number, count: number): readonly Step[] {
  const draw = drawFrom(seed);
  const pick = <T>(from: readonly T[]): T => from[draw(from.length)] as T;
  return Array.from({ length: count }, () => ({
    kind: pick(KINDS),
    device: pick(DEVICES),
    who: pick(["anna", "bert", STRANGER]),
    choice: draw(1_000),
    pace: draw(10) < 6 ? undefined : draw(12),
  }));
}

/** A step for people. */
export function stepInWords({ kind, device, who, choice, pace }: Step): string {
  return `${kind} ${device.name} by ${who} (${choice})${pace === undefined ? "" : `, ${pace} ms`}`;
}

/** What a life came to. */
export interface LifeEnd {
  readonly complaints: readonly string[];
  /** How often it came to something, by kind: what was allowed, and what was not. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Lives it. Stops at the first complaint. */
export async function live(seed: number, steps: readonly Step[], planted: Planted = {}): Promise<LifeEnd> {
  const site = await OwnershipSite.open(seed, drawFrom(seed ^ 0x5eed), planted);
  const life = new Life(site, drawFrom(seed ^ 0xd1ce));
  try {
    await life.judge("the start");
    for (const [index, step] of steps.entries()) {
      if (life.complaints.length > 0) break;
      await life.step(step);
      if (step.pace === undefined) await life.judge(`step ${index + 1}`);
      else await site.clock.advance(step.pace);
    }
    if (life.complaints.length === 0) await life.finish();
  } catch (error) {
    life.complaints.push(`the life itself failed: ${String((error as Error).stack)}`);
  }
  await site.close().catch((error: unknown) => life.complaints.push(`does not end: ${String(error)}`));
  return { complaints: life.complaints, counts: life.counts };
}

/** The same with fewer steps, as long as there is something to complain about. */
export async function shorten(seed: number, steps: readonly Step[], planted: Planted = {}): Promise<readonly Step[]> {
  let left = steps;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length;) {
      const fewer = left.filter((_, index) => index < at || index >= at + size);
      if ((await live(seed, fewer, planted)).complaints.length > 0) left = fewer;
      else at += size;
    }
  }
  return left;
}

/** A run that shows something, with all that it takes to see it again; empty if there is nothing to complain about. */
export async function complaintsOf(seed: number, count: number, planted: Planted = {}): Promise<string> {
  const steps = stepsOf(seed, count);
  const { complaints } = await live(seed, steps, planted);
  if (complaints.length === 0) return "";
  const few = await shorten(seed, steps, planted);
  const again = await live(seed, few, planted);
  return [`OWNERSHIP_SEED=${seed}`, ...complaints, "shortened:", ...few.map(stepInWords), ...again.complaints].join(
    "\n",
  );
}

/** Where to begin to draw, another one in each run; `OWNERSHIP_SEED` in the environment plays a failure again. */
export function ownershipSeed(): number {
  const given = process.env["OWNERSHIP_SEED"];
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

/** Many lives, until the first that gives a reason to complain. */
export async function liveAll(
  seed: number,
  runs: number,
  count: number,
): Promise<{ readonly complaints: string; readonly summary: string }> {
  const counts = new Map<string, number>();
  for (let run = 0; run < runs; run++) {
    const { complaints, counts: some } = await live(seed + run, stepsOf(seed + run, count));
    for (const [what, times] of some) counts.set(what, (counts.get(what) ?? 0) + times);
    if (complaints.length > 0) return { complaints: await complaintsOf(seed + run, count), summary: `life ${run + 1}` };
  }
  const texts = [...counts].map(([what, times]) => `${what} ${times}`).sort();
  return { complaints: "", summary: `${runs} lives of ${count} steps: ${texts.join("; ")}` };
}

interface Pending {
  readonly deed: Deed;
  answer: string;
}

class Life {
  readonly complaints: string[] = [];
  readonly counts = new Map<string, number>();
  readonly #site: OwnershipSite;
  readonly #draw: Draw;
  #whose = new Map<string, readonly Whose[]>(DEVICES.map(({ name }) => [name, [unborn]]));
  /** Deeds since all was quiet, by device. */
  #pending = new Map<string, Pending[]>();
  /** Answers that are still to come. */
  readonly #open = new Set<Promise<void>>();
  /** Things with which nothing has gone wrong since all was quiet. */
  #isCalm = new Set<string>(THINGS);
  #wasOnline = new Set<string>();
  #wasKilled = false;
  /** How many texts a device had shown when all was quiet. */
  #texts = new Map<string, number>();
  /** Claim texts that count no more, whatever happens. */
  readonly #burnt = new Map<string, Set<string>>(DEVICES.map(({ name }) => [name, new Set()]));
  /** What a lonely attempt to read or set must come to. */
  #attempts: { readonly device: Device; readonly who: string; outcome: string }[] = [];

  constructor(site: OwnershipSite, draw: Draw) {
    this.#site = site;
    this.#draw = draw;
  }

  async step(step: Step): Promise<void> {
    const site = this.#site;
    const { kind, device, who, choice } = step;
    const place = site.place(device.account);
    const { client } = site.person(who);
    const reference = this.#reference(device);
    const shown = site.shown.get(device.name) ?? [];
    const text = shown.at(-1) ?? "";
    if (place.isUp) this.#wasOnline.add(device.account);
    switch (kind) {
      case "claim": {
        this.#claim(device, who, text, choice % 3 > 0);
        return;
      }
      case "claimOld": {
        this.#claim(device, who, shown[choice % Math.max(1, shown.length)] ?? "", choice % 2 > 0);
        return;
      }
      case "claimWrong": {
        this.#claim(device, who, text.replace("MAN:example.org", "MAN:example.com"), true, text);
        return;
      }
      case "claimTwice":
        this.#claim(device, "anna", text, choice % 2 > 0);
        {
          this.#claim(device, "bert", text, true);
          return;
        }
      case "update": {
        this.#do(device, { do: "update", who }, () => client.update(reference, { ROOM: `room ${choice}` }));
        return;
      }
      case "thingUpdate": {
        const node = device.nodeId === undefined ? {} : { node: { nodeId: device.nodeId } };
        const payload = buildUpdate({ tags: [{ name: "ROOM", type: "str", value: `cellar ${choice}` }], ...node });
        // What the Thing's own program would do; what is answered concerns nobody here.
        if (place.isUp && this.#known(device).every(({ held }) => held.is === "owned"))
          void place.channel?.request({ type: "set", to: REGISTRY, payload }, {}).catch(() => undefined);
        return;
      }
      case "remove": {
        this.#do(device, { do: "remove", who: this.#ownerOr(device, who, choice) }, (one) => one.remove(reference));
        return;
      }
      case "disown": {
        this.#do(device, { do: "disown", who: this.#ownerOr(device, who, choice) }, (one) => one.disown(reference));
        return;
      }
      case "loseAcknowledgement":
        place.losesAcknowledgement = true;
        this.#disturb(device.account);
        return this.step({ ...step, kind: choice % 3 > 0 ? "disown" : "claim", choice: choice * 4 + 1 });
      case "search": {
        this.#search(choice);
        return;
      }
      case "foreign": {
        // What a stranger says of a Thing to the Registry concerns the stranger's own things, of which there are none.
        const node = device.nodeId === undefined ? {} : { node: { nodeId: device.nodeId } };
        const jid = bareJid(`${device.account}@localhost`);
        const tags = [{ name: "ROOM", type: "str", value: "mine" }] as const;
        const payload = choice % 2 > 0 ? buildUnregister(node) : buildUpdate({ jid, tags, ...node });
        const asked = site.person(STRANGER).channel.request({ type: "set", to: REGISTRY, payload }, {});
        this.#track(
          asked.then(
            () => undefined,
            () => undefined,
          ),
        );
        return;
      }
      case "forge": {
        this.#forge(device, who, choice);
        return;
      }
      case "read": {
        this.#attempt(
          device,
          this.#ownerOr(device, who, choice),
          buildReq({
            ...{ seqnr: choice + 1, types: new Set(["momentary"] as const), fields: [], tokens: {} },
            nodes: device.nodeId === undefined ? [] : [{ nodeId: device.nodeId }],
          }),
          "get",
        );
        return;
      }
      case "control": {
        this.#attempt(
          device,
          this.#ownerOr(device, who, choice),
          buildSet({
            nodes: device.nodeId === undefined ? [] : [{ nodeId: device.nodeId }],
            parameters: [{ kind: "boolean", name: "Output", value: true }],
            tokens: {},
          }),
          "set",
        );
        return;
      }
      case "reset": {
        const { thing } = place;
        if (thing === undefined) return;
        const done = this.#perform(this.#devicesOf(device.account), { do: "reset" });
        this.#track(this.#answered(done, thing.reset()));
        return;
      }
      case "takeOut": {
        const { thing } = place;
        if (thing === undefined || device.nodeId === undefined || !place.nodes.has(device.nodeId)) return;
        // One that the program still defines at the next start is there again.
        const { nodeId } = device;
        const done = this.#perform([device], { do: "takeOut" });
        const taken = thing.removeNode({ nodeId }).then(() => {
          if (place.thing !== thing) throw new Error("the program has ended meanwhile");
          place.nodes.delete(nodeId);
        });
        this.#track(this.#answered(done, taken));
        return;
      }
      case "putIn": {
        // One after the other: a program waits for what it has begun.
        if (device.nodeId !== undefined) await this.#quiet();
        const { thing } = place;
        if (thing === undefined || device.nodeId === undefined || place.nodes.has(device.nodeId)) return;
        place.nodes.add(device.nodeId);
        const done = this.#perform([device], { do: "putIn" });
        this.#track(this.#answered(done, thing.addNode(site.definition(device.nodeId))));
        return;
      }
      case "restart":
        this.#disturb(device.account);
        await site.stop(device.account);
        return site.start(device.account);
      case "turnOff":
        this.#disturb(device.account);
        if (choice % 2 > 0) await site.stop(device.account);
        else site.cutPower(device.account);
        return;
      case "cutPower":
        this.#disturb(device.account);
        site.cutPower(device.account);
        if (choice % 3 > 0) await site.clock.advance(choice % 50);
        return site.start(device.account);
      case "turnOn":
        this.#disturb(device.account);
        return site.start(device.account);
      case "loseLink":
        this.#disturb(device.account);
        place.lose(20 + choice);
        return;
      case "killRegistry":
        for (const account of THINGS) this.#disturb(account);
        this.#wasKilled = true;
        site.killRegistry();
        await site.clock.advance(choice % 100);
        return site.startRegistry();
    }
  }

  /** Waits until all is quiet, and compares what everybody sees with what may be. */
  async judge(when: string): Promise<void> {
    const site = this.#site;
    await this.#quiet();
    // An answer that was lost is waited for, and asked for again.
    if (this.#isCalm.size < THINGS.length) await site.clock.advance(40_000);
    // What went wrong is made good by itself, at the latest when it is tried again.
    for (const wait of [300, 5_000, 60_000, 600_000]) {
      await site.clock.advance(wait);
      if (this.#open.size > 0) continue;
      if (DEVICES.every((device) => this.#fitting(device).length > 0)) break;
    }
    // A Registry that was killed may have had something to tell: Things hear it when they come the next time (3.6, 3.9).
    const deaf = DEVICES.filter((device) => this.#wasKilled && this.#fitting(device).length === 0);
    for (const account of new Set(deaf.map((device) => device.account))) {
      this.#count("told at the next stream");
      site.place(account).lose(20);
    }
    if (deaf.length > 0) await site.clock.advance(60_000);
    for (const device of DEVICES) {
      const fitting = this.#fitting(device);
      if (fitting.length === 0) this.#complain(device, when);
      this.#judgeObeyed(device, fitting, when);
      this.#judgeText(device, fitting, when);
      this.#whose.set(device.name, fitting);
    }
    for (const place of site.places.values()) place.losesAcknowledgement = false;
    this.#pending = new Map();
    this.#attempts = [];
    site.obeyed.length = 0;
    this.#isCalm = new Set(THINGS);
    this.#wasKilled = false;
    this.#wasOnline = new Set(THINGS.filter((account) => site.place(account).isUp));
    for (const [name, texts] of site.shown) this.#texts.set(name, texts.length);
  }

  /** From wherever it has come to, everything can be claimed again by what the XEP gives people to do. */
  async finish(): Promise<void> {
    const site = this.#site;
    // Most of what is amiss a restart makes good: half of the lives do without.
    const kind = this.#draw(2) > 0 ? "restart" : "turnOn";
    for (const account of THINGS)
      await this.step({
        kind,
        device: this.#devicesOf(account)[0] as Device,
        who: STRANGER,
        choice: 0,
        pace: undefined,
      });
    for (const device of DEVICES) await this.step({ kind: "putIn", device, who: STRANGER, choice: 0, pace: undefined });
    await this.judge("the end");
    if (this.complaints.length > 0) return;
    for (const device of DEVICES) {
      if (device.selfOwned) continue;
      const [now] = this.#known(device);
      if (now?.held.is === "owned" && this.#draw(2) > 0) {
        const { owner } = now.held;
        this.#do(device, { do: "disown", who: owner }, (one) => one.disown(this.#reference(device)));
        await this.judge(`${device.name} disowned at the end`);
      } else if (now?.known.is === "owned") {
        await this.step({ kind: "reset", device, who: STRANGER, choice: 0, pace: undefined });
        await this.judge(`${device.name} reset at the end`);
      }
      if (this.complaints.length > 0) return;
      const shown = site.shown.get(device.name) ?? [];
      const old = new Set(shown.filter((text) => text !== shown.at(-1)));
      for (const text of old) this.#claim(device, "bert", text, true);
      await this.judge(`${device.name} claimed by old texts at the end`);
      if (this.complaints.length > 0) return;
      this.#claim(device, "heir", shown.at(-1) ?? "", true);
      await this.judge(`${device.name} claimed at the end`);
      const whose = this.#known(device);
      if (this.complaints.length > 0) return;
      if (!whose.every((one) => obeys(one) === "heir"))
        this.complaints.push(`${device.name} cannot be claimed at the end: ${whose.map(inWords).join(" or ")}`);
    }
  }

  #reference(device: Device): { readonly jid: string; readonly node?: { readonly nodeId: string } } {
    const jid = `${device.account}@localhost`;
    return device.nodeId === undefined ? { jid } : { jid, node: { nodeId: device.nodeId } };
  }

  #devicesOf(account: string): readonly Device[] {
    return DEVICES.filter((device) => device.account === account);
  }

  #known(device: Device): readonly Whose[] {
    return this.#whose.get(device.name) ?? [];
  }

  /** Mostly who may, sometimes who may not. */
  #ownerOr(device: Device, who: string, choice: number): string {
    const [whose] = this.#known(device);
    return choice % 4 > 0 && whose?.known.is === "owned" ? whose.known.owner : who;
  }

  #disturb(account: string): void {
    this.#isCalm.delete(account);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #claim(device: Device, who: string, text: string, isPublic: boolean, of = text): void {
    if (of === "") return;
    const tags = Object.fromEntries(parseClaimText(text).map(({ name, value }) => [name, value]));
    // A text that was changed on the way fits nothing.
    this.#do(device, { do: "claim", who, text: of === text ? text : `${text} changed`, public: isPublic }, (client) =>
      client.claim(tags, { public: isPublic }),
    );
  }

  #do(
    device: Device,
    deed: Deed & { readonly who: string },
    act: (client: ReturnType<OwnershipSite["person"]>["client"]) => Promise<unknown>,
  ): void {
    const done = this.#perform([device], deed);
    this.#track(
      this.#answered(done, act(this.#site.person(deed.who).client)).then(() =>
        this.#count(`${deed.do}: ${done[0]?.answer}`),
      ),
    );
  }

  #perform(devices: readonly Device[], deed: Deed): readonly Pending[] {
    return devices.map((device) => {
      const pending: Pending = { deed, answer: "nothing" };
      this.#pending.set(device.name, [...(this.#pending.get(device.name) ?? []), pending]);
      return pending;
    });
  }

  async #answered(done: readonly Pending[], promise: Promise<unknown>): Promise<void> {
    const answer = await promise.then(
      () => "done",
      (error: unknown) =>
        error instanceof StanzaError ? error.condition : error instanceof SdkError ? error.code : String(error),
    );
    for (const one of done) one.answer = answer;
  }

  #track(promise: Promise<void>): void {
    this.#open.add(promise);
    void promise.finally(() => this.#open.delete(promise));
  }

  /** Waits for every answer, or until none can come any more. */
  async #quiet(): Promise<void> {
    await this.#site.clock.advance(60);
    for (let ms = 0; ms < 90_000 && this.#open.size > 0; ms += 1_000) await this.#site.clock.advance(1_000);
    this.#open.clear();
  }

  #search(choice: number): void {
    const condition = choice % 2 > 0 ? tag("MAN").is("example.org") : tag("MAN").like("example*");
    const isUnsure = ({ name, account }: Device): boolean => this.#pending.has(name) || !this.#isCalm.has(account);
    const unsure = new Set(DEVICES.filter(isUnsure));
    const run = async (): Promise<void> => {
      const found = new Set<string>();
      for await (const { jid, node, tags } of this.#site.person(STRANGER).client.search(condition)) {
        found.add(node === undefined ? (jid.split("@")[0] ?? "") : `hub/${node.nodeId}`);
        if (tags.has("KEY")) this.complaints.push(`a search shows the KEY of ${jid}`);
      }
      this.#count("search");
      for (const device of DEVICES) {
        // While something else is done, what was before may be found as well as what is after.
        const whose = this.#known(device);
        if (isUnsure(device) || unsure.has(device)) continue;
        const may = whose.some(isFound);
        const must = whose.every(isFound);
        if ((found.has(device.name) && !may) || (!found.has(device.name) && must))
          this.complaints.push(
            `a search ${found.has(device.name) ? "finds" : "does not find"} ${device.name}: ${whose.map(inWords).join(" or ")}`,
          );
      }
    };
    this.#track(run().catch(() => undefined));
  }

  /** Nobody but the Registry has anything to say about whose a Thing is (D-E29). */
  #forge(device: Device, who: string, choice: number): void {
    const { isUp, session } = this.#site.place(device.account);
    if (!isUp || session === undefined) return;
    const ids = [device.nodeId, "a", "nobody", undefined];
    const nodeId = ids[choice % ids.length];
    const node = nodeId === undefined ? {} : { node: { nodeId } };
    const notices = [
      buildClaimed({ jid: bareJid(`${who}@localhost`), public: true, ...node }),
      buildRemoved(node),
      buildDisowned(node),
    ];
    const payload = notices[Math.floor(choice / 4) % notices.length] as XmlElement;
    const asked = this.#site.person(who).channel.request({ type: "set", to: session.jid.full, payload }, {});
    this.#track(
      asked.then(
        () => void this.complaints.push(`${device.account} acknowledges ${payload.name} by ${who}`),
        (error: unknown) => this.#count(`forged: ${error instanceof StanzaError ? error.condition : "lost"}`),
      ),
    );
  }

  #attempt(device: Device, who: string, payload: XmlElement, type: "get" | "set"): void {
    const { isUp, session } = this.#site.place(device.account);
    if (!isUp || session === undefined) return;
    const attempt = { device, who, outcome: "nothing" };
    this.#attempts.push(attempt);
    const asked = this.#site.person(who).channel.request({ type, to: session.jid.full, payload }, {});
    this.#track(
      asked.then(
        () => void (attempt.outcome = "obeyed"),
        (error: unknown) => void (attempt.outcome = error instanceof StanzaError ? error.condition : "lost"),
      ),
    );
  }

  #around(device: Device): Around {
    const { account, name, selfOwned } = device;
    const site = this.#site;
    const all = site.shown.get(name) ?? [];
    const since = this.#texts.get(name) ?? 0;
    return {
      wasOnline: this.#wasOnline.has(account) || site.place(account).isUp,
      isCalm: this.#isCalm.has(account) && this.#wasOnline.has(account) && site.place(account).isUp,
      texts: [...new Set(all.slice(Math.max(0, since - 1)))],
      selfOwned,
    };
  }

  /** What may be so, of what was before and was done since, and looks like what is to be seen. */
  #fitting(device: Device): readonly Whose[] {
    const place = this.#site.place(device.account);
    const all = possible(this.#known(device), this.#done(device), this.#around(device), place.isUp);
    return all.filter((whose) => this.#looksLike(device, whose));
  }

  #done({ name, account, nodeId = "" }: Device): readonly Done[] {
    const done: readonly Done[] = this.#pending.get(name) ?? [];
    const isBack = done.some(({ deed }) => deed.do === "takeOut") && this.#site.place(account).nodes.has(nodeId);
    return isBack ? [...done, { deed: { do: "putIn" }, answer: "done" }] : done;
  }

  #looksLike(device: Device, { held, known, isThere }: Whose): boolean {
    const record = this.#record(device);
    switch (held.is) {
      case "nothing":
      case "removed":
        if (record !== undefined) return false;
        break;
      case "open":
        if (record === undefined || record.owner !== undefined) return false;
        break;
      case "owned":
        if (record?.owner !== `${held.owner}@localhost` || record.public !== held.public) return false;
        break;
      case "self":
        if (record?.selfOwned !== true) return false;
        break;
    }
    const own = this.#own(device);
    if (own === undefined) return !isThere || !this.#site.place(device.account).isOn;
    if (!isThere) return false;
    switch (known.is) {
      case "free": {
        const isFree = own.ownership.is === "registered" || own.ownership.is === "unregistered";
        return isFree && (held.is !== "open" || !this.#site.place(device.account).isUp || held.text === own.claimText);
      }
      case "owned": {
        const { ownership } = own;
        if (ownership.is !== "claimed" || own.claimText !== "") return false;
        return (
          ownership.owner === `${known.owner}@localhost` &&
          ownership.public === known.public &&
          ownership.listed === known.listed
        );
      }
      case "self":
        return own.ownership.is === "selfOwned" || (held.is !== "self" && own.ownership.is === "unregistered");
    }
  }

  #record({ account, nodeId }: Device) {
    return this.#site.registry.things.find(
      ({ jid, node }) => jid === `${account}@localhost` && node?.nodeId === nodeId,
    );
  }

  #own({ account, nodeId }: Device): { readonly ownership: Ownership; readonly claimText: string } | undefined {
    const { thing } = this.#site.place(account);
    if (thing === undefined) return undefined;
    if (nodeId === undefined) return { ownership: thing.state.ownership, claimText: thing.claimText };
    return thing.nodes.find(({ node }) => node.nodeId === nodeId);
  }

  #complain(device: Device, when: string): void {
    const before = this.#known(device).map(inWords).join(" or ");
    const done = this.#done(device).map(({ deed, answer }) => `${JSON.stringify(deed)}: ${answer}`);
    const around = this.#around(device);
    const may = possible(
      this.#known(device),
      this.#pending.get(device.name) ?? [],
      around,
      this.#site.place(device.account).isUp,
    );
    const record = this.#record(device);
    const own = this.#own(device);
    this.complaints.push(
      `${when}: ${device.name} was ${before}; then ${done.join(", ") || "nothing"}${around.isCalm ? " (calm)" : ""}; ` +
        `it may be ${[...new Set(may.map(inWords))].join(" or ") || "nothing that fits these answers"}; ` +
        `but the Registry has ${record === undefined ? "nothing" : (record.owner ?? "nobody")}${record?.public === false ? ", private" : ""}, ` +
        `the Thing ${JSON.stringify(own?.ownership)} ${own?.claimText ?? ""}; told: ${this.#site.faults.slice(-3).join("; ")}`,
    );
  }

  /** Its owner is obeyed, and nobody else. */
  #judgeObeyed(device: Device, now: readonly Whose[], when: string): void {
    const deeds = this.#pending.get(device.name) ?? [];
    const around = this.#around(device);
    // Who had claimed it while it was away may have been obeyed between the moment it heard of that and a reset.
    const heard = around.wasOnline ? this.#known(device).flatMap((whose) => settled(whose, around)) : [];
    const owners = new Set([...this.#known(device), ...heard, ...now].map(obeys));
    for (const { deed } of deeds) if (deed.do === "claim") owners.add(deed.who);
    for (const { device: name, who } of this.#site.obeyed) {
      if (name !== device.name) continue;
      this.#count("obeyed");
      if (!owners.has(who)) this.complaints.push(`${when}: ${name} obeys ${who}: ${now.map(inWords).join(" or ")}`);
    }
    for (const {
      device: { name },
      who,
      outcome,
    } of this.#attempts) {
      if (name !== device.name) continue;
      const must =
        this.#around(device).isCalm &&
        deeds.length === 0 &&
        [...this.#known(device), ...now].every((one) => obeys(one) === who);
      if (must && outcome !== "obeyed") this.complaints.push(`${when}: ${name} does not obey ${who}: ${outcome}`);
      if (!owners.has(who) && outcome === "obeyed") this.complaints.push(`${when}: ${name} obeys ${who}`);
      if (!owners.has(who)) this.#count(`not obeyed: ${outcome}`);
    }
  }

  /** A KEY that somebody has seen counts no more once the Thing was given up or reset (XEP-0347 3.17, 6.5). */
  #judgeText(device: Device, now: readonly Whose[], when: string): void {
    const burnt = this.#burnt.get(device.name) ?? new Set();
    const before = (this.#site.shown.get(device.name) ?? []).slice(0, this.#texts.get(device.name) ?? 0);
    const done = (this.#pending.get(device.name) ?? []).filter(({ answer }) => answer === "done");
    const isReset = done.some(({ deed }) => deed.do === "reset") && this.#known(device).every(({ isThere }) => isThere);
    if (isReset) for (const text of before) burnt.add(text);
    // Of one that had given up its owner, and is asked once more since the Registry had not heard of it (D-E17), the last
    // text is the new one: it was made when the owner went, and is not what that owner has claimed with.
    const isNew = this.#known(device).some(
      ({ held, known }) =>
        known.is === "free" && known.gaveUp === true && held.is === "owned" && held.text !== before.at(-1),
    );
    const seen = isNew ? before.filter((text) => text !== before.at(-1)) : before;
    if (done.some(({ deed }) => deed.do === "disown")) for (const text of seen) burnt.add(text);
    const text = this.#own(device)?.claimText ?? "";
    if (now.every(({ known }) => known.is === "free") && burnt.has(text))
      this.complaints.push(`${when}: ${device.name} shows a claim text of before`);
  }
}
