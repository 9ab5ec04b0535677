import { describe, expect, test } from "vitest";
import { LONGEST_TAG_VALUE, tagProblem } from "../../src/codec/tags.ts";
import { isXmlText } from "../../src/codec/xml.ts";
import type { BareJid } from "../../src/core/jid.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { Document } from "../../src/storage/document.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { DomainAccount } from "../../src/thing/accounts.ts";
import { resetState } from "../../src/thing/factory-reset.ts";
import { Identity } from "../../src/thing/identity.ts";
import type { AccountOptions } from "../../src/thing/options.ts";
import type { AccountReset } from "../../src/thing/state.ts";
import { SAVED_FORMAT, parseSaved, type Saved } from "../../src/thing/saved.ts";
import { failingStorage } from "../support/failing-storage.ts";
import { ownerships, trusts } from "./life.ts";

/** An identity on a storage, as at a start of the Thing. Every start draws other random bytes. */
let starts = 0;
async function booted(storage: Storage, account: AccountOptions = {}, domain = "example.org") {
  const identity = new Identity({ storage, random: new SeededRandom(`start ${++starts}`), account, domain });
  const { saved, problem } = await identity.open();
  return { identity, saved, problem };
}

/** The account in use. */
function own({ accounts: [account] }: Saved): DomainAccount {
  if (account === undefined) throw new Error("there is no account");
  return account;
}

async function damage(storage: Storage, name: string): Promise<void> {
  const content = await storage.read(name);
  if (content === undefined) throw new Error(`there is no ${name}`);
  await storage.replace(
    name,
    content.map((byte, index) => (index === content.length - 3 ? byte ^ 1 : byte)),
  );
}

const contents = async (storage: Storage): Promise<unknown[]> =>
  Promise.all(["thing", "thing.previous"].map((name) => storage.read(name)));

describe("the first start", () => {
  test("makes an account, a KEY, and a Thing that nobody knows", async () => {
    const { saved, problem } = await booted(await failingStorage());
    expect(problem).toBeUndefined();
    expect(saved).toMatchObject({
      ownership: { is: "unregistered" },
      trust: { is: "none" },
      accounts: [{ domain: "example.org", pending: true }],
    });
    expect(own(saved).username).toMatch(/^thing-[0-9a-f]{16}$/);
    expect(own(saved).password.length).toBeGreaterThanOrEqual(22); // 128 bits
    expect(own(saved).resource).not.toBe("");
  });

  test("D-6.5-2, D-3.9-2: makes a KEY of at least 128 bits, of no character that needs an escape", async () => {
    const { saved } = await booted(await failingStorage());
    expect(saved.key).toMatch(/^[A-Za-z0-9_-]+$/);
    expect((saved.key.length * 6) >> 3).toBeGreaterThanOrEqual(16);
    expect(saved.key.length).toBeLessThanOrEqual(LONGEST_TAG_VALUE);
    expect(tagProblem({ name: "KEY", type: "str", value: saved.key })).toBeUndefined();
  });

  test("makes nothing twice: no two Things are alike", async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, async () => (await booted(await failingStorage())).saved),
    );
    for (const part of ["username", "password", "resource"] as const) {
      expect(new Set(made.map((one) => own(one)[part])).size).toBe(20);
    }
    expect(new Set(made.map(({ key }) => key)).size).toBe(20);
    for (const one of made) expect(new Set([own(one).password, own(one).resource, one.key]).size).toBe(3);
  });

  test("is on disk before anything is done with it", async () => {
    const storage = await failingStorage();
    storage.failing.add("replace");
    await expect(booted(storage)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    const first = await booted(storage);
    expect((await booted(storage)).saved).toEqual(first.saved);
  });
});

