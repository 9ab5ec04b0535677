// What the real servers of the tests have in common: a process of one's own, with ports, a folder and a certificate of
// its own, that is ready when it answers and leaves nothing behind.
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectPlain, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "node:tls";
import { makeAuthority, makeCertificate, type Certificate } from "./certificates.ts";

/** How a server is made to end: in good order, or as by a power cut. */
export type EndSignal = "SIGTERM" | "SIGKILL";

/** A real XMPP server that the tests started. */
export interface RealXmppServer {
  readonly name: string;
  /** The port for clients, with STARTTLS. */
  readonly port: number;
  /** The port for clients with direct TLS. */
  readonly tlsPort: number;
  readonly domain: "localhost";
  /** The authority that signed its certificate, PEM. */
  readonly ca: string;
  /** For how long it keeps what it has stored in memory only, in milliseconds: `kill` undoes it. */
  readonly writesAfter: number;
  /** Where a component is attached, and with which secret (XEP-0114). */
  component(jid: string): { readonly service: string; readonly secret: string };
  /** Ends it, at once if nothing else is said. */
  kill(signal?: EndSignal): Promise<void>;
  /** Starts it again after `kill`, on the same ports, with what it has stored. */
  restart(): Promise<void>;
  /** Ends it and removes what it stored. */
  stop(): Promise<void>;
}

/** What is to be known of a kind of server in order to run it. */
export interface ServerKind {
  readonly name: string;
  /** For how long it keeps what it has stored in memory only, in milliseconds. */
  readonly writesAfter: number;
  /** Domains that it serves besides `localhost`. */
  readonly hosts?: readonly string[];
  /** How many ports it needs: clients, clients with direct TLS, then those for components. */
  readonly ports: (components: number) => number;
  /** Writes its files into the folder. */
  readonly prepare: (folder: string, ports: readonly number[], certificate: Certificate, secrets: Secrets) => void;
  /** What is to be run. */
  readonly command: (folder: string) => {
    file: string;
    args: readonly string[];
    env: Readonly<Record<string, string>>;
  };
  /** Its log, in the folder. */
  readonly log: string;
  /** What its log must say of a port; nothing if it ends by itself without one. */
  readonly listens?: (port: number) => string;
}

/** The secrets of the components, by their domains, in the order of their ports. */
export type Secrets = ReadonlyMap<string, string>;

