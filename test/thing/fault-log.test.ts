import { afterEach, describe, expect, it } from "vitest";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { FaultLog } from "../../src/thing/fault-log.ts";
import type { Fault } from "../../src/thing/faults.ts";
import { LastFault, faultDocument, type SavedFault } from "../../src/thing/last-fault.ts";
import { encodeDocument } from "../../src/storage/document-file.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { FailingStorage, failingStorage } from "../support/failing-storage.ts";
import { listeningLogger, settled } from "../support/scripted-wire.ts";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

const kept = async (storage: Storage): Promise<SavedFault | undefined> => (await faultDocument(storage).load()).value;

describe("the faults of a Thing", () => {
  async function start(storage: FailingStorage) {
    const clock = new SimulatedClock({ now: START });
    const logger = listeningLogger();
    const last = new LastFault({ storage, clock, logger });
    const faults: Fault[] = [];
    const healed: string[] = [];
    const log = new FaultLog({
      ...{ clock, logger, last },
      onFault: (fault) => void faults.push(fault),
      onHealed: (code) => void healed.push(code),
    });
    await last.load();
    return { clock, logger, last, faults, healed, log };
  }
  let ending: LastFault | undefined;
  afterEach(() => ending?.stop());

  it("are told and logged at once, then folded alike in both", async () => {
    const { clock, log, faults, logger, last } = await start(await failingStorage());
    ending = last;
    const cause = new Error("why");
    for (let second = 0; second < 60; second++) {
      log.tell("registry", `no answer within ${second} ms`, cause);
      await clock.advance(1_000);
    }
    expect(faults).toEqual([{ code: "registry", message: "no answer within 0 ms", repeated: 0, cause }]);
    log.tell("registry", "no answer within 60 ms");
    expect(faults.at(-1)).toEqual({ code: "registry", message: "no answer within 60 ms", repeated: 60 });
    log.tell("registry", "refused"); // another message is another fault
    expect(faults).toHaveLength(3);
    expect(logger.lines).toEqual([
      'warn: no answer within 0 ms {"fault":"registry"}',
      'warn: no answer within 60 ms (again, 60 times in 1 min) {"fault":"registry"}',
      'warn: refused {"fault":"registry"}',
    ]);
  });

  it("are over when what they were about works: said once, and the next one is new", async () => {
    const { log, faults, healed, logger } = await start(await failingStorage());
    log.heal("registry", "authentication");
    expect(healed).toEqual([]);
    log.tell("registry", "no answer");
    log.heal("registry", "authentication");
    log.heal("registry");
    expect(healed).toEqual(["registry"]);
    expect(logger.lines.at(-1)).toBe('info: well again {"fault":"registry"}');
    log.tell("registry", "no answer");
    expect(faults.map(({ repeated }) => repeated)).toEqual([0, 0]);
  });

  it("leave the newest on disk, and a repeat writes nothing", async () => {
    const storage = await failingStorage();
    const { clock, log, last } = await start(storage);
    log.tell("registry", "no answer");
    await settled();
    expect(await kept(storage)).toEqual({ code: "registry", message: "no answer", at: START, times: 1, healed: false });
    const writes = storage.done.length;
    for (let hour = 0; hour < 48; hour++) {
      await clock.advance(60 * MINUTE);
      log.tell("registry", "no answer");
    }
    expect(storage.done).toHaveLength(writes);
    await last.stop();
    expect(await kept(storage)).toMatchObject({ times: 49, at: START + 48 * 60 * MINUTE });
    log.tell("sensor", "after the end");
    await settled();
    expect(await kept(storage)).toMatchObject({ code: "registry" });
  });

  it("write at most once in ten minutes, however they alternate", async () => {
    const storage = await failingStorage();
    const { clock, log, last } = await start(storage);
    const replaced = (): number => storage.done.filter((one) => one === "replace faults").length;
    for (let minute = 0; minute < 60; minute++) {
      log.tell(minute % 2 === 0 ? "registry" : "sensor", "trouble");
      log.heal("registry");
      await clock.advance(MINUTE);
    }
    expect(replaced()).toBeLessThanOrEqual(7);
    expect(replaced()).toBeGreaterThanOrEqual(6);
    expect(await kept(storage)).toMatchObject({ code: "sensor", healed: false });
    await last.stop();
    expect(clock.pending).toBe(0);
  });

  it("that have healed are kept as such, also over a restart", async () => {
    const storage = await failingStorage();
    const first = await start(storage);
    first.log.tell("authentication", "refused");
    first.log.tell("authentication", "refused");
    await first.last.stop();
    const second = await start(storage);
    second.log.tell("authentication", "refused");
    second.log.heal("authentication");
    await second.last.stop();
    expect(await kept(storage)).toMatchObject({ code: "authentication", times: 3, healed: true });
    const third = await start(storage);
    third.log.tell("authentication", "refused");
    await third.last.stop();
    expect(await kept(storage)).toMatchObject({ code: "authentication", times: 1, healed: false });
  });

  it("have bounded words on disk", async () => {
    const storage = await failingStorage();
    const { log, last } = await start(storage);
    log.tell("handler-failed", "x".repeat(100_000));
    await last.stop();
    expect((await kept(storage))?.message).toHaveLength(500);
  });

  it("are told all the same when the disk takes nothing", async () => {
    const storage = await failingStorage();
    storage.failing.add("replace");
    const { log, faults, logger, last } = await start(storage);
    log.tell("registry", "no answer");
    await last.stop();
    expect(faults).toHaveLength(1);
    expect(logger.lines.at(-1)).toMatch(/^debug: the last fault could not be kept .*the disk is full/);
    storage.failing.clear();
    expect(await kept(storage)).toBeUndefined();
  });

  it.each([
    ["damaged", new Uint8Array(3)],
    ["of a newer library", encodeDocument("faults", 2, {})],
    ["no fault", encodeDocument("faults", 1, { code: "x" })],
    ["half a fault", encodeDocument("faults", 1, { code: "x", message: "y", at: 1, times: "many", healed: false })],
    ["nothing", encodeDocument("faults", 1, null)],
  ])("leave what is %s on disk as it is, and are told all the same", async (_, content) => {
    const storage = await failingStorage();
    await storage.replace("faults", content);
    const { log, faults, last } = await start(storage);
    log.tell("registry", "no answer");
    await last.stop();
    expect(faults).toHaveLength(1);
    expect(await storage.read("faults")).toEqual(content);
  });

  it("before the storage is open are kept once it is", async () => {
    const storage = memoryStorage();
    const clock = new SimulatedClock();
    const last = new LastFault({ storage, clock, logger: silentLogger });
    last.note("identity-restored", "damaged");
    await last.stop();
    await storage.open();
    expect(await kept(storage)).toBeUndefined();
  });
});
