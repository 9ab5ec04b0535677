// A challenge that goes back over many hops, in simulated time: P-3.1.3-8, P-3.1.3-22, P-E13.
import { afterEach, describe, expect, it } from "vitest";
import { parseTokens } from "../../src/codec/tokens.ts";
import { startChain, TOKEN, type ChainOptions } from "../support/simulated-chain.ts";

const HOPS = 5;
const LATENCY = 40;
const last = `u${HOPS}@localhost`;

let stop: () => Promise<void> = () => Promise.resolve();
afterEach(() => stop());

async function chain(options: Partial<ChainOptions> = {}) {
  const made = await startChain({ hops: HOPS, latency: LATENCY, challenges: (asker) => asker === last, ...options });
  stop = made.stop;
  return made;
}

describe("a chain of five Things", () => {
  it("P-3.1.3-7, P-3.1.3-8, P-3.1.3-19, P-3.1.3-22: passes the token on, the challenge back hop by hop, and the answer forward", async () => {
    const { read, went, provisioning, faults } = await chain();
    expect(await read()).toBe("Temperature 21.5");
    expect(went("req").map(({ way }) => way)).toEqual(["caller → u1", "u1 → u2", "u2 → u3", "u3 → u4", "u4 → u5"]);
    expect(new Set(went("req").map(({ stanza }) => JSON.stringify(parseTokens(stanza.getChild("req")!))))).toEqual(
      new Set([JSON.stringify({ deviceToken: TOKEN })]),
    );
    expect(went("tokenChallenge").map(({ way }) => way)).toEqual([
      "provisioning → u5",
      "u5 → u4",
      "u4 → u3",
      "u3 → u2",
      "u2 → u1",
      "u1 → caller",
    ]);
    expect(went("tokenChallengeResponse").map(({ way }) => way)).toEqual([
      "caller → u1",
      "u1 → u2",
      "u2 → u3",
      "u3 → u4",
      "u4 → u5",
      "u5 → provisioning",
    ]);
    expect(provisioning.outcomes.map(({ outcome }) => outcome)).toEqual(["right"]);
    expect(faults).toEqual([]);
  });

  it("is challenged at each hop, while the hops before still wait for theirs", async () => {
    const { read, provisioning, faults } = await chain({ challenges: () => true });
    expect(await read()).toBe("Temperature 21.5");
    expect(provisioning.outcomes.map(({ challenged, outcome }) => `${challenged.split("@")[0]} ${outcome}`)).toEqual([
      "u1 right",
      "u2 right",
      "u3 right",
      "u4 right",
      "u5 right",
    ]);
    expect(faults).toEqual([]);
  });

  it("P-3.1.3-22: whichever hop hangs, the one that asked it gives up in time, and each deadline is before that of the hop that asked", async () => {
    // When each hop gives up: seen where the one before it hangs. All runs are alike until then.
    const deadlines: number[] = [];
    for (let hop = 1; hop <= HOPS; hop++) {
      const deaf = hop === 1 ? "caller" : `u${hop - 1}`;
      const { read, went, seen, provisioning, clock } = await chain({ deaf });
      const began = clock.monotonic();
      await read();
      const [errors] = [seen.filter(({ stanza }) => stanza.getChild("error") !== undefined)];
      const ofHop = errors.find(({ from }) => from.startsWith(`u${hop}@`));
      deadlines.push((ofHop?.at ?? NaN) - began);
      // The challenger hears of it, well before the question is given up: it is a no, not a silence.
      expect(provisioning.outcomes.map(({ outcome }) => outcome)).toEqual(["resource-constraint"]);
      const question = went("canRead").find(({ from }) => from.startsWith(last));
      const answer = went("canReadResponse").find(({ to }) => to.startsWith(last));
      expect((answer?.at ?? NaN) - (question?.at ?? NaN)).toBeLessThan(6_000);
      await stop();
    }
    expect(deadlines).toHaveLength(HOPS);
    for (const [index, deadline] of deadlines.entries()) {
      expect(deadline).toBeGreaterThan(4_900);
      if (index > 0) expect(deadline).toBeGreaterThan(deadlines[index - 1] ?? NaN);
    }
  });

  it("P-3.1.3-24, P-3.1.3-25: a challenge that comes much later goes back all the way too, until the minute is over", async () => {
    const { read, things, provisioning, clock, went } = await chain();
    expect(await read()).toBe("Temperature 21.5"); // which was 40 s ago
    const challenge = async (): Promise<string> => {
      const outcome = provisioning.challenge(things.at(-1)?.jid ?? "", TOKEN);
      await clock.advance(1_000);
      return outcome;
    };
    expect(await challenge()).toBe("right");
    expect(went("tokenChallengeResponse")).toHaveLength(12);
    await clock.advance(20_000);
    expect(await challenge()).toBe("forbidden");
    expect(went("tokenChallengeResponse")).toHaveLength(12);
  });

  it("an answer comes through also from a hop that takes its time", async () => {
    // The third takes six seconds before it asks the fourth: the first two have sent the token on long before.
    const { read, provisioning } = await chain({ slow: { u3: 6_000 } });
    expect(await read()).toBe("Temperature 21.5");
    expect(provisioning.outcomes.map(({ outcome }) => outcome)).toEqual(["right"]);
  });
});
