// Update of the library, and back: what older versions have kept is read, what newer ones have is refused untouched.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checksum } from "../../src/storage/checksum.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { inspectFolder, stateNames } from "../../src/thing/inspect.ts";
import { SAVED_FORMAT } from "../../src/thing/saved.ts";
import { Thing } from "../../src/thing/thing.ts";
import { contentOf, removeState, stateOfFormat, stateOfFormat1 } from "../support/state-folder.ts";

const server = { service: "xmpp://127.0.0.1:1", domain: "example.org" };

let folder: string;
let thing: Thing | undefined;
beforeEach(() => {
  folder = stateOfFormat1();
});
afterEach(async () => {
  await thing?.stop();
  thing = undefined;
  removeState(folder);
});

const start = async (): Promise<void> => {
  thing = new Thing({ storage: fileStorage(folder), server });
  await thing.start();
};

/** A file as a version to come would write it: its first line is as it always was, what follows is its own affair. */
function newer(name: string, format: number, by: string | undefined): string {
  const head = name === "rights" ? { journal: name } : { document: name };
  const first = JSON.stringify({ ...head, format, ...(by !== undefined && { by }) });
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  if (name === "rights") return `${checksum("", encode(first))} ${first}\nwhatever\n`;
  const body = ` ${first}\n{"whatever":true}\n`;
  return `${checksum("", encode(body))}${body}`;
}

describe.each([1, 2, 3, 4, 5] as const)("what version 0.1.0 has kept in format %i", (format) => {
  // Those are asked again: of what was remembered in its first format nobody knows under whom.
  const remembered = format < 4 ? 0 : 2;

  beforeEach(() => {
    removeState(folder);
    folder = stateOfFormat(format);
  });

  it("is read whole, and goes on in the format of now", async () => {
    await start();
    expect(thing?.state.ownership).toMatchObject({
      ...{ is: "claimed", owner: "owner@example.org", public: false },
      listed: format < 5,
    });
    expect(thing?.state.trust).toMatchObject({ is: "delegated" });
    expect(JSON.stringify(thing?.state.trust)).toContain("second.example.org");
    expect(thing?.rights.count).toBe(remembered);
    await thing?.stop();
    expect(readFileSync(join(folder, "thing"), "utf8")).toContain(`"format":${SAVED_FORMAT},"by":"`);
    const { identity, rights, fault } = await inspectFolder(folder);
    expect(identity).toMatchObject({ is: "read", value: { jid: "thing-made-up@example.org", pending: false } });
    expect(rights).toEqual({ is: "read", value: remembered });
    expect(fault).toMatchObject({ is: "read" });
  });

  it("keeps the account and KEY that it had", async () => {
    await start();
    await thing?.stop();
    const kept = readFileSync(join(folder, "thing"), "utf8");
    for (const secret of ["a-made-up-password", "a-made-up-key", "thing-made-up"]) expect(kept).toContain(secret);
  });
});

it("X-E4: what was found at the Registry of the claim up to format 3 goes with the owner from now on", async () => {
  removeState(folder);
  folder = stateOfFormat(3);
  await start();
  expect(thing?.state.trust).toEqual({
    is: "delegated",
    servers: [
      { jid: "discovery.example.org", origin: "owner" },
      { jid: "second.example.org", origin: "paired" },
    ],
    locked: false,
  });
  expect([thing?.state.examining, thing?.state.parting]).toEqual([["phone@example.org"], []]);
});

describe("what a newer version has kept", () => {
  it.each(stateNames)("in %s is refused by name, and nothing in the folder is touched", async (name) => {
    writeFileSync(join(folder, name), newer(name, 99, "9.8.7"));
    const before = contentOf(folder);
    await expect(start()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      name: "StorageError",
      message: expect.stringMatching(
        new RegExp(
          `^"${name}" is in format 99, written by xmpp-thing 9\\.8\\.7; this library \\(\\S+\\) knows formats up to \\d+: ` +
            "use xmpp-thing 9\\.8\\.7 or newer; nothing was touched$",
        ),
      ) as string,
    });
    const after = new Map([...contentOf(folder)].filter(([file]) => !file.startsWith(".lock-")));
    expect(after).toEqual(before);
    // And it can be used again at once by the version that knows it: the folder was given free.
    expect((await inspectFolder(folder)).holder).toBeUndefined();
  });

  it.each([undefined, "", "\u001b[2J", "x".repeat(50)])(
    "without a version, or with %j for it, says a newer one",
    async (by) => {
      writeFileSync(join(folder, "thing"), newer("thing", 99, by));
      await expect(start()).rejects.toThrow(
        /^"thing" is in format 99; this library \(\S+\) knows formats up to \d+: use a newer xmpp-thing; nothing was touched$/,
      );
    },
  );

  it("in the generation before is of no matter while the newest can be read", async () => {
    writeFileSync(join(folder, "thing.previous"), newer("thing", 99, "9.8.7"));
    await start();
  });
});
