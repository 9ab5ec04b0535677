import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";

describe("an owner's client that is given a text that is no JID", () => {
  let sandbox: Sandbox;
  let connection: Connection;
  let owner: OwnerClient;

  beforeAll(async () => {
    sandbox = await startSandbox();
    const { service, domain, ca } = sandbox;
    const { username, password } = sandbox.addUser("owner");
    connection = await connect({ service, domain, username, password, tls: { ca } });
    owner = new OwnerClient(connection);
  });
  afterAll(async () => {
    await connection.close();
    await sandbox.stop();
  });

  it("says at once that the connection has ended, of a friend too, and does not wait for its presence", async () => {
    const { service, domain, ca } = sandbox;
    const { username, password } = sandbox.addUser("late");
    const ended = await connect({ service, domain, username, password, tls: { ca } });
    await ended.close();
    await expect(new OwnerClient(ended).read("thing@localhost")).rejects.toMatchObject({
      code: "ERR_CONNECTION",
      message: "not connected: the connection has ended; connect again",
    });
  });

  it.each([
    ["befriend", () => owner.befriend("not a jid@x")],
    ["read", () => owner.read("not a jid@x")],
    ["control", () => owner.control("not a jid@x", { LED: true })],
    ["getForm", () => owner.getForm("not a jid@x")],
  ])("names it: %s rejects with ERR_CONFIG", async (_call, call) => {
    await expect(call()).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: 'thing: "not a jid@x" is not a JID',
    });
  });
});
