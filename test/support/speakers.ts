// Those who say something to a Thing: people, services, and whoever names a sender that is not theirs.
import { expect } from "vitest";
import { buildInfoQuery } from "../../src/codec/disco.ts";
import { iq, message, presence, type PresenceType } from "../../src/codec/stanza.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { tryParseJid } from "../../src/core/jid.ts";
import { randomToken, systemRandom } from "../../src/core/random.ts";
import type { Connection } from "../../src/connection/connect.ts";
import type { Holdable } from "./holdable.ts";
import { inTestsWords } from "./said.ts";
import type { Site } from "./site.ts";

/** Somebody who speaks to the Thing. */
export class Speaker {
  readonly #from: string | undefined;
  readonly #send: (stanza: XmlElement) => unknown;
  readonly #heard: () => readonly XmlElement[];

  constructor(from: string | undefined, send: (stanza: XmlElement) => unknown, heard: () => readonly XmlElement[]) {
    this.#from = from;
    this.#send = send;
    this.#heard = heard;
  }

  /** What the Thing sent to this speaker so far. */
  get heard(): readonly XmlElement[] {
    return this.#heard();
  }

  async tell(to: string, payload: XmlElement): Promise<void> {
    await this.#send(message({ to, from: this.#from }, payload));
  }

  async presence(to: string, type: PresenceType): Promise<void> {
    await this.#send(presence({ to, type, from: this.#from }));
  }

  /** Asks; resolves to `result` or the condition of the error, or what `tells` makes of the answer. */
  async ask(
    to: string,
    type: "get" | "set",
    payload: XmlElement,
    tells: (answer: XmlElement) => string = () => "result",
  ): Promise<string> {
    const id = randomToken(systemRandom);
    const from = this.#heard().length;
    await this.#send(iq({ type, id, to, from: this.#from }, payload));
    const answer = (): XmlElement | undefined =>
      this.#heard()
        .slice(from)
        .find((stanza) => stanza.attrs["id"] === id && ["result", "error"].includes(stanza.attrs["type"] ?? ""));
    await expect.poll(answer, { interval: 1, timeout: 15_000 }).toBeDefined();
    const answered = answer() as XmlElement;
    return answered.getChild("error")?.getChildElements()[0]?.name ?? tells(answered);
  }

  /** Answers a question, were it another's. */
  async answer(to: string, id: string, payload: XmlElement): Promise<void> {
    await this.#send(iq({ type: "result", id, to, from: this.#from }, payload));
  }

  /** Resolves when what this speaker has said before has been heard: everybody may ask what a Thing can do. */
  async heardOut(to: string): Promise<void> {
    expect(await this.ask(to, "get", buildInfoQuery())).toBe("result");
  }
}

/** Somebody with an account. */
export function person(connection: Connection): Speaker {
  const heard: XmlElement[] = [];
  const { channel } = connection;
  const receive = channel.receive.bind(channel);
  channel.receive = (stanza) => {
    heard.push(stanza);
    receive(stanza);
  };
  return new Speaker(
    undefined, // the server names it
    (stanza) => channel.send(inTestsWords(stanza)),
    () => heard,
  );
}

/** A component. */
export function component(service: Holdable): Speaker {
  return new Speaker(
    service.jid,
    (stanza) => service.say(stanza),
    () => service.heard,
  );
}

/** Whoever names this sender, or none. */
export function pretender(site: Site, from: string | undefined): Speaker {
  return new Speaker(
    from,
    (stanza) => site.forge?.(stanza),
    () => site.sent.filter(({ attrs: { to } }) => to === from || (to ?? "") === bareOf(from)),
  );
}

const bareOf = (from: string | undefined): string | undefined =>
  from === undefined ? undefined : tryParseJid(from)?.bare;
