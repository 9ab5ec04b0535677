// Stand-ins for the commands of libgpiod: they take the arguments of one version and no others, hold a line as the real ones
// do (a second holder is told that it is busy), and write down what the LED shows.
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// One program under three names; it is told its version by the folder it lies in.
const PROGRAM = `#!${process.execPath}
const fs = require("node:fs"), path = require("node:path");
const folder = path.dirname(__filename), name = path.basename(__filename);
const version = fs.readFileSync(path.join(folder, "version"), "utf8");
const args = process.argv.slice(2);
const fail = (text) => { process.stderr.write(name + ": " + text + "\\n"); process.exit(1); };
if (args[0] === "--version") { console.log(name + " (libgpiod) v" + version); process.exit(0); }
const two = version.startsWith("2");
const lines = { GPIO17: "17", GPIO27: "27" };
if (name === "gpiofind") {
  if (two) fail("no such command");
  if (lines[args[0]] === undefined) process.exit(1);
  console.log("gpiochip0 " + lines[args[0]]);
  process.exit(0);
}
const known = two
  ? { gpioset: ["--toggle"], gpiomon: ["--edges=falling", "--bias=pull-up", "--format=%e"] }
  : { gpioset: ["--mode=signal", "--mode=time", "--mode=exit"], gpiomon: ["--falling-edge", "--bias=pull-up", "--line-buffered", "--format=%e"] };
const rest = [];
let toggle, time = 0;
for (let i = 0; i < args.length; i++) {
  if (!args[i].startsWith("-")) rest.push(args[i]);
  else if (args[i].startsWith("--usec=") && !two) time = Number(args[i].slice(7)) / 1000;
  else if (!known[name].includes(args[i])) fail("unrecognized option '" + args[i] + "'");
  else if (args[i] === "--toggle") toggle = args[++i];
  else if (args[i] === "--mode=exit") toggle = "0";
}
if (!two && rest.shift() !== "gpiochip0") fail("no such chip");
const [line, value] = (rest[0] ?? "").split("=");
const real = two ? lines[line] : line;
if (rest.length !== 1 || !Object.values(lines).includes(real)) fail("cannot find line " + rest[0]);
const held = path.join(folder, "held-" + real);
try { fs.writeFileSync(held, String(process.pid), { flag: "wx" }); } catch { fail("Device or resource busy"); }
const release = () => { fs.rmSync(held, { force: true }); };
process.on("exit", release);
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
if (name === "gpioset") {
  const what = toggle === undefined || toggle === "0" ? value : "blinking " + toggle;
  fs.appendFileSync(path.join(folder, "led"), what + "\\n");
  setTimeout(() => process.exit(0), toggle === "0" ? 0 : time > 0 ? time : 2 ** 30);
} else {
  let seen = 0;
  setInterval(() => {
    const now = fs.existsSync(path.join(folder, "button")) ? fs.statSync(path.join(folder, "button")).size : 0;
    while (seen < now) { seen++; process.stdout.write("2\\n"); }
    if (fs.existsSync(path.join(folder, "unplugged"))) process.exit(1);
  }, 5);
}
`;

/** A folder with the three commands of one version, and a button and an LED to go with them. */
export class GpioStandIn {
  readonly folder: string;

  /** @param version what `gpioset --version` says: `1.6.3` or `2.2` */
  constructor(folder: string, version: string) {
    this.folder = join(folder, "gpio");
    mkdirSync(this.folder);
    writeFileSync(join(this.folder, "version"), version);
    for (const name of ["gpioset", "gpiomon", "gpiofind"]) {
      writeFileSync(join(this.folder, name), PROGRAM);
      chmodSync(join(this.folder, name), 0o755);
    }
  }

  /** Everything that the LED was told, one after another. */
  get led(): readonly string[] {
    const file = join(this.folder, "led");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  }

  /** True while somebody holds the line. */
  isHeld(line: number): boolean {
    return existsSync(join(this.folder, `held-${line}`));
  }

  /** Presses the button; its contacts bounce. */
  press(): void {
    appendFileSync(join(this.folder, "button"), "...");
  }

  /** The GPIO chip goes away. */
  unplug(): void {
    writeFileSync(join(this.folder, "unplugged"), "");
  }
}
