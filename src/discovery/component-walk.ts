// One walk through the components of a server: XEP-0347 4, XEP-0324 3.1.2.
import { raceSignal } from "../core/abort.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import { buildInfoQuery, buildItemsQuery, parseInfo, parseItems } from "../codec/disco.ts";
import { ns } from "../codec/namespaces.ts";
import type { Channel } from "../channel/channel.ts";
import { whyNot } from "./features.ts";

// A server that lists thousands of components must not make a Thing ask thousands of questions.
const MOST_COMPONENTS = 512;
const AT_ONCE = 16;
const ANSWER_WITHIN = 5_000;
// What stands in a message: a person reads it.
const MOST_NAMED = 5;

/** The features that are looked for. Of what a component says nothing else is kept, however much it says. */
const sought: ReadonlySet<string> = new Set([ns.discovery, ns.provisioning]);

/** The features that somebody has, of those that are looked for; or why they are not known. */
type Said = ReadonlySet<string> | string;

/**
 * The components of the own server, each asked once what it can do, and only as far as somebody wants to know: searches
 * for different features share it. It holds for one stream.
 */
export class ComponentWalk {
  readonly #channel: Channel;
  readonly #domain: BareJid;
  readonly #asked = new Map<BareJid, Promise<Said>>();
  readonly #said = new Map<BareJid, Said>();
  #listing: Promise<void> | undefined;
  #listed: readonly BareJid[] = [];
  #oddity = "";

  constructor(channel: Channel, domain: BareJid) {
    this.#channel = channel;
    this.#domain = domain;
  }

  /**
   * The first that has the feature, `undefined` if none has. Those that are preferred come first, as far as the server
   * lists them, then the others in the server's order; at last the server itself, which may do it on its own (XEP-0347
   * 5.3). Rejects with the signal's reason, and with `ERR_CONNECTION` when the stream ends.
   */
  async first(feature: string, preferred: readonly string[], signal: AbortSignal): Promise<BareJid | undefined> {
    this.#listing ??= this.#list().catch((error: unknown) => {
      this.#listing = undefined;
      throw error;
    });
    await raceSignal(this.#listing, signal);
    const named = new Set(preferred.flatMap((name) => [name, `${name}.${this.#domain}`]));
    const liked = [...named].filter((name): name is BareJid => this.#listed.includes(name as BareJid));
    const order = [...new Set([...liked, ...this.#listed])].slice(0, MOST_COMPONENTS);
    const ended = new AbortController();
    this.#askAhead(order, ended.signal);
    try {
      for (const jid of [...order, this.#domain]) {
        const said = await raceSignal(this.#ask(jid), signal);
        if (typeof said !== "string" && said.has(feature)) return jid;
      }
      return undefined;
    } finally {
      ended.abort();
    }
  }

  /** Has a component asked again: what it said has turned out not to be so. */
  forget(jid: BareJid): void {
    this.#asked.delete(jid);
    this.#said.delete(jid);
  }

  /** Who was asked for a feature, and what they said. */
  report(feature: string): string {
    const groups = new Map<string, BareJid[]>();
    for (const jid of [...this.#listed, this.#domain]) {
      const said = this.#said.get(jid) ?? "was not asked";
      const words = typeof said === "string" ? said : said.has(feature) ? "has it" : "does not have it";
      groups.set(words, [...(groups.get(words) ?? []), jid]);
    }
    const tried = [...groups].map(([words, jids]) => `${enumerate(jids)}: ${words}`);
    if (this.#listed.length === 0 && this.#oddity === "") tried.unshift("it lists none");
    if (this.#oddity !== "") tried.push(this.#oddity);
    return `no component of ${this.#domain} has ${feature} (${tried.join("; ")})`;
  }

  /** D-4-2, D-4-3: what the server has, then which components. */
  async #list(): Promise<void> {
    const { info, why } = await this.#infoOf(this.#domain);
    this.#keep(this.#domain, info === undefined ? why : keptOf(info));
    try {
      const request = { type: "get", to: this.#domain, payload: buildItemsQuery() } as const;
      const items = parseItems(await this.#channel.request(request, { timeout: ANSWER_WITHIN }));
      // A server may list accounts and rooms as well: what is found here is trusted, so it must be a component (X-E5).
      this.#listed = items.filter((jid) => isComponent(jid) && jid !== this.#domain);
    } catch (error) {
      const why = whyNot(error, ANSWER_WITHIN);
      // Asked although the server may not have said that it answers: one that forgets to say so is not rare, a question
      // costs little, and the answer comes from the same server, verified as it is.
      const said = info?.includes(ns.discoItems) === true ? "" : ", and does not say that it lists components";
      this.#oddity = `${this.#domain} ${why}${said}`;
    }
  }

  /** Keeps so many questions under way, in this order, until the search is over. */
  #askAhead(order: readonly BareJid[], ended: AbortSignal): void {
    const left = order.values();
    const run = async (): Promise<void> => {
      for (const jid of left) {
        if (ended.aborted) return;
        await this.#ask(jid);
      }
    };
    // They fail with the stream only; whoever searches hears of it by itself.
    for (let i = 0; i < AT_ONCE; i++) run().catch(() => undefined);
  }

  #ask(jid: BareJid): Promise<Said> {
    let asked = this.#asked.get(jid);
    if (asked === undefined) {
      asked = this.#hear(jid);
      asked.catch(() => this.#asked.delete(jid)); // nothing was said: the stream has ended
      this.#asked.set(jid, asked);
    }
    return asked;
  }

  async #hear(jid: BareJid): Promise<Said> {
    const { info, why } = await this.#infoOf(jid);
    const said = info === undefined ? why : keptOf(info);
    this.#said.set(jid, said);
    return said;
  }

  #keep(jid: BareJid, said: Said): void {
    this.#asked.set(jid, Promise.resolve(said));
    this.#said.set(jid, said);
  }

  async #infoOf(to: BareJid): Promise<{ info: readonly string[]; why?: never } | { info?: never; why: string }> {
    try {
      const answer = await this.#channel.request(
        { type: "get", to, payload: buildInfoQuery() },
        { timeout: ANSWER_WITHIN },
      );
      return { info: parseInfo(answer).features };
    } catch (error) {
      return { why: whyNot(error, ANSWER_WITHIN) };
    }
  }
}

const keptOf = (features: readonly string[]): ReadonlySet<string> =>
  new Set([...sought].filter((feature) => features.includes(feature)));

function enumerate(jids: readonly BareJid[]): string {
  const named = jids.slice(0, MOST_NAMED).join(", ");
  return jids.length > MOST_NAMED ? `${named} and ${jids.length - MOST_NAMED} more` : named;
}
