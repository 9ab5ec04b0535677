// The tests of damage would show a Thing that checks no checksum: here none is.
import { describe, expect, it, vi } from "vitest";
import { drawFrom } from "../support/crash-fs.ts";
import { flipBits, liveAndLeave, mixWithOlder } from "../support/rights-damage.ts";

vi.mock(import("../../src/storage/checksum.ts"), async (original) => ({
  ...(await original()),
  checksum: () => "0123456789abcdef",
}));

const timeout = 300_000;

describe("of rights that nothing protects", () => {
  it(
    "a flipped bit is found to go unnoticed, and to give what was not granted",
    async () => {
      const left = await liveAndLeave({ seed: 1, steps: 40 });
      const complaints = await flipBits(left, left.versions.at(-1) ?? new Uint8Array(0), drawFrom(1));
      expect(complaints.join("\n")).toContain("says nothing of it");
      expect(complaints.join("\n")).toMatch(/never (did|knew)/);
    },
    timeout,
  );

  it(
    "older ones are found to come back",
    async () => {
      const left = await liveAndLeave({ seed: 1, steps: 40 });
      const complaints = await mixWithOlder(left, left.versions.at(-1) ?? new Uint8Array(0), drawFrom(1), 500);
      expect(complaints.join("\n")).toMatch(/taken back|forgotten/);
    },
    timeout,
  );
});
