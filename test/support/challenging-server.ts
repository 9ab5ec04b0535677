import {
  parseCanRead,
  buildCanReadResponse,
  buildIsFriendResponse,
  parseIsFriend,
} from "../../src/codec/provisioning.ts";
import { buildInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildError, iq } from "../../src/codec/stanza.ts";
import { buildTokenChallenge, parseTokenChallengeResponse } from "../../src/codec/token-challenge.ts";
import { parseTokenList } from "../../src/codec/tokens.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { bareJid } from "../../src/core/jid.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";

/** How one challenge came out: the right answer, a wrong one, or the condition of the error. */
export interface ChallengeOutcome {
  readonly challenged: string;
  readonly token: string;
  readonly outcome: string;
}

interface Open {
  readonly challenged: string;
  readonly token: string;
  readonly response: Uint8Array;
  readonly done: (isRight: boolean) => void;
}

/** What a server does with a token: the challenge, and the one right answer to it. */
export type MakeChallenge = (token: string) => { readonly challenge: Uint8Array; readonly response: Uint8Array };

/**
 * The least of a Provisioning Server that challenges tokens (XEP-0324 3.1.3): everybody is a friend, and may read by a
 * token that the sender of the question can answer a challenge for.
 */
export class ChallengingServer implements StanzaService {
  readonly name = "Challenging Provisioning Server";
  readonly jid: string;
  /** Whose questions are challenged; the others are answered yes. Default: everybody's. */
  challenges: (asker: string) => boolean = () => true;
  /** How the challenges came out. */
  readonly outcomes: ChallengeOutcome[] = [];
  /** The questions, as they came. */
  readonly asked: { readonly by: string; readonly payload: XmlElement }[] = [];
  readonly #make: MakeChallenge;
  readonly #open = new Map<string, Open>();
  #carry: (stanzas: readonly XmlElement[]) => void = () => undefined;
  #ids = 0;

  constructor(jid: string, make: MakeChallenge) {
    this.jid = jid;
    this.#make = make;
  }

  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void {
    this.#carry = carry;
  }

  stop(): void {
    this.#open.clear();
  }

  /** Challenges a token now, for reasons of its own (P-3.1.3-18). Resolves to how it came out. */
  challenge(to: string, token: string): Promise<string> {
    return new Promise((resolve) => {
      this.#challenge(to, token, () => resolve(this.outcomes.at(-1)?.outcome ?? ""));
    });
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    const { type = "", id = "", from = "" } = stanza.attrs;
    if (!stanza.is("iq")) return [];
    const [payload] = stanza.getChildElements();
    if (type === "result" || type === "error") {
      this.#settle(id, from, type === "error" ? stanza.getChild("error") : payload, type);
      return [];
    }
    const reply = (answer: XmlElement | undefined): XmlElement =>
      iq({ type: "result", id, to: from, from: this.jid }, answer);
    if (payload?.is("query", ns.discoInfo)) {
      return [reply(buildInfo({ identities: [], features: [ns.discoInfo, ns.provisioning] }))];
    }
    if (payload?.is("ping", ns.ping)) return [reply(undefined)];
    if (payload?.is("isFriend")) {
      const { jid } = parseIsFriend(payload);
      return [reply(buildIsFriendResponse({ jid, result: true, secondaryTrustAllowed: false }))];
    }
    if (payload?.is("canRead")) {
      this.#canRead(from, payload, (answer) => this.#carry([reply(answer)]));
      return [];
    }
    const error = buildError({ condition: "service-unavailable", type: "cancel" });
    return [iq({ type: "error", id, to: from, from: this.jid }, error)];
  }

  #canRead(from: string, payload: XmlElement, answer: (response: XmlElement) => void): void {
    this.asked.push({ by: from, payload });
    const { jid, tokens, types } = parseCanRead(payload);
    const say = (result: boolean): void => answer(buildCanReadResponse({ jid, result, types, nodes: [], fields: [] }));
    const list = Object.values(tokens).flatMap(parseTokenList);
    if (!this.challenges(bareJid(from))) return say(true);
    if (list.length === 0) return say(false);
    // One challenge each, the most forgiving answer (P-3.1.3-4, P-3.1.5-3, P-3.1.5-4).
    let left = list.length;
    let isAllowed = false;
    for (const token of list) {
      this.#challenge(from, token, (isRight) => {
        isAllowed ||= isRight;
        if (--left === 0) say(isAllowed);
      });
    }
  }

  #challenge(to: string, token: string, done: (isRight: boolean) => void): void {
    const id = `challenge-${++this.#ids}`;
    const { challenge, response } = this.#make(token);
    this.#open.set(id, { challenged: to, token, response, done });
    this.#carry([iq({ type: "get", id, to, from: this.jid }, buildTokenChallenge({ token, challenge }))]);
  }

  #settle(id: string, from: string, said: XmlElement | undefined, type: "result" | "error"): void {
    const open = this.#open.get(id);
    if (open === undefined || open.challenged !== from) return;
    this.#open.delete(id);
    const { challenged, token, response, done } = open;
    const isRight = type === "result" && Buffer.compare(parseTokenChallengeResponse(said).response, response) === 0;
    const condition = said?.getChildElements()[0]?.name ?? "";
    this.outcomes.push({ challenged, token, outcome: isRight ? "right" : type === "error" ? condition : "wrong" });
    done(isRight);
  }
}
