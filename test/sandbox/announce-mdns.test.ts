import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MOST_NAMES } from "../../src/sandbox/announce-mdns.ts";
import type { OwnRecord } from "../../src/sandbox/announce-records.ts";
import { Link, TYPE } from "./announce-link.ts";

const INSTANCE = `pronto.${TYPE}`;
const address = (data: string, name = "pronto.local", ttl = 120): OwnRecord => ({
  name,
  type: "A",
  ttl,
  flush: true,
  data,
});
const server = (port: number, target: string): OwnRecord => {
  return { name: INSTANCE, type: "SRV", ttl: 120, flush: true, data: { priority: 0, weight: 0, port, target } };
};
const pointer = (ttl: number): OwnRecord => ({ name: TYPE, type: "PTR", ttl, flush: false, data: INSTANCE });
const ask = (name: string, type: string) => ({ type: "query", questions: [{ name, type, class: "IN" }] }) as const;

/** One that has its name and has announced it twice. */
async function announced(options: Parameters<Link["responder"]>[1] = {}) {
  const link = new Link();
  const wire = link.wire("10.0.0.1");
  const responder = link.responder("10.0.0.1", { wire, ...options });
  const started = responder.start();
  await link.clock.advance(5_000);
  await started;
  return { link, responder, wire, begin: link.clock.monotonic() };
}

describe("finding a name", () => {
  it("asks three times for machine and instance, a quarter of a second apart, before it says anything (RFC 6762 8.1)", async () => {
    const { link } = await announced();
    const questions = link.log("query");
    expect(questions).toHaveLength(3);
    const times = questions.map((line) => Number(line.split(" ")[0]));
    expect(times[0]).toBeLessThan(250);
    expect(times.map((at) => at - (times[0] ?? 0))).toEqual([0, 250, 500]);
    expect(questions[0]).toContain(`ANY pronto.local, ANY ${INSTANCE}`);
    const types = link.passed[0]?.packet.authorities?.map(({ type }) => type);
    expect(types).toEqual(["A", "SRV", "TXT"]);
    expect(link.passed.findIndex(({ packet }) => packet.type === "response")).toBe(3);
  });

  it("D-3.3.2-1, -3 to -7: announces PTR, address, SRV and TXT records twice, a second apart, with lifetimes of 120 and 4500 s", async () => {
    const { link, responder } = await announced();
    const responses = link.passed.filter(({ packet }) => packet.type === "response");
    expect(responses).toHaveLength(2);
    expect((responses[1]?.at ?? 0) - (responses[0]?.at ?? 0)).toBe(1_000);
    expect(responses[0]?.packet.answers).toEqual([
      pointer(4_500),
      { name: "_services._dns-sd._udp.local", type: "PTR", ttl: 4_500, flush: false, data: TYPE },
      address("10.0.0.1"),
      server(5222, "pronto.local"),
      { name: INSTANCE, type: "TXT", ttl: 4_500, flush: true, data: ["txtvers=1", "ordom=example.com"] },
    ]);
    expect(responses[1]?.packet.answers).toEqual(responses[0]?.packet.answers);
    expect(responder.machine).toBe("pronto.local");
  });

  it("D-3.3.2-4: announces an IPv6 address as AAAA", async () => {
    const service = { addresses: ["10.0.0.1", "fd77::1"], port: 5222, txt: [] };
    const { link } = await announced({ service });
    expect(link.answers()).toContain("AAAA pronto.local 120");
    expect(link.answers()).toContain("A pronto.local 120");
  });

  it("D-3.3.2-9, -10: takes -1, -2 and so on when the name is taken", async () => {
    const link = new Link();
    const machines = [];
    for (const host of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) {
      const responder = link.responder(host);
      const started = responder.start();
      await link.clock.advance(5_000);
      await started;
      machines.push(responder.machine);
    }
    expect(machines).toEqual(["pronto.local", "pronto-1.local", "pronto-2.local"]);
    const last = link.passed.at(-1)?.packet.answers?.find(({ type }) => type === "SRV");
    expect(last).toMatchObject({ name: `pronto-2.${TYPE}`, data: { target: "pronto-2.local" } });
  });

  it("D-3.3.2-9: also when only the instance, or only the machine, has the name", async () => {
    for (const record of [server(1, "other.local"), address("10.0.0.7")]) {
      const link = new Link();
      const responder = link.responder("10.0.0.1");
      const started = responder.start();
      await link.clock.advance(300);
      link.say({ type: "response", answers: [record] });
      await link.clock.advance(5_000);
      await started;
      expect(responder.machine).toBe("pronto-1.local");
    }
  });

  it.each([
    { what: "a goodbye", packet: { type: "response", answers: [address("10.0.0.7", "pronto.local", 0)] }, port: 5353 },
    { what: "another name", packet: { type: "response", answers: [address("10.0.0.7", "other.local")] }, port: 5353 },
    { what: "what does not come from the port", packet: { type: "response", answers: [address("10.0.0.7")] }, port: 9 },
    { what: "a question for the name", packet: ask("pronto.local", "A"), port: 5353 },
  ] as const)("$what takes no name away", async ({ packet, port }) => {
    const link = new Link();
    const responder = link.responder("10.0.0.1");
    const started = responder.start();
    await link.clock.advance(300);
    link.say(packet, "10.0.0.7", port);
    await link.clock.advance(2_000);
    await started;
    expect(responder.machine).toBe("pronto.local");
  });

  it("of two that ask for a name at the same time one waits, and takes the next (RFC 6762 8.2)", async () => {
    const link = new Link();
    const both = [link.responder("10.0.0.1"), link.responder("10.0.0.2")];
    const started = both.map((responder) => responder.start());
    await link.clock.advance(10_000);
    await Promise.all(started);
    // The later data wins.
    expect(both.map(({ machine }) => machine)).toEqual(["pronto-1.local", "pronto.local"]);
  });

  it("two on one host, with the same address, get two names", async () => {
    const link = new Link();
    const wires = { service: { addresses: ["10.0.0.1"], port: 5223, txt: [] } };
    const both = [link.responder("10.0.0.1"), link.responder("10.0.0.1b", { ...wires, seed: 2 })];
    const started = both.map((responder) => responder.start());
    await link.clock.advance(10_000);
    await Promise.all(started);
    expect(new Set(both.map(({ machine }) => machine))).toEqual(new Set(["pronto.local", "pronto-1.local"]));
  });

  it("gives up where every name is taken, and goes slowly there", async () => {
    const link = new Link();
    const responder = link.responder("10.0.0.1");
    const failed = responder.start().catch((error: unknown) => error);
    const liar = link.wire("10.0.0.66");
    liar.onPacket = ({ type, questions }) => {
      if (type === "query") link.say({ type: "response", answers: [address("10.0.0.66", questions[0]?.name)] });
    };
    await link.clock.advance(15_000);
    expect(link.log("query").length).toBeLessThanOrEqual(17);
    await link.clock.advance(60_000);
    expect(await failed).toMatchObject({
      code: "ERR_CONNECTION",
      message: `every name from pronto.local to pronto-${MOST_NAMES - 1}.local is taken on this network`,
    });
    expect(link.answers().filter((answer) => answer.startsWith("PTR"))).toEqual([]);
    await responder.stop();
    expect(link.clock.pending).toBe(0);
  });
});

