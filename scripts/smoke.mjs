// A Thing's life with the installed package, in plain JavaScript: for Node.js versions that the test tools do not run on.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuthenticationError, ConfigError, Thing, claimCode, fileStorage } from "xmpp-thing";
import { discover } from "xmpp-thing/discovery";
import { OwnerClient, connect } from "xmpp-thing/owner";
import { startSandbox } from "xmpp-thing/sandbox";
import { ServiceClient } from "xmpp-thing/service";

// What only some need is not loaded with the rest.
const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("node_modules"));
assert.deepEqual(loaded, []);

const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-smoke-"));
// An optional package that is not there is named, with how to get it.
await assert.rejects(startSandbox({ data: folder }), /npm i classic-level$/);
const sandbox = await startSandbox();
const { service, domain, ca } = sandbox;
const options = () => ({
  storage: fileStorage(folder),
  server: { service, domain },
  tls: { ca },
  tags: { SN: "1", MAN: "example.org" },
  sensor: {
    fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
    read: () => [{ name: "Temperature", value: 21.5 }],
  },
});
const limits = { timeout: 10_000 };

let thing = new Thing(options());
await thing.start();
await thing.waitFor("registered", limits);
const { username, password, jid } = sandbox.addUser("owner");
const connection = await connect({ service, domain, username, password, tls: { ca } });
// A class is one class, from whichever subpath it comes.
await assert.rejects(connect({ service, domain, username, password: "x", tls: { ca } }), AuthenticationError);
await assert.rejects(discover({ timeout: -1 }).next(), ConfigError);
const owner = new OwnerClient(connection);
sandbox.provisioning.setRules([{ jid, friend: true, read: true }]);
// The picture is made by a bundled package of another kind of modules.
const picture = await claimCode(thing.claimText, { as: "png" });
assert.deepEqual([...picture.slice(1, 4)], [...Buffer.from("PNG")]);
await owner.claim(thing.claimText, limits);
await thing.waitFor("provisioned", limits);
const read = async () => (await owner.read(thing.jid, limits))[0].fields[0].text;
assert.equal(await read(), "21.5");
await thing.stop();

thing = new Thing(options());
await thing.start();
await thing.waitFor("online", limits);
assert.equal(thing.state.ownership.is, "claimed");
const asked = sandbox.provisioning.count();
assert.equal(await read(), "21.5");
assert.equal(sandbox.provisioning.count(), asked);

// A service and what its users may do: a certificate of its own, a token for it, privileges.
const energy = await ServiceClient.connect({
  service,
  domain,
  tls: { ca },
  account: { username: "energy", password: "on this machine", register: true },
  certificate: { make: true },
  storage: fileStorage(join(folder, "service")),
});
sandbox.provisioning.setRules([{ access: true }]);
const session = await energy.canAccess({ ip: "127.0.0.1", protocol: "HTTP" });
const { identities } = sandbox.provisioning.questions.findLast(({ kind }) => kind === "canAccess");
sandbox.provisioning.setPrivileges([{ service: identities[0], privileges: [{ include: "Sensors" }] }]);
assert.equal(await session.hasPrivilege("Sensors.View"), true);
assert.equal(await session.hasPrivilege("Doors.Open"), false);
await energy.close();

await thing.stop();
await connection.close();
await sandbox.stop();
rmSync(folder, { recursive: true });
console.log(`smoke: a Thing's life on Node.js ${process.version}`);
