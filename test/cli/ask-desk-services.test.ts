import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askPeople } from "../../src/cli/ask-desk.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { ServiceClient } from "../../src/service/service-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { deviceCertificate } from "../support/device-certificate.ts";
import { FakeIo } from "../support/fake-io.ts";

const LONG = { timeout: 10_000 };
const device = deviceCertificate({ name: "energy" });

let sandbox: Sandbox;
let service: ServiceClient;
let io: FakeIo;
let asking: Promise<void>;
let cleared: number;

beforeEach(async () => {
  sandbox = await startSandbox();
  sandbox.provisioning.enrol(device.cert, "energy");
  io = new FakeIo();
  asking = askPeople({
    servers: [sandbox.provisioning],
    tell: io.out,
    readLine: () => io.readLine(),
    signal: io.ended,
  });
  service = await ServiceClient.connect({
    ...{ service: sandbox.service, domain: sandbox.domain, tls: { ca: sandbox.ca } },
    account: { username: "energy", password: "secret", register: true },
    certificate: { content: device.cert + device.keyPem },
    storage: memoryStorage(),
  });
  cleared = 0;
  service.on("rightsCleared", () => {
    cleared++;
  });
});

afterEach(async () => {
  io.interrupt();
  await asking;
  await service.close();
  await sandbox.stop();
});

const shown = (): number => io.lines.filter((line) => line.startsWith("Refused until somebody answers")).length;

/** Waits for the so-manieth question, answers it, and waits until the service has forgotten its no. */
async function answer(number: number, text: string, says: string): Promise<void> {
  await expect.poll(shown, LONG).toBe(number);
  const before = cleared;
  io.type(text);
  await expect.poll(() => io.text, LONG).toContain(says);
  await expect.poll(() => cleared, LONG).toBeGreaterThan(before);
  await expect.poll(() => sandbox.provisioning.unacknowledged, LONG).toEqual([]);
}

