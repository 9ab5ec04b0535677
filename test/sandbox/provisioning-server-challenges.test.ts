// XEP-0324 3.1.3.2 and 3.1.5: how the use of a token is challenged, as the reference Provisioning Server has it.
import { beforeEach, describe, expect, it } from "vitest";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { canonical } from "../support/canonical.ts";
import { makeKeyHolder } from "./key-holder.ts";
import { CALLER, SERVER, THING, TokenSite, refusal, verdict } from "./token-site.ts";

const service = makeKeyHolder({ name: "service" });
const device = makeKeyHolder({ name: "device" });
const user = makeKeyHolder({ name: "user" });
const stranger = makeKeyHolder({ name: "stranger" });
const TIMEOUT = 5_000;
const CALLER_FULL = `${CALLER}/x`;

let site: TokenSite;
let tokens: Record<"service" | "device" | "user", string>;

/** A server that lets whoever holds the service's key read the temperature, and nobody else anything. */
const begin = (...given: ConstructorParameters<typeof TokenSite>): void => {
  site = new TokenSite(...given);
  site.server.enrol(service.pem, "billing");
  site.server.enrol(user.pem, "anna");
  site.server.setRules([{ service: "billing", read: { fields: ["Temperature"] } }]);
  const padding = given[0]?.padding ?? "oaep";
  tokens = {
    service: site.tokenFor(service, CALLER_FULL, padding),
    device: site.tokenFor(device, CALLER_FULL, padding),
    user: site.tokenFor(user, CALLER_FULL, padding),
  };
};

beforeEach(() => begin());

const answers = (): readonly XmlElement[] => site.taken();
/** The stanzas of one kind that the server sent since the last look, by whom they went to. */
const sentTo = (name: string): readonly string[] =>
  site.taken().flatMap((stanza) => (stanza.getChild(name) ? [stanza.attrs["to"] ?? ""] : []));
/** Asks with tokens; the challenges that come. */
const challenged = (attributes: string, asking: Parameters<TokenSite["ask"]>[0] = {}): readonly XmlElement[] => {
  expect(site.ask({ attributes, ...asking })).toEqual([]);
  return site.taken();
};
/** Asks as somebody who can answer for one token; the answer to the question. */
const asProved = (
  holder = service,
  token = tokens.service,
  asking: Parameters<TokenSite["ask"]>[0] = {},
): XmlElement => {
  const [challenge] = challenged(`serviceToken='${token}'`, asking);
  site.answer(challenge, holder, site.server.padding);
  return site.taken().at(-1)!;
};

describe("tokenChallenge", () => {
  it("P-3.1.3-4, P-3.1.3-18, P-3.1.3-19, P-3.1.3-20, P-3.1.3-21: goes to who sent the token, whose answer opens the question (Listing 7)", () => {
    expect(site.ask({ attributes: `serviceToken='${tokens.service}'` })).toEqual([]);
    const [challenge, ...more] = answers();
    expect(more).toEqual([]);
    const encrypted = challenge?.getChild("tokenChallenge")?.text() ?? "";
    expect(canonical(challenge!)).toEqual(
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='get' from='${SERVER}' to='${THING}' id='${challenge?.attrs["id"]}'>
          <tokenChallenge xmlns='urn:xmpp:iot:provisioning' token='${tokens.service}'>${encrypted}</tokenChallenge></iq>`),
      ),
    );
    expect(site.server.pending).toBe(1);
    site.answer(challenge, service);
    const [answer, ...rest] = answers();
    expect(rest).toEqual([]);
    expect(canonical(answer!)).toEqual(
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='result' from='${SERVER}' to='${THING}' id='q'>
          <canReadResponse xmlns='urn:xmpp:iot:provisioning' jid='${CALLER}' result='true'><field name='Temperature'/></canReadResponse></iq>`),
      ),
    );
    expect(site.server.questions).toEqual([
      { thing: "thing@example.org", kind: "canRead", jid: CALLER, result: true, identities: ["billing"] },
    ]);
    expect([site.server.pending, site.clock.pending]).toEqual([0, 1]); // what is left: the end of the certificate
  });
});

