// The world that the snippets of the guides speak of: a sandbox that is example.org, one that is the reader's desk, a
// folder to stand in, and whoever else a snippet names. Made anew for each snippet, and only as far as it needs it.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { format } from "node:util";
import { expect, vi } from "vitest";
import { connect, type Connection, type ConnectOptions } from "../../../src/connection/connect.ts";
import { OwnerClient } from "../../../src/owner/owner-client.ts";
import { startSandbox, type Sandbox, type SandboxOptions } from "../../../src/sandbox/sandbox.ts";
import type { ServiceOptions } from "../../../src/service/options.ts";
import { ServiceClient } from "../../../src/service/service-client.ts";
import { memoryStorage } from "../../../src/storage/memory-storage.ts";
import { discover, type DiscoverOptions } from "../../../src/discovery/discover.ts";
import type { ServerOptions, ThingOptions } from "../../../src/thing/options.ts";
import { Thing } from "../../../src/thing/thing.ts";
import { Announcements, announced, onlyBy } from "../finders.ts";
import { root, snippetWith, type Snippet } from "./snippets.ts";

/** How long is waited for what comes sooner or later. */
export const within = { timeout: 10_000, interval: 10 };

/** What is said of a server, in options of the SDK. */
type Reach = Pick<Partial<ConnectOptions>, "service" | "domain" | "tls">;

/** What a module of the guides exports. */
export type Exported = Readonly<Record<string, unknown>>;

/** Where snippets look for what is no part of them. */
const SEAM = "guidesSeam";

// In the place of `xmpp-thing`: the same, with the servers of the test where the guides name others.
const shims: Readonly<Record<string, string>> = {
  index: `
import { Thing as Base, fileStorage as base } from "../../src/index.ts";
export * from "../../src/index.ts";
export class Thing extends Base {
  constructor(options) {
    super(${SEAM}.thingOptions(options));
    ${SEAM}.made(this);
  }
}
export const fileStorage = (folder, ...rest) => base(${SEAM}.path(folder), ...rest);
`,
  owner: `
import { connect as base } from "../../src/owner/index.ts";
export * from "../../src/owner/index.ts";
export const connect = (options) => base(${SEAM}.reach(options));
`,
  service: `
import { ServiceClient as Base, fileStorage as base } from "../../src/service/index.ts";
export * from "../../src/service/index.ts";
export class ServiceClient extends Base {
  static connect(options) {
    return Base.connect(${SEAM}.reach(options));
  }
}
export const fileStorage = (folder, ...rest) => base(${SEAM}.path(folder), ...rest);
`,
  sandbox: `
import * as base from "../../src/sandbox/index.ts";
export * from "../../src/sandbox/index.ts";
export const startSandbox = (options) => base.startSandbox(${SEAM}.sandboxOptions(options));
export const attachAccount = async (service, options) =>
  ${SEAM}.attached(await base.attachAccount(service, ${SEAM}.account(options)));
export const attachComponent = async (service, options) => ${SEAM}.attached(await base.attachComponent(service, options));
`,
  discovery: `
export * from "../../src/discovery/index.ts";
export const discover = (options) => ${SEAM}.discover(options);
`,
};

/** Where the snippets of this process are: inside the project, whose packages they import. */
const modules = `${root}build/guides-${process.pid}`;
let written = 0;

/** Removes what the worlds of this process have written. */
export function removeModules(): void {
  rmSync(modules, { recursive: true, force: true });
}

