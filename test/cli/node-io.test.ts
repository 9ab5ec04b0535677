import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { askLine, nodeIo } from "../../src/cli/node-io.ts";

describe("the real world around the command line", () => {
  it("makes folders and files that only this user may read, and removes them", async () => {
    const io = nodeIo();
    const folder = await io.makeFolder();
    const file = join(folder, "secret");
    await io.writeFile(file, "text");
    expect(await io.readFile(file)).toBe("text");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await io.removeFolder(folder);
    expect(existsSync(folder)).toBe(false);
  });

  it("leaves to nobody else a file that others could read, nor anything of what stood in it", async () => {
    const io = nodeIo();
    const folder = await io.makeFolder();
    const file = join(folder, "sticker.svg");
    writeFileSync(file, "longer than what comes");
    chmodSync(file, 0o644);
    await io.writeFile(file, new TextEncoder().encode("secret"));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toBe("secret");
    const { mode } = statSync("/dev/null");
    await io.writeFile("/dev/null", "secret"); // no file: it stays everybody's
    expect(statSync("/dev/null").mode).toBe(mode);
    await io.removeFolder(folder);
  });

  it("is told to end by the first SIGTERM", () => {
    const { ended } = nodeIo();
    expect(ended.aborted).toBe(false);
    process.emit("SIGTERM");
    expect(ended.aborted).toBe(true);
  });

  const streams = (): { input: PassThrough; output: PassThrough } => ({
    input: new PassThrough(),
    output: new PassThrough(),
  });

  it("asks a person for a line", async () => {
    const { input, output } = streams();
    const answer = askLine("Sure? ", { input, output }, new AbortController().signal);
    input.write("yes\nno\n");
    expect(await answer).toBe("yes");
    expect(String(output.read())).toBe("Sure? ");
  });

  it("takes a terminal that is closed for an empty line", async () => {
    const { input, output } = streams();
    const answer = askLine("Sure? ", { input, output }, new AbortController().signal);
    input.end();
    expect(await answer).toBe("");
  });

  it("asks no more when it is to end", async () => {
    const { input, output } = streams();
    const ended = new AbortController();
    const answer = askLine("Sure? ", { input, output }, ended.signal);
    ended.abort(new Error("stopped by SIGINT"));
    await expect(answer).rejects.toThrow("stopped by SIGINT");
    await expect(askLine("Sure? ", { input, output }, ended.signal)).rejects.toThrow("stopped by SIGINT");
  });

  it("waits for no key where nobody watches", async () => {
    const io = nodeIo();
    expect(io.terminal).toBe(false);
    await io.waitForKey("press");
  });
});
