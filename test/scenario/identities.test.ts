// XEP-0324 3.1.3, 3.1.5 and 5.3 with real Things: rules by the identity behind a token, at one of two servers.
import { afterEach, describe, expect, it, vi } from "vitest";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("a Thing that trusts two Provisioning Servers, read by one that has a certificate", () => {
  it("P-3.1.3-1, P-3.1.5-3, P-3.1.5-4: lets it by the token of the server that knows it, until the certificate is withdrawn", async () => {
    const sandbox = await startSandbox({ furtherProvisioning: [{ name: "second" }] });
    cleanups.push(() => sandbox.stop());
    const { service, domain, ca, provisioningServers } = sandbox;
    const [first, second] = provisioningServers;
    const start = async (SN: string, options: Partial<ThingOptions>): Promise<Thing> => {
      const thing = new Thing({
        tags: { SN },
        storage: memoryStorage(),
        server: { service, domain },
        tls: { ca },
        provisioning: provisioningServers.map(({ jid }) => jid),
        ...options,
      });
      cleanups.push(() => thing.stop());
      await thing.start();
      await thing.waitFor("online", { timeout: 20_000 });
      return thing;
    };
    const meter = await start("meter", {
      sensor: { fields: [{ name: "Power", unit: "W" }], read: () => [{ name: "Power", value: 7 }] },
    });
    const gateway = await start("gateway", { certificate: { make: true } });
    await vi.waitFor(
      () => {
        for (const { identities } of provisioningServers) expect(identities).toMatchObject([{ hasToken: true }]);
      },
      { timeout: 30_000 },
    );
    const fingerprint = second?.identities[0]?.fingerprint ?? "";
    expect(first?.identities[0]?.fingerprint).toBe(fingerprint);
    second?.setRules([{ device: fingerprint, read: true }]);
    await vi.waitFor(() => expect(second?.unacknowledged).toEqual([]), { timeout: 15_000 });

    // The token may still be on its way to the gateway when its server has given it.
    await vi.waitFor(
      async () => {
        const [group] = await gateway.read(meter.jid);
        expect(group?.fields).toMatchObject([{ name: "Power", value: 7 }]);
      },
      { timeout: 15_000 },
    );
    // The yes of the second did not wait for the no of the first.
    await vi.waitFor(
      () =>
        expect(first?.questions.at(-1)).toMatchObject({ kind: "canRead", result: false, identities: [fingerprint] }),
      { timeout: 15_000 },
    );
    expect(second?.questions.at(-1)).toMatchObject({ kind: "canRead", result: true, identities: [fingerprint] });

    // Remembered: nobody is asked, nobody challenged, until the certificate ends where it counted.
    const asked = second?.count("canRead");
    await gateway.read(meter.jid);
    expect(second?.count("canRead")).toBe(asked);
    expect(second?.withdraw(fingerprint)).toBe(true);
    await vi.waitFor(() => expect(second?.unacknowledged).toEqual([]), { timeout: 15_000 });
    await expect(gateway.read(meter.jid)).rejects.toMatchObject({ condition: "forbidden" });
  }, 120_000);
});
