import { describe, expect, it } from "vitest";
import { decided, type Asked, type Place, type Said, type Verdict } from "../support/rights-model.ts";
import { compareWithModel } from "../support/several-servers-run.ts";
import { makeCase, worldOf } from "../support/several-servers.ts";

// A tenth of what `npm run soak` does; every combination all the same.
compareWithModel(1_000);

describe("the model itself, by examples that are worked out by hand", () => {
  const read: Asked = { kind: "read", flags: ["momentary"], nodes: [], names: [] };
  const yes = (parts: Partial<NonNullable<Said["answer"]>> = {}, at = 0): Said => ({
    at,
    answer: { result: true, secondary: false, flags: [], nodes: [], names: [], ...parts },
  });
  const no = (parts: Partial<NonNullable<Said["answer"]>> = {}, at = 0): Said => yes({ result: false, ...parts }, at);
  const fails: Said = { at: 0 };
  const hangs: Said = { at: Infinity };
  const world = worldOf("read");
  const judge = (asked: Asked, ...servers: readonly Said[]): Verdict => decided(asked, servers, worldOf(asked.kind));
  const here = ({ places }: Verdict): readonly string[] =>
    places.filter(({ node }) => JSON.stringify(node) === '{"nodeId":"a"}').map(({ name, type }) => `${name}: ${type}`);

  it("P-E20: node 1 field X of one server and node 2 field Y of another are two pairs, not four", () => {
    const verdict = judge(
      read,
      yes({ nodes: [{ nodeId: "" }], names: ["Temperature"] }),
      yes({ nodes: [{ nodeId: "a" }], names: ["Serial"] }),
      no(),
    );
    const pairs = new Set(verdict.places.map(({ node, name }) => node.nodeId + name));
    expect([...pairs]).toEqual(["Temperature", "aSerial"]);
  });

  it("P-E18, P-E19: kinds restrict if there are any; what was not asked for is not granted", () => {
    const asked: Asked = { ...read, flags: ["momentary", "historical"], names: ["Serial"] };
    expect(here(judge(asked, yes()))).toEqual([
      "Serial: momentary",
      "Serial: historicalSecond",
      "Serial: historicalDay",
    ]);
    expect(here(judge(asked, yes({ flags: ["peak", "historicalDay"] })))).toEqual(["Serial: historicalDay"]);
    expect(judge(asked, yes({ names: ["Temperature"] })).outcome).toBe("refused");
  });

  it("P-5.5-3: a node of one source is not that of another, nor the one without", () => {
    const { places } = judge(read, yes({ nodes: [{ nodeId: "a", sourceId: "s" }], names: ["Serial"] }));
    expect(new Set(places.map(({ node }) => node.sourceId))).toEqual(new Set(["s"]));
    expect(places.length).toBeLessThan(world.length);
  });

  it.each([
    ["the first yes", [yes({}, 700), hangs, no()], ["granted", 700, true]],
    ["a yes to all the kinds asked for", [yes({ flags: ["momentary"] }, 9), fails, hangs], ["granted", 9, true]],
    ["a part beside one that hangs", [yes({ names: ["Serial"] }), hangs, no()], ["granted", 6_000, false]],
    ["a part beside one that is late", [yes({ names: ["Serial"] }), no({}, 50), no()], ["granted", 50, true]],
    ["no beside no", [no(), no({}, 5_000), no()], ["refused", 5_000, true]],
    ["P-E28: no beside an error", [no(), fails, no({}, 30)], ["unanswered", 30, false]],
    ["too late a yes", [no(), no(), yes({}, 6_001)], ["unanswered", 6_000, false]],
  ] as const)("XEP-0324 5.3: %s", (_, servers, expected) => {
    const { outcome, at, remembered } = judge(read, ...servers);
    expect([outcome, at, remembered]).toEqual(expected);
  });

  it("XEP-0324 5.3: two halves are the answer as soon as both are there", () => {
    const asked: Asked = { ...read, names: ["Serial", "Temperature"] };
    const verdict = judge(asked, yes({ names: ["Serial"] }, 9), hangs, yes({ names: ["Temperature"] }, 40));
    expect([verdict.outcome, verdict.at, verdict.remembered]).toEqual(["granted", 40, true]);
  });

  it("P-E16: leave to make friends of one's own comes with a no of all, by one of them", () => {
    const asked: Asked = { kind: "friend", flags: [], nodes: [], names: [] };
    expect(judge(asked, no(), no({ secondary: true }), no())).toMatchObject({ outcome: "refused", secondary: true });
    expect(judge(asked, no(), no({ secondary: true }), fails)).toMatchObject({
      outcome: "unanswered",
      secondary: false,
    });
    expect(judge(asked, no(), no({ secondary: true }), yes())).toMatchObject({ outcome: "granted", secondary: false });
  });

  it("tells a Thing that mixes the lists of several servers from one that does not", () => {
    const seed = "mixed";
    let told = 0;
    for (let number = 0; number < 1_000; number++) {
      const { asked, servers } = makeCase(seed, number);
      if (asked.kind === "friend") continue;
      const { places } = decided(asked, servers, worldOf(asked.kind));
      const mixed = servers.map(({ at, answer }) => ({
        at,
        ...(answer?.result === true && { answer: mixedWith(servers) }),
      }));
      if (decided(asked, mixed, worldOf(asked.kind)).places.length > places.length) told++;
    }
    expect(told).toBeGreaterThan(10);
  });

  /** One grant of what is in the lists of any: what P-E20 forbids. */
  function mixedWith(servers: readonly Said[]): NonNullable<Said["answer"]> {
    const grants = servers.flatMap(({ at, answer }) => (answer?.result === true && at < 6_000 ? [answer] : []));
    const all = <T>(list: (of: (typeof grants)[number]) => readonly T[]): readonly T[] =>
      grants.some((one) => list(one).length === 0) ? [] : grants.flatMap(list);
    return {
      ...{ result: true, secondary: false },
      ...{ flags: all(({ flags }) => flags), nodes: all(({ nodes }) => nodes), names: all(({ names }) => names) },
    };
  }

  it("looks at places that nobody names, for all that there may be besides", () => {
    const unnamed = world.filter(({ node, name }: Place) => (node.nodeId + name).includes("nobody names it"));
    expect(unnamed.length).toBeGreaterThan(0);
    expect(judge(read, yes({ nodes: [{ nodeId: "" }, { nodeId: "a" }] }), hangs).at).toBe(6_000);
  });
});
