// Those who pretend (design, "who may tell a Thing what"): every row of the table, from every wrong
// sender, on every site. Nothing changes, and the answer is the right one; and from the right sender it counts, so that
// nothing is refused for another reason.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StanzaError } from "../../src/core/errors.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildCanReadResponse, parseCanRead } from "../../src/codec/provisioning.ts";
import { buildRoster } from "../../src/codec/roster.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { atRest } from "../support/at-rest.ts";
import { Disk } from "../support/disk.ts";
import type { Site } from "../support/site.ts";
import type { Speaker } from "../support/speakers.ts";
import {
  farewellRows,
  provisionedRows,
  recommendationRows,
  requestRow,
  unclaimedRows,
  type Outcome,
  type Row,
  type Who,
} from "./spoofing-rows.ts";
import { everySpeaker } from "./spoofing-speakers.ts";

const ACCOUNT = { username: "thing", password: "secret" };

export function spoofing(startSite: () => Promise<Site>): void {
  describe("spoofing", () => {
    let site: Site;
    let thing: Thing;
    let storage: Storage;
    let owner: Connection;
    let friend: Connection;
    let stranger: Connection;
    let self: Connection;
    const others: Connection[] = [];
    const speakers = new Map<Who, Speaker>();
    const told: string[] = [];
    const cells = new Map<string, Map<Who, Outcome>>();

    const bare = (): string => thing.jid.replace(/\/.*/s, "");
    const speaker = (who: Who): Speaker => speakers.get(who)!;
    const clients = new Map<Connection, OwnerClient>();
    const client = (who: Connection): OwnerClient => {
      const known = clients.get(who) ?? new OwnerClient(who);
      clients.set(who, known);
      return known;
    };
    const read = async (who: Connection): Promise<string> => {
      try {
        const groups = await client(who).read(thing.jid, { timeout: 5_000 });
        return groups.flatMap((group) => group.fields.map((field) => field.name)).join(", ");
      } catch (error) {
        if (error instanceof StanzaError) return error.condition;
        throw error;
      }
    };
    const knownJids = (): readonly string[] => thing.rights.entries().map(({ jid }) => jid);
    const acknowledged = (): Promise<void> =>
      expect.poll(() => site.provisioning.unacknowledged, { interval: 5, timeout: 15_000 }).toEqual([]);

    /** All that a lie could change: ownership, trust, KEY, rights, what is on disk, the roster, what the program was told. */
    const snapshot = async (): Promise<unknown> => {
      const { ownership, trust } = thing.state;
      const roster = await self.channel.request({ type: "get", payload: buildRoster() }, { timeout: 5_000 });
      const disk = await Promise.all(["thing", "thing.previous", "rights"].map((name) => storage.read(name)));
      return {
        ...{ ownership, trust, claimText: thing.claimText, told: [...told], asked: site.provisioning.count() },
        rights: thing.rights
          .entries()
          .map((right) => JSON.stringify(right))
          .sort(),
        disk: disk.map((content) => Buffer.from(content ?? []).toString("latin1")),
        roster: roster?.getChildElements().map(String).sort(),
      };
    };

    /** Says it once, and tells what came of it. */
    const utter = async (row: Row, who: Who, may = false): Promise<Outcome> => {
      const one = speaker(who);
      const payload = row.payload?.(may) as XmlElement;
      const before = one.heard.length;
      const toldBefore = told.length;
      if (row.kind === "get" || row.kind === "set") {
        const answer = await one.ask(thing.jid, row.kind, payload);
        return answer === "result" ? "obeyed" : (answer as Outcome);
      }
      if (row.kind === "message") await one.tell(thing.jid, payload);
      else await one.presence(bare(), row.kind);
      if (row.kind === "subscribe") {
        const answer = (): string | undefined =>
          one.heard.slice(before).find(({ attrs }) => /^(un)?subscribed$/.test(attrs["type"] ?? ""))?.attrs["type"];
        await expect.poll(answer, { interval: 1, timeout: 15_000 }).toBeDefined();
        return answer() === "subscribed" ? "obeyed" : "unsubscribed";
      }
      await one.heardOut(thing.jid);
      if (row.shows !== undefined && may) {
        const known = (): boolean => row.shows!(knownJids(), told.slice(toldBefore));
        await expect.poll(known, { interval: 1, timeout: 15_000 }).toBe(true);
        return "obeyed";
      }
      const answers = one.heard.slice(before).filter((stanza) => !stanza.is("iq"));
      return answers.length === 0 ? "silence" : "obeyed";
    };

    /** A row with everybody: the wrong ones first, then those who may. */
    const check = async (row: Row, name = row.name): Promise<void> => {
      const expected = (who: Who): Outcome => row.except?.[who] ?? row.others;
      const everybody = [...speakers.keys()];
      const wrong = everybody.filter((who) => !["obeyed", "-"].includes(expected(who)));
      if (row.remembered === true) for (const who of wrong) await utter(row, who);
      if (row.shows !== undefined) expect(row.shows(knownJids(), [])).toBe(false);
      const before = await atRest(snapshot);
      for (const who of wrong) {
        expect(await utter(row, who), `${name} from ${who}`).toBe(expected(who));
        expect(await snapshot(), `${name} from ${who}`).toEqual(before);
      }
      for (const who of everybody.filter((one) => expected(one) === "obeyed")) {
        expect(await utter(row, who, true), `${name} from ${who}`).toBe("obeyed");
      }
      cells.set(name, new Map(everybody.map((who) => [who, expected(who)])));
    };

    beforeAll(async () => {
      site = await startSite();
      ({ storage } = new Disk().boot());
      const output = {
        name: "Output",
        type: "boolean",
        set: (value: boolean) => void told.push(`set ${value}`),
      } as const;
      thing = site.thing(storage, { account: ACCOUNT, control: [output] });
      for (const event of ["claimText", "claimed", "friended", "rightsCleared", "fault"] as const) {
        thing.on(event, (about: unknown) => told.push(`${event} ${JSON.stringify(about)}`));
      }
      await thing.start();
      await thing.waitFor("registered", { timeout: 15_000 });
      [owner, friend, stranger, self] = (await Promise.all(
        ["owner", "friend", "stranger", ACCOUNT.username].map((name) => site.user(name)),
      )) as [Connection, Connection, Connection, Connection];
      const [desk, phone] = (await Promise.all(["friend", "owner"].map((name) => site.user(name)))) as [
        Connection,
        Connection,
      ];
      others.push(desk, phone);
      const people = { stranger, friend, desk, owner, phone, self };
      for (const [who, one] of everySpeaker(site, thing, people)) speakers.set(who, one);
    }, 60_000);
    afterAll(async () => {
      console.log(table(site.name, [...speakers.keys()], cells));
      await thing?.stop();
      await Promise.all([owner, friend, stranger, self, ...others].map((one) => one?.close()));
      await site?.stop();
    });

    it.each(unclaimedRows)("unclaimed, nobody who may not has a say: $name (D-E29, P-E21)", async (row) => {
      await check(row, `${row.name}, unclaimed`);
      expect(thing.state.ownership).toEqual({ is: "registered", registry: site.registry.jid });
      expect(thing.claimText).not.toBe("");
    });

    it("by the Registry it is claimed", async () => {
      site.provisioning.setRules([{ jid: friend.jid.bare, friend: true, read: true, control: true }]);
      await client(owner).claim(thing.claimText, { timeout: 15_000 });
      await thing.waitFor("provisioned", { timeout: 15_000 });
      await expect
        .poll(() => thing.state.ownership, { timeout: 15_000 })
        .toMatchObject({ is: "claimed", owner: owner.jid.bare, keyEmptied: true, ownerAsked: true });
      await expect
        .poll(() => owner.friends.has(thing.jid.replace(/\/.*/s, "") as never)?.from, { timeout: 15_000 })
        .toBe(true);
    });

    it.each([...provisionedRows, ...recommendationRows])(
      "nobody who may not has a say: $name (D-E29, P-E21)",
      async (row) => {
        await check(row);
        expect(thing.state.ownership).toMatchObject({ is: "claimed", owner: owner.jid.bare });
      },
    );

    it("the provisioning server's clearCache does empty the cache", async () => {
      await read(friend);
      expect(thing.rights.count).toBeGreaterThan(0);
      expect(
        await speaker("provisioning").ask(
          thing.jid,
          "set",
          provisionedRows.find(({ name }) => name === "clearCache")!.payload!(true),
        ),
      ).toBe("result");
      expect(thing.rights.count).toBe(0);
    });

    it("an answer to canRead counts only from the server that was asked, even with the right id", async () => {
      await thing.rights.clear();
      site.provisioning.setRules([]);
      await acknowledged();
      // The server takes its time; the liars know the id of the question, which nobody could guess.
      site.hold.hold((stanza) => stanza.getChild("canRead", ns.provisioning) !== undefined);
      const before = site.hold.held.length;
      const outcome = read(stranger);
      await expect.poll(() => site.hold.held.length, { interval: 1, timeout: 5_000 }).toBe(before + 1);
      const asked = site.hold.held.at(-1)!;
      const { types } = parseCanRead(asked.getChild("canRead", ns.provisioning)!);
      const yes = buildCanReadResponse({ jid: stranger.jid.bare, result: true, types, nodes: [], fields: [] });
      const id = asked.attrs["id"] ?? "";
      expect(id).toMatch(/^[\w-]{22}$/);
      const may: readonly Who[] = ["provisioning", "PROVISIONING"];
      const liars = [...speakers].filter(([who]) => !may.includes(who));
      for (const [, liar] of liars) await liar.answer(thing.jid, id, yes);
      // The lies have arrived when what the liars ask after them is answered.
      for (const [, liar] of liars) await liar.heardOut(thing.jid);
      expect(thing.rights.count).toBe(0);
      site.hold.release();
      expect(await outcome).toBe("forbidden");
      expect(thing.rights.count).toBe(1);
      cells.set(
        "answer to canRead",
        new Map([...speakers.keys()].map((who) => [who, may.includes(who) ? "obeyed" : "silence"])),
      );
    });

    it("a request for friendship is accepted from whom the server names, and from nobody else (P-3.2.1-1, P-3.2.2-1)", async () => {
      site.provisioning.setRules([{ jid: friend.jid.bare, friend: true, read: true, control: true }]);
      await acknowledged();
      await check(requestRow);
    });

    it("the friend is the friend from another resource too, and the stranger a stranger at the Thing's address in capitals (P-3.2.1-4)", async () => {
      site.provisioning.setRules([{ jid: friend.jid.bare.toUpperCase(), friend: true, read: true, control: true }]);
      await acknowledged();
      expect(await read(friend)).toBe("Temperature, Door open");
      const before = site.provisioning.count("canRead");
      expect(await read(others[0]!)).toBe("Temperature, Door open");
      expect(site.provisioning.count("canRead")).toBe(before);

      const capitals = thing.jid.replace(/^[^/]*/, (jid) => jid.toUpperCase());
      const payload = (): XmlElement =>
        buildReq({ seqnr: 1, types: new Set(["momentary"]), nodes: [], fields: [], tokens: {} });
      expect(await speaker("friend").ask(capitals, "get", payload())).toBe("result");
      expect(await speaker("stranger").ask(capitals, "get", payload())).toBe("forbidden");
    });

    it.each(farewellRows)("nobody who may not ends what is between Thing and owner: $name (D-E29)", async (row) => {
      await check(row);
      const { ownership } = thing.state;
      if (row.name === "removed, at last") expect(ownership).toMatchObject({ owner: owner.jid.bare, listed: false });
      else expect(ownership).toMatchObject({ is: "registered" });
    });
  });
}

const signs: Readonly<Record<Outcome, string>> = {
  obeyed: "yes",
  forbidden: "f",
  "service-unavailable": "s",
  silence: ".",
  unsubscribed: "u",
  "-": "-",
};

/** The matrix, for people: rows by senders. */
function table(site: string, everybody: readonly Who[], cells: ReadonlyMap<string, ReadonlyMap<Who, Outcome>>): string {
  const tried = [...cells.values()].flatMap((row) => [...row.values()]).filter((outcome) => outcome !== "-");
  const wrong = tried.filter((outcome) => outcome !== "obeyed").length;
  const rows = [...cells].map(
    ([name, row]) => name.padEnd(20) + everybody.map((who) => signs[row.get(who) ?? "-"].padStart(4)).join(""),
  );
  return [
    `spoofing on ${site}: ${cells.size} rows x ${everybody.length} senders, ${wrong} cells refused and ${tried.length - wrong} obeyed`,
    "(f forbidden, s service-unavailable, u unsubscribed, . silence, - not tried)",
    everybody.map((who, index) => `${index + 1} ${who}`).join("; "),
    " ".repeat(20) + everybody.map((_, index) => String(index + 1).padStart(4)).join(""),
    ...rows,
  ].join("\n");
}