describe("who cannot answer", () => {
  const byJid = { jid: CALLER, read: { fields: ["Status"] } };

  it.each<[string, (challenge: XmlElement | undefined) => void]>([
    ["answers wrongly", (challenge) => site.answerWith(challenge, "AAECAw==")],
    ["answers nothing", (challenge) => site.answerWith(challenge, "")],
    ["answers by the key of another", (challenge) => site.answerWith(challenge, "A".repeat(43) + "=")],
    [
      "answers something else",
      (challenge) => site.iq(THING, "<ping xmlns='urn:xmpp:ping'/>", "result", challenge?.attrs["id"]),
    ],
    [
      "answers by an error in a result (P-E2)",
      (challenge) => site.iq(THING, "<error type='cancel'/>", "result", challenge?.attrs["id"]),
    ],
    ["refuses", (challenge) => site.refuse(challenge)],
    ["is not there any more", (challenge) => site.refuse(challenge, "service-unavailable")],
  ])("P-3.1.3-6: loses the identity, not the other rights: who %s", (_what, answer) => {
    site.server.setRules([...site.server.rules, byJid]);
    const [challenge] = challenged(`serviceToken='${tokens.service}'`);
    answer(challenge);
    const [reply, ...more] = answers();
    expect(more).toEqual([]);
    expect(verdict(reply)).toBe("true");
    expect(reply?.toString()).toContain('name="Status"');
    expect(reply?.toString()).not.toContain("Temperature");
    expect(site.server.questions[0]).not.toHaveProperty("identities");
    expect(site.warnings).toHaveLength(1);
    expect(site.warnings.join()).not.toContain(tokens.service);
  });

  it("P-3.1.3-6: loses it when the time is up; the answer that comes then is nobody's", async () => {
    const [challenge] = challenged(`serviceToken='${tokens.service}'`);
    await site.clock.advance(TIMEOUT - 1);
    expect(answers()).toEqual([]);
    await site.clock.advance(1);
    expect(answers().map(verdict)).toEqual(["false"]);
    site.answer(challenge, service);
    expect(answers()).toEqual([]);
    expect(site.server.pending).toBe(0);
  });

  it("waits as long as it is told to", async () => {
    begin({ challengeTimeout: 100 });
    challenged(`serviceToken='${tokens.service}'`);
    await site.clock.advance(100);
    expect(answers().map(verdict)).toEqual(["false"]);
  });

  it("P-3.1.3-19: is not helped by others: only the full JID that sent the token can answer, by the id of the challenge", () => {
    const [challenge] = challenged(`serviceToken='${tokens.service}'`);
    for (const other of [CALLER_FULL, "thing@example.org/other", "thing@example.org"]) {
      site.answer(challenge, service, "oaep", other);
    }
    site.iq(THING, "", "result", "guessed");
    expect(answers()).toEqual([]);
    site.answer(challenge, service);
    expect(answers().map(verdict)).toEqual(["true"]);
    site.answer(challenge, service); // twice is once
    expect(answers()).toEqual([]);
  });

  it("cannot be at a bare account JID, for which its server answers (P-E8); a component is at its domain", () => {
    const bare = site.ask({ attributes: `serviceToken='${tokens.service}'`, from: "thing@example.org" });
    expect(bare.map(verdict)).toEqual(["false"]);
    expect(answers()).toEqual([]);
    const [challenge] = challenged(`serviceToken='${tokens.service}'`, { from: "things.example.org" });
    expect(challenge?.attrs["to"]).toBe("things.example.org");
  });
});

describe("a server that is an account (XEP-0324 5.1)", () => {
  it("P-3.1.3-19: gives tokens, and challenges them at the full JID, as a component does; clears where presence shows a Thing", () => {
    begin({ jid: "provisioning@example.org" });
    site.server.onAccount({ jid: "provisioning@example.org/x", roster: [] });
    site.presence(THING);
    expect(verdict(asProved())).toBe("true");
    site.server.withdraw("billing");
    expect(sentTo("clearCache")).toEqual([THING]);
  });
});

