import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { discoverWith } from "../../src/cli/discover.ts";
import { Findings, asText } from "../../src/cli/discover-report.ts";
import { main } from "../../src/cli/main.ts";
import { parseService } from "../../src/discovery/address.ts";
import type { FoundServer, ServerCandidate } from "../../src/discovery/candidate.ts";
import type { Finder } from "../../src/discovery/finder.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../../src/sandbox/sandbox.ts";
import { makeAuthority, makeCertificate } from "../support/certificates.ts";
import { FakeIo } from "../support/fake-io.ts";
import { FakeServer, serverContext } from "../support/fake-server.ts";

let sandbox: Sandbox;
let owner: SandboxUser;
let liar: FakeServer;
let folder: string;
let ca: string;

beforeAll(async () => {
  sandbox = await startSandbox({ domain: "example.org" });
  owner = sandbox.addUser("owner");
  const foreign = serverContext(makeCertificate(makeAuthority(), { dns: ["example.org", "mallory.example"] }));
  liar = await FakeServer.start((connection) => connection.upToTls(foreign));
  folder = await new FakeIo().makeFolder();
  ca = join(folder, "ca.pem");
  await writeFile(ca, sandbox.ca);
});
afterAll(async () => {
  await liar.close();
  await sandbox[Symbol.asyncDispose]();
  await new FakeIo().removeFolder(folder);
});

const there = (more: Partial<FoundServer> = {}): FoundServer => ({
  ...parseService(sandbox.service, sandbox.domain),
  heard: "pronto._xmpp-client._tcp.local",
  ...more,
});
const lying = (more: Partial<FoundServer> = {}): FoundServer => ({
  host: "127.0.0.1",
  port: liar.port,
  domain: "mallory.example",
  heard: "an answer",
  ...more,
});

/** A finder that hears all this, and drops what is named. */
function hearing(name: string, rank: number, found: readonly FoundServer[], drops: readonly string[] = []): Finder {
  return {
    name,
    rank,
    async *find({ drop }) {
      for (const why of drops) drop(why);
      for (const one of found) yield await Promise.resolve(one);
    },
  };
}

interface Ran {
  readonly code: number;
  readonly io: FakeIo;
  readonly events: readonly Record<string, unknown>[];
}

