import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SerialQueue } from "../../src/core/serial-queue.ts";

describe("SerialQueue", () => {
  it("runs one job at a time, in the order given, whatever the jobs do", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ ticks: fc.nat(4), fails: fc.boolean() })), async (jobs) => {
        const queue = new SerialQueue();
        const log: string[] = [];
        const results = jobs.map(({ ticks, fails }, index) =>
          queue.run(async () => {
            log.push(`${index} begins`);
            for (let n = 0; n < ticks; n++) await Promise.resolve();
            log.push(`${index} ends`);
            if (fails) throw new Error(`${index}`);
            return index;
          }),
        );
        const outcomes = await Promise.allSettled(results);
        expect(log).toEqual(jobs.flatMap((_, index) => [`${index} begins`, `${index} ends`]));
        jobs.forEach(({ fails }, index) => {
          expect(outcomes[index]).toMatchObject(
            fails ? { status: "rejected", reason: { message: `${index}` } } : { status: "fulfilled", value: index },
          );
        });
      }),
    );
  });

  it("does not begin a job in the call that queues it", async () => {
    const queue = new SerialQueue();
    let begun = false;
    const job = queue.run(() => (begun = true));
    expect(begun).toBe(false);
    await job;
    expect(begun).toBe(true);
  });

  it("takes jobs that do not wait, and jobs that throw at once", async () => {
    const queue = new SerialQueue();
    const thrower = queue.run((): number => {
      throw new Error("at once");
    });
    await expect(thrower).rejects.toThrow("at once");
    await expect(queue.run(() => 2)).resolves.toBe(2);
  });

  it("is idle when everything queued so far has ended, also what failed", async () => {
    const queue = new SerialQueue();
    await queue.idle();
    let ended = 0;
    queue.run(() => Promise.reject(new Error("lost"))).catch(() => ended++);
    void queue.run(() => ended++);
    await queue.idle();
    await Promise.resolve();
    expect(ended).toBe(2);
  });
});
