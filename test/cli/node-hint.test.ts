// A concentrator that is neither sensor nor actuator itself, asked without saying which node.
import { expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { linkSeam } from "../../src/thing/link.ts";
import { quickLink } from "../support/quick-link.ts";

it("read and control of a concentrator say how a node is named", async () => {
  const files = new FakeIo();
  const folder = await files.makeFolder();
  const sandbox = await startSandbox();
  const owner = sandbox.addUser("owner");
  sandbox.provisioning.setRules([{ jid: owner.jid, friend: true, read: true, control: true }]);
  const { service, domain, ca } = sandbox;
  const thing = new Thing({
    [linkSeam]: quickLink,
    storage: memoryStorage(),
    server: { service, domain },
    tls: { ca },
    provisioning: [sandbox.provisioning.jid],
    nodes: [
      {
        nodeId: "meter",
        sensor: { fields: [{ name: "Level" }], read: () => [{ name: "Level", value: 1 }] },
        control: [{ name: "Valve", type: "boolean", set: () => undefined }],
      },
    ],
  } as ConstructorParameters<typeof Thing>[0]);
  try {
    await files.writeFile(`${folder}/ca.pem`, ca);
    await thing.start();
    await thing.waitFor("online", { timeout: 10_000 });
    const run = async (...argv: string[]): Promise<string> => {
      const io = new FakeIo();
      io.env = {
        THING_SERVICE: service,
        THING_DOMAIN: domain,
        THING_CA: `${folder}/ca.pem`,
        OWNER_USERNAME: owner.username,
        OWNER_PASSWORD: owner.password,
      };
      return `${await main(argv, io)} ${io.text}${io.errors.join()}`;
    };
    const bare = thing.jid.split("/")[0] ?? "";
    for (const argv of [
      ["read", bare],
      ["control", bare, "Valve=true"],
    ])
      expect(await run(...argv)).toMatch(/^1 .*Name a node\. Say which by --node; xmpp-thing nodes shows/s);
    expect(await run("read", bare, "--node", "meter")).toBe("0 meter Level: 1");
  } finally {
    await thing.stop();
    await sandbox.stop();
    await files.removeFolder(folder);
  }
});
