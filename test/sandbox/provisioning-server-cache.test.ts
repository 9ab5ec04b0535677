import { describe, expect, it } from "vitest";
import { parseJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { CacheInvalidation, type KeptDevice } from "../../src/sandbox/provisioning-server-cache.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { Sessions } from "../../src/sandbox/sessions.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const random = new SeededRandom("cache");

function invalidation(): { cache: CacheInvalidation; kept: Map<string, KeptDevice>; sent: string[] } {
  const kept = new Map<string, KeptDevice>();
  const sent: string[] = [];
  const cache = new CacheInvalidation({
    ...{ from: "provisioning.example.org", random, clock: new SimulatedClock(), logger: silentLogger, retry: 1_000 },
    byPresence: false,
    output: (stanzas) => sent.push(...stanzas.map(({ attrs }) => attrs["to"] ?? "")),
    keep: (jid, is) => void kept.set(jid, is),
  });
  return { cache, kept, sent };
}

describe("who may have answers in their caches", () => {
  it("are 100,000 at the most: further ones are refused, and those who are known go on", () => {
    const { cache } = invalidation();
    for (let i = 0; i < 100_000; i++) cache.asked(parseJid(`thing${i}@example.org/x`));
    expect(() => cache.asked(parseJid("late@example.org/x"))).toThrow("Too many Things have asked.");
    cache.asked(parseJid("thing0@example.org/y"));
  });

  it("a service that goes by names without end is kept with 32", () => {
    const { cache, kept } = invalidation();
    const service = parseJid("energy@example.org/service");
    cache.asked(service);
    cache.serves(
      service.bare,
      Array.from({ length: 40 }, (_, i) => `name${i}`),
    );
    expect(kept.get(service.bare)?.services).toHaveLength(32);
  });

  it("are told at the sixteen addresses that they used last: sessions without end do not fill the memory", () => {
    const { cache, sent } = invalidation();
    for (let i = 0; i < 40; i++) cache.asked(parseJid(`thing@example.org/${i}`));
    for (let i = 40; i < 60; i++) cache.presence(parseJid(`thing@example.org/${i}`), true);
    cache.asked(parseJid("thing@example.org/45")); // not the oldest any more
    cache.presence(parseJid("thing@example.org/60"), true);
    cache.changed(() => true);
    const addresses = [...Array.from({ length: 14 }, (_, i) => i + 46), 45, 60];
    expect(sent).toEqual(addresses.map((i) => `thing@example.org/${i}`));
  });

  it("those who send presence and never ask are forgotten, of more than 100,000 the first; who has asked never is", () => {
    const { cache, sent } = invalidation();
    cache.asked(parseJid("thing@example.org/x"));
    cache.presence(parseJid("stranger0@example.org/x"), true);
    cache.serves(parseJid("known@example.org/x").bare, ["energy"]);
    cache.presence(parseJid("known@example.org/x"), true);
    for (let i = 1; i < 100_000; i++) cache.presence(parseJid(`stranger${i}@example.org/x`), true);
    // Their presence is not known any more: where they ask from is.
    cache.asked(parseJid("stranger0@example.org/y"));
    cache.asked(parseJid("known@example.org/x"));
    cache.changed(() => true);
    expect(sent).toEqual(["thing@example.org/x", "stranger0@example.org/y", "known@example.org/x"]);
  });

  it("nobody is made to forget who never asked", () => {
    const { cache, sent } = invalidation();
    const stranger = parseJid("stranger@example.org/x");
    cache.forget(stranger);
    cache.changed(() => true);
    expect([sent, cache.due, cache.hasForgotten(stranger.bare, 0)]).toEqual([[], [], false]);
  });
});

describe("who was answered because of a user in a service", () => {
  it("is known of 1,000; of more of them everybody counts, until they have forgotten what they were told last", () => {
    let forgotten = 0;
    const sessions = new Sessions({
      ...{ random, most: 10, moment: () => 5, changed: () => undefined },
      hasForgotten: (_, moment) => forgotten > moment,
    });
    const [by, known, stranger] = ["energy@x", "thing0@x", "stranger@x"].map((jid) => parseJid(jid).bare);
    const session = sessions.begin("energy", by!, []);
    sessions.answered("no such token", known!);
    for (let i = 0; i < 999; i++) sessions.answered(session.token, parseJid(`thing${i}@x`).bare);
    expect([known, stranger].map((jid) => sessions.concerning()(jid!))).toEqual([true, false]);
    sessions.answered(session.token, parseJid("one.too.many@x").bare);
    sessions.answered(session.token, known!);
    expect(sessions.concerning()(stranger!)).toBe(true);
    forgotten = 6;
    expect([known, stranger].map((jid) => sessions.concerning()(jid!))).toEqual([false, false]);
    expect(sessions.size).toBe(1);
  });

  it("is found out by one look for each Thing, however many users there are", () => {
    let looks = 0;
    let moment = 0;
    const sessions = new Sessions({
      ...{ random, most: 1_000, moment: () => ++moment, changed: () => undefined },
      hasForgotten: (_, last) => ++looks > 0 && last < 500,
    });
    const [by, other] = ["energy@x", "water@x"].map((jid) => parseJid(jid).bare);
    for (let i = 0; i < 400; i++) sessions.begin("energy", by!, []);
    const isConcerned = sessions.concerning();
    expect([by, other].map((jid) => isConcerned(jid!))).toEqual([false, false]);
    for (let i = 0; i < 400; i++) sessions.begin(`service${i}`, other!, []);
    expect([by, other].map((jid) => sessions.concerning()(jid!))).toEqual([false, true]);
    expect(looks).toBe(3);
  });
});
