// The power goes, or the link, in the middle of making the account (XEP-0077): there is one account in the end.
import { createServer, connect as connectTcp, type AddressInfo, type Server } from "node:net";
import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemRandom, type RandomSource } from "../../src/core/random.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { Accounts } from "../../src/sandbox/server/accounts.ts";
import { Thing } from "../../src/thing/thing.ts";
import { crashSeed } from "../support/crash-fs.ts";
import { Disk } from "../support/disk.ts";

type Direction = "up" | "down";
interface Cut {
  readonly direction: Direction;
  /** So many bytes that way still arrive. */
  readonly after: number;
}

/** A way to the server that breaks once, at a byte. What has passed by then arrives; nothing goes back any more. */
class BreakingWay {
  /** Where chunks ended on the first connection, in bytes that way. */
  readonly seams: Cut[] = [];
  cut: Cut | undefined;
  broken = false;
  readonly #server: Server;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connectTcp(port, "127.0.0.1");
      for (const [direction, from, to] of [
        ["up", near, far],
        ["down", far, near],
      ] as const) {
        let passed = 0;
        from.setNoDelay(true);
        from.on("error", () => undefined);
        from.on("close", () => to.end());
        from.on("data", (data: Buffer) => {
          const chunk = new Uint8Array(data);
          if (from.destroyed || to.destroyed) return;
          const cut = this.cut?.direction === direction && !this.broken ? this.cut : undefined;
          if (cut !== undefined && passed + chunk.length >= cut.after) {
            this.broken = true;
            to.end(chunk.subarray(0, cut.after - passed));
            from.destroy();
            return;
          }
          passed += chunk.length;
          this.seams.push({ direction, after: passed });
          to.write(chunk);
        });
      }
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `xmpp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
  }
}

// Waits between tries are drawn from six bytes: there are none.
const atOnce: RandomSource = { bytes: (count) => (count === 6 ? new Uint8Array(6) : systemRandom.bytes(count)) };

describe("a registration that is cut in the middle", () => {
  let sandbox: Sandbox;
  const made: string[] = [];

  beforeAll(async () => {
    sandbox = await startSandbox();
  });
  afterAll(() => sandbox.stop());
  beforeEach(() => {
    const register = Object.getOwnPropertyDescriptor(Accounts.prototype, "register")?.value as Accounts["register"];
    vi.spyOn(Accounts.prototype, "register").mockImplementation(function (this: Accounts, username, password) {
      const account = register.call(this, username, password); // throws where none is made
      made.push(username);
      return account;
    });
  });
  afterEach(() => vi.restoreAllMocks());

  const boot = async (storage: ReturnType<Disk["boot"]>["storage"], service: string): Promise<Thing> => {
    const server = { service, domain: sandbox.domain };
    const thing = new Thing({ storage, server, tls: { ca: sandbox.ca }, random: atOnce });
    await thing.start();
    return thing;
  };

  /** A first start over a way that breaks; resolves to it, and to how many accounts there are once the Thing is online. */
  async function firstStart(cut: Cut | undefined, killed: boolean): Promise<{ way: BreakingWay; accounts: number }> {
    made.length = 0;
    const way = new BreakingWay(sandbox.port);
    way.cut = cut;
    const service = await way.listen();
    const disk = new Disk();
    const power = disk.boot();
    let thing = await boot(power.storage, service);
    try {
      if (killed) {
        for (let turn = 0; !way.broken && thing.state.link.is !== "online" && turn < 100_000; turn++)
          await setImmediate();
        // As the power goes: nothing more reaches the disk.
        power.cut();
        await thing.stop();
        thing = await boot(disk.boot().storage, sandbox.service);
      }
      await thing.waitFor("online", { timeout: 15_000 });
      // What the server still has of the first connection it has read by now.
      for (let turn = 0; turn < 5; turn++) await setImmediate();
      return { way, accounts: made.length };
    } finally {
      await thing.stop();
      way.close();
    }
  }

  async function moments(): Promise<Cut[]> {
    const { way, accounts: uncut } = await firstStart(undefined, false);
    expect(uncut).toBe(1);
    const seed = crashSeed();
    const cuts = way.seams.flatMap(({ direction, after }, index) =>
      [after - 1, after, after + 1, after + 2 + ((seed + index * 7919) % 97)].map((at) => ({ direction, after: at })),
    );
    expect(cuts.length).toBeGreaterThan(40);
    return cuts;
  }

  it.each([
    ["and the Thing killed and started again", true],
    ["and the Thing tries again by itself", false],
  ])(
    "at every seam of the way, and beside it, %s, ends in one account",
    async (_what, killed) => {
      const cuts = await moments();
      let broken = 0;
      for (const cut of cuts) {
        const { way, accounts: count } = await firstStart(cut, killed);
        if (way.broken) broken++;
        expect(count, `accounts after a cut ${cut.direction} behind byte ${cut.after} (CRASH_SEED)`).toBe(1);
      }
      expect(broken).toBeGreaterThan(cuts.length / 2);
    },
    120_000,
  );
});
