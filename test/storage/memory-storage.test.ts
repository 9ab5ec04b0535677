import { describe, expect, it } from "vitest";
import { memoryStorage } from "../../src/storage/memory-storage.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("memoryStorage", () => {
  it("keeps what was replaced and added, and forgets what was deleted", async () => {
    const storage = memoryStorage();
    await storage.open();
    expect(await storage.read("a")).toBeUndefined();
    await storage.replace("a", bytes("one"));
    await storage.append("a", bytes("two"));
    await storage.append("b", bytes("three"));
    expect(await storage.read("a")).toEqual(bytes("onetwo"));
    expect(await storage.read("b")).toEqual(bytes("three"));
    await storage.delete("a");
    await storage.delete("a");
    expect(await storage.read("a")).toBeUndefined();
  });

  it("keeps its contents over a close, as over a restart", async () => {
    const storage = memoryStorage();
    await storage.open();
    await storage.replace("a", bytes("kept"));
    await storage.close();
    await storage.open();
    expect(await storage.read("a")).toEqual(bytes("kept"));
  });

  it("refuses a second open without a close", async () => {
    const storage = memoryStorage();
    await storage.open();
    await expect(storage.open()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining(String(process.pid)) as string,
    });
    await storage.close();
    await expect(storage.open()).resolves.toBeUndefined();
  });

  it("refuses use before open and after close", async () => {
    const storage = memoryStorage();
    await expect(storage.read("a")).rejects.toMatchObject({ code: "ERR_STATE" });
    await storage.open();
    await storage.close();
    await expect(storage.replace("a", bytes("x"))).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  it("refuses names outside the alphabet", async () => {
    const storage = memoryStorage();
    await storage.open();
    await expect(storage.append("../a", bytes("x"))).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  it("takes and gives copies: nobody changes what is kept by changing his own bytes", async () => {
    const storage = memoryStorage();
    await storage.open();
    const mine = bytes("abc");
    const replaced = storage.replace("a", mine);
    mine[0] = 0;
    await replaced;
    const read = await storage.read("a");
    read?.fill(0);
    expect(await storage.read("a")).toEqual(bytes("abc"));
  });

  it("does what is asked in the order it was asked", async () => {
    const storage = memoryStorage();
    await storage.open();
    const done = [storage.replace("a", bytes("1")), storage.append("a", bytes("2")), storage.replace("a", bytes("3"))];
    const read = storage.read("a");
    void storage.append("a", bytes("4"));
    expect(await read).toEqual(bytes("3"));
    await Promise.all(done);
    expect(await storage.read("a")).toEqual(bytes("34"));
  });
});
