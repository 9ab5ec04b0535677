// The record of sent tokens: who may challenge which one, for how long, and what a flood can do to it.
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { bareJid, parseJid } from "../../src/core/jid.ts";
import { SentTokens } from "../../src/provisioning/sent-tokens.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const server = bareJid("provisioning.example.org");
const thing = bareJid("u2@example.org");
const caller = parseJid("caller@example.org/app");

function record() {
  const clock = new SimulatedClock();
  return { clock, sent: new SentTokens(clock) };
}

describe("the record of sent tokens", () => {
  it("P-3.1.3-25: knows each token, whom it was sent to, when, and where it had come from", async () => {
    const { clock, sent } = record();
    await clock.advance(1_000);
    sent.record({ deviceToken: "own" }, thing, undefined);
    await clock.advance(500);
    sent.record({ serviceToken: "theirs" }, server, caller);
    expect(sent.challenged("own", thing)).toEqual([{ from: undefined, at: 1_000 }]);
    expect(sent.challenged("theirs", server)).toEqual([{ from: "caller@example.org/app", at: 1_500 }]);
    expect(sent.challenged("own", server)).toEqual([]);
    expect(sent.challenged("theirs", thing)).toEqual([]);
    expect(sent.challenged("", server)).toEqual([]);
  });

  it("P-3.1.3-24: forgets after a minute, and not before", async () => {
    const { clock, sent } = record();
    sent.record({ userToken: "t" }, server, caller);
    await clock.advance(60_000);
    expect(sent.challenged("t", server)).toHaveLength(1);
    await clock.advance(1);
    expect(sent.challenged("t", server)).toEqual([]);
    expect(sent.size).toBe(0);
  });

  it("P-E13: a new use renews it, and only towards the one it was sent to again", async () => {
    const { clock, sent } = record();
    sent.record({ userToken: "t" }, server, caller);
    sent.record({ userToken: "t" }, thing, caller);
    await clock.advance(40_000);
    sent.record({ userToken: "t" }, server, parseJid("caller@example.org/other"));
    await clock.advance(40_000);
    expect(sent.challenged("t", server)).toEqual([{ from: "caller@example.org/other", at: 40_000 }]);
    expect(sent.challenged("t", thing)).toEqual([]);
  });

  it("P-E15: takes each token of a list for itself, in any of the three attributes", () => {
    const { sent } = record();
    sent.record({ serviceToken: " a  b\t", deviceToken: "c\nd", userToken: "a" }, server, caller);
    expect(["a", "b", "c", "d"].map((token) => sent.challenged(token, server).length)).toEqual([1, 1, 1, 1]);
    expect(["a b", " a  b\t", "ab", ""].map((token) => sent.challenged(token, server).length)).toEqual([0, 0, 0, 0]);
    expect(sent.size).toBe(4);
  });

  it("forgets all when it is told to, as by a factory reset", () => {
    const { sent } = record();
    sent.record({ userToken: "t" }, server, caller);
    sent.clear();
    expect([sent.challenged("t", server), sent.size]).toEqual([[], 0]);
    sent.record({ userToken: "t" }, server, caller);
    expect(sent.challenged("t", server)).toHaveLength(1);
  });

  it("keeps those apart from whom the same token came", () => {
    const { sent } = record();
    const thief = parseJid("thief@example.org/x");
    sent.record({ userToken: "t" }, server, caller);
    sent.record({ userToken: "t" }, server, thief);
    sent.record({ deviceToken: "t" }, server, undefined);
    expect(sent.challenged("t", server).map(({ from }) => from)).toEqual([caller.full, thief.full, undefined]);
  });

  it("lets each sending be challenged 16 times: a key is not at work for whoever has once been sent its token", () => {
    const { sent } = record();
    const often = (): number => [...Array(40)].filter(() => sent.challenged("t", server).length > 0).length;
    sent.record({ userToken: "t" }, server, caller);
    expect(often()).toBe(16);
    sent.record({ userToken: "t" }, server, caller);
    sent.record({ userToken: "t" }, server, caller);
    expect(often()).toBe(32);
  });

  it("holds no token, and no part of one", () => {
    const { sent } = record();
    const secret = "4lwHXOtU6CEvBXCl";
    // What it keeps goes into maps.
    const set = vi.spyOn(Map.prototype, "set");
    try {
      sent.record({ userToken: secret }, server, caller);
      expect(set).toHaveBeenCalled();
      expect(JSON.stringify(set.mock.calls)).not.toContain(secret.slice(0, 4));
    } finally {
      set.mockRestore();
    }
  });

  it("of one request remembers 32 tokens, of one sender 128, of all of them 1,024", () => {
    const { sent } = record();
    sent.record({ userToken: [...Array(8_000).keys()].join(" ") }, server, caller);
    expect(sent.size).toBe(32);
    for (let i = 0; i < 1_000; i++) sent.record({ userToken: `u${i}` }, server, caller);
    expect(sent.size).toBe(128);
    for (let i = 0; i < 5_000; i++) sent.record({ userToken: `v${i}` }, server, parseJid(`sybil${i}@example.org/x`));
    expect(sent.size).toBe(1_024);
  });

  it("under a flood keeps what others have sent in the last minute, and what is the Thing's own", () => {
    const { sent } = record();
    sent.record({ deviceToken: "own" }, thing, undefined);
    for (const i of [1, 2, 3]) sent.record({ userToken: `t${i}` }, server, caller);
    // One who floods, then forty at once.
    for (let i = 0; i < 5_000; i++) sent.record({ userToken: `f${i}` }, server, parseJid("flood@example.org/x"));
    for (let i = 0; i < 10_000; i++) {
      sent.record({ userToken: `g${i}` }, server, parseJid(`flood${i % 40}@example.org/x`));
    }
    expect(sent.challenged("own", thing)).toHaveLength(1);
    for (const i of [1, 2, 3]) expect(sent.challenged(`t${i}`, server)).toHaveLength(1);
    // The newest of each of those is there too: also they are answered for.
    expect(sent.challenged("g9999", server)).toHaveLength(1);
    expect(sent.size).toBeLessThanOrEqual(1_025);
  });

  it("what the Thing sends of its own has a bound too, and takes no room from others", () => {
    const { sent } = record();
    sent.record({ userToken: "t" }, server, caller);
    for (let i = 0; i < 2_000; i++) sent.record({ deviceToken: "own" }, bareJid(`u${i}@example.org`), undefined);
    expect(sent.size).toBe(513);
    expect(sent.challenged("t", server)).toHaveLength(1);
    expect(sent.challenged("own", bareJid("u1999@example.org"))).toHaveLength(1);
    expect(sent.challenged("own", bareJid("u0@example.org"))).toEqual([]);
  });

  it("agrees with a list that is gone through, whatever is sent and asked (below its bounds)", async () => {
    const names = fc.constantFrom("a", "b", "c");
    const step = fc.record({
      token: names,
      to: fc.constantFrom(server, thing),
      from: fc.constantFrom(undefined, caller, parseJid("other@example.org/1"), parseJid("other@example.org/2")),
      wait: fc.constantFrom(0, 1, 20_000, 59_999, 60_000, 60_001),
      ask: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const { clock, sent } = record();
        let list: { token: string; to: string; from: string | undefined; source: string; at: number }[] = [];
        for (const { token, to, from, wait, ask } of steps) {
          await clock.advance(wait);
          const now = clock.monotonic();
          if (ask) {
            const expected = list.filter((one) => one.token === token && one.to === to && now - one.at <= 60_000);
            expect(sent.challenged(token, to)).toEqual(expected.map(({ from: source, at }) => ({ from: source, at })));
          } else {
            const source = from?.bare ?? "";
            list = list.filter((one) => one.token !== token || one.to !== to || one.source !== source);
            list.push({ token, to, from: from?.full, source, at: now });
            sent.record({ userToken: token }, to, from);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
