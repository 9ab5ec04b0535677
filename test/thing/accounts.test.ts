// A Thing that finds its server by itself has an account on each domain that it was on (XEP-0347 3.4, D-E25), and stays on
// the one where somebody knows it (6.2).
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { accountOn, isSettled, withAccount, withInUse, type DomainAccount } from "../../src/thing/accounts.ts";
import { Identity } from "../../src/thing/identity.ts";
import type { AccountOptions } from "../../src/thing/options.ts";
import { savedDocument, type Saved } from "../../src/thing/saved.ts";
import { crashSeed, crashStates, processesOf, recordRun } from "../support/crash-fs.ts";
import { failingStorage } from "../support/failing-storage.ts";
import { ownerships, trusts } from "./life.ts";

const HOME = "home.example";
const OTHER = "other.example";

let starts = 0;
async function booted(storage: Storage, account: AccountOptions = {}, domain?: string): Promise<Identity> {
  const identity = new Identity({ storage, random: new SeededRandom(`boot ${++starts}`), account, domain });
  await identity.open();
  return identity;
}

async function kept(storage: Storage): Promise<Saved> {
  const { value } = await savedDocument(storage).load();
  if (value === undefined) throw new Error("nothing was kept");
  return value;
}

const domains = ({ accounts }: Saved): string[] => accounts.map(({ domain }) => domain);
const nobody = { ownership: ownerships.unregistered, trust: trusts.none, examining: [], parting: [] };

/** A Thing that was online on a domain. */
async function athome(storage: Storage, identity: Identity, domain = HOME): Promise<void> {
  await identity.load(domain);
  await identity.keep(domain);
  await identity.made(domain);
  await identity.settle(domain).kept;
  expect(domains(await kept(storage))[0]).toBe(domain);
}

describe("a Thing for which no domain is configured", () => {
  test("has no account before a server was found, and any domain counts", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    expect((await kept(storage)).accounts).toEqual([]);
    expect(identity.onlyDomain).toBeUndefined();
    expect(identity.key).not.toBe("");
  });

  test("D-3.4-2: has another name, password and resource on each domain: no server learns what another one knows", async () => {
    const identity = await booted(await failingStorage());
    const accounts = await Promise.all([HOME, OTHER, "third.example"].map((domain) => identity.load(domain)));
    for (const part of ["username", "password", "resource"] as const) {
      expect(new Set(accounts.map((account) => account[part])).size).toBe(3);
    }
    expect(await identity.load(HOME)).toEqual(accounts[0]);
    expect(identity.secrets).toEqual([...accounts.map(({ password }) => password), identity.key, identity.nodeSecret]);
  });

  test("has the configured name on each, with another password", async () => {
    const identity = await booted(await failingStorage(), { username: "thermometer" });
    const [one, two] = await Promise.all([identity.load(HOME), identity.load(OTHER)]);
    expect([one.username, two.username]).toEqual(["thermometer", "thermometer"]);
    expect(one.password).not.toBe(two.password);
    // And another one when the options name another.
    const storage = await failingStorage();
    await (await booted(storage)).keep(OTHER);
    const renamed = await booted(storage, { username: "thermometer" });
    await renamed.keep(HOME);
    expect((await renamed.load(OTHER)).username).toBe("thermometer");
    expect(await renamed.load(HOME)).toEqual(await renamed.load(HOME));
  });

  test("writes nothing for a server that was only heard of, and keeps the account before it is made", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    storage.done.length = 0;
    for (let i = 0; i < 1_000; i++) await identity.load(`${i}.example`);
    expect(storage.done).toEqual([]);
    expect(identity.secrets.length).toBeLessThanOrEqual(66);
    const account = await identity.load(HOME);
    await identity.keep(HOME);
    expect((await kept(storage)).accounts).toEqual([{ domain: HOME, ...account }]);
    expect(account.pending).toBe(true);
    expect(await (await booted(storage)).load(HOME)).toEqual(account);
  });

  test("is told when what is about to be made cannot be kept", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    storage.failing.add("replace");
    await expect(identity.keep(HOME)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    const account = await identity.load(HOME);
    await identity.keep(HOME);
    expect((await kept(storage)).accounts).toEqual([{ domain: HOME, ...account }]);
  });

  test("renews a name that is taken on one domain only", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    await identity.keep(HOME);
    const [home, other] = await Promise.all([identity.load(HOME), identity.load(OTHER)]);
    const renewed = await identity.renew(OTHER);
    expect(renewed.username).not.toBe(other.username);
    expect(renewed.password).not.toBe(other.password);
    expect(await identity.load(HOME)).toEqual(home);
    expect((await kept(storage)).accounts).toEqual([
      { domain: HOME, ...home },
      { domain: OTHER, ...renewed },
    ]);
  });

  test("keeps eight accounts at most, the one in use always among them", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    await athome(storage, identity);
    for (let i = 0; i < 20; i++) await identity.keep(`${i}.example`);
    expect(domains(await kept(storage))).toEqual([HOME, ...[19, 18, 17, 16, 15, 14, 13].map((i) => `${i}.example`)]);
    await identity.made("3.example"); // forgotten since, but the server took it
    expect(domains(await kept(storage)).slice(0, 2)).toEqual([HOME, "3.example"]);
  });

  test("has its home where it was online last, on disk too; another write only when that changes", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    await athome(storage, identity);
    storage.done.length = 0;
    const again = identity.settle(HOME);
    await again.kept;
    expect([again.moved, storage.done]).toEqual([false, []]);
    await identity.keep(OTHER);
    const moved = identity.settle(OTHER);
    expect(moved.moved).toBe(true);
    await moved.kept;
    expect(domains(await kept(storage))).toEqual([OTHER, HOME]);
    expect((await booted(storage)).settle(OTHER).moved).toBe(false);
  });

  test("is nowhere before: the first home is no move", async () => {
    const identity = await booted(await failingStorage());
    const { moved, kept: durable } = identity.settle(HOME);
    await durable;
    expect(moved).toBe(false);
  });

  test("has its registration never on disk beside the domain of before", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    await athome(storage, identity);
    // The disk is full when the Thing comes online elsewhere, and has room again when it is registered.
    storage.failing.add("replace");
    await expect(identity.settle(OTHER).kept).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    await identity.remember({ ...nobody, ownership: ownerships.registered });
    expect(domains(await kept(storage))).toEqual([OTHER, HOME]);
    expect((await booted(storage)).onlyDomain).toBe(OTHER);
  });
});

