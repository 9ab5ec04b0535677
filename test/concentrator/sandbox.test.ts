import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";
import { connect } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../../src/sandbox/sandbox.ts";
import { ReadoutError } from "../../src/sensor/readout-error.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import type { NodeDefinition } from "../../src/thing/node-definition.ts";
import { FakeIo } from "../support/fake-io.ts";
import { thingOptions } from "../support/site.ts";

const set: string[] = [];
const meter = (nodeId: string, parts: Partial<NodeDefinition> = {}): NodeDefinition => ({
  nodeId,
  sourceId: "cellar",
  nodeType: "Meter",
  sensor: { fields: [{ name: "Power", unit: "W" }], read: () => [{ name: "Power", value: 230 }] },
  ...parts,
});
const nodes: readonly NodeDefinition[] = [
  meter("meter1", { displayName: "Ground floor" }),
  meter("meter2", {
    control: [{ name: "LED", type: "boolean", set: (value) => void set.push(`meter2 LED ${value}`) }],
  }),
  meter("meter3", {
    sensor: {
      fields: [{ name: "Power" }],
      read: () => {
        throw new Error("the wire is cut");
      },
    },
  }),
];

describe("a concentrator on the sandbox", () => {
  let sandbox: Sandbox;
  let folder: string;
  const files = new FakeIo();
  const things: Thing[] = [];

  async function gateway(provisioning: boolean, behind = nodes): Promise<string> {
    const { service, domain, ca } = sandbox;
    const trust = provisioning ? { provisioning: [sandbox.provisioning.jid] } : {};
    const thing = new Thing(
      thingOptions(memoryStorage(), { service, domain }, { tls: { ca }, nodes: behind, ...trust }),
    );
    things.push(thing);
    await thing.start();
    await thing.waitFor("registered", { timeout: 10_000 });
    return thing.jid.split("/")[0] ?? "";
  }
  const clientOf = (user: SandboxUser) =>
    connect({ service: sandbox.service, domain: sandbox.domain, tls: { ca: sandbox.ca }, ...user });
  const as = (user: SandboxUser): FakeIo => {
    const io = new FakeIo();
    io.env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      THING_CA: `${folder}/ca.pem`,
      OWNER_USERNAME: user.username,
      OWNER_PASSWORD: user.password,
    };
    return io;
  };

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = await files.makeFolder();
    await files.writeFile(`${folder}/ca.pem`, sandbox.ca);
  }, 30_000);
  afterAll(async () => {
    for (const thing of things) await thing.stop();
    await sandbox?.stop();
    await files.removeFolder(folder);
  });

  test("is listed, read and set as its provisioning server allows, by a program", async () => {
    const bare = await gateway(true);
    const reader = sandbox.addUser("reader");
    sandbox.provisioning.allowFriend(bare, reader.jid);
    sandbox.provisioning.allowRead(bare, reader.jid, { nodes: nodes.slice(0, 2) });
    sandbox.provisioning.allowControl(bare, reader.jid, { nodes: [{ nodeId: "meter2" }] });
    await using connection = await clientOf(reader);
    const owner = new OwnerClient(connection);
    const found = await owner.nodes(bare);
    expect(found.map(({ node, displayName, isControllable }) => [node, displayName, isControllable])).toEqual([
      [{ nodeId: "meter1", sourceId: "cellar" }, "Ground floor", false],
      [{ nodeId: "meter2", sourceId: "cellar" }, undefined, true],
    ]);
    const groups = await owner.read(bare, { nodes: found.map(({ node }) => node) });
    expect(groups.map(({ node, fields }) => [node.nodeId, ...fields.map(({ name }) => name)])).toEqual([
      ["meter1", "Power"],
      ["meter2", "Power"],
    ]);
    await expect(owner.read(bare)).rejects.toMatchObject({ condition: "forbidden" }); // the Thing itself
    await expect(owner.read({ jid: bare, node: { nodeId: "meter3" } })).rejects.toMatchObject({
      condition: "forbidden",
    });
    await expect(owner.nodes(bare, { sourceId: "attic" })).rejects.toMatchObject({ condition: "item-not-found" });
    const both = await owner.control(bare, { LED: true }, { nodes: [{ nodeId: "meter1" }, { nodeId: "meter2" }] });
    expect([both, set.splice(0)]).toEqual([
      { parameters: ["LED"], nodes: [{ nodeId: "meter2", sourceId: "cellar" }] },
      ["meter2 LED true"],
    ]);
  }, 30_000);

  test("is listed, read and set by people", async () => {
    const bare = await gateway(true);
    const user = sandbox.addUser("people");
    sandbox.provisioning.allowFriend(bare, user.jid);
    sandbox.provisioning.allowRead(bare, user.jid, true);
    sandbox.provisioning.allowControl(bare, user.jid, true);
    const run = async (...argv: readonly string[]) => {
      const io = as(user);
      return { code: await main(argv, io), out: io.text, err: io.errors.join("\n") };
    };
    expect(await run("nodes", bare)).toEqual({
      code: 0,
      out:
        "meter1 (source cellar): Ground floor: Meter: read\nmeter2 (source cellar): Meter: read and control\n" +
        "meter3 (source cellar): Meter: read",
      err: "",
    });
    const listed = JSON.parse((await run("nodes", bare, "--source", "cellar", "--json")).out) as { node: unknown }[];
    expect(listed.map(({ node }) => node)).toContainEqual({ nodeId: "meter2", sourceId: "cellar" });
    expect(await run("read", bare, "--node", "meter1")).toMatchObject({ code: 0, out: "meter1 Power: 230 W" });
    const json = JSON.parse(
      (await run("read", bare, "--node", "meter1", "--source", "cellar", "--json")).out,
    ) as unknown;
    expect(json).toMatchObject([{ node: { nodeId: "meter1", sourceId: "cellar" }, name: "Power", value: 230 }]);
    expect(await run("control", bare, "LED=false", "--node", "meter2")).toMatchObject({ code: 0, out: "LED: false" });
    expect(set.splice(0)).toEqual(["meter2 LED false"]);
    expect(await run("read", bare, "--node", "meter9")).toMatchObject({ code: 1, out: "" });
    expect(await run("nodes", bare, "--source", "attic")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no such data source") as string,
    });
    expect(await run("nodes", "example.org")).toMatchObject({ code: 2 });
    const help = await run("nodes", "--help");
    expect(help.out).toContain("behind a concentrator");
    const empty = await gateway(true, []);
    sandbox.provisioning.allowFriend(empty, user.jid);
    sandbox.provisioning.allowRead(empty, user.jid, true);
    const none = await run("nodes", empty);
    expect(none).toEqual({ code: 5, out: "", err: "There are no nodes that you may read." });
    expect(help.out.replaceAll("\n", " ")).toContain(`Ends with ${none.code} if there is none.`);
  }, 30_000);

  test("what was read is not lost where another node fails", async () => {
    const bare = await gateway(true);
    const user = sandbox.addUser("careful");
    sandbox.provisioning.allowFriend(bare, user.jid);
    sandbox.provisioning.allowRead(bare, user.jid, true);
    await using connection = await clientOf(user);
    const owner = new OwnerClient(connection);
    const reading = owner.read(bare, { nodes: [{ nodeId: "meter3" }, { nodeId: "meter1" }] });
    const error: unknown = await reading.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ReadoutError);
    expect(error).toMatchObject({
      code: "ERR_PROTOCOL",
      failures: [{ node: { nodeId: "meter3", sourceId: "cellar" }, text: "The readout failed." }],
      groups: [{ node: { nodeId: "meter1" } }],
    });
    const strange = sandbox.addUser("strange");
    sandbox.provisioning.allowFriend(bare, strange.jid);
    await using other = await clientOf(strange);
    await expect(new OwnerClient(other).nodes(bare)).rejects.toMatchObject({ condition: "forbidden" });
    const io = as(strange);
    expect([await main(["nodes", bare], io), io.errors.join("\n")]).toEqual([
      1,
      expect.stringContaining("you may read no node of it"),
    ]);
  }, 30_000);

  test("without a server an owner of a node sees, reads and sets that node and no other", async () => {
    const bare = await gateway(false);
    const [thing] = things.slice(-1);
    await expect
      .poll(() => thing?.nodes.map(({ ownership }) => ownership.is), { timeout: 10_000 })
      .toEqual(["registered", "registered", "registered"]);
    await using connection = await clientOf(sandbox.addUser("anna"));
    const owner = new OwnerClient(connection, { registry: sandbox.registry.jid });
    const claimed = await owner.claim(thing?.nodes[1]?.claimText ?? "");
    expect(claimed).toMatchObject({ jid: bare, node: { nodeId: "meter2", sourceId: "cellar" } });
    expect((await owner.nodes(bare)).map(({ node }) => node.nodeId)).toEqual(["meter2"]);
    expect(await owner.read({ jid: bare, node: { nodeId: "meter2" } })).toHaveLength(1);
    await expect(owner.read({ jid: bare, node: { nodeId: "meter1" } })).rejects.toMatchObject({
      condition: "forbidden",
    });
    await owner.control({ jid: bare, node: { nodeId: "meter2" } }, { LED: true });
    expect(set.splice(0)).toEqual(["meter2 LED true"]);
  }, 30_000);
});
