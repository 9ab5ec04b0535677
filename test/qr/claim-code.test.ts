import { readFileSync } from "node:fs";
import fc from "fast-check";
import pngjs from "pngjs";
import { describe, expect, it } from "vitest";
import { formatClaimText } from "../../src/codec/claim-text.ts";
import { claimCode, type ClaimCodeFormat } from "../../src/qr/claim-code.ts";
import { tags } from "../codec/arbitraries.ts";
import { readPngQr, readSvgQr } from "../support/qr-pictures.ts";
import { readTerminalQr } from "../support/terminal-qr.ts";

const listing = (ending: string): URL =>
  new URL(`../cases/xep-0347/14-string-to-encode-as-a-qr-code.${ending}`, import.meta.url);
const listing14 = readFileSync(listing("txt"), "utf8").trim();
/** A text of so many bytes, in tags as XEP-0347 5.2 allows them. */
const ofBytes = (bytes: number): string => {
  let text = "IoTDisco";
  for (let tag = 10; text.length < bytes; tag++)
    text += `;T${tag}:${"x".repeat(Math.min(bytes - text.length - 5, 100))}`;
  return text;
};

/** What a phone reads. */
const read: Readonly<Record<ClaimCodeFormat, (text: string) => Promise<string | undefined>>> = {
  terminal: async (text) => readTerminalQr((await claimCode(text, { as: "terminal" })).split("\n")),
  svg: async (text) => readSvgQr(await claimCode(text, { as: "svg", moduleSize: 4 })),
  png: async (text) => readPngQr(await claimCode(text, { as: "png", moduleSize: 4 })),
};
const formats = Object.entries(read);

describe("the QR code of a claim text (XEP-0347 3.9)", () => {
  it("of the XEP itself holds Listing 14 to the letter (D-3.9-4)", () => {
    expect(readPngQr(readFileSync(listing("png")))).toBe(listing14);
  });

  it.each(formats)("D-3.9-3: as %s holds Listing 14 to the letter", async (_, reading) => {
    await expect(reading(listing14)).resolves.toBe(listing14);
  });

  it.each(formats)("D-3.9-10: as %s holds the text in UTF-8, whatever XML allows in it", async (_, reading) => {
    await fc.assert(
      fc.asyncProperty(
        tags.filter((value) => value.length > 0 && new TextEncoder().encode(formatClaimText(value)).length < 500),
        async (value) => {
          await expect(reading(formatClaimText(value))).resolves.toBe(formatClaimText(value));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("is made of the UTF-8 bytes as they are, in the XEP's way of writing (D-3.9-10)", async () => {
    const text = "IoTDisco;ROOM:K\u00fcche \u{1F321};KEY:\u0416\\;\\\\";
    for (const [, reading] of formats) await expect(reading(text)).resolves.toBe(text);
  });

  it("D-6.7-1: is made on this machine: nothing of it goes to a network, not even for a moment", async () => {
    // What goes beyond this machine would fail the test (test/support/no-outside.ts); nor is there any address to go to.
    const { fetch } = globalThis;
    let fetched = 0;
    globalThis.fetch = () => {
      fetched++;
      return Promise.reject(new Error("no"));
    };
    try {
      for (const [, reading] of formats) await expect(reading(listing14)).resolves.toBe(listing14);
    } finally {
      globalThis.fetch = fetch;
    }
    expect(fetched).toBe(0);
    expect(await claimCode(listing14, { as: "svg" })).not.toMatch(/href|url\(|(?<!xmlns=")https?:/);
  });

  it("is made of what the text is without a terminal's line end", async () => {
    await expect(read.png(`\u{FEFF}${listing14}\r\n`)).resolves.toBe(listing14);
    await expect(read.png("IoTDisco;KEY:abc ")).resolves.toBe("IoTDisco;KEY:abc ");
  });

  it("fits a terminal of 80 columns and 24 lines, with a made KEY and the usual tags", async () => {
    const text =
      "IoTDisco;SN:394872348732948723;MAN:example.org;MODEL:Thermometer;#V:1;KEY:abcdefghijklmnopqrstuvwxyz0";
    const lines = (await claimCode(text, { as: "terminal" })).split("\n");
    expect(lines.length).toBeLessThan(24);
    for (const line of lines) expect(Array.from(line).length).toBeLessThan(80);
  });

  it("is drawn the other way round for a terminal that writes dark on light", async () => {
    const other = new Map(Object.entries({ "█": " ", " ": "█", "▀": "▄", "▄": "▀" }));
    const [dark, light] = await Promise.all(
      [false, true].map((lightTerminal) => claimCode(listing14, { as: "terminal", lightTerminal })),
    );
    const all = (light ?? "").split("\n");
    const turned = all.map((line) => Array.from(line, (block) => other.get(block) ?? block).join(""));
    // Below an odd number of rows is half a line of nothing, which has no other side.
    expect(turned.slice(0, -1)).toEqual((dark ?? "").split("\n").slice(0, -1));
    expect(all.at(-1)).toMatch(/^ +$/);
  });

  it("has squares of the size that was asked for, and a margin of four", async () => {
    const sizes: number[] = [];
    for (const moduleSize of [1, 8, 32]) {
      const { width, height, data } = pngjs.PNG.sync.read(
        Buffer.from(await claimCode(listing14, { as: "png", moduleSize })),
      );
      expect(width).toBe(height);
      sizes.push(width / moduleSize);
      const black = (x: number, y: number): boolean => data[(y * width + x) * 4] === 0;
      const margin = 4 * moduleSize;
      expect([black(margin - 1, margin), black(margin, margin - 1), black(margin, margin)]).toEqual([
        false,
        false,
        true,
      ]);
    }
    expect(new Set(sizes).size).toBe(1);
    expect(await claimCode(listing14, { as: "svg" })).toContain(`viewBox="0 0 ${(sizes[0] ?? 0) * 8} `);
  });
});

describe("what is no claim text, or does not fit", () => {
  it.each(["", "IoTDisco", "SN:1", "https://example.org/", "IoTDisco;SN", "IoTDisco;KEY:a\u0000"])(
    "%j has no code: nobody could claim a Thing by it",
    async (text) => {
      for (const as of ["terminal", "svg", "png"] as const) {
        await expect(claimCode(text, { as })).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
      }
    },
  );

  it("a text of 2,953 bytes fits, a longer one is refused", async () => {
    expect(ofBytes(2953)).toHaveLength(2953);
    await expect(read.png(ofBytes(2953))).resolves.toBe(ofBytes(2953));
    await expect(read.svg(ofBytes(2331))).resolves.toBe(ofBytes(2331));
    await expect(claimCode(ofBytes(2954), { as: "svg" })).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: "the claim text has 2954 bytes: a QR code holds 2953 at most",
    });
  });

  it.each([0, 33, 1.5, NaN, "8" as unknown as number])("a moduleSize of %s is refused", async (moduleSize) => {
    await expect(claimCode(listing14, { as: "png", moduleSize })).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  it("another format is refused", async () => {
    await expect(claimCode(listing14, { as: "gif" as "png" })).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  it("does not show the text in what is said about it: it may be the KEY", async () => {
    for (const text of [`IoTDisco;KEY:secret${"x".repeat(200)}`, ofBytes(2954).replaceAll("x", "s")]) {
      const error: unknown = await claimCode(text, { as: "png" }).catch((reason: unknown) => reason);
      expect(String(error)).not.toMatch(/secret|sss/);
    }
  });
});
