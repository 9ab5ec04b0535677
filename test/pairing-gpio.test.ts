// examples/pairing-gpio as its user runs it, with stand-ins for the commands of libgpiod in both of their versions.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../src/connection/connect.ts";
import { OwnerClient } from "../src/owner/owner-client.ts";
import { startSandbox, type Sandbox } from "../src/sandbox/sandbox.ts";
import { GpioStandIn } from "./support/gpio-stand-in.ts";

const project = fileURLToPath(new URL("..", import.meta.url));

describe.each(["1.6.3", "2.2"])("the lamp with LED and button, on libgpiod %s", (version) => {
  let sandbox: Sandbox;
  let folder: string;
  let gpio: GpioStandIn;
  let child: ChildProcess;
  let output = "";
  let exit: Promise<number | null>;

  const run = (env: Record<string, string> = {}): void => {
    output = "";
    child = spawn(process.execPath, ["scripts/example.mjs", "pairing-gpio"], {
      cwd: project,
      env: {
        ...process.env,
        PATH: `${gpio.folder}${delimiter}${process.env["PATH"] ?? ""}`,
        THING_SERVICE: sandbox.service,
        THING_DOMAIN: sandbox.domain,
        THING_CA: join(folder, "ca.pem"),
        THING_STATE: join(folder, "state"),
        ...env,
      },
      stdio: "pipe",
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += String(chunk)));
    exit = new Promise((resolve) => child.once("close", (code) => resolve(code)));
  };
  const says = (what: RegExp): Promise<void> =>
    expect.poll(() => output, { interval: 10, timeout: 20_000 }).toMatch(what);
  const shows = (what: string): Promise<void> =>
    expect.poll(() => gpio.led.at(-1), { interval: 5, timeout: 20_000 }).toBe(what);
  const blinks = async (): Promise<void> => {
    if (version.startsWith("2")) return shows("blinking 250ms");
    const before = gpio.led.length;
    await expect.poll(() => gpio.led.slice(before).join(""), { interval: 5, timeout: 20_000 }).toContain("1010");
  };

  beforeEach(async () => {
    sandbox = await startSandbox({ hosting: { provisioning: "account" } });
    folder = mkdtempSync(join(tmpdir(), "xmpp-thing-gpio-"));
    gpio = new GpioStandIn(folder, version);
    writeFileSync(join(folder, "ca.pem"), sandbox.ca);
  });
  afterEach(async () => {
    child.kill("SIGTERM");
    await exit;
    await sandbox.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("blinks while a server asks, trusts it when the button is pressed, and is then switched", async () => {
    run();
    await says(/link online (\S+)/);
    const address = /link online (\S+)/.exec(output)?.[1] ?? "";
    await shows("0");
    await expect.poll(() => [gpio.isHeld(17), gpio.isHeld(27)], { interval: 5, timeout: 20_000 }).toEqual([true, true]);
    gpio.press();
    await says(/button: nobody asks/);

    const answer = sandbox.provisioning.askFriendship(address.split("/")[0] ?? "");
    await says(/pairing provisioning@localhost: press the button within 30 s/);
    await blinks();
    // A press in the first second does not count, and one press counts once, however its contacts bounce.
    await expect
      .poll(
        () => {
          gpio.press();
          return output;
        },
        { interval: 300, timeout: 20_000 },
      )
      .toMatch(/button: yes/);
    expect(await answer).toBe("accepted");
    await says(/pairing provisioning@localhost accepted/);
    await says(/paired provisioning@localhost as server/);
    await shows("1");
    await shows("0"); // it says "done" for three seconds
    expect(output.match(/button: yes/g)).toHaveLength(1);

    const { service, domain, ca } = sandbox;
    const { username, password, jid } = sandbox.addUser("friend");
    sandbox.provisioning.setRules([{ jid, friend: true, control: true }]);
    const connection = await connect({ service, domain, username, password, tls: { ca } });
    try {
      await new OwnerClient(connection).control(address, { LED: true });
    } finally {
      await connection.close();
    }
    await shows("1");
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(gpio.led.at(-1)).toBe("0");
    expect([gpio.isHeld(17), gpio.isHeld(27)]).toEqual([false, false]);
  }, 60_000);

  it("refuses who asks while nobody presses", async () => {
    run({ THING_PAIRING_WINDOW: "2000" });
    await says(/link online (\S+)/);
    const address = /link online (\S+)/.exec(output)?.[1] ?? "";
    const answer = sandbox.provisioning.askFriendship(address.split("/")[0] ?? "");
    await blinks();
    expect(await answer).toBe("refused");
    await says(/pairing provisioning@localhost refused/);
    await shows("0");
  }, 60_000);

  it("ends with 1 when the button can be heard no more, so that it is started again", async () => {
    run();
    await says(/link online/);
    gpio.unplug();
    expect(await exit).toBe(1);
    expect(output).toContain("gpiomon has ended with 1");
    expect(gpio.isHeld(17)).toBe(false);
  }, 60_000);

  it("says what is missing", async () => {
    run({ THING_SERVICE: "" });
    expect(await exit).toBe(1);
    expect(output).toContain("Set THING_SERVICE to the address of the XMPP server");
    run({ THING_LED: "GPIO99" });
    expect(await exit).toBe(1);
    expect(output).toMatch(/GPIO99/);
  }, 60_000);
});
