import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect, type Connection } from "../src/connection/connect.ts";
import { OwnerClient } from "../src/owner/owner-client.ts";
import { startSandbox, type Sandbox } from "../src/sandbox/sandbox.ts";
import { ReadoutError } from "../src/sensor/readout-error.ts";
import { memoryStorage } from "../src/storage/memory-storage.ts";
import { Thing } from "../src/thing/thing.ts";
import { snippetWith } from "./support/guides/snippets.ts";
import { thingOptions } from "./support/site.ts";
import { readTerminalQr } from "./support/terminal-qr.ts";

const project = fileURLToPath(new URL("..", import.meta.url));

/** A program of ours as a process of its own, as its user runs it. */
class Program {
  readonly #child: ChildProcess;
  readonly exit: Promise<number | null>;
  output = "";

  constructor(args: readonly string[], env: Record<string, string>) {
    this.#child = spawn(process.execPath, args, {
      cwd: project,
      env: { ...process.env, ...env },
      stdio: "pipe",
      detached: true, // a group of its own, as a terminal makes one
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.exit = new Promise((resolve) => this.#child.once("close", (code) => resolve(code)));
  }

  async says(what: RegExp): Promise<void> {
    await expect.poll(() => this.output, { interval: 10, timeout: 15_000 }).toMatch(what);
  }

  /** Ctrl-C: the terminal tells every process of the group. */
  interrupt(): Promise<number | null> {
    process.kill(-(this.#child.pid ?? NaN), "SIGINT");
    return this.exit;
  }

  /** A power cut: the example ends with what has started it, and without a word. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      process.kill(-(this.#child.pid ?? NaN), "SIGKILL");
    }
    await this.exit;
  }

  end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.exit;
  }
}

describe("what users run", () => {
  let sandbox: Sandbox;
  let folder: string;
  let program: Program | undefined;
  let connection: Connection;
  let owner: OwnerClient;
  let ownerJid: string;

  beforeEach(async () => {
    sandbox = await startSandbox();
    folder = mkdtempSync(join(tmpdir(), "xmpp-thing-example-"));
    writeFileSync(join(folder, "ca.pem"), sandbox.ca);
    const { service, domain, ca } = sandbox;
    const { username, password, jid } = sandbox.addUser("owner");
    connection = await connect({ service, domain, username, password, tls: { ca } });
    owner = new OwnerClient(connection);
    ownerJid = jid;
  });
  afterEach(async () => {
    await program?.kill();
    program = undefined;
    await connection.close();
    await sandbox.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const settings = (): Record<string, string> => ({
    THING_SERVICE: sandbox.service,
    THING_DOMAIN: sandbox.domain,
    THING_CA: join(folder, "ca.pem"),
    THING_STATE: join(folder, "state"),
    THING_TAGS: "SN:1;MAN:example.org;#V:1.2",
  });
  const example = (env: Record<string, string>): Program => new Program(["scripts/example.mjs", "thermometer"], env);

  it("the thermometer shows a QR code that holds the claim text, and none once it is claimed", async () => {
    program = example(settings());
    await program.says(/ownership registered discovery\.localhost/);
    const text = /^claim (IoTDisco;SN:1;MAN:example\.org;#V:1\.2;KEY:[\w-]{27})$/m.exec(program.output)?.[1] ?? "";
    expect(readTerminalQr(program.output.split("\n").filter((line) => /^[█▀▄ ]{20,}$/.test(line)))).toBe(text);

    sandbox.provisioning.setRules([{ jid: ownerJid, friend: true, read: true }]);
    const { jid = "" } = await owner.claim(text);
    await program.says(/ownership claimed owner@localhost public/);
    await program.says(/trust delegated provisioning\.localhost/);
    const [group] = await owner.read(jid);
    expect(group?.fields).toMatchObject([
      { name: "Temperature", unit: "°C", text: expect.stringMatching(/^-?\d+\.\d$/) },
    ]);
    await program.says(/decision read owner@localhost granted server \d+ ms/);
    expect(program.output).toMatch(/^sensor (simulated|\/sys\/)/m);
    expect(await program.end("SIGTERM")).toBe(0);
    expect(program.output).toMatch(/\nstopped\n$/);

    program = example(settings());
    await program.says(/link online/);
    expect(await program.end("SIGTERM")).toBe(0);
    expect(program.output).not.toContain("IoTDisco");
    expect(program.output).not.toContain("▀");
    expect(sandbox.registry.things).toHaveLength(1);
  });

  it("the thermometer takes its account, Registry and Provisioning Server from its settings", async () => {
    const { username, password } = sandbox.addUser("boiler-7");
    program = example({
      ...settings(),
      THING_USERNAME: username,
      THING_PASSWORD: password,
      THING_REGISTRY: sandbox.registry.jid,
      THING_PROVISIONING: ` ${sandbox.provisioning.jid} `,
    });
    await program.says(/trust delegated provisioning\.localhost/);
    await program.says(/link online boiler-7@localhost\//);
    await program.says(/ownership registered/);
    expect(await program.interrupt()).toBe(0);
    expect(program.output.match(/^stopped$/gm)).toHaveLength(1);
    expect(program.output).not.toContain(password);
  });

  it("the thermometer says what is missing", async () => {
    program = new Program(["scripts/example.mjs", "thermometer"], {
      ...{ THING_SERVICE: "", THING_PASSWORD: "hunter2", THING_STATE: join(folder, "state") },
    });
    expect(await program.exit).toBe(1);
    expect(program.output).toContain("ERR_CONFIG: account.password: needs server.domain or server.service");
    program = new Program(["scripts/example.mjs", "thermometer"], { ...settings(), THING_DOMAIN: "" });
    expect(await program.exit).toBe(1);
    expect(program.output).toContain("ERR_CONFIG");
  });

  it("the owner's script claims what is scanned, notes the room, and reads what is in the house", async () => {
    const thing = new Thing(
      thingOptions(memoryStorage(), { service: sandbox.service, domain: sandbox.domain }, { tls: { ca: sandbox.ca } }),
    );
    const account = { OWNER_USERNAME: "anna", OWNER_PASSWORD: sandbox.addUser("anna").password };
    const script = (...args: string[]): Program =>
      new Program(["scripts/example.mjs", "owner", ...args], { ...settings(), ...account, OWNER_HOUSE: "Elm St 4" });
    sandbox.provisioning.setRules([{ jid: "anna@localhost", friend: true, read: true }]);
    try {
      await thing.start();
      await thing.waitFor("registered", { timeout: 10_000 });
      program = script("Cellar", "IoTDisco;SN:1;KEY:wrong", "Kitchen", thing.claimText);
      expect(await program.exit).toBe(1);
      const [jid = ""] = thing.jid.split("/");
      expect(program.output.split("\n")).toEqual([
        expect.stringMatching(/^refused Cellar: no unclaimed Thing has exactly these tags/),
        `claimed Kitchen: ${jid}`,
        "Kitchen: Temperature 21.5 °C, Door open false",
        "",
      ]);
      // Somebody else's house of the same name is none of hers.
      const other = new Thing(
        thingOptions(
          memoryStorage(),
          { service: sandbox.service, domain: sandbox.domain },
          { tls: { ca: sandbox.ca }, tags: { SN: "2" } },
        ),
      );
      await other.start();
      await other.waitFor("registered", { timeout: 10_000 });
      const claimed = await owner.claim(other.claimText);
      if (claimed.jid !== undefined) await owner.update(claimed, { BLD: "Elm St 4", ROOM: "Attic" });
      await other.stop();
      program = script();
      expect(await program.exit).toBe(0);
      expect(program.output).toBe("Kitchen: Temperature 21.5 °C, Door open false\n");
      await thing.stop();
      program = script();
      expect(await program.exit).toBe(0);
      expect(program.output).toMatch(/^Kitchen: ERR_\w+\n$/);
      program = new Program(["scripts/example.mjs", "owner"], { ...settings(), ...account, OWNER_PASSWORD: "wrong" });
      expect(await program.exit).toBe(1);
      expect(program.output).toContain("ERR_AUTHENTICATION");
    } finally {
      await thing.stop();
    }
  }, 60_000);

  it("D-3.8-1: the concentrator shows a claim text for each meter; who claims one may read and switch it, and no other", async () => {
    program = new Program(["scripts/example.mjs", "concentrator"], { ...settings(), METERS: "2" });
    await program.says(/^meter1 registered$/m);
    await program.says(/^meter2 registered$/m);
    await program.says(/^claim meter2 IoTDisco;/m);
    const text = /^claim meter1 (IoTDisco;SN:M-1;.*KEY:[\w-]{27})$/m.exec(program.output)?.[1] ?? "";
    const { jid = "", node = { nodeId: "" } } = await owner.claim(text);
    const meter = { jid, node };
    expect(node).toEqual({ nodeId: "meter1" });
    await program.says(/^meter1 claimed owner@localhost$/m);
    const [group] = await owner.read(meter);
    expect(group).toMatchObject({
      node: { nodeId: "meter1" },
      fields: [
        { name: "Power", unit: "W", text: "100" },
        { name: "On", value: true },
      ],
    });
    await owner.control(meter, { On: false });
    await program.says(/^meter1 off$/m);
    await expect(owner.read({ jid: meter.jid, node: { nodeId: "meter2" } })).rejects.toMatchObject({
      condition: "forbidden",
    });
    await expect
      .poll(() => sandbox.registry.things.find(({ node }) => node?.nodeId === "meter1")?.tags.map(({ name }) => name))
      .toEqual(["MAN", "MODEL", "V", "CLASS"]);
    expect(await program.end("SIGTERM")).toBe(0);
    expect(program.output).toMatch(/\nstopped\n$/);
    expect(program.output).not.toContain("fault");
  });

  it("P-3.6.2-1, P-3.6.2-4, P-3.6.2-11: the service lets in who may, over HTTP, and shows a Thing to who may see it", async () => {
    const { service: address, domain, ca, provisioning } = sandbox;
    const options = { tls: { ca }, provisioning: [provisioning.jid] };
    const thing = new Thing(thingOptions(memoryStorage(), { service: address, domain }, options));
    try {
      await thing.start();
      await thing.waitFor("registered", { timeout: 10_000 });
      program = new Program(["scripts/example.mjs", "service"], {
        ...settings(),
        ...{ SERVICE_USERNAME: "web", SERVICE_PASSWORD: "secret", SERVICE_STATE: join(folder, "service") },
        ...{ SERVICE_PORT: "0", SERVICE_THING: thing.jid },
      });
      await program.says(/^listening on http/m);
      const url = /^listening on (http:\S+)$/m.exec(program.output)?.[1] ?? "";
      const page = async (): Promise<string> => {
        const response = await fetch(url);
        return `${response.status} ${(await response.text()).trim()}`;
      };
      expect(await page()).toBe("403 You may not be here.");
      const [identity] = provisioning.identities;
      const service = identity?.fingerprint ?? "";
      const access = { service, access: true, credentials: { ip4: "127.0.0.0/8", protocol: "HTTP" } } as const;
      provisioning.setRules([access, { service, read: true }]);
      expect(await page()).toBe("403 You may not see sensors.");
      provisioning.setPrivileges([{ service, privileges: [{ include: "Sensors" }] }]);
      await expect.poll(page, { timeout: 10_000 }).toBe("200 Temperature 21.5 °C, Door open false");
      provisioning.setRules([{ service, read: true }]);
      await expect.poll(page, { timeout: 10_000 }).toBe("403 You may not be here.");
      expect(await program.end("SIGTERM")).toBe(0);
      expect(program.output).toMatch(/\nstopped\n$/);
      expect(program.output).not.toContain("secret");
    } finally {
      await thing.stop();
    }
  }, 60_000);

  it("XEP-0323 3.1, 3.2: the 1-wire sensor is read from its files, and what is no measurement is a failure", async () => {
    const bus = join(folder, "bus");
    const id = "28-0316a2795caf";
    const plug = (name: string, content: string): void => {
      mkdirSync(join(bus, name), { recursive: true });
      writeFileSync(join(bus, name, "w1_slave"), content);
    };
    /** The two lines of the kernel's. */
    const lines = (bytes: string, temperature: number, crc = "YES"): string =>
      `${bytes} : crc=${bytes.slice(-2)} ${crc}\n${bytes} t=${temperature}\n`;
    mkdirSync(join(bus, "w1_bus_master1"), { recursive: true });
    program = new Program(["scripts/example.mjs", "wire-sensor"], { ...settings(), WIRE_FOLDER: bus, WIRE_SENSOR: "" });
    await program.says(/^ownership registered$/m);
    await program.says(/^claim IoTDisco;.*$/m);
    sandbox.provisioning.setRules([{ jid: ownerJid, friend: true, read: true }]);
    const { jid = "" } = await owner.claim(/^claim (IoTDisco;.*)$/m.exec(program.output)?.[1] ?? "");
    await program.says(/^ownership claimed$/m);
    const full = /^online (\S+)$/m.exec(program.output)?.[1] ?? "";
    expect(full).toContain(`${jid}/`);
    /** What is read, or what the reader is told of the failure. */
    const read = async (): Promise<string> => {
      try {
        const groups = await owner.read(full);
        return groups
          .flatMap(({ fields }) => fields)
          .map((field) => (field.kind === "numeric" ? `${field.name} ${field.text} ${field.unit}` : field.kind))
          .join();
      } catch (error) {
        if (!(error instanceof ReadoutError)) throw error;
        return error.failures.map(({ text }) => text).join();
      }
    };
    expect(await read()).toBe("There is no sensor on the bus.");
    plug(id, snippetWith("crc=57 YES", "text").text); // of docs/wire-sensor.md
    expect(await read()).toBe("Temperature 23.125 °C");
    plug(id, lines("5e ff 4b 46 7f ff 02 10 9f", -10_125));
    expect(await read()).toBe("Temperature -10.125 °C");
    plug(id, lines("00 00 4b 46 7f ff 10 10 a3", 0));
    expect(await read()).toBe("Temperature 0.000 °C");

    plug(id, lines("72 01 4b 46 7f ff 0e 10 56", 23_125, "NO"));
    expect(await read()).toBe("What the sensor sends is damaged on the way.");
    plug(id, "");
    expect(await read()).toBe("What the sensor sends is damaged on the way.");
    plug(id, lines("50 05 4b 46 7f ff 0c 10 1c", 85_000));
    expect(await read()).toBe("The sensor has been reset: it has measured nothing yet.");
    plug(id, lines("00 00 00 00 00 00 00 00 00", 0));
    expect(await read()).toBe("The sensor does not answer.");
    plug(id, lines("ff 07 4b 46 7f ff 0c 10 c9", 127_937));
    expect(await read()).toBe("The sensor tells what it cannot measure.");
    plug("28-000000000002", lines("72 01 4b 46 7f ff 0e 10 57", 23_125));
    expect(await read()).toBe("There are several sensors on the bus, and none is chosen.");
    rmSync(join(bus, id), { recursive: true });
    expect(await read()).toBe("Temperature 23.125 °C");
    expect(await program.end("SIGTERM")).toBe(0);
    expect(program.output).toMatch(/\nstopped\n$/);
    expect(program.output).not.toContain("fault");

    // Another start, as systemd does it, with the sensor named: it is missing, which keeps the Thing from nothing else.
    program = new Program(["scripts/example.mjs", "wire-sensor"], {
      ...{ ...settings(), THING_STATE: "", STATE_DIRECTORY: join(folder, "state") },
      ...{ WIRE_FOLDER: bus, WIRE_SENSOR: id },
    });
    await program.says(/^online \S+$/m);
    const again = /^online (\S+)$/m.exec(program.output)?.[1] ?? "";
    await expect(owner.read(again)).rejects.toMatchObject({ failures: [{ text: "The sensor cannot be reached." }] });
    plug(id, lines("72 01 4b 46 7f ff 0e 10 57", 23_125));
    expect((await owner.read(again))[0]?.fields).toMatchObject([{ text: "23.125" }]);
    expect(await program.end("SIGTERM")).toBe(0);
    expect(program.output).not.toContain("IoTDisco");
  }, 60_000);

  it("XEP-0325 3.2, 3.3: the relay is set by type and by its form, refused and narrowed, and is what it was after another start", async () => {
    const board = join(folder, "leds");
    const names = ["output1", "output2", "output3", "dimmer"];
    const brightness = (name: string): string => readFileSync(join(board, name, "brightness"), "utf8");
    const all = (): readonly string[] => names.map(brightness);
    for (const name of names) {
      mkdirSync(join(board, name), { recursive: true });
      writeFileSync(join(board, name, "max_brightness"), name === "dimmer" ? "255\n" : "1\n");
      writeFileSync(join(board, name, "brightness"), "1\n"); // left on by whoever was here before
    }
    const start = (env: Record<string, string> = {}): Program =>
      new Program(["scripts/example.mjs", "relay"], {
        ...settings(),
        RELAY_FOLDER: board,
        RELAY_OFF: "Output3",
        ...env,
      });
    program = start();
    await program.says(/^ownership registered$/m);
    expect(all()).toEqual(["0", "0", "0", "0"]);
    sandbox.provisioning.setRules([{ jid: ownerJid, friend: true, read: true, control: true }]);
    await program.says(/^claim IoTDisco;.*$/m);
    const { jid = "" } = await owner.claim(/^claim (IoTDisco;.*)$/m.exec(program.output)?.[1] ?? "");
    await program.says(/^ownership claimed$/m);

    // By type. One value that is wrong keeps the others of its request from being set.
    const set = await owner.control(jid, { Output1: true, Output3: true, Dimmer: 40 });
    expect(set.parameters).toEqual(["Output1", "Output3", "Dimmer"]);
    expect(all()).toEqual(["1", "0", "1", "102"]);
    await program.says(/^Output1 on by owner@localhost$/m);
    await program.says(/^Dimmer 40 % by owner@localhost$/m);
    await expect(owner.control(jid, { Output2: true, Dimmer: 101 })).rejects.toMatchObject({
      condition: "bad-request",
      parameters: [{ name: "Dimmer" }],
    });
    expect(all()).toEqual(["1", "0", "1", "102"]);
    await expect(owner.control(jid, { Output4: true })).rejects.toMatchObject({ condition: "item-not-found" });

    // By its form, which says what is on now.
    const form = await owner.getForm(jid);
    expect(form.title).toBe("Relay");
    expect(form.parameters.map(({ name, label, type, value }) => [name, label, type, value])).toEqual([
      ["Output1", "Output 1", "boolean", true],
      ["Output2", "Output 2", "boolean", false],
      ["Output3", "Output 3", "boolean", true],
      ["Dimmer", "Dimmer (%)", "int", 40],
    ]);
    expect(form.parameters[3]).toMatchObject({ min: 0, max: 100, description: "0 is dark." });
    await owner.control(jid, { Output1: false, Dimmer: 100 }, { form });
    expect(all()).toEqual(["0", "0", "1", "255"]);

    // What is on, with the same names.
    const [group] = await owner.read(jid);
    expect(group?.fields).toMatchObject([
      { name: "Output1", value: false, writable: true },
      { name: "Output2", value: false, writable: true },
      { name: "Output3", value: true, writable: true },
      { name: "Dimmer", text: "100", unit: "%", writable: true },
    ]);

    // Somebody who may set one output, and one who may set nothing.
    sandbox.provisioning.setRules([
      { jid: ownerJid, friend: true, read: true, control: true },
      { jid: "anna@localhost", friend: true, control: { parameters: ["Output2"] } },
      { jid: "bob@localhost", friend: true, read: true, control: false },
    ]);
    const as = async <T>(name: string, does: (client: OwnerClient) => Promise<T>): Promise<T> => {
      const { username, password } = sandbox.addUser(name);
      const { service, domain, ca } = sandbox;
      const link = await connect({ service, domain, username, password, tls: { ca } });
      try {
        return await does(new OwnerClient(link));
      } finally {
        await link.close();
      }
    };
    await as("anna", async (anna) => {
      expect((await anna.getForm(jid)).parameters.map(({ name }) => name)).toEqual(["Output2"]);
      expect((await anna.control(jid, { Output1: true, Output2: true })).parameters).toEqual(["Output2"]);
    });
    await program.says(/^Output2 on by anna@localhost$/m);
    await as("bob", async (bob) => {
      await expect(bob.control(jid, { Output2: false })).rejects.toMatchObject({ condition: "forbidden" });
      await expect(bob.getForm(jid)).rejects.toMatchObject({ condition: "forbidden" });
    });
    await program.says(/^control bob@localhost refused$/m);
    expect(all()).toEqual(["0", "1", "1", "255"]);

    // An output that is gone: told, and the others go on.
    rmSync(join(board, "output1"), { recursive: true });
    await expect(owner.control(jid, { Output1: true })).rejects.toMatchObject({
      condition: "resource-constraint",
      message: expect.stringContaining("Output1 cannot be reached."),
    });

    // The power goes, and comes back: as it was, but for what is to be off.
    await program.kill();
    writeFileSync(join(board, "dimmer", "brightness"), "0\n");
    program = start();
    await program.says(/^online \S+$/m);
    expect(names.slice(1).map(brightness)).toEqual(["1", "0", "255"]);
    expect(program.output).toContain("fault output Output1 cannot be reached.");
    expect(await program.end("SIGTERM")).toBe(0);
    expect(program.output).toMatch(/\nstopped\n$/);

    program = start({ RELAY_OFF: "Fan" });
    expect(await program.exit).toBe(1);
    expect(program.output).toContain('RELAY_OFF: there is no output "Fan"');
  }, 60_000);

  it("the unit of the 1-wire sensor starts it with a folder to keep, again when it ends, and takes away what it needs not", () => {
    const unit = readFileSync(join(project, "examples", "wire-sensor.service"), "utf8");
    const example = readFileSync(join(project, "examples", "wire-sensor.ts"), "utf8");
    const values = (key: string): readonly string[] =>
      [...unit.matchAll(new RegExp(`^#?${key}=(.*)$`, "gm"))].map(([, value]) => value ?? "");
    expect(values("ExecStart")).toEqual(["/usr/bin/node --import tsx examples/wire-sensor.ts"]);
    const variables = values("Environment").map((line) => line.split("=")[0] ?? "");
    expect(variables).toEqual(["THING_SERVICE", "WIRE_SENSOR"]);
    for (const name of [...variables, "STATE_DIRECTORY"]) expect(example).toContain(`env("${name}")`);
    for (const [key, value] of Object.entries({
      ...{ StateDirectory: "wire-sensor", StateDirectoryMode: "0700", Restart: "always", StartLimitIntervalSec: "0" },
      ...{ DynamicUser: "yes", NoNewPrivileges: "yes", ProtectSystem: "strict", CapabilityBoundingSet: "" },
    })) {
      expect(values(key), key).toEqual([value]);
    }
  });

  it.each([
    { language: "ts", file: "mts" },
    { language: "js", file: "cjs" },
  ])("the README's first Thing in $file runs, and is claimed", async ({ language, file: ending }) => {
    const readme = readFileSync(join(project, "README.md"), "utf8");
    const [, snippet = ""] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "ms").exec(readme) ?? [];
    const here = snippet
      .replace('"xmpp://127.0.0.1:5222"', JSON.stringify(sandbox.service))
      .replace('"ca.pem"', JSON.stringify(join(folder, "ca.pem")))
      .replace('"thermometer-state"', JSON.stringify(join(folder, "state")));
    for (const replaced of [sandbox.service, "ca.pem", "state"]) expect(here).toContain(replaced);
    // Inside the project, where "xmpp-thing" is this project.
    const file = join(project, "build", `readme-${process.pid}.${ending}`);
    mkdirSync(join(project, "build"), { recursive: true });
    writeFileSync(file, here);
    try {
      program = new Program(["--import", "tsx", file], {});
      await program.says(/^IoTDisco;.*KEY:[\w-]{27}$/m);
      await expect.poll(() => sandbox.registry.things.length, { timeout: 10_000 }).toBe(1);
      await owner.claim(/^IoTDisco;.*$/m.exec(program.output)?.[0] ?? "");
      await program.says(/I have an owner/);
    } finally {
      rmSync(file, { force: true });
    }
  });
});
