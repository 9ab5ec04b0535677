// docs/sandbox.md and docs/discovery.md: a reader's desk, and a network.
import { createSocket } from "node:dgram";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, vi } from "vitest";
import { connect } from "../../../src/connection/connect.ts";
import { OwnerClient } from "../../../src/owner/owner-client.ts";
import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../../src/storage/memory-storage.ts";
import { Thing } from "../../../src/thing/thing.ts";
import { deviceCertificate } from "../device-certificate.ts";
import { LOOPBACK, announced, freePort, startResponder } from "../mdns-loopback.ts";
import { noProsody } from "../prosody.ts";
import { startProsodyOfGuide } from "./prosody.ts";
import type { Scenes } from "./scenes.ts";
import { root, snippetWith } from "./snippets.ts";

const tsconfig = JSON.parse(readFileSync(`${root}tsconfig.json`, "utf8")) as {
  compilerOptions: { paths: Record<string, readonly string[]> };
};

export const deskScenes: Scenes = [
  [
    "export async function announced(",
    async (world, load) => {
      const { announced } = (await load()) as { announced: () => Promise<void> };
      await announced();
      expect(world.said).toEqual([expect.stringMatching(/^xmpp:\/\/127\.0\.0\.1:\d+ sandbox(-\d+)?\.local$/)]);
    },
  ],
  [
    "await ReferenceRegistry.open(",
    async (world, load) => {
      await load();
      expect(world.said).toEqual(["0"]);
    },
  ],
  [
    'jid: "mallory@localhost", friend: false',
    async (world, load) => {
      const set: string[] = [];
      const names = ["Temperature", "Pressure"];
      const sensor = {
        fields: names.map((name) => ({ name })),
        read: () => names.map((name) => ({ name, value: 20 })),
      };
      const control = ["Pump", "Fan"].map((name) => ({ name, set: () => void set.push(name) }));
      const { jid } = await world.thing("boiler", { sensor, control }, "localhost");
      const { rules } = (await load()) as { rules: (sandbox: Sandbox) => void };
      rules(await world.sandbox("localhost"));
      const read = async (owner: OwnerClient): Promise<readonly string[]> =>
        (await owner.read(jid)).flatMap(({ fields }) => fields.map(({ name }) => name));
      const anna = await world.owner("anna", "localhost");
      const bob = await world.owner("bob", "localhost");
      expect(await read(anna)).toEqual(names);
      expect((await anna.control(jid, { Pump: true, Fan: true })).parameters).toEqual(["Pump"]);
      expect(await read(bob)).toEqual(["Pressure"]);
      await expect(bob.control(jid, { Pump: true })).rejects.toMatchObject({ condition: "forbidden" });
      expect(await read(await world.owner("carol", "localhost"))).toEqual(["Temperature"]);
      await expect(read(await world.owner("mallory", "localhost"))).rejects.toMatchObject({ condition: "forbidden" });
    },
  ],
  [
    "provisioning.onUndecided(",
    async (world, load) => {
      const sandbox = await world.sandbox("localhost");
      sandbox.provisioning.setRules([{ friend: true }]);
      const sensor = { fields: [{ name: "Temperature" }], read: () => [{ name: "Temperature", value: 21.5 }] };
      const { jid } = await world.thing("boiler", { sensor }, "localhost");
      const { letRead } = (await load()) as { letRead: (sandbox: Sandbox) => () => void };
      const end = letRead(sandbox);
      const anna = await world.owner("anna", "localhost");
      await expect(anna.read(jid)).rejects.toMatchObject({ condition: "forbidden" });
      await world.hears(/^anna@localhost wants canRead of boiler@localhost: everything$/m);
      await expect.poll(() => sandbox.provisioning.unacknowledged).toEqual([]);
      expect((await anna.read(jid))[0]?.fields).toHaveLength(1);
      end();
      const bob = await world.owner("bob", "localhost");
      await expect(bob.read(jid)).rejects.toMatchObject({ condition: "forbidden" });
      expect(world.said.join("\n")).not.toContain("bob");
    },
  ],
  [
    "billing.pem",
    async (world, load) => {
      writeFileSync("billing.pem", deviceCertificate({ name: "billing" }).cert);
      const { enrolled } = (await load()) as { enrolled: (sandbox: Sandbox) => void };
      const sandbox = await world.sandbox("localhost");
      enrolled(sandbox);
      expect(sandbox.provisioning.identities).toMatchObject([{ name: "billing", withdrawn: true }]);
      expect(sandbox.provisioning.rules).toHaveLength(3);
    },
  ],
  [
    "energy.pem",
    async (world, load) => {
      const { cert, keyPem } = deviceCertificate({ name: "energy" });
      writeFileSync("energy.pem", cert);
      const { energy } = (await load()) as { energy: (sandbox: Sandbox) => void };
      const { provisioning } = await world.sandbox("localhost");
      energy(await world.sandbox("localhost"));
      const service = await world.service("energy", { certificate: { content: cert + keyPem } }, "localhost");
      expect(await service.canAccess({ ip: "192.168.1.21" })).toBeUndefined();
      expect(provisioning.identities).toMatchObject([{ name: "energy", hasToken: true }]);
      const session = await service.canAccess({ ip: "192.168.1.20" });
      expect(await session?.hasPrivilege("Sensors.View")).toBe(true);
      expect(await session?.hasPrivilege("Databases.Energy.Select")).toBe(false);
      await session?.loggedIn("Kermit");
      await expect.poll(() => session?.hasPrivilege("Databases.Energy.Select")).toBe(true);
      expect(await session?.hasPrivilege("Databases.Energy.Delete")).toBe(false);
    },
  ],
  [
    "export async function three()",
    async (world, load) => {
      const { three } = (await load()) as { three: () => Promise<void> };
      await three();
      expect(world.said.join()).toMatch(/provisioning\.localhost[^]*second\.localhost[^]*third@localhost/);
    },
  ],
  [
    "return sandbox.onStanza(",
    async (world, load) => {
      const sandbox = await world.sandbox("localhost");
      const { watch } = (await load()) as { watch: (sandbox: Sandbox) => () => void };
      const end = watch(sandbox);
      await world.user("anna", "localhost");
      await world.hears(/^anna@localhost\/\S+ to the server: <(iq|presence)/m);
      end();
    },
  ],
  [
    "export async function comesBack(",
    async (world, load) => {
      const { comesBack } = (await load()) as { comesBack: (sandbox: Sandbox) => Promise<void> };
      await comesBack(await world.sandbox("localhost"));
      expect(world.things).toMatchObject([{ state: { link: { is: "stopped" } } }]);
    },
  ],
  [
    'sandbox.provisioning.askFriendship("thing@localhost", { timeout: 5_000 })',
    async (world, load) => {
      await load();
      expect(world.said).toEqual(["provisioning@localhost", "pending"]);
    },
  ],
  [
    "const cut = home.federate(elsewhere);",
    async (world, load) => {
      await load(); // all of it ends
      expect(world.said).toEqual([]);
    },
  ],
  [
    "export async function attach(",
    async (world, load) => {
      const sandbox = await world.sandbox();
      const { attach } = (await load()) as { attach: (password: string) => Promise<string> };
      expect(await attach("secret")).toMatch(/^provisioning@example\.org\/\S+$/);
      expect(sandbox.drop("provisioning@example.org")).toBe(1);
    },
  ],
  [
    "await attachComponent(",
    async (world, load) => {
      const server = await startProsodyOfGuide();
      world.later(() => server.stop());
      vi.stubEnv("COMPONENTS", server.component("").service);
      world.later(() => vi.unstubAllEnvs());
      await load();
      expect(world.said).toEqual(["attached"]);
      const reach = { service: `xmpp://127.0.0.1:${server.port}`, domain: "example.org" };
      const tls = { ca: server.ca };
      const sensor = { fields: [{ name: "Temperature" }], read: () => [{ name: "Temperature", value: 21.5 }] };
      const thing = new Thing({ storage: memoryStorage(), server: reach, tls, tags: { SN: "1" }, sensor });
      world.later(() => thing.stop());
      await thing.start();
      await thing.waitFor("registered", { timeout: 15_000 });
      const anna = await connect({ ...reach, tls, username: "anna", password: "secret", register: true });
      world.later(() => anna.close());
      const owner = new OwnerClient(anna);
      await owner.claim(thing.claimText);
      await thing.waitFor("provisioned", { timeout: 15_000 });
      expect((await owner.read(thing.jid))[0]?.fields).toHaveLength(1);
    },
    noProsody,
  ],
  [
    "of discover())",
    async (world, load) => {
      const port = await freePort();
      world.discovery = { dhcp: false, mdns: { interfaces: [LOOPBACK], port }, timeout: 1_000 };
      const responder = await startResponder(port, announced().says);
      world.later(() => responder.close());
      await load();
      expect(world.said).toContain("example.com 127.0.0.7 5222 mdns");
    },
  ],
  [
    "discover({ finders: [ssdp(), dhclient()] })",
    async (world, load) => {
      const answer = "HTTP/1.1 200 OK\r\nST: urn:example-org:service:xmpp-client:1\r\n";
      const says = `${answer}XMPP-DOMAIN: example.org\r\nXMPP-PORT: 5222\r\n\r\n`;
      const socket = createSocket("udp4", (_, { port, address }) => socket.send(says, port, address));
      world.later(() => socket.close());
      await new Promise<void>((resolve) => socket.bind(0, LOOPBACK, resolve));
      const leases = world.path("/var/lib/dhcp/dhclient.leases");
      mkdirSync(dirname(leases), { recursive: true });
      writeFileSync(leases, 'lease {\n  option xmpp-server "pronto.example";\n}\n');
      // The guide's files beside it, with the addresses of this test as defaults.
      const given = { ssdp: [LOOPBACK, socket.address().port], dhclient: [leases] };
      for (const [name, values] of Object.entries(given)) {
        world.write(`the-${name}.ts`, snippetWith(`// ${name}.ts\n`).text);
        const code = `export const ${name} = () => its(...${JSON.stringify(values)});\n`;
        world.write(`${name}.ts`, `import { ${name} as its } from "./the-${name}.ts";\n${code}`);
      }
      world.discovery = { dhcp: false, mdns: false, timeout: 1_000 };
      await load();
      expect(world.said.sort()).toEqual(["example.org SSDP from 127.0.0.1", `pronto.example option 224 in ${leases}`]);
    },
  ],
  [
    'test } from "vitest";',
    async (_, __, line) => {
      // The test of the same page, with this line in the place of its own; and the guides' packages are this project.
      const { text } = snippetWith("// lamp.test.ts\n");
      const its = 'import { after, before, test } from "node:test";\n';
      expect(text).toContain(its);
      const folder = mkdtempSync(`${root}build/guides-vitest-`);
      try {
        writeFileSync(join(folder, "lamp.test.ts"), text.replace(its, line));
        const paths = Object.entries(tsconfig.compilerOptions.paths).reverse(); // the longest first
        const alias = paths.map(([find, [file = ""]]) => ({ find, replacement: join(root, file) }));
        const config = `export default { test: { include: ["*.test.ts"] }, resolve: { alias: ${JSON.stringify(alias)} } };`;
        writeFileSync(join(folder, "vitest.config.mjs"), config);
        const env = { ...process.env, VITEST: undefined, NODE_V8_COVERAGE: undefined, NO_COLOR: "1" };
        const vitest = `${root}node_modules/vitest/vitest.mjs`;
        const { stdout } = await promisify(execFile)(process.execPath, [vitest, "run"], { cwd: folder, env });
        expect(stdout).toMatch(/Tests +1 passed \(1\)/);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  ],
];
