// What happens around the blocks of the guides that are no TypeScript.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, vi } from "vitest";
import { connect } from "../../../src/connection/connect.ts";
import type { ControlParameter } from "../../../src/control/definition.ts";
import { OwnerClient } from "../../../src/owner/owner-client.ts";
import type { SensorDefinition } from "../../../src/sensor/definition.ts";
import { fileStorage } from "../../../src/storage/file-storage.ts";
import { memoryStorage } from "../../../src/storage/memory-storage.ts";
import { Thing } from "../../../src/thing/thing.ts";
import type { FakeIo } from "../fake-io.ts";
import { readSvgQr } from "../qr-pictures.ts";
import { isInstalled } from "../server-process.ts";
import { Terminal, commandsOf } from "./commands.ts";
import { snippetWith, type Snippet } from "./snippets.ts";
import { within, type World } from "./world.ts";

/** Runs a block in its world. */
export type BlockScene = (world: World, block: Snippet) => Promise<void> | void;

/** Scenes, by words that only their block has; and why one cannot be played on this machine. */
export type BlockScenes = readonly (readonly [words: string, scene: BlockScene, unless?: string | undefined])[];

const thermometer = {
  sensor: {
    fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
    read: () => [{ name: "Temperature", value: 21.5 }],
  },
};
const bare = ({ jid }: Thing): string => jid.split("/")[0] ?? "";

/** Somebody on a sandbox that was started by a command, by what it prints. */
async function ownerOf(
  io: FakeIo,
): Promise<{ owner: OwnerClient; reach: { service: string; domain: string; tls: { ca: string } } }> {
  const printed = (name: string): string => new RegExp(`^ *export .*${name}=(\\S+)`, "m").exec(io.text)?.[1] ?? "";
  const ca = readFileSync(printed("THING_CA"), "utf8");
  const reach = { service: printed("THING_SERVICE"), domain: printed("THING_DOMAIN") || "localhost", tls: { ca } };
  const [username, password] = [printed("OWNER_USERNAME"), printed("OWNER_PASSWORD")];
  return { owner: new OwnerClient(await connect({ ...reach, username, password })), reach };
}

/** A sandbox that a command has started: its owner claims a Thing there, and reads it. */
const serves =
  (...more: readonly string[]): BlockScene =>
  async (world, block) => {
    const terminal = await Terminal.open(world);
    await terminal.during(block, { "5222": "0" }, more, async (io) => {
      const { owner, reach } = await ownerOf(io);
      const { service, domain, tls } = reach;
      const thing = new Thing({ storage: memoryStorage(), server: { service, domain }, tls, ...thermometer });
      try {
        await thing.start();
        await thing.waitFor("registered", { timeout: 15_000 });
        await owner.claim(thing.claimText);
        await thing.waitFor("provisioned", { timeout: 15_000 });
        if (!block.text.includes("--rights friend")) expect(await owner.read(thing.jid)).toHaveLength(1);
      } finally {
        await thing.stop();
      }
    });
  };

/** What an owner types about one Thing, which waits for him. */
const typed =
  (domain: string, ...expected: readonly RegExp[]): BlockScene =>
  async (world, block) => {
    const terminal = await Terminal.open(world, domain);
    const control: readonly ControlParameter[] = [
      { name: "Output1", set: () => undefined },
      { name: "Dimmer", type: "int", min: 0, max: 100, set: () => undefined },
    ];
    const thing = await world.thing("lamp", { tags: { SN: "1" }, control, ...thermometer }, domain);
    const meant = { "IoTDisco;…": thing.claimText, "thing-…@localhost": bare(thing) };
    const ran = await terminal.run(block, meant);
    expected.forEach((what, index) => expect(ran[index]?.text).toMatch(what));
  };