describe("a later start", () => {
  test("finds the same Thing, and writes nothing", async () => {
    const storage = await failingStorage();
    const { saved } = await booted(storage);
    storage.done.length = 0;
    const again = await booted(storage);
    expect([again.saved, again.problem, storage.done]).toEqual([saved, undefined, []]);
  });

  test("finds ownership and trust as they were remembered last", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    for (const ownership of [ownerships.registered, ownerships.claimed, ownerships["claimed, all done"]]) {
      await identity.remember({ ownership, trust: trusts.found, examining: [], parting: [] });
      expect((await booted(storage)).saved).toEqual({ ...saved, ownership, trust: trusts.found });
    }
  });

  test("finds nothing of what could not be written, and the disk can be written again", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    storage.failing.add("replace");
    await expect(
      identity.remember({ ownership: ownerships.claimed, trust: trusts.none, examining: [], parting: [] }),
    ).rejects.toMatchObject({
      code: "ERR_STORAGE",
    });
    storage.failing.clear();
    expect((await booted(storage)).saved).toEqual(saved);
    await identity.made("example.org");
    expect((await booted(storage)).saved).toEqual({ ...saved, accounts: [{ ...own(saved), pending: false }] });
  });

  test("finds all of several changes made at the same time", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await Promise.all([
      identity.made("example.org"),
      identity.remember({ ownership: ownerships.registered, trust: trusts.none, examining: [], parting: [] }),
      identity.remember({ ownership: ownerships.claimed, trust: trusts.found, examining: [], parting: [] }),
    ]);
    expect((await booted(storage)).saved).toEqual({
      ...saved,
      accounts: [{ ...own(saved), pending: false }],
      ownership: ownerships.claimed,
      trust: trusts.found,
    });
  });
});

describe("a damaged identity", () => {
  test("falls back to the generation before, and says so; then both are whole again", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.remember({ ownership: ownerships.registered, trust: trusts.none, examining: [], parting: [] });
    await damage(storage, "thing");
    const again = await booted(storage);
    expect(again.saved).toEqual(saved);
    expect(again.problem).toMatch(/damaged/);
    expect((await booted(storage)).problem).toBeUndefined();
  });

  test("in both generations is an error, and nothing is overwritten: never silently a new Thing", async () => {
    const storage = await failingStorage();
    const { identity } = await booted(storage);
    await identity.remember({ ownership: ownerships.registered, trust: trusts.none, examining: [], parting: [] });
    await damage(storage, "thing");
    await damage(storage, "thing.previous");
    const before = await contents(storage);
    await expect(booted(storage)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(await contents(storage)).toEqual(before);
  });

  test("that has no generation before it is an error too", async () => {
    const storage = await failingStorage();
    await booted(storage);
    await damage(storage, "thing");
    const before = await contents(storage);
    await expect(booted(storage)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(await contents(storage)).toEqual(before);
  });

  test("whose newest generation is gone falls back to the one before", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.remember({ ownership: ownerships.registered, trust: trusts.none, examining: [], parting: [] });
    await storage.delete("thing");
    const again = await booted(storage);
    expect(again.saved).toEqual(saved);
    expect(again.problem).toBeDefined();
  });

  test("that is whole but makes no sense counts as damaged", async () => {
    const storage = await failingStorage();
    const { saved } = await booted(storage);
    const nonsense = { ...saved, ownership: { is: "claimed" } } as unknown as Saved;
    await new Document<Saved>({ storage, name: "thing", format: SAVED_FORMAT, parse: (value) => value as Saved }).save(
      nonsense,
    );
    const again = await booted(storage);
    expect(again.saved).toEqual(saved);
    expect(again.problem).toBeDefined();
  });

  test("of a newer format is refused by name and not touched", async () => {
    const storage = await failingStorage();
    await new Document({ storage, name: "thing", format: SAVED_FORMAT + 1, parse: (value) => value }).save({
      new: true,
    });
    const before = await contents(storage);
    await expect(booted(storage)).rejects.toThrow(/newer/);
    expect(await contents(storage)).toEqual(before);
  });
});

