import { isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answersTo, additionalsTo, type HeardQuestion } from "../../src/sandbox/announce-answers.ts";
import {
  ALL_SERVICES,
  SERVICE_TYPE,
  givesWay,
  machineName,
  recordsOf,
  sameRecord,
  type HeardRecord,
  type OwnRecord,
} from "../../src/sandbox/announce-records.ts";

const service = { addresses: ["10.0.0.1", "fd77::1"], port: 5222, txt: ["txtvers=1", "ordom=example.com"] };
const records = recordsOf("pronto", service);
const question = (name: string, type: string, asked = "IN"): HeardQuestion => ({ name, type, class: asked });
const types = (list: readonly OwnRecord[]): readonly string[] => list.map(({ type }) => type);

describe("machine names", () => {
  it.each([
    ["pronto", 0, "pronto"],
    ["pronto", 1, "pronto-1"],
    ["pronto", 12, "pronto-12"],
    ["x".repeat(63), 0, "x".repeat(63)],
    ["x".repeat(63), 10, `${"x".repeat(60)}-10`],
  ])("D-3.3.2-10: %s after %i that were taken: %s", (base, attempt, name) => {
    expect(machineName(base, attempt)).toBe(name);
  });
});

describe("which records are the same", () => {
  const pairs: readonly (readonly [OwnRecord["type"], unknown, boolean])[] = [
    ["A", "10.0.0.1", true],
    ["A", "10.0.0.2", false],
    ["A", "1.2.undefined.undefined", false],
    ["AAAA", "fd77:0:0::0:1", true],
    ["AAAA", "FD77::0.0.0.1", true],
    ["AAAA", "fd77::1:0", false],
    ["AAAA", "::", false],
    ["AAAA", 7, false],
    ["SRV", { priority: 0, weight: 0, port: 5222, target: "PRONTO.local" }, true],
    ["SRV", { priority: 0, weight: 0, port: 5223, target: "pronto.local" }, false],
    ["SRV", { port: 5222 }, false],
    ["SRV", null, false],
    ["TXT", [Buffer.from("txtvers=1"), Buffer.from("ordom=example.com")], true],
    ["TXT", [Buffer.from("txtvers=1ordom=example.com")], false],
    ["TXT", Buffer.from("txtvers=1"), false],
    ["TXT", [null], false],
  ];
  it.each(pairs)("%s %j: %s", (type, data, same) => {
    const own = records.unique.find((record) => record.type === type);
    expect(own).toBeDefined();
    if (own !== undefined) expect(sameRecord(own, { name: own.name.toUpperCase(), type, ttl: 1, data })).toBe(same);
  });

  it("every IPv6 address is the same as itself, however it is written", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        fc.pre(isIPv6(address));
        const [own] = recordsOf("x", { ...service, addresses: [address] }).unique;
        const url = new URL(`http://[${address}]`).hostname.slice(1, -1);
        expect(own !== undefined && sameRecord(own, { name: "x.local", type: "AAAA", data: url })).toBe(true);
      }),
    );
  });
});

describe("who gives way (RFC 6762 8.2)", () => {
  const a = (data: string): OwnRecord => ({ name: "pronto.local", type: "A", ttl: 120, flush: true, data });
  const heardA = (data: string): HeardRecord => ({ name: "pronto.local", type: "A", data });

  it.each([
    // The example of RFC 6762 8.2: 169.254.200.50 is the later one.
    { ours: ["169.254.99.200"], theirs: ["169.254.200.50"], gives: true },
    { ours: ["169.254.200.50"], theirs: ["169.254.99.200"], gives: false },
    { ours: ["10.0.0.1"], theirs: ["10.0.0.1"], gives: false },
    { ours: ["10.0.0.2", "10.0.0.1"], theirs: ["10.0.0.1", "10.0.0.2"], gives: false },
    { ours: ["10.0.0.1"], theirs: ["10.0.0.1", "10.0.0.2"], gives: true },
    { ours: ["10.0.0.1", "10.0.0.2"], theirs: ["10.0.0.1"], gives: false },
  ])("$ours against $theirs: $gives", ({ ours, theirs, gives }) => {
    expect(givesWay(ours.map(a), theirs.map(heardA))).toBe(gives);
  });

  it("a record of a type that nobody knows comes last", () => {
    expect(givesWay([a("10.0.0.1")], [{ name: "pronto.local", type: "HTTPS", data: 1 }])).toBe(true);
  });

  it("of two exactly one gives way, unless they say the same", () => {
    const list = fc.array(fc.ipV4().map(a), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(list, list, (one, other) => {
        const texts = [one, other].map((each) =>
          each
            .map(({ data }) => JSON.stringify(data))
            .sort()
            .join(),
        );
        const both = [givesWay(one, other), givesWay(other, one)];
        expect(both.filter(Boolean)).toHaveLength(texts[0] === texts[1] ? 0 : 1);
      }),
    );
  });
});

