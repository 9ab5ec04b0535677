import { afterEach, describe, expect, it, vi } from "vitest";
import type { Logger } from "../../src/core/logger.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { el } from "../../src/codec/xml.ts";
import { WireTrace, traceIfWanted } from "../../src/connection/wire-trace.ts";
import { eventually } from "./harness.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** What is written to the console, by the method that writes it. */
function listen(): { lines: string[] } {
  const lines: string[] = [];
  vi.spyOn(console, "debug").mockImplementation((...words) => void lines.push(`stdout ${words.join(" ").trimEnd()}`));
  vi.spyOn(console, "error").mockImplementation((...words) => void lines.push(`stderr ${words.join(" ")}`));
  return { lines };
}

describe("a wire trace", () => {
  it("shows what comes, goes, is and fails, in this order, also what was before it was loaded", async () => {
    const { lines } = listen();
    const trace = new WireTrace(silentLogger);
    trace.status("connecting", "to localhost");
    trace.received(el("message", {}, el("body", {}, "hi")));
    await eventually(() => lines.length === 2);
    trace.sent(el("presence"));
    trace.status("stopped");
    trace.error("conflict", "another session");
    expect(lines).toEqual([
      "stdout status connecting to localhost",
      "stdout IN\n<message>\n  <body>hi</body>\n</message>",
      "stdout OUT\n<presence/>",
      "stdout status stopped",
      "stderr conflict: another session",
    ]);
  });

  it("shows what an element was when it was shown to it, without its secrets", async () => {
    const { lines } = listen();
    const trace = new WireTrace(silentLogger);
    trace.hide("hunter2");
    trace.hide("");
    const element = { ...el("x", { a: "1", token: "t0ken", b: "hunter2" }) };
    trace.received(el("x", element.attrs));
    trace.error("hunter2", "is hunter2");
    trace.status("hunter2", "hunter2");
    await eventually(() => lines.length === 3);
    expect(lines).toEqual([
      `stdout IN\n<x a="1" token="(hidden)" b="(hidden)"/>`,
      "stderr (hidden): is (hidden)",
      "stdout status (hidden) (hidden)",
    ]);
  });

  it("brings nothing down when the console fails", async () => {
    const trace = new WireTrace(silentLogger);
    let tries = 0;
    vi.spyOn(console, "debug").mockImplementation(() => {
      tries++;
      throw new Error("EPIPE");
    });
    trace.status("one");
    await eventually(() => tries === 1);
    trace.status("two");
    expect(tries).toBe(2);
  });

  it("keeps no more than 1,000 lines until it is loaded", async () => {
    const { lines } = listen();
    const trace = new WireTrace(silentLogger);
    for (let count = 0; count < 1_500; count++) trace.status(`${count}`);
    await eventually(() => lines.length > 0);
    expect(lines).toHaveLength(1_000);
  });

  it("is wanted by the option, or else by the environment", () => {
    listen();
    expect(traceIfWanted(undefined, silentLogger)).toBeUndefined();
    vi.stubEnv("THING_DEBUG", "1");
    expect(traceIfWanted(undefined, silentLogger)).toBeInstanceOf(WireTrace);
    expect(traceIfWanted(false, silentLogger)).toBeUndefined();
    vi.stubEnv("THING_DEBUG", "0");
    expect(traceIfWanted(undefined, silentLogger)).toBeUndefined();
    expect(traceIfWanted(true, silentLogger)).toBeInstanceOf(WireTrace);
  });

  it("says so once when it cannot be loaded, and is silent then", async () => {
    const { lines } = listen();
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) };
    const trace = new WireTrace(logger, () => Promise.reject(new Error("no such package")));
    trace.status("before");
    await eventually(() => warnings.length > 0);
    trace.status("after");
    expect(warnings).toEqual(["there is no wire trace: @xmpp/debug could not be loaded"]);
    expect(lines).toEqual([]);
  });
});
