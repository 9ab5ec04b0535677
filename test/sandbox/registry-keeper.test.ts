// What the Registry says is kept: with keepers that are slow, fail, and are cut off at any moment.
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import { snapshot } from "../../src/sandbox/registry-options.ts";
import { recordKey, type RegistryRecord } from "../../src/sandbox/registry-records.ts";
import {
  ACCOUNT,
  brief,
  found,
  HesitantKeeper,
  LISTED,
  NODE,
  OWNER,
  RegistryDesk,
  STRANGER,
  THING,
} from "./registry-desk.ts";

let keeper: HesitantKeeper;
let desk: RegistryDesk;
beforeEach(async () => {
  keeper = new HesitantKeeper();
  desk = await RegistryDesk.open(keeper);
});

const sn = (value: string): string => `<str name='SN' value='${value}'/>`;
const SEARCH = "<strGtEq name='SN' value=''/>";
const later = `resource-constraint`;
/** All that was said since the last time. */
const said = (() => {
  const seen = new WeakMap<RegistryDesk, number>();
  return (): readonly string[] => {
    const before = seen.get(desk) ?? 0;
    seen.set(desk, desk.sent.length);
    return brief(desk.sent.slice(before));
  };
})();
/** A claimed Thing that knows it, all kept. */
const claimed = async (attributes = "", tags = LISTED): Promise<void> => {
  desk.register(tags, attributes);
  await desk.settled();
  desk.mine(tags);
  await desk.settled();
  desk.acknowledge(desk.sent.at(-1));
  await desk.settled();
  said();
};
/** The same records, as another process would find them. */
const restart = async (): Promise<void> => {
  const { clock } = desk;
  const kept = keeper;
  keeper = new HesitantKeeper();
  for (const [key, record] of kept.kept) keeper.kept.set(key, JSON.parse(JSON.stringify(record)) as RegistryRecord);
  desk = await RegistryDesk.open(keeper, { clock });
};

describe("a Registry that is there again", () => {
  it("XEP-0347 3.9: tells Things that were there all the time what they have not acknowledged, and nobody else anything", async () => {
    await claimed("", sn("1"));
    desk.register(LISTED, NODE);
    await desk.settled();
    desk.mine();
    await desk.settled();
    await restart();
    desk.registry.onAttached();
    await desk.settled();
    expect(said()).toEqual([`set ${THING} claimed`]);
    desk.acknowledge(desk.sent.at(-1));
    await desk.settled();
    await restart();
    desk.registry.onAttached();
    await desk.settled();
    expect(said()).toEqual([]);
  });
});