describe("several tokens", () => {
  it("P-3.1.5-4: are challenged one by one, each by its own key, and once where it stands twice", () => {
    site.server.setRules([{ service: "billing", device: device.fingerprint, user: "anna", read: true }]);
    const attributes = `serviceToken=' ${tokens.service}  OTHERS-TOKEN' deviceToken='${tokens.device}\t${tokens.service}' userToken='${tokens.user}'`;
    const challenges = challenged(attributes);
    const tokenOf = (sent: XmlElement): string | undefined => sent.getChild("tokenChallenge")?.attrs["token"];
    expect(challenges.map(tokenOf)).toEqual([tokens.service, tokens.device, tokens.user]);
    expect(new Set(challenges.map((sent) => sent.attrs["id"])).size).toBe(3);
    site.answer(challenges[2], user);
    site.answer(challenges[0], service);
    expect(answers()).toEqual([]); // the last is still out
    site.answer(challenges[1], device);
    expect(answers().map(verdict)).toEqual(["true"]);
    expect(site.server.questions[0]?.identities).toEqual(["billing", device.fingerprint, "anna"]);
  });

  it("P-3.1.5-3: are answered in the most forgiving way, whichever comes first", () => {
    const [first, second] = [site.tokenFor(device), site.tokenFor(stranger)];
    site.server.setRules([
      { service: device.fingerprint, read: false },
      { service: stranger.fingerprint, read: true },
      { service: "billing", read: { fields: ["Temperature"] } },
    ]);
    for (const list of [`${first} ${second} ${tokens.service}`, `${tokens.service} ${second} ${first}`]) {
      site.server.challenge = "never";
      const [reply] = site.ask({ attributes: `serviceToken='${list}'` });
      expect([verdict(reply), reply?.getChild("canReadResponse")?.children]).toEqual(["true", []]);
    }
    // The one that could not be proved is none of them.
    site.server.challenge = "always";
    const challenges = challenged(`serviceToken='${first} ${second} ${tokens.service}'`);
    site.answer(challenges[0], device);
    site.refuse(challenges[1]);
    site.answer(challenges[2], service);
    expect(answers()[0]?.toString()).toContain("Temperature");
  });

  it("P-3.1.5-3: nothing is put together of two identities that neither may", () => {
    site.server.setRules([
      { service: "billing", read: { nodes: [{ nodeId: "a" }], fields: ["x"] } },
      { service: device.fingerprint, read: { nodes: [{ nodeId: "b" }], fields: ["y", "z"] } },
    ]);
    site.server.challenge = "never";
    const [reply] = site.ask({ attributes: `serviceToken='${tokens.service} ${tokens.device}'` });
    const children = reply?.getChild("canReadResponse")?.getChildElements() ?? [];
    expect(children.map((child) => Object.values(child.attrs).join())).toEqual(["b", "y", "z"]);
  });

  it("P-3.1.5-3: control is answered in the same way", () => {
    site.server.setRules([
      { service: "billing", control: { parameters: ["a"] } },
      { service: device.fingerprint, control: { parameters: ["b", "c"] } },
    ]);
    const challenges = challenged(`serviceToken='${tokens.service} ${tokens.device}'`, { name: "canControl" });
    site.answer(challenges[0], service);
    site.answer(challenges[1], device);
    const children = answers()[0]?.getChild("canControlResponse")?.getChildElements() ?? [];
    expect(children.map((child) => child.attrs["name"])).toEqual(["b", "c"]);
  });

  it("of another server are not this one's to challenge, and change nothing (P-E15)", () => {
    const sent = site.ask({ attributes: "serviceToken='A B' deviceToken='C' userToken='D'" });
    expect(sent.map(verdict)).toEqual(["false"]);
    expect(answers()).toEqual([]);
  });

  it("are challenged up to 16 of them", () => {
    const many = Array.from({ length: 20 }, (_, i) =>
      site.tokenFor(makeKeyHolder({ name: `d${i}` }), `c${i}@example.org/x`),
    );
    expect(challenged(`deviceToken='${many.join(" ")}'`)).toHaveLength(16);
  });
});

