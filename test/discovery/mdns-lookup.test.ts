import { afterEach, describe, expect, it, vi } from "vitest";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { lookupLocal } from "../../src/discovery/mdns-lookup.ts";
import { machine } from "../../src/discovery/mdns-sockets.ts";
import {
  freePort,
  heardByAll,
  LOOPBACK,
  startResponder,
  testSearch,
  type Responder,
  type Says,
} from "../support/mdns-loopback.ts";

const responders: Responder[] = [];
afterEach(async () => {
  await Promise.all(responders.splice(0).map((responder) => responder.close()));
});

async function network(
  says?: Says,
): Promise<{ settings: { interfaces: string[]; port: number }; responder: Responder }> {
  const port = await freePort();
  const responder = await startResponder(port, says);
  responders.push(responder);
  return { settings: { interfaces: [LOOPBACK], port }, responder };
}

const a = (name: string, data: string) => ({ type: "A", name, data, ttl: 120, class: "IN" }) as const;
const aaaa = (name: string, data: string) => ({ type: "AAAA", name, data, ttl: 120, class: "IN" }) as const;

describe("looking up a host in .local", () => {
  it("gives the addresses that it answers with, IPv4 first, a link-local one with its interface", async () => {
    const { settings, responder } = await network((question) => {
      if (question === "AAAA pronto.local")
        return { answers: [aaaa("pronto.local", "fe80::1"), aaaa("pronto.local", "fd00::1")] };
      return question === "A pronto.local" ? { answers: [a("PRONTO.local", "127.0.0.9")] } : undefined;
    });
    const search = testSearch();
    expect(await lookupLocal("Pronto.local.", search, settings)).toEqual(["127.0.0.9", "fe80::1%lo", "fd00::1"]);
    expect(responder.asked).toContain("A pronto.local");
    expect(search.dropped).toEqual(new Map());
  });

  it("gives none when nobody answers, after it has asked three times", async () => {
    const { settings, responder } = await network(() => ({ answers: [a("other.local", "127.0.0.9")] }));
    const clock = new SimulatedClock();
    const looking = lookupLocal("pronto.local", testSearch({ clock }), settings);
    for (const times of [1, 2, 3]) {
      await vi.waitFor(() =>
        expect(responder.asked.filter((asked) => asked === "A pronto.local")).toHaveLength(2 * times),
      );
      await clock.advance(times * 1_000);
    }
    expect(await looking).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("lets nobody crowd out the true one", async () => {
    const { settings } = await network((question) => {
      if (question !== "A pronto.local") return undefined;
      return { answers: Array.from({ length: 100 }, (_, i) => a("pronto.local", `10.0.0.${i + 1}`)) };
    });
    const search = testSearch();
    expect(await lookupLocal("pronto.local", search, settings)).toEqual([
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.4",
    ]);
  });

  it("draws lots among many who answer: ten liars who are first are not all that is heard", async () => {
    const { settings, responder } = await network(() => undefined);
    const lies = (index: number) => Array.from({ length: 4 }, (_, i) => a("pronto.local", `10.0.${index}.${i + 1}`));
    const liars = await Promise.all(
      Array.from({ length: 10 }, (_, index) => startResponder(settings.port, undefined, `127.0.0.${60 + index}`)),
    );
    const answered = async (seed: string): Promise<readonly string[]> => {
      responder.asked.length = 0;
      const clock = new SimulatedClock();
      const looking = lookupLocal("pronto.local", testSearch({ clock, random: new SeededRandom(seed) }), settings);
      await vi.waitFor(() => expect(responder.asked).toContain("A pronto.local"));
      for (const [index, liar] of liars.entries()) await liar.say(lies(index));
      await responder.say([aaaa("pronto.local", "fd00::1")]);
      await heardByAll(settings.port);
      await clock.advance(4_000);
      return looking;
    };
    try {
      let heard = 0;
      for (let i = 0; i < 12; i++) {
        const addresses = await answered(`lots ${i}`);
        expect(addresses.length).toBeLessThanOrEqual(8);
        if (addresses.includes("fd00::1")) heard++;
      }
      expect(heard).toBeGreaterThan(3); // of twelve, with eight of eleven lots
    } finally {
      await Promise.all(liars.map((liar) => liar.close()));
    }
  });

  it.each(["pronto.example", "local", "a..local", `${"x".repeat(64)}.local`, "a b.local", "10.0.0.1"])(
    "asks nobody for %j",
    async (host) => {
      const noSocket = (): never => {
        throw new Error("a socket was made");
      };
      const world = { ...machine, socket: noSocket };
      expect(await lookupLocal(host, testSearch(), { interfaces: [LOOPBACK], port: 1 }, world)).toEqual([]);
    },
  );

  it("gives none where there is no such interface, or nobody can be asked", async () => {
    expect(await lookupLocal("a.local", testSearch(), { interfaces: ["nothing0"], port: 1 })).toEqual([]);
  });

  it("ends with the signal's reason", async () => {
    const { settings } = await network();
    const search = testSearch();
    const looking = lookupLocal("pronto.local", search, settings);
    search.stop(new Error("enough"));
    await expect(looking).rejects.toThrow("enough");
    await expect(lookupLocal("pronto.local", search, settings)).rejects.toThrow("enough");
  });
});
