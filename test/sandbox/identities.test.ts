import { beforeEach, describe, expect, it } from "vitest";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { Refusal } from "../../src/core/refusal.ts";
import type { ClientCertificate } from "../../src/sandbox/identity-certificate.ts";
import { readAnyCertificate } from "../../src/sandbox/identity-certificate.ts";
import { Identities } from "../../src/sandbox/identities.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { makeKeyHolder } from "./key-holder.ts";

const HOUR = 3_600_000;
const THINGS = ["a@example.org", "b@example.org"] as BareJid[];
const holder = makeKeyHolder();
const real = readAnyCertificate(holder.pem) as ClientCertificate;
let clock: SimulatedClock;
let identities: Identities;
let told: string[];

beforeEach(() => {
  clock = new SimulatedClock();
  told = [];
  identities = new Identities({
    random: new SeededRandom("identities"),
    clock,
    unknown: "accept",
    keep: () => undefined,
    changed: (isConcerned) => void told.push(THINGS.filter(isConcerned).join()),
  });
});

/** The same key under another fingerprint. */
const one = (n: number, validTo = real.validTo): ClientCertificate => ({
  ...real,
  validTo,
  fingerprint: n.toString(16).padStart(64, "0"),
});

describe("identities", () => {
  it("P-5.4-1: are 10,000 at most that came by themselves; those that have expired and have no name make room", async () => {
    const soon = clock.now() + HOUR;
    identities.tokenFor(one(0, soon));
    identities.enrol(holder.pem, "device");
    for (let n = 1; n < 9_999; n++) identities.tokenFor(one(n));
    expect(identities.list).toHaveLength(10_000);
    expect(() => identities.admit(one(10_000))).toThrow(Refusal);
    expect(() => identities.admit(one(10_000))).toThrow(/resource-constraint/);
    expect(() => identities.admit(one(1))).not.toThrow(); // who is known may come again
    await clock.advance(HOUR + 1);
    expect(() => identities.admit(one(10_000))).not.toThrow();
    expect(identities.list).toHaveLength(9_999);
    // One with a name stays, expired or not: it is the operator's.
    identities.tokenFor(one(10_000));
    clock.jump(2 * 365 * 24 * HOUR);
    identities.admit(one(20_000, clock.now() + HOUR));
    expect(identities.list).toMatchObject([{ name: "device" }]);
  });

  it("P-5.4-1: that came by themselves are 100 of one account, which cannot take the room of the others", async () => {
    const [flood, other] = [bareJid("flood@example.org"), bareJid("other@example.org")];
    identities.tokenFor(one(0, clock.now() + HOUR), flood);
    for (let n = 1; n < 100; n++) identities.tokenFor(one(n), flood);
    expect(() => identities.admit(one(100), flood)).toThrow(/resource-constraint/);
    expect(() => identities.admit(one(99), flood)).not.toThrow(); // who is known may come again
    expect(() => identities.admit(one(100), other)).not.toThrow();
    await clock.advance(HOUR + 1);
    expect(() => identities.admit(one(100), flood)).not.toThrow();
    identities.tokenFor(one(100), flood);
    expect(() => identities.admit(one(101), flood)).toThrow(/resource-constraint/);
    // One that has got a name is the operator's.
    identities.tokenFor(real, other);
    identities.enrol(holder.pem, "device");
    for (let n = 200; n < 300; n++) identities.tokenFor(one(n), other);
    expect(() => identities.admit(one(300), other)).toThrow(/resource-constraint/);
  });

  it("P-3.1.3-5: end on time, whichever comes first, and are told of once", async () => {
    const [short, long] = [one(1, clock.now() + HOUR), one(2, clock.now() + 3 * HOUR)];
    const [a, b] = [long, short].map((certificate) => identities.behind(identities.tokenFor(certificate))!);
    identities.answered(a!, THINGS[0]!, true);
    identities.answered(b!, THINGS[1]!, true);
    await clock.advance(HOUR + 10);
    expect(told).toEqual([THINGS[1]]);
    await clock.advance(2 * HOUR);
    expect(told).toEqual([THINGS[1], THINGS[0]]);
    expect(clock.pending).toBe(0);
  });

  it("P-3.1.3-5: that ended because the clock was wrong are there again, with their tokens, when it is right", async () => {
    const now = clock.now();
    const token = identities.tokenFor(one(1, now + 3 * HOUR));
    identities.answered(identities.behind(token)!, THINGS[0]!, true);
    clock.jump(10 * HOUR);
    await clock.advance(HOUR);
    expect([told, identities.behind(token)]).toEqual([[THINGS[0]], undefined]);
    clock.jump(now - clock.now());
    identities.answered(identities.behind(token)!, THINGS[1]!, true);
    expect(identities.tokenFor(one(1, now + 3 * HOUR))).toBe(token);
    await clock.advance(3 * HOUR + 10);
    expect([told, identities.behind(token)]).toEqual([[THINGS[0], THINGS[1]], undefined]);
    expect(clock.pending).toBe(0);
    // One that was withdrawn never is.
    clock.jump(now - clock.now());
    identities.withdraw(one(1).fingerprint);
    expect(identities.behind(token)).toBeUndefined();
    identities.enrol(holder.pem, "device");
    expect(identities.behind(token)).toBeUndefined();
  });

  it("P-3.5.1-1: once proved are told of to all that were answered without them, also when those were too many to be counted", () => {
    const identity = identities.behind(identities.tokenFor(one(1)))!;
    for (let i = 0; i < 1_000; i++) identities.answered(identity, bareJid(`t${i}@example.org`), false);
    identities.answered(identity, THINGS[0]!, false);
    identities.proved(identity);
    expect(told).toEqual([THINGS.join()]);
    identities.proved(identity);
    expect(told).toHaveLength(1);
  });

  it("wait for nothing while no Thing is concerned", () => {
    identities.tokenFor(one(1));
    expect(clock.pending).toBe(0);
    identities.withdraw(one(1).fingerprint);
    expect(told).toEqual([]);
  });
});
