import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { LineReader } from "../../src/cli/line-reader.ts";

function reader(terminal: boolean): { lines: LineReader; input: PassThrough; output: PassThrough; end: () => void } {
  const [input, output, ended] = [new PassThrough(), new PassThrough(), new AbortController()];
  const interrupted = (): void => undefined;
  const lines = new LineReader({ input, output, terminal, signal: ended.signal, interrupted });
  return { lines, input, output, end: () => ended.abort() };
}

describe("lines of a command's input", () => {
  it("wait in their order where a program writes them, and end with it", async () => {
    const { lines, input, output } = reader(false);
    input.end(Array.from({ length: 50 }, (_, i) => `${i}\n`).join(""));
    for (let i = 0; i < 50; i++) expect(await lines.next("> ")).toBe(String(i));
    expect(await lines.next("> ")).toBeUndefined();
    expect(await lines.next("> ")).toBeUndefined();
    expect(output.read()).toBeNull(); // no prompt for a program
  });

  it("are no answer to what a person had not seen when they were typed", async () => {
    const { lines, input, output } = reader(true);
    const first = lines.next("first> ");
    input.write("always\nalways\n");
    expect(await first).toBe("always");
    const second = lines.next("second> ");
    input.write("never\n");
    expect(await second).toBe("never");
    expect(String(output.read())).toContain("second> ");
  });

  it("end when the command does", async () => {
    const { lines, end } = reader(false);
    const line = lines.next("> ");
    end();
    expect(await line).toBeUndefined();
  });
});