describe("an answer", () => {
  it("goes out when what it tells is kept, not before", async () => {
    keeper.hold();
    desk.register();
    await desk.settled();
    expect(said()).toEqual([]);
    expect(keeper.kept.size).toBe(0);
    await keeper.release();
    expect(said()).toEqual([`result ${THING}`]);
    expect(keeper.kept.size).toBe(1);
  });

  it("goes out at once when nothing has to be kept", async () => {
    await claimed();
    keeper.hold();
    expect(found(desk.search(SEARCH))).toHaveLength(1);
    expect(brief(desk.mine(LISTED, STRANGER))).toEqual([`error ${STRANGER} item-not-found`]);
    expect(brief(desk.mine())).toEqual([`result ${OWNER} claimed`]);
    expect(brief(desk.register())).toEqual([`result ${THING} claimed`]);
    expect(keeper.asked).toEqual(["put 1", "put 1", "put 1"]);
  });

  it("is not written when it says again what is kept already: Things register at each start", async () => {
    desk.register();
    await desk.settled();
    desk.register();
    desk.register(LISTED, "", THING);
    await desk.settled();
    expect(keeper.asked).toEqual(["put 1"]);
    desk.register(LISTED, "", "thing@example.org/other");
    await desk.settled();
    expect(keeper.asked).toEqual(["put 1", "put 1"]);
    desk.mine();
    await desk.settled();
    desk.ask(THING, "update", "", sn("394872348732948723"));
    await desk.settled();
    expect(keeper.asked).toHaveLength(4); // claimed, and the address of the Thing
    desk.ask(THING, "update", "", sn("394872348732948723"));
    expect(keeper.asked).toHaveLength(4);
  });

  it("keeps the order in which one sender asked, also behind what others wait for", async () => {
    keeper.hold();
    desk.register(sn("1"), "nodeId='a'");
    desk.register("", "", STRANGER);
    desk.ask(THING, "update", "nodeId='b'", sn("1"));
    desk.search(SEARCH, "", THING);
    desk.register("<str name='A:B' value='x'/>");
    desk.ask(THING, "unregister", "nodeId='a'");
    expect(said()).toEqual([]);
    await keeper.release();
    expect(said()).toEqual([
      `result ${THING}`,
      `result ${STRANGER}`,
      `error ${THING} item-not-found`,
      `result ${THING} found`,
      `error ${THING} bad-request`,
      `result ${THING}`,
    ]);
    // What came while the first was written was kept together, and the net of it.
    expect(keeper.asked).toEqual(["put 1", "put 1", "delete 1"]);
    expect([...keeper.kept.values()].map(({ jid }) => jid)).toEqual(["stranger@example.org"]);
  });

  it("D-3.9-21: tells owner and Thing of a claim when it is kept, and not to a Thing that comes before", async () => {
    desk.register();
    await desk.settled();
    said();
    keeper.hold();
    desk.mine();
    desk.presence(THING);
    expect(said()).toEqual([]);
    await keeper.release();
    expect(said()).toEqual([`result ${OWNER} claimed`, `set ${THING} claimed`, `set ${THING} claimed`]);
  });

  it("D-3.17-10: tells the owner that the Thing is disowned when that is kept", async () => {
    await claimed();
    desk.disown();
    expect(said()).toEqual([`set ${THING} disowned`]);
    keeper.hold();
    desk.acknowledge(desk.sent.at(-1));
    desk.register(); // XEP-0347 3.17: it registers anew at once
    await desk.settled();
    expect(said()).toEqual([]);
    await keeper.release();
    expect(said()).toEqual([`result ${OWNER}`, `result ${THING}`]);
    expect([...keeper.kept.values()][0]).toMatchObject({ tags: { length: 5 } });
  });

  it("D-3.17-5: nothing is given up before its claim is kept", async () => {
    desk.register();
    await desk.settled();
    said();
    keeper.hold();
    desk.mine();
    desk.disown();
    expect(said()).toEqual([]);
    await keeper.release();
    expect(said()).toEqual([`result ${OWNER} claimed`, `set ${THING} claimed`, `set ${THING} disowned`]);
  });

  it("does not take who left while it waited for somebody who is there", async () => {
    keeper.hold();
    desk.register();
    desk.presence(THING, "unavailable");
    await keeper.release();
    said();
    desk.mine();
    await desk.settled();
    expect(said()).toEqual([`result ${OWNER} claimed`]);
  });
});

