// The house stays as it was built: layers, no rings, time and randomness from outside, small files.
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  bannedUses,
  importCycles,
  layerViolations,
  type Exceptions,
  type Layer,
  type Sources,
} from "./support/architecture.ts";

const lower = ["core", "codec", "storage", "channel"];

/** The layers, from the ground up: a folder may use what is named here, which always stands above it. */
const layers: Readonly<Record<string, Layer>> = {
  core: { folders: [], packages: [], world: [] },
  codec: { folders: ["core"], packages: ["@xmpp/xml"], world: [] },
  storage: { folders: ["core"], packages: [], world: ["node:fs", "node:fs/promises", "node:os"] },
  channel: { folders: ["core", "codec"], packages: [], world: [] },
  qr: { folders: ["core", "codec"], packages: ["pngjs", "uqr"], world: [] },
  discovery: {
    folders: lower,
    packages: ["multicast-dns"],
    world: ["node:dgram", "node:dns", "node:dns/promises", "node:fs", "node:fs/promises", "node:net", "node:os"],
  },
  connection: { folders: [...lower, "discovery"], packages: ["@xmpp/"], world: ["node:net", "node:os", "node:tls"] },
  registry: { folders: lower, packages: [], world: [] },
  provisioning: { folders: lower, packages: ["lru-cache", "node-forge"], world: [] },
  sensor: { folders: [...lower, "provisioning"], packages: [], world: [] },
  control: { folders: [...lower, "provisioning"], packages: [], world: [] },
  concentrator: { folders: [...lower, "provisioning"], packages: [], world: [] },
  thing: {
    folders: [...lower, "discovery", "connection", "registry", "provisioning", "sensor", "control", "concentrator"],
    packages: [],
    world: [],
  },
  // Not the Thing's own parts: the owner looks at it from outside.
  owner: {
    folders: [...lower, "qr", "discovery", "connection", "sensor", "control", "concentrator"],
    packages: [],
    world: [],
  },
  // Known by its token like a Thing, with the Thing's own code; but it answers no questions of others.
  service: {
    folders: [...lower, "discovery", "connection", "provisioning", "sensor", "control"],
    packages: [],
    world: [],
  },
  // The other side shares no more than the words with the Thing: a misreading is not mirrored.
  sandbox: {
    folders: ["core", "codec", "storage"],
    packages: ["@xmpp/xml", "@xmpp/component", "classic-level", "dhcp", "multicast-dns", "node-forge"],
    world: ["node:dgram", "node:net", "node:os", "node:tls"],
  },
  cli: {
    folders: [
      ...lower,
      "qr",
      "discovery",
      "connection",
      "registry",
      "provisioning",
      "sensor",
      "control",
      "concentrator",
      "thing",
      "owner",
      "sandbox",
    ],
    packages: [],
    world: ["node:fs", "node:fs/promises", "node:os", "node:readline"],
  },
  types: { folders: [], packages: ["@xmpp/"], world: ["node:net", "node:tls"] },
};

/** A service of the sandbox as an account needs sockets, TLS and login of the client's side: one file fetches them. */
const bridges = { "src/sandbox/attach-account.ts": ["connection", "discovery"] };

/** Where time and randomness come in, and the one clock that has to let the machine's own events through. */
const exceptions: Exceptions = {
  // The one place that owns its process: what libraries print there goes to stderr.
  "src/cli/bin.ts": ["console"],
  "src/core/clock.ts": ["Date.now", "performance", "setTimeout", "clearTimeout"],
  "src/core/random.ts": ["randomBytes"],
  "src/sandbox/simulated-clock.ts": ["node:timers/promises", "setImmediate"],
};

const MOST_LINES = 400;
const root = new URL("../", import.meta.url);

function read(folder: string): Sources {
  const files = readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".ts"))
    .sort();
  return new Map(files.map((name) => [name, readFileSync(new URL(name, root), "utf8")]));
}

const sources = read("src");
const code: Sources = new Map([...sources].filter(([path]) => !path.endsWith(".d.ts")));

