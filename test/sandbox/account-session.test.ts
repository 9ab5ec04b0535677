import { beforeEach, describe, expect, it } from "vitest";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { tryParseJid, type Jid } from "../../src/core/jid.ts";
import type { Logger } from "../../src/core/logger.ts";
import { AccountSession } from "../../src/sandbox/account-session.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import type { HostedAccount, StanzaService } from "../../src/sandbox/stanza-service.ts";
import { canonical } from "../support/canonical.ts";

const OWN = tryParseJid("service@example.org/s") as Jid;

class Recorder implements StanzaService {
  readonly jid = OWN.bare;
  readonly name = "Recorder";
  readonly received: string[] = [];
  readonly accounts: (HostedAccount | undefined)[] = [];
  answers: readonly XmlElement[] = [];
  fails = false;

  receive(stanza: XmlElement): readonly XmlElement[] {
    this.received.push(stanza.toString());
    if (this.fails) throw new Error("a mistake");
    return this.answers;
  }
  onAccount(account?: HostedAccount): void {
    this.accounts.push(account);
    if (this.fails) throw new Error("a mistake");
  }
  onOutput(): void {
    return undefined;
  }
  stop(): void {
    return undefined;
  }
}

let service: Recorder;
let sent: XmlElement[];
let logged: string[];
let outcome: string[];
let session: AccountSession;

beforeEach(() => {
  service = new Recorder();
  sent = [];
  logged = [];
  outcome = [];
  const log = (message: string): unknown => logged.push(message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  session = new AccountSession({
    service,
    jid: OWN,
    random: new SeededRandom("session"),
    logger,
    write: (stanzas) => sent.push(...stanzas),
    onReady: () => outcome.push("ready"),
    onFailed: ({ message }) => outcome.push(message),
  });
  session.begin();
});

const receive = (xml: string): void => session.receive(parseXml(xml));
const expectSent = (...expected: string[]): void => {
  expect(sent.splice(0).map(canonical)).toEqual(expected.map((xml) => canonical(parseXml(xml))));
};
const rosterId = (): string => sent[0]?.attrs["id"] ?? "";
const answerRoster = (content: string, from = ""): void => {
  const id = rosterId();
  sent.length = 0;
  receive(`<iq xmlns='jabber:client' type='result' id='${id}' to='${OWN.full}'${from}>${content}</iq>`);
};
const ROSTER = `<query xmlns='jabber:iq:roster'><item jid='thing@example.org' subscription='both'/></query>`;

describe("a service logs in", () => {
  it("with its roster first, its presence second, and takes what came meanwhile last", () => {
    expect(sent.map(canonical)).toEqual([
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='get' id='${rosterId()}'><query xmlns='jabber:iq:roster'/></iq>`),
      ),
    ]);
    const early = `<iq xmlns='jabber:client' type='get' id='1' from='a@example.org/b' to='${OWN.full}'><x xmlns='urn:x'/></iq>`;
    receive(early);
    expect(service.received).toEqual([]);
    answerRoster(ROSTER);
    expectSent("<presence xmlns='jabber:client'/>");
    expect(service.accounts).toMatchObject([
      { jid: OWN.full, roster: [{ jid: "thing@example.org", subscription: "both" }] },
    ]);
    expect(service.received).toEqual([parseXml(early).toString()]);
    expect(outcome).toEqual(["ready"]);
  });

  it.each([
    ["", "no sender"],
    [` from='${OWN.bare}'`, "the account"],
    [" from='example.org'", "the server"],
  ])("by a roster from%s (%s)", (from) => {
    answerRoster(ROSTER, from);
    expect(outcome).toEqual(["ready"]);
  });

  it("but not by a roster that somebody else sends, nor by an answer to something else", () => {
    answerRoster(ROSTER, " from='mallory@example.org/x'");
    receive(`<iq xmlns='jabber:client' type='result' id='other'>${ROSTER}</iq>`);
    expect(outcome).toEqual([]);
    expect(service.accounts).toEqual([]);
  });

  it.each([
    ["", "no roster in the answer (at iq)"],
    ["<query xmlns='jabber:iq:roster'><item/></query>", "missing (at query/item/@jid)"],
    [
      "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
      "service@example.org answered service-unavailable",
    ],
  ])("not with %j in the place of a roster", (content, why) => {
    answerRoster(content);
    expect(outcome).toEqual([expect.stringContaining(why.replace(/ \(at.*/, ""))]);
    receive("<message xmlns='jabber:client' from='a@example.org'/>");
    session.send([parseXml("<presence/>")]);
    session.end();
    expectSent();
    expect(service.received).toEqual([]);
    expect(service.accounts).toEqual([]);
  });
});

describe("once it is there", () => {
  beforeEach(() => {
    answerRoster(ROSTER);
    sent.length = 0;
  });

  it("it says what the service says, and leaves to the server who says it", () => {
    service.answers = [parseXml(`<message xmlns='jabber:client' from='service@example.org' to='a@example.org'/>`)];
    receive("<message xmlns='jabber:client' from='a@example.org/x' to='service@example.org'/>");
    expectSent("<message xmlns='jabber:client' to='a@example.org'/>");
    session.send([parseXml("<presence xmlns='jabber:client' from='service@example.org' to='b@example.org'/>")]);
    expectSent("<presence xmlns='jabber:client' to='b@example.org'/>");
  });

  it("it leaves out what is no XML, and sends the rest", () => {
    const odd = el("message", { xmlns: "jabber:client", to: "a@example.org", id: "\u0001" });
    session.send([odd, parseXml("<presence xmlns='jabber:client'/>")]);
    expectSent("<presence xmlns='jabber:client'/>");
    session.send([odd]);
    expectSent();
    expect(logged).toEqual(Array(2).fill("a stanza held characters that XML forbids"));
  });

  it("it gives what bears no sender to the service as from the own account (RFC 6120 8.1.2.1)", () => {
    receive("<iq xmlns='jabber:client' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    expect(service.received[0]).toContain(`from="${OWN.bare}"`);
  });

  it("it acknowledges the server's roster pushes, and those of nobody else", () => {
    const push = (from: string): void =>
      receive(`<iq xmlns='jabber:client' type='set' id='p'${from} to='${OWN.full}'>${ROSTER}</iq>`);
    push("");
    expectSent("<iq xmlns='jabber:client' type='result' id='p'/>");
    push(` from='${OWN.bare}'`);
    expectSent(`<iq xmlns='jabber:client' type='result' id='p' to='${OWN.bare}'/>`);
    expect(service.received).toEqual([]);
    push(" from='mallory@example.org/x'");
    expectSent();
    expect(service.received).toHaveLength(1);
  });

  it("it survives a service that fails", () => {
    service.fails = true;
    receive("<message xmlns='jabber:client' from='a@example.org/x'/>");
    session.end();
    expect(logged).toEqual(["the service failed", "the service failed"]);
  });

  it("it tells the service of the end, once, and passes nothing on after it", () => {
    session.end();
    session.end();
    expect(service.accounts).toHaveLength(2);
    expect(service.accounts[1]).toBeUndefined();
    receive("<message xmlns='jabber:client' from='a@example.org/x'/>");
    session.send([parseXml("<presence xmlns='jabber:client'/>")]);
    expect(service.received).toEqual([]);
    expectSent();
  });
});
