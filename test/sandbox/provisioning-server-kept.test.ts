import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseJid } from "../../src/core/jid.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { KeptChange, ProvisioningKeeper } from "../../src/sandbox/provisioning-server-kept.ts";
import { levelProvisioningKeeper } from "../../src/sandbox/provisioning-level.ts";
import type { KeptProvisioningServerOptions } from "../../src/sandbox/provisioning-server-options.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { makeKeyHolder, type KeyHolder } from "./key-holder.ts";
import { downloadPrivileges, listIn, userLoggedIn } from "./service-site.ts";
import { SERVER, refusal, verdict } from "./token-site.ts";

const THING = "thing@example.org/device";
const SERVICE = "energy@example.org/service";
const CALLER = "caller@example.org";

/** A keeper that keeps when it is let, and fails when it shall. What is in `kept` is what a power cut would leave. */
class SlowKeeper implements ProvisioningKeeper {
  readonly kept = new Map<string, unknown>();
  fails = false;
  held = false;
  writes = 0;
  closed = 0;
  #release: (() => void)[] = [];

  async *load(): AsyncGenerator<readonly [string, unknown]> {
    await Promise.resolve();
    // What is kept is text: nothing in it is shared with the server.
    for (const [key, value] of this.kept) yield [key, JSON.parse(JSON.stringify(value)) as unknown];
  }