describe("when to challenge", () => {
  it("P-3.1.3-18: always, unless it is told otherwise", () => {
    asProved();
    expect(challenged(`serviceToken='${tokens.service}'`)).toHaveLength(1);
  });

  it("P-3.1.3-18: never, by option: the token alone will do", () => {
    begin({ challenge: "never" });
    expect(site.ask({ attributes: `serviceToken='${tokens.service}'` }).map(verdict)).toEqual(["true"]);
  });

  it("P-3.1.3-18: once in a while, by option: not again for the same sender, caller and token", async () => {
    begin({ challenge: { again: 60_000 } });
    asProved();
    const attributes = `serviceToken='${tokens.service}'`;
    await site.clock.advance(59_999);
    expect(site.ask({ attributes }).map(verdict)).toEqual(["true"]);
    // Another sender, another caller through the same sender, another token: each for itself.
    expect(challenged(attributes, { from: "thing@example.org/other" })).toHaveLength(1);
    expect(challenged(attributes, { jid: "thief@example.org" })).toHaveLength(1);
    expect(challenged(`serviceToken='${tokens.device}'`)).toHaveLength(1);
    await site.clock.advance(1);
    expect(site.taken().length).toBe(0);
    expect(challenged(attributes)).toHaveLength(1);
    asProved();
    site.server.challenge = "always";
    expect(challenged(attributes)).toHaveLength(1);
  });

  it("a failure is not remembered as a proof", () => {
    begin({ challenge: { again: 60_000 } });
    site.refuse(challenged(`serviceToken='${tokens.service}'`)[0]);
    expect(answers().map(verdict)).toEqual(["false"]);
    expect(challenged(`serviceToken='${tokens.service}'`)).toHaveLength(1);
  });

  it("remembers 1,000 proofs, the newest", () => {
    begin({ challenge: { again: 1e9 } });
    for (let i = 0; i <= 1_000; i++) asProved(service, tokens.service, { jid: `c${i}@example.org` });
    expect(site.ask({ attributes: `serviceToken='${tokens.service}'`, jid: "c1@example.org" }).map(verdict)).toEqual([
      "true",
    ]);
    expect(challenged(`serviceToken='${tokens.service}'`, { jid: "c0@example.org" })).toHaveLength(1);
  });

  it("P-E12: by PKCS #1 v1.5 if that is the option", () => {
    begin({ padding: "pkcs1" });
    const [challenge] = challenged(`serviceToken='${tokens.service}'`);
    expect(() => service.open(challenge?.getChild("tokenChallenge")?.text() ?? "", "oaep")).toThrow();
    site.answer(challenge, service, "pkcs1");
    expect(answers().map(verdict)).toEqual(["true"]);
  });
});