describe("the account", () => {
  test("is what was made, pending until the server has it", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    expect(await identity.load("example.org")).toEqual(own(saved));
    await identity.made("example.org");
    expect(await identity.load("example.org")).toEqual({ ...own(saved), pending: false });
    expect((await booted(storage)).saved.accounts[0]?.pending).toBe(false);
  });

  test("is another one, pending and durable, when its name is taken; the KEY stays", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    const renewed = await identity.renew("example.org");
    expect(renewed.pending).toBe(true);
    expect(renewed.username).not.toBe(own(saved).username);
    expect(renewed.password).not.toBe(own(saved).password);
    expect(await identity.load("example.org")).toEqual(renewed);
    expect((await booted(storage)).saved).toEqual({ ...saved, accounts: [{ domain: "example.org", ...renewed }] });
  });

  test("that was configured is taken as it is", async () => {
    const { saved } = await booted(await failingStorage(), { username: "thermometer", password: "hunter2" });
    expect(own(saved)).toMatchObject({ username: "thermometer", password: "hunter2", pending: true });
  });

  test("of which half was configured is completed", async () => {
    const named = own((await booted(await failingStorage(), { username: "thermometer" })).saved);
    expect(named.username).toBe("thermometer");
    expect(named.password.length).toBeGreaterThanOrEqual(22);
    const locked = own((await booted(await failingStorage(), { password: "hunter2" })).saved);
    expect(locked.username).toMatch(/^thing-/);
    expect(locked.password).toBe("hunter2");
  });

  test("whose configured name is taken stays as it is: it may be ours, and its password is nowhere else", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage, { username: "thermometer" });
    expect(await identity.renew("example.org")).toEqual(own(saved));
    expect((await booted(storage, { username: "thermometer" })).saved).toEqual(saved);
  });

  test("whose password alone was configured keeps it under another name", async () => {
    const { identity, saved } = await booted(await failingStorage(), { password: "hunter2" });
    const renewed = await identity.renew("example.org");
    expect(renewed.password).toBe("hunter2");
    expect(renewed.username).not.toBe(own(saved).username);
  });

  test("with another user name is another Thing: one without an owner begins anew", async () => {
    const account = { username: "thermometer", password: "hunter2" };
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.made("example.org");
    await identity.remember({ ownership: ownerships.registered, trust: trusts.found, examining: [], parting: [] });
    const again = await booted(storage, account);
    expect(again.saved).toEqual({
      key: saved.key,
      nodeSecret: again.saved.nodeSecret,
      accounts: [{ ...own(saved), ...account, pending: true }],
      ownership: { is: "unregistered" },
      trust: { is: "none" },
      examining: [],
      parting: [],
    });
    // Owners of nodes of before are none of this one.
    expect(again.saved.nodeSecret).not.toBe(saved.nodeSecret);
    expect((await booted(storage, {})).saved).toEqual(again.saved);
  });

  test("with another domain is another Thing: one without an owner begins anew, with another password", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.made("example.org");
    await identity.remember({ ownership: ownerships.registered, trust: trusts.found, examining: [], parting: [] });
    const again = await booted(storage, {}, "example.net");
    expect(again.saved).toEqual({
      key: saved.key,
      nodeSecret: again.saved.nodeSecret,
      accounts: [own(again.saved), { ...own(saved), pending: false }],
      ownership: { is: "unregistered" },
      trust: { is: "none" },
      examining: [],
      parting: [],
    });
    expect(own(again.saved)).toMatchObject({ domain: "example.net", pending: true });
    for (const part of ["username", "password", "resource"] as const) {
      expect(own(again.saved)[part]).not.toBe(own(saved)[part]);
    }
    expect((await booted(storage, {}, "example.net")).saved).toEqual(again.saved);
    // And back: the account of before is there still.
    const back = (await booted(storage, {}, "example.org")).saved;
    expect(back.accounts).toEqual([{ ...own(saved), pending: false }, own(again.saved)]);
  });

  test.each([
    ["another user name", { username: "thermometer", password: "hunter2" }, "example.org"],
    ["another domain", {}, "example.net"],
  ])("with %s is another Thing: one with an owner is refused by name, and not touched", async (_, account, domain) => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.remember({ ownership: ownerships.claimed, trust: trusts.found, examining: [], parting: [] });
    const before = await contents(storage);
    const refused = booted(storage, account, domain);
    await expect(refused).rejects.toMatchObject({ code: "ERR_CONFIG" });
    await expect(refused).rejects.toThrow(`${own(saved).username}@example.org, which belongs to`);
    expect(await contents(storage)).toEqual(before);
    expect((await booted(storage)).saved.ownership).toEqual(ownerships.claimed);
  });

  test.each([
    ["another user name", { username: "thermometer", password: "hunter2" }, "example.org"],
    ["another domain", {}, "example.net"],
  ])("P-6.1-2: with %s is refused while trust is locked, until a factory reset", async (_, account, domain) => {
    for (const ownership of [ownerships.unregistered, ownerships.registered]) {
      const storage = await failingStorage();
      const { identity, saved } = await booted(storage);
      await identity.remember({ ownership, trust: trusts.locked, examining: [], parting: [] });
      const before = await contents(storage);
      const refused = booted(storage, account, domain);
      await expect(refused).rejects.toMatchObject({ code: "ERR_CONFIG" });
      await expect(refused).rejects.toThrow(`${own(saved).username}@example.org, whose trust is locked`);
      expect(await contents(storage)).toEqual(before);
      // Another password is no other Thing.
      expect((await booted(storage, { password: "hunter2" })).saved).toMatchObject({ ownership, trust: trusts.locked });

      await resetState(storage);
      expect((await booted(storage, account, domain)).saved).toMatchObject({
        accounts: [{ domain, ...account }],
        trust: { is: "none" },
      });
    }
  });

  test("of a Thing with an owner and locked trust is refused for the owner's sake: a reset would not be enough", async () => {
    const storage = await failingStorage();
    const { identity } = await booted(storage);
    await identity.remember({ ownership: ownerships.claimed, trust: trusts.locked, examining: [], parting: [] });
    await expect(booted(storage, {}, "example.net")).rejects.toThrow(/which belongs to .* needs a storage of its own$/);
  });

  test("whose password was changed by configuration is the same account: nothing is to be made", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.made("example.org");
    const again = await booted(storage, { password: "new password" });
    expect(own(again.saved)).toEqual({ ...own(saved), password: "new password", pending: false });
  });

  test("that is configured as it is saved changes nothing", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage, { username: "thermometer", password: "hunter2" });
    await identity.made("example.org");
    storage.done.length = 0;
    const again = await booted(storage, { username: "thermometer", password: "hunter2" });
    expect(own(again.saved)).toEqual({ ...own(saved), pending: false });
    expect(storage.done).toEqual([]);
  });

  const plain = { ownership: ownerships.unregistered, trust: trusts.none, examining: [], parting: [] };
  const leaving = (account: AccountReset) =>
    ({ ...plain, ownership: { is: "unregistered", leaving: { friends: false, account } } }) as const;
  const accountLeft = (outcome: "changed" | "removed" | "kept") =>
    ({ type: "accountLeft", domain: "example.org", outcome }) as const;

  test("gets a new password by a factory reset: on disk beside the old one, and the same when it is reset again", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    const before = own(saved);
    await identity.keepAfter(leaving("new-password"), { type: "reset", account: "new-password" });
    const { newPassword } = own((await booted(storage)).saved);
    expect(newPassword).toMatch(/^[\w-]{32}$/);
    // The server may have taken it: a third one would lock the Thing out.
    await identity.keepAfter(leaving("new-password"), { type: "reset", account: "new-password" });
    expect(await identity.load("example.org")).toEqual({ ...before, newPassword });
    expect(new Set(identity.secrets)).toEqual(
      new Set([before.password, newPassword, identity.key, identity.nodeSecret]),
    );
    await identity.keepAfter(plain, accountLeft("changed"));
    expect(own((await booted(storage)).saved)).toEqual({ ...before, password: newPassword });
  });

  test("keeps its password where the server has refused a new one, and takes the one that a login has proved", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.keepAfter(leaving("new-password"), { type: "reset", account: "new-password" });
    const { newPassword } = await identity.load("example.org");
    await identity.keepAfter(plain, accountLeft("kept"));
    expect(await identity.load("example.org")).toEqual(own(saved));
    await identity.keepAfter(leaving("new-password"), { type: "reset", account: "new-password" });
    await identity.passwordChanged("example.org");
    const { password } = await identity.load("example.org");
    expect([own(saved).password, newPassword]).not.toContain(password);
    expect(own((await booted(storage)).saved)).not.toHaveProperty("newPassword");
  });

  test("that is removed by a factory reset is another one, in one write with the end of the reset", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.made("example.org");
    await identity.keepAfter(leaving("remove"), { type: "reset", account: "remove" });
    expect(own((await booted(storage)).saved)).toEqual({ ...own(saved), pending: false, leaving: true });
    storage.done.length = 0;
    await identity.keepAfter(plain, accountLeft("removed"));
    expect(storage.done).toHaveLength(2); // the generation before, and the new one
    const after = (await booted(storage)).saved;
    expect(own(after)).toMatchObject({ domain: "example.org", pending: true });
    expect(own(after).username).not.toBe(own(saved).username);
    expect(own(after)).not.toHaveProperty("leaving");
    expect(after.ownership).toEqual({ is: "unregistered" });
  });

  test.each([{ username: "thermometer" }, { password: "hunter2" }])(
    "that is configured by %j from now on is not touched, whatever a reset of before has wanted",
    async (given) => {
      const storage = await failingStorage();
      const { identity } = await booted(storage);
      for (const account of ["remove", "new-password"] as const) {
        await identity.keepAfter(leaving(account), { type: "reset", account });
      }
      const account = own((await booted(storage, given)).saved);
      expect(account).not.toHaveProperty("leaving");
      expect("newPassword" in account).toBe(!("password" in given));
    },
  );

  test("cannot be asked for before the identity is open", () => {
    const identity = new Identity({
      storage: {} as Storage,
      random: new SeededRandom("x"),
      account: {},
      domain: "a.b",
    });
    expect(() => identity.load("a.b")).toThrow(TypeError);
  });

  test("is made of what every server and XML can take", async () => {
    const { saved } = await booted(await failingStorage());
    const { username, password, resource } = own(saved);
    expect([username, password, resource, saved.key].every(isXmlText)).toBe(true);
    expect(username).toBe(username.toLowerCase());
  });
});

