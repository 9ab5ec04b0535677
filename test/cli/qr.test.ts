import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exitCode } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";
import { FakeIo } from "../support/fake-io.ts";
import { readPngQr, readSvgQr } from "../support/qr-pictures.ts";
import { readTerminalQr } from "../support/terminal-qr.ts";

const text = "IoTDisco;SN:394872348732948723;MAN:www.ktc.se;MODEL:IMC;#V:1.2;KEY:4857402340298342";
let folder: string;
let io: FakeIo;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "qr-"));
  io = new FakeIo();
});
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);

describe("xmpp-thing qr", () => {
  it("shows the code in the terminal", async () => {
    expect(await main(["qr", text], io)).toBe(exitCode.done);
    expect(readTerminalQr(io.text.split("\n"))).toBe(text);
    expect(io.text).not.toContain("KEY");
  });

  it("takes the text from standard input, where other users do not see it", async () => {
    io.answer = text;
    expect(await main(["qr", "--json"], io)).toBe(exitCode.done);
    expect(readTerminalQr((JSON.parse(io.text) as { code: string[] }).code)).toBe(text);
    expect(io.errors).toEqual([""]);
    io.terminal = true;
    await main(["qr"], io);
    expect(io.errors.at(-1)).toBe("Claim text: ");
  });

  it("writes SVG and PNG, and tells which files, without the text", async () => {
    expect(await main(["qr", text, "--svg", at("a.svg"), "--png", at("a.png"), "--size", "4"], io)).toBe(exitCode.done);
    expect(readSvgQr(await readFile(at("a.svg"), "utf8"))).toBe(text);
    expect(readPngQr(await readFile(at("a.png")))).toBe(text);
    expect(io.lines).toEqual([`Written: ${at("a.svg")}`, `Written: ${at("a.png")}`]);
    expect(await main(["qr", text, "--png", at("b.png"), "--json"], io)).toBe(exitCode.done);
    expect(JSON.parse(io.lines.at(-1) ?? "")).toEqual({ svg: null, png: at("b.png") });
  });

  it("turns the code for a terminal that writes dark on light", async () => {
    await main(["qr", text, "--light"], io);
    expect(io.text.startsWith(" ")).toBe(true);
  });

  it.each([
    [["qr", "IoTDisco"], /names at least one tag/],
    [["qr", "https://example.org"], /begins with "IoTDisco;"/],
    [["qr", text, "--size", "33"], /--size must be a whole number from 1 to 32/],
    [["qr", text, "more"], /one word too many/],
    [["qr", text, "--gif", "x"], /gif/],
  ])("is called wrongly by %j", async (argv, said) => {
    expect(await main(argv, io)).toBe(exitCode.usage);
    expect(io.errors.join("\n")).toMatch(said);
    expect(io.errors.join("\n")).not.toContain("4857402340298342");
    expect(io.lines).toEqual([]);
  });

  it("fails where it cannot write", async () => {
    expect(await main(["qr", text, "--svg", at("none/a.svg")], io)).toBe(exitCode.failed);
    expect(io.errors.join()).toContain("ENOENT");
  });
});