describe("a keeper that fails", () => {
  it("leaves everything as it was: who asked hears resource-constraint, and the log tells why", async () => {
    await claimed();
    const before = desk.registry.things;
    keeper.fails = "before";
    desk.ask(THING, "update", "", sn("secret-2"));
    desk.remove();
    desk.ask(THING, "unregister");
    await desk.settled();
    expect(said()).toEqual([`error ${THING} ${later}`, `error ${OWNER} ${later}`, `error ${THING} ${later}`]);
    expect(desk.sent.at(-1)?.getChild("error")?.attrs["type"]).toBe("wait");
    expect(desk.registry.things).toEqual(before);
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(found(desk.search("<strEq name='SN' value='394872348732948723'/>"))).toHaveLength(1);
    expect(found(desk.search("<strEq name='SN' value='secret-2'/>"))).toEqual([]);
    expect(desk.log).toContain("the disk is full");
    expect(desk.log).not.toContain("secret-2");
    expect(desk.log).not.toContain("removed");
    keeper.fails = undefined;
    desk.remove();
    await desk.settled();
    expect(said().slice(-2)).toEqual([`result ${OWNER}`, `set ${THING} removed`]);
  });

  it("takes back what came since, which was decided by what is taken back", async () => {
    keeper.hold();
    desk.register();
    desk.mine();
    desk.search(SEARCH);
    keeper.fails = "before";
    await keeper.release();
    expect(said()).toEqual([`error ${THING} ${later}`, `error ${OWNER} ${later}`, `error ${STRANGER} ${later}`]);
    expect(desk.registry.things).toEqual([]);
    keeper.fails = undefined;
    desk.mine();
    await desk.settled();
    expect(said()).toEqual([`error ${OWNER} item-not-found`]);
    desk.register();
    await desk.settled();
    expect(desk.mine()).toEqual([]);
    await desk.settled();
    expect(said().slice(-2)).toEqual([`result ${OWNER} claimed`, `set ${THING} claimed`]);
  });

  it("and may have kept it all the same, is set right by the next write", async () => {
    keeper.fails = "after";
    desk.register();
    await desk.settled();
    expect(said()).toEqual([`error ${THING} ${later}`]);
    expect(keeper.kept.size).toBe(1);
    keeper.fails = undefined;
    desk.register(sn("2"), "", STRANGER);
    await desk.settled();
    expect([...keeper.kept.keys()]).toEqual([recordKey({ jid: "stranger@example.org" as BareJid })]);
  });

  it("D-3.16-3: and may have kept it all the same, has no Thing come back that was unregistered since", async () => {
    keeper.fails = "after";
    desk.register();
    await desk.settled();
    keeper.fails = "before";
    desk.ask(THING, "unregister");
    await desk.settled();
    expect(said()).toEqual([`error ${THING} ${later}`, `error ${THING} ${later}`]);
    expect(found(desk.search(SEARCH))).toEqual([]); // to look promises nothing
    said();
    keeper.fails = undefined;
    desk.ask(THING, "unregister");
    expect(said()).toEqual([]);
    await desk.settled();
    expect(said()).toEqual([`result ${THING}`]);
    expect(keeper.kept.size).toBe(0);
  });

  it("D-3.9-26: a notice whose acknowledgement is not kept comes again", async () => {
    desk.register();
    await desk.settled();
    desk.mine();
    await desk.settled();
    keeper.fails = "before";
    desk.acknowledge(desk.sent.at(-1));
    await desk.settled();
    expect(desk.registry.unacknowledged).toHaveLength(1);
    keeper.fails = undefined;
    const [again] = desk.presence(THING);
    desk.acknowledge(again);
    await desk.settled();
    expect(desk.registry.unacknowledged).toEqual([]);
  });

  it("D-3.17-9: a Thing that was disowned, though that could not be kept, is taken for new when it registers", async () => {
    await claimed();
    desk.disown();
    keeper.fails = "before";
    desk.acknowledge(desk.sent.at(-1));
    await desk.settled();
    expect(said()).toEqual([`set ${THING} disowned`, `error ${OWNER} ${later}`]);
    expect(desk.registry.things[0]?.owner).toBe("owner@example.org");
    desk.register();
    await desk.settled();
    expect(said()).toEqual([`error ${THING} ${later}`]);
    keeper.fails = undefined;
    desk.register();
    await desk.settled();
    expect(said()).toEqual([`result ${THING}`]);
    expect(desk.registry.things[0]?.owner).toBeUndefined();
  });

  it("that hangs does not fill the memory: after 10,000 requests it says so at once", async () => {
    keeper.hold();
    for (let i = 0; i < 10_000; i++) desk.register(sn(String(i)), "", `t${i}@example.org/x`);
    expect(desk.sent).toEqual([]);
    expect(brief(desk.register())).toEqual([`error ${THING} ${later}`]);
    expect(brief(desk.disown())).toEqual([`error ${OWNER} ${later}`]);
    await keeper.release();
    expect(desk.sent).toHaveLength(10_002);
    expect(desk.registry.things).toHaveLength(10_000);
    desk.register();
    await desk.settled();
    expect(desk.registry.things).toHaveLength(10_001);
  });

  it("when it loads, keeps the Registry from being opened", async () => {
    keeper.load = async function* () {
      await Promise.resolve();
      throw new Error("unreadable");
      yield undefined as never;
    };
    await expect(RegistryDesk.open(keeper)).rejects.toThrow("unreadable");
  });
});

describe("a host that fails", () => {
  it("is told of in the log, and others get their answers", async () => {
    keeper.hold();
    desk.register();
    desk.register(sn("2"), "", STRANGER);
    let calls = 0;
    desk.registry.onOutput((stanzas) => {
      if (calls++ === 0) throw new Error("no way out");
      desk.sent.push(...stanzas);
    });
    await keeper.release();
    expect(said()).toEqual([`result ${STRANGER}`]);
    expect(desk.log).toContain("no way out");
  });
});