/** A world for one snippet. */
export class World {
  /** The folder that the snippet stands in. Absolute paths of the guides are below it too. */
  readonly folder = mkdtempSync(join(tmpdir(), "xmpp-thing-guide-"));
  /** What the snippet has said with `console.log`. */
  readonly said: string[] = [];
  /** What it has said with `console.error`. */
  readonly complaints: string[] = [];
  /** The Things that it has made. */
  readonly things: Thing[] = [];
  /** Options that every discovery of the snippet has. */
  discovery: DiscoverOptions = { dhcp: false, mdns: false };
  /** Told of each of them, before it is started. */
  onThing: (thing: Thing) => void = () => undefined;
  readonly #undo: (() => unknown)[] = [];
  readonly #running = new Map<string, Sandbox>();
  readonly #was = process.cwd();
  constructor() {
    process.chdir(this.folder);
    if (!existsSync(modules)) {
      mkdirSync(modules, { recursive: true });
      for (const [name, code] of Object.entries(shims)) this.write(`${name}.ts`, code);
    }
    this.give(SEAM, {
      made: (thing: Thing): void => {
        this.things.push(thing);
        this.onThing(thing);
      },
      thingOptions: (options: ThingOptions) => this.#thingOptions(options),
      path: (path: string) => this.path(path),
      reach: (options: Reach) => this.#reach(options),
      account: ({ ...options }: Reach) => {
        const { service, tls } = this.#reach(options);
        return { ...options, service, tls };
      },
      sandboxOptions: (options: SandboxOptions = {}): SandboxOptions => ({
        ...options,
        ...(options.announce !== undefined && { port: 0, announce: { ...options.announce, interface: "lo" } }),
      }),
      attached: <T extends { close(): Promise<void> }>(one: T): T => (this.later(() => one.close()), one),
      discover: (options: DiscoverOptions = {}) => discover({ ...this.discovery, ...options }),
    });
    vi.spyOn(console, "log").mockImplementation((...parts) => void this.said.push(format(...parts)));
    vi.spyOn(console, "error").mockImplementation((...parts) => void this.complaints.push(format(...parts)));
  }

