// A sandbox that keeps what Things rely on: it goes and comes back, and nobody has to do anything about it.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { tag } from "../../src/owner/predicates.ts";
import { startSandbox, type Sandbox, type SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { thingOptions } from "../support/site.ts";

const soon = { timeout: 20_000 };
let data = "";
const toEnd: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "xmpp-thing-data-"));
});

afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
  rmSync(data, { recursive: true, force: true });
});

async function start(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ data, ...options });
  toEnd.push(() => sandbox.stop());
  return sandbox;
}

function makeThing({ service, domain, ca }: Sandbox, storage = memoryStorage()): Thing {
  const thing = new Thing(thingOptions(storage, { service, domain }, { tls: { ca } }));
  toEnd.push(() => thing.stop());
  return thing;
}

async function login({ service, domain, ca }: Sandbox, register = false): Promise<Connection> {
  const connection = await connect({ service, domain, username: "owner", password: "pw", register, tls: { ca } });
  toEnd.push(() => connection.close());
  return connection;
}

describe("a sandbox that is started again with its folder", () => {
  it("has its Things again: they come back by themselves, are found, and are read by their friends", async () => {
    const first = await start();
    first.provisioning.setRules([{ read: true, friend: true }]);
    const storage = memoryStorage();
    const thing = makeThing(first, storage);
    await thing.start();
    await thing.waitFor("registered", soon);
    const connection = await login(first, true);
    const owner = new OwnerClient(connection);
    await owner.claim(thing.claimText, soon);
    await thing.waitFor("provisioned", soon);
    const { jid } = thing;
    await owner.befriend(jid, soon);
    await connection.close();
    await first.stop();

    const second = await start();
    expect(second.provisioning.rules).toEqual([{ read: true, friend: true }]); // kept, as the Things are
    expect([second.service, second.ca, second.domain]).toEqual([first.service, first.ca, first.domain]);
    const again = new OwnerClient(await login(second));
    const found: string[] = [];
    for await (const each of again.search([tag("SN").like("*")], soon)) found.push(`${each.jid} ${each.owner}`);
    expect(found).toEqual([`${jid.replace(/\/.*/, "")} owner@localhost`]);
    await thing.waitFor("online", soon); // nobody has told it anything
    // No new friendship: the roster is as it was.
    const [group] = await again.read(await again.befriend(jid, soon), soon);
    expect(group?.fields[0]).toMatchObject({ name: "Temperature", text: "21.5" });
    await thing.stop();

    // Another process of the Thing, with what it remembers, logs in too.
    const restarted = makeThing(second, storage);
    await restarted.start();
    await restarted.waitFor("online", soon);
    expect(restarted.jid).toBe(jid);
    expect(second.registry.things).toMatchObject([{ owner: "owner@localhost", public: true }]);
  });

  it("a Thing that was claimed and not told of it is told after the restart", async () => {
    const first = await start();
    const storage = memoryStorage();
    const thing = makeThing(first, storage);
    await thing.start();
    await thing.waitFor("registered", soon);
    const { claimText } = thing;
    await thing.stop();
    await new OwnerClient(await login(first, true)).claim(claimText, soon);
    expect(first.registry.things).toMatchObject([{ told: false }]);
    await first.stop();
    const second = await start();
    expect(second.registry.unacknowledged).toHaveLength(1);
    const again = makeThing(second, storage);
    await again.start();
    await again.waitFor("claimed", soon);
    expect(again.state.ownership).toMatchObject({ owner: "owner@localhost" });
  });

  it("services that are accounts log in again, with a new password", async () => {
    const hosting = { registry: "account", provisioning: "account" } as const;
    await (await start({ hosting })).stop();
    const second = await start({ hosting });
    expect(second.registry.jid).toBe("discovery@localhost");
    const connection = await login(second, true);
    const info = await new OwnerClient(connection).befriend(second.registry.jid, soon);
    expect(info).toContain("discovery@localhost/");
  });

  it("says what is wrong with a folder, and leaves it free", async () => {
    const first = await start({ domain: "one.example" });
    const refused = (options: SandboxOptions): Promise<unknown> =>
      startSandbox(options).then(
        () => "started",
        (error: unknown) => {
          const { code, message } = error as { readonly code: string; readonly message: string };
          return `${code} ${message}`;
        },
      );
    expect(await refused({ data })).toContain("is in use by another sandbox; stop it first");
    const { port } = first;
    await first.stop();
    expect(await refused({ data, domain: "two.example" })).toMatch(/^ERR_CONFIG data: .* of the domain one.example/);
    expect(await refused({ data: "" })).toBe("ERR_CONFIG data: must be the path of a folder");
    // What has the port now is not the sandbox that Things know.
    const other = await startSandbox({ port });
    toEnd.push(() => other.stop());
    expect(await refused({ data })).toContain("ERR_CONNECTION");
    const second = await start({ port: 0 });
    expect(second.domain).toBe("one.example");
    expect(second.port).not.toBe(port);
    expect(() => second.setPassword("nobody", "x")).toThrow("no account");
  });
});

