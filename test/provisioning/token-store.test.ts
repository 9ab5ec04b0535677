import { describe, expect, it } from "vitest";
import { TokenStore, parseSavedTokens, tokensDocument } from "../../src/provisioning/token-store.ts";
import { failingStorage } from "../support/failing-storage.ts";
import { jid } from "../support/scripted-wire.ts";

const [one, two] = [jid("one.example.org"), jid("two@example.org")];

async function store(storage?: Awaited<ReturnType<typeof failingStorage>>) {
  const place = storage ?? (await failingStorage());
  const tokens = new TokenStore(place);
  await tokens.load();
  return { storage: place, tokens };
}

describe("the tokens on disk", () => {
  it("P-3.1.1-14, P-3.1.5-1: are one for each server, and there again after a restart", async () => {
    const { storage, tokens } = await store();
    tokens.set(one, "AB", "first");
    tokens.set(two, "AB", "second");
    tokens.set(one, "AB", "third");
    await tokens.save();
    const again = await store(storage);
    expect(again.tokens.all()).toEqual(["third", "second"]);
    expect([again.tokens.of(one, "AB"), again.tokens.of(two, "AB")]).toEqual(["third", "second"]);
    expect(again.tokens.of(jid("three.example.org"), "AB")).toBeUndefined();
  });

  it("of another certificate count no more, and are gone with the first of the new one", async () => {
    const { storage, tokens } = await store();
    tokens.set(one, "AB", "first");
    tokens.set(two, "AB", "second");
    expect(tokens.of(one, "CD")).toBeUndefined();
    tokens.set(one, "CD", "third");
    await tokens.save();
    expect((await store(storage)).tokens.all()).toEqual(["third"]);
  });

  it("write nothing that is there, and nothing where there are none", async () => {
    const { storage, tokens } = await store();
    await tokens.save();
    await tokens.retain([one]);
    await tokens.clear();
    expect(storage.done).toEqual([]);
    tokens.set(one, "AB", "first");
    await tokens.save();
    await tokens.save();
    expect(storage.done).toEqual(["replace tokens"]);
  });

  it("of a server that is trusted no more are dropped, durably", async () => {
    const { storage, tokens } = await store();
    tokens.set(one, "AB", "first");
    tokens.set(two, "AB", "second");
    await tokens.save();
    await tokens.retain([two]);
    expect((await store(storage)).tokens.all()).toEqual(["second"]);
    await tokens.retain([]);
    expect((await store(storage)).tokens.all()).toEqual([]);
  });

  it("of a server that is trusted no more are dropped at the next try, if the disk was full at the first", async () => {
    const { storage, tokens } = await store();
    tokens.set(one, "AB", "first");
    tokens.set(two, "AB", "second");
    await tokens.save();
    storage.failing.add("replace");
    await expect(tokens.retain([two])).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(tokens.all()).toEqual(["second"]);
    storage.failing.clear();
    await tokens.retain([two]);
    expect((await store(storage)).tokens.all()).toEqual(["second"]);
  });

  it("are cleared with the generation before", async () => {
    const { storage, tokens } = await store();
    tokens.set(one, "AB", "first");
    await tokens.save();
    tokens.set(one, "AB", "second");
    await tokens.save();
    await tokens.clear();
    expect(tokens.all()).toEqual([]);
    expect([await storage.read("tokens"), await storage.read("tokens.previous")]).toEqual([undefined, undefined]);
    tokens.set(two, "CD", "third");
    await tokens.save();
    expect((await store(storage)).tokens.all()).toEqual(["third"]);
    expect(await storage.read("tokens.previous")).toBeUndefined();
  });

  it("that cannot be read are cleared all the same", async () => {
    const { storage, tokens } = await store();
    tokens.set(one, "AB", "first");
    await tokens.save();
    storage.failing.add("read");
    await tokens.clear();
    storage.failing.clear();
    expect(await storage.read("tokens")).toBeUndefined();
  });

  it("that could not be written are written later", async () => {
    const { storage, tokens } = await store();
    storage.failing.add("replace");
    tokens.set(one, "AB", "first");
    await expect(tokens.save()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    await tokens.save();
    expect((await store(storage)).tokens.all()).toEqual(["first"]);
  });

  it.each([
    [undefined],
    [{}],
    [{ certificate: "AB" }],
    [{ certificate: 1, tokens: [] }],
    [{ certificate: "AB", tokens: [null] }],
    [{ certificate: "AB", tokens: [{ server: "one.example.org" }] }],
    [{ certificate: "AB", tokens: [{ server: "one.example.org", token: "A B" }] }],
    [{ certificate: "AB", tokens: [{ server: "one.example.org/x", token: "A" }] }],
    [{ certificate: "AB", tokens: [{ server: "@", token: "A" }] }],
    [{ certificate: "AB", tokens: [{ server: 1, token: "A" }] }],
    [
      {
        certificate: "AB",
        tokens: [
          { server: "a.b", token: "A" },
          { server: "a.b", token: "B" },
        ],
      },
    ],
  ])("are whole or damaged: %j", (value) => {
    expect(() => parseSavedTokens(value)).toThrow(TypeError);
  });

  it("are the document `tokens`", async () => {
    const { storage, tokens } = await store();
    tokens.set(one, "AB", "first");
    await tokens.save();
    expect(await tokensDocument(storage).load()).toMatchObject({
      value: { certificate: "AB", tokens: [{ server: one, token: "first" }] },
      source: "current",
    });
  });
});
