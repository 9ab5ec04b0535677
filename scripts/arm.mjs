// The thermometer on an emulated processor, from its first start to an answered readout, and once more after it was
// started again. Servers and owner run on this one.  Usage: arm.mjs COMMAND…, which is followed by Node's arguments
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OwnerClient, connect } from "xmpp-thing/owner";
import { startSandbox } from "xmpp-thing/sandbox";

const [command, ...before] = process.argv.slice(2);
// An emulated processor is slow, on a machine with other work slower still.
const PATIENCE = 60_000;
const limits = { timeout: PATIENCE };
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** What the emulated Node.js prints that runs this. */
function evaluate(code) {
  const { status, stdout, stderr } = spawnSync(command, [...before, "--expose-gc", "-p", code], {
    encoding: "utf8",
    timeout: PATIENCE,
  });
  assert.equal(status, 0, `${command} ended with ${status}:\n${stdout}${stderr}`);
  return stdout.trim();
}

/** The thermometer as a process of its own. */
class Thermometer {
  output = "";
  constructor(env) {
    const args = ["--expose-gc", "--import", "./arm-heap.mjs", "thermometer.mjs"];
    this.child = spawn(command, [...before, ...args], { env: { ...process.env, ...env }, stdio: "pipe" });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (chunk) => (this.output += chunk));
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
  }
  async says(what) {
    const limit = Date.now() + PATIENCE;
    for (;;) {
      const found = what.exec(this.output);
      if (found !== null) return found[1];
      assert.ok(Date.now() < limit && this.child.exitCode === null, `expected ${what}, got:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  async heap() {
    this.child.kill("SIGUSR2");
    return Number(await this.says(/^heap (\d+)$/m));
  }
  async stop() {
    this.child.kill("SIGTERM");
    assert.equal(await this.ended, 0, this.output);
    assert.match(this.output, /^stopped$/m);
  }
}

const machine = evaluate("`${process.arch}, Node.js ${process.version}`");
const bare = Number(evaluate("gc(); process.memoryUsage().heapUsed"));

const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-arm-"));
const sandbox = await startSandbox();
let connection;
let thermometer;
try {
  const { service, domain, ca } = sandbox;
  writeFileSync(join(folder, "ca.pem"), ca);
  const env = {
    THING_SERVICE: service,
    THING_DOMAIN: domain,
    THING_CA: join(folder, "ca.pem"),
    THING_STATE: join(folder, "state"),
  };
  const { username, password, jid } = sandbox.addUser("owner");
  sandbox.provisioning.setRules([{ jid, friend: true, read: true }]);
  connection = await connect({ service, domain, username, password, tls: { ca } });
  const owner = new OwnerClient(connection);

  thermometer = new Thermometer(env);
  const text = await thermometer.says(/^claim (.*)$/m);
  await thermometer.says(/^(ownership registered)/m);
  const claimed = await owner.claim(text, limits);
  await thermometer.says(/^(trust delegated)/m);
  const full = await owner.befriend(claimed.jid, limits);
  const read = async () =>
    (await owner.read(full, limits))[0].fields.find((field) => field.name === "Temperature").text;
  assert.match(await read(), /^-?\d+\.\d$/);
  const heap = await thermometer.heap();
  await thermometer.stop();

  thermometer = new Thermometer(env);
  await thermometer.says(/^(link online)/m);
  const asked = sandbox.provisioning.count();
  assert.match(await read(), /^-?\d+\.\d$/);
  assert.equal(sandbox.provisioning.count(), asked, "what it remembers it does not ask again");
  const again = await thermometer.heap();
  await thermometer.stop();
  console.log(
    `arm: the thermometer was claimed and read on ${machine}; heap ${mib(heap)}, started again ${mib(again)}, without it ${mib(bare)}`,
  );
} finally {
  thermometer?.child.kill("SIGKILL");
  await connection?.close();
  await sandbox.stop();
  rmSync(folder, { recursive: true });
}
