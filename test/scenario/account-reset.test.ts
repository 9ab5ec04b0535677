// What a factory reset does with the account (XEP-0077 3.2, 3.3), on the sandbox and on real servers; and that the power
// may go at any moment of it. The last are skipped, with a line that says so, where they are not installed.
import { cpSync, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connect } from "../../src/connection/connect.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { DomainAccount } from "../../src/thing/accounts.ts";
import { savedDocument } from "../../src/thing/saved.ts";
import type { AccountReset, ThingState } from "../../src/thing/state.ts";
import { Thing } from "../../src/thing/thing.ts";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { rejection } from "../connection/harness.ts";

interface Server {
  readonly port: number;
  readonly ca: string;
  stop(): Promise<void>;
}

const folders = mkdtempSync(join(tmpdir(), "account-reset-"));
afterAll(() => rm(folders, { recursive: true }));
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let last = 0;
const newFolder = (): string => {
  const folder = join(folders, String(++last));
  mkdirSync(folder);
  return folder;
};

/** The account that a folder holds. */
async function accountIn(folder: string): Promise<DomainAccount> {
  const storage = fileStorage(folder);
  await storage.open();
  try {
    return (await savedDocument(storage).load()).value?.accounts[0] as DomainAccount;
  } finally {
    await storage.close();
  }
}

const isSettled = ({ link, ownership }: ThingState): boolean =>
  link.is === "online" && ownership.is === "unregistered" && ownership.leaving === undefined;

function onAServer(start: () => Promise<Server>): void {
  let server: Server;
  beforeAll(async () => {
    server = await start();
  }, 30_000);
  afterAll(() => server.stop());

  const boot = async (folder: string): Promise<Thing> => {
    const thing = new Thing({
      storage: fileStorage(folder),
      server: { service: `xmpp://127.0.0.1:${server.port}`, domain: "localhost" },
      tls: { ca: server.ca },
      registry: "nobody.localhost",
    });
    cleanups.push(() => thing.stop());
    await thing.start();
    await thing.waitFor("online", { timeout: 60_000 });
    return thing;
  };

  const login = async ({ username, password }: DomainAccount): Promise<string> => {
    const service = `xmpp://127.0.0.1:${server.port}`;
    const connection = await connect({ service, domain: "localhost", tls: { ca: server.ca }, username, password });
    await connection.close();
    return connection.jid.bare;
  };

  /** Resets, and tells what was on disk the moment the reset was durable: what a power cut would leave. */
  const reset = async (thing: Thing, folder: string, account?: "keep" | AccountReset): Promise<string> => {
    const cut = newFolder();
    thing.once("state", () => {
      for (const name of ["thing", "thing.previous"]) {
        if (existsSync(join(folder, name))) cpSync(join(folder, name), join(cut, name));
      }
    });
    await thing.reset({ account, timeout: 30_000 });
    await thing.waitFor(isSettled, { timeout: 60_000 });
    await thing.stop();
    return cut;
  };

  it("keeps the account by default", async () => {
    const folder = newFolder();
    const thing = await boot(folder);
    await reset(thing, folder);
    const account = await accountIn(folder);
    expect(account).not.toHaveProperty("newPassword");
    expect(await login(account)).toBe(`${account.username}@localhost`);
  });

  it("gives the account another password, and a power cut in the middle locks nobody out", async () => {
    const folder = newFolder();
    const thing = await boot(folder);
    const before = await accountOf(thing, folder);
    const cut = await reset(thing, folder, "new-password");
    const after = await accountIn(folder);
    expect(after).toEqual({ ...before, password: expect.not.stringMatching(before.password) as string });
    expect(await rejection(login(before))).toMatchObject({ code: "ERR_AUTHENTICATION" });
    expect(await login(after)).toBe(`${before.username}@localhost`);
    // The server had taken it, and the Thing did not know: the password of before is tried, then the new one.
    expect(await accountIn(cut)).toEqual({ ...before, newPassword: after.password });
    const again = await boot(cut);
    await again.waitFor(isSettled, { timeout: 60_000 });
    await again.stop();
    expect(await accountIn(cut)).toEqual(after);
  });

  it(
    "has the account removed and makes another one, also after a power cut in the middle",
    { timeout: 120_000 },
    async () => {
      const folder = newFolder();
      const thing = await boot(folder);
      const before = await accountOf(thing, folder);
      const faults: string[] = [];
      thing.on("fault", ({ code }) => faults.push(code));
      const cut = await reset(thing, folder, "remove");
      const after = await accountIn(folder);
      expect(after.username).not.toBe(before.username);
      expect(after).toMatchObject({ pending: false });
      expect(after).not.toHaveProperty("leaving");
      expect(await rejection(login(before))).toMatchObject({ code: "ERR_AUTHENTICATION" });
      expect(faults).not.toContain("conflict");
      expect(await accountIn(cut)).toEqual({ ...before, leaving: true });
      const again = await boot(cut);
      await again.waitFor(isSettled, { timeout: 60_000 });
      await again.stop();
      const third = await accountIn(cut);
      expect([before.username, after.username]).not.toContain(third.username);
      expect(third).not.toHaveProperty("leaving");
      // And it stays: it is not removed as well.
      expect(await login(third)).toBe(`${third.username}@localhost`);
    },
  );
}

/** The account of a Thing that runs: its folder is held, so a copy is read. */
async function accountOf(_thing: Thing, folder: string): Promise<DomainAccount> {
  const copy = newFolder();
  await expect
    .poll(async () => {
      cpSync(join(folder, "thing"), join(copy, "thing"));
      return (await accountIn(copy)).pending;
    })
    .toBe(false);
  return accountIn(copy);
}

describe("a factory reset, on the sandbox", { timeout: 60_000 }, () => onAServer(() => startSandbox()));
describe.skipIf(noProsody !== undefined)("a factory reset, on Prosody", { timeout: 60_000 }, () =>
  onAServer(async () => (await startProsody()) as Server),
);
describe.skipIf(noEjabberd !== undefined)("a factory reset, on ejabberd", { timeout: 60_000 }, () =>
  onAServer(async () => (await startEjabberd()) as Server),
);
