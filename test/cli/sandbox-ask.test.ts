import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { connect } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { thingOptions } from "../support/site.ts";

const LONG = { timeout: 15_000 };
let data: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "xmpp-thing-ask-"));
});
afterEach(() => rm(data, { recursive: true, force: true }));

/** Starts it, has a stranger read a Thing of it, and gives the condition of the refusal, or `read`. */
async function run(typed: string): Promise<{ text: string; outcomes: readonly string[] }> {
  const io = new FakeIo();
  const running = main(["sandbox", "--ask", "--rights", "none", "--data", data], io);
  await expect.poll(() => io.text, LONG).toContain("Ctrl-C stops it");
  const [, service = ""] = /THING_SERVICE=(\S+)/.exec(io.text) ?? [];
  const ca = await io.readFile(join(data, "ca.pem"));
  const server = { service, domain: "localhost" };
  const provisioning = ["provisioning.localhost"];
  const thing = new Thing(thingOptions(memoryStorage(), server, { tls: { ca }, provisioning }));
  const outcomes: string[] = [];
  try {
    await thing.start();
    await thing.waitFor("online", LONG);
    const account = { username: `stranger${typed}`, password: "secret", register: true };
    await using connection = await connect({ ...server, ...account, tls: { ca } });
    const client = new OwnerClient(connection);
    const read = (): Promise<string> =>
      client.read(thing.jid, { fields: ["Temperature"], ...LONG }).then(
        () => "read",
        (error: unknown) => (error as { condition?: string }).condition ?? String(error),
      );
    outcomes.push(await read());
    await expect.poll(() => io.text, LONG).toContain("Refused until somebody answers");
    io.type(typed);
    await expect.poll(read, LONG).toBe("read");
  } finally {
    await thing.stop();
    io.interrupt();
    expect(await running).toBe(0);
  }
  return { text: io.text, outcomes };
}

it("sandbox --ask --data: what somebody has answered is kept with the rules", async () => {
  expect((await run("always")).outcomes).toEqual(["forbidden"]);
  const again = await startSandbox({ data });
  const { rules } = again.provisioning;
  await again.stop();
  const jid = "strangeralways@localhost";
  expect(rules[0]).toMatchObject({ jid, read: true, within: { fields: ["Temperature"], types: ["momentary"] } });
}, 60_000);