describe("questions that wait", () => {
  it("do not hold up others, of the same Thing or of another", () => {
    const [challenge] = challenged(`serviceToken='${tokens.service}'`);
    expect(site.ask({ id: "2" })).toHaveLength(1);
    expect(site.ask({ id: "3", from: "other@example.org/x" })).toHaveLength(1);
    expect(site.iq(THING, "<ping xmlns='urn:xmpp:ping'/>")).toHaveLength(1);
    const [second] = challenged(`deviceToken='${tokens.device}'`, { id: "4" });
    site.answer(second, device);
    expect(answers().map((sent) => sent.attrs["id"])).toEqual(["4"]);
    site.answer(challenge, service);
    expect(answers().map((sent) => sent.attrs["id"])).toEqual(["q"]);
  });

  it("are decided by the rules and identities at the end, behind the clearCache that is due", () => {
    site.ask({ id: "1" }); // so the Thing has something to forget
    const [challenge] = challenged(`serviceToken='${tokens.service}'`);
    site.server.allowRead("thing@example.org", "somebody@example.org");
    site.server.setRules([{ service: "billing", read: false }]);
    site.taken();
    site.answer(challenge, service);
    const sent = answers();
    expect(sent.map((stanza) => stanza.getChildElements()[0]?.name)).toEqual(["clearCache", "canReadResponse"]);
    expect(verdict(sent[1])).toBe("false");
  });

  it("lose an identity that ends while they wait", () => {
    const [challenge] = challenged(`serviceToken='${tokens.service}'`);
    site.server.withdraw("billing");
    site.answer(challenge, service);
    expect(answers().map(verdict)).toEqual(["false"]);
    expect(site.server.questions[0]).not.toHaveProperty("identities");
  });

  it("end with the stream of the Thing, and with the server's own", async () => {
    challenged(`serviceToken='${tokens.service}'`);
    challenged(`serviceToken='${tokens.service}'`, { from: "thing@example.org/second" });
    challenged(`serviceToken='${tokens.service}'`, { from: "other@example.org/x" });
    challenged(`serviceToken='${tokens.service}'`, { from: "things.example.org" });
    site.presence(THING);
    expect(site.server.pending).toBe(4);
    site.presence(THING, "unavailable");
    expect(site.server.pending).toBe(3);
    site.presence("thing@example.org", "error");
    expect(site.server.pending).toBe(2);
    site.presence("things.example.org", "unavailable");
    expect(site.server.pending).toBe(1);
    site.server.onAccount();
    expect(site.server.pending).toBe(0);
    challenged(`serviceToken='${tokens.service}'`);
    site.server.stop();
    expect(site.clock.pending).toBe(0);
    await site.clock.advance(TIMEOUT);
    expect(answers()).toEqual([]);
  });

  it("are bounded, for one Thing and for all; what is too much may come later", () => {
    const attributes = `serviceToken='${tokens.service}'`;
    for (let i = 0; i < 64; i++) challenged(attributes);
    expect(site.ask({ attributes }).map(refusal)).toEqual(["error wait resource-constraint"]);
    expect(site.ask({}).map(verdict)).toEqual(["false"]); // without tokens nothing waits
    for (let i = 64; i < 1_000; i++) challenged(attributes, { from: `t${i}@example.org/x` });
    expect(site.ask({ attributes, from: "last@example.org/x" }).map(refusal)).toEqual([
      "error wait resource-constraint",
    ]);
    expect(site.server.pending).toBe(1_000);
    expect(answers()).toEqual([]);
  });

  it("of one account are no more for all its resources: it cannot take the room of the others", () => {
    const attributes = `serviceToken='${tokens.service}'`;
    for (let i = 0; i < 1_100; i++) site.ask({ attributes, from: `flood@example.org/${i}` });
    expect(site.ask({ attributes, from: "flood@example.org/x" }).map(refusal)).toEqual([
      "error wait resource-constraint",
    ]);
    expect(site.ask({ attributes, from: "last@example.org/x" }).map(refusal)).toEqual([]);
    expect(site.server.pending).toBe(65);
  });

  it("P-3.1.5-3: are looked at in all combinations, which takes no time that others would miss", () => {
    site.server.challenge = "never";
    const holders = Array.from({ length: 16 }, (_, i) => makeKeyHolder({ name: `d${i}` }));
    const all = holders.map((one, i) => site.tokenFor(one, `c${i}@example.org/x`)).join(" ");
    const [first] = holders;
    site.server.setRules([
      { service: first?.fingerprint ?? "", device: first?.fingerprint ?? "", read: { fields: ["A", "B"] } },
      { user: first?.fingerprint ?? "", read: { fields: ["A"] } },
      { read: { fields: ["C"] } },
    ]);
    const nodes = Array.from({ length: 1_000 }, (_, i) => `<node nodeId='n${i}'/>`).join("");
    const sent = site.ask({
      attributes: `serviceToken='${all}' deviceToken='${all}' userToken='${all}'`,
      lists: nodes,
    });
    expect(sent.map(verdict)).toEqual(["true"]);
    expect(
      sent[0]
        ?.getChild("canReadResponse")
        ?.getChildren("field")
        .map(({ attrs }) => attrs["name"]),
    ).toEqual(["A", "B"]);
  });

  it("may be answered while the challenge is being sent", () => {
    site.server.onOutput((stanzas) => {
      for (const stanza of stanzas) if (stanza.getChild("tokenChallenge")) site.answer(stanza, service);
    });
    expect(site.ask({ attributes: `serviceToken='${tokens.service}'` }).map(verdict)).toEqual(["true"]);
  });
});

