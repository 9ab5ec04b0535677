// The guides' Things: README.md, docs/claiming.md, docs/errors.md, docs/pairing.md, docs/tokens.md, docs/tracing.md, ….
import { constants, privateDecrypt } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { PassThrough } from "node:stream";
import { expect, vi } from "vitest";
import { bareJid } from "../../../src/core/jid.ts";
import { parseClaimText } from "../../../src/codec/claim-text.ts";
import type { Thing } from "../../../src/thing/thing.ts";
import { deviceCertificate } from "../device-certificate.ts";
import { readPngQr, readSvgQr } from "../qr-pictures.ts";
import { readTerminalQr } from "../terminal-qr.ts";
import type { Scenes } from "./scenes.ts";
import { within, type World } from "./world.ts";

/** The tags that the Registry holds of a Thing. */
async function registeredTags(world: World): Promise<Readonly<Record<string, unknown>>> {
  const { registry } = await world.sandbox();
  return Object.fromEntries(registry.things[0]?.tags.map(({ name, value }) => [name, value]) ?? []);
}

export const thingScenes: Scenes = [
  [
    "// The sandbox. Left out, the Thing finds a server",
    async (world, load) => {
      writeFileSync("ca.pem", (await world.sandbox("localhost")).ca);
      await load();
      const [text] = await world.hears(
        /^IoTDisco;SN:394872348732948723;MAN:example\.org;MODEL:Thermometer;#V:1;KEY:.*$/m,
      );
      const { owner, jid, thing } = await world.claimed("anna");
      expect(thing.claimText).toBe("");
      await world.hears(/^I have an owner$/m);
      expect((await owner.read(jid))[0]?.fields).toMatchObject([{ name: "Temperature", text: "21.5", unit: "°C" }]);
      expect(text).not.toBe("");
    },
  ],
  [
    "Nothing to show: there is an owner.",
    async (world, load) => {
      await load();
      const [, text = ""] = await world.hears(/^Show this as a QR code: (IoTDisco;.*)$/m);
      expect((await world.itsThing()).claimText).toBe(text);
      await world.claimed("anna");
      await world.hears(/^Nothing to show: there is an owner\.$/m);
    },
  ],
  [
    "formatClaimText([",
    async (world, load) => {
      await load();
      const [text = ""] = world.said;
      const tags = parseClaimText(text);
      expect(tags.map(({ name }) => name)).toEqual(["SN", "V", "KEY"]);
      // What is printed on the sticker is what the Thing registers.
      const values = Object.fromEntries(tags.map(({ name, value }) => [name, value]));
      const thing = await world.thing("thing", { tags: values });
      await (await world.owner("anna")).claim(text);
      await thing.waitFor("provisioned", { timeout: 10_000 });
    },
  ],
  [
    'updateTags({ ROOM: "Kitchen" })',
    async (world, load) => {
      await load();
      await world.claimed("anna");
      await expect.poll(() => registeredTags(world), within).toEqual({ SN: "3948", V: 1.2, ROOM: "Kitchen" });
    },
  ],
  [
    "sticker.svg",
    async (world, load) => {
      await load();
      const claimText = world.things[0]?.claimText ?? "";
      await expect.poll(() => readPngQr(readFileSync("sticker.png")), within).toBe(claimText);
      expect(readSvgQr(readFileSync("sticker.svg", "utf8"))).toBe(claimText);
      expect(readTerminalQr(world.said.join("\n").split("\n"))).toBe(claimText);
      for (const name of ["sticker.svg", "sticker.png"]) expect(statSync(name).mode & 0o777, name).toBe(0o600);
    },
  ],
  [
    'error.code === "ERR_STORAGE"',
    async (world, load) => {
      await load();
      await world.itsThing();
      await world.things.pop()?.stop();
      writeFileSync("elsewhere", "");
      vi.spyOn(world, "path").mockReturnValue("elsewhere");
      const before = process.exitCode;
      await load();
      expect(process.exitCode).toBe(1);
      process.exitCode = before;
      expect(world.complaints.splice(0)).toEqual([expect.stringMatching(/^Cannot use the folder: /)]);
      world.things.pop();
    },
  ],
  [
    "process.stdin.on(",
    async (world, load) => {
      const keyboard = new PassThrough();
      const own = Object.getOwnPropertyDescriptor(process, "stdin");
      Object.defineProperty(process, "stdin", { configurable: true, value: keyboard });
      world.later(() => Object.defineProperty(process, "stdin", own ?? {}));
      await load();
      const thing = await world.itsThing();
      keyboard.write("\n");
      await world.hears(/^nothing to accept$/m);
      const gardener = await world.user("gardener");
      gardener.friends.onRequest((jid) => void gardener.friends.accept(jid));
      await gardener.friends.ask(bareJid(thing.jid.split("/")[0] ?? ""));
      await world.hears(/^LED on\ngardener@example\.org wants to be a friend: press the button within 30 s$/m);
      // In the first second of a window no press counts.
      const press = (): string => (keyboard.write("\n"), world.said.join("\n"));
      await expect.poll(press, { ...within, interval: 100 }).toMatch(/^accepted$/m);
      await world.hears(/^LED off$/m);
      await world.hears(/^gardener@example\.org: accepted$/m);
      await world.hears(/^gardener@example\.org is a friend$/m);
    },
  ],
  [
    "await thing.reset()",
    async (world, load) => {
      const { forgetAll } = (await load()) as { forgetAll: () => Promise<void> };
      const { thing, owner } = await world.claimed("anna");
      await forgetAll();
      await thing.waitFor("registered", { timeout: 10_000 });
      expect(thing.state.trust.is).toBe("none");
      const { registry } = await world.sandbox();
      expect(registry.things.map((it) => it.owner)).toEqual([undefined]);
      await owner.claim(thing.claimText);
      await thing.waitFor("provisioned", { timeout: 10_000 });
    },
  ],
  [
    "decryptOaepSha1",
    async (world, load) => {
      const device = deviceCertificate();
      const file = world.path("/etc/thermometer/device.crt");
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, device.cert);
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const decryptOaepSha1 = vi.fn((block: Uint8Array) =>
        Promise.resolve(new Uint8Array(privateDecrypt({ key: device.key, padding, oaepHash: "sha1" }, block))),
      );
      world.give("element", { decryptOaepSha1 });
      await load();
      await world.things[0]?.start();
      await world.claimed("anna");
      const { provisioning } = await world.sandbox();
      await expect.poll(() => provisioning.identities, within).toMatchObject([{ hasToken: true }]);
      expect(decryptOaepSha1).toHaveBeenCalled();
    },
  ],
  [
    "certificate: { make: true },\n});",
    async (world, load) => {
      await load();
      await world.things[0]?.start();
      await world.claimed("anna");
      const { provisioning } = await world.sandbox();
      await expect.poll(() => provisioning.identities, within).toMatchObject([{ hasToken: true }]);
    },
  ],
  [
    "console.debug = console.error;",
    async (world, load) => {
      const { debug } = console;
      world.later(() => (console.debug = debug));
      vi.stubEnv("THING_DEBUG", "1");
      world.later(() => vi.unstubAllEnvs());
      await load();
      await world.thing("thing", {});
      // It is printed as soon as what prints it is loaded.
      await expect.poll(() => world.complaints.join("\n"), within).toMatch(/^OUT\n/m);
      world.complaints.splice(0);
      expect(world.said).toEqual([]);
    },
  ],
  [
    'unverified: ["workshop.example"]',
    async (world, load) => {
      await world.sandbox("workshop.example");
      const faults: string[] = [];
      world.onThing = (thing: Thing): void => void thing.on("fault", ({ code }) => faults.push(code));
      await load();
      const thing = await world.itsThing();
      expect(thing.jid).toMatch(/@workshop\.example\//);
      expect(faults).toEqual(["tls-unverified"]);
    },
  ],
  [
    '"provisioning.example.org", "provisioning.example.net"',
    async (world, load) => {
      (await world.sandbox()).federate(await world.sandbox("example.net"));
      await load();
      await world.things[0]?.start();
      const { thing } = await world.claimed("anna");
      expect(thing.state.trust).toMatchObject({
        servers: [{ jid: "provisioning.example.org" }, { jid: "provisioning.example.net" }],
      });
    },
  ],
  [
    'thing.on("nodeClaimText"',
    async (world, load) => {
      await load();
      const [, text = ""] = await world.hears(/^meter1 (IoTDisco;.*)$/m);
      const [thing] = world.things;
      await expect.poll(() => thing?.nodes[0]?.ownership.is, within).toBe("registered");
      const anna = await world.owner("anna");
      const { jid = "", node = { nodeId: "" } } = await anna.claim(text);
      expect((await anna.read({ jid, node }))[0]?.fields).toMatchObject([{ name: "Power", value: 230 }]);
    },
  ],
  [
    'registry: { subdomain: "discovery", search: true }',
    async (world, load) => {
      await load();
      await world.things[0]?.start();
      const { thing } = await world.claimed("anna");
      expect(thing.state.trust).toMatchObject({ servers: [{ jid: "provisioning.example.org" }] });
    },
  ],
  [
    'xmpp://example.org" } });\nthing.on("fault"',
    async (world, load) => {
      const sandbox = await world.sandbox();
      sandbox.detach(sandbox.registry);
      await load();
      await world.things[0]?.start();
      const complaints = (): string => world.complaints.join("\n");
      await expect.poll(complaints, within).toMatch(/^registry no Thing Registry was found/m);
      world.complaints.splice(0);
    },
  ],
];