describe("a conflict that comes later", () => {
  it("D-3.3.2-9: asks again for its name, and takes the next if the other one defends it", async () => {
    const told: string[] = [];
    const { link, responder, begin } = await announced({ onRename: (machine) => told.push(machine) });
    const other = link.wire("10.0.0.66");
    other.onPacket = ({ type, questions }) => {
      const asked = type === "query" && questions.some(({ name }) => name === "pronto.local");
      if (asked) link.say({ type: "response", answers: [address("10.0.0.66")] }, "10.0.0.66");
    };
    link.say({ type: "response", answers: [address("10.0.0.66")] }, "10.0.0.66");
    await link.clock.advance(5_000);
    expect(responder.machine).toBe("pronto-1.local");
    expect(told).toEqual(["pronto-1.local"]);
    // Goodbye to what was ours alone, not to what is the other's now.
    const goodbyes = link.answers(begin).filter((answer) => answer.endsWith(" 0"));
    expect(goodbyes).toEqual([`PTR ${TYPE} 0`, `SRV ${INSTANCE} 0`, `TXT ${INSTANCE} 0`]);
    expect(link.answers(begin)).toContain("A pronto-1.local 120");
  });

  it("says goodbye to nothing where all its names are claimed, and gives them back when stopped meanwhile", async () => {
    const { link, responder, begin } = await announced();
    link.say({ type: "response", answers: [address("10.0.0.66"), server(1, "liar.local")] }, "10.0.0.66");
    await link.clock.advance(10);
    await responder.stop();
    expect(link.passed.filter(({ at }) => at >= begin)).toEqual([]);
    expect(link.clock.pending).toBe(0);
  });

  it("keeps its name if the other one is silent then", async () => {
    const { link, responder, begin } = await announced();
    link.say({ type: "response", answers: [server(1, "liar.local")] }, "10.0.0.66");
    await link.clock.advance(5_000);
    expect(responder.machine).toBe("pronto.local");
    expect(link.answers(begin).filter((answer) => answer === "A pronto.local 120")).toHaveLength(2);
    expect(link.answers(begin)).not.toContain(`SRV ${INSTANCE} 0`);
  });

  it("does not take what it has just said itself for another's", async () => {
    const { link, responder } = await announced();
    link.say({ type: "response", answers: [address("10.0.0.66")] }, "10.0.0.66");
    link.say({ type: "response", answers: [address("10.0.0.1"), server(5222, "pronto.local")] }, "10.0.0.1");
    await link.clock.advance(5_000);
    expect(responder.machine).toBe("pronto.local");
  });

  it("one who contradicts all the time makes it ask more and more rarely", async () => {
    const { link } = await announced();
    for (let second = 0; second < 60; second++) {
      link.say({ type: "response", answers: [address("10.0.0.66")] }, "10.0.0.66");
      link.say({ type: "response", answers: [address("10.0.0.66")] }, "10.0.0.66");
      await link.clock.advance(1_000);
    }
    expect(link.passed.length).toBeLessThan(400);
  });

  it.each([
    { what: "what it says itself", answers: [address("10.0.0.1"), server(5222, "pronto.local")] },
    {
      what: "an address of another kind",
      answers: [{ name: "pronto.local", type: "AAAA", ttl: 120, flush: true, data: "fd77::66" }],
    },
    {
      what: "another instance",
      answers: [{ name: TYPE, type: "PTR", ttl: 4_500, flush: false, data: `other.${TYPE}` }],
    },
  ] as const)("$what is none", async ({ answers }) => {
    const { link, begin } = await announced();
    link.say({ type: "response", answers }, "10.0.0.66");
    await link.clock.advance(5_000);
    expect(link.passed.filter(({ at }) => at >= begin)).toEqual([]);
  });

  it("says again what somebody says is no more (RFC 6762 6.6)", async () => {
    const { link, begin } = await announced();
    link.say({ type: "response", answers: [pointer(0), address("10.0.0.1", "pronto.local", 10)] }, "10.0.0.66");
    await link.clock.advance(5_000);
    expect(link.answers(begin)).toEqual([`PTR ${TYPE} 4500`, "A pronto.local 120"]);
  });
});

