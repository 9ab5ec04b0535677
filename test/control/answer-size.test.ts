import { describe, expect, test } from "vitest";
import { Refusal } from "../../src/core/refusal.ts";
import { buildSet, parseSetResponse } from "../../src/codec/control.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseError } from "../../src/codec/stanza.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { ControlParameter } from "../../src/control/definition.ts";
import { nodeSite, reader, server, yes } from "../support/node-site.ts";
import type { Outcome } from "../support/scripted-wire.ts";

const bytesOf = ({ write }: Outcome): number => Buffer.byteLength(write.map(String).join(""));
const problemsIn = ({ write }: Outcome) => parseError(write[0]?.getChild("error"));
const set = (names: readonly string[], nodes: readonly string[] = []): XmlElement =>
  buildSet({
    nodes: nodes.map((nodeId) => ({ nodeId })),
    tokens: {},
    parameters: names.map((name) => ({ kind: "boolean", name, value: true })),
  });
const parameter = (name: string, act: () => void | Promise<void> = () => undefined): ControlParameter => ({
  name,
  set: act,
});
const many = (count: number, name: string): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index}`);

describe("an answer to a control is below 10,000 bytes, which all servers take (RFC 6120 13.12)", () => {
  test("XEP-0325 3.1.3: of many parameters that are wrong as many are told as fit", async () => {
    const names = many(900, "Name & ");
    const { wire } = await nodeSite([{ control: [parameter("LED")] }]);
    const answer = await wire.ask(reader, "set", set(names));
    expect(bytesOf(answer)).toBeLessThan(10_000);
    const { condition, parameters = [] } = problemsIn(answer);
    expect([condition, parameters[0]]).toEqual(["item-not-found", { name: "Name & 0", text: "No such parameter." }]);
    expect(parameters.length).toBeGreaterThan(50);
  });

  test("and a name that is too long for it holds up no others", async () => {
    const { wire } = await nodeSite([{ control: [parameter("LED")] }]);
    const answer = await wire.ask(reader, "set", set(["x".repeat(12_000), "Lamp"]));
    expect(bytesOf(answer)).toBeLessThan(10_000);
    expect(problemsIn(answer).parameters).toEqual([{ name: "Lamp", text: "No such parameter." }]);
  });

  test("also to a stranger who sends something of a very long name, or values of that", async () => {
    const { wire } = await nodeSite([{ control: [parameter("LED")] }]);
    const odd = el("set", { xmlns: ns.control }, el("x".repeat(100_000), { name: "LED" }));
    const answer = await wire.ask("stranger@example.org/x", "set", odd);
    expect([answer.condition, bytesOf(answer) < 10_000]).toEqual(["bad-request", true]);
    const long = parseXml(`<set xmlns='${ns.control}'><int name='${"x".repeat(100_000)}' value='x'/></set>`);
    expect(bytesOf(await wire.ask("stranger@example.org/x", "set", long))).toBeLessThan(10_000);
  });

  test("whatever a device says in a refusal, with what was set before it", async () => {
    const words = "&\u{1F321}".repeat(50_000);
    const { wire } = await nodeSite([
      {
        control: [
          parameter("First"),
          parameter("LED", () => {
            throw new Refusal("conflict", words);
          }),
        ],
      },
    ]);
    const answer = await wire.ask(reader, "set", set(["First", "LED"]));
    expect(bytesOf(answer)).toBeLessThan(10_000);
    const { condition, text, parameters = [] } = problemsIn(answer);
    expect([condition, parameters.map(({ name }) => name)]).toEqual(["conflict", ["LED"]]);
    expect(text).toContain("&\u{1F321}&… Already set: First.");
  });

  test("P-3.4.2-7: of what was done where not all was allowed as much is told as fits, and nothing else", async () => {
    const nodes = many(300, "node & cellar ");
    const names = many(600, "P");
    const done = new Set<string>();
    const { wire } = await nodeSite(
      nodes.map((nodeId) => ({
        node: { nodeId },
        control: ["LED", ...names].map((name) => parameter(name, () => void done.add(`${nodeId} ${name}`))),
      })),
    );
    const [, ...granted] = nodes;
    wire.peer(server, (question) =>
      yes(
        question,
        granted.map((nodeId) => ({ nodeId })),
        ["LED"],
      ),
    );
    const some = await wire.ask(reader, "set", set(["LED", "P0"], nodes));
    expect([bytesOf(some) < 10_000, done.size]).toEqual([true, 299]);
    const told = parseSetResponse(some.payload);
    expect(told.parameters).toEqual(["LED"]);
    expect(told.nodes).toEqual(granted.slice(0, told.nodes.length).map((nodeId) => ({ nodeId })));
    expect(told.nodes.length).toBeGreaterThan(100);
    wire.peer(server, (question) => yes(question, [{ nodeId: nodes[0] ?? "" }], names));
    const other = await wire.ask(reader, "set", set(["LED", ...names], nodes.slice(0, 2)));
    expect(bytesOf(other)).toBeLessThan(10_000);
    const rest = parseSetResponse(other.payload);
    expect(rest.nodes).toEqual([{ nodeId: nodes[0] }]);
    expect(rest.parameters).toEqual(names.slice(0, rest.parameters.length));
    expect(rest.parameters.length).toBeGreaterThan(100);
  });

  test("P-3.4.2-7: one name is told in any case: a list without any would mean everything", async () => {
    const long = "x".repeat(12_000);
    const { wire } = await nodeSite([{ control: [parameter(long), parameter("LED")] }]);
    wire.peer(server, (question) => yes(question, [], [long]));
    const answer = await wire.ask(reader, "set", set([long, "LED"]));
    expect(parseSetResponse(answer.payload).parameters).toEqual([long]);
  });
});