export const blockScenes: BlockScenes = [
  [
    "npm ci && npm run demo",
    async (world, block) => {
      const [{ text }] = await (await Terminal.open(world)).run(block);
      expect(text).not.toContain("✗");
    },
  ],
  ["npx xmpp-thing sandbox --port 5222", serves()],
  [
    "npx xmpp-thing status --state thermometer-state",
    async (world, block) => {
      // The README's own Thing.
      writeFileSync("ca.pem", (await world.sandbox("localhost")).ca);
      await world.other("// The sandbox. Left out, the Thing finds a server");
      const thing = await world.itsThing();
      const terminal = await Terminal.open(world, "localhost");
      const ran = await terminal.run(block, { "IoTDisco;…": thing.claimText, "thing-…@localhost": bare(thing) });
      expect(ran[1]?.text).toMatch(/Temperature.*21\.5/);
      expect(ran[2]?.text).toMatch(/^Owner +anna@localhost$/m);
    },
  ],
  ["npm run -s sandbox\n", serves()],
  ["npx tsx src/cli/bin.ts claim 'IoTDisco;…'", typed("localhost", /lamp@localhost/, /Temperature.*21\.5/)],
  [
    "--svg sticker.svg",
    async (world, block) => {
      await (await Terminal.open(world)).run(block, { "KEY:…": "KEY:4711" });
      expect(readSvgQr(readFileSync("sticker.svg", "utf8"))).toBe("IoTDisco;SN:394872348732948723;KEY:4711");
    },
  ],
  [
    "npx xmpp-thing claim 'IoTDisco;SN:394872348732948723;KEY:…' --service",
    async (world, block) => {
      const terminal = await Terminal.open(world);
      const thing = await world.thing("thing", { tags: { SN: "394872348732948723" } });
      const [{ text }] = await terminal.run(block, { "KEY:…": /KEY:.*$/.exec(thing.claimText)?.[0] ?? "" });
      expect(text).toContain("thing@example.org");
    },
  ],
  [
    "read thing-3d1a33cf3b5f0188@example.org",
    async (world, block) => {
      const terminal = await Terminal.open(world);
      await world.thing("thing-3d1a33cf3b5f0188", thermometer);
      const [{ text }] = await terminal.run(block);
      expect(text).toMatch(/Temperature.*21\.5/);
    },
  ],
  [
    "npx xmpp-thing nodes cellar@example.org",
    async (world, block) => {
      const terminal = await Terminal.open(world);
      const set: unknown[] = [];
      const control = [{ name: "LED", set: (value: boolean) => void set.push(value) }];
      const nodes = [
        { nodeId: "meter1", ...thermometer },
        { nodeId: "lamp", sourceId: "garden", control },
      ];
      await world.thing("cellar", { nodes });
      const ran = await terminal.run(block);
      expect(ran[0]?.text).toMatch(/meter1[^]*lamp/);
      expect(ran[1]?.text).toMatch(/Temperature.*21\.5/);
      expect(set).toEqual([true]);
    },
  ],
  [
    "npx xmpp-thing control lamp@example.org --form",
    async (world, block) => {
      const terminal = await Terminal.open(world);
      const { dimmer } = (await world.other("export function dimmer(")) as {
        dimmer: (lamp: object) => readonly ControlParameter[];
      };
      const lamp = { percent: 0 };
      await world.thing("lamp", { control: [{ name: "LED", set: () => undefined }, ...dimmer(lamp)] });
      const ran = await terminal.run(block);
      expect(ran[0]?.text).toMatch(/LED[^]*Output[^]*Wake/);
      expect(lamp.percent).toBe(10);
      expect(world.said).toEqual(["tomorrow at 06:30:00"]);
    },
  ],
  [
    "npx xmpp-thing remove rack@example.org",
    async (world, block) => {
      const terminal = await Terminal.open(world);
      const anna = new OwnerClient(await world.session("anna"));
      const node = { nodeId: "imc1", sourceId: "MeteringTopology" };
      const rack = await world.thing("rack", { tags: { SN: "2" }, nodes: [{ ...node, tags: { SN: "3" } }] });
      await expect.poll(() => rack.nodes[0]?.ownership.is, within).toBe("registered");
      await anna.claim(rack.nodes[0]?.claimText ?? "");
      // Of the same maker, and a PLC: so that each search finds one.
      const other = await world.thing("other", { tags: { SN: "394870", MAN: "www.ktc.se", V: 1, CLASS: "PLC" } });
      await anna.claim(other.claimText);
      const sensor: SensorDefinition = {
        fields: [{ name: "Temperature", categories: ["historicalHour"] }],
        read: () => [{ name: "Temperature", value: 21.5, timestamp: new Date("2026-03-07T12:00:00Z") }],
      };
      const thing = await world.thing("thing", { tags: { SN: "394872348732948723", MAN: "www.ktc.se" }, sensor });
      const meant = { "KEY:…": /KEY:.*$/.exec(thing.claimText)?.[0] ?? "", "thing-…@example.org": bare(thing) };
      const ran = await terminal.run(block, meant);
      const textOf = (command: string): readonly string[] =>
        ran.filter(({ args }) => args[0] === command).map(({ text }) => text);
      expect(textOf("search")).toEqual([expect.stringContaining("other@"), expect.stringContaining("other@")]);
      expect(textOf("read")).toEqual([expect.stringContaining("Temperature")]);
      const { registry } = await world.sandbox();
      expect(registry.things.map(({ jid }) => jid)).toEqual([
        "rack@example.org",
        "other@example.org",
        "thing@example.org",
      ]);
      await thing.waitFor("registered", { timeout: 10_000 });
    },
  ],
  ["Output1=true Dimmer=40", typed("localhost", /Output1[^]*Dimmer/, /Output1: true\nDimmer: 40/, /Temperature/)],
  ["npx xmpp-thing sandbox\n", serves()],
  [
    "npx xmpp-thing sandbox --ask",
    async (world, block) => {
      const dialogue = snippetWith("answer> always 1", "text").text.trimEnd().split("\n");
      const terminal = await Terminal.open(world);
      await terminal.during(block, {}, ["--rights", "none"], async (io) => {
        const { reach } = await ownerOf(io);
        const { service, domain, tls } = reach;
        const names = ["Temperature", "Pressure"];
        const sensor = {
          fields: names.map((name) => ({ name })),
          read: () => names.map((name) => ({ name, value: 1 })),
        };
        const account = { username: "thermometer-1", password: "secret" };
        const server = { service, domain };
        const make = await connect({ ...reach, ...account, register: true });
        await make.close();
        const provisioning = ["provisioning.localhost"];
        const thing = new Thing({ storage: memoryStorage(), server, tls, account, provisioning, sensor });
        const anna = await connect({ ...reach, username: "anna", password: "secret", register: true });
        try {
          await thing.start();
          await thing.waitFor("online", { timeout: 15_000 });
          const owner = new OwnerClient(anna);
          const read = async (): Promise<readonly string[]> => {
            const groups = await owner.read(thing.jid, { fields: names, types: ["momentary"] });
            return groups.flatMap(({ fields }) => fields.map(({ name }) => name));
          };
          await expect(read()).rejects.toMatchObject({ condition: "forbidden" });
          await expect.poll(() => io.text, within).toContain("Refused until somebody answers");
          io.type("always 1");
          await expect.poll(() => read().catch(() => []), within).toEqual(["Temperature"]);
        } finally {
          await anna.close();
          await thing.stop();
        }
        for (const line of dialogue.filter((line) => !line.startsWith("answer> "))) expect(io.text).toContain(line);
      });
    },
  ],
  [
    "npx xmpp-thing sandbox --data ./site",
    async (world, block) => {
      await serves()(world, block);
      expect(existsSync("site/owner.json")).toBe(true);
    },
  ],
  ["npx xmpp-thing sandbox --announce", serves("--interface", "lo", "--port", "0")],
  ["--also second=read --also third=control", serves()],
  [
    "openssl req -x509",
    async (world, { text }) => {
      execFileSync("sh", ["-c", text], { stdio: "pipe" });
      const files = { certificate: { file: "device.crt", keyFile: "device.key" } };
      const thing = await world.thing("thermometer", files);
      const faults: string[] = [];
      thing.on("fault", ({ code }) => faults.push(code));
      const { provisioning } = await world.sandbox();
      await (await world.owner("anna")).claim(thing.claimText);
      await expect
        .poll(() => provisioning.identities, within)
        .toMatchObject([{ subject: "CN=thermometer 4711", hasToken: true }]);
      expect(faults).toEqual([]);
    },
    isInstalled("openssl") ? undefined : "openssl is not installed",
  ],
  [
    "THING_DEBUG=1 npx xmpp-thing read thing@example.org",
    async (world, block) => {
      const traced: string[] = [];
      vi.spyOn(console, "debug").mockImplementation((...parts) => void traced.push(parts.join(" ")));
      const terminal = await Terminal.open(world);
      await world.thing("thing", thermometer);
      await terminal.run(block);
      await expect.poll(() => traced.join("\n"), within).toMatch(/<req .*xmlns="urn:xmpp:iot:sensordata"/);
    },
  ],
  [
    "npx xmpp-thing status --state /var/lib/thermometer",
    async (world, block) => {
      const state = world.path("/var/lib/thermometer");
      const options = { storage: fileStorage(state), tags: { SN: "1" }, provisioning: {}, ...thermometer };
      const thing = await world.thing("thing", options);
      await (await world.owner("bob")).claim(thing.claimText);
      await thing.waitFor("provisioned", { timeout: 10_000 });
      const terminal = await Terminal.open(world);
      const [{ text }] = await terminal.run(block, { "/var/lib/thermometer": state });
      const labels = (printed: string): readonly string[] => printed.match(/^\S+(?: \S+)*(?= {2})/gm) ?? [];
      const shown = labels(snippetWith("Runs now    yes: process 4711", "text").text);
      const printed = labels(text);
      expect(printed.length).toBeGreaterThan(5);
      expect(shown).toEqual(expect.arrayContaining([...printed]));
    },
  ],
  [
    "npx xmpp-thing reset --state /var/lib/thermometer",
    async (world, { text }) => {
      const state = world.path("/var/lib/thermometer");
      const thing = await world.thing("thing", { storage: fileStorage(state) });
      await thing.stop();
      const terminal = await Terminal.open(world);
      const [{ text: said }] = await terminal.run(
        { text: text.replace("\n", " --yes\n") },
        { "/var/lib/thermometer": state },
      );
      expect(said).toMatch(/^Reset: /m);
    },
  ],
];

/** The programs of a block that are not this project's. */
export const programsOf = (block: Snippet): readonly string[] =>
  commandsOf(block)
    .filter(({ args }) => args === undefined)
    .map(({ words: [program = ""] }) => program);