describe("npx xmpp-thing sandbox --data", () => {
  async function run(...more: readonly string[]): Promise<Record<string, unknown>> {
    const io = new FakeIo();
    const running = main(["sandbox", "--data", data, ...more], io);
    await expect.poll(() => io.lines.length, soon).toBeGreaterThan(0);
    const [line = ""] = io.lines;
    const text = io.text;
    io.interrupt();
    expect(await running).toBe(0);
    return more.includes("--json") ? (JSON.parse(line) as Record<string, unknown>) : { text: `${text}\n${io.text}` };
  }

  it("keeps what its Provisioning Servers go by, until other rights are wished", async () => {
    await run("--json", "--also", "second", "--rights", "read");
    const owner = "owner@localhost";
    const decided = await startSandbox({ data, furtherProvisioning: [{ name: "second" }] });
    const [first, second] = decided.provisioningServers;
    expect(first?.rules).toEqual([{ jid: owner, read: true }]);
    second?.addRule({ jid: "anna@localhost", friend: true });
    await second?.settled();
    await decided.stop();
    await run("--json", "--also", "second");
    await run("--json", "--also", "second", "--rights", "read");
    const same = await startSandbox({ data, furtherProvisioning: [{ name: "second" }] });
    const rules = same.provisioningServers.map((server) => server.rules);
    await same.stop();
    expect(rules).toEqual([[{ jid: owner, read: true }], [{ jid: "anna@localhost", friend: true }, { jid: owner }]]);
    await run("--json", "--also", "second=control", "--rights", "friend");
    const other = await startSandbox({ data, furtherProvisioning: [{ name: "second" }] });
    const wished = other.provisioningServers.map((server) => server.rules);
    await other.stop();
    expect(wished).toEqual([[{ jid: owner, friend: true }], [{ jid: owner, control: true }]]);
  });

  it("is the same at every start: address, authority, owner and password", async () => {
    const first = await run("--json");
    expect(first["ca"]).toBe(join(data, "ca.pem"));
    const ca = readFileSync(join(data, "ca.pem"), "utf8");
    expect(await run("--json")).toEqual(first);
    expect(readFileSync(join(data, "ca.pem"), "utf8")).toBe(ca);
    expect(statSync(join(data, "owner.json")).mode & 0o077).toBe(0);
    // A start that was cut off while it wrote the password down.
    writeFileSync(join(data, "owner.json"), '{"username":"ow');
    const third = await run("--json");
    expect(third).toEqual({ ...first, password: third["password"] });
    expect(await run("--json")).toEqual(third);
    writeFileSync(join(data, "owner.json"), "{}");
    expect((await run("--json"))["password"]).not.toBe(third["password"]);
  });

  it.each(["ca.pem", "owner.json"])(
    "leaves a %s as it is that somebody else has put there, and says so",
    async (name) => {
      mkdirSync(data, { recursive: true });
      writeFileSync(join(data, name), "mine");
      const io = new FakeIo();
      expect(await main(["sandbox", "--data", data], io)).toBe(1);
      expect(io.text + io.errors.join("\n")).toContain(`"${join(data, name)}" is there already`);
      expect(readFileSync(join(data, name), "utf8")).toBe("mine");
    },
  );

  it("writes the authority anew where a start was cut off while it wrote it", async () => {
    await run("--json");
    const ca = readFileSync(join(data, "ca.pem"), "utf8");
    writeFileSync(join(data, "ca.pem"), ca.slice(0, 100));
    await run("--json");
    expect(readFileSync(join(data, "ca.pem"), "utf8")).toBe(ca);
  });

  it("tells whole paths, quoted where a shell needs it: what is typed elsewhere means the same folder", async () => {
    const folder = relative(process.cwd(), join(data, "Anna's site"));
    const io = new FakeIo();
    const running = main(["sandbox", "--data", folder], io);
    await expect.poll(() => io.text, soon).toContain("Ctrl-C stops it");
    io.interrupt();
    expect(await running).toBe(0);
    expect(io.text).toContain(`THING_CA='${join(data, "Anna'\\''s site", "ca.pem")}'`);
    expect(existsSync(join(data, "Anna's site", "ca.pem"))).toBe(true);
  });

  it("says that it is kept, and keeps the state of a Thing beside it", async () => {
    const { text } = await run();
    expect(text).toContain(`started again with --data ${data}, it goes on as it was`);
    expect(text).toContain(`THING_STATE=${join(data, "thing")}`);
    expect(existsSync(join(data, "database"))).toBe(true);
  });
});
