// The blocks of the guides that are files, or what is printed: for dnsmasq, for systemd, settings, a trace.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { expect, vi } from "vitest";
import { parseClaimText } from "../../../src/codec/claim-text.ts";
import { isInstalled } from "../server-process.ts";
import { root } from "./snippets.ts";
import type { BlockScene, BlockScenes } from "./terminal.ts";
import { within } from "./world.ts";

const isDnsmasqFile: BlockScene = (_, { text }) => {
  writeFileSync("dnsmasq.conf", text);
  execFileSync("dnsmasq", ["--test", "--conf-file=dnsmasq.conf"], { stdio: "pipe" });
};
const noDnsmasq = isInstalled("dnsmasq") ? undefined : "dnsmasq is not installed";

export const fileScenes: BlockScenes = [
  [
    "IoTDisco;SN:394872348732948723;MAN:www.ktc.se;MODEL:IMC",
    (_, { text }) => {
      const tags = parseClaimText(text.trim());
      expect(tags.map(({ name }) => name)).toEqual(["SN", "MAN", "MODEL", "V", "KEY"]);
    },
  ],
  ["dhcp-option=224,pronto.home.example", isDnsmasqFile, noDnsmasq],
  ["dhcp-option=224,sandbox.local", isDnsmasqFile, noDnsmasq],
  [
    "Description=Thermometer, an XMPP Thing",
    (_, { text }) => {
      expect(text).toContain("/usr/bin/node ");
      writeFileSync("thermometer.service", text.replace("/usr/bin/node ", `${process.execPath} `));
      // What it does not know it only tells.
      const { status, stderr } = spawnSync("systemd-analyze", ["verify", "./thermometer.service"], {
        encoding: "utf8",
      });
      expect([status, stderr]).toEqual([0, ""]);
    },
    isInstalled("systemd-analyze") ? undefined : "systemd-analyze is not installed",
  ],
  [
    "THING_TAGS=SN:394872348732948723",
    async (world, { text }) => {
      const { service, domain, ca, registry } = await world.sandbox();
      writeFileSync("desk-ca.pem", ca);
      const lines = text.split("\n").filter((line) => /^\w+=/.test(line));
      const settings = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
      expect(settings["THING_SERVICE"]).toBe(`xmpp://${domain}`);
      const here = { THING_SERVICE: service, THING_DOMAIN: domain };
      const files = { THING_CA: `${world.folder}/desk-ca.pem`, THING_STATE: `${world.folder}/state` };
      const example = spawn(process.execPath, ["--import", "tsx", "examples/thermometer.ts"], {
        cwd: root,
        env: { ...process.env, ...settings, ...here, ...files },
        stdio: "ignore",
      });
      const ended = once(example, "exit");
      try {
        await expect.poll(() => registry.things.length, { ...within, timeout: 30_000 }).toBe(1);
        const tags = registry.things[0]?.tags.map(({ name, value }) => `${name}:${value}`);
        expect(tags).toEqual(expect.arrayContaining(settings["THING_TAGS"]?.replace("#", "").split(";") ?? [""]));
      } finally {
        example.kill();
        await ended;
      }
    },
  ],
  [
    "<starttls xmlns=",
    async (world, { text }) => {
      const traced: string[] = [];
      vi.spyOn(console, "debug").mockImplementation((...parts) => void traced.push(parts.join(" ")));
      const sensor = { fields: [{ name: "Power" }], read: () => [{ name: "Power", value: 1 }] };
      const thing = await world.thing("thing", { debug: true, sensor });
      await (await world.owner("anna")).read(thing.jid, { tokens: { userToken: "a-token" } });
      (await world.sandbox()).drop(thing.jid);
      const trace = (): string => traced.join("\n");
      await expect.poll(trace, within).toMatch(/^status waiting \d+ ms, after ERR_CONNECTION/m);
      // Each line of the page has one of its kind: a status, a direction, an element with its attributes.
      const formOf = (line: string): string =>
        line
          .replace(/^(status \w+).*/, "$1")
          .replace(/(id|to|from|seqnr)="[^"]*"/g, "$1")
          .trim();
      const forms = new Set(trace().split("\n").map(formOf));
      const lines = text.split("\n").filter((line) => line !== "" && line !== "…");
      for (const line of lines) expect([...forms], line).toContain(formOf(line));
      // Faults go to stderr: of a link that was cut, what may not have arrived.
      world.complaints.splice(0);
    },
  ],
];