// What version 0.1.0 wrote before the button came, byte by byte.
const FORMAT_1 = String.raw`4a972d3d3c9a7f00 {"document":"thing","format":1}
{"domain":"example.org","account":{"username":"thing-6d0afb9856f1097e","password":"gc1o8qXi-UL4Il8ZRp9giGEMZi4Zqk5I","resource":"-yhY6cowZetS","pending":false},"key":"rowjaYAKE2WVHRIAlhS-1ek5qN0","ownership":{"is":"claimed","registry":"discovery.example.org","owner":"owner@example.org","public":true,"keyEmptied":true,"ownerAsked":true},"trust":{"is":"delegated","servers":["provisioning.example.org"],"origin":"found"}}
`;
const FORMAT_1_BEFORE = String.raw`a31bb40435903679 {"document":"thing","format":1}
{"domain":"example.org","account":{"username":"thing-6d0afb9856f1097e","password":"gc1o8qXi-UL4Il8ZRp9giGEMZi4Zqk5I","resource":"-yhY6cowZetS","pending":false},"key":"rowjaYAKE2WVHRIAlhS-1ek5qN0","ownership":{"is":"unregistered"},"trust":{"is":"none"}}
`;

describe("what an older library has written", () => {
  const account = {
    username: "thing-6d0afb9856f1097e",
    password: "gc1o8qXi-UL4Il8ZRp9giGEMZi4Zqk5I",
    resource: "-yhY6cowZetS",
    pending: false,
  };
  const upgraded = {
    accounts: [{ domain: "example.org", ...account }],
    key: "rowjaYAKE2WVHRIAlhS-1ek5qN0",
    ownership: {
      is: "claimed",
      registry: "discovery.example.org",
      owner: "owner@example.org",
      public: true,
      listed: true,
      keyEmptied: true,
      ownerAsked: true,
    },
    trust: { is: "delegated", servers: [{ jid: "provisioning.example.org", origin: "found" }], locked: false },
    examining: [],
    parting: [],
  };
  // Made at the first start with a library that has nodes.
  const withSecret = { ...upgraded, nodeSecret: expect.stringMatching(/^[\w-]{43}$/) as string };
  const old = { ...upgraded, domain: "example.org", account };
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  test("is the same Thing, and is kept in the new format from then on", async () => {
    const storage = await failingStorage();
    await storage.replace("thing", bytes(FORMAT_1));
    await storage.replace("thing.previous", bytes(FORMAT_1_BEFORE));
    const { saved, problem } = await booted(storage);
    expect([saved, problem]).toEqual([withSecret, undefined]);
    const written = new TextDecoder().decode(await storage.read("thing"));
    expect(written).toContain(`"format":${SAVED_FORMAT}`);
    expect(new TextDecoder().decode(await storage.read("thing.previous"))).toBe(FORMAT_1);
    expect((await booted(storage)).saved).toEqual(saved);
  });

  test("is read from the generation before if the newest is damaged, and while an upgrade was cut", async () => {
    const storage = await failingStorage();
    await storage.replace("thing", bytes(FORMAT_1.replace("owner@", "thief@")));
    await storage.replace("thing.previous", bytes(FORMAT_1_BEFORE));
    const { saved, problem } = await booted(storage);
    expect(saved).toEqual({ ...withSecret, ownership: { is: "unregistered" }, trust: { is: "none" } });
    expect(problem).toMatch(/damaged/);

    const cut = await failingStorage();
    await cut.replace("thing", bytes(FORMAT_1));
    await cut.replace("thing.previous", bytes(FORMAT_1));
    expect((await booted(cut)).saved).toEqual(withSecret);
  });

  test.each([
    ["nobody", { is: "delegated", servers: [], origin: "found" }],
    ["an unknown origin", { is: "delegated", servers: ["a.b"], origin: "paired" }],
    ["no list", { is: "delegated", servers: "a.b", origin: "found" }],
    ["something else", { is: "locked" }],
  ])("is damaged with trust in %s", (_, trust) => {
    expect(() => parseSaved({ ...old, trust }, 1)).toThrow(TypeError);
  });

  test("trusted nobody, if it did not", () => {
    expect(parseSaved({ ...old, trust: { is: "none" } }, 1).trust).toEqual({ is: "none" });
  });
});

