// XEP-0324 5.3: several Provisioning Servers in one sandbox.
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../src/connection/connect.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { startSandbox, type Sandbox, type SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { makeKeyHolder } from "./key-holder.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const begin = async (options: SandboxOptions): Promise<Sandbox> => {
  const sandbox = await startSandbox(options);
  cleanups.push(() => sandbox.stop());
  return sandbox;
};
const jids = (sandbox: Sandbox): readonly string[] => sandbox.provisioningServers.map(({ jid }) => jid);

describe("several Provisioning Servers", () => {
  it("stand side by side, as components and as accounts, the first in front", async () => {
    const sandbox = await begin({
      furtherProvisioning: [{ name: "second" }, { name: "third", hosting: "account" }, { name: "Fourth" }],
    });
    expect(jids(sandbox)).toEqual([
      "provisioning.localhost",
      "second.localhost",
      "third@localhost",
      "fourth.localhost",
    ]);
    expect(sandbox.provisioning).toBe(sandbox.provisioningServers[0]);
    expect(jids(await begin({}))).toEqual(["provisioning.localhost"]);
  });

  it("each answer by their own rules: what one forbids another may allow (XEP-0324 5.3)", async () => {
    const jid = "reader@localhost";
    const sandbox = await begin({
      provisioning: { rules: [{ jid, read: false }] },
      furtherProvisioning: [{ name: "second", rules: [{ jid, read: true }] }, { name: "third" }],
    });
    const { service, domain, ca } = sandbox;
    const thing = new Thing({
      tags: { SN: "1" },
      storage: memoryStorage(),
      server: { service, domain },
      tls: { ca },
      provisioning: jids(sandbox),
      sensor: {
        fields: [{ name: "Temperature", unit: "K", type: "numeric" }],
        read: () => [{ name: "Temperature", value: 300 }],
      },
    });
    cleanups.push(() => thing.stop());
    await thing.start();
    await thing.waitFor("online", { timeout: 10_000 });
    const { username, password } = sandbox.addUser("reader");
    const connection = await connect({ service, domain, username, password, tls: { ca } });
    cleanups.push(() => connection.close());
    const [reading] = await new OwnerClient(connection).read(thing.jid);
    expect(reading?.fields).toMatchObject([{ name: "Temperature", value: 300 }]);
    const results = sandbox.provisioningServers.map((server) => server.questions.map(({ result }) => result));
    expect(results).toEqual([[false], [true], [false]]);
  });

  it("P-5.3-5: alone in its network one wants total control of it; by option it does not", async () => {
    expect((await begin({})).provisioning.secondaryTrustAllowed).toBe(false);
    expect((await begin({ provisioning: { secondaryTrustAllowed: true } })).provisioning.secondaryTrustAllowed).toBe(
      true,
    );
  });

  it("P-5.3-6: those that come into a network whose servers accept it take further trust to be acceptable", async () => {
    const allowed = async (options: SandboxOptions): Promise<readonly boolean[]> =>
      (await begin(options)).provisioningServers.map(({ secondaryTrustAllowed }) => secondaryTrustAllowed);
    const furtherProvisioning = [
      { name: "second" },
      { name: "third", secondaryTrustAllowed: false },
      { name: "fourth" },
    ];
    const provisioning = { secondaryTrustAllowed: true };
    expect(await allowed({ provisioning, furtherProvisioning })).toEqual([true, true, false, false]);
    expect(await allowed({ furtherProvisioning: [{ name: "second" }] })).toEqual([false, false]);
  });

  it("each know certificates, and withdraw them, for themselves", async () => {
    const holder = makeKeyHolder({ now: Date.now() });
    const sandbox = await begin({ furtherProvisioning: [{ name: "second", unknownCertificates: "refuse" }] });
    for (const server of sandbox.provisioningServers) server.enrol(holder.pem, "device");
    const [first, second] = sandbox.provisioningServers.map((server) => server.identities);
    expect(first).toEqual(second);
    sandbox.provisioning.withdraw("device");
    expect(sandbox.provisioningServers.map(({ identities }) => identities[0]?.withdrawn)).toEqual([true, false]);
  });

  it.each([
    ["provisioning", "is taken"],
    ["discovery", "taken"],
    ["a b", "is not a JID"],
    ["", "is not a JID"],
  ])("are refused by a name that is none, or taken: %j", async (name, says) => {
    const outcome = startSandbox({ furtherProvisioning: [{ name }] });
    await expect(outcome).rejects.toThrow(ConfigError);
    await expect(outcome).rejects.toThrow(says);
  });

  it("are not taken for others by a slip of the pen: a sandbox names the option that there is not", async () => {
    const slip = { futherProvisioning: [{ name: "second" }] } as object;
    await expect(startSandbox(slip)).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining("; did you mean furtherProvisioning?") as unknown,
    });
  });
});
