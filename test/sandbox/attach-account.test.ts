import { afterEach, describe, expect, it, vi } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { bareJid } from "../../src/core/jid.ts";
import { hasFeature } from "../../src/discovery/features.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { attachAccount } from "../../src/sandbox/attach-account.ts";
import { attachComponent } from "../../src/sandbox/attach-component.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import type { Logger } from "../../src/core/logger.ts";

const within = { timeout: 20_000, interval: 10 };
const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function sandbox(options: Parameters<typeof startSandbox>[0] = {}): Promise<Sandbox> {
  const site = await startSandbox(options);
  cleanup.push(() => site.stop());
  return site;
}

async function client(site: Sandbox, username: string): Promise<Connection> {
  const { service, domain, ca } = site;
  const connection = await connect({ service, domain, username, password: "x", register: true, tls: { ca } });
  cleanup.push(() => connection.close());
  return connection;
}

function collecting(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = (message: string): unknown => lines.push(message);
  return { logger: { debug: log, info: log, warn: log, error: log }, lines };
}

describe("attachAccount", () => {
  it("resolves when the service is reachable: by its full JID, with the feature", async () => {
    const site = await sandbox();
    const server = new ReferenceProvisioningServer({ jid: `prov@${site.domain}` });
    const { service, ca } = site;
    await using attached = await attachAccount(server, {
      ...{ service, password: "secret", register: true, resource: "home", tls: { ca } },
    });
    expect(attached.jid).toBe("prov@localhost/home");
    const thing = await client(site, "thing");
    await expect(hasFeature(thing.channel, attached.jid, ns.provisioning)).resolves.toBe(true);
    await attached.close();
    await attached.close(); // harmless
    await expect(hasFeature(thing.channel, attached.jid, ns.provisioning)).rejects.toMatchObject({
      condition: "service-unavailable",
    });
    await expect(server.askFriendship("thing@localhost")).rejects.toMatchObject({ code: "ERR_CONNECTION" });
  });

  it("comes back after a lost link, on the same full JID, as long as it is not closed", async () => {
    const site = await sandbox();
    const clock = new SimulatedClock();
    const { logger, lines } = collecting();
    const server = new ReferenceProvisioningServer({ jid: `prov@${site.domain}` });
    const { service, ca } = site;
    const attached = await attachAccount(server, {
      ...{ service, password: "secret", register: true, tls: { ca }, clock, logger },
    });
    const { jid } = attached;
    expect(site.drop(jid)).toBe(1);
    await vi.waitFor(() => expect(lines).toContain("detached"), within);
    expect(lines).not.toContain("not attached");
    site.addUser("other");
    await clock.advance(1_000); // the first wait is 1 s at most
    await vi.waitFor(() => expect(lines.filter((line) => line === "attached")).toHaveLength(2), within);
    expect(attached.jid).toBe(jid);
    expect(site.drop(jid)).toBe(1);
    await vi.waitFor(() => expect(lines.filter((line) => line === "detached")).toHaveLength(2), within);
    await attached.close();
    await clock.advance(600_000);
    expect(site.drop("prov@localhost")).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("keeps on trying while the server is away", async () => {
    const site = await startSandbox();
    const { service, ca } = site;
    const clock = new SimulatedClock();
    const { logger, lines } = collecting();
    const server = new ReferenceProvisioningServer({ jid: `prov@${site.domain}` });
    const attached = await attachAccount(server, {
      ...{ service, password: "secret", register: true, tls: { ca }, clock, logger },
    });
    cleanup.push(() => attached.close());
    await site.stop();
    await vi.waitFor(() => expect(lines).toContain("detached"), within);
    await vi.waitFor(async () => {
      await clock.advance(30_000);
      expect(lines.filter((line) => line === "not attached").length).toBeGreaterThan(2);
    }, within);
  });

  it("closed in the middle of coming back, it stays away", async () => {
    const site = await sandbox();
    const { service, ca } = site;
    const clock = new SimulatedClock();
    const { logger, lines } = collecting();
    const server = new ReferenceProvisioningServer({ jid: `prov@${site.domain}` });
    const attached = await attachAccount(server, {
      ...{ service, password: "secret", register: true, tls: { ca }, clock, logger },
    });
    site.drop(attached.jid);
    await vi.waitFor(() => expect(lines).toContain("detached"), within);
    await clock.advance(1_000);
    await attached.close();
    await vi.waitFor(() => expect(site.drop("prov@localhost")).toBe(0), within);
    expect(lines.filter((line) => line === "not attached")).toEqual([]);
  });

  it("leaves its full JID to whoever takes it: twins do not throw each other out for ever", async () => {
    const site = await sandbox();
    const { service, ca } = site;
    const { logger, lines } = collecting();
    const options = { service, password: "secret", register: true, resource: "one", tls: { ca }, logger };
    const first = await attachAccount(new ReferenceProvisioningServer({ jid: "prov@localhost" }), options);
    cleanup.push(() => first.close());
    const second = await attachAccount(new ReferenceProvisioningServer({ jid: "prov@localhost" }), options);
    cleanup.push(() => second.close());
    await vi.waitFor(() => expect(lines).toContain("another session took this full JID: not attached again"), within);
  });

  it("rejects with what went wrong, stops the service, and leaves no connection", async () => {
    const site = await sandbox();
    const { service, ca } = site;
    site.addUser("prov", "another");
    const server = new ReferenceProvisioningServer({ jid: `prov@${site.domain}` });
    const stopped = vi.spyOn(server, "stop");
    const options = { service, password: "secret", tls: { ca } };
    await expect(attachAccount(server, options)).rejects.toMatchObject({ code: "ERR_AUTHENTICATION" });
    expect(stopped).toHaveBeenCalledOnce();
    await expect(attachAccount(server, { ...options, tls: {} })).rejects.toMatchObject({ code: "ERR_TLS_POLICY" });
    await expect(attachAccount(server, { ...options, service: "nowhere" })).rejects.toMatchObject({
      code: "ERR_CONFIG",
    });
    await expect(attachAccount(server, { ...options, signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow(
      "no",
    );
    expect(site.drop("prov@localhost")).toBe(0);
  });

  it("and attachComponent send each other those that are not theirs", async () => {
    const [account, component] = ["prov@localhost", "prov.localhost"].map(
      (jid) => new ReferenceProvisioningServer({ jid }),
    ) as [ReferenceProvisioningServer, ReferenceProvisioningServer];
    await expect(attachAccount(component, { service: "xmpp://localhost", password: "" })).rejects.toThrow(
      "attachComponent",
    );
    await expect(attachComponent(account, { service: "xmpp://localhost", secret: "" })).rejects.toThrow(
      "attachAccount",
    );
  });
});

describe("startSandbox", () => {
  it("runs its services as accounts when told to", async () => {
    const site = await sandbox({ hosting: { provisioning: "account", registry: "account" } });
    expect([site.registry.jid, site.provisioning.jid]).toEqual(["discovery@localhost", "provisioning@localhost"]);
    const thing = await client(site, "thing");
    thing.friends.onRequest((jid) => void thing.friends.accept(jid));
    await expect(site.provisioning.askFriendship("thing@localhost")).resolves.toBe("accepted");
    expect(site.provisioning.friends).toEqual(["thing@localhost"]);
    await site.stop();
    await expect(site.provisioning.askFriendship("thing@localhost")).rejects.toMatchObject({ code: "ERR_CONNECTION" });
  });
});

describe("two sandboxes", () => {
  it("are federated: a server that is an account befriends Things of another domain", async () => {
    const home = await sandbox();
    const elsewhere = await sandbox({ domain: "example.org", hosting: { provisioning: "account" } });
    const { provisioning } = elsewhere;
    const thing = await client(home, "thing");
    thing.friends.onRequest((jid) => void thing.friends.accept(jid));
    await expect(provisioning.askFriendship(thing.jid.full)).rejects.toMatchObject({
      condition: "remote-server-not-found",
    });
    const cut = home.federate(elsewhere);
    await expect(provisioning.askFriendship(thing.jid.full)).resolves.toBe("accepted");
    await thing.friends.ask(bareJid(provisioning.jid));
    await vi.waitFor(() => expect(thing.friends.presenceOf(bareJid(provisioning.jid))).toHaveLength(1), within);
    const [address = ""] = thing.friends.presenceOf(bareJid(provisioning.jid));
    await expect(hasFeature(thing.channel, address, ns.provisioning)).resolves.toBe(true);
    await expect(hasFeature(thing.channel, elsewhere.registry.jid, ns.discovery)).resolves.toBe(true);
    cut();
    await expect(hasFeature(thing.channel, address, ns.provisioning)).rejects.toMatchObject({
      condition: "remote-server-not-found",
    });
  });

  it("know each other no more when one has stopped", async () => {
    const home = await sandbox();
    const elsewhere = await sandbox({ domain: "example.org" });
    elsewhere.federate(home);
    const thing = await client(home, "thing");
    await expect(hasFeature(thing.channel, "discovery.example.org", ns.discovery)).resolves.toBe(true);
    await elsewhere.stop();
    await expect(hasFeature(thing.channel, "discovery.example.org", ns.discovery)).rejects.toMatchObject({
      condition: "remote-server-not-found",
    });
  });

  it("must be two, of different domains", async () => {
    const home = await sandbox();
    expect(() => home.federate({ ...home })).toThrow("not a sandbox");
    expect(() => home.federate(home)).toThrow("federated with itself");
  });
});
