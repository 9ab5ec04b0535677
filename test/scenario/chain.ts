// A chain of Things on every site: the caller reads U1, which reads U2 on its behalf, which asks the Provisioning Server,
// which challenges the caller's token. XEP-0324 3.1.3, figure 3. And whoever else would like an answer to a challenge.
import { constants, privateDecrypt, publicEncrypt } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import { StanzaError } from "../../src/core/errors.ts";
import { parseJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import {
  buildGetToken,
  buildGetTokenChallengeResponse,
  parseGetTokenChallenge,
  parseGetTokenResponse,
} from "../../src/codec/get-token.ts";
import { iq } from "../../src/codec/stanza.ts";
import { buildTokenChallenge, buildTokenChallengeResponse } from "../../src/codec/token-challenge.ts";
import { parseTokenList, parseTokens } from "../../src/codec/tokens.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { SentTokens } from "../../src/provisioning/sent-tokens.ts";
import { answerTokenChallenges } from "../../src/provisioning/token-challenge.ts";
import type { Rule } from "../../src/sandbox/rules.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { CertificateOptions } from "../../src/provisioning/certificate-options.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { makeKeyHolder } from "../sandbox/key-holder.ts";
import { makeAuthority } from "../support/certificates.ts";
import type { Site } from "../support/site.ts";
import { component, person, pretender, type Speaker } from "../support/speakers.ts";

/** The caller, U1 and U2, started; and what the tests ask of them. */
async function startChain(site: Site, certificate: CertificateOptions, clock: Clock = systemClock) {
  const things: Thing[] = [];
  const storage = memoryStorage();
  const start = async (
    username: string,
    overrides: Partial<ThingOptions>,
    on: Storage = memoryStorage(),
  ): Promise<Thing> => {
    const thing = site.thing(on, {
      account: { username, password: "secret" },
      registry: site.registry.jid,
      provisioning: [site.provisioning.jid],
      tags: { SN: username },
      ...overrides,
    });
    things.push(thing);
    await thing.start();
    await thing.waitFor("registered", { timeout: 20_000 });
    return thing;
  };
  const u2: { thing?: Thing } = {};
  const u1: Thing = await start("u1", {
    sensor: {
      fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
      read: async ({ request, signal }) => {
        const groups = await u1.read(u2.thing?.jid ?? "", { onBehalfOf: request, signal });
        return groups.flatMap(({ fields }) =>
          fields.flatMap((field) => (field.kind === "numeric" ? [{ name: field.name, value: field.value }] : [])),
        );
      },
    },
    control: [
      {
        name: "LED",
        type: "boolean",
        set: async (value, { request, signal }) => {
          await u1.control(u2.thing?.jid ?? "", { LED: value }, { onBehalfOf: request, signal });
        },
      },
    ],
  });
  const lamp: boolean[] = [];
  const caller = await start("caller", { certificate }, storage);
  // The last one: in memory it is the one to whom anything can be said.
  const last = await start("u2", {
    clock,
    control: [{ name: "LED", type: "boolean", set: (value) => void lamp.push(value) }],
  });
  u2.thing = last;
  // The token is used once it is on disk.
  await vi.waitFor(async () => expect(await storage.read("tokens")).toBeDefined(), { timeout: 20_000 });

  /** Nobody remembers anything: whoever is asked next asks the server, which challenges. */
  const forget = async (rule: Rule = { device: "caller", read: true, control: true }): Promise<void> => {
    site.provisioning.setRules([rule]);
    await vi.waitFor(() => expect(site.provisioning.unacknowledged).toEqual([]), { interval: 5, timeout: 15_000 });
  };
  /** What the caller reads, or the condition of the refusal. */
  const read = async (reader: Thing = caller, thing: Thing = u1): Promise<string> => {
    try {
      const groups = await reader.read(thing.jid, { timeout: 20_000 });
      return groups.flatMap(({ fields }) => fields.map(({ name }) => name)).join();
    } catch (error) {
      return error instanceof StanzaError ? error.condition : String(error);
    }
  };
  /** The token of the caller, as the server has seen it. */
  const token = (): string =>
    site.hold.heard
      .flatMap((stanza) => stanza.getChild("canRead") ?? [])
      .flatMap((question) => parseTokenList(parseTokens(question).deviceToken ?? ""))
      .at(-1) ?? "";
  const stop = async (): Promise<void> => {
    for (const thing of things) await thing.stop();
  };
  return { caller, u1, u2: last, lamp, forget, read, token, stop };
}

/** A token of a client's, and the key behind it: XEP-0324 3.1.3, by hand. */
async function identity(
  site: Site,
  { channel }: Connection,
  name: string,
  padding: "oaep" | "pkcs1",
): Promise<{ token: string; open: (challenge: Uint8Array) => Promise<Uint8Array> }> {
  const holder = makeKeyHolder({ name, now: Date.now() });
  site.provisioning.enrol(holder.pem, name);
  const open = (challenge: Uint8Array): Promise<Uint8Array> => {
    const opened = holder.open(Buffer.from(challenge).toString("base64"), padding);
    return Promise.resolve(new Uint8Array(Buffer.from(opened, "base64")));
  };
  const ask = (payload: XmlElement): Promise<XmlElement | undefined> =>
    channel.request({ type: "get", to: site.provisioning.jid, payload });
  const { seqnr, challenge } = parseGetTokenChallenge(await ask(buildGetToken({ certificate: holder.der })));
  const response = await open(challenge);
  return { ...parseGetTokenResponse(await ask(buildGetTokenChallengeResponse({ seqnr, response }))), open };
}

/** What the questions of the Things came to, and who was behind their tokens. */
const asked = (site: Site): readonly string[] =>
  site.provisioning.questions.map(
    ({ thing, kind, jid, result, identities = [] }) =>
      `${thing.split("@")[0] ?? ""}: ${kind} ${jid.split("@")[0] ?? ""} ${String(result)} ${identities.join()}`,
  );

/** @param forging whether the site can hand a Thing stanzas with whatever sender: in memory only */
export function chainOfThings(startSite: () => Promise<Site>, forging: boolean): void {
  const forgingOnly = (name: string, test: () => Promise<void>): void => {
    if (forging) it(name, test);
  };
  describe.each(["oaep", "pkcs1"] as const)("a chain of Things, challenged with the padding %s", (padding) => {
    let site: Site;
    let chain: Awaited<ReturnType<typeof startChain>>;
    beforeAll(async () => {
      site = await startSite();
      site.provisioning.padding = padding;
      const { cert, key } = makeAuthority("caller");
      site.provisioning.enrol(cert, "caller");
      chain = await startChain(site, { content: cert, key });
      await chain.forget();
    }, 60_000);
    afterAll(async () => {
      await chain.stop();
      await site.stop();
    }, 60_000);

    it("P-3.1.3-3, P-3.1.3-7, P-3.1.3-8, P-3.1.3-19, P-3.1.3-20, P-3.1.3-22: is read by the token of the caller, whose challenge goes back to it and whose answer comes forward", async () => {
      expect(await chain.read()).toBe("Temperature");
      expect(asked(site).slice(-2)).toEqual(["u1: canRead caller true caller", "u2: canRead u1 true caller"]);
    });

    it("P-3.1.3-7, P-3.1.3-8, P-3.1.3-22: is controlled by it in the same way", async () => {
      const { caller, u1, lamp } = chain;
      expect(await caller.control(u1.jid, { LED: true }, { timeout: 20_000 })).toEqual({
        parameters: ["LED"],
        nodes: [],
      });
      expect(lamp).toEqual([true]);
      expect(asked(site).slice(-2)).toEqual(["u1: canControl caller true caller", "u2: canControl u1 true caller"]);
    });

    it("P-5.6-1, P-3.1.5-4: is read by the service token and the user token of a client, each of which is challenged", async () => {
      const client = await site.user("client");
      try {
        const service = await identity(site, client, "service", padding);
        const user = await identity(site, client, "user", padding);
        const sent = new SentTokens(systemClock);
        answerTokenChallenges({
          ...{ channel: client.channel, sent, clock: systemClock, logger: silentLogger, servers: () => [] },
          decryptChallenge: (token, challenge) => [service, user].find((one) => one.token === token)?.open(challenge),
        });
        await chain.forget({ service: "service", user: "user", read: true });
        const tokens = { serviceToken: service.token, userToken: user.token };
        sent.record(tokens, parseJid(chain.u1.jid).bare, undefined);
        const groups = await new OwnerClient(client).read(chain.u1.jid, { tokens, timeout: 20_000 });
        expect(groups.flatMap(({ fields }) => fields.map(({ name }) => name))).toEqual(["Temperature"]);
        expect(asked(site).slice(-2)).toEqual([
          "u1: canRead client true service,user",
          "u2: canRead u1 true service,user",
        ]);
      } finally {
        await client.close();
      }
    });

    it("P-3.1.3-6: is not read without that token, whoever asks", async () => {
      await chain.forget();
      expect(await chain.read(chain.u1, chain.u2)).toBe("forbidden");
      expect(await chain.read(chain.caller, chain.u2)).toBe("Temperature,Door open");
      expect(asked(site).slice(-2)).toEqual(["u2: canRead u1 false ", "u2: canRead caller true caller"]);
    });
  });

  describe("challenges by those who may not", () => {
    let site: Site;
    let chain: Awaited<ReturnType<typeof startChain>>;
    let late = 0;
    let block: Uint8Array = new Uint8Array();
    let gate = Promise.resolve();
    const people = new Map<string, Connection>();
    const speakers = new Map<string, Speaker>();
    beforeAll(async () => {
      site = await startSite();
      const { cert, key } = makeAuthority("caller");
      site.provisioning.enrol(cert, "caller");
      const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" };
      // As the server would make it: whoever may ask gets an answer.
      block = new Uint8Array(publicEncrypt({ key: cert, ...oaep }, new Uint8Array([1, 2, 3])));
      const decrypt = async (challenge: Uint8Array): Promise<Uint8Array> => {
        await gate;
        return new Uint8Array(privateDecrypt({ key, ...oaep }, challenge));
      };
      const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + late };
      chain = await startChain(site, { content: cert, decrypt }, clock);
      for (const name of ["stranger", "u1", "u2", "caller"]) {
        const connection = await site.user(name);
        people.set(name, connection);
        speakers.set(name, person(connection));
      }
      speakers.set("provisioning", component(site.speaking.provisioning));
      speakers.set("registry", component(site.speaking.registry));
      speakers.set("other component", component(site.speaking.other));
    }, 60_000);
    afterAll(async () => {
      for (const connection of people.values()) await connection.close();
      await chain.stop();
      await site.stop();
    }, 60_000);
    beforeEach(async () => {
      gate = Promise.resolve();
      await chain.forget();
      expect(await chain.read()).toBe("Temperature");
    });

    const challenge = (who: string, whom: Thing, token = chain.token()): Promise<string> => {
      const speaker = speakers.get(who);
      if (speaker === undefined) throw new Error(`nobody called ${who}`);
      return speaker.ask(whom.jid, "get", buildTokenChallenge({ token, challenge: block }));
    };
    /** The next challenge that the caller is to answer waits until this is called. */
    const holdTheCaller = (): (() => void) => {
      let release = (): void => undefined;
      gate = new Promise((resolve) => (release = resolve));
      return release;
    };

    it("P-3.1.3-23, P-3.1.3-24, P-6.2-1: are forbidden for everybody to whom that token was not sent", async () => {
      const { caller, u1, u2 } = chain;
      const outcomes = new Map<string, string>();
      for (const [name, thing] of Object.entries({ caller, u1, u2 })) {
        for (const who of speakers.keys()) outcomes.set(`${who} → ${name}`, await challenge(who, thing));
      }
      // The token went from the caller to U1, from there to U2, and from either to the Provisioning Server, which has given
      // it to the caller, but not been sent it by him.
      const may = ["u1 → caller", "u2 → u1", "provisioning → u1", "provisioning → u2"];
      expect(outcomes.size).toBe(21);
      for (const [way, outcome] of outcomes) {
        expect(outcome, way).toBe(may.includes(way) ? "result" : "forbidden");
      }
    });

    it("P-3.1.3-24: are forbidden for another token, and for the whole list", async () => {
      const { u2 } = chain;
      const token = chain.token();
      for (const other of ["", "x", token.slice(1), `${token} `, `${token} x`, token.toUpperCase()]) {
        expect(await challenge("provisioning", u2, other), other.replace(token, "TOKEN")).toBe("forbidden");
      }
    });

    it("an old answer, said again, is no answer to a new challenge", async () => {
      const responses = (): XmlElement[] =>
        site.hold.heard.filter((stanza) => stanza.getChild("tokenChallengeResponse") !== undefined);
      const old = responses();
      expect(old.length).toBeGreaterThan(1);
      await chain.forget();
      const release = holdTheCaller();
      const reading = chain.read();
      await expect.poll(() => site.provisioning.pending, { interval: 1, timeout: 15_000 }).toBe(1);
      for (const stanza of old) site.provisioning.receive(stanza);
      expect(site.provisioning.pending).toBe(1);
      release();
      expect(await reading).toBe("Temperature");
    });

    forgingOnly("the answer of the caller is awaited from nobody else", async () => {
      const { forge, sent } = site;
      if (forge === undefined) throw new Error("nobody can be forged here");
      await chain.forget();
      const { jid } = chain.u2;
      const release = holdTheCaller();
      const from = sent.length;
      const reading = chain.read(chain.caller, chain.u2);
      const passedBack = (): XmlElement | undefined =>
        sent
          .slice(from)
          .find((stanza) => stanza.attrs["to"] === chain.caller.jid && stanza.getChild("tokenChallenge") !== undefined);
      await expect.poll(passedBack, { interval: 1, timeout: 15_000 }).toBeDefined();
      const { id = "", to = "" } = passedBack()?.attrs ?? {};
      const wrong = [
        to.split("/")[0],
        `${to}2`,
        "stranger@localhost/x",
        site.provisioning.jid,
        "localhost",
        undefined,
        jid,
      ];
      for (const liar of wrong) {
        const response = buildTokenChallengeResponse({ response: new Uint8Array([1, 2, 3]) });
        forge(iq({ type: "result", id, to: jid, from: liar }, response));
      }
      expect(site.provisioning.pending).toBe(1);
      release();
      expect(await reading).toBe("Temperature,Door open");
    });

    forgingOnly("are forbidden for those who name a sender that is not theirs", async () => {
      const { u2, token } = chain;
      const say = (from: string | undefined): Promise<string> =>
        pretender(site, from).ask(u2.jid, "get", buildTokenChallenge({ token: token(), challenge: block }));
      const [server, domain] = [site.provisioning.jid, site.domain];
      for (const from of [
        undefined,
        domain,
        u2.jid,
        `x@${server}`,
        `${server}x`,
        `x.${server}`,
        `provisioning.elsewhere.${domain}`,
        `u1@${server}`,
        chain.u1.jid,
        chain.caller.jid,
      ]) {
        expect(await say(from), from ?? "nobody named").toBe("forbidden");
      }
      // As it is compared: in any case of letters, and whatever the resource.
      for (const from of [server, server.toUpperCase(), `${server}/x`]) expect(await say(from), from).toBe("result");
    });

    it("P-3.1.3-24, P-6.2-1: are forbidden, also for the server, a minute after the token was sent", async () => {
      const { u2 } = chain;
      const heard = (): number => site.provisioning.questions.length;
      const before = heard();
      late = 61_000;
      expect(await challenge("provisioning", u2)).toBe("forbidden");
      expect(heard()).toBe(before);
    });
  });
}
