// A client that nobody here wrote: slixmpp of Debian (python3-slixmpp), its plugins for XEP-0323 and XEP-0325 as they are.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { missing, type RealXmppServer } from "./server-process.ts";

// Debian's packages are seen by Debian's Python only.
const PYTHON = "/usr/bin/python3";
const PEER = fileURLToPath(new URL("../interop/slixmpp_peer.py", import.meta.url));

const imports = "import slixmpp.plugins.xep_0323, slixmpp.plugins.xep_0325";

/** Why there is no slixmpp here; `undefined` if there is. With `REQUIRE_SLIXMPP=1` a missing one fails the run. */
export const noSlixmpp: string | undefined =
  spawnSync(PYTHON, ["-c", imports], { stdio: "ignore" }).status === 0 ? undefined : missing("slixmpp");

/** What slixmpp saw, as `slixmpp_peer.py` prints it. */
export interface Sighting {
  readonly event: string;
  readonly [what: string]: unknown;
}

/** A request as slixmpp numbers it: its sequence number, and the id of its stanza. */
export interface Requested {
  readonly name: string;
  readonly id: string;
}

const PATIENCE = 15_000;

/** slixmpp, logged in to a server as a process of its own. */
export class Slixmpp {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #seen: Sighting[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #gone: Promise<unknown>;
  /** What Python said on its standard error. */
  said = "";
  #requests = 0;
  /** Its full JID. */
  jid = "";

  private constructor(server: RealXmppServer, username: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "slixmpp-"));
    const ca = join(this.#folder, "ca.pem");
    writeFileSync(ca, server.ca);
    const args = [PEER, String(server.port), `${username}@${server.domain}/slixmpp`, "secret", ca];
    const child = spawn(PYTHON, args, { stdio: "pipe", env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } });
    this.#child = child;
    this.#gone = new Promise((resolve) => child.once("error", resolve).once("close", resolve));
    process.once("exit", this.#onExit);
    child.stderr.on("data", (chunk: Buffer) => (this.said += chunk.toString()));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#seen.push(JSON.parse(line) as Sighting);
      this.#watchers.forEach((watch) => watch());
    });
    void this.#gone.then(() => this.#watchers.forEach((watch) => watch()));
  }

  readonly #onExit = (): void => void this.#child.kill("SIGKILL");

  /** Logs in as a new account. */
  static async start(server: RealXmppServer, username: string): Promise<Slixmpp> {
    const peer = new Slixmpp(server, username);
    try {
      const [online] = await peer.sees((all) => all.some(({ event }) => event === "online"));
      peer.jid = String(online?.["jid"]);
      return peer;
    } catch (error) {
      await peer.stop();
      throw error;
    }
  }

  /** All that it has seen, oldest first. */
  get seen(): readonly Sighting[] {
    return this.#seen;
  }

  /** What its handlers, those of the plugins too, did not expect. */
  get exceptions(): readonly Sighting[] {
    return this.#seen.filter(({ event }) => event === "exception");
  }

  /** Tells it what to do. */
  tell(command: Readonly<Record<string, unknown>>): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** Waits until what it has seen is enough; gives all of it. */
  async sees(enough: (all: readonly Sighting[]) => boolean): Promise<readonly Sighting[]> {
    let timer: NodeJS.Timeout | undefined;
    let watch: () => void = () => undefined;
    const waiting = new Promise<readonly Sighting[]>((resolve, reject) => {
      const give = (why: string): void =>
        reject(new Error(`slixmpp ${why}; it saw ${JSON.stringify(this.#seen)} and said ${this.said}`));
      watch = () => {
        if (enough(this.#seen)) resolve(this.#seen);
        else if (this.#child.exitCode !== null) give("has ended");
      };
      timer = setTimeout(() => give("did not see it"), PATIENCE);
      this.#watchers.add(watch);
      watch();
    });
    try {
      return await waiting;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watch);
    }
  }

  /** Tells it to do something, and waits for its first answer of that event. */
  async did(command: Readonly<Record<string, unknown>>, event: string): Promise<Sighting> {
    const from = this.#seen.length;
    this.tell(command);
    const isIt = (sighting: Sighting): boolean => sighting.event === event;
    const all = await this.sees((seen) => seen.slice(from).some(isIt));
    return all.slice(from).find(isIt) as Sighting;
  }

  /** Begins a readout by its plugin. */
  read(
    to: string,
    what: { nodes?: readonly string[]; fields?: readonly string[]; flags?: object } = {},
  ): Promise<Requested> {
    const { flags = { momentary: "true" } } = what;
    return this.#request({ do: "read", to, ...what, flags });
  }

  /** Sets parameters by its plugin, by IQ: name, type, value. */
  set(to: string, fields: readonly (readonly string[])[], nodes?: readonly string[]): Promise<Requested> {
    return this.#request({ do: "set", to, fields, ...(nodes && { nodes }) });
  }

  /** What its plugin has called back with of a request. */
  calls({ name }: Requested): readonly Sighting[] {
    return this.#seen.filter((one) => ["readout", "set"].includes(one.event) && one["name"] === name);
  }

  /** The same, once it has called back with one of these results. */
  async calledBack(request: Requested, ...last: readonly string[]): Promise<readonly Sighting[]> {
    const isOver = (): boolean => this.calls(request).some((one) => last.includes(String(one["result"])));
    await this.sees(isOver);
    return this.calls(request);
  }

  /** The error that slixmpp itself has read in answer to a request: its plugins are told of none. */
  refused(request: Requested): Promise<Sighting> {
    return this.#answer(request, "error");
  }

  /** What slixmpp itself has read of what was set: its plugin leaves that out. */
  answered(request: Requested): Promise<Sighting> {
    return this.#answer(request, "response");
  }

  /** Ends it, and removes its files. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(this.#onExit, 5_000);
    await this.#gone;
    clearTimeout(timer);
    process.off("exit", this.#onExit);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The plugins count from 1 each, so an id comes twice: what counts is what came after the request. */
  async #answer({ name, id }: Requested, event: string): Promise<Sighting> {
    const from = this.#seen.findIndex((one) => one.event === "requested" && one["name"] === name);
    const isIt = (one: Sighting): boolean => one.event === event && one["id"] === id;
    const all = await this.sees((seen) => seen.slice(from).some(isIt));
    return all.slice(from).find(isIt) as Sighting;
  }

  async #request(command: Readonly<Record<string, unknown>>): Promise<Requested> {
    const name = `request ${++this.#requests}`;
    const requested = await this.did({ ...command, name }, "requested");
    return { name, id: String(requested["id"]) };
  }
}