describe("the source", () => {
  it("is there to be looked at", () => {
    expect(sources.size).toBeGreaterThan(30);
    for (const layer of Object.keys(layers)) expect([...sources.keys()].join("\n")).toContain(`src/${layer}/`);
  });

  it("keeps to its layers", () => {
    expect(layerViolations(sources, layers, bridges)).toEqual([]);
  });

  it("needs every bridge it has", () => {
    const all = layerViolations(sources, layers).map((violation) => violation.split(":")[0]);
    expect([...new Set(all)]).toEqual(Object.keys(bridges));
  });

  it("has no rings of imports", () => {
    expect(importCycles(sources)).toEqual([]);
  });

  it("takes time and randomness from outside, switches no check off and puts nothing off", () => {
    expect(bannedUses(code, exceptions)).toEqual([]);
  });

  it("needs every exception it has", () => {
    const all = bannedUses(code, {});
    for (const [path, uses] of Object.entries(exceptions)) {
      for (const use of uses) expect(all).toContain(`${path}: ${use}`);
    }
  });

  it("is in files that can be read at one go", () => {
    const long = [...sources].filter(([, text]) => text.split("\n").length > MOST_LINES).map(([path]) => path);
    expect(long).toEqual([]);
  });

  it("lets the layers stand one above the other", () => {
    const order = Object.keys(layers);
    for (const [name, { folders }] of Object.entries(layers)) {
      for (const folder of folders) expect(order.indexOf(folder)).toBeLessThan(order.indexOf(name));
    }
  });
});

describe("the check of layers bites on", () => {
  const planted: readonly [string, string, string][] = [
    ["src/core/a.ts", 'import { el } from "../codec/xml.ts";', "../codec/xml.ts"],
    ["src/core/a.ts", 'import jid from "@xmpp/jid";', "@xmpp/jid"],
    ["src/core/a.ts", 'import { readFile } from "node:fs/promises";', "node:fs/promises"],
    ["src/codec/a.ts", 'import type { Channel } from "../channel/channel.ts";', "../channel/channel.ts"],
    ["src/codec/a.ts", 'export * from "../thing/thing.ts";', "../thing/thing.ts"],
    ["src/codec/a.ts", 'export { x } from "../thing/thing.ts";', "../thing/thing.ts"],
    ["src/codec/a.ts", 'type T = import("../thing/thing.ts").Thing;', "../thing/thing.ts"],
    ["src/codec/a.ts", 'const t = await import("../thing/thing.ts");', "../thing/thing.ts"],
    ["src/codec/a.ts", 'import t = require("../thing/thing.ts");', "../thing/thing.ts"],
    ["src/codec/a.ts", "const t = await import(name);", "a computed name"],
    ["src/channel/a.ts", 'import { connect } from "node:net";', "node:net"],
    ["src/channel/a.ts", 'import "@xmpp/client-core";', "@xmpp/client-core"],
    ["src/registry/a.ts", 'import { Guard } from "../provisioning/guard.ts";', "../provisioning/guard.ts"],
    [
      "src/sandbox/a.ts",
      'import { StanzaChannel } from "../channel/stanza-channel.ts";',
      "../channel/stanza-channel.ts",
    ],
    ["src/sandbox/a.ts", 'import { openStream } from "../connection/stream.ts";', "../connection/stream.ts"],
    ["src/sandbox/attach-account.ts", 'import { Thing } from "../thing/thing.ts";', "../thing/thing.ts"],
    ["src/sandbox/server/a.ts", 'import { Thing } from "../../thing/thing.ts";', "../../thing/thing.ts"],
    ["src/thing/a.ts", 'import { main } from "../cli/main.ts";', "../cli/main.ts"],
    ["src/thing/a.ts", 'import { pki } from "node-forge";', "node-forge"],
    ["src/owner/a.ts", 'import { Thing } from "../thing/thing.ts";', "../thing/thing.ts"],
    ["src/index.ts", 'export * from "lru-cache";', "lru-cache"],
  ];

  it.each(planted)("%s: %s", (path, text, module) => {
    expect(layerViolations(new Map([[path, text]]), layers, bridges)).toEqual([`${path}: may not import ${module}`]);
  });

  it("a folder that nobody has thought of", () => {
    expect(layerViolations(new Map([["src/utils/a.ts", ""]]), layers)).toEqual([
      "src/utils/a.ts: the folder utils is in no layer",
    ]);
  });

  it("nothing that is allowed", () => {
    const fine = new Map([
      ["src/codec/a.ts", 'import xml from "@xmpp/xml";\nimport { jid } from "../core/jid.ts";\nimport "./b.ts";'],
      ["src/connection/a.ts", 'import T from "@xmpp/tcp/lib/Connection.js";\nimport { connect } from "node:tls";'],
      ["src/index.ts", 'export { Thing } from "./thing/thing.ts";'],
      ["src/thing/a.ts", '// import { main } from "../cli/main.ts";\nconst s = `import "../cli/main.ts"`;'],
    ]);
    expect(layerViolations(fine, layers)).toEqual([]);
  });
});

