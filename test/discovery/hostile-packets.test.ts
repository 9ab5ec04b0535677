// A few of the hostile packets that `npm run hostile` (100,000) and `npm run soak` (5,000,000) let loose on the finders, and
// 10,000 on the wire.
import { describe, expect, it } from "vitest";
import { Dice } from "../support/hostile/dice.ts";
import { recordedDhcp } from "../support/hostile-packets/dhcp-subject.ts";
import { recordedDns } from "../support/hostile-packets/dns-subject.ts";
import { mutatePacket } from "../support/hostile-packets/mutate.ts";
import { runPackets } from "../support/hostile-packets/run.ts";
import { one, pretendDhcp, searching, world } from "../support/pretend-dhcp.ts";

const newSeed = (): string => process.env["HOSTILE_SEED"] ?? String(Date.now());

describe("hostile packets", () => {
  it(
    "D-6.8-1: end no process, leave memory flat, and keep the true server from nobody",
    { timeout: 120_000 },
    async () => {
      const seed = newSeed();
      const outcome = await runPackets({ seed, from: 0, to: 4_096 });
      const { packets, found, dropped, heap } = outcome;
      console.log(
        `hostile: ${packets} packets, seed ${seed}, ${dropped} times something dropped, ${found} servers found`,
      );
      // It was no deaf finder that they met, and they were not so hostile that each was refused at its first byte.
      expect(dropped).toBeGreaterThan(1_000);
      expect(found).toBeGreaterThan(8);
      const [early = 0, , end = 0] = heap;
      expect(end - early).toBeLessThan(8_000_000);
    },
  );

  it("D-6.8-1: keep a search that runs from nothing, 10,000 on the wire", { timeout: 120_000 }, async () => {
    const seed = newSeed();
    const server = await pretendDhcp();
    const liars = await Promise.all([pretendDhcp("127.0.0.21"), pretendDhcp("127.0.0.22")]);
    const recorded = recordedDhcp();
    let sent = 0;
    server.onInform = (inform) => {
      if (sent === 10_000) server.say(inform, { hardware: "02:00:00:00:00:07", options: [[84, "true.example"]] });
      if (server.informs.length > 1) return;
      void (async () => {
        for (let index = 0; index < 10_000; index++) {
          const packet = mutatePacket("dhcp", recorded, new Dice(seed, index)).slice(0, 9_000);
          // They have heard the question, as everybody on the network has.
          if (index % 2 === 0 && packet.length >= 8) new DataView(packet.buffer).setUint32(4, inform.xid);
          await liars[index % 2]?.send(inform, packet);
          // The finder is in this process: it has to have its turn, or the system throws away what waits for it.
          if (++sent % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      })();
    };
    const interfaces = { eth0: [one("127.0.0.1", "02:00:00:00:00:07")] };
    const search = searching(world(server, { interfaces: () => interfaces }));
    try {
      const busy = (): boolean => server.informs.length > 0 && sent < 10_000;
      await search.until(() => search.found.some(({ domain }) => domain === "true.example"), busy);
      expect(sent).toBe(10_000);
      // The system may lose some of so many; most came.
      const counted = [...search.dropped.values()].reduce((sum, count) => sum + count, 0);
      console.log(`hostile: 10,000 packets on the wire, seed ${seed}, ${counted} times something dropped`);
      expect(counted).toBeGreaterThan(5_000);
      expect(search.found.length).toBeLessThanOrEqual(13);
    } finally {
      search.stop();
      for (const each of [server, ...liars]) each.close();
    }
  });

  it("are the same for the same seed and number, and others for others", () => {
    for (const [kind, recorded] of [["dhcp", recordedDhcp()] as const, ["dns", recordedDns()] as const]) {
      const made = (seed: string, index: number): string =>
        mutatePacket(kind, recorded, new Dice(seed, index)).join(" ");
      expect(made("s", 7)).toBe(made("s", 7));
      expect(new Set(Array.from({ length: 50 }, (_, index) => made("s", index))).size).toBeGreaterThan(40);
    }
  });
});
