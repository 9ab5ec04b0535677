import { describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { FakeIo } from "../support/fake-io.ts";

describe("xmpp-thing demo", () => {
  it("does what its eight steps say, and ends with 0", async () => {
    const io = new FakeIo();
    expect(await main(["demo", "--auto"], io)).toBe(0);
    expect(io.errors).toEqual([]);
    expect(io.lines.filter((line) => /^\n\d\. /.test(line))).toHaveLength(8);
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
    expect(await main(["demo", "--auto", "--xml"], io)).toBe(0);
    for (const element of ["<register ", "<mine ", "<claimed ", "<canRead ", "<clearCache", "<fields "]) {
      expect(io.text).toContain(element);
    }
  });

  it("waits for a key between the steps where a person watches", async () => {
    const io = new FakeIo();
    io.terminal = true;
    expect(await main(["demo"], io)).toBe(0);
    expect(io.keys).toBe(7);
  });

  it("ends in the middle when it is interrupted", async () => {
    const io = new FakeIo();
    io.terminal = true;
    io.waitForKey = () => {
      io.interrupt();
      return Promise.resolve();
    };
    expect(await main(["demo"], io)).toBe(1);
    expect(io.text).not.toContain("Every step did");
  });
});
