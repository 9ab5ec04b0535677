// `npx xmpp-thing sandbox --announce`, on loopback, where the announcements of other tests are heard too.
import multicastDns from "multicast-dns";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { connect } from "../../src/owner/index.ts";
import { FakeIo } from "../support/fake-io.ts";

const argv = ["sandbox", "--announce", "--interface", "lo", "--port", "0"];

describe("xmpp-thing sandbox --announce", () => {
  it("tells programs where it is, on which network and by which name", async () => {
    const io = new FakeIo();
    const running = main([...argv, "--domain", "desk-1.local", "--json"], io);
    await expect.poll(() => io.lines.length, { timeout: 15_000 }).toBe(1);
    const facts = JSON.parse(io.lines[0] ?? "") as Record<string, string>;
    expect(facts).toEqual({
      service: expect.stringMatching(/^xmpp:\/\/127\.0\.0\.1:\d+$/),
      domain: "desk-1.local",
      ca: expect.stringMatching(/ca\.pem$/),
      registry: "discovery.desk-1.local",
      provisioning: "provisioning.desk-1.local",
      username: "owner",
      password: expect.any(String),
      interface: "lo",
      machine: expect.stringMatching(/^desk-1(-\d)?\.local$/),
    });
    const { service = "", domain = "", username = "", password = "" } = facts;
    const ca = await io.readFile(facts["ca"] ?? "");
    const connection = await connect({ service, domain, username, password, tls: { ca } });
    await connection.close();
    io.interrupt();
    expect(await running).toBe(0);
    expect(io.errors).toEqual([]);
  });

  it("tells people what to bring to the Pi, and what to type there: nothing but the authority", async () => {
    const io = new FakeIo();
    const running = main([...argv, "--domain", "desk-2.local"], io);
    await expect.poll(() => io.text, { timeout: 15_000 }).toContain("Ctrl-C stops it");
    expect(io.text).toMatch(/^Announced on +lo, as desk-2(-\d)?\.local$/m);
    expect(io.text).toMatch(/^ {2}scp \S+ca\.pem pi@raspberrypi\.local:ca\.pem$/m);
    expect(io.text).toMatch(/^ {2}THING_CA=~\/ca\.pem npm run -s example thermometer$/m);
    // For the owner, who is here.
    expect(io.text).toMatch(
      /^ {2}export THING_SERVICE=xmpp:\/\/127\.0\.0\.1:\d+ THING_DOMAIN=desk-2\.local THING_CA=\S+$/m,
    );
    io.interrupt();
    expect(await running).toBe(0);
    expect(io.lines.at(-1)).toBe("Stopped.");
  });

  it("run by sudo, has the file copied by sudo: it is nobody else's to read", async () => {
    const io = new FakeIo();
    io.env = { SUDO_USER: "anna" };
    const running = main([...argv, "--domain", "desk-3.local"], io);
    await expect.poll(() => io.text, { timeout: 15_000 }).toContain("Ctrl-C stops it");
    expect(io.text).toMatch(/^ {2}sudo scp \S+ca\.pem pi@/m);
    io.interrupt();
    expect(await running).toBe(0);
  });

  it("says how two desks in one room are told apart", async () => {
    const domain = `desk-${randomUUID().slice(0, 8)}.local`;
    const [first, second] = [new FakeIo(), new FakeIo()];
    const one = main([...argv, "--domain", domain], first);
    await expect.poll(() => first.text, { timeout: 15_000 }).toContain("Ctrl-C stops it");
    const other = main([...argv, "--domain", domain], second);
    await expect.poll(() => second.text, { timeout: 15_000 }).toContain("Ctrl-C stops it");
    const hint = `Another machine here is called ${domain} already; another --domain tells them apart.`;
    expect([first, second].map(({ lines }) => lines.includes(hint))).toEqual([false, true]);
    first.interrupt();
    second.interrupt();
    expect(await Promise.all([one, other])).toEqual([0, 0]);
  });

  it.each([{ flags: [] }, { flags: ["--json"] }])(
    "says when another machine takes its name, $flags",
    async ({ flags }) => {
      const io = new FakeIo();
      const running = main([...argv, "--domain", "desk-4.local", ...flags], io);
      await expect.poll(() => io.text, { timeout: 15_000 }).toContain("desk-4");
      const machine = /desk-4(-\d)?\.local(?=$|")/m.exec(
        io.lines.find((line) => /machine|Announced/.test(line)) ?? "",
      )?.[0];
      const dns = multicastDns({ interface: "127.0.0.1", bind: "0.0.0.0" });
      await once(dns, "ready");
      const mine = { name: machine ?? "", type: "A", ttl: 120, flush: true, data: "127.0.0.9" } as const;
      dns.on("query", ({ questions = [] }) => {
        if (questions.some(({ name }) => name === machine)) dns.respond([mine]);
      });
      try {
        dns.respond([mine]);
        const heard = flags.length === 0 ? io.lines : io.errors;
        await expect
          .poll(() => heard.join("\n"), { timeout: 15_000 })
          .toMatch(/has taken the name: this one is called desk-4-\d\.local now/);
        if (flags.length > 0) expect(io.lines).toHaveLength(1);
      } finally {
        dns.destroy();
        io.interrupt();
      }
      expect(await running).toBe(0);
    },
  );
});
