import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiscoveryError, TimeoutError } from "../../src/core/errors.ts";
import { silentLogger, type Logger } from "../../src/core/logger.ts";
import type { FoundServer, ServerCandidate } from "../../src/discovery/candidate.ts";
import type { Finder, Search } from "../../src/discovery/finder.ts";
import { NothingFoundError, search, type SearchOptions } from "../../src/discovery/search.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const TIMEOUT = 10_000;

const server = (domain: string, more: Partial<FoundServer> = {}): FoundServer => {
  return { host: domain, port: 5222, domain, heard: "said so", ...more };
};

/** A finder that says something, at once. */
function saying(name: string, ...found: readonly unknown[]): Finder {
  return {
    name,
    async *find() {
      for (const one of found) yield await Promise.resolve(one as FoundServer);
    },
  };
}

/** Until the signal fires. */
function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A finder that says something and listens until it is told to stop; remembers whether it closed. */
class Listening implements Finder {
  closed = false;

  constructor(
    readonly name: string,
    readonly found: readonly FoundServer[] = [],
  ) {}

  async *find({ signal }: Search): AsyncGenerator<FoundServer, void> {
    try {
      yield* this.found;
      await ended(signal);
    } finally {
      this.closed = true;
    }
  }
}

/** A finder that listens to nobody, also not to the signal; a test tells it what to hear. */
class Deaf implements Finder {
  readonly name = "deaf";
  closed = false;
  #hear: (server: FoundServer) => void = () => undefined;

  hear(found: FoundServer): void {
    this.#hear(found);
  }

