import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { thingOptions } from "../support/site.ts";
import { FakeIo } from "../support/fake-io.ts";

describe("the command line", () => {
  it.each([
    { argv: [], says: "Usage: xmpp-thing COMMAND" },
    { argv: ["frobnicate"], says: 'there is no command "frobnicate"' },
    { argv: ["claim"], says: "TEXT is missing" },
    { argv: ["claim", "hello"], says: 'a claim text begins with "IoTDisco;"' },
    { argv: ["claim", "IoTDisco;SN:1"], says: "give --service, or set THING_SERVICE" },
    {
      argv: ["claim", "IoTDisco;SN:1", "--service", "xmpp://localhost"],
      says: "give --username, or set OWNER_USERNAME",
    },
    {
      argv: ["claim", "IoTDisco;SN:1", "--service", "xmpp://localhost", "--username", "me"],
      says: "set OWNER_PASSWORD",
    },
    { argv: ["read"], says: "JID is missing" },
    { argv: ["read", "a@b@c"], says: "is not the address of a Thing" },
    { argv: ["read", "IoTDisco;SN:1"], says: "this is a claim text: use xmpp-thing claim" },
    { argv: ["read", "localhost"], says: "is not the address of a Thing" },
    { argv: ["read", "a@b", "c"], says: '"c" is one word too many' },
    { argv: ["read", "a@b", "--type", "yesterday"], says: "--type must be all or one of" },
    { argv: ["read", "a@b", "--from", "yesterday"], says: "--from must be a day or a time" },
    { argv: ["read", "a@b", "--to", "2026-02-30"], says: "--to must be a day or a time" },
    { argv: ["read", "a@b", "--history", "--type", "peak"], says: "--type or --history, not both" },
    { argv: ["read", "a@b", "--timeout", "0"], says: "--timeout must be a whole number from 1" },
    { argv: ["control"], says: "JID is missing" },
    { argv: ["control", "a@b"], says: "NAME=VALUE... is missing" },
    { argv: ["control", "localhost", "LED=true"], says: "is not the address of a Thing" },
    { argv: ["control", "a@b", "LED=true", "Fan"], says: '"Fan" is not NAME=VALUE' },
    { argv: ["control", "a@b", "=true"], says: '"=true" is not NAME=VALUE' },
    { argv: ["control", "a@b", "LED=true", "LED=false"], says: '"LED" is given twice' },
    { argv: ["sandbox", "--port", "70000"], says: "--port must be a whole number from 0 to 65535" },
    { argv: ["sandbox", "--prot", "1"], says: "--prot" },
    { argv: ["sandbox", "--interface", "lo"], says: "--interface goes with --announce" },
    { argv: ["sandbox", "--data", ""], says: "--data: needs the path of a folder" },
    { argv: ["sandbox", "--ask", "--json"], says: "--ask asks people: it goes without --json" },
    { argv: ["sandbox", "--dhcp"], says: "--dhcp goes with --announce" },
    { argv: ["sandbox", "--announce", "--interface", "nope0"], says: 'there is no interface "nope0"' },
    { argv: ["sandbox", "--also", "Zwei"], says: '--also: "Zwei" is no name' },
    { argv: ["sandbox", "--also", "owner"], says: '--also: "owner" is taken' },
    { argv: ["sandbox", "--also", "b=read,write"], says: '--also b: "write" is none of friend, read, control' },
    { argv: ["sandbox", "--also", "b", "--also", "b=read"], says: '"b" is taken' },
    { argv: ["sandbox", "--rights", ""], says: '--rights: "" is none of friend, read, control' },
    { argv: ["demo", "now"], says: 'there is no story "now"' },
    { argv: ["demo", "life", "now"], says: '"now" is one word too many' },
  ])("$argv is called wrongly: 2, and says what to do", async ({ argv, says }) => {
    const io = new FakeIo();
    if (argv.includes("--timeout"))
      io.env = { THING_SERVICE: "xmpp://localhost", OWNER_USERNAME: "me", OWNER_PASSWORD: "x" };
    expect(await main(argv, io)).toBe(2);
    expect(io.lines).toEqual([]);
    expect(io.errors.join("\n")).toContain(says);
  });

  it.each([
    { text: "hello", says: 'a claim text begins with "IoTDisco;"' },
    { text: "IoTDisco;", says: "a claim text names at least one tag" },
  ])("claim $text says what is wrong, and no path of a stanza", async ({ text, says }) => {
    const io = new FakeIo();
    expect(await main(["claim", text], io)).toBe(2);
    expect(io.errors).toEqual([`xmpp-thing claim: ${says}\nTry: xmpp-thing claim --help`]);
  });

  it.each(["demo", "sandbox", "claim", "read", "control"])(
    "%s --help tells its options, and ends with 0",
    async (command) => {
      const io = new FakeIo();
      expect(await main([command, "--help"], io)).toBe(0);
      expect(io.text).toContain(`Usage: xmpp-thing ${command}`);
      expect(io.text.split("\n").every((line) => line.length <= 100)).toBe(true);
    },
  );

  it("tells help and version", async () => {
    const io = new FakeIo();
    expect(await main(["--help"], io)).toBe(0);
    expect(await main(["--version"], io)).toBe(0);
    expect(io.lines.at(-1)).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe("xmpp-thing sandbox", () => {
  it("prints one line of JSON once it is ready, and ends cleanly on Ctrl-C", async () => {
    const io = new FakeIo();
    const running = main(["sandbox", "--json"], io);
    await expect.poll(() => io.lines.length, { timeout: 10_000 }).toBe(1);
    const facts = JSON.parse(io.lines[0] ?? "") as Record<string, string>;
    expect(facts).toEqual({
      service: expect.stringMatching(/^xmpp:\/\/127\.0\.0\.1:\d+$/),
      domain: "localhost",
      ca: expect.stringMatching(/ca\.pem$/),
      registry: "discovery.localhost",
      provisioning: "provisioning.localhost",
      username: "owner",
      password: expect.any(String),
    });
    expect(await io.readFile(facts["ca"] ?? "")).toContain("BEGIN CERTIFICATE");
    io.interrupt();
    expect(await running).toBe(0);
    expect(existsSync(facts["ca"] ?? "")).toBe(false);
    expect(io.errors).toEqual([]);
  });

  it("tells people what to type", async () => {
    const io = new FakeIo();
    const running = main(["sandbox"], io);
    await expect.poll(() => io.text, { timeout: 10_000 }).toContain("Ctrl-C stops it");
    expect(io.text).toMatch(/export THING_SERVICE=xmpp:\/\/127\.0\.0\.1:\d+ THING_DOMAIN=localhost THING_CA=/);
    io.interrupt();
    expect(await running).toBe(0);
  });

  it("--pair: asks each Thing that registers to trust its Provisioning Server, and says what came of it", async () => {
    const io = new FakeIo();
    const running = main(["sandbox", "--pair", "--json"], io);
    await expect.poll(() => io.lines.length, { timeout: 10_000 }).toBe(1);
    const { service, domain, ca, provisioning } = JSON.parse(io.lines[0] ?? "") as Record<string, string>;
    expect(provisioning).toBe("provisioning@localhost");
    const tls = { ca: await io.readFile(ca ?? "") };
    const server = { service: service ?? "", domain: domain ?? "" };
    const thing = new Thing(thingOptions(memoryStorage(), server, { tls, pairing: {} }));
    try {
      await thing.start();
      await expect.poll(() => thing.pressButton(), { timeout: 10_000, interval: 100 }).toBe(true);
      const { trust } = await thing.waitFor(({ trust: now }) => now.is === "delegated", { timeout: 10_000 });
      expect(trust).toMatchObject({ servers: [{ jid: provisioning, origin: "paired" }] });
      const jid = thing.jid.split("/")[0] ?? "";
      await expect.poll(() => io.errors, { timeout: 10_000 }).toContain(`${jid}: accepted`);
      expect(io.lines).toHaveLength(1);
    } finally {
      await thing.stop();
      io.interrupt();
    }
    expect(await running).toBe(0);
  });

  it("lets its owner claim, read and control a Thing", async () => {
    const io = new FakeIo();
    const running = main(["sandbox", "--json"], io);
    await expect.poll(() => io.lines.length, { timeout: 10_000 }).toBe(1);
    const { service = "", domain = "", ca = "", ...owner } = JSON.parse(io.lines[0] ?? "") as Record<string, string>;
    const lamp = { on: false };
    const thing = new Thing({
      ...thingOptions(memoryStorage(), { service, domain }, { tls: { ca: await io.readFile(ca) } }),
      control: [{ name: "LED", type: "boolean", set: (value) => void (lamp.on = value) }],
    });
    await thing.start();
    try {
      await thing.waitFor("registered", { timeout: 10_000 });
      const person = new FakeIo();
      person.env = {
        ...{ THING_SERVICE: service, THING_DOMAIN: domain, THING_CA: ca },
        ...{ OWNER_USERNAME: owner["username"], OWNER_PASSWORD: owner["password"] },
      };
      expect(await main(["claim", thing.claimText], person)).toBe(0);
      await thing.waitFor("provisioned", { timeout: 10_000 });
      expect(await main(["read", thing.jid], person)).toBe(0);
      expect(await main(["control", thing.jid, "LED=true"], person)).toBe(0);
      expect(lamp.on).toBe(true);
    } finally {
      await thing.stop();
      io.interrupt();
      await running;
    }
  });

  it("--also: adds Provisioning Servers, each with the rights that it gives the owner", async () => {
    const io = new FakeIo();
    const running = main(["sandbox", "--json", "--rights", "friend", "--also", "second=read", "--also", "third"], io);
    await expect.poll(() => io.lines.length, { timeout: 10_000 }).toBe(1);
    const facts = JSON.parse(io.lines[0] ?? "") as Record<string, string> & { furtherProvisioning: string[] };
    expect(facts.furtherProvisioning).toEqual(["second.localhost", "third.localhost"]);
    const { service = "", domain = "", ca = "", provisioning = "", username = "", password = "" } = facts;
    const options = thingOptions(memoryStorage(), { service, domain }, { tls: { ca: await io.readFile(ca) } });
    const things = [...facts.furtherProvisioning, provisioning].map(
      (jid) => new Thing({ ...options, storage: memoryStorage(), provisioning: [jid] }),
    );
    const person = new FakeIo();
    person.env = {
      ...{ THING_SERVICE: service, THING_DOMAIN: domain, THING_CA: ca },
      ...{ OWNER_USERNAME: username, OWNER_PASSWORD: password },
    };
    try {
      const codes: number[] = [];
      for (const thing of things) {
        await thing.start();
        await thing.waitFor("online", { timeout: 10_000 });
        codes.push(await main(["read", thing.jid], person));
      }
      expect(codes).toEqual([0, 1, 1]);
    } finally {
      await Promise.all(things.map((thing) => thing.stop()));
      io.interrupt();
      await running;
    }
    const people = new FakeIo();
    const told = main(["sandbox", "--also", "second"], people);
    await expect.poll(() => people.text, { timeout: 10_000 }).toContain("Ctrl-C stops it");
    expect(people.text).toMatch(/Provisioning Server {4}provisioning\.localhost\n +and {2}second\.localhost\n/);
    people.interrupt();
    expect(await told).toBe(0);
  });

  it("--pair --also: each Provisioning Server asks the Thing, one after the other; the first allows it", async () => {
    const io = new FakeIo();
    const running = main(["sandbox", "--pair", "--also", "second", "--json"], io);
    await expect.poll(() => io.lines.length, { timeout: 10_000 }).toBe(1);
    const {
      service = "",
      domain = "",
      ca = "",
      provisioning,
    } = JSON.parse(io.lines[0] ?? "") as Record<string, string>;
    const tls = { ca: await io.readFile(ca) };
    const thing = new Thing(thingOptions(memoryStorage(), { service, domain }, { tls, pairing: {} }));
    try {
      await thing.start();
      for (const trusted of [1, 2]) {
        await expect.poll(() => thing.pressButton(), { timeout: 20_000, interval: 100 }).toBe(true);
        await thing.waitFor(({ trust }) => trust.is === "delegated" && trust.servers.length === trusted, {
          timeout: 20_000,
        });
      }
      expect(thing.state.trust).toMatchObject({ servers: [{ jid: provisioning }, { jid: "second@localhost" }] });
    } finally {
      await thing.stop();
      io.interrupt();
      await running;
    }
  });

  it("says so when the port is taken", async () => {
    await using other = await startSandbox();
    const io = new FakeIo();
    expect(await main(["sandbox", "--port", String(other.port)], io)).toBe(4);
    expect(io.errors.join("\n")).toContain(String(other.port));
  });
});

describe("xmpp-thing claim and read", () => {
  let sandbox: Sandbox;
  let owner: SandboxUser;
  let thing: Thing;
  let ca: string;
  let folder: string;
  const files = new FakeIo();
  const as = (user: SandboxUser): FakeIo => {
    const io = new FakeIo();
    io.env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      THING_CA: ca,
      OWNER_USERNAME: user.username,
      OWNER_PASSWORD: user.password,
    };
    return io;
  };

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = await files.makeFolder();
    ca = `${folder}/ca.pem`;
    await files.writeFile(ca, sandbox.ca);
    owner = sandbox.addUser("owner");
    const { service, domain } = sandbox;
    thing = new Thing(thingOptions(memoryStorage(), { service, domain }, { tls: { ca: sandbox.ca } }));
    await thing.start();
    await thing.waitFor("registered", { timeout: 10_000 });
  });
  afterAll(async () => {
    await thing.stop();
    await sandbox.stop();
    await files.removeFolder(folder);
  });

  it("a wrong claim text is refused with 1, without a reason that helps who guesses", async () => {
    const io = as(owner);
    expect(await main(["claim", thing.claimText.replace(/KEY:.*/, "KEY:1")], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("no unclaimed Thing has exactly these tags");
  });

  it("the right one claims, and tells the address", async () => {
    const io = as(owner);
    const jid = thing.jid.split("/")[0] ?? "";
    sandbox.provisioning.setRules([{ jid: owner.jid, friend: true, read: { fields: ["Temperature"] } }]);
    expect(await main(["claim", thing.claimText], io)).toBe(0);
    expect(io.lines).toEqual([`Claimed: ${jid}`, "It is online and accepts you as a friend."]);
    expect(thing.state.ownership).toMatchObject({ owner: owner.jid, public: true });
    // Until then it is the owner's alone, who may read all of it.
    await thing.waitFor("provisioned", { timeout: 15_000 });
  });

  it("its owner reads it at its bare address, for people and for programs", async () => {
    const jid = thing.jid.split("/")[0] ?? "";
    // Until it has found its Provisioning Server the owner may read everything.
    await thing.waitFor("provisioned", { timeout: 20_000 });
    const people = as(owner);
    expect(await main(["read", jid], people)).toBe(0);
    expect(people.lines).toEqual(["Temperature: 21.5 °C"]);
    const programs = as(owner);
    expect(await main(["read", jid, "--json", "--field", "Temperature"], programs)).toBe(0);
    expect(JSON.parse(programs.text)).toEqual([
      {
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        name: "Temperature",
        kind: "numeric",
        value: 21.5,
        text: "21.5",
        unit: "°C",
        types: ["momentary"],
        quality: ["automaticReadout"],
      },
    ]);
  });

  it("a kind of field that it does not have is nothing: 5", async () => {
    const io = as(owner);
    expect(await main(["read", thing.jid, "--type", "peak", "--json"], io)).toBe(5);
    expect(io.lines).toEqual(["[]"]);
    expect(io.errors).toEqual(["The Thing has nothing to show of what you asked for."]);
  });

  it("a field that is named and not shown says how names count: 5", async () => {
    const io = as(owner);
    expect(await main(["read", thing.jid, "--field", "Temperature", "--type", "peak"], io)).toBe(5);
    expect(io.errors.join("\n")).toContain("Names count upper and lower case");
  });

  it("a stranger is refused with 1", async () => {
    const stranger = sandbox.addUser("stranger");
    const io = as(stranger);
    expect(await main(["read", thing.jid], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("you may not read this Thing");
    const friendless = as(stranger);
    expect(await main(["read", thing.jid.split("/")[0] ?? ""], friendless)).toBe(1);
    expect(friendless.errors.join("\n")).toContain("does not accept your friendship");
  });

  it("a Thing that is not there gives no answer: 3", async () => {
    const io = as(owner);
    const absent = sandbox.addUser("absent");
    expect(await main(["read", absent.jid, "--timeout", "1"], io)).toBe(3);
    expect(io.errors.join("\n")).toContain("offline, not claimed yet, or the address is wrong");
  });

  it("a server that is not there, or not who it should be, gives no connection: 4", async () => {
    const nobody = as(owner);
    nobody.env["THING_SERVICE"] = "xmpp://127.0.0.1:1";
    expect(await main(["read", thing.jid], nobody)).toBe(4);
    const distrusting = as(owner);
    delete distrusting.env["THING_CA"];
    expect(await main(["read", thing.jid], distrusting)).toBe(4);
    expect(distrusting.errors.join("\n")).toContain(
      "its authority is not known here: --ca, or THING_CA, must give its certificate (PEM)",
    );
  });

  it("a file of authorities without a certificate is called wrongly, by the name of the option: 2", async () => {
    const io = as(owner);
    await files.writeFile(`${folder}/empty.pem`, "");
    io.env["THING_CA"] = `${folder}/empty.pem`;
    expect(await main(["read", thing.jid], io)).toBe(2);
    expect(io.errors.join("\n")).toContain("--ca, or THING_CA: no certificate in it");
  });

  it("an address that is no Thing's has nothing to read, and is told so: 1", async () => {
    const io = as(owner);
    expect(await main(["read", `${owner.jid}/elsewhere`], io)).toBe(1);
    expect(io.errors.join("\n")).toContain(
      "service-unavailable: it is offline, or no Thing, or one that has nothing to read",
    );
  });

  it("a wrong password is refused with 1, and asked for where a person watches", async () => {
    const io = as({ ...owner, password: "wrong" });
    expect(await main(["read", thing.jid], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("and OWNER_PASSWORD");
    expect(io.errors.join("\n")).not.toContain("wrong");
    const person = as(owner);
    delete person.env["OWNER_PASSWORD"];
    person.terminal = true;
    person.secret = owner.password;
    expect(await main(["read", thing.jid], person)).toBe(0);
  });
});
