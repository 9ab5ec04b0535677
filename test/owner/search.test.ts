import { describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { ThingFound } from "../../src/owner/found-things.ts";
import type { OwnerClient } from "../../src/owner/owner-client.ts";
import { anyOf, tag } from "../../src/owner/predicates.ts";
import { heapInUse } from "../support/hostile/run.ts";
import { settled, type Said } from "../support/scripted-wire.ts";
import { REGISTRY, asked, foundPage, scriptedOwner } from "./owner-wire.ts";

const all = tag("SN").like("*");

async function taken(things: AsyncIterable<ThingFound>): Promise<ThingFound[]> {
  const list: ThingFound[] = [];
  for await (const thing of things) list.push(thing);
  return list;
}
const names = async (owner: OwnerClient, ...search: Parameters<OwnerClient["search"]>): Promise<string[]> =>
  (await taken(owner.search(...search))).map(({ jid }) => jid.replace("@example.org", ""));

/** A Registry with so many Things, that gives so many at once at most. */
const holding =
  (count: number, cap = Infinity) =>
  (payload: XmlElement): Said => {
    const { offset, maxCount } = asked(payload);
    const end = Math.min(count, offset + Math.min(maxCount, cap));
    const page = Array.from({ length: Math.max(0, end - offset) }, (_, index) => `thing${offset + index}`);
    return foundPage(page, end < count);
  };

describe("a search (XEP-0347 3.15)", () => {
  it("D-3.15-1, D-3.15-3: asks anybody's Registry by get, with what must hold", async () => {
    const { owner, wire } = scriptedOwner((_payload, type) => {
      expect(type).toBe("get");
      return foundPage(["a"], false);
    });
    const conditions = [
      tag("MAN").is("www.ktc.se"),
      tag("SN").like("39487*"),
      tag("V").between(1, 2, { max: "excluded" }),
    ];
    expect(await names(owner, conditions, { pageSize: 20 })).toEqual(["a"]);
    expect(wire.asked(REGISTRY).map(String)).toEqual([
      `<search xmlns="${ns.discovery}" offset="0" maxCount="20">` +
        '<strEq name="MAN" value="www.ktc.se"/><strMask name="SN" value="39487*" wildcard="*"/>' +
        '<numRange name="V" min="1" max="2" minIncluded="true" maxIncluded="false"/></search>',
    ]);
  });

  it("gives what was found with its owner, its node and its tags, numbers as numbers, and never a KEY", async () => {
    const { owner } = scriptedOwner(() =>
      parseXml(
        `<found xmlns='${ns.discovery}'>
          <thing owner='Anna@Example.org/x' jid='rack@example.org/plcs' nodeId='imc1' sourceId='MeteringTopology'>
            <str name='sn' value='1'/><num name='V' value='1.20'/><str name='KEY' value='secret'/><str name='SN' value='2'/>
          </thing>
          <thing owner='free@example.org' jid='free@example.org'/>
        </found>`,
      ),
    );
    expect(await taken(owner.search(all))).toEqual([
      {
        jid: "rack@example.org",
        node: { nodeId: "imc1", sourceId: "MeteringTopology" },
        owner: "anna@example.org",
        selfOwned: false,
        tags: new Map<string, string | number>([
          ["SN", "1"],
          ["V", 1.2],
        ]),
      },
      { jid: "free@example.org", owner: "free@example.org", selfOwned: true, tags: new Map() },
    ]);
  });

  it("finds nothing where there is nothing", async () => {
    const { owner, wire } = scriptedOwner(holding(0));
    expect(await names(owner, all)).toEqual([]);
    expect(wire.asked(REGISTRY)).toHaveLength(1);
  });

  it("D-3.15-25, D-3.15-34: goes on by what came, also when the Registry gives less than was asked for", async () => {
    const { owner, wire } = scriptedOwner(holding(25, 10));
    expect(await names(owner, all, { pageSize: 20 })).toEqual(Array.from({ length: 25 }, (_, i) => `thing${i}`));
    expect(wire.asked(REGISTRY).map(asked)).toEqual([
      { offset: 0, maxCount: 20 },
      { offset: 10, maxCount: 20 },
      { offset: 20, maxCount: 20 },
    ]);
  });

  it("takes more than was asked for, where a Registry gives it", async () => {
    const { owner, wire } = scriptedOwner((payload) =>
      asked(payload).offset === 0 ? foundPage(["a", "b", "c"], true) : foundPage(["d"], false),
    );
    expect(await names(owner, all, { pageSize: 1 })).toEqual(["a", "b", "c", "d"]);
    expect(wire.asked(REGISTRY).map(asked)).toEqual([
      { offset: 0, maxCount: 1 },
      { offset: 3, maxCount: 1 },
    ]);
  });

  it("asks for the next page when the Things of the one before are taken, and for none after a break", async () => {
    const { owner, wire } = scriptedOwner(holding(1_000));
    let taken = 0;
    for await (const thing of owner.search(all, { pageSize: 10 })) {
      expect(thing.jid).toBe(`thing${taken}@example.org`);
      await settled();
      expect(wire.asked(REGISTRY)).toHaveLength(Math.floor(taken / 10) + 1);
      if (++taken === 15) break;
    }
    await settled();
    expect(wire.asked(REGISTRY)).toHaveLength(2);
  });

  it("starts anew each time it is gone through", async () => {
    const { owner } = scriptedOwner(holding(3));
    const things = owner.search(all);
    expect(await taken(things)).toHaveLength(3);
    expect(await taken(things)).toHaveLength(3);
  });

  it("D-3.15-5: makes one search for each alternative, and gives what several find once", async () => {
    const pages: Record<string, string[]> = { "1": ["a", "b"], "2": ["b", "c"], "3": ["a", "c", "d"] };
    const { owner, wire } = scriptedOwner((payload) => {
      const [operator] = payload.getChildElements();
      return foundPage(pages[operator?.attrs["value"] ?? ""] ?? [], false);
    });
    expect(await names(owner, anyOf(tag("V").is(1), tag("V").is(2), tag("V").is(3)))).toEqual(["a", "b", "c", "d"]);
    expect(wire.asked(REGISTRY)).toHaveLength(3);
  });

  it("tells nodes of one concentrator apart, and knows the same one again", async () => {
    const page = (more: boolean): XmlElement =>
      el(
        "found",
        { xmlns: ns.discovery, more },
        el("thing", { jid: "rack@example.org", owner: "a@b.c" }),
        el("thing", { jid: "rack@example.org", owner: "a@b.c", nodeId: "1" }),
        el("thing", { jid: "rack@example.org", owner: "a@b.c", nodeId: "1", sourceId: "s" }),
        el("thing", { jid: "rack@example.org", owner: "a@b.c", nodeId: "1", sourceId: "s", cacheType: "" }),
      );
    const { owner } = scriptedOwner((payload) => page(asked(payload).offset === 0));
    expect((await taken(owner.search(all))).map(({ node }) => node)).toEqual([
      undefined,
      { nodeId: "1" },
      { nodeId: "1", sourceId: "s" },
    ]);
  });

  it.each<[string, () => unknown, string]>([
    ["no condition", (o = scriptedOwner(holding(1)).owner) => o.search([]), "give at least one condition"],
    ["a page of none", (o = scriptedOwner(holding(1)).owner) => o.search(all, { pageSize: 0 }), "pageSize:"],
    [
      "a page of one and a half",
      (o = scriptedOwner(holding(1)).owner) => o.search(all, { pageSize: 1.5 }),
      "pageSize:",
    ],
    ["an unknown option", (o = scriptedOwner(holding(1)).owner) => o.search(all, { maxCount: 1 } as never), "maxCount"],
    [
      "a time that is none",
      (o = scriptedOwner(holding(1)).owner) => o.search(all, { timeout: "1" as never }),
      "timeout",
    ],
  ])("says at once what is wrong: %s", (_, search, message) => {
    expect(search).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
    expect(search).toThrow(message);
  });
});

describe("a search at a Registry that does not do as it should", () => {
  it("ends on an empty page, whatever it says (D-E13)", async () => {
    const { owner, wire } = scriptedOwner((payload) =>
      asked(payload).offset === 0 ? foundPage(["a"], true) : foundPage([], true),
    );
    expect(await names(owner, all)).toEqual(["a"]);
    expect(wire.asked(REGISTRY)).toHaveLength(2);
  });

  it("gives a Thing once that is on two pages, or twice on one", async () => {
    const pages = [
      ["a", "b", "b"],
      ["b", "c"],
      ["a", "d"],
    ];
    let page = 0;
    const { owner } = scriptedOwner(() => foundPage(pages[page] ?? [], ++page < pages.length));
    expect(await names(owner, all)).toEqual(["a", "b", "c", "d"]);
  });

  it.each([1, 3_000])("gives up when there is always more and never anything new, at %d a page", async (size) => {
    const same = Array.from({ length: size }, (_, index) => `t${index}`);
    const { owner, wire } = scriptedOwner(() => foundPage(same, true));
    const found: string[] = [];
    const search = async (): Promise<void> => {
      for await (const { jid } of owner.search(all)) found.push(jid);
    };
    await expect(search()).rejects.toMatchObject({
      code: "ERR_PROTOCOL",
      path: "found/@more",
      message: expect.stringContaining("its last 3 pages held nothing new"),
    });
    expect(found).toHaveLength(size);
    expect(wire.asked(REGISTRY)).toHaveLength(4);
  });

  it("is not misled by pages that hold something new now and then", async () => {
    let page = 0;
    const { owner } = scriptedOwner(() => foundPage(["a", `b${Math.floor(++page / 3)}`], page < 30));
    expect(await names(owner, all)).toHaveLength(12);
  });

  it.each<[string, Said]>([
    ["something else", el("claimed", { xmlns: ns.discovery, jid: "a@b.c" })],
    ["nothing", undefined],
    ["a Thing without an address", el("found", { xmlns: ns.discovery }, el("thing", { owner: "a@b.c" }))],
    ["an owner that is none", el("found", { xmlns: ns.discovery }, el("thing", { jid: "a@b.c", owner: "@" }))],
  ])("rejects when it answers %s", async (_, said) => {
    const { owner } = scriptedOwner(() => said);
    await expect(names(owner, all)).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
  });

  it("does not take an answer of somebody else", async () => {
    const { owner, wire, clock } = scriptedOwner(() => "silent");
    const found = names(owner, all, { timeout: 1_000 });
    found.catch(() => undefined);
    await settled();
    const { id = "" } = wire.sent.at(-1)?.attrs ?? {};
    for (const from of ["mallory@example.org/x", "example.org", "discovery.example.com", `${REGISTRY}/x`]) {
      wire.receive(el("iq", { type: "result", id, from }, foundPage(["evil"], false) as XmlElement));
    }
    await settled();
    await clock.advance(1_000);
    await expect(found).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });

  it("waits for each page so long, not for all", async () => {
    const { owner, clock } = scriptedOwner((payload) =>
      asked(payload).offset < 3 ? foundPage([`t${asked(payload).offset}`], true) : "silent",
    );
    const found: string[] = [];
    const search = (async () => {
      for await (const { jid } of owner.search(all, { timeout: 1_000 })) {
        found.push(jid);
        await clock.advance(900); // what the program does with a Thing takes no time of the Registry's
      }
    })();
    search.catch(() => undefined);
    await expect.poll(() => found.length).toBe(3);
    await settled();
    await clock.advance(1_000);
    await expect(search).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });

  it("ends with the signal's own reason, in the midst of a page and between two", async () => {
    for (const when of [3, 10]) {
      const stop = new AbortController();
      const { owner } = scriptedOwner(holding(100));
      let count = 0;
      const search = (async () => {
        for await (const thing of owner.search(all, { pageSize: 10, signal: stop.signal })) {
          expect(thing.jid).toBe(`thing${count}@example.org`);
          if (++count === when) stop.abort(new Error("enough"));
        }
      })();
      await expect(search).rejects.toThrow("enough");
      expect(count).toBe(when);
    }
  });

  it("asks again when the Registry has too much to do, a little later each time, and gives up in the end", async () => {
    let busy = 2;
    const { owner, wire, clock } = scriptedOwner((payload) =>
      busy-- > 0 ? { error: "resource-constraint", type: "wait" } : holding(1)(payload),
    );
    const first = names(owner, all);
    for (const wait of [250, 500]) {
      await settled();
      await clock.advance(wait);
    }
    expect(await first).toEqual(["thing0"]);
    expect(wire.asked(REGISTRY)).toHaveLength(3);
    busy = Infinity;
    const second = names(owner, all);
    second.catch(() => undefined);
    for (const wait of [250, 500, 1_000, 2_000, 4_000]) {
      await settled();
      await clock.advance(wait);
    }
    await expect(second).rejects.toMatchObject({ condition: "resource-constraint", request: "search" });
    expect(wire.asked(REGISTRY)).toHaveLength(9);
  });

  it("goes through 100,000 Things without holding on to them", async () => {
    const { owner, wire } = scriptedOwner(holding(100_000, 1_000));
    let count = 0;
    const heap: number[] = [];
    for await (const thing of owner.search(all, { pageSize: 1_000 })) {
      expect(thing.selfOwned).toBe(false);
      wire.writes.length = 0; // the test's own memory
      if (++count % 20_000 === 0) {
        heap.push(heapInUse());
      }
    }
    expect(count).toBe(100_000);
    // 80,000 of them, kept, would be more than 20 MB.
    expect((heap.at(-1) ?? 0) - (heap[0] ?? 0)).toBeLessThan(8_000_000);
  });
});