describe("answering", () => {
  it("answers for the type of service after 20 to 120 ms, with all that will be asked next (RFC 6763 12.1)", async () => {
    const { link, begin } = await announced();
    link.say(ask(TYPE.toUpperCase(), "PTR"), "10.0.0.5");
    await link.clock.advance(1_000);
    const [reply, ...others] = link.passed.filter(({ at }) => at >= begin);
    expect(others).toEqual([]);
    expect((reply?.at ?? 0) - begin).toBeGreaterThanOrEqual(20);
    expect((reply?.at ?? 0) - begin).toBeLessThanOrEqual(120);
    expect(reply?.to).toBeUndefined();
    expect(reply?.packet.answers?.map(({ type }) => type)).toEqual(["PTR"]);
    expect(reply?.packet.additionals?.map(({ type }) => type)).toEqual(["A", "SRV", "TXT"]);
  });

  it("answers for its own names at once", async () => {
    const { link, begin } = await announced();
    link.say(ask("Pronto.Local", "A"), "10.0.0.5");
    await link.clock.advance(10);
    link.say(ask(INSTANCE, "SRV"), "10.0.0.5");
    await link.clock.advance(10);
    expect(link.answers(begin)).toEqual(["A pronto.local 120", `SRV ${INSTANCE} 120`]);
  });

  it("says the same to all at most once in a second, and loses no question for it", async () => {
    const { link, begin } = await announced();
    for (let time = 0; time < 100; time++) {
      link.say(ask("pronto.local", "A"), "10.0.0.5");
      link.say(ask("pronto.local", "AAAA"), "10.0.0.5");
      await link.clock.advance(20);
    }
    await link.clock.advance(5_000);
    expect(link.answers(begin).filter((answer) => answer.startsWith("A "))).toHaveLength(3);
    expect(link.answers(begin).filter((answer) => answer.startsWith("NSEC "))).toHaveLength(3);
    expect(link.clock.pending).toBe(0);
  });

  it("defends its name sooner than that", async () => {
    const { link, begin } = await announced();
    const probe = { ...ask("pronto.local", "ANY"), authorities: [address("10.0.0.66")] };
    link.say(probe, "10.0.0.66");
    await link.clock.advance(250);
    link.say(probe, "10.0.0.66");
    await link.clock.advance(5);
    expect(link.answers(begin)).toEqual(["A pronto.local 120", "A pronto.local 120"]);
  });

  it("answers who asks from another port himself, with his question, and for 10 s only (RFC 6762 6.7)", async () => {
    const { link, begin } = await announced();
    link.say({ ...ask(TYPE, "PTR"), id: 4711 }, "10.0.0.5", 40_000);
    await link.clock.advance(0);
    const [reply, ...others] = link.passed.filter(({ at }) => at >= begin);
    expect(others).toEqual([]);
    expect(reply?.to).toEqual({ address: "10.0.0.5", port: 40_000 });
    expect(reply?.packet).toMatchObject({ id: 4711, questions: [{ name: TYPE, type: "PTR" }] });
    const all = [...(reply?.packet.answers ?? []), ...(reply?.packet.additionals ?? [])];
    expect(all.map(({ type }) => type)).toEqual(["PTR", "A", "SRV", "TXT"]);
    expect(all.every(({ ttl, flush }) => ttl === 10 && !flush)).toBe(true);
  });

  it("answers nobody at port 0, which no socket can send to", async () => {
    const { link, begin } = await announced();
    link.say(ask(TYPE, "PTR"), "10.0.0.5", 0);
    await link.clock.advance(2_000);
    expect(link.passed.filter(({ at }) => at >= begin)).toEqual([]);
  });

  it("says nothing while it has no name", async () => {
    const link = new Link();
    const responder = link.responder("10.0.0.1");
    void responder.start();
    await link.clock.advance(600);
    link.say(ask(TYPE, "PTR"), "10.0.0.5", 40_000);
    await link.clock.advance(10);
    expect(link.log("response")).toEqual([]);
  });
});

