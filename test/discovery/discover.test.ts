import { describe, expect, it } from "vitest";
import { discover, type DiscoverOptions, type Finder, type ServerCandidate } from "../../src/discovery/index.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const one: Finder = {
  name: "one",
  async *find({ drop }) {
    drop("malformed");
    yield await Promise.resolve({ host: "a.example", port: 5222, domain: "a.example", heard: "said so" });
  },
};

async function found(options: DiscoverOptions): Promise<readonly ServerCandidate[]> {
  const candidates: ServerCandidate[] = [];
  for await (const candidate of discover(options)) candidates.push(candidate);
  return candidates;
}

describe("discover", () => {
  it("D-3.3.3-1: asks finders of the program's own, and tells what they drop", async () => {
    const dropped: string[] = [];
    const onDropped = (finder: string, why: string): void => void dropped.push(`${finder}: ${why}`);
    const [candidate] = await found({ ...quiet, finders: [one], onDropped });
    expect(candidate).toMatchObject({ domain: "a.example", finder: "one", rank: 20 });
    expect(dropped).toEqual(["one: malformed"]);
  });

  it("asks for the servers of the domain that is given, and takes no other", async () => {
    const candidates = await found({ ...quiet, domain: "127.0.0.1", finders: [one] });
    expect(candidates.map(({ finder, host, port, rank }) => [finder, host, port, rank])).toEqual([
      ["configured", "127.0.0.1", 5222, 0],
      ["configured", "127.0.0.1", 5223, 0],
    ]);
  });

  it("leaves names in .local to the system where multicast DNS is switched off", async () => {
    const candidates = await found({ ...quiet, domain: "pronto.local" });
    expect(candidates.map(({ host, port }) => [host, port])).toEqual([
      ["pronto.local", 5222],
      ["pronto.local", 5223],
    ]);
  });

  it("says of an interface that there is not that nobody can be asked there", async () => {
    const interfaces = ["nowhere0"];
    const nothing = found({ dhcp: { interfaces, lease: false }, mdns: { interfaces } });
    await expect(nothing).rejects.toMatchObject({
      tried: [
        { finder: "mdns", why: expect.stringContaining("nowhere0") as string },
        { finder: "dhcp", why: expect.stringContaining("nowhere0") as string },
      ],
    });
    const named = await found({ dhcp: false, mdns: { interfaces }, domain: "pronto.local" });
    expect(named.map(({ finder, host }) => `${finder} ${host}`)).toEqual([
      "configured pronto.local",
      "configured pronto.local",
    ]);
  });

  it("ends at the timeout, and with the signal", async () => {
    const clock = new SimulatedClock();
    const silent: Finder = { name: "silent", find: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }) };
    const nothing = found({ ...quiet, finders: [silent], timeout: 700, clock });
    const failed = expect(nothing).rejects.toMatchObject({
      code: "ERR_DISCOVERY",
      tried: [{ finder: "silent", why: "heard nothing within 700 ms" }],
    });
    await clock.advance(700);
    await failed;
    const reason = new Error("enough");
    await expect(found({ ...quiet, finders: [silent], signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  const wrong: readonly (readonly [unknown, string])[] = [
    [{ timeout: 0 }, "timeout: must be a whole number of milliseconds from 1 to 600000"],
    [{ timeout: 600_001 }, "timeout: "],
    [{ timeout: 1.5 }, "timeout: "],
    [{ finders: "mdns" }, "finders: must be a list of finders"],
    [{ finders: [{ name: "one" }] }, "finders: must be a list of finders"],
    [{ finders: [{ name: "", find: () => undefined }] }, "finders: must be a list of finders"],
    [{ finders: [null] }, "finders: must be a list of finders"],
    [{ domain: "user@example.org" }, 'domain: "user@example.org" is not an XMPP domain'],
    [{ domain: "" }, 'domain: "" is not an XMPP domain'],
    [{ domain: "a!b" }, 'domain: "a!b" is not an XMPP domain'],
    [{ domain: 7 }, "domain: 7 is not an XMPP domain"],
    [{ finder: [] }, 'there is no option "finder"'],
  ];
  it.each(wrong)("refuses %j", async (options, message) => {
    await expect(found(options as DiscoverOptions)).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(message) as string,
    });
  });
});

/** Nothing leaves the machine: every way to search that would is switched off. */
const quiet: DiscoverOptions = { dhcp: false, mdns: false };

const never = (): Promise<never> => new Promise(() => undefined);
