// The server goes at random moments, in good order or as by a power cut, and comes back: a Thing
// that is one process all the time, with a reader that hammers, and rules that change while the server is up and while
// it is down.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { XmlElement } from "../../src/codec/xml.ts";
import { StanzaError } from "../../src/core/errors.ts";
import { randomFraction, systemRandom, type RandomSource } from "../../src/core/random.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { ConnectionManager } from "../../src/connection/connection-manager.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { Ledger } from "../support/ledger.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import type { EndSignal, RealXmppServer } from "../support/server-process.ts";

// The waits between two tries, and the time of one try, in milliseconds. The waits are shorter than a device's, the law
// is the same. While the server is away the wait may have grown to its widest; a try that had begun before the server
// was back may take all of its time; and then comes one that meets a server that is there.
const BACKOFF = { server: 250, link: 250, cap: 2_000 };
const TRY = 10_000;
const BACK_WITHIN = TRY + BACKOFF.cap + TRY;
// Then come components, which have waits of their own (`attachComponent`: 30 s at the most, 10 s a try).
const WHOLE_WITHIN = 10_000 + 30_000 + 10_000;
const LONGEST_DOWN = 3_000;

/** What came of it. */
interface RestartReport {
  /** Answers that could be judged: the rule stood still, and the Thing had acknowledged it. */
  readonly judged: number;
  /** Answers that were another rule's. */
  readonly stale: readonly string[];
  /** The longest time from a server that answers to a Thing that is online, in milliseconds. */
  readonly longest: number;
  /** The longest time until the services were there too, and heard. */
  readonly longestWhole: number;
  /** Questions that the Provisioning Server was asked. */
  readonly questions: number;
  /** Messages with fields that the Thing wrote. */
  readonly written: number;
  /** Those of them that their reader never got, and of which the Thing has said so. */
  readonly reported: number;
  /** Those of them that their reader never got although the server had acknowledged them: it died over them. */
  readonly lostByServer: number;
}

// The waits of components are drawn from their first sixteenth: 2 s in the place of 30.
const hasty: RandomSource = {
  bytes: (count) => systemRandom.bytes(count).map((byte, index) => (index === 0 ? byte >> 4 : byte)),
};

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The suite: so many restarts on each server, in so many milliseconds at most. */
export function surviveRestarts(restarts: number, timeout: number): void {
  describe.each([
    { name: "Prosody", skipped: noProsody, start: startProsody },
    { name: "ejabberd", skipped: noEjabberd, start: startEjabberd },
  ])(`${restarts} restarts of $name at random moments`, ({ name, skipped, start }) => {
    it.skipIf(skipped !== undefined)(
      "leave the Thing online again within the backoff's bound, and undo nothing that was acknowledged (P-3.5.1-2, P-5.2-6)",
      { timeout },
      async () => {
        const seed = process.env["RESTART_SEED"] ?? String(Date.now());
        const server = (await start()) as RealXmppServer;
        const report = await restartAgainAndAgain(server, restarts, seed);
        console.log(
          `restarts of ${name}: ${restarts}, back after ${Math.round(report.longest)} ms at most ` +
            `(with services ${Math.round(report.longestWhole)} ms), ${report.judged} answers judged, ` +
            `${report.stale.length} stale, ${report.questions} questions; of ${report.written} messages with fields ` +
            `${report.reported} lost and reported, ${report.lostByServer} lost by the server after it had ` +
            `acknowledged them; seed ${seed}`,
        );
        expect(report.stale, `RESTART_SEED=${seed}`).toEqual([]);
        expect(report.judged).toBeGreaterThan(restarts);
      },
    );
  });
}