describe("whatever is heard", () => {
  const names = fc.constantFrom("pronto.local", "PRONTO.LOCAL", INSTANCE, TYPE, "other.local", "", ".", "\0");
  const types = fc.constantFrom("A", "AAAA", "PTR", "SRV", "TXT", "NSEC", "OPT", "ANY", "UNKNOWN_0", "UNKNOWN_65");
  const record = fc.record({
    name: names,
    type: types,
    class: fc.constantFrom("IN", "ANY", "UNKNOWN_0", undefined),
    ttl: fc.constantFrom(undefined, 0, 1, 60, 120, 4_500, 2 ** 32 - 1),
    data: fc.oneof(fc.ipV4(), fc.ipV6(), names, fc.uint8Array(), fc.anything()),
  });
  const packet = fc.record({
    type: fc.constantFrom("query" as const, "response" as const),
    id: fc.nat(65_535),
    questions: fc.array(fc.record({ name: names, type: types, class: fc.constantFrom("IN", "UNKNOWN_32769", "CH") })),
    answers: fc.array(record),
    authorities: fc.array(record),
    additionals: fc.array(record),
  });
  const sender = fc.record({ address: fc.constant("10.0.0.66"), port: fc.constantFrom(0, 1, 5353, 65_535) });

  it("throws nothing, leaves few timers behind, and it goes on answering under some name", async () => {
    const heard = fc.array(fc.tuple(packet, sender, fc.constantFrom(0, 10, 300, 2_000)), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(heard, async (packets) => {
        const { link, responder, wire } = await announced();
        for (const [each, from, pause] of packets) {
          wire.onPacket(each, from);
          expect(link.clock.pending).toBeLessThan(20);
          await link.clock.advance(pause);
        }
        await link.clock.advance(20_000);
        const begin = link.clock.monotonic();
        link.say(ask(TYPE, "PTR"), "10.0.0.5", 40_000);
        await link.clock.advance(0);
        const [reply] = link.passed.filter(({ at, to }) => at >= begin && to !== undefined);
        expect(reply?.packet.answers?.[0]?.data).toBe(responder.machine.replace("local", TYPE));
        await responder.stop();
        expect(link.clock.pending).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

describe("stopping", () => {
  it("says goodbye to what is its own, and not to what others may have too (RFC 6762 10.1)", async () => {
    const { link, responder, begin } = await announced();
    await responder.stop();
    await responder.stop();
    expect(link.answers(begin)).toEqual([
      `PTR ${TYPE} 0`,
      "A pronto.local 0",
      `SRV ${INSTANCE} 0`,
      `TXT ${INSTANCE} 0`,
    ]);
    expect(link.clock.pending).toBe(0);
    link.say(ask("pronto.local", "A"), "10.0.0.5", 40_000);
    await link.clock.advance(1_000);
    expect(link.answers(begin)).toHaveLength(4);
  });

  it("says none before it has announced anything; who waits for the start hears of it", async () => {
    const link = new Link();
    const responder = link.responder("10.0.0.1");
    const failed = responder.start().catch((error: unknown) => error);
    await link.clock.advance(400);
    await responder.stop();
    expect(await failed).toMatchObject({ code: "ERR_CONNECTION" });
    await link.clock.advance(5_000);
    expect(link.answers()).toEqual([]);
    expect(link.clock.pending).toBe(0);
  });
});