describe("the check of rings bites on", () => {
  it("two files, and three, and one that imports itself, each told once", () => {
    const rings = new Map([
      ["src/a/1.ts", 'import "./2.ts";'],
      ["src/a/2.ts", 'import type { X } from "./1.ts";'],
      ["src/b/1.ts", 'import "../c/1.ts";'],
      ["src/c/1.ts", 'const x = await import("../d/1.ts");'],
      ["src/d/1.ts", 'export * from "../b/1.ts";\nimport "../a/1.ts";'],
      ["src/e/1.ts", 'import "./1.ts";'],
      ["src/f/1.ts", 'import "../a/1.ts";\nimport "../b/1.ts";'],
    ]);
    expect(importCycles(rings)).toEqual([
      "src/a/1.ts -> src/a/2.ts -> src/a/1.ts",
      "src/b/1.ts -> src/c/1.ts -> src/d/1.ts -> src/b/1.ts",
      "src/e/1.ts -> src/e/1.ts",
    ]);
  });

  it("nothing where many roads lead to one file", () => {
    const diamond = new Map([
      ["src/1.ts", 'import "./2.ts";\nimport "./3.ts";'],
      ["src/2.ts", 'import "./4.ts";'],
      ["src/3.ts", 'import "./4.ts";'],
      ["src/4.ts", ""],
    ]);
    expect(importCycles(diamond)).toEqual([]);
  });
});

describe("the check of bans bites on", () => {
  it.each([
    ["const t = Date.now();", "Date.now"],
    ["const t = Date.now;", "Date.now"],
    ["const t = new Date();", "new Date()"],
    ["const t = new Date;", "new Date()"],
    ["const t = Date();", "Date()"],
    ["const t = performance.now();", "performance"],
    ["const t = globalThis.performance.now();", "performance"],
    ["const t = process.hrtime.bigint();", "process.hrtime"],
    ["const r = Math.random();", "Math.random"],
    ["setTimeout(f, 1);", "setTimeout"],
    ["globalThis.setTimeout(f, 1);", "setTimeout"],
    ["const later = setTimeout;", "setTimeout"],
    ["setInterval(f, 1);", "setInterval"],
    ["setImmediate(f);", "setImmediate"],
    ['import { setTimeout as sleep } from "node:timers/promises";', "node:timers/promises"],
    ['import { performance } from "node:perf_hooks";', "node:perf_hooks"],
    ["const s = AbortSignal.timeout(5);", "AbortSignal.timeout"],
    ['import { randomBytes } from "node:crypto";', "randomBytes"],
    ['import { randomUUID as id } from "node:crypto";', "randomUUID"],
    ['import crypto from "node:crypto"; crypto.randomInt(5);', "randomInt"],
    ["const id = crypto.randomUUID();", "crypto.randomUUID"],
    ["crypto.getRandomValues(a);", "crypto.getRandomValues"],
    ["const x = y as any;", "any"],
    ["function f(x: any[]) {}", "any"],
    ['console.log("x");', "console"],
    ["// @ts-ignore", "@ts-ignore"],
    ["/* eslint-disable no-console */", "eslint-disable"],
    ["// TODO later", "TODO"],
  ])("%s", (text, what) => {
    expect(bannedUses(new Map([["src/thing/a.ts", text]]), {})).toEqual([`src/thing/a.ts: ${what}`]);
    expect(bannedUses(new Map([["src/thing/a.ts", text]]), { "src/thing/a.ts": [what] })).toEqual([]);
    expect(bannedUses(new Map([["src/thing/a.ts", text]]), { "src/thing/b.ts": [what] })).not.toEqual([]);
  });

  it.each([
    "const t = new Date(clock.now());",
    "const t = Date.UTC(2026, 0, 1);",
    "socket.setTimeout(0);",
    "const anything = { any: 1 };",
    "io.console.log(1);",
    "interface Clock { setTimeout(ms: number): void; performance: number }",
    '// Date.now and Math.random are banned\nconst s = "setTimeout(f)";',
    "/** @example `console.log(thing)` */",
    'import { createHash } from "node:crypto";',
  ])("not on %s", (text) => {
    expect(bannedUses(new Map([["src/thing/a.ts", text]]), {})).toEqual([]);
  });
});