describe("a factory reset", () => {
  test("X-E4: keeps the account, and makes another KEY", async () => {
    const storage = await failingStorage();
    const { identity, saved } = await booted(storage);
    await identity.startAnew({ ownership: { is: "unregistered" }, trust: { is: "none" }, examining: [], parting: [] });
    const again = (await booted(storage)).saved;
    expect(again).toEqual({ ...saved, key: again.key, nodeSecret: again.nodeSecret });
    expect(again.key).not.toBe(saved.key);
    expect(again.nodeSecret).not.toBe(saved.nodeSecret);
    expect([identity.key, identity.nodeSecret]).toEqual([again.key, again.nodeSecret]);
  });
});

describe("a Thing that moves to another domain", () => {
  const roaming = (storage: Storage): Identity =>
    new Identity({ storage, random: new SeededRandom(`start ${++starts}`), account: {} });

  test("D-6.5-2: has another KEY there at once, on disk with the new home: the Registry before may have heard the old one", async () => {
    const storage = await failingStorage();
    const identity = roaming(storage);
    await identity.open();
    const first = identity.key;
    const firstOfNodes = identity.nodeSecret;
    await identity.settle("mallory.example").kept;
    expect(identity.key).toBe(first); // nobody has heard it yet
    const { moved, kept } = identity.settle("example.org");
    const second = identity.key;
    expect(moved).toBe(true);
    expect(second).not.toBe(first);
    expect(identity.secrets).toContain(second);
    await kept;
    const { saved } = await roaming(storage).open();
    expect(saved.key).toBe(second);
    expect(saved.nodeSecret).toBe(identity.nodeSecret);
    expect(saved.nodeSecret).not.toBe(firstOfNodes);
    expect(own(saved).domain).toBe("example.org");
  });

  test("keeps its KEY when the stream comes back on the same domain, and has a new one after a reset", async () => {
    const storage = await failingStorage();
    const identity = roaming(storage);
    await identity.open();
    await identity.settle("mallory.example").kept;
    await identity.settle("example.org").kept;
    const { key } = identity;
    expect(identity.settle("example.org").moved).toBe(false);
    expect(identity.key).toBe(key);
    await identity.startAnew({ ownership: { is: "unregistered" }, trust: { is: "none" }, examining: [], parting: [] });
    expect(identity.key).not.toBe(key);
    expect((await roaming(storage).open()).saved.key).toBe(identity.key);
  });

  test("after a factory reset that its server has not heard of has another account there when it comes back", async () => {
    // Else the owner of before would have it again: a Registry answers whoever registers under an address that it knows.
    const storage = await failingStorage();
    const identity = roaming(storage);
    await identity.open();
    await identity.settle("example.org").kept;
    const before = await identity.load("example.org");
    await identity.startAnew({
      ownership: { is: "unregistered", leaving: { friends: true, registry: "registry.example.org" as BareJid } },
      trust: { is: "none" },
      examining: [],
      parting: [],
    });
    expect(await identity.load("example.org")).toEqual(before); // there it can still be taken back
    await identity.settle("mallory.example").kept;
    await identity.remember({ ownership: { is: "unregistered" }, trust: { is: "none" }, examining: [], parting: [] });
    const after = await identity.load("example.org");
    expect(after.username).not.toBe(before.username);
    expect(after.password).not.toBe(before.password);
    const { saved } = await roaming(storage).open();
    expect(saved.accounts.map(({ domain }) => domain)).toEqual(["mallory.example"]);
  });

  test("keeps the account of before where there was no reset, and a name that was configured in any case", async () => {
    const storage = await failingStorage();
    const account = { username: "lamp" };
    const identity = new Identity({ storage, random: new SeededRandom("named"), account });
    await identity.open();
    await identity.settle("example.org").kept;
    const before = await identity.load("example.org");
    await identity.settle("mallory.example").kept;
    expect(await identity.load("example.org")).toEqual(before);
    await identity.settle("example.org").kept;
    const leaving = { is: "unregistered", leaving: { friends: true } } as const;
    await identity.startAnew({ ownership: leaving, trust: { is: "none" }, examining: [], parting: [] });
    await identity.settle("mallory.example").kept;
    expect(await identity.load("example.org")).toEqual(before);
  });
});
