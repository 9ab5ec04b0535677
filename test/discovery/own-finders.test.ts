// The finders that docs/discovery.md shows as examples, as they stand there.
import { createSocket, type Socket } from "node:dgram";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { discover, type Finder, type ServerCandidate } from "../../src/discovery/index.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(`${root}docs/discovery.md`, "utf8");
const files: string[] = [];

/** A block of the page, by its first line, as a module. */
async function load(name: string): Promise<Readonly<Record<string, (...args: readonly unknown[]) => Finder>>> {
  const [, code = ""] = new RegExp(`\`\`\`ts\n(// ${name}\n[^]*?)\`\`\``).exec(page) ?? [];
  expect(code).not.toBe("");
  mkdirSync(`${root}build`, { recursive: true });
  const file = `${root}build/docs-${process.pid}-${name}`;
  writeFileSync(file, code);
  files.push(file);
  return (await import(file)) as Readonly<Record<string, (...args: readonly unknown[]) => Finder>>;
}

let ssdp: (group: string, port: number) => Finder;
let dhclient: (file: string) => Finder;
let folder: string;
beforeAll(async () => {
  ssdp = (await load("ssdp.ts"))["ssdp"] as typeof ssdp;
  dhclient = (await load("dhclient.ts"))["dhclient"] as typeof dhclient;
  folder = await mkdtemp(join(tmpdir(), "xmpp-thing-test-"));
});
afterAll(async () => {
  for (const file of files) rmSync(file, { force: true });
  await rm(folder, { recursive: true, force: true });
});

const closing: Socket[] = [];
afterEach(() => {
  for (const socket of closing.splice(0)) socket.close();
});

/** Whatever answers to SSDP, on loopback: its answers are those of a function. */
async function answering(answers: (question: string) => readonly string[]): Promise<number> {
  const socket = createSocket("udp4", (message, { port, address }) => {
    for (const answer of answers(message.toString())) socket.send(answer.replaceAll("\n", "\r\n"), port, address);
  });
  closing.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket.address().port;
}

const quiet = { dhcp: false, mdns: false, timeout: 5_000 } as const;

describe("the example of a finder for SSDP (D-3.3.3-1: left open by the XEP)", () => {
  const answer = (fields: string): string =>
    `HTTP/1.1 200 OK\nST: urn:example-org:service:xmpp-client:1\nUSN: uuid:1\n${fields}\n\n`;

  it("finds the server that answers, passes over what is none, and closes its socket", async () => {
    const questions: string[] = [];
    const port = await answering((question) => {
      questions.push(question);
      return [
        "NOTIFY * HTTP/1.1\n\n",
        answer("XMPP-DOMAIN: a b\nXMPP-PORT: 5222"),
        answer("XMPP-DOMAIN: example.org\nXMPP-PORT: none"),
        answer("xmpp-domain: example.org \nxmpp-port: 5222"),
      ];
    });
    const dropped: string[] = [];
    const onDropped = (finder: string, why: string): void => void dropped.push(`${finder}: ${why}`);
    const found: ServerCandidate[] = [];
    for await (const server of discover({ ...quiet, finders: [ssdp("127.0.0.1", port)], onDropped })) {
      found.push(server);
      break; // which has the finder close its socket: else this test would not end
    }
    expect(found).toEqual([
      expect.objectContaining({ host: "127.0.0.1", port: 5222, domain: "example.org", finder: "ssdp", rank: 30 }),
    ]);
    expect(dropped).toEqual(["ssdp: malformed", "ssdp: malformed", "ssdp: malformed"]);
    expect(questions[0]).toMatch(/^M-SEARCH \* HTTP\/1\.1\r\n[^]*\r\nST: urn:example-org[^]*\r\n\r\n$/);
  });

  it("says that it heard nothing where nobody answers", async () => {
    const port = await answering(() => []);
    const search = discover({ ...quiet, timeout: 300, finders: [ssdp("127.0.0.1", port)] });
    await expect(search.next()).rejects.toMatchObject({
      tried: [{ finder: "ssdp", why: "heard nothing within 300 ms" }],
    });
  });
});

describe("the example of a finder for the leases of ISC dhclient", () => {
  const lease = (option: string): string =>
    `lease {\n  interface "eth0";\n  fixed-address 10.77.0.2;\n${option}  renew 2 2026/1/6 00:00:00;\n}\n`;

  async function found(text: string): Promise<readonly ServerCandidate[]> {
    const file = join(folder, "dhclient.leases");
    await writeFile(file, text);
    const servers: ServerCandidate[] = [];
    for await (const server of discover({ ...quiet, finders: [dhclient(file)] })) servers.push(server);
    return servers;
  }

  it("finds the server of the newest lease", async () => {
    const text = lease('  option xmpp-server "old.example";\n') + lease('  option xmpp-server "pronto.example";\n');
    expect(await found(text)).toEqual([
      expect.objectContaining({ host: "pronto.example", port: 5222, domain: "pronto.example", rank: 50 }),
    ]);
  });

  it("says why there is none", async () => {
    await expect(found(lease('  option xmpp-server "old.example";\n') + lease(""))).rejects.toThrow(
      /dhclient: the newest lease in .* names no XMPP server/,
    );
    await expect(discover({ ...quiet, finders: [dhclient(join(folder, "none"))] }).next()).rejects.toThrow(/ENOENT/);
  });
});
