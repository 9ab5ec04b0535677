// Who may challenge a token, who answers, and what everybody else gets: XEP-0324 3.1.3, 6.2.
import { describe, expect, it } from "vitest";
import { bareJid, parseJid } from "../../src/core/jid.ts";
import { Refusal } from "../../src/core/refusal.ts";
import {
  buildTokenChallenge,
  buildTokenChallengeResponse,
  parseTokenChallenge,
  parseTokenChallengeResponse,
} from "../../src/codec/token-challenge.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildError } from "../../src/codec/stanza.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { SentTokens } from "../../src/provisioning/sent-tokens.ts";
import { answerTokenChallenges } from "../../src/provisioning/token-challenge.ts";
import { listeningLogger, scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";

const server = "provisioning.example.org";
const thing = "u2@example.org/kitchen";
const caller = "caller@example.org/app";
const OWN = "own-token";
const bytes = (...list: number[]): Uint8Array => new Uint8Array(list);
const challengeOf = (token: string, challenge = bytes(1, 2, 3)): XmlElement =>
  buildTokenChallenge({ token, challenge });
/** What who holds the key says: the challenge backwards. */
const holder = (payload: XmlElement): Said =>
  buildTokenChallengeResponse({ response: Uint8Array.from(parseTokenChallenge(payload).challenge).reverse() });

function site() {
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const sent = new SentTokens(parts.clock);
  const decrypted: string[] = [];
  let decrypt = (challenge: Uint8Array): Promise<Uint8Array> => Promise.resolve(Uint8Array.from(challenge).reverse());
  answerTokenChallenges({
    ...{ channel: parts.channel, sent, clock: parts.clock, logger },
    servers: () => [bareJid(server)],
    decryptChallenge: (token, challenge) => {
      decrypted.push(token);
      return token === OWN ? decrypt(challenge) : undefined;
    },
  });
  const passOn = (token: string, from = caller, to = server): void =>
    sent.record({ userToken: token }, bareJid(to), parseJid(from));
  const says = async (from: string, payload: XmlElement, type: "get" | "set" = "get"): Promise<string> => {
    const answer = await parts.wire.ask(from, type, payload);
    return answer.type === "error"
      ? `${answer.condition} ${answer.errorType}`
      : [...parseTokenChallengeResponse(answer.payload).response].join();
  };
  const decryptBy = (by: typeof decrypt): void => void (decrypt = by);
  return { ...parts, sent, logger, decrypted, passOn, says, decryptBy };
}

describe("a challenge of an own token", () => {
  it("P-3.1.3-20, P-3.1.3-23: is decrypted for whom the token was sent to, at whatever resource", async () => {
    const { sent, says } = site();
    sent.record({ deviceToken: OWN }, bareJid(thing), undefined);
    expect(await says(thing, challengeOf(OWN))).toBe("3,2,1");
    expect(await says("u2@example.org/other", challengeOf(OWN))).toBe("3,2,1");
    expect(await says("U2@Example.org/other", challengeOf(OWN))).toBe("3,2,1");
  });

  it.each([
    ["somebody else", "stranger@example.org/x"],
    ["the same name elsewhere", "u2@example.com/kitchen"],
    ["a domain within", "u2@u2.example.org/kitchen"],
    ["the server of the domain", "example.org"],
    ["a provisioning server that was not sent it", server],
    ["the own account", "thing@example.org/other"],
  ])("P-3.1.3-24, P-6.2-1: from %s it is forbidden, and nothing is decrypted", async (_, from) => {
    const { sent, says, decrypted, wire } = site();
    sent.record({ deviceToken: OWN }, bareJid(thing), undefined);
    expect(await says(from, challengeOf(OWN))).toBe("forbidden cancel");
    expect([decrypted, wire.sent.length]).toEqual([[], 1]);
  });

  it("P-3.1.3-24, P-6.2-1: is forbidden for another token, before it was sent, and a minute after", async () => {
    const { sent, says, clock, decrypted } = site();
    expect(await says(thing, challengeOf(OWN))).toBe("forbidden cancel");
    sent.record({ deviceToken: `${OWN} second` }, bareJid(thing), undefined);
    expect(await says(thing, challengeOf("other"))).toBe("forbidden cancel");
    expect(await says(thing, challengeOf(`${OWN} second`))).toBe("forbidden cancel");
    expect(await says(thing, el("tokenChallenge", { xmlns: ns.provisioning }, "AQID"))).toBe("forbidden cancel");
    await clock.advance(60_001);
    expect(await says(thing, challengeOf(OWN))).toBe("forbidden cancel");
    expect(decrypted).toEqual([]);
  });

  it("is a bad request where it is none, but only for who may challenge", async () => {
    const { sent, says } = site();
    sent.record({ deviceToken: OWN }, bareJid(thing), undefined);
    const empty = el("tokenChallenge", { xmlns: ns.provisioning, token: OWN });
    const odd = el("tokenChallenge", { xmlns: ns.provisioning, token: OWN }, "no base-64!");
    const long = challengeOf(OWN, new Uint8Array(2_049));
    for (const payload of [empty, odd, long]) {
      expect(await says(thing, payload)).toBe("bad-request modify");
      expect(await says(caller, payload)).toBe("forbidden cancel");
    }
    expect(await says(thing, challengeOf(OWN), "set")).toBe("bad-request modify");
    expect(await says(caller, challengeOf(OWN), "set")).toBe("forbidden cancel");
  });

  it("P-E12: has one and the same answer whatever fails in decrypting it", async () => {
    const { sent, says, decryptBy } = site();
    sent.record({ deviceToken: `${OWN} dropped` }, bareJid(thing), undefined);
    decryptBy(() => Promise.reject(new Error("padding")));
    expect(await says(thing, challengeOf(OWN))).toBe("forbidden cancel");
    decryptBy(() => {
      throw new Error("length");
    });
    expect(await says(thing, challengeOf(OWN))).toBe("forbidden cancel");
    expect(await says(thing, challengeOf("dropped"))).toBe("forbidden cancel");
  });

  it("waits for a slow key no longer than for anybody", async () => {
    const { sent, says, decryptBy, clock, faults } = site();
    sent.record({ deviceToken: OWN }, bareJid(thing), undefined);
    decryptBy(() => new Promise(() => undefined));
    const answer = says(thing, challengeOf(OWN));
    await clock.advance(5_000);
    expect(await answer).toBe("resource-constraint wait");
    expect([faults, clock.pending]).toEqual([[], 0]);
  });
});

describe("a challenge of a token that was passed on", () => {
  it("P-3.1.3-8, P-3.1.3-22: goes back to whoever's request brought it, unchanged, and the answer forward", async () => {
    const { wire, says, passOn, decrypted } = site();
    passOn("t");
    wire.peer(caller, holder);
    expect(await says(server, challengeOf("t"))).toBe("3,2,1");
    expect(wire.asked(caller).map(String)).toEqual([String(challengeOf("t"))]);
    expect(decrypted).toEqual([]);
  });

  it.each<[string, Said, string]>([
    ["refuses", { error: "forbidden" }, "forbidden cancel"],
    ["does not know the question, or is gone", { error: "service-unavailable" }, "forbidden cancel"],
    ["is to be asked later", { error: "resource-constraint", type: "wait" }, "resource-constraint wait"],
    ["says nothing", undefined, "forbidden cancel"],
    ["says something else", el("other", { xmlns: ns.provisioning }), "forbidden cancel"],
    ["says too much", buildTokenChallengeResponse({ response: new Uint8Array(2_049) }), "forbidden cancel"],
  ])("is not answered when its origin %s", async (_, said, expected) => {
    const { wire, says, passOn } = site();
    passOn("t");
    wire.peer(caller, () => said);
    expect(await says(server, challengeOf("t"))).toBe(expected);
  });

  it("P-3.1.3-23: goes nowhere when it does not come from whom the token was sent to", async () => {
    const { wire, says, passOn } = site();
    passOn("t");
    wire.peer(caller, holder);
    for (const from of [caller, "stranger@example.org/x", "provisioning.example.com", `x@${server}`, thing]) {
      expect(await says(from, challengeOf("t"))).toBe("forbidden cancel");
    }
    expect(wire.asked(caller)).toEqual([]);
  });

  it("takes the answer from nobody but its origin", async () => {
    const { wire, says, passOn, clock } = site();
    passOn("t");
    const answer = says(server, challengeOf("t"));
    await settled();
    const asked = wire.sent.find((stanza) => stanza.attrs["to"] === caller);
    for (const from of ["stranger@example.org/x", "caller@example.org/other", server]) {
      const forged = buildTokenChallengeResponse({ response: bytes(9) });
      wire.receive(el("iq", { xmlns: ns.client, type: "result", id: asked?.attrs["id"], from }, forged));
    }
    await clock.advance(5_000);
    expect(await answer).toBe("resource-constraint wait");
  });

  it("P-3.1.3-22: an origin that hangs is given up 5 s after the token was sent, and that is no fault", async () => {
    const { says, passOn, clock, faults } = site();
    passOn("t");
    await clock.advance(2_000);
    let answer: string | undefined;
    void says(server, challengeOf("t")).then((text) => (answer = text));
    await clock.advance(2_999);
    expect(answer).toBeUndefined();
    await clock.advance(1);
    expect(answer).toBe("resource-constraint wait");
    expect([faults, clock.pending]).toEqual([[], 0]);
  });

  it("whoever sends another's token gets nothing by it: all from whom it came must give the same answer", async () => {
    const { wire, says, passOn } = site();
    const thief = "thief@example.org/x";
    passOn("t");
    passOn("t", thief);
    wire.peer(caller, holder);
    wire.peer(thief, () => ({ error: "forbidden" }));
    expect(await says(server, challengeOf("t"))).toBe("forbidden cancel");
    wire.peer(thief, () => buildTokenChallengeResponse({ response: bytes(9) }));
    expect(await says(server, challengeOf("t"))).toBe("forbidden cancel");
    wire.peer(thief, holder);
    expect(await says(server, challengeOf("t"))).toBe("3,2,1");
  });

  it("an own token in somebody's request is theirs to answer for, not the Thing's", async () => {
    const { wire, says, passOn, decrypted } = site();
    passOn(OWN);
    wire.peer(caller, () => ({ error: "forbidden" }));
    expect(await says(server, challengeOf(OWN))).toBe("forbidden cancel");
    expect(decrypted).toEqual([]);
  });

  it("a token that came from more than four at once is answered for by nobody", async () => {
    const { wire, says, passOn } = site();
    const callers = [1, 2, 3, 4, 5].map((i) => `caller${i}@example.org/x`);
    for (const from of callers.slice(0, 4)) passOn("t", from);
    for (const from of callers) wire.peer(from, holder);
    expect(await says(server, challengeOf("t"))).toBe("3,2,1");
    passOn("t", callers[4]);
    expect(await says(server, challengeOf("t"))).toBe("forbidden cancel");
    expect(wire.asked(callers[4] ?? "")).toEqual([]);
  });

  it("shows no token and no challenge to the log", async () => {
    const { says, passOn, logger } = site();
    passOn("a-very-secret-token");
    void says(server, challengeOf("a-very-secret-token"));
    expect(await says(caller, challengeOf("a-very-secret-token"))).toBe("forbidden cancel");
    expect(logger.lines.join("\n")).not.toContain("secret-token");
  });
});

it("what the origin of a token says of it in an error is not logged", async () => {
  const { wire, says, passOn, logger } = site();
  passOn("a-very-secret-token");
  wire.peer(caller, () => buildError({ condition: "forbidden", type: "cancel", text: "a-very-secret-token is gone" }));
  expect(await says(server, challengeOf("a-very-secret-token"))).toBe("forbidden cancel");
  expect(logger.lines.join()).toContain("(hidden) is gone");
  expect(logger.lines.join()).not.toContain("secret-token");
});

describe("challenges in a flood", () => {
  it("have room also when requests have none, and while the line is full", async () => {
    const { channel, wire, says, passOn } = site();
    channel.router.onIq("urn:x", "ask", () => new Promise(() => undefined));
    for (let i = 0; i < 400; i++) void wire.ask(`flood${i % 5}@example.org/x`, "get", el("ask", { xmlns: "urn:x" }));
    passOn("t");
    wire.peer(caller, holder);
    Object.assign(wire, { backlog: 1e9 });
    expect(await says(server, challengeOf("t"))).toBe("3,2,1");
  });

  it("of one source take no room from those of others, and it is given back", async () => {
    const { says, passOn, clock, wire } = site();
    const answers: Promise<string>[] = [];
    for (let i = 0; i < 100; i++) {
      passOn(`t${i}`, "hanging@example.org/x");
      answers.push(says(server, challengeOf(`t${i}`)));
    }
    passOn("t");
    wire.peer(caller, holder);
    expect(await says(server, challengeOf("t"))).toBe("3,2,1");
    expect(wire.asked("hanging@example.org/x")).toHaveLength(64);
    await clock.advance(5_000);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["resource-constraint wait"]));
    wire.peer("hanging@example.org/x", holder);
    passOn("again", "hanging@example.org/x");
    expect(await says(server, challengeOf("again"))).toBe("3,2,1");
    expect(clock.pending).toBe(0);
  });

  it("of one challenger who is no trusted server take no room from those of others", async () => {
    const { says, passOn, clock, wire } = site();
    for (let i = 0; i < 300; i++) {
      passOn(`t${i}`, `hanging${i % 5}@example.org/x`, "u2@example.org");
      void says(thing, challengeOf(`t${i}`));
    }
    await settled();
    expect([0, 1, 2, 3, 4].flatMap((i) => wire.asked(`hanging${i}@example.org/x`))).toHaveLength(64);
    passOn("t", "hanging0@example.org/x");
    wire.peer("hanging0@example.org/x", holder);
    expect(await says(server, challengeOf("t"))).toBe("3,2,1");
    await clock.advance(6_000);
  });

  it("a key that is busy may say so", async () => {
    const { sent, says, decryptBy } = site();
    sent.record({ deviceToken: OWN }, bareJid(thing), undefined);
    decryptBy(() => Promise.reject(new Refusal("resource-constraint", "The secure element is busy.")));
    expect(await says(thing, challengeOf(OWN))).toBe("resource-constraint wait");
  });
});
