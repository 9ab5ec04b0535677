// A service that is a component goes alone and comes back, while the stream of the Thing lives on: nobody tells the
// Thing, which asks nothing as long as it remembers the answers (XEP-0324 3.5.1, 5.2).
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StanzaError } from "../../src/core/errors.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { thingOptions } from "../support/site.ts";

let sandbox: Sandbox;
let provisioning: ReferenceProvisioningServer;
let thing: Thing;
let claimText: string;
const people = new Map<string, { readonly connection: Connection; readonly client: OwnerClient }>();

beforeEach(async () => {
  sandbox = await startSandbox();
  sandbox.detach(sandbox.provisioning);
  provisioning = makeServer();
  sandbox.attach(provisioning);
  const { service, domain, ca } = sandbox;
  thing = new Thing(thingOptions(memoryStorage(), { service, domain }, { tls: { ca } }));
  await thing.start();
  await thing.waitFor("registered", { timeout: 20_000 });
  claimText = thing.claimText;
});
afterEach(async () => {
  for (const { connection } of people.values()) await connection.close();
  people.clear();
  await thing.stop();
  provisioning.stop();
  await sandbox.stop();
});

function makeServer(): ReferenceProvisioningServer {
  const server = new ReferenceProvisioningServer({ jid: "provisioning.localhost", retry: 300 });
  server.setRules([{ read: true, friend: true }]);
  return server;
}

/** An owner, whom the Thing asks about nobody; a friend, about whom it has asked. */
async function claimed(): Promise<void> {
  await (await user("owner")).claim(claimText);
  await thing.waitFor("provisioned", { timeout: 20_000 });
  expect(await read("friend")).toBe("21.5");
}

async function user(username: string): Promise<OwnerClient> {
  const { service, domain, ca } = sandbox;
  const known = people.get(username);
  if (known !== undefined) return known.client;
  const connection = await connect({ service, domain, username, password: "secret", register: true, tls: { ca } });
  const client = new OwnerClient(connection);
  people.set(username, { connection, client });
  return client;
}

/** What somebody reads: the temperature, or the condition of the error. */
async function read(username: string): Promise<string> {
  try {
    const groups = await (await user(username)).read(thing.jid, { fields: ["Temperature"] });
    return String(groups.flatMap(({ fields }) => fields)[0]?.value);
  } catch (error) {
    if (error instanceof StanzaError) return error.condition;
    throw error;
  }
}

function acknowledged(): Promise<void> {
  return expect.poll(() => provisioning.unacknowledged, { interval: 20, timeout: 20_000 }).toEqual([]);
}

/** What a process that ends forgets, unless it keeps it: where others are. A component is told so by nobody. */
function forgetWhere(service: StanzaService): void {
  service.onAccount?.();
}

const bare = (): string => thing.jid.split("/")[0] as string;
const nobodyMay = [{ read: false, friend: false }];

describe("a Provisioning Server that goes alone, and comes back with other rules,", { timeout: 60_000 }, () => {
  beforeEach(claimed);

  it("tells a Thing that says nothing, where it knew it to be (P-3.5.1-2)", async () => {
    sandbox.detach(provisioning);
    provisioning.setRules(nobodyMay);
    sandbox.attach(provisioning);
    await acknowledged();
    expect(await read("friend")).toBe("forbidden");
  });

  it("and has forgotten where its Things are, tells one before anything that it asks is answered (P-5.2-6)", async () => {
    sandbox.detach(provisioning);
    forgetWhere(provisioning);
    provisioning.setRules(nobodyMay);
    sandbox.attach(provisioning);
    expect(provisioning.unacknowledged).toEqual([bare()]);
    expect(await read("stranger")).toBe("forbidden");
    expect(await read("friend")).toBe("forbidden");
    expect(provisioning.unacknowledged).toEqual([]);
  });

  it("and has forgotten where its Things are, is told by one that has missed it, without another question", async () => {
    sandbox.detach(provisioning);
    expect(await read("stranger")).toBe("resource-constraint");
    forgetWhere(provisioning);
    provisioning.setRules(nobodyMay);
    const asked = provisioning.count();
    sandbox.attach(provisioning);
    await acknowledged();
    expect(provisioning.count() - asked).toBe(0);
    expect(await read("friend")).toBe("forbidden");
  });

  it("and has forgotten everything, tells those who have asked since of the next change, and not of this one", async () => {
    sandbox.detach(provisioning);
    provisioning.stop();
    provisioning = makeServer();
    provisioning.setRules(nobodyMay);
    sandbox.attach(provisioning);
    expect(await read("stranger")).toBe("forbidden");
    expect(await read("friend")).toBe("21.5"); // what remains: docs/architecture.md, "Barrier and epoch"
    provisioning.setRules(nobodyMay);
    await acknowledged();
    expect(await read("friend")).toBe("forbidden");
  });
});

describe("a Registry that goes alone, and comes back,", { timeout: 60_000 }, () => {
  const claim = async (): Promise<unknown> => (await user("owner")).claim(claimText);

  it("tells the Thing of its claim where it registered", async () => {
    sandbox.detach(sandbox.registry);
    sandbox.attach(sandbox.registry);
    await claim();
    await thing.waitFor("claimed", { timeout: 20_000 });
  });

  it("and has forgotten everything, hears of the Thing at the start of its next stream", async () => {
    sandbox.detach(sandbox.registry);
    const registry = new ReferenceRegistry({ jid: sandbox.registry.jid });
    sandbox.attach(registry);
    await expect(claim()).rejects.toMatchObject({ condition: "item-not-found" });
    sandbox.drop(thing.jid);
    await expect.poll(() => registry.things.length, { interval: 20, timeout: 20_000 }).toBe(1);
    await claim();
    await thing.waitFor("claimed", { timeout: 20_000 });
  });
});