describe("a Registry that begins again", () => {
  it("D-3.6-9: knows its Things, their owners and their order, and finds them", async () => {
    await claimed(NODE);
    await desk.clock.advance(1_000);
    await claimed("nodeId='z'", sn("2"));
    await desk.clock.advance(1_000);
    desk.register(sn("3"), "", STRANGER);
    await desk.settled();
    const { things } = desk.registry;
    const search = (): readonly string[] => found(desk.search(SEARCH));
    const before = search();
    await restart();
    expect(desk.registry.things).toEqual(things);
    expect(search()).toEqual(before);
    expect(brief(desk.mine())).toEqual([`result ${OWNER} claimed`]);
    expect(brief(desk.register(LISTED, NODE))).toEqual([`result ${THING} claimed`]);
  });

  it("D-3.9-21, D-3.10-5: still owes the notices that were not acknowledged, and takes acknowledgements from before", async () => {
    desk.register();
    await desk.settled();
    desk.mine();
    await desk.settled();
    const notice = desk.sent.at(-1);
    await restart();
    expect(desk.registry.unacknowledged).toEqual([{ jid: "thing@example.org", notice: "claimed" }]);
    desk.acknowledge(notice);
    await desk.settled();
    expect(desk.registry.unacknowledged).toEqual([]);
    desk.presence(THING, "unavailable");
    desk.remove();
    await desk.settled();
    await restart();
    expect(desk.registry.things).toEqual([]);
    const [removed] = desk.presence("thing@example.org/new");
    expect(brief([removed!])).toEqual(["set thing@example.org/new removed"]);
    desk.acknowledge(removed, "thing@example.org/new");
    await desk.settled();
    expect(keeper.kept.size).toBe(0);
  });

  it("D-3.17-4: still reaches a Thing where it asked from last (D-E16); as an account only once it sees it", async () => {
    await claimed();
    await restart();
    expect(brief(desk.disown())).toEqual([`set ${THING} disowned`]);

    desk = await RegistryDesk.open(keeper, { jid: ACCOUNT });
    const roster = [
      { jid: "thing@example.org" as BareJid, subscription: "both" as const, pendingOut: false, name: "", groups: [] },
    ];
    desk.registry.onAccount({ jid: `${ACCOUNT}/r`, roster });
    expect(brief(desk.disown())).toEqual([`error ${OWNER} not-allowed`]);
    desk.presence("thing@example.org/other");
    desk.presence(THING);
    desk.presence("thing@example.org/other");
    expect(brief(desk.disown())).toEqual([`set ${THING} disowned`]);
  });

  it("takes records without an address for Things that nobody knows where to find", async () => {
    const jid = "thing@example.org" as BareJid;
    const claim = {
      owner: "owner@example.org" as BareJid,
      public: true,
      selfOwned: false,
      at: 1,
      told: false,
      notice: "n",
    };
    await keeper.put([{ jid, registeredAt: 1, registered: "x", tags: [], claim }]);
    desk = await RegistryDesk.open(keeper);
    expect(brief(desk.disown())).toEqual([`error ${OWNER} not-allowed`]);
    expect(brief(desk.presence("thing@example.org"))).toEqual([]);
    expect(brief(desk.presence(THING))).toEqual([`set ${THING} claimed`]);
  });

  it("waits until all is kept before it closes its keeper", async () => {
    keeper.hold();
    desk.register();
    const closing = desk.registry.close();
    await desk.settled();
    expect(keeper.closed).toBe(false);
    await keeper.release();
    await closing;
    expect(keeper.closed).toBe(true);
    expect(keeper.kept.size).toBe(1);
  });
});