/** Tells whether a program is to be found. */
export function isInstalled(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The reason why tests are skipped, printed; with `REQUIRE_…=1` a missing server fails the run. */
export function missing(name: string): string {
  const reason = `${name} is not installed: the tests that need it are skipped`;
  if (process.env[`REQUIRE_${name.toUpperCase()}`] === "1") throw new Error(reason);
  console.log(reason);
  return reason;
}

/**
 * Ports that nobody uses. Below those that the system gives away by itself: while a server is down nobody else comes by
 * its port, and a client that tries it again and again does not get connected to itself.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/**
 * Starts a server. Resolves when it answers, and it is this one that answers: its certificate is of an authority that
 * nobody else has.
 */
export async function startServer(kind: ServerKind, components: readonly string[]): Promise<RealXmppServer> {
  const secrets = new Map(components.map((name) => [name, Math.random().toString(36).slice(2)]));
  const authority = makeAuthority();
  const certificate = makeCertificate(authority, { dns: ["localhost", "*.localhost", ...(kind.hosts ?? [])] });
  for (let tries = 1; ; tries++) {
    const folder = mkdtempSync(join(tmpdir(), `${kind.name.toLowerCase()}-`));
    const ports = await freePorts(kind.ports(components.length));
    kind.prepare(folder, ports, certificate, secrets);
    const server = new ServerProcess(kind, folder, ports, authority.cert);
    try {
      await server.start();
    } catch (error) {
      await server.end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
      // Somebody else may have taken a port meanwhile.
      if (tries === 3) throw error;
      continue;
    }
    const [port, tlsPort, ...componentPorts] = ports as [number, number, ...number[]];
    return {
      ...{ name: kind.name, port, tlsPort, domain: "localhost", ca: authority.cert, writesAfter: kind.writesAfter },
      component: (jid) => {
        const index = components.indexOf(jid);
        const its = componentPorts[index] ?? componentPorts[0] ?? 0;
        return { service: `xmpp://127.0.0.1:${its}`, secret: secrets.get(jid) ?? "" };
      },
      kill: (signal = "SIGKILL") => server.end(signal),
      restart: () => server.start(),
      stop: async () => {
        await server.end("SIGTERM");
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }
}

const PATIENCE = 30_000;

class ServerProcess {
  readonly #kind: ServerKind;
  readonly #folder: string;
  readonly #ports: readonly number[];
  readonly #ca: string;
  #child: ChildProcess | undefined;
  #gone: Promise<unknown> = Promise.resolve();
  readonly #onExit = (): void => void this.#child?.kill("SIGKILL");

  constructor(kind: ServerKind, folder: string, ports: readonly number[], ca: string) {
    this.#kind = kind;
    this.#folder = folder;
    this.#ports = ports;
    this.#ca = ca;
  }

  async start(): Promise<void> {
    writeFileSync(this.#logFile, "");
    const { file, args, env } = this.#kind.command(this.#folder);
    const child = spawn(file, args, { stdio: "ignore", env: { ...process.env, ...env } });
    this.#child = child;
    let failed: Error | undefined;
    child.once("error", (error) => (failed = error));
    this.#gone = new Promise((resolve) => child.once("error", resolve).once("close", resolve));
    process.once("exit", this.#onExit);
    for (let waited = 0; !(await this.#isReady()); waited += 20) {
      if (failed !== undefined || child.exitCode !== null || waited > PATIENCE) {
        throw new Error(`${this.#kind.name} does not start: ${failed?.message ?? this.#log()}`);
      }
      await wait(20);
    }
    for (const port of this.#ports) {
      const line = this.#kind.listens?.(port);
      if (line !== undefined && !this.#log().includes(line)) throw new Error(`${this.#kind.name} has no port ${port}`);
    }
  }

  async end(how: EndSignal): Promise<void> {
    this.#child?.kill(how);
    const insist = setTimeout(() => this.#child?.kill("SIGKILL"), 5_000);
    await this.#gone;
    clearTimeout(insist);
    process.removeListener("exit", this.#onExit);
  }

  get #logFile(): string {
    return join(this.#folder, this.#kind.log);
  }

  #log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** Servers accept connections before they are ready: what counts is that they speak. */
  async #isReady(): Promise<boolean> {
    const [, tlsPort = 0, ...componentPorts] = this.#ports;
    const where = { host: "127.0.0.1", port: tlsPort, servername: "localhost", ca: this.#ca };
    const client = connect({ ...where, ALPNProtocols: ["xmpp-client"] });
    if (!(await says(client, "secureConnect", opening("jabber:client"), "</stream:features>"))) return false;
    for (const port of componentPorts) {
      const component = connectPlain({ host: "127.0.0.1", port });
      if (!(await says(component, "connect", opening("jabber:component:accept"), "<stream:stream"))) return false;
    }
    return true;
  }
}

const opening = (namespace: string): string =>
  `<stream:stream xmlns='${namespace}' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>`;

/** Whether a server that is told this says that. */
function says(socket: Socket, ready: string, told: string, expected: string): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (said: boolean): void => {
      socket.destroy();
      resolve(said);
    };
    let seen = "";
    socket.setTimeout(2_000, () => done(false));
    socket.on("error", () => done(false));
    socket.once("close", () => done(false));
    socket.once(ready, () => socket.write(told));
    socket.on("data", (data: Buffer) => {
      seen += data.toString();
      if (seen.includes(expected)) done(true);
    });
  });
}