describe("what an identity's end, or beginning, makes void", () => {
  const others = "other@example.org/x";

  it("P-3.1.3-5, P-3.5.1-1: a withdrawn certificate ends its rules, and clears the caches of the Things concerned only", () => {
    expect(verdict(asProved())).toBe("true");
    site.ask({ from: others });
    expect(site.server.withdraw("billing")).toBe(true);
    expect(sentTo("clearCache")).toEqual([THING]);
    expect(site.server.unacknowledged).toEqual(["thing@example.org"]);
    const again = site.ask({ attributes: `serviceToken='${tokens.service}'` });
    expect(again.map(verdict).at(-1)).toBe("false");
    expect(sentTo("tokenChallenge")).toEqual([]); // a void token is nobody's
  });

  it("P-3.1.3-5, P-3.5.1-1: so does one that expires, at its time", async () => {
    const short = makeKeyHolder({ name: "short", until: site.clock.now() + 100_000_000 });
    const token = site.tokenFor(short);
    site.server.setRules([{ service: short.fingerprint, read: true }]);
    site.taken();
    expect(verdict(asProved(short, token))).toBe("true");
    site.ask({ from: others });
    await site.clock.advance(99_999_000);
    expect(sentTo("clearCache")).toEqual([]);
    await site.clock.advance(2_000);
    expect(sentTo("clearCache")).toEqual([THING]);
    expect(
      site
        .ask({ attributes: `serviceToken='${token}'` })
        .map(verdict)
        .at(-1),
    ).toBe("false");
    expect(site.server.identities.find(({ fingerprint }) => fingerprint === short.fingerprint)?.hasToken).toBe(false);
  });

  it("P-3.1.3-5: a clock that was set is noticed within the hour; until then nobody gets in by the certificate", async () => {
    asProved();
    site.clock.jump(400 * 24 * 3_600_000);
    expect(site.ask({ attributes: `serviceToken='${tokens.service}'`, from: others }).map(verdict)).toEqual(["false"]);
    expect(sentTo("clearCache")).toEqual([]);
    await site.clock.advance(3_600_000);
    expect(sentTo("clearCache")[0]).toBe(THING);
  });

  it("P-3.5.1-1: a name that a certificate gets later counts for the Things that asked about it", () => {
    site.server.setRules([{ device: "boiler", read: true }]);
    site.taken();
    const ask = (): void => {
      const [challenge] = challenged(`deviceToken='${tokens.device}'`);
      site.answer(challenge, device);
    };
    ask();
    expect(answers().map(verdict)).toEqual(["false"]);
    site.ask({ from: others });
    site.server.enrol(device.pem, "boiler");
    expect(sentTo("clearCache")).toEqual([THING]);
    site.server.enrol(device.pem, "boiler"); // no news
    expect(sentTo("clearCache")).toEqual([]);
  });

  it("P-3.5.1-1: whoever was answered without an identity that could not be proved asks again once it is", () => {
    site.refuse(challenged(`serviceToken='${tokens.service}'`)[0]);
    expect(answers().map(verdict)).toEqual(["false"]);
    // Its holder is back: at another Thing, or for a token.
    asProved(service, tokens.service, { from: others });
    expect(site.server.unacknowledged).toEqual(["thing@example.org"]);
    site.refuse(challenged(`serviceToken='${tokens.service}'`, { from: others })[0]);
    site.taken();
    site.tokenFor(service);
    expect(sentTo("clearCache")).toEqual([others]);
  });

  it("reaches every Thing that asked when there were too many to be counted", () => {
    site.server.challenge = "never";
    const attributes = `serviceToken='${tokens.service}'`;
    for (let i = 0; i <= 1_000; i++) site.ask({ attributes, from: `t${i}@example.org/x` });
    site.ask({ from: others });
    site.server.withdraw("billing");
    expect(sentTo("clearCache")).toHaveLength(1_002);
  });

  it("P-3.5.1-1: a rule for one Thing, or for a domain, is no news to others", () => {
    site.ask();
    site.ask({ from: others });
    site.ask({ from: "far@example.net/x" });
    site.server.allowRead("other@example.org", CALLER);
    expect(sentTo("clearCache")).toEqual([others]);
    site.server.allowControl("example.net", CALLER);
    expect(sentTo("clearCache")).toEqual(["far@example.net/x"]);
    site.server.setRules([]);
    expect(sentTo("clearCache")).toHaveLength(3);
  });
});