  async write(changes: readonly KeptChange[]): Promise<void> {
    if (this.held) await new Promise<void>((resolve) => this.#release.push(resolve));
    this.writes++;
    if (this.fails) throw new Error("the disk is full");
    for (const [key, value] of changes) {
      if (value === undefined) this.kept.delete(key);
      else this.kept.set(key, value);
    }
  }

  release(): void {
    this.held = false;
    for (const each of this.#release.splice(0)) each();
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

let keeper: SlowKeeper;
let clock: SimulatedClock;
let server: ReferenceProvisioningServer;
let output: XmlElement[];
let lives = 0;
let errors: string[];

const start = async (options: Partial<KeptProvisioningServerOptions> = {}): Promise<void> => {
  const ignore = (): void => undefined;
  server = await ReferenceProvisioningServer.open({
    ...{ jid: SERVER, keeper, clock, random: new SeededRandom(`life ${lives++}`), challenge: "never" },
    logger: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (_, fields) => void errors.push(JSON.stringify(fields)),
    },
    ...options,
  });
  server.onOutput((stanzas) => output.push(...stanzas));
};
/** A power cut: only what is kept is there again. */
const again = async (options: Partial<KeptProvisioningServerOptions> = {}): Promise<void> => {
  server.stop();
  output = [];
  await start(options);
};
beforeEach(async () => {
  keeper = new SlowKeeper();
  clock = new SimulatedClock();
  [output, errors] = [[], []];
  await start();
});
afterEach(() => server.stop());

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};
const send = (xml: string): void => void output.push(...server.receive(parseXml(xml)));
const iq = (from: string, content: string, type = "get", id = "1"): void =>
  send(`<iq xmlns='jabber:client' type='${type}' from='${from}' to='${SERVER}' id='${id}'>${content}</iq>`);
const ns = "xmlns='urn:xmpp:iot:provisioning'";
const canRead = (attributes = ""): void => iq(THING, `<canRead ${ns} jid='${CALLER}' ${attributes}/>`);
const taken = (): readonly XmlElement[] => output.splice(0);
/** All that comes of something, once it is kept. */
const after = async (what: () => void): Promise<readonly XmlElement[]> => {
  what();
  await settle();
  return taken();
};
const tokenFor = async (holder: KeyHolder, from = SERVICE): Promise<string> => {
  const asked = (await after(() => iq(from, `<getToken ${ns}>${holder.base64}</getToken>`))).at(-1);
  const challenge = asked?.getChild("getTokenChallenge");
  const response = holder.open(challenge?.text() ?? "");
  const attributes = `${ns} seqnr='${challenge?.attrs["seqnr"] ?? ""}'`;
  const sent = await after(() =>
    iq(from, `<getTokenChallengeResponse ${attributes}>${response}</getTokenChallengeResponse>`),
  );
  return sent.at(-1)?.getChild("getTokenResponse")?.attrs["token"] ?? "";
};

describe("a Provisioning Server that keeps what it decides by", () => {
  it("has its rules, users and lists again", async () => {
    server.setRules([{ jid: CALLER, read: { fields: ["Temperature"] } }]);
    server.addRule({ jid: "bob@example.org", friend: true });
    server.setUsers([{ name: "Kermit", roles: ["operator"] }]);
    server.setPrivileges([{ service: "energy", role: "operator", privileges: [{ include: "Sensors" }] }]);
    const before = [server.rules, server.users, server.privileges];
    await server.settled();
    await again();
    expect([server.rules, server.users, server.privileges]).toEqual(before);
    expect(before[0]).toHaveLength(2);
  });

  it("takes those of its options in their place, and tells nobody if they are the same", async () => {
    const rules = [{ jid: CALLER, read: true }];
    const users = [{ name: "Kermit" }];
    server.setRules(rules);
    server.setUsers(users);
    await after(canRead);
    await again({ rules, users });
    expect(server.unacknowledged).toEqual([]);
    const privileges = [{ service: "energy", privileges: [{ include: "A" }] }];
    await again({ privileges });
    expect(server.privileges).toEqual(privileges);
    await again({ rules: [], users: [], privileges: [] });
    expect(server.privileges).toEqual([]);
    expect(server.rules).toEqual([]);
    expect(server.users).toEqual([]);
    expect(server.unacknowledged).toEqual(["thing@example.org"]);
    await again();
    expect(server.rules).toEqual([]);
  });

  it("P-3.5.1-2, P-5.2-6: tells a Thing of a change that it has not acknowledged, also after a restart, and no more then", async () => {
    await after(canRead);
    server.setRules([{ jid: CALLER, read: true }]);
    await server.settled();
    await again();
    expect(server.unacknowledged).toEqual(["thing@example.org"]);
    const [clear] = await after(() => send(`<presence xmlns='jabber:client' from='${THING}' to='${SERVER}'/>`));
    expect(clear?.getChild("clearCache")).toBeDefined();
    await after(() => iq(THING, `<clearCacheResponse ${ns}/>`, "result", clear?.attrs["id"]));
    await again();
    expect(server.unacknowledged).toEqual([]);
  });

  it("P-5.2-5: tells a Thing that does not notice the restart at the address that it asked from last", async () => {
    await after(canRead);
    server.setRules([]);
    await server.settled();
    await again();
    expect(taken()).toEqual([]);
    await clock.advance(10_000);
    expect(taken().map(({ attrs }) => attrs["to"])).toEqual([THING]);
  });

  it("P-5.1-2: as an account it tells a Thing after a restart once its presence says where it is, and nowhere else", async () => {
    const jid = "provisioning@example.org";
    const to = `${jid}/service`;
    const friend = { subscription: "both", pendingOut: false, name: "", groups: [] } as const;
    const roster = ["thing@example.org", "stranger@example.org"].map((who) => ({ ...friend, jid: parseJid(who).bare }));
    const online = (): void => server.onAccount({ jid: to, roster });
    const ask = (content: string): void =>
      send(`<iq xmlns='jabber:client' type='get' from='${THING}' to='${to}' id='1'>${content}</iq>`);
    const present = `<presence xmlns='jabber:client' from='${THING}' to='${to}'/>`;
    keeper = new SlowKeeper();
    await again({ jid });
    online();
    await after(() => ask(`<canRead ${ns} jid='${CALLER}'/>`));
    expect(server.friends).toEqual(roster.map((one) => one.jid));
    expect(await server.askFriendship("thing@example.org")).toBe("accepted");
    await expect(server.askFriendship("registry.example.org")).rejects.toMatchObject({ code: "ERR_CONFIG" });
    server.setRules([]);
    await server.settled();
    await again({ jid });
    online();
    expect(server.unacknowledged).toEqual(["thing@example.org"]);
    await clock.advance(10_000);
    expect(await after(() => ask("<ping xmlns='urn:xmpp:ping'/>"))).toHaveLength(1); // the answer alone
    const isClear = (stanza: XmlElement): boolean => stanza.getChild("clearCache") !== undefined;
    const clears = async (): Promise<number> => (await after(() => send(present))).filter(isClear).length;
    expect(await clears()).toBe(1);
    await after(() => send(present.replace(THING, "stranger@example.org/x"))); // who never asked is nobody to remember
    server.onAccount();
    online();
    await clock.advance(60_000);
    expect(taken()).toEqual([]); // nobody knows where it is on the next stream
    expect(await clears()).toBe(1);
  });

  it("P-3.2.3-2: knows after a restart which Things have asked about friends", async () => {
    await after(() => iq(THING, `<isFriend ${ns} jid='${CALLER}'/>`));
    await again();
    expect(server.unfriend("thing@example.org", CALLER)).toBe(true);
    expect(server.unfriend("other@example.org", CALLER)).toBe(false);
  });

  it("keeps that a rule for once is gone before the answer goes out", async () => {
    server.setRules([{ jid: CALLER, read: true, once: true }]);
    const sent = await after(canRead);
    expect(verdict(sent[0])).toBe("true");
    await again();
    expect(server.rules).toEqual([]);
    expect(server.unacknowledged).toEqual(["thing@example.org"]);
  });
});

describe("certificates, tokens and users in services", () => {
  const holder = makeKeyHolder({ name: "energy" });
  const accessOf = (token: string): string =>
    `<canAccess ${ns} serviceToken='${token}'><jid value='${CALLER}'/></canAccess>`;

  it("are there again, with the names that users have logged in by", async () => {
    server.enrol(holder.pem, "energy");
    server.setRules([{ service: "energy", jid: CALLER, access: true }]);
    server.setUsers([{ name: "Kermit" }]);
    server.setPrivileges([{ service: "energy", user: "Kermit", privileges: [{ include: "Sensors" }] }]);
    const token = await tokenFor(holder);
    const credentials = "<x509Certificate base64='AQID'/><longitude value='1.5'/>";
    const access = accessOf(token).replace("</", `${credentials}</`);
    const letIn = (await after(() => iq(SERVICE, access))).at(-1);
    const userToken = letIn?.getChild("canAccessResponse")?.attrs["userToken"] ?? "";
    await after(() =>
      send(
        `<message xmlns='jabber:client' from='${SERVICE}' to='${SERVER}'>${userLoggedIn(token, userToken, "Kermit")}</message>`,
      ),
    );
    await again();
    const answer = await after(() => iq(SERVICE, downloadPrivileges(token, userToken)));
    expect(listIn(answer.at(-1))).toBe("+Sensors");
    expect(await tokenFor(holder)).toBe(token);
    // A rule that wants the credentials that were kept.
    server.setRules([{ service: "energy", credentials: { x509Certificate: "AQID", longitude: 1.5 }, access: true }]);
    const granted = await after(() => iq(SERVICE, downloadPrivileges(token, userToken)));
    expect(listIn(granted.at(-1))).toBe("+Sensors");
    expect([...keeper.kept.keys()].join()).not.toContain(userToken); // keys are told when something is damaged
  });

  it("that were withdrawn stay so", async () => {
    server.enrol(holder.pem, "energy");
    server.setRules([{ service: "energy", read: true }]);
    const token = await tokenFor(holder);
    server.withdraw("energy");
    await server.settled();
    await again();
    expect(server.identities).toMatchObject([{ name: "energy", withdrawn: true, hasToken: false }]);
    expect(verdict((await after(() => canRead(`serviceToken='${token}'`))).at(-1))).toBe("false");
  });

  it("P-3.1.3-5: that have ended while nobody was there make those forget who were answered by them", async () => {
    const short = makeKeyHolder({ until: Date.UTC(2026, 0, 2), now: Date.UTC(2026, 0, 1) });
    clock = new SimulatedClock({ now: Date.UTC(2026, 0, 1) });
    await again();
    server.enrol(short.pem, "energy");
    server.setRules([{ service: "energy", read: true }]);
    const token = await tokenFor(short);
    expect(verdict((await after(() => canRead(`serviceToken='${token}'`))).at(-1))).toBe("true");
    await again();
    expect(server.unacknowledged).toEqual([]);
    clock = new SimulatedClock({ now: Date.UTC(2026, 0, 3) });
    await again();
    expect(server.unacknowledged).toEqual(["thing@example.org"]);
  });

  it("P-3.5.1-1: of which one could not be proved make those forget who were answered without, once it is", async () => {
    const gone = (): void =>
      iq(THING, `<error type='cancel'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`, "error", id);
    let id = "";
    server.enrol(holder.pem, "energy");
    const token = await tokenFor(holder);
    server.challenge = "always";
    const [challenge] = await after(() => canRead(`serviceToken='${token}'`));
    id = challenge?.attrs["id"] ?? "";
    await after(gone);
    await again();
    expect(server.unacknowledged).toEqual([]);
    await after(() => iq(SERVICE, accessOf(token))); // nobody is challenged now: it counts as proved
    expect(server.unacknowledged).toEqual(["thing@example.org"]);
  });

  it("new names are there again (P-5.4-1)", async () => {
    await again({ aggregate: {} });
    const token = await tokenFor(holder);
    await after(() => iq(SERVICE, accessOf(token)));
    const seen = server.seenNames;
    expect(seen).toHaveLength(1);
    await again({ aggregate: {} });
    expect(server.seenNames).toEqual(seen);
  });
});

describe("nothing is told before it is kept", () => {
  it("no answer by rules that a power cut could undo, and no clearCache", async () => {
    await after(canRead);
    keeper.held = true;
    server.setRules([{ jid: CALLER, read: true }]);
    expect(await after(canRead)).toEqual([]);
    keeper.release();
    await settle();
    const sent = taken();
    expect(sent.map((stanza) => stanza.getChildElements()[0]?.name)).toEqual([
      "clearCache", // when the rules changed
      "clearCache", // and before the answer: where there is no presence it may be a new stream
      "canReadResponse",
    ]);
    expect(verdict(sent.at(-1))).toBe("true");
  });

  it("in the order in which it was said, with what came while it was being kept", async () => {
    keeper.held = true;
    canRead();
    await settle();
    server.setRules([{ jid: CALLER, read: true }]);
    canRead();
    await settle();
    expect(taken()).toEqual([]);
    keeper.release();
    await settle();
    const verdicts = taken().flatMap((stanza) => verdict(stanza) ?? []);
    expect(verdicts).toEqual(["false", "true"]);
  });

  it("while the disk is full questions are refused for now, and the next one tries again", async () => {
    await after(canRead);
    keeper.fails = true;
    server.setRules([{ jid: CALLER, read: true }]);
    const sent = await after(canRead);
    expect(sent.map(refusal)).toEqual(["error wait resource-constraint"]);
    await expect(server.settled()).rejects.toThrow("the disk is full");
    expect(errors.join()).toContain("the disk is full");
    expect((await after(() => iq(THING, "<canRead xmlns='urn:other'/>"))).map(refusal)).toEqual([
      "error cancel service-unavailable",
    ]);
    keeper.fails = false;
    expect(verdict((await after(canRead)).at(-1))).toBe("true");
    await server.settled();
    await again();
    expect(server.rules).toHaveLength(1);
  });

  it("in that order also where what goes out brings on the next question at once", async () => {
    await after(canRead);
    keeper.held = true;
    server.setRules([{ jid: CALLER, read: true }]);
    for (const id of ["first", "second"]) iq(THING, `<canRead ${ns} jid='${CALLER}'/>`, "get", id);
    server.onOutput((stanzas) => {
      output.push(...stanzas);
      if (stanzas.some(({ attrs }) => attrs["id"] === "first")) iq(THING, "<x xmlns='urn:other'/>", "get", "third");
    });
    keeper.release();
    await settle();
    const order = taken().map(({ attrs }) => attrs["id"]);
    expect(order.filter((id) => ["first", "second", "third"].includes(id ?? ""))).toEqual(["first", "second", "third"]);
  });

  it("a question that a refusal brings on is answered too", async () => {
    await after(canRead);
    keeper.fails = true;
    server.setRules([{ jid: CALLER, read: true }]);
    let more = 1;
    server.onOutput((stanzas) => {
      output.push(...stanzas);
      keeper.fails = false;
      if (more-- > 0) canRead();
    });
    const sent = await after(canRead);
    expect(
      sent.flatMap((stanza) => (stanza.attrs["type"] === "error" ? refusal(stanza) : (verdict(stanza) ?? []))),
    ).toEqual(["error wait resource-constraint", "true"]);
  });

  it("what is said while nothing has changed goes out at once", async () => {
    await after(canRead);
    const { writes } = keeper;
    canRead();
    expect(verdict(taken()[0])).toBe("false");
    await settle();
    expect(keeper.writes).toBe(writes);
  });

  it("a keeper that hangs does not fill the memory: the question too many is refused for now", async () => {
    keeper.held = true;
    server.setRules([{ jid: CALLER, read: true }]);
    for (let i = 0; i < 10_000; i++) canRead();
    expect(taken()).toEqual([]);
    canRead();
    expect(taken().map(refusal)).toEqual(["error wait resource-constraint"]);
    keeper.release();
    await settle();
    expect(taken().flatMap((stanza) => verdict(stanza) ?? [])).toHaveLength(10_000);
  });

  it("what a newer version has kept under other keys is left as it is", async () => {
    keeper.kept.set("novelty/x", 1);
    server.setRules([{ jid: CALLER, read: true }]);
    await server.settled();
    await again();
    expect(server.rules).toHaveLength(1);
    expect(keeper.kept.get("novelty/x")).toBe(1);
  });

  it("is closed when all is kept", async () => {
    server.setRules([{ jid: CALLER, read: true }]);
    await server.close();
    expect(keeper.closed).toBe(1);
    expect(keeper.kept.get("rules")).toEqual([{ jid: CALLER, read: true }]);
  });

  it("says nothing of keeping where nothing is kept", async () => {
    const plain = new ReferenceProvisioningServer({ jid: SERVER, rules: [{ read: true }] });
    await plain.settled();
    expect(plain.friends).toEqual([]);
    await expect(plain.askFriendship("thing@example.org")).rejects.toMatchObject({ code: "ERR_STATE" });
    await plain.close();
    expect(plain.rules).toHaveLength(1);
  });
});

describe("in LevelDB", () => {
  it("it is all there again, and a folder is asked for", async () => {
    const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-kept-"));
    try {
      const open = async (): Promise<ReferenceProvisioningServer> =>
        ReferenceProvisioningServer.open({ jid: SERVER, keeper: await levelProvisioningKeeper(join(folder, "p")) });
      const first = await open();
      first.setRules([{ jid: CALLER, read: true }]);
      await first.close();
      const second = await open();
      expect(second.rules).toEqual([{ jid: CALLER, read: true }]);
      await second.close();
      await expect(levelProvisioningKeeper("")).rejects.toMatchObject({ code: "ERR_CONFIG" });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