describe("a factory reset", () => {
  test("has its new KEY on disk also if the Thing had moved, and that could not be written", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    await athome(storage, identity);
    storage.failing.add("replace");
    await expect(identity.settle(OTHER).kept).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    const before = [(await kept(storage)).key, identity.key];
    await identity.startAnew(nobody);
    expect(before).not.toContain(identity.key);
    expect((await kept(storage)).key).toBe(identity.key);
  });
});

describe("D-6.2-1: a Thing that somebody knows", () => {
  test.each([
    ["is registered", { ...nobody, ownership: ownerships.registered }],
    ["is claimed", { ...nobody, ownership: ownerships.claimed }],
    ["has its trust locked", { ...nobody, trust: trusts.locked }],
    ["trusts whom the button was pressed for", { ...nobody, trust: trusts.paired }],
  ])("and %s stays on its domain, also after a restart", async (_, state) => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    await athome(storage, identity);
    await identity.remember(state);
    for (const one of [identity, await booted(storage)]) {
      expect(one.onlyDomain).toBe(HOME);
      expect((await one.load(HOME)).pending).toBe(false);
      await expect(one.load(OTHER)).rejects.toMatchObject({
        code: "ERR_DISCOVERY",
        message: `${OTHER} is passed over: the Thing is known on ${HOME}, and stays there until a factory reset, or until \`server\` names another domain`,
      });
    }
    expect(domains(await kept(storage))).toEqual([HOME]);
  });

  test("may go anywhere again after a factory reset; its account at home stays", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage);
    await athome(storage, identity);
    await identity.remember({ ...nobody, ownership: ownerships.claimed });
    await identity.startAnew(nobody);
    expect(identity.onlyDomain).toBeUndefined();
    expect((await identity.load(OTHER)).pending).toBe(true);
    expect((await identity.load(HOME)).pending).toBe(false);
  });

  test("but trusts only whom the options name may go: they are named wherever it is", () => {
    expect(isSettled({ ...nobody, trust: trusts.configured })).toBe(false);
    expect(isSettled({ ...nobody, trust: trusts.found })).toBe(true);
    expect(isSettled(nobody)).toBe(false);
  });
});