describe("a power cut at any moment", () => {
  const things = ["a", "b"].map((name) => `${name}@example.org/x`);
  const owners = ["o@example.org/1", "p@example.org/1"];
  const act = fc.oneof(
    fc.record({ do: fc.constantFrom("register", "self", "unregister", "update"), who: fc.nat(1), n: fc.nat(2) }),
    fc.record({ do: fc.constantFrom("mine", "remove", "disown"), who: fc.nat(1), n: fc.nat(1) }),
    fc.record({
      do: fc.constantFrom("acknowledge", "presence", "turn", "fail", "fail after", "recover"),
      who: fc.nat(1),
      n: fc.nat(3),
    }),
  );

  it("D-3.6-2, D-3.9-17, D-3.10-3, D-3.13-8, D-3.17-10: nothing that was answered is lost, whatever the keeper does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
        keeper = new HesitantKeeper();
        desk = await RegistryDesk.open(keeper);
        // What the Registry had in memory, one after another, and the first of these that must not be lost.
        const history: string[][] = [["", ""]];
        const answered = [0, 0];
        const asked = new Map<string, { thing: number; at: number }>();
        const shown = (kept: readonly RegistryRecord[]): string[] =>
          things.map((thing) => {
            const record = kept.find(({ jid }) => thing.startsWith(jid));
            return record === undefined ? "" : JSON.stringify([snapshot(record), record.removed !== undefined]);
          });
        const memory = (): string[] => {
          // What is due shows what is removed; nothing else of it is visible any more.
          const all = desk.registry.things;
          const due = desk.registry.unacknowledged;
          return things.map((thing) => {
            const found_ = all.find(({ jid }) => thing.startsWith(jid));
            if (found_ !== undefined) return JSON.stringify([found_, false]);
            return due.some(({ jid, notice }) => notice === "removed" && thing.startsWith(jid)) ? "removed" : "";
          });
        };
        const check = (): void => {
          const kept = shown([...keeper.kept.values()]).map((one) => (one.endsWith(",true]") ? "removed" : one));
          kept.forEach((one, thing) => {
            const possible = history.slice(answered[thing]).map((all) => all[thing]);
            expect(possible).toContain(one);
          });
        };
        keeper.onStep = check;
        desk.registry.onOutput((stanzas) => {
          desk.sent.push(...stanzas);
          hear(stanzas.map(({ attrs }) => attrs));
          check();
        });
        const hear = (answers: readonly Readonly<Record<string, string | undefined>>[]): void => {
          for (const { type, id = "" } of answers) {
            const request = asked.get(id);
            if (request === undefined) continue;
            if (type === "result") answered[request.thing] = Math.max(answered[request.thing] ?? 0, request.at);
            else history.push(memory()); // it may have been taken back
          }
        };
        const send = (from: string, thing: number, content: string, type = "set", id = `q${asked.size}`): void => {
          const at = history.length;
          asked.set(id, { thing, at });
          const now = desk.iq(from, content, type, id);
          history.push(memory());
          hear(now.map(({ attrs }) => attrs));
          check();
        };
        const xmlns = "xmlns='urn:xmpp:iot:discovery'";
        for (const { do: what, who, n } of acts) {
          const thing = things[who]!;
          const jid = `jid='${thing}'`;
          if (what === "register") send(thing, who, `<register ${xmlns}>${sn(`${who} ${n}`)}</register>`);
          if (what === "self") send(thing, who, `<register ${xmlns} selfOwned='1'>${sn(`${who} ${n}`)}</register>`);
          if (what === "unregister") send(thing, who, `<unregister ${xmlns}/>`);
          if (what === "update") send(thing, who, `<update ${xmlns}><num name='V' value='${n}'/></update>`);
          if (what === "mine") send(owners[n]!, who, `<mine ${xmlns}>${sn(`${who} 0`)}</mine>`);
          if (what === "remove") send(owners[n]!, who, `<remove ${xmlns} ${jid}/>`);
          if (what === "disown") send(owners[n]!, who, `<disown ${xmlns} ${jid}/>`);
          if (what === "acknowledge") {
            const notice = desk.sent.filter(({ attrs }) => attrs["type"] === "set" && attrs["to"] === thing).at(-1 - n);
            desk.acknowledge(notice, thing);
            history.push(memory());
          }
          if (what === "presence") desk.presence(thing, n === 0 ? "unavailable" : "");
          if (what === "turn") await (n === 3 ? desk.settled() : Promise.resolve());
          if (what === "fail") keeper.fails = "before";
          if (what === "fail after") keeper.fails = "after";
          if (what === "recover") keeper.fails = undefined;
        }
        keeper.fails = undefined;
        await desk.settled();
        send(things[0]!, 0, `<register ${xmlns}>${sn("last")}</register>`); // and all that was doubtful
        await desk.settled();
        check();
        // What memory says is what is kept.
        const { things: known, unacknowledged } = desk.registry;
        await restart();
        const byJid = (one: { jid: string }, other: { jid: string }): number => (one.jid < other.jid ? -1 : 1);
        expect([...desk.registry.things].sort(byJid)).toEqual([...known].sort(byJid));
        expect([...desk.registry.unacknowledged].sort(byJid)).toEqual([...unacknowledged].sort(byJid));
      }),
      { numRuns: 300 },
    );
  });
});