describe("whatever happens meanwhile", () => {
  // Things ask with a token, come and go; challenges are answered rightly, wrongly, late or never; the rule and the
  // certificate come and go. Answers are judged by what holds when they are sent.
  it("P-3.1.3-6, P-3.1.3-18, P-3.5.1-1: each question is answered once, by what holds then, and behind the clearCache that is due", async () => {
    const random = new SeededRandom("challenges");
    const dice = (sides: number): number => (random.bytes(1)[0] ?? 0) % sides;
    const things = ["a@example.org", "b@example.org", "c@example.org"].map((jid, i) => ({
      jid,
      stream: i,
      mayRead: false,
      owed: false,
    }));
    const full = (thing: (typeof things)[number]): string => `${thing.jid}/${thing.stream}`;
    const open = new Map<string, { from: string; proved: boolean }>();
    const posed: { challenge: XmlElement; question: string }[] = [];
    const seen = { yes: 0, no: 0, clears: 0 };
    let [token, allowed, valid, asked] = [tokens.service, true, true, 0];
    site.server.setRules([{ service: "billing", read: true }]);
    const take = (stanzas: readonly XmlElement[], question = ""): void => {
      for (const stanza of stanzas) {
        const thing = things.find((one) => full(one) === stanza.attrs["to"]);
        if (stanza.getChild("tokenChallenge")) posed.push({ challenge: stanza, question });
        if (thing === undefined) continue; // nobody is there any more
        if (stanza.getChild("clearCache")) {
          seen.clears++;
          Object.assign(thing, { mayRead: false, owed: false });
          site.iq(full(thing), "", "result", stanza.attrs["id"]);
        } else if (stanza.getChild("canReadResponse")) {
          const waiting = open.get(stanza.attrs["id"] ?? "");
          expect(open.delete(stanza.attrs["id"] ?? "")).toBe(true);
          expect(waiting?.from).toBe(full(thing));
          expect(thing.owed).toBe(false);
          expect(verdict(stanza)).toBe(String(waiting?.proved === true && allowed && valid));
          thing.mayRead ||= verdict(stanza) === "true";
          seen[verdict(stanza) === "true" ? "yes" : "no"]++;
        }
      }
    };
    const changed = (): void => {
      for (const thing of things) thing.owed = thing.mayRead && !(allowed && valid);
      take(site.taken());
    };
    for (let i = 0; i < 2_000; i++) {
      const thing = things[dice(3)]!;
      const what = dice(20);
      if (what < 7) {
        const id = `q${asked++}`;
        open.set(id, { from: full(thing), proved: false });
        const [at, attributes] = [site.output.length, `serviceToken='${token}'`];
        const sent = site.ask({ from: full(thing), attributes, id });
        take(site.output.splice(at), id);
        take(sent);
      } else if (what < 15) {
        const [next] = posed.splice(dice(posed.length || 1), 1);
        if (next === undefined) continue;
        const waiting = open.get(next.question);
        if (what < 13) {
          // What it proves is noted before: the answer comes at once. Behind a void token there is nobody.
          if (waiting !== undefined)
            waiting.proved = next.challenge.getChild("tokenChallenge")?.attrs["token"] === token;
          site.answer(next.challenge, service);
        } else if (what < 14) site.refuse(next.challenge);
        take(site.taken());
      } else if (what === 15) {
        const gone = full(thing);
        thing.stream += 3;
        take(site.presence(gone, "unavailable"));
        for (const [id, { from }] of open) if (from === gone) open.delete(id);
        take(site.presence(full(thing)));
      } else if (what === 16) {
        allowed = !allowed;
        site.server.setRules([{ service: "billing", read: allowed }]);
        changed();
      } else if (what === 17) {
        if (valid) site.server.withdraw("billing");
        valid = false;
        changed();
      } else if (what === 18) {
        site.server.enrol(service.pem, "billing");
        valid = true;
        token = site.tokenFor(service, CALLER_FULL);
        changed();
      } else {
        await site.clock.advance(dice(4) * 1_000);
        take(site.taken());
      }
    }
    await site.clock.advance(60_000);
    take(site.taken());
    expect([open.size, site.server.pending]).toEqual([0, 0]);
    expect(things.some(({ owed }) => owed)).toBe(false);
    expect(Math.min(seen.yes, seen.no, seen.clears)).toBeGreaterThan(50);
  });
});
