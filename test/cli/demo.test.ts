import { describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { FakeIo } from "../support/fake-io.ts";

const steps = (io: FakeIo): number => io.lines.filter((line) => /^\n\d\. /.test(line)).length;

describe("xmpp-thing demo", () => {
  it("shows a lamp that is paired: seven steps do what they say, and it ends with 0", async () => {
    const io = new FakeIo();
    expect(await main(["demo", "--auto"], io)).toBe(0);
    expect(io.errors).toEqual([]);
    expect(steps(io)).toBe(7);
    expect(io.text).not.toContain("✗");
    for (const said of [
      /it trusts nobody/,
      /the button was pressed in time/,
      /the lamp has accepted: subscribed/,
      /it trusts provisioning@localhost, and will tomorrow/,
      /The friend sets LED=true: done {3}●/,
      /The stranger sets LED=false: forbidden {3}●/,
      /The friend sets LED=false: forbidden {3}●/,
      /it trusts the same server/,
    ]) {
      expect(io.text).toMatch(said);
    }
  });

  it("the LED blinks until a person presses the space bar, and no other key", async () => {
    const io = new FakeIo();
    io.terminal = true;
    const keys = ["x", " "];
    const pressing = setInterval(() => io.press(keys[io.drawn.length % 2] ?? ""), 20);
    try {
      expect(await main(["demo"], io)).toBe(0);
    } finally {
      clearInterval(pressing);
    }
    expect(io.keys).toBe(6);
    expect(io.drawn.some((line) => /● .*Press the space bar: \d+ s/.test(line))).toBe(true);
    expect(io.drawn.some((line) => /○ .*Press the space bar: \d+ s/.test(line))).toBe(true);
    expect(io.drawn.at(-1)).toBe("");
  });

  it("is ended in the middle of the window by Ctrl-C", async () => {
    const io = new FakeIo();
    io.terminal = true;
    const redraw = io.redraw.bind(io);
    io.redraw = (line) => {
      redraw(line);
      io.press("x");
      if (io.drawn.length === 2) io.interrupt();
    };
    expect(await main(["demo", "pairing"], io)).toBe(1);
    expect(io.text).not.toContain("Every step did");
  });

  it("is ended by Ctrl-C between two steps, before the window opens", async () => {
    const io = new FakeIo();
    io.terminal = true;
    io.waitForKey = () => {
      io.interrupt();
      return Promise.resolve();
    };
    expect(await main(["demo", "pairing"], io)).toBe(1);
    expect(io.drawn).toEqual([]);
  });

  it("knows its stories by name", async () => {
    const io = new FakeIo();
    expect(await main(["demo", "fairy-tale"], io)).toBe(2);
    expect(io.errors.join("\n")).toContain('there is no story "fairy-tale"; there are pairing, life');
  });
});

describe("xmpp-thing demo life", () => {
  it("does what its eight steps say, and ends with 0", async () => {
    const io = new FakeIo();
    expect(await main(["demo", "life", "--auto"], io)).toBe(0);
    expect(io.errors).toEqual([]);
    expect(steps(io)).toBe(8);
    expect(io.text).not.toContain("✗");
    for (const said of [
      /registered|registers there/,
      /IoTDisco;SN:/,
      /▀/,
      /the Thing belongs to owner@localhost/,
      /it trusts provisioning\.localhost/,
      /The friend reads: Temperature 21\.5 °C/,
      /The stranger reads: forbidden/,
      /The friend reads: forbidden/,
      /the Provisioning Server was asked 0 times/,
    ]) {
      expect(io.text).toMatch(said);
    }
  });

  it("shows stanzas with --xml, and none without", async () => {
    const io = new FakeIo();
    expect(await main(["demo", "life", "--auto", "--xml"], io)).toBe(0);
    for (const element of ["<register ", "<mine ", "<claimed ", "<canRead ", "<clearCache", "<fields "]) {
      expect(io.text).toContain(element);
    }
  });

  it("waits for a key between the steps where a person watches", async () => {
    const io = new FakeIo();
    io.terminal = true;
    expect(await main(["demo", "life"], io)).toBe(0);
    expect(io.keys).toBe(7);
  });

  it("ends in the middle when it is interrupted", async () => {
    const io = new FakeIo();
    io.terminal = true;
    io.waitForKey = () => {
      io.interrupt();
      return Promise.resolve();
    };
    expect(await main(["demo", "life"], io)).toBe(1);
    expect(io.text).not.toContain("Every step did");
  });
});
