// A Prosody of one's own: free ports, a folder of its own, a certificate of an authority made for this run. Made for
// Prosody 0.12 as Debian has it.
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "node:tls";
import { makeAuthority, makeCertificate } from "./certificates.ts";

/** A running Prosody. */
export interface Prosody {
  /** The port for clients, with STARTTLS. */
  readonly port: number;
  /** The port for clients with direct TLS. */
  readonly tlsPort: number;
  /** The port for components (XEP-0114). */
  readonly componentPort: number;
  readonly domain: "localhost";
  /** The authority that signed its certificate, PEM. */
  readonly ca: string;
  /** The secrets of the components, by their domains. */
  readonly componentSecrets: ReadonlyMap<string, string>;
  /** Ends it at once, as a power cut does. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, on the same ports, with what it has stored. */
  restart(): Promise<void>;
  /** Ends it and removes what it stored. */
  stop(): Promise<void>;
}

/** Why there is no Prosody here; `undefined` if there is. With `REQUIRE_PROSODY=1` a missing one fails the run. */
export const noProsody: string | undefined = findProsody();

function findProsody(): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, "prosody"), constants.X_OK);
      return undefined;
    } catch {
      continue;
    }
  }
  const reason = "prosody is not installed: the tests that need a real XMPP server are skipped";
  if (process.env["REQUIRE_PROSODY"] === "1") throw new Error(reason);
  console.log(reason);
  return reason;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) =>
          server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
        ),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function config(folder: string, ports: readonly number[], secrets: ReadonlyMap<string, string>): string {
  const [port, tlsPort, componentPort] = ports;
  const components = [...secrets].map(([name, secret]) => `Component "${name}"\n  component_secret = "${secret}"`);
  // Settings that tests need: no throttle on registrations, no Nagle, root if the tests run as root.
  return `
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
run_as_root = ${process.getuid?.() === 0}
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
c2s_direct_tls_ports = { ${tlsPort} }
component_ports = { ${componentPort} }
component_interfaces = { "127.0.0.1" }
modules_enabled = { "posix", "roster", "saslauth", "tls", "disco", "register_ibr", "register", "ping", "presence",
  "message", "iq", "c2s", "component", "offline", "blocklist", "time", "version" }
modules_disabled = { "s2s" }
allow_registration = true
min_seconds_between_registrations = 0
registration_throttle_max = 0
c2s_require_encryption = true
authentication = "internal_hashed"
storage = "internal"
network_settings = { nagle = false }
ssl = { certificate = "${folder}/server.crt", key = "${folder}/server.key" }
log = { { levels = { min = "debug" }, to = "file", filename = "${folder}/prosody.log" } }
VirtualHost "localhost"
${components.join("\n")}
`;
}

/**
 * Starts a Prosody; `undefined` if there is none on this machine. Resolves when it answers, and it is this one that
 * answers: its certificate is of an authority that nobody else has.
 */
export async function startProsody(options: { components?: readonly string[] } = {}): Promise<Prosody | undefined> {
  if (noProsody !== undefined) return undefined;
  const { components = ["discovery.localhost", "provisioning.localhost"] } = options;
  const secrets = new Map(components.map((name) => [name, Math.random().toString(36).slice(2)]));
  const authority = makeAuthority();
  const certificate = makeCertificate(authority);
  for (let tries = 1; ; tries++) {
    const folder = mkdtempSync(join(tmpdir(), "prosody-"));
    const ports = await freePorts(3);
    mkdirSync(join(folder, "data"));
    writeFileSync(join(folder, "server.crt"), certificate.cert);
    writeFileSync(join(folder, "server.key"), certificate.key, { mode: 0o600 });
    writeFileSync(join(folder, "prosody.cfg.lua"), config(folder, ports, secrets));
    const server = new Process(folder, ports, authority.cert);
    try {
      await server.start();
    } catch (error) {
      await server.end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
      // Somebody else may have taken a port meanwhile.
      if (tries === 3) throw error;
      continue;
    }
    const [port, tlsPort, componentPort] = ports as [number, number, number];
    return {
      ...{ port, tlsPort, componentPort, domain: "localhost", ca: authority.cert, componentSecrets: secrets },
      kill: () => server.end("SIGKILL"),
      restart: () => server.start(),
      stop: async () => {
        await server.end("SIGTERM");
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }
}

class Process {
  readonly #folder: string;
  readonly #ports: readonly number[];
  readonly #ca: string;
  #child: ChildProcess | undefined;
  #gone: Promise<unknown> = Promise.resolve();
  readonly #onExit = (): void => void this.#child?.kill("SIGKILL");

  constructor(folder: string, ports: readonly number[], ca: string) {
    this.#folder = folder;
    this.#ports = ports;
    this.#ca = ca;
  }

  async start(): Promise<void> {
    const log = join(this.#folder, "prosody.log");
    writeFileSync(log, "");
    const child = spawn("prosody", ["--config", join(this.#folder, "prosody.cfg.lua"), "-F"], { stdio: "ignore" });
    this.#child = child;
    this.#gone = new Promise((resolve) => child.once("close", resolve));
    process.once("exit", this.#onExit);
    for (let waited = 0; !(await this.#answers()); waited += 20) {
      if (child.exitCode !== null || waited > 15_000) throw new Error(`prosody does not start: ${this.#log()}`);
      await wait(20);
    }
    for (const port of this.#ports) {
      if (!this.#log().includes(`on [127.0.0.1]:${port}`)) throw new Error(`prosody has no port ${port}`);
    }
  }

  async end(how: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#child?.kill(how);
    const insist = setTimeout(() => this.#child?.kill("SIGKILL"), 3_000);
    await this.#gone;
    clearTimeout(insist);
    process.removeListener("exit", this.#onExit);
  }

  #log(): string {
    return readFileSync(join(this.#folder, "prosody.log"), "utf8");
  }

  /** Whether it is ready: it accepts connections before it is. */
  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({
        host: "127.0.0.1",
        port: this.#ports[1],
        servername: "localhost",
        ca: this.#ca,
        ALPNProtocols: ["xmpp-client"],
      });
      const done = (ready: boolean): void => {
        socket.destroy();
        resolve(ready);
      };
      let seen = "";
      socket.setTimeout(2_000, () => done(false));
      socket.once("error", () => done(false));
      socket.once("close", () => done(false));
      socket.once("secureConnect", () =>
        socket.write(
          "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>",
        ),
      );
      socket.on("data", (data: Buffer) => {
        seen += data.toString();
        if (seen.includes("</stream:features>")) done(true);
      });
    });
  }
}
