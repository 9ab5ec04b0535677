// An LED and a button on the GPIO header, through the commands of libgpiod: `apt install gpiod`, version 1 (Debian 12) or
// 2 (Debian 13). Not by files in /sys/class/gpio: kernels since 6.6 have none. The commands need no module to compile.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How long the LED is on, and off, while it blinks, in milliseconds. */
const BLINK = 250;
/** Contacts bounce: a second press within so many milliseconds is the first one. */
const BOUNCE = 50;

/** Asks which generation of the commands is installed: their arguments differ. */
export async function findGpio() {
  try {
    const { stdout } = await run("gpioset", ["--version"]);
    return Number(/v(\d+)/.exec(stdout)?.[1]) >= 2 ? 2 : 1;
  } catch (error) {
    throw new Error("gpioset cannot be run: apt install gpiod", { cause: error });
  }
}

/** What a line is called on the command line: version 2 knows names, version 1 chip and offset. */
async function lineOf(version, name) {
  if (version === 2) return { chip: [], line: name };
  try {
    const { stdout } = await run("gpiofind", [name]);
    const [chip = "", line = ""] = stdout.trim().split(" ");
    return { chip: [chip], line };
  } catch (error) {
    throw new Error(`there is no GPIO line ${name}: gpioinfo lists those there are`, { cause: error });
  }
}

/** A light. A line keeps its value only as long as a gpioset holds it, so there is always one running. */
export class Led {
  #version;
  #line;
  #holder;
  #turn = Promise.resolve();
  #showing = 0;
  #onLost;

  /** Takes the line named `name`, and switches the LED off. `onLost` is called when the line cannot be held. */
  static async open(version, name, onLost) {
    const led = new Led();
    led.#version = version;
    led.#onLost = onLost;
    led.#line = await lineOf(version, name);
    await led.show("off");
    return led;
  }

  /** Shows `"on"`, `"off"` or `"blink"` from now on. Resolves once it does. */
  show(what) {
    const showing = ++this.#showing;
    const turn = this.#turn.then(async () => {
      await this.#release();
      if (showing === this.#showing) this.#hold(what, showing);
    });
    this.#turn = turn;
    return turn;
  }

  /** Switches the LED off and gives the line back. */
  async close() {
    this.#showing++;
    await this.#turn;
    await this.#release();
    // One that sets the value and ends; one that is told to end might do so before it has set anything.
    const once = this.#version === 2 ? ["--toggle", "0"] : ["--mode=exit", ...this.#line.chip];
    await run("gpioset", [...once, this.#set(0)]).catch((error) => console.error(`gpioset: ${error.message}`));
  }

  #hold(what, showing) {
    const value = what === "off" ? 0 : 1;
    if (this.#version === 2) this.#start(...(what === "blink" ? ["--toggle", `${BLINK}ms`] : []), this.#set(value));
    else if (what === "blink") void this.#alternate(showing);
    else this.#start("--mode=signal", ...this.#line.chip, this.#set(value));
  }

  /** Version 1 cannot blink: one gpioset after another holds the line for half a period. */
  async #alternate(showing) {
    for (let value = 1; showing === this.#showing; value = 1 - value) {
      this.#start("--mode=time", `--usec=${BLINK * 1000}`, ...this.#line.chip, this.#set(value));
      await once(this.#holder, "close");
    }
  }

  #set(value) {
    return `${this.#line.line}=${value}`;
  }

  #start(...args) {
    const holder = spawn("gpioset", args, { stdio: "inherit" });
    this.#holder = holder;
    holder.on("error", (error) => this.#onLost(new Error(`gpioset: ${error.message}`)));
    holder.on("close", (code) => {
      // One that was told to end is not the holder any more.
      if (code !== 0 && holder === this.#holder) this.#onLost(new Error(`gpioset has ended with ${code}`));
    });
  }

  async #release() {
    const holder = this.#holder;
    this.#holder = undefined;
    if (holder === undefined || holder.exitCode !== null || holder.signalCode !== null) return;
    const closed = once(holder, "close");
    holder.kill("SIGTERM");
    await closed;
  }
}

/** A button between a line and ground. */
export class Button {
  #monitor;

  /**
   * Calls `onPress` at each press. `onLost` is called when the button can be heard no more; a device whose button is dead
   * had better be started again than stand there.
   */
  static async open(version, name, onPress, onLost) {
    const { chip, line } = await lineOf(version, name);
    const args =
      version === 2
        ? ["--edges=falling", "--bias=pull-up", "--format=%e", line]
        : ["--falling-edge", "--bias=pull-up", "--line-buffered", "--format=%e", ...chip, line];
    const button = new Button();
    const monitor = spawn("gpiomon", args, { stdio: ["ignore", "pipe", "inherit"] });
    button.#monitor = monitor;
    let last = -Infinity;
    createInterface({ input: monitor.stdout }).on("line", () => {
      const now = performance.now();
      if (now - last >= BOUNCE) onPress();
      last = now;
    });
    monitor.on("error", (error) => onLost(new Error(`gpiomon: ${error.message}`)));
    monitor.on("close", (code) => {
      if (button.#monitor !== undefined) onLost(new Error(`gpiomon has ended with ${code}`));
    });
    return button;
  }

  /** Gives the line back. */
  close() {
    const monitor = this.#monitor;
    this.#monitor = undefined;
    monitor?.kill("SIGTERM");
  }
}
