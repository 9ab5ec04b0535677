// XEP-0347 3.17 at the Registry: the Thing first, then the record, then the owner.
import { beforeEach, describe, expect, it } from "vitest";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { MemoryKeeper } from "../../src/sandbox/registry-records.ts";
import { canonical } from "../support/canonical.ts";
import { ACCOUNT, brief, LISTED, NODE, OWNER, RegistryDesk, STRANGER, THING } from "./registry-desk.ts";

let desk: RegistryDesk;
beforeEach(() => {
  desk = RegistryDesk.make();
});

const result = `result ${OWNER}`;
const notFound = `error ${OWNER} item-not-found`;
const notAllowed = `error ${OWNER} not-allowed`;
const told = `set ${THING} disowned`;
/** What is said while something is done, `receive` and afterwards. */
const during = async (act: () => unknown): Promise<readonly string[]> => {
  const before = desk.sent.length;
  await act();
  return brief(desk.sent.slice(before));
};
const begin = (owner = OWNER, attributes = "jid='thing@example.org'"): XmlElement => {
  desk.disown(attributes, owner);
  return desk.sent.at(-1)!;
};
const owner = (): string | undefined => desk.registry.things[0]?.owner;

describe("a Thing that has not answered to its claim yet", () => {
  beforeEach(() => {
    desk.register();
    desk.mine();
  });

  it("D-3.17-7: hears nothing of the claim behind disowned, also when it is removed meanwhile: it would be its owner's again", async () => {
    const notice = begin();
    expect(brief(desk.remove())).toEqual([result]);
    expect(brief(desk.presence(THING))).toEqual([]);
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(brief(desk.presence(THING))).toEqual([]);
    expect(owner()).toBeUndefined();
  });

  it("D-3.17-7: hears nothing of it either when it was not waited for any longer, until it comes anew", async () => {
    begin();
    await desk.clock.advance(8_000);
    expect(brief(desk.remove())).toEqual([result]);
    expect(await during(() => desk.presence(THING))).toEqual([`set ${THING} claimed`, `set ${THING} removed`]);
  });

  it("D-3.17-7: is told again when it came anew at the same address, and what was sent to the stream before is lost", async () => {
    begin();
    expect(brief(desk.presence(THING))).toEqual([]);
    expect(await during(() => desk.clock.advance(8_000))).toEqual([notAllowed, `set ${THING} claimed`]);
  });

  it.each([
    ["before it is waited for no longer", 0],
    ["after that", 8_000],
  ])("D-3.17-7: is told again when it has registered %s: only its acknowledgement was lost", async (_, ms) => {
    begin();
    await desk.clock.advance(ms);
    desk.register();
    const said = await during(() => desk.clock.advance(8_000 - ms));
    expect([...said, ...brief(desk.remove())]).toContain(`set ${THING} claimed`);
  });

  it("D-3.17-11: that refuses to be disowned is told then what else there is", async () => {
    const notice = begin();
    expect(brief(desk.remove())).toEqual([result]);
    const said = await during(() => desk.refuse(notice, "forbidden"));
    expect([...said].sort()).toEqual([notAllowed, `set ${THING} claimed`, `set ${THING} removed`]);
  });
});