/** Restarts a server so many times, and reports what a reader got to see meanwhile. Ends the server. */
async function restartAgainAndAgain(server: RealXmppServer, restarts: number, seed: string): Promise<RestartReport> {
  const random = new SeededRandom(seed);
  const upTo = (most: number): number => randomFraction(random) * most;
  const site = await startRealSite(Promise.resolve(server), { random: hasty });
  const ledger = new Ledger();
  const faults: string[] = [];
  const states: string[] = [];
  const link: MakeLink = ({ servers, channel, ...parts }) => {
    const onFault: typeof parts.onFault = (code, message, cause) => {
      if (code === "not-delivered") ledger.told(message);
      parts.onFault(code, message, cause);
    };
    const attach = channel.attach.bind(channel);
    channel.attach = (wire) => {
      const write = wire.write.bind(wire);
      attach(
        Object.assign(wire, { write: (stanzas: readonly XmlElement[]) => (ledger.wrote(stanzas), write(stanzas)) }),
      );
    };
    const limits = { retry: BACKOFF, timeout: TRY };
    return new ConnectionManager({ ...parts, ...limits, onFault, channel, addresses: () => servers.addresses() });
  };
  const options = {
    server: { service: `xmpp://127.0.0.1:${server.port}`, domain: server.domain },
    [linkSeam]: link,
  } as Partial<ThingOptions>;
  const thing = site.thing(memoryStorage(), options);
  thing.on("state", ({ link: { is } }) => is !== states.at(-1) && states.push(is));
  thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
  const reader = new Reader(() => site.user("owner"), ledger);
  let round = 0;
  try {
    await thing.start();
    await thing.waitFor("registered", { timeout: 20_000 });
    const { client, jid: owner } = await reader.online();
    await client.claim(thing.claimText);
    await thing.waitFor("provisioned", { timeout: 20_000 });
    const full = thing.jid;
    const { provisioning } = site;
    const heard = (): Promise<void> =>
      expect.poll(() => provisioning.unacknowledged, { interval: 10, timeout: WHOLE_WITHIN }).toEqual([]);

    let rule = true;
    let version = 0;
    let settled = false;
    const change = (): void => {
      rule = upTo(3) < 2;
      version++;
      settled = false;
      provisioning.setRules([{ jid: owner, friend: true, read: rule }]);
    };
    let judged = 0;
    const stale: string[] = [];
    let hammering = true;
    const hammer = (async () => {
      while (hammering) {
        settled ||= provisioning.unacknowledged.length === 0;
        const asked = { rule, version, settled };
        const seen = await reader.reads(full);
        if (seen !== undefined && asked.settled && asked.version === version) {
          judged++;
          if (seen !== asked.rule) stale.push(`round ${round}: ${seen ? "read" : "refused"} against the rule`);
        }
        await wait(2);
      }
    })();
    try {
      change();
      await heard();
      // Until the server has on disk what it has confirmed: its accounts are not what is tried here.
      await wait(server.writesAfter);
      let longest = 0;
      let longestWhole = 0;
      for (round = 1; round <= restarts; round++) {
        const how: EndSignal = round % 2 === 0 ? "SIGKILL" : "SIGTERM";
        // From the middle of the Thing's first words to well after them.
        await wait(upTo(round % 3 === 0 ? 50 : 500));
        if (upTo(2) < 1) change();
        await wait(upTo(20));
        await server.kill(how);
        await thing.waitFor(({ link: { is } }) => is !== "online", { timeout: TRY });
        await wait(upTo(LONGEST_DOWN));
        if (upTo(2) < 1) change();
        await server.restart();
        const began = performance.now();
        await thing.waitFor("online", { timeout: BACK_WITHIN });
        longest = Math.max(longest, performance.now() - began);
        // Every third time the next one comes before everybody is back.
        if (round % 3 !== 0 || round === restarts) {
          await heard();
          longestWhole = Math.max(longestWhole, performance.now() - began);
        }
      }
      await expect.poll(() => reader.reads(full), { interval: 20, timeout: WHOLE_WITHIN }).toBe(rule);
      // One stream of the Thing and one of the reader; nothing is left of those before.
      await expect.poll(() => socketsTo(server.port), { interval: 20, timeout: 20_000 }).toBe(2);
      // Down and up in turn: no stream began before the one before it had ended.
      expect(states.join(" ")).not.toContain("online connecting");
      expect(thing.jid).toBe(full);
      expect(thing.state.ownership).toMatchObject({ is: "claimed", owner });
      hammering = false;
      await hammer;
      const questions = provisioning.count();
      return { judged, stale, longest, longestWhole, questions, ...(await ledger.close()) };
    } finally {
      hammering = false;
      await hammer;
      ledger.stop();
    }
  } catch (error) {
    const last = `the Thing was ${states.slice(-6).join(", ")}; faults: ${[...new Set(faults)].join("; ")}`;
    throw new Error(`RESTART_SEED=${seed}, round ${round}: ${last}`, { cause: error });
  } finally {
    await thing.stop();
    await reader.close();
    await site.stop();
  }
}

/** Who reads the Thing, over one connection after another. */
class Reader {
  readonly #connect: () => Promise<Connection>;
  readonly #ledger: Ledger;
  #current: Promise<{ connection: Connection; client: OwnerClient }> | undefined;

  constructor(connect: () => Promise<Connection>, ledger: Ledger) {
    this.#connect = connect;
    this.#ledger = ledger;
  }

  /** Itself, online. */
  async online(): Promise<{ client: OwnerClient; jid: string }> {
    this.#current ??= this.#open();
    const { client, connection } = await this.#current;
    return { client, jid: connection.jid.bare };
  }

  async #open(): Promise<{ connection: Connection; client: OwnerClient }> {
    try {
      const connection = await this.#connect();
      const receive = connection.channel.receive.bind(connection.channel);
      connection.channel.receive = (stanza) => {
        this.#ledger.arrived(connection.jid.full, stanza);
        receive(stanza);
      };
      void connection.ended.then(() => (this.#current = undefined));
      return { connection, client: new OwnerClient(connection) };
    } catch (error) {
      this.#current = undefined;
      throw error;
    }
  }

  /** Whether it may read: yes, no, or that there was no answer to this. */
  async reads(jid: string): Promise<boolean | undefined> {
    try {
      await (await this.online()).client.read(jid, { timeout: 500 });
      return true;
    } catch (error) {
      if (error instanceof StanzaError) return error.condition === "forbidden" ? false : undefined;
      await wait(20); // the server is away
      return undefined;
    }
  }

  async close(): Promise<void> {
    await (await this.#current?.catch(() => undefined))?.connection.close();
  }
}

/** How many sockets of this machine are connected to a port, or not closed on our side. */
function socketsTo(port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
  const ours = rows.map((row) => row.trim().split(/\s+/)).filter(([, , to = ""]) => to.endsWith(remote));
  const TIME_WAIT = "06";
  return ours.filter(([, , , state]) => state !== TIME_WAIT).length;
}