describe("answers", () => {
  it.each([
    { asked: question(SERVICE_TYPE, "PTR"), answers: ["PTR"], additionals: ["A", "AAAA", "SRV", "TXT"] },
    { asked: question(SERVICE_TYPE, "ANY"), answers: ["PTR"], additionals: ["A", "AAAA", "SRV", "TXT"] },
    { asked: question(ALL_SERVICES, "PTR"), answers: ["PTR"], additionals: [] },
    { asked: question(records.instance, "SRV"), answers: ["SRV"], additionals: ["A", "AAAA"] },
    { asked: question(records.instance, "TXT"), answers: ["TXT"], additionals: [] },
    { asked: question(records.instance, "ANY"), answers: ["SRV", "TXT"], additionals: ["A", "AAAA"] },
    { asked: question(records.host, "A"), answers: ["A"], additionals: [] },
    { asked: question(records.host, "AAAA"), answers: ["AAAA"], additionals: [] },
    // With the bit that asks for an answer to the asker alone.
    { asked: question(records.host, "A", "UNKNOWN_32769"), answers: ["A"], additionals: [] },
    { asked: question(records.host, "A", "UNKNOWN_33023"), answers: ["A"], additionals: [] },
    { asked: question(records.host, "A", "CH"), answers: [], additionals: [] },
    { asked: question(records.host, "HINFO"), answers: ["NSEC"], additionals: [] },
    { asked: question(SERVICE_TYPE, "SRV"), answers: [], additionals: [] },
    { asked: question("other.local", "A"), answers: [], additionals: [] },
    { asked: question("_http._tcp.local", "PTR"), answers: [], additionals: [] },
  ])("to $asked.type of $asked.name in class $asked.class", ({ asked, answers, additionals }) => {
    const given = answersTo([asked], [], records);
    expect(types(given.answers)).toEqual(answers);
    expect(types(given.additionals)).toEqual(additionals);
  });

  it("say which types a name has, when it has not the one that is asked for (RFC 6762 6.1)", () => {
    const only = recordsOf("pronto", { ...service, addresses: ["10.0.0.1"] });
    const { answers } = answersTo([question("pronto.local", "AAAA")], [], only);
    expect(answers).toEqual([
      {
        name: "pronto.local",
        type: "NSEC",
        ttl: 120,
        flush: true,
        data: { nextDomain: "pronto.local", rrtypes: ["A"] },
      },
    ]);
  });

  it.each([
    { ttl: 4_500, told: [] },
    { ttl: 2_250, told: [] },
    { ttl: 2_249, told: ["PTR"] },
    { ttl: undefined, told: ["PTR"] },
  ])("do not repeat what the asker knows for another $ttl s (RFC 6762 7.1)", ({ ttl, told }) => {
    const known = { name: SERVICE_TYPE, type: "PTR", ttl, data: `Pronto.${SERVICE_TYPE}` };
    expect(types(answersTo([question(SERVICE_TYPE, "PTR")], [known], records).answers)).toEqual(told);
  });

  it("come once, however often it is asked, and only to the first 64 questions", () => {
    const noise = Array.from({ length: 63 }, (_, index) => question(`x${index}.local`, "A"));
    const ours = question(records.host, "A");
    expect(types(answersTo([...noise, ours, ours], [], records).answers)).toEqual(["A"]);
    expect(types(answersTo([...noise, noise[0]!, ours], [], records).answers)).toEqual([]);
  });

  it("go with the address of what they name, once", () => {
    expect(types(additionalsTo(records.all, records))).toEqual([]);
    expect(types(additionalsTo([records.enumeration], records))).toEqual([]);
  });

  it("to whatever is asked are records of ours and nothing else", () => {
    const names = fc.constantFrom(records.host, records.instance, SERVICE_TYPE, ALL_SERVICES, "", ".", "a.local");
    const asked = fc.record({ name: names, type: fc.oneof(fc.constantFrom("A", "PTR", "SRV", "ANY"), fc.string()) });
    const known = fc.record({
      name: names,
      type: fc.constantFrom("A", "AAAA", "PTR", "SRV", "TXT", "OPT", "UNKNOWN_9"),
      ttl: fc.option(fc.nat(), { nil: undefined }),
      data: fc.anything(),
    });
    fc.assert(
      fc.property(fc.array(asked), fc.array(known), (questions, knows) => {
        const { answers, additionals } = answersTo(questions, knows, records);
        for (const record of [...answers, ...additionals]) {
          expect([...records.all, ...records.nothingElse]).toContain(record);
        }
      }),
    );
  });
});