describe("disowning a Thing that is online", () => {
  beforeEach(() => desk.claimed());

  it("D-3.17-1, D-3.17-5: tells the Thing, at its full address, before anything else (Listings 46, 50)", () => {
    expect(brief(desk.disown())).toEqual([told]);
    const notice = desk.sent.at(-1)!;
    expect(canonical(notice)).toEqual(
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='set' from='discovery.example.org' to='${THING}' id='${notice.attrs["id"] ?? ""}'>
          <disowned xmlns='urn:xmpp:iot:discovery'/></iq>`),
      ),
    );
    expect(owner()).toBe("owner@example.org");
    expect(notice.attrs["id"]).toMatch(/^[\w-]{22}$/); // 128 bits: nobody guesses it
  });

  it("D-3.17-9, D-3.17-10: once acknowledged it has no owner and no tags but a KEY, and the owner is answered (Listings 52, 53)", async () => {
    const notice = begin();
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
    expect(desk.registry.things).toEqual([
      { jid: "thing@example.org", tags: [], hasKey: true, registeredAt: desk.clock.now() },
    ]);
    // Nobody can claim it by what it was claimed with, nor by nothing.
    expect(brief(desk.mine())).toEqual([notFound]);
    expect(brief(desk.mine(""))).toEqual([notFound]);
    expect(brief(desk.ask(THING, "update", "", LISTED))).toEqual([`result ${THING} disowned`]);
  });

  it("D-3.17-9: gives it a KEY of 256 random bits, another one each time", async () => {
    const keeper = new MemoryKeeper();
    desk = await RegistryDesk.open(keeper);
    const keys = new Set<unknown>();
    for (let round = 0; round < 3; round++) {
      desk.register();
      await desk.settled();
      desk.mine();
      await desk.settled();
      desk.acknowledge(desk.sent.at(-1));
      await desk.settled();
      desk.disown();
      await desk.settled();
      desk.acknowledge(desk.sent.at(-1));
      await desk.settled();
      const [record] = keeper.kept.values();
      expect(record?.tags).toHaveLength(1);
      expect(record?.tags[0]).toMatchObject({ name: "KEY", type: "str" });
      expect(record?.tags[0]?.value).toMatch(/^[\w-]{43}$/);
      keys.add(record?.tags[0]?.value);
    }
    expect(keys.size).toBe(3);
    expect(desk.log).not.toContain([...keys][0]);
  });

  it("D-3.17-9, D-3.6-10: the Thing registers anew, and can be claimed by another", () => {
    desk.acknowledge(begin());
    expect(brief(desk.register())).toEqual([`result ${THING}`]);
    expect(brief(desk.mine(LISTED, STRANGER))).toEqual([`result ${STRANGER} claimed`, `set ${THING} claimed`]);
  });

  it("D-3.17-3: of somebody else's Thing, an unclaimed or unknown one is item-not-found, and tells nobody (Listing 48)", () => {
    expect(brief(desk.disown("jid='thing@example.org'", STRANGER))).toEqual([`error ${STRANGER} item-not-found`]);
    expect(brief(desk.disown("jid='thing@example.org' nodeId='x'"))).toEqual([notFound]);
    expect(brief(desk.disown("jid='other@example.org'"))).toEqual([notFound]);
    desk.acknowledge(begin());
    expect(brief(desk.disown())).toEqual([notFound]);
    expect(brief(desk.disown("jid=''"))).toEqual([`error ${OWNER} bad-request`]);
  });

  it("D-3.17-2, D-3.17-6: a node behind a concentrator is named, and no other disowned (Listings 47, 51)", async () => {
    desk.claimed({ attributes: NODE, tags: "<str name='SN' value='2'/>" });
    const notice = begin(OWNER, `jid='thing@example.org/plcs' ${NODE}`);
    expect(notice.getChild("disowned")?.attrs).toMatchObject({ nodeId: "imc1", sourceId: "MeteringTopology" });
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
    expect(desk.registry.things.map((thing) => thing.owner)).toEqual(["owner@example.org", undefined]);
    // D-3.13-11: an update of the node is told which node.
    const [answer] = desk.ask(THING, "update", NODE, LISTED);
    expect(answer?.getChild("disowned")?.attrs).toMatchObject({ nodeId: "imc1", sourceId: "MeteringTopology" });
  });

  it("D-3.17-11: a Thing that answers with an error keeps its owner, who hears not-allowed (Listing 49)", async () => {
    const notice = begin();
    expect(await during(() => desk.refuse(notice, "forbidden"))).toEqual([notAllowed]);
    expect(owner()).toBe("owner@example.org");
    // It has said no: what comes later under that id is nothing.
    expect(await during(() => desk.acknowledge(notice))).toEqual([]);
    expect(owner()).toBe("owner@example.org");
    expect(brief(desk.disown())).toEqual([told]); // it is there
  });

  it("D-3.17-11: a Thing that cannot be reached after all is away from then on", async () => {
    const notice = begin();
    expect(await during(() => desk.refuse(notice, "service-unavailable"))).toEqual([notAllowed]);
    expect(brief(desk.disown())).toEqual([notAllowed]);
  });

  it("D-3.17-11: a Thing that does not answer in time keeps its owner, who hears not-allowed", async () => {
    begin();
    expect(await during(() => desk.clock.advance(7_999))).toEqual([]);
    expect(await during(() => desk.clock.advance(1))).toEqual([notAllowed]);
    expect(owner()).toBe("owner@example.org");
    expect(desk.clock.pending).toBe(0);
  });

  it("waits as long as it is told to", async () => {
    desk = RegistryDesk.make({ disownTimeout: 100 });
    desk.claimed();
    begin();
    expect(await during(() => desk.clock.advance(100))).toEqual([notAllowed]);
  });

  it("D-3.17-11: a Thing that goes while it is waited for is not waited for", async () => {
    begin();
    expect(await during(() => desk.presence("thing@example.org/other", "unavailable"))).toEqual([]);
    expect(await during(() => desk.presence(THING, "unavailable"))).toEqual([notAllowed]);
    desk.presence(THING);
    begin();
    expect(await during(() => desk.presence("thing@example.org", "unavailable"))).toEqual([notAllowed]);
    expect(desk.clock.pending).toBe(0);
  });

  it("D-3.17-9: a late acknowledgement counts, since the Thing has forgotten its owner already", async () => {
    const notice = begin();
    await desk.clock.advance(8_000);
    expect(await during(() => desk.acknowledge(notice))).toEqual([]);
    expect(owner()).toBeUndefined();
    expect(brief(desk.disown())).toEqual([notFound]);
    expect(brief(desk.register())).toEqual([`result ${THING}`]);
    expect(desk.mine(LISTED, STRANGER)).toHaveLength(2);
    // And it counts once.
    desk.acknowledge(notice);
    expect(owner()).toBe("stranger@example.org");
  });

  it("D-3.17-9: a very late one is not known any more, when 10,000 others came too late since", async () => {
    const notice = begin();
    for (let i = 0; i < 10_000; i++) {
      await desk.clock.advance(8_000);
      begin();
    }
    await desk.clock.advance(8_000);
    desk.acknowledge(notice);
    expect(owner()).toBe("owner@example.org");
    desk.acknowledge(desk.sent.filter(({ attrs }) => attrs["type"] === "set").at(-1));
    expect(owner()).toBeUndefined();
  });

  it("D-3.17-9: a late acknowledgement does not count against who owns the Thing by then", async () => {
    const notice = begin();
    await desk.clock.advance(8_000);
    desk.ask(THING, "unregister");
    desk.claimed({ owner: STRANGER });
    desk.acknowledge(notice);
    expect(owner()).toBe("stranger@example.org");
  });

  it.each([
    ["a stranger", STRANGER],
    ["another resource of the Thing", "thing@example.org/other"],
    ["the owner", OWNER],
    ["the account itself", "thing@example.org"],
  ])("D-3.17-9: is not acknowledged by %s", async (_who, from) => {
    const notice = begin();
    expect(await during(() => desk.acknowledge(notice, from))).toEqual([]);
    expect(await during(() => desk.refuse(notice, "forbidden", from))).toEqual([]);
    expect(owner()).toBe("owner@example.org");
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
  });

  it("an owner who asks twice at once gets two answers, and the Thing is told once", async () => {
    const tablet = "owner@example.org/tablet";
    const notice = begin();
    expect(brief(desk.disown("jid='thing@example.org'", tablet))).toEqual([]);
    expect(await during(() => desk.acknowledge(notice))).toEqual([result, `result ${tablet}`]);
  });

  it("an owner who asks very often is not waited with", () => {
    begin();
    for (let i = 1; i < 16; i++) expect(brief(desk.disown())).toEqual([]);
    expect(brief(desk.disown())).toEqual([notAllowed]);
  });

  it("goes on when the owner goes away meanwhile", async () => {
    const notice = begin();
    desk.presence(OWNER, "unavailable");
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
    expect(owner()).toBeUndefined();
  });

  it("D-3.6-12: a Thing that registers before it acknowledges hears who owns it (D-E17), and is disowned then", async () => {
    const notice = begin();
    expect(brief(desk.register())).toEqual([`result ${THING} claimed`]);
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
    expect(brief(desk.register())).toEqual([`result ${THING}`]);
  });

  it("a Thing that unregisters meanwhile is not found, and stays gone", async () => {
    const notice = begin();
    desk.ask(THING, "unregister");
    expect(await during(() => desk.acknowledge(notice))).toEqual([notFound]);
    expect(desk.registry.things).toEqual([]);
  });

  it("a Thing that unregisters and registers meanwhile is not taken for the one that is disowned", async () => {
    const notice = begin();
    desk.ask(THING, "unregister");
    desk.register();
    expect(await during(() => desk.acknowledge(notice))).toEqual([notFound]);
    expect(desk.registry.things[0]?.tags).toHaveLength(4);
  });

  it("the owner after the next asks for itself, whoever else waits", async () => {
    begin();
    desk.ask(THING, "unregister");
    desk.claimed({ owner: STRANGER });
    expect(await during(() => begin(STRANGER))).toEqual([notAllowed, told]);
    expect(await during(() => desk.acknowledge(desk.sent.at(-1)))).toEqual([`result ${STRANGER}`]);
    expect(desk.clock.pending).toBe(0);
  });

  it("a Thing that is removed meanwhile is disowned all the same, and hears of no removal any more", async () => {
    const notice = begin();
    desk.remove();
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(desk.registry.things).toHaveLength(1);
  });

  it("a private Thing can be disowned as well, and a self-owned one by itself", async () => {
    desk.claimed({ attributes: "nodeId='p'", tags: "<str name='SN' value='2'/>", how: "public='false'" });
    const notice = begin(OWNER, "jid='thing@example.org' nodeId='p'");
    expect(await during(() => desk.acknowledge(notice))).toEqual([result]);
    desk.register(LISTED, "selfOwned='true' nodeId='s'");
    const own = begin(THING, "jid='thing@example.org' nodeId='s'");
    expect(await during(() => desk.acknowledge(own))).toEqual([`result ${THING}`]);
    expect(desk.registry.things.map((thing) => thing.owner)).toEqual(["owner@example.org", undefined, undefined]);
  });

  it("waits for nobody any more once it is stopped", async () => {
    begin();
    desk.registry.stop();
    expect(desk.clock.pending).toBe(0);
    expect(await during(() => desk.clock.advance(8_000))).toEqual([]);
  });
});

describe("disowning a Thing that is not online as a friend (D-3.17-4)", () => {
  it("D-3.17-4: a component answers not-allowed when it does not know where the Thing is (D-E15), and keeps nothing for it", () => {
    desk.claimed();
    desk.presence(THING, "unavailable");
    expect(brief(desk.disown())).toEqual([notAllowed]);
    expect(desk.presence(THING)).toEqual([]);
    expect(owner()).toBe("owner@example.org");
  });

  it("D-3.17-4: a component reaches whoever asked it something last, or sent it presence (D-E15, D-E16)", () => {
    desk.claimed();
    desk.presence(THING, "unavailable");
    desk.presence("thing@example.org/new");
    expect(brief(desk.disown())).toEqual(["set thing@example.org/new disowned"]);
    desk.claimed({ thing: "things.example.org", tags: "<str name='SN' value='2'/>" });
    expect(brief(desk.disown("jid='things.example.org'"))).toEqual(["set things.example.org disowned"]);
  });

  it("D-3.17-4: an account needs the Thing as a friend, whose presence it sees", () => {
    desk = RegistryDesk.make({ jid: ACCOUNT });
    desk.registry.onAccount({ jid: `${ACCOUNT}/r`, roster: [] });
    desk.claimed();
    expect(brief(desk.disown())).toEqual([notAllowed]); // no friend, though it has asked
    for (const type of ["subscribe", "subscribed"]) desk.presence("thing@example.org", type);
    desk.presence(THING);
    expect(brief(desk.disown())).toEqual([told]);
    desk.acknowledge(desk.sent.at(-1));
    desk.claimed();
    desk.presence(THING, "unavailable");
    expect(brief(desk.disown())).toEqual([notAllowed]); // a friend, but away
    desk.presence("thing@example.org/new");
    expect(brief(desk.disown())).toEqual(["set thing@example.org/new disowned"]);
  });

  it("D-3.17-4: an account that was offline itself knows nobody to be there before it sees them", () => {
    desk = RegistryDesk.make({ jid: ACCOUNT });
    const roster = [
      { jid: "thing@example.org" as never, subscription: "both" as const, pendingOut: false, name: "", groups: [] },
    ];
    desk.registry.onAccount({ jid: `${ACCOUNT}/r`, roster });
    desk.claimed();
    desk.registry.onAccount();
    desk.registry.onAccount({ jid: `${ACCOUNT}/r`, roster });
    expect(brief(desk.disown())).toEqual([notAllowed]);
    desk.presence(THING);
    expect(brief(desk.disown())).toEqual([told]);
  });
});
