// One of the README's programs, as a new user runs it: in a project of its own with the installed package, against the
// sandbox of that package, and claimed by its command line.  Usage, in the project's folder: readme.mjs esm|cjs|ts
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const kinds = {
  esm: { language: "ts", file: "first.mjs" }, // it is plain JavaScript too
  cjs: { language: "js", file: "first.cjs" },
  ts: { language: "ts", file: "first.ts", compiled: "first.js" },
};
const [kind] = process.argv.slice(2);
const { language, file, compiled = file } = kinds[kind];
const node = (...args) => [process.execPath, args];
const cli = (...args) => node("node_modules/.bin/xmpp-thing", ...args);

/** A process whose output can be waited for. */
class Program {
  output = "";
  constructor([command, args]) {
    this.child = spawn(command, args, { stdio: "pipe" });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (chunk) => (this.output += chunk));
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
  }
  async says(what) {
    const limit = Date.now() + 30_000;
    for (;;) {
      const found = what.exec(this.output);
      if (found !== null) return found[0];
      assert.ok(Date.now() < limit && this.child.exitCode === null, `expected ${what}, got:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  end() {
    this.child.kill();
    return this.ended;
  }
}

function run([command, args], env = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, ...env } });
  assert.equal(status, 0, `${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

const sandbox = new Program(cli("sandbox", "--json"));
let program;
try {
  const { service, domain, ca, username, password } = JSON.parse(await sandbox.says(/^\{.*\}$/m));
  const readme = readFileSync("node_modules/xmpp-thing/README.md", "utf8");
  const [, snippet = ""] = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "ms").exec(readme) ?? [];
  assert.ok(snippet.includes('"xmpp://127.0.0.1:5222"'), "the README's program names the sandbox");
  writeFileSync(file, snippet.replace('"xmpp://127.0.0.1:5222"', JSON.stringify(service)));
  copyFileSync(ca, "ca.pem");
  rmSync("thermometer-state", { recursive: true, force: true });
  if (compiled !== file) run(node("node_modules/typescript/bin/tsc", "-p", "."));

  program = new Program(node(compiled));
  const text = await program.says(/^IoTDisco;.*$/m);
  const account = { THING_SERVICE: service, THING_DOMAIN: domain, THING_CA: ca };
  const owner = { ...process.env, ...account, OWNER_USERNAME: username, OWNER_PASSWORD: password };
  // The text is there before the Registry knows it: a person would not be that quick.
  const [command, claim] = cli("claim", text);
  for (let tries = 0; spawnSync(command, claim, { env: owner }).status !== 0; tries++)
    assert.ok(tries < 9, "not claimed");
  await program.says(/^I have an owner$/m);
  const status = run(cli("status", "--state", "thermometer-state"));
  assert.match(status, new RegExp(`^Runs now +yes: process ${program.child.pid} `, "m"));
  assert.match(status, new RegExp(`^Owner +${username}@${domain}$`, "m"));
} finally {
  await program?.end();
  await sandbox.end();
}
console.log(`readme: its ${kind} program was claimed, on Node.js ${process.version}`);
