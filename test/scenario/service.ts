// Figures 15 to 17 of XEP-0324: a user who connects to a service, logs in, and does what the provisioning server lets them.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ServiceOptions } from "../../src/service/options.ts";
import { ServiceClient } from "../../src/service/service-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { deviceCertificate } from "../support/device-certificate.ts";
import type { Site } from "../support/site.ts";

const within = { timeout: 20_000, interval: 10 };
const user = { ip: "10.0.0.1", longitude: 123.45, latitude: 67.89 };

/** The scenario, on a new site for each test. */
export function servicesOfUsers(startSite: () => Promise<Site>): void {
  const energy = deviceCertificate({ name: "energy" });
  const water = deviceCertificate({ name: "water" });
  let site: Site;
  let services: ServiceClient[] = [];
  let things: Thing[] = [];
  beforeEach(async () => {
    site = await startSite();
    site.provisioning.enrol(energy.cert, "energy");
    site.provisioning.enrol(water.cert, "water");
  });
  afterEach(async () => {
    await Promise.all([...services.map((service) => service.close()), ...things.map((thing) => thing.stop())]);
    services = [];
    things = [];
    await site.stop();
  });

  const start = async (name: string, storage: Storage = memoryStorage()): Promise<ServiceClient> => {
    const { cert, keyPem } = name === "energy" ? energy : water;
    const options: ServiceOptions = {
      ...site.reach!,
      account: { username: name, password: "secret", register: true },
      certificate: { content: cert + keyPem },
      storage,
      provisioning: [site.provisioning.jid],
    };
    const service = await ServiceClient.connect(options);
    services.push(service);
    return service;
  };
  /** How often the server was asked something. */
  const count = (kind: "canAccess" | "hasPrivilege" | "downloadPrivileges"): number => site.provisioning.count(kind);
  const access = { service: "energy", access: true, credentials: { ip4: "10.0.0.0/8" } } as const;

  it("P-3.6.2-2, P-3.6.2-14, P-3.6.1-1: access is refused, granted, and taken back", async () => {
    const service = await start("energy");
    expect(await service.canAccess(user)).toBeUndefined();
    site.provisioning.setRules([access]);
    expect(await service.canAccess({ ...user, ip: "192.168.0.1" })).toBeUndefined();
    const session = await service.canAccess(user);
    expect(await session?.hasAccess()).toBe(true);
    const asked = count("canAccess");
    expect(await session?.hasAccess()).toBe(true);
    expect(count("canAccess")).toBe(asked);
    const cleared = new Promise((resolve) => service.once("rightsCleared", resolve));
    site.provisioning.setRules([]);
    await cleared;
    expect(await session?.hasAccess()).toBe(false);
    expect(await session?.hasPrivilege("Sensors.View")).toBe(false);
  });

  it("P-3.6.2-15, P-3.7.1-1, P-3.7.1-10, P-3.7.2-4: privileges are asked for, before and after a login, and revoked", async () => {
    site.provisioning.setRules([access]);
    site.provisioning.setUsers([{ name: "Kermit", roles: ["operator"] }]);
    const operator = { service: "energy", role: "operator" } as const;
    site.provisioning.setPrivileges([
      { ...operator, privileges: [{ exclude: "Sensors.Delete" }, { include: "Sensors" }] },
      { service: "energy", privileges: [{ include: "Pages" }] },
    ]);
    const service = await start("energy");
    const session = (await service.canAccess(user))!;
    expect(await session.hasPrivilege("Pages.Start")).toBe(true);
    expect(await session.hasPrivilege("Sensors.View")).toBe(false);
    await session.loggedIn("Kermit");
    await vi.waitFor(async () => expect(await session.hasPrivilege("Sensors.View")).toBe(true), within);
    expect(await session.hasPrivilege("Sensors.Delete")).toBe(false);
    site.provisioning.setPrivileges([{ ...operator, privileges: [{ exclude: "Sensors" }] }]);
    await vi.waitFor(async () => expect(await session.hasPrivilege("Sensors.View")).toBe(false), within);
  });

  it("P-3.7.2-1, P-3.7.2-3: privileges are downloaded, decided on the spot, and downloaded again when they were taken back", async () => {
    site.provisioning.setRules([access]);
    site.provisioning.setPrivileges([
      { service: "energy", privileges: [{ exclude: "Sensors.Delete" }, { include: "Sensors" }] },
    ]);
    const service = await start("energy");
    const session = (await service.canAccess(user))!;
    expect(await session.downloadPrivileges()).toEqual([
      { server: site.provisioning.jid, privileges: [{ exclude: "Sensors.Delete" }, { include: "Sensors" }] },
    ]);
    expect(await session.hasPrivilege("Sensors.View")).toBe(true);
    expect(await session.hasPrivilege("Sensors.Delete")).toBe(false);
    expect([count("hasPrivilege"), count("downloadPrivileges")]).toEqual([0, 1]);
    site.provisioning.setPrivileges([]);
    await vi.waitFor(async () => expect(await session.hasPrivilege("Sensors.View")).toBe(false), within);
    expect(count("hasPrivilege")).toBe(0);
  });

  it("P-3.7.1-3, P-3.7.1-4: the same ID in two services is two things", async () => {
    site.provisioning.setRules([access, { ...access, service: "water" }]);
    site.provisioning.setPrivileges([{ service: "energy", privileges: [{ include: "Sensors" }] }]);
    const [one, other] = await Promise.all([start("energy"), start("water")]);
    const [mine, theirs] = await Promise.all([one.canAccess(user), other.canAccess(user)]);
    expect(await mine?.hasPrivilege("Sensors.View")).toBe(true);
    expect(await theirs?.hasPrivilege("Sensors.View")).toBe(false);
  });

  it("P-5.6-1: a Thing is read for a user who has logged in, by service and user token, and for nobody else", async () => {
    const thing = site.thing(memoryStorage(), { provisioning: [site.provisioning.jid] });
    things.push(thing);
    await thing.start();
    await thing.waitFor("registered", within);
    site.provisioning.setUsers([{ name: "Kermit" }]);
    site.provisioning.setRules([access, { service: "energy", userName: "Kermit", read: true }]);
    const service = await start("energy");
    const session = (await service.canAccess(user))!;
    await expect(service.read(thing.jid)).rejects.toMatchObject({ condition: "forbidden" });
    await expect(session.read(thing.jid)).rejects.toMatchObject({ condition: "forbidden" });
    await session.loggedIn("Kermit");
    await vi.waitFor(async () => {
      const [group] = await session.read(thing.jid);
      expect(group?.fields).toMatchObject([{ name: "Temperature", text: "21.5" }, { name: "Door open" }]);
    }, within);
    await expect(service.read(thing.jid)).rejects.toMatchObject({ condition: "forbidden" });
  });

  it("P-3.1.1-14: the token is the same after a restart: it is not got again", async () => {
    site.provisioning.setRules([access]);
    const storage = memoryStorage();
    const first = await start("energy", storage);
    expect(await first.canAccess(user)).toBeDefined();
    await first.close();
    const got = (): number => site.hold.heard.filter((stanza) => stanza.getChild("getToken") !== undefined).length;
    const before = got();
    const second = await start("energy", storage);
    expect(await second.canAccess(user)).toBeDefined();
    expect(got()).toBe(before);
  });
}