  /** What is to be undone at the end, last first. */
  later(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  /** Gives the snippet something by a global name: what it declares and has not. */
  give(name: string, value: unknown): void {
    Reflect.set(globalThis, name, value);
    this.later(() => Reflect.deleteProperty(globalThis, name));
  }

  /** Writes a module that snippets can import. */
  write(name: string, code: string): string {
    const file = `${modules}/${name}`;
    const part = (_: string, name: string | undefined): string => `from "./${name ?? "index"}.ts"`;
    writeFileSync(file, code.replaceAll(/from "xmpp-thing(?:\/(\w+))?"/g, part));
    return file;
  }

  /** Where a path of the guides is here. */
  path(path: string): string {
    return isAbsolute(path) ? join(this.folder, "root", path) : join(this.folder, path);
  }

  /** The sandbox of a domain: `example.org`, or `localhost` for the reader's desk. Everybody may do everything there. */
  async sandbox(domain = "example.org"): Promise<Sandbox> {
    const running = this.#running.get(domain);
    if (running !== undefined) return running;
    const sandbox = await startSandbox({ domain });
    this.#running.set(domain, sandbox);
    this.later(() => sandbox.stop());
    sandbox.provisioning.setRules([{ friend: true, read: true, control: true }]);
    return sandbox;
  }

  /** Somebody who is online. */
  async user(name: string, domain?: string): Promise<Connection> {
    (await this.sandbox(domain)).addUser(name, "secret");
    return this.session(name, domain);
  }

  /** One more connection of somebody who has an account. */
  async session(username: string, domain?: string, password = "secret"): Promise<Connection> {
    const { service, domain: at, ca } = await this.sandbox(domain);
    const connection = await connect({ service, domain: at, username, password, tls: { ca } });
    this.later(() => connection.close());
    return connection;
  }

  /** The client of somebody who is online. */
  async owner(name: string, domain?: string): Promise<OwnerClient> {
    return new OwnerClient(await this.user(name, domain));
  }

  /** A service that is logged in. */
  async service(name: string, options: Partial<ServiceOptions>, domain?: string): Promise<ServiceClient> {
    const sandbox = await this.sandbox(domain);
    const { username, password } = sandbox.addUser(name);
    const service = await ServiceClient.connect({
      ...{ service: sandbox.service, domain: sandbox.domain, tls: { ca: sandbox.ca } },
      ...{ account: { username, password }, certificate: { make: true }, storage: memoryStorage() },
      ...options,
    });
    this.later(() => service.close());
    return service;
  }

  /** A Thing at a name of its own, as the guides speak of it. */
  async thing(name: string, options: Partial<ThingOptions>, domain?: string): Promise<Thing> {
    const sandbox = await this.sandbox(domain);
    const { username, password } = sandbox.addUser(name);
    const thing = new Thing({
      storage: memoryStorage(),
      server: { service: sandbox.service, domain: sandbox.domain },
      tls: { ca: sandbox.ca },
      account: { username, password },
      provisioning: [sandbox.provisioning.jid],
      ...options,
    });
    this.later(() => thing.stop());
    await thing.start();
    await thing.waitFor("registered", { timeout: 10_000 });
    return thing;
  }

  /** Runs a snippet, and gives what it exports. */
  async load({ text }: Pick<Snippet, "text">): Promise<Exported> {
    // It must know them when it makes its Things.
    if (/example\.org|new Thing\(/.test(text)) await this.sandbox();
    if (text.includes("127.0.0.1")) await this.sandbox("localhost");
    const file = this.write(`snippet-${written++}.ts`, text);
    return (await import(file)) as Exported;
  }

  /** Runs another snippet, by words of it. */
  other(words: string): Promise<Exported> {
    return this.load(snippetWith(words));
  }

  /** Resolves when the snippet has said it. */
  async hears(what: RegExp): Promise<RegExpExecArray> {
    await expect.poll(() => this.said.join("\n"), within).toMatch(what);
    return what.exec(this.said.join("\n")) as RegExpExecArray;
  }

  /** The Thing that the snippet has made, when it is registered. */
  async itsThing(): Promise<Thing> {
    const [thing] = this.things;
    if (thing === undefined) throw new Error("the snippet has made no Thing");
    await thing.waitFor("registered", { timeout: 10_000 });
    return thing;
  }

  /** The Thing that the snippet has made, claimed by somebody, who is online and whom it knows to be its owner. */
  async claimed(name: string): Promise<{ owner: OwnerClient; thing: Thing; jid: string }> {
    const thing = await this.itsThing();
    const [, domain] = /@([^/]+)/.exec(thing.jid) ?? [];
    const owner = await this.owner(name, domain);
    const { jid = "" } = await owner.claim(thing.claimText);
    await thing.waitFor("provisioned", { timeout: 10_000 });
    return { owner, thing, jid };
  }

  /** What the guides name, here: by the name the sandbox of that domain. */
  #reach<T extends Reach>(options: T): T {
    const { service = "" } = options;
    const [, host = ""] = /^xmpp:\/\/(127\.0\.0\.1(?=:5222$)|[a-z.]+$)/.exec(service) ?? [];
    const sandbox = this.#running.get(host === "127.0.0.1" ? "localhost" : host);
    if (sandbox === undefined) return options;
    const tls = options.tls?.unverified === undefined ? { ca: sandbox.ca, ...options.tls } : options.tls;
    return { ...options, service: sandbox.service, domain: sandbox.domain, tls };
  }

  #thingOptions(options: ThingOptions): ThingOptions {
    const { server, certificate } = options;
    const its = typeof certificate?.file === "string" && {
      certificate: { ...certificate, file: this.path(certificate.file) },
    };
    const found = this.#running.get("example.org");
    if (server !== undefined || found === undefined) {
      const { service, domain, tls } = this.#reach({ ...server, tls: options.tls });
      return { ...options, ...its, server: { ...server, service, domain } as ServerOptions, tls: tls ?? {} };
    }
    // Nothing is said of a server: it is found, and not on a real network.
    const announcement = announced(found.service, found.domain);
    return {
      ...options,
      ...its,
      server: onlyBy(new Announcements(announcement)),
      tls: { ca: found.ca, ...options.tls },
    };
  }

  /** Ends everything that there was. */
  async end(): Promise<void> {
    for (const thing of this.things) await thing.stop();
    for (const undo of this.#undo.splice(0).reverse()) await undo();
    vi.restoreAllMocks();
    process.chdir(this.#was);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