describe("a Thing with a domain in its options", () => {
  test("D-3.3-1: passes every other one over, registered or not", async () => {
    const identity = await booted(await failingStorage(), {}, HOME);
    expect(identity.onlyDomain).toBe(HOME);
    await expect(identity.load(OTHER)).rejects.toMatchObject({
      code: "ERR_DISCOVERY",
      message: `${OTHER} is passed over: the options name ${HOME}`,
    });
  });

  test("has its account on disk from the start", async () => {
    const storage = await failingStorage();
    const identity = await booted(storage, { password: "hunter2" }, HOME);
    expect((await kept(storage)).accounts).toEqual([{ domain: HOME, ...(await identity.load(HOME)) }]);
  });

  test("keeps a configured password from every other server", async () => {
    const storage = await failingStorage();
    await booted(storage, { password: "hunter2" }, HOME);
    const identity = await booted(storage);
    expect((await identity.load(OTHER)).password).not.toBe("hunter2");
    const moved = await booted(storage, {}, OTHER);
    expect((await moved.load(OTHER)).password).not.toBe("hunter2");
    expect((await kept(storage)).accounts.map(({ password }) => password === "hunter2")).toEqual([false, true]);
  });
});

describe("the list of accounts", () => {
  const account = (domain: string, username = "u"): DomainAccount => ({
    ...{ domain, username, password: "p", resource: "r", pending: false },
  });
  const list = [account("a"), account("b"), account("c")];

  test("holds one for each domain, in the place where it was", () => {
    expect(withAccount(list, account("b", "v"))).toEqual([account("a"), account("b", "v"), account("c")]);
    expect(withAccount(list, account("d")).map(({ domain }) => domain)).toEqual(["a", "d", "b", "c"]);
    expect(withAccount([], account("d"))).toEqual([account("d")]);
    expect(accountOn(list, "d")).toBeUndefined();
  });

  test("has the one in use first, and stays the same one if it is", () => {
    expect(withInUse(list, "c").map(({ domain }) => domain)).toEqual(["c", "a", "b"]);
    expect(withInUse(list, "a")).toBe(list);
    expect(withInUse(list, "d")).toBe(list);
  });
});

describe("a power cut while a Thing comes to a server", () => {
  const seed = crashSeed();
  const folder = "/var/lib/thing";

  test(`leaves an account of which the password is known, and a Thing at its home (seed ${seed})`, async () => {
    const recording = await recordRun(async (fs) => {
      const storage = fileStorage(folder, { fs, processes: processesOf("recorded") });
      await storage.open();
      const identity = await booted(storage);
      for (const domain of [HOME, OTHER]) {
        await identity.keep(domain);
        fs.mark(`made ${domain} ${(await identity.load(domain)).password}`);
        await identity.made(domain);
        await identity.settle(domain).kept;
        fs.mark(`online ${domain}`);
      }
      await identity.remember({ ...nobody, ownership: ownerships.registered });
      fs.mark("registered");
      await storage.close();
    });
    let states = 0;
    for (const { fs, marks, description } of crashStates(recording, { seed, statesPerCrash: 12 })) {
      states++;
      const storage = fileStorage(folder, { fs, processes: processesOf(description) });
      await storage.open();
      const identity = await booted(storage);
      for (const mark of marks.filter((one) => one.startsWith("made "))) {
        const [, domain = "", password] = mark.split(" ");
        if (identity.onlyDomain !== undefined && domain !== identity.onlyDomain) continue;
        expect((await identity.load(domain)).password, description).toBe(password);
      }
      const online = marks.filter((mark) => mark.startsWith("online ")).at(-1);
      // The next home may be on disk already.
      if (online === `online ${OTHER}`) expect(domains(await kept(storage))[0], description).toBe(OTHER);
      if (online === `online ${HOME}`) expect(domains(await kept(storage)), description).toContain(HOME);
      if (marks.includes("registered")) expect(identity.onlyDomain, description).toBe(OTHER);
      await storage.close();
    }
    expect(states).toBeGreaterThan(100);
  });
});
