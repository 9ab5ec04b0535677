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

  it("stay where they are typed: what is said meanwhile stands above the prompt", async () => {
    const { lines, input, output } = reader(true);
    lines.above(() => output.write("before\n"));
    expect(String(output.read())).toBe("before\n");
    const line = lines.next("answer> ");
    input.write("alw");
    await expect.poll(() => String(output.read() ?? "")).toContain("w");
    lines.above(() => output.write("somebody came\n"));
    const said = String(output.read());
    expect(said).toContain("\u001b[0Jsomebody came\n"); // the prompt was cleared away
    expect(said.endsWith("answer> alw\u001b[12G")).toBe(true);
    input.write("ays\n");
    expect(await line).toBe("always");
    output.read();
    lines.above(() => output.write("after\n"));
    expect(String(output.read())).toBe("after\n");
  });

  it("of more than one row are drawn anew below what is said", () => {
    const { lines, input, output } = reader(true);
    Object.assign(output, { columns: 20 });
    void lines.next("answer> ");
    input.write("field=TemperatureOutside");
    output.read();
    lines.above(() => output.write("somebody came\n"));
    const said = String(output.read());
    // One row up to the prompt, and after the news a row down, from where it is drawn one row up again.
    expect(said.startsWith("\u001b[1A\u001b[1G\u001b[0Jsomebody came\n\n")).toBe(true);
    expect(said).toContain("answer> field=TemperatureOutside");
  });

  it("of a program have nothing written above them", () => {
    const { lines, output } = reader(false);
    void lines.next("> ");
    lines.above(() => output.write("said\n"));
    expect(String(output.read())).toBe("said\n");
  });

  it("end when the command does", async () => {
    const { lines, end } = reader(false);
    const line = lines.next("> ");
    end();
    expect(await line).toBeUndefined();
  });
});