async function ran(
  finders: readonly Finder[],
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Ran> {
  const io = new FakeIo();
  io.env = env;
  const code = await discoverWith(finders).run(["--ca", ca, ...QUIET, ...args], io);
  const events = args.includes("--json") ? io.lines.map((line) => JSON.parse(line) as Record<string, unknown>) : [];
  return { code, io, events };
}

// Nothing leaves the machine: the finders are the test's own.
const QUIET = ["--no-dhcp", "--no-mdns"];

const of = ({ events }: Ran, event: string): readonly Record<string, unknown>[] =>
  events.filter((one) => one["event"] === event);

describe("xmpp-thing discover", () => {
  it("D-3.3-1, D-3.4-1: tells what each finder hears, who proves its domain, and where a Thing goes", async () => {
    const mdns = hearing("mdns", 30, [there({ registries: ["registry@example.org"] })], ["malformed", "malformed"]);
    const { code, io } = await ran([mdns, hearing("dhcp", 40, [lying({ provisioning: ["mallory"] })])]);
    const { host, port } = there();
    const at = `example.org at ${host}:${port}`;
    expect(io.lines).toEqual(
      expect.arrayContaining([
        `mdns         ${at}`,
        "             heard: pronto._xmpp-client._tcp.local",
        "             hints at a Thing Registry: registry@example.org; it counts when the server lists it",
        `dhcp         mallory.example at 127.0.0.1:${liar.port}`,
        "             hints at a Provisioning Server: mallory; it counts when the server lists it",
        `proved       ${at}, by its certificate`,
        "             a Thing can make itself an account",
        "not taken    mdns: malformed, 2 times",
      ]),
    );
    expect(io.text).toMatch(/^ +logs in by: .*SCRAM-SHA-256/m);
    expect(io.text).toMatch(
      /^unproved +mallory\.example at .* does not prove to be mallory\.example: .*--ca, or THING_CA, must give/m,
    );
    expect(io.lines.at(-1)).toBe(`result       a Thing goes to ${at}`);
    expect([code, io.errors]).toEqual([0, []]);
  });

  it("tells the same as lines of JSON", async () => {
    const own = hearing("own", 20, [there({ preference: 5 })], ["malformed"]);
    const run = await ran([own, hearing("mdns", 30, [lying({ registries: ["mallory@mallory.example"] })])], ["--json"]);
    const address = parseService(sandbox.service, "example.org");
    expect(of(run, "heard")).toEqual([
      {
        event: "heard",
        finder: "own",
        rank: 20,
        preference: 5,
        ...address,
        registries: [],
        provisioning: [],
        heard: "pronto._xmpp-client._tcp.local",
      },
      expect.objectContaining({
        finder: "mdns",
        rank: 30,
        domain: "mallory.example",
        registries: ["mallory@mallory.example"],
      }),
    ]);
    expect(of(run, "looked")).toEqual(
      expect.arrayContaining([
        {
          event: "looked",
          finder: "own",
          ...address,
          verdict: "proved",
          why: "",
          mechanisms: expect.arrayContaining(["SCRAM-SHA-256"]) as string[],
          login: true,
          accounts: true,
          accountsWhy: "",
        },
        expect.objectContaining({ finder: "mdns", verdict: "unproved", mechanisms: [], accounts: false }),
      ]),
    );
    expect(run.events.at(-1)).toEqual({
      event: "summary",
      heard: 2,
      domains: ["example.org", "mallory.example"],
      proved: ["example.org"],
      goesTo: address,
      tried: [],
      dropped: [{ finder: "own", why: "malformed", count: 1 }],
    });
    expect(run.code).toBe(0);
  });

  it("goes by rank, then preference, among those that prove their domain", async () => {
    const run = await ran(
      [hearing("b", 30, [there({ host: "localhost", preference: 1 }), there()]), hearing("a", 10, [lying()])],
      ["--json"],
    );
    expect(run.events.at(-1)).toMatchObject({ goesTo: { host: there().host }, heard: 3 });
  });

  it("ends with 4 when nobody proves the domain", async () => {
    const { code, io } = await ran([hearing("mdns", 30, [lying()])]);
    expect(io.lines.at(-1)).toBe("result       heard of mallory.example; no server proves its domain");
    expect(code).toBe(4);
    const run = await ran([hearing("mdns", 30, [lying()])], ["--json"]);
    expect(run.events.at(-1)).toMatchObject({ goesTo: null, proved: [] });
  });

  it("ends with 5 when nobody was heard of, and says of each finder why", async () => {
    const broken: Finder = {
      name: "broken",
      find: () => {
        throw new Error("no such device");
      },
    };
    const { code, io } = await ran([hearing("mdns", 30, []), broken]);
    expect(io.lines).toEqual([
      "mdns         found nothing",
      "broken       no such device",
      "result       no XMPP server was heard of; announce one, or name one: docs/discovery.md",
    ]);
    expect(code).toBe(5);
    const run = await ran([broken], ["--json"]);
    expect(run.events).toEqual([
      expect.objectContaining({ event: "summary", heard: 0, tried: [{ finder: "broken", why: "no such device" }] }),
    ]);
  });

  it("D-3.1-2, D-3.2-1: looks for the servers of one domain when it is given", async () => {
    const finders = [hearing("mdns", 30, [lying(), there()])];
    const run = await ran(finders, ["--json", "--domain", "127.0.0.1"]);
    expect(of(run, "heard").map(({ finder, host, port }) => [finder, host, port])).toEqual([
      ["configured", "127.0.0.1", 5222],
      ["configured", "127.0.0.1", 5223],
    ]);
    expect(run.code).toBe(4);
  });

  it("looks at a server once, whoever names it, and at 64 at most", async () => {
    const before = liar.connections.length;
    const many = Array.from({ length: 64 }, (_, index) => lying({ domain: `h${index}.example` }));
    const run = await ran(
      [hearing("a", 30, [lying()]), hearing("b", 30, [lying()]), hearing("c", 30, many)],
      ["--json"],
    );
    expect(of(run, "heard")).toHaveLength(66);
    expect(of(run, "looked")).toHaveLength(64);
    expect(liar.connections.length - before).toBe(64);
    expect(liar.everything).not.toMatch(/<auth|password|<iq type="set"/);
  });

  it("with a server and an account tells its services, by disco", async () => {
    const env = { THING_SERVICE: sandbox.service, THING_DOMAIN: "example.org", OWNER_USERNAME: owner.username };
    const run = await ran([], ["--json"], { ...env, OWNER_PASSWORD: owner.password });
    expect(of(run, "heard")).toMatchObject([{ finder: "service", rank: 0, heard: sandbox.service }]);
    expect(run.events.at(-1)).toEqual({
      event: "services",
      domain: "example.org",
      registry: { jid: sandbox.registry.jid },
      provisioning: { jid: sandbox.provisioning.jid },
    });
    const { io, code } = await ran([], [], { ...env, OWNER_PASSWORD: owner.password });
    expect(io.lines.slice(-3)).toEqual([
      "services     of example.org, which lists them",
      `             Thing Registry: ${sandbox.registry.jid}`,
      `             Provisioning Server: ${sandbox.provisioning.jid}`,
    ]);
    expect(io.text).not.toContain(owner.password);
    expect(code).toBe(0);
    // Without a password nobody logs in, and nobody is asked for one.
    expect(of(await ran([], ["--json"], env), "services")).toEqual([]);
  });

  it("tells why there is no service", async () => {
    await using bare = await startSandbox({ domain: "bare.example", hosting: { registry: "account" } });
    const user = bare.addUser("owner");
    const file = join(folder, "bare.pem");
    await writeFile(file, bare.ca);
    const io = new FakeIo();
    io.env = { THING_SERVICE: bare.service, THING_DOMAIN: "bare.example", OWNER_USERNAME: user.username };
    io.env["OWNER_PASSWORD"] = user.password;
    expect(await discoverWith([]).run(["--ca", file, ...QUIET], io)).toBe(0);
    expect(io.lines.slice(-2)).toEqual([
      expect.stringMatching(/^ +Thing Registry: none: .*bare\.example/),
      `             Provisioning Server: ${bare.provisioning.jid}`,
    ]);
  });

  it("shows nothing that a terminal would obey, whoever made it up", async () => {
    const odd = lying({ heard: "\u001b[2J\u202egnp.exe" });
    const { io } = await ran([hearing("mdns", 30, [odd], ["\u001b[31m"])]);
    expect(io.text).toContain("heard: ?[2J?gnp.exe");
    expect(io.text.split("").every((sign) => sign === "\n" || sign >= " ")).toBe(true);
  });

  it("tells a person how long it listens, and breaks lines at 80 columns", async () => {
    const io = new FakeIo();
    io.terminal = true;
    const mdns = hearing("mdns", 30, [there({ registries: ["registry@example.org"] })]);
    expect(await discoverWith([mdns]).run(["--ca", ca, ...QUIET], io)).toBe(0);
    expect(io.errors).toEqual(["Listening for 10 s …"]);
    expect(io.lines.filter((line) => line.length > 80)).toEqual([]);
    expect(io.lines.slice(2, 4)).toEqual([
      "             hints at a Thing Registry: registry@example.org; it counts when the",
      "             server lists it",
    ]);
  });

  it("ends on Ctrl-C, in the middle of a search or of a look", async () => {
    const silent = await FakeServer.start(() => undefined);
    try {
      const io = new FakeIo();
      const listening: Finder = {
        name: "mdns",
        async *find({ signal }) {
          yield lying({ port: silent.port });
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      };
      const running = discoverWith([listening]).run(["--ca", ca, ...QUIET], io);
      const failed = expect(running).rejects.toThrow("stopped by SIGINT");
      while (silent.connections.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      io.interrupt();
      await failed;
    } finally {
      await silent.close();
    }
  });

  it.each([
    { argv: ["--timeout", "0"], says: "--timeout must be a whole number from 1 to 600" },
    { argv: ["--ca", "/nowhere/ca.pem"], says: "--ca, or THING_CA: ENOENT" },
    { argv: ["--domain", "user@example.org"], says: '"user@example.org" is not an XMPP domain' },
    { argv: ["--service", "example.org"], says: "is not of the form xmpp://host:port" },
    { argv: [], says: "--no-dhcp and --no-mdns leave no way to search: give --domain, or --service" },
    { argv: ["--domain", "example.org", "--username", "anna"], says: "--username goes with --service, and with your" },
    { argv: ["now"], says: '"now" is one word too many' },
  ])("$argv is called wrongly: 2, and says what to do", async ({ argv, says }) => {
    const io = new FakeIo();
    io.terminal = true;
    expect(await main(["discover", ...QUIET, ...argv], io)).toBe(2);
    expect(io.errors.join("\n")).toContain(says);
  });

  it("a --ca that holds no certificate is called wrongly", async () => {
    const file = join(folder, "empty.pem");
    await writeFile(file, "nothing");
    const io = new FakeIo();
    expect(await main(["discover", ...QUIET, "--ca", file], io)).toBe(2);
    expect(io.errors.join("\n")).toContain("--ca, or THING_CA: no certificate in it");
  });
});

describe("what people read", () => {
  const candidate: ServerCandidate = {
    ...{ host: "fe80::1%eth0", port: 5223, directTls: true, domain: "a.example", preference: 0, rank: 20 },
    ...{ registries: [], provisioning: [], heard: "", finder: "own" },
  };

  it("D-3.4-3: has IPv6 addresses in brackets, and tells of direct TLS and of what a server does not offer", () => {
    const io = new FakeIo();
    const report = asText(io);
    report.heard(candidate);
    const accountsWhy = "the server asks a new account for email";
    report.looked({
      candidate,
      probe: { verdict: "proved", why: "", mechanisms: ["PLAIN"], login: false, accounts: false, accountsWhy },
    });
    report.services({ domain: "a.example", registry: { why: "it lists none" }, provisioning: { jid: "p.a.example" } });
    const findings = new Findings();
    findings.heard(candidate);
    const none = { verdict: "proved", why: "", mechanisms: [], login: true, accounts: false, accountsWhy } as const;
    findings.looked({ candidate, probe: none });
    findings.looked({ candidate, probe: { ...none, login: false, accounts: true } });
    report.looked({ candidate, probe: none });
    report.summary(findings);
    expect(io.lines).toEqual([
      "own          a.example at [fe80::1%eth0]:5223, direct TLS",
      "proved       a.example at [fe80::1%eth0]:5223, direct TLS, by its certificate",
      "             logs in by: PLAIN; a Thing cannot, without SCRAM",
      "             a Thing can make itself no account: the server asks a new account for email",
      "services     of a.example, which lists them",
      "             Thing Registry: none: it lists none",
      "             Provisioning Server: p.a.example",
      "proved       a.example at [fe80::1%eth0]:5223, direct TLS, by its certificate",
      "             logs in by: nothing",
      "             a Thing can make itself no account: the server asks a new account for email",
      "",
      "result       a.example: proved, but a Thing needs an account there that somebody has made",
    ]);
  });
});

describe("what was dropped", () => {
  it("is counted by finder and reason, and fills no screen", () => {
    const findings = new Findings();
    for (let index = 0; index < 1_000; index++) findings.dropped("own", `reason ${index}`);
    findings.dropped("own", "reason 0");
    expect(findings.drops).toHaveLength(50);
    expect(findings.drops[0]).toEqual({ finder: "own", why: "reason 0", count: 2 });
    findings.heard({ domain: "a.example" } as ServerCandidate);
    expect([findings.isEmpty, findings.first]).toEqual([false, undefined]);
  });
});
