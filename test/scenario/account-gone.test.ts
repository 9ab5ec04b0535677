// People change what the Thing relies on: the account, its password, its Registry. It says so, and makes nothing new.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { el } from "../../src/codec/xml.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { faultDocument } from "../../src/thing/last-fault.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { decodeDocument } from "../../src/storage/document-file.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { noProsody, startProsody } from "../support/prosody.ts";

interface Place {
  readonly service: string;
  readonly ca: string;
  readonly stop: () => Promise<void>;
}

const places: [string, string | undefined, () => Promise<Place>][] = [
  [
    "the sandbox",
    undefined,
    async () => {
      const sandbox = await startSandbox();
      return { service: sandbox.service, ca: sandbox.ca, stop: () => sandbox.stop() };
    },
  ],
  [
    "Prosody",
    noProsody,
    async () => {
      const prosody = await startProsody();
      if (prosody === undefined) throw new Error("Prosody did not start");
      return { service: `xmpp://127.0.0.1:${prosody.port}`, ca: prosody.ca, stop: () => prosody.stop() };
    },
  ],
];

for (const [name, missing, start] of places) {
  describe.skipIf(missing !== undefined)(`an account on ${name}`, () => {
    let place: Place;
    let storage = memoryStorage();
    let thing: Thing | undefined;
    const faults: string[] = [];
    const healed: string[] = [];

    const boot = async (): Promise<Thing> => {
      const { service, ca } = place;
      thing = new Thing({
        storage,
        server: { service, domain: "localhost" },
        tls: { ca },
        registry: "nobody.localhost",
      });
      thing.on("fault", ({ code, message }) => code !== "registry" && faults.push(`${code}: ${message}`));
      thing.on("healed", (code) => healed.push(code));
      await thing.start();
      return thing;
    };
    /** Somebody who knows the account of a Thing that is stopped. */
    const credentials = async (): Promise<{ username: string; password: string }> => {
      await storage.open();
      const content = await storage.read("thing");
      await storage.close();
      const { value } = decodeDocument("thing", content ?? new Uint8Array()) as {
        value: { accounts: { username: string; password: string }[] };
      };
      const [{ username, password } = { username: "", password: "" }] = value.accounts;
      return { username, password };
    };
    const logIn = (account: { username: string; password: string }): Promise<Connection> =>
      connect({ service: place.service, domain: "localhost", tls: { ca: place.ca }, ...account });
    const change = async (account: { username: string; password: string }, ...what: ReturnType<typeof el>[]) => {
      const connection = await logIn(account);
      const payload = el("query", { xmlns: "jabber:iq:register" }, ...what);
      await connection.channel.request({ type: "set", payload }).catch(() => undefined); // some close the stream at once
      await connection.close();
    };
    const live = async (): Promise<{ username: string; password: string }> => {
      storage = memoryStorage();
      await boot();
      await thing?.waitFor("online", { timeout: 10_000 });
      await thing?.stop();
      return credentials();
    };

    beforeAll(async () => {
      place = await start();
    }, 30_000);
    afterEach(async () => {
      await thing?.stop();
      faults.length = 0;
      healed.length = 0;
    });
    afterAll(() => place?.stop());

    it("that vanished is told of, and never made again", async () => {
      const account = await live();
      await boot();
      await thing?.waitFor("online", { timeout: 10_000 });
      await change(account, el("remove"));
      // While it runs, and after a restart.
      for (let life = 0; life < 2; life++) {
        await expect.poll(() => faults.length, { timeout: 10_000 }).toBe(1);
        expect(faults[0]).toContain(`Either the account ${account.username}@localhost is not on the server any more`);
        await thing?.stop();
        expect(await credentials()).toEqual(account);
        await expect(logIn(account)).rejects.toMatchObject({ code: "ERR_AUTHENTICATION" });
        await storage.open();
        expect((await faultDocument(storage).load()).value).toMatchObject({ code: "authentication", healed: false });
        await storage.close();
        faults.length = 0;
        if (life === 0) await boot();
      }
    }, 40_000);

    it("whose password was changed is told of, and is well again when it is changed back", async () => {
      const account = await live();
      const { username, password } = account;
      await change(account, el("username", {}, username), el("password", {}, "another"));
      await boot();
      await expect.poll(() => faults.length, { timeout: 10_000 }).toBe(1);
      expect(faults[0]).toMatch(/^authentication: .*or its password was changed; no other account is made/);
      await change({ username, password: "another" }, el("username", {}, username), el("password", {}, password));
      await thing?.waitFor("online", { timeout: 20_000 });
      expect(healed).toEqual(["authentication"]);
      await thing?.stop();
      expect(await credentials()).toEqual(account);
    }, 40_000);
  });
}

describe("the Registry", () => {
  const another = (domain: string): ReferenceRegistry =>
    new ReferenceRegistry({ jid: `other.${domain}`, clock: systemClock, random: systemRandom, logger: silentLogger });

  it("that the options name in the place of another is told of, and counts from then on", async () => {
    const storage = memoryStorage();
    await using sandbox = await startSandbox();
    const { service, domain, ca } = sandbox;
    const other = another(domain);
    sandbox.attach(other);
    const faults: string[] = [];
    const live = async (registry: string): Promise<void> => {
      const thing = new Thing({ storage, server: { service, domain }, tls: { ca }, registry });
      thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
      await thing.start();
      await thing.waitFor(({ ownership }) => ownership.is === "registered" && ownership.registry === registry, {
        timeout: 10_000,
      });
      await thing.stop();
    };
    await live("discovery.localhost");
    expect(faults).toEqual([]);
    await live("other.localhost");
    expect(faults.splice(0)).toEqual([
      "registry-changed: the option `registry` names other.localhost, but the Thing was registered with discovery.localhost: " +
        "from now on other.localhost counts, and discovery.localhost may go on listing the Thing",
    ]);
    await live("other.localhost");
    expect(faults).toEqual([]);
    expect(other.things).toHaveLength(1);
    other.stop();
  }, 30_000);

  it("that was found and is gone stays the one: another is not looked for", async () => {
    const storage = memoryStorage();
    await using sandbox = await startSandbox();
    const { service, domain, ca } = sandbox;
    const faults: string[] = [];
    const boot = async (): Promise<Thing> => {
      const thing = new Thing({ storage, server: { service, domain }, tls: { ca } });
      thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
      await thing.start();
      return thing;
    };
    const before = await boot();
    await before.waitFor("registered", { timeout: 10_000 });
    await before.stop();
    const other = another(domain);
    sandbox.detach(sandbox.registry);
    sandbox.attach(other);
    const after = await boot();
    await expect.poll(() => faults.length, { timeout: 10_000 }).toBe(1);
    expect(faults[0]).toMatch(/^registry: .*the Thing stays with discovery\.localhost, where it was registered/);
    expect(after.state.ownership).toEqual({ is: "registered", registry: "discovery.localhost" });
    expect(other.things).toEqual([]);
    await after.stop();
    other.stop();
  }, 30_000);
});