describe("people decide for the users of services", () => {
  it("P-3.6.2-12, P-3.5.1-1: who asks and what is known of the user are shown, without secrets; the answer lets in", async () => {
    const kermit = { ip: "10.0.0.1", userName: "Kermit\u202e", sso: "opens-much", protocol: "HTTP" } as const;
    expect(await service.canAccess(kermit)).toBeUndefined();
    await expect.poll(shown, LONG).toBe(1);
    expect(io.text).toContain("the service energy@localhost asks whether a user may use it, of whom it knows this:");
    expect(io.text).toContain(String.raw`2  userName "Kermit\u202e"`);
    expect(io.text).toContain('by the token of "energy"');
    expect(io.text).toContain("Refused until somebody answers: always, domain, never, skip");
    expect(io.text).not.toContain("opens-much");
    for (const [wrong, why] of [
      ["once", "looked at again all the time: always or never"],
      ["domain", "nobody knows the domain of that user"],
      ["always field=Temperature", '"field=Temperature" is none of all, domain, a number'],
      ["?", "always   allows it from now on"],
    ] as const) {
      io.type(wrong);
      await expect.poll(() => io.text, LONG).toContain(why);
    }
    expect(io.text).not.toContain("once     allows");
    await answer(1, "always 1", 'Allowed from now on, only ip4 "10.0.0.1".');
    const session = await service.canAccess(kermit);
    expect(await session?.hasAccess()).toBe(true);
    expect(await service.canAccess({ ip: "10.0.0.1" })).toBeDefined();
    expect(sandbox.provisioning.rules).toEqual([
      { thing: "energy@localhost", service: "energy", access: true, credentials: { ip4: ["10.0.0.1"] } },
    ]);
    expect(shown()).toBe(1);
    expect(await service.canAccess({ jid: "anna@localhost/desk" })).toBeUndefined();
    await answer(2, "never", "Refused from now on.");
    expect(await service.canAccess({ jid: "anna@localhost/other" })).toBeUndefined();
    expect(await service.canAccess({})).toBeUndefined();
    await expect.poll(() => io.text, LONG).toContain("of whom it knows nothing\n");
    await answer(3, "always all", "Allowed from now on, whatever is asked for.");
    expect(await service.canAccess({ userName: "Gonzo" })).toBeDefined();
    expect(shown()).toBe(3);
  });

  it("a user of several addresses is let in by all that was told, or not at all: no rule is for whoever shares the rest", async () => {
    const kermit = (["kermit@localhost", "frog@localhost"] as const).map((value) => ({ type: "jid", value }) as const);
    expect(await service.canAccess([...kermit, { type: "protocol", value: "XMPP" }])).toBeUndefined();
    await expect.poll(shown, LONG).toBe(1);
    for (const [index, text] of ["always", "never", "always 1 2 3"].entries()) {
      io.type(text);
      const told = (): number => io.lines.filter((line) => line.startsWith("that user has several addresses")).length;
      await expect.poll(told, LONG).toBe(index + 1);
    }
    expect(sandbox.provisioning.rules).toEqual([]);
    await answer(1, "always 3", "Allowed from now on, only protocol");
    expect(await service.canAccess({ protocol: "XMPP" })).toBeDefined();
  });

  it("P-3.7.1-1, P-3.7.1-6: a privilege that no list speaks of is asked about, before a login for everybody", async () => {
    sandbox.provisioning.setRules([{ access: true }]);
    const session = (await service.canAccess({ ip: "10.0.0.1", sso: "opens-much" }))!;
    expect(await session.hasPrivilege("Databases.Energy.Select")).toBe(false);
    await expect.poll(shown, LONG).toBe(1);
    expect(io.text).toContain("the service energy@localhost asks whether everybody, without a login, may do this:");
    expect(io.text).toContain('  1  privilege "Databases.Energy.Select"');
    expect(io.text).toContain('  2  privilege "Databases.Energy"');
    expect(io.text).toContain('of the user it knows ip4 "10.0.0.1"\n');
    expect(io.text).toContain("Refused until somebody answers: always, never, skip");
    expect(io.text).not.toContain("opens-much");
    for (const wrong of ["once", "always domain", "never all"]) {
      io.lines.length = 0;
      io.type(wrong);
      await expect.poll(() => io.text, LONG).toMatch(/for one user, or for everybody|once is for one/);
    }
    io.type("?");
    await expect.poll(() => io.text, LONG).toContain("of the list only these");
    io.lines.push("Refused until somebody answers");
    await answer(1, "always 2", 'Allowed from now on, to everybody in that service, privilege "Databases.Energy".');
    expect(await session.hasPrivilege("Databases.Energy.Select")).toBe(true);
    expect(await session.hasPrivilege("Databases.Energy.Delete")).toBe(true);
    expect(shown()).toBe(1);
  });

  it("P-3.7.2-4: after a login a privilege is for that user, who becomes known", async () => {
    sandbox.provisioning.setRules([{ access: true }]);
    const [kermit, gonzo] = [(await service.canAccess({}))!, (await service.canAccess({}))!];
    await kermit.loggedIn("Kermit");
    await gonzo.loggedIn("Gonzo");
    expect(await kermit.hasPrivilege("Stunts.Fly")).toBe(false);
    expect(await gonzo.hasPrivilege("Stunts.Fly")).toBe(false);
    await expect.poll(() => io.text, LONG).toContain('whether its user "Kermit" may do this:');
    await answer(1, "always", 'Allowed from now on, to "Kermit".');
    expect(await kermit.hasPrivilege("Stunts.Fly")).toBe(true);
    await expect.poll(() => io.text, LONG).toContain('whether its user "Gonzo" may do this:');
    await answer(2, "never 2", 'Refused from now on, to "Gonzo", privilege "Stunts".');
    expect(await gonzo.hasPrivilege("Stunts.Fall")).toBe(false);
    expect(sandbox.provisioning.users).toEqual([{ name: "Kermit" }, { name: "Gonzo" }]);
    expect(sandbox.provisioning.privileges).toEqual([
      { service: "energy", user: "Kermit", privileges: [{ include: "Stunts.Fly" }] },
      { service: "energy", user: "Gonzo", privileges: [{ exclude: "Stunts" }] },
    ]);
    expect(shown()).toBe(2);
  });

  it("an answer decides what else it speaks of", async () => {
    sandbox.provisioning.setRules([{ access: true }]);
    const session = (await service.canAccess({}))!;
    for (const id of ["A.B", "A.C", "D"]) expect(await session.hasPrivilege(id)).toBe(false);
    await answer(1, "always 2", "1 more question is decided by it.");
    await answer(2, "never", "Refused from now on, to everybody in that service.");
    expect(await session.hasPrivilege("A.C")).toBe(true);
    expect(await session.hasPrivilege("D")).toBe(false);
    expect(shown()).toBe(2);
  });
});