  async *find(): AsyncGenerator<FoundServer, void> {
    try {
      for (;;) yield await new Promise<FoundServer>((resolve) => (this.#hear = resolve));
    } finally {
      this.closed = true;
    }
  }
}

interface Heard {
  readonly found: readonly ServerCandidate[];
  readonly error: unknown;
}

function setUp(finders: readonly Finder[], more: Partial<SearchOptions> = {}) {
  const clock = new SimulatedClock();
  const dropped: string[] = [];
  const options: SearchOptions = {
    finders,
    timeout: TIMEOUT,
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
    onDropped: (finder, why) => void dropped.push(`${finder}: ${why}`),
    ...more,
  };
  const all = async (): Promise<Heard> => {
    const found: ServerCandidate[] = [];
    try {
      for await (const candidate of search(options)) found.push(candidate);
    } catch (error) {
      return { found, error };
    }
    return { found, error: undefined };
  };
  return { clock, dropped, options, all };
}

const domains = ({ found }: Heard): readonly string[] => found.map(({ domain }) => domain);

describe("a search", () => {
  it("D-3.3-1, D-3.3-2: hears every finder at once, and ends when all have", async () => {
    const { all, clock } = setUp([saying("one", server("a.example")), saying("two", server("b.example"))]);
    const { found, error } = await all();
    expect(error).toBeUndefined();
    expect(found.map(({ domain, finder }) => [domain, finder])).toEqual([
      ["a.example", "one"],
      ["b.example", "two"],
    ]);
    expect(clock.pending).toBe(0);
  });

  it("completes what a finder leaves out, and takes what it says of itself", async () => {
    const ranked: Finder = {
      ...saying("dhcp", server("b.example", { rank: 50, preference: 3, directTls: true })),
      rank: 40,
    };
    const { found } = await setUp([saying("own", server("a.example")), ranked]).all();
    expect(found).toEqual([
      {
        host: "a.example",
        port: 5222,
        directTls: false,
        domain: "a.example",
        preference: 0,
        rank: 20,
        registries: [],
        provisioning: [],
        heard: "said so",
        finder: "own",
      },
      expect.objectContaining({ domain: "b.example", rank: 50, preference: 3, directTls: true, finder: "dhcp" }),
    ]);
    const byFinder: Finder = { ...saying("mdns", server("c.example")), rank: 30 };
    expect((await setUp([byFinder]).all()).found[0]?.rank).toBe(30);
  });

  it("yields a server when it is heard, not when the search ends", async () => {
    const deaf = new Deaf();
    const { clock, options } = setUp([deaf]);
    const candidates = search(options);
    const first = candidates.next();
    await clock.advance(3_000);
    deaf.hear(server("a.example"));
    expect((await first).value).toMatchObject({ domain: "a.example" });
    expect(clock.monotonic()).toBe(3_000);
    await candidates.return();
  });

  it("D-3.4-1: gives each way to a server once for each finder that has heard of it, so that the best may be chosen", async () => {
    const twice = [
      server("a.example"),
      server("A.example.", { heard: "again" }),
      server("a.example", { directTls: true }),
    ];
    const { found } = await setUp([saying("one", ...twice), saying("two", server("a.example"))]).all();
    expect(found.map(({ finder, directTls }) => `${finder} ${directTls}`).sort()).toEqual([
      "one false",
      "one true",
      "two false",
    ]);
  });

  it("ends at its deadline, tells the finders, and takes nothing that comes later", async () => {
    const listening = new Listening("listening", [server("a.example")]);
    const deaf = new Deaf();
    const { all, clock } = setUp([listening, deaf]);
    const heard = all();
    await clock.advance(TIMEOUT);
    expect(domains(await heard)).toEqual(["a.example"]);
    await clock.advance(0);
    expect(listening.closed).toBe(true);
    expect(deaf.closed).toBe(false);
    deaf.hear(server("late.example"));
    await clock.advance(0);
    expect(deaf.closed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("is not kept from anything by a finder that throws, at once or later", async () => {
    const broken: Finder = {
      name: "broken",
      find: () => {
        throw new Error("no such device");
      },
    };
    const later: Finder = {
      name: "later",
      async *find() {
        yield await Promise.resolve(server("b.example"));
        throw new Error("the device is gone");
      },
    };
    const warned: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (message, fields) => void warned.push({ message, ...fields }) };
    const heard = await setUp([broken, later, saying("good", server("a.example"))], { logger }).all();
    expect(heard.error).toBeUndefined();
    expect([...domains(heard)].sort()).toEqual(["a.example", "b.example"]);
    expect(warned).toEqual([{ message: "a finder failed", finder: "later", why: "the device is gone" }]);
  });

  it("ends with one error that says of every finder why it found nothing", async () => {
    const ownTimeout: Finder = {
      name: "dns",
      find: () => ({
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new TimeoutError("DNS is silent")) }),
      }),
    };
    const { all, clock } = setUp([saying("empty"), ownTimeout, new Listening("mdns"), saying("odd", { host: 7 })]);
    const heard = all();
    await clock.advance(TIMEOUT);
    const { error } = await heard;
    expect(error).toBeInstanceOf(NothingFoundError);
    expect(error).toBeInstanceOf(DiscoveryError);
    expect(error).toMatchObject({
      code: "ERR_DISCOVERY",
      tried: [
        { finder: "empty", why: "found nothing" },
        { finder: "dns", why: "DNS is silent" },
        { finder: "mdns", why: "heard nothing within 10000 ms" },
        { finder: "odd", why: "found nothing that can be used: host must be the name or the address of a host" },
      ],
      message:
        "no XMPP server was found (empty: found nothing; dns: DNS is silent; mdns: heard nothing within 10000 ms; " +
        "odd: found nothing that can be used: host must be the name or the address of a host)",
    });
  });

  it.each([
    [7, "a server must be an object"],
    [{ ...server("a.example"), host: "a b" }, "host must be the name or the address of a host"],
    [{ ...server("a.example"), port: "5222" }, "port must be a whole number from 1 to 65535"],
    [{ ...server("a.example"), domain: "anna@a.example" }, "domain must be an XMPP domain"],
    [{ ...server("a.example"), directTls: "yes" }, "directTls must be true or false"],
  ])("says of a finder that yields %o what is wrong first", async (found, why) => {
    const { error } = await setUp([saying("mine", found, { host: 1 })]).all();
    expect(error).toMatchObject({ tried: [{ finder: "mine", why: `found nothing that can be used: ${why}` }] });
  });

  it("without a finder says that none is switched on", async () => {
    const { error } = await setUp([]).all();
    expect(error).toMatchObject({ message: "no XMPP server was found (no way to search is switched on)" });
  });

  it("keeps the words of a finder that fails to a length that a person reads", async () => {
    const wordy: Finder = {
      name: "wordy",
      find: () => {
        throw new Error("x".repeat(100_000));
      },
    };
    const { error } = await setUp([wordy]).all();
    expect((error as Error).message.length).toBeLessThan(500);
  });

  it("D-3.1-1, D-3.1-2: for one domain takes no server of another, however trusted, and says so when there is nothing else", async () => {
    const finders = [saying("one", server("mallory.example", { rank: 0 }), server("b.example"))];
    const good = saying("two", server("Example.org", { host: "somewhere.else" }));
    expect(domains(await setUp([...finders, good], { domain: "example.org" }).all())).toEqual(["example.org"]);
    const { error } = await setUp(finders, { domain: "example.org" }).all();
    expect(error).toMatchObject({
      tried: [{ finder: "one", why: "heard only of other domains than example.org: mallory.example, b.example" }],
    });
  });
});

describe("a finder that floods", () => {
  it("gives 64 servers, and no more; it is closed, and that is counted", async () => {
    let closed = false;
    const flooding: Finder = {
      name: "flooding",
      async *find() {
        try {
          for (let index = 0; ; index++) yield await Promise.resolve(server(`h${index}.example`));
        } finally {
          closed = true;
        }
      },
    };
    const { all, dropped } = setUp([flooding, saying("good", server("a.example"))]);
    const heard = await all();
    expect(heard.found).toHaveLength(65);
    expect(domains(heard)).toContain("a.example");
    expect([closed, dropped]).toEqual([true, ["flooding: too many servers"]]);
  });

  it("with 64 servers and the same again has given all there is", async () => {
    const all64 = Array.from({ length: 64 }, (_, index) => server(`h${index}.example`));
    const { all, dropped } = setUp([saying("big", ...all64, ...all64)]);
    expect((await all()).found).toHaveLength(64);
    expect(dropped).toEqual([]);
  });

  it.each([
    ["the same server", server("a.example")],
    ["servers of other domains", server("b.example")],
    ["what is no server", null],
  ])("with %s, for ever and without a pause, holds nobody up", async (_what, found) => {
    const endless: Finder = {
      name: "endless",
      async *find() {
        for (;;) yield await Promise.resolve(found as FoundServer);
      },
    };
    const { all, dropped } = setUp([endless, saying("good", server("a.example"))], { domain: "a.example" });
    const heard = await all();
    expect(heard.found.some(({ finder }) => finder === "good")).toBe(true);
    expect(dropped.at(-1)).toBe("endless: too many servers");
  });
});

describe("what a finder yields", () => {
  const odd: readonly (readonly [string, unknown])[] = [
    ["nothing", undefined],
    ["null", null],
    ["a text", "example.org"],
    ["no host", { ...server("a.example"), host: undefined }],
    ["a host with blanks", server("a.example", { host: "a b" })],
    ["a host with a line break", server("a.example", { host: "a.example\nb" })],
    ["a host that is too long", server("a.example", { host: `${"a".repeat(60)}.`.repeat(5) })],
    ["an address in the form of a name", server("a.example", { host: "0x7f000001" })],
    ["no domain", { ...server("a.example"), domain: undefined }],
    ["an empty domain", server("a.example", { domain: "" })],
    ["an account in the place of a domain", server("a.example", { domain: "user@a.example" })],
    ["a domain with a resource", server("a.example", { domain: "a.example/x" })],
    ["no port", { ...server("a.example"), port: undefined }],
    ["the port 0", server("a.example", { port: 0 })],
    ["the port 65536", server("a.example", { port: 65_536 })],
    ["half a port", server("a.example", { port: 5222.5 })],
    ["a port in words", { ...server("a.example"), port: "5222" }],
    [
      "a domain in wide letters, which a certificate proves as the plain one",
      server("a.example", { domain: "\uff54rue.example" }),
    ],
    ["a domain with other dots", server("a.example", { domain: "true\u3002example" })],
    ["a domain with signs that nobody sees", server("a.example", { domain: "tr\u200bue.example" })],
    ["perhaps TLS", { ...server("a.example"), directTls: "yes" }],
  ];

  it.each(odd)("D-6.8-1: is passed over and counted if it is %s", async (_what, found) => {
    const { all, dropped } = setUp([saying("odd", found, server("good.example"))]);
    expect(domains(await all())).toEqual(["good.example"]);
    expect(dropped).toEqual(["odd: malformed"]);
  });

  it.each(["b\u00fccher.example", "xn--bcher-kva.example", "b\u00fccher_x.example", "192.0.2.1", "2001:db8::1"])(
    "is a server if its domain is %s",
    async (domain) => {
      expect((await setUp([saying("one", server("a.example", { domain }))]).all()).found).toMatchObject([{ domain }]);
    },
  );

  it("is taken without those hints, numbers and words that are none", async () => {
    const many = Array.from({ length: 200 }, (_, index) => `registry${index}@a.example`);
    const found = {
      ...server("a.example"),
      rank: Number.NaN,
      preference: "first",
      registries: [
        "Registry@A.example",
        "registry@a.example",
        "",
        7,
        "a@b@c",
        "x@a.example/resource",
        "discovery.a.example",
      ],
      provisioning: many,
      heard: { toString: () => "no text" },
    };
    const [candidate] = (await setUp([saying("odd", found)]).all()).found;
    expect(candidate).toMatchObject({ rank: 20, preference: 0, heard: "" });
    expect(candidate?.registries).toEqual(["registry@a.example", "discovery.a.example"]);
    expect(candidate?.provisioning).toEqual(many.slice(0, 16));
    const wordy = { ...server("a.example"), heard: "x".repeat(10_000), registries: "none" };
    const [second] = (await setUp([saying("odd", wordy)]).all()).found;
    expect([second?.heard.length, second?.registries]).toEqual([300, []]);
  });

  it("may be anything at all: what comes out is a server (property)", async () => {
    const garbage = fc.oneof(
      fc.anything(),
      fc.record({
        host: fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.domain(), fc.anything()),
        port: fc.oneof(fc.integer({ min: -1, max: 70_000 }), fc.anything()),
        domain: fc.oneof(fc.string(), fc.domain(), fc.anything()),
        directTls: fc.oneof(fc.boolean(), fc.anything()),
        registries: fc.anything(),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(garbage, { maxLength: 20 }), async (found) => {
        const heard = await setUp([saying("odd", ...found)]).all();
        for (const { host, port, domain, directTls, registries } of heard.found) {
          expect(host).toMatch(/^[\w.:%-]+$/);
          expect(port > 0 && port < 65_536 && Number.isInteger(port)).toBe(true);
          expect(domain).not.toMatch(/[@/\s]/);
          expect([typeof directTls, Array.isArray(registries)]).toEqual(["boolean", true]);
        }
        if (heard.found.length === 0) expect(heard.error).toBeInstanceOf(NothingFoundError);
      }),
    );
  });
});

describe("what finders drop", () => {
  const dropping = (why: unknown): Finder => ({
    name: "dropping",
    async *find({ drop }) {
      drop(why as string);
      yield await Promise.resolve(server("a.example"));
    },
  });

  it("is told with the finder's name, in words that are short", async () => {
    const { all, dropped } = setUp([dropping("x".repeat(10_000))]);
    await all();
    expect(dropped).toEqual([`dropping: ${"x".repeat(300)}`]);
  });

  it("is told to somebody who may throw, and needs nobody who listens", async () => {
    const logged: string[] = [];
    const logger: Logger = { ...silentLogger, error: (message) => void logged.push(message) };
    const onDropped = (): never => {
      throw new Error("a slip of the pen");
    };
    expect(domains(await setUp([dropping("malformed")], { onDropped, logger }).all())).toEqual(["a.example"]);
    expect(logged).toEqual(["onDropped threw"]);
    expect(domains(await setUp([dropping("malformed")], { onDropped: undefined }).all())).toEqual(["a.example"]);
  });
});

describe("the end of a search by the program", () => {
  it("throws the reason of the signal, and closes every finder", async () => {
    const finders = [new Listening("one", [server("a.example")]), new Listening("two")];
    const controller = new AbortController();
    const { options, clock } = setUp(finders, { signal: controller.signal });
    const candidates = search(options);
    expect((await candidates.next()).value).toMatchObject({ domain: "a.example" });
    const next = candidates.next();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(next).rejects.toBe(reason);
    await clock.advance(0);
    expect(finders.map(({ closed }) => closed)).toEqual([true, true]);
    expect(clock.pending).toBe(0);
  });

  it("before it begins asks no finder", async () => {
    const reason = new Error("enough");
    let asked = false;
    const finder: Finder = {
      name: "one",
      find: () => {
        asked = true;
        return saying("").find({} as Search);
      },
    };
    expect((await setUp([finder], { signal: AbortSignal.abort(reason) }).all()).error).toBe(reason);
    expect(asked).toBe(false);
  });

  it("by leaving the loop closes every finder, also those that said nothing yet", async () => {
    const finders = [new Listening("one", [server("a.example")]), new Listening("two")];
    const { options, clock } = setUp(finders);
    for await (const candidate of search(options)) {
      expect(candidate.domain).toBe("a.example");
      break;
    }
    await clock.advance(0);
    expect(finders.map(({ closed }) => closed)).toEqual([true, true]);
    expect(clock.pending).toBe(0);
  });

  it("leaves no listener behind on the program's signal", async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>): void => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
      listeners--;
      remove(...args);
    };
    await setUp([saying("one", server("a.example"))], { signal }).all();
    expect(listeners).toBe(0);
  });
});
