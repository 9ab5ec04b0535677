// An ejabberd of one's own. Made for ejabberd 23.01 as Debian has it: started without its script, which wants a user of
// its own and a name server for Erlang; so there is no `ejabberdctl` either, and accounts are made in-band.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isInstalled, missing, startServer, type RealXmppServer, type Secrets } from "./server-process.ts";

/** A running ejabberd. */
export type Ejabberd = RealXmppServer;

/** Where Debian keeps Erlang's libraries: `/usr/lib/x86_64-linux-gnu` and the like. */
const libraries = isInstalled("erl") ? findLibraries() : undefined;

function findLibraries(): string | undefined {
  for (const entry of readdirSync("/usr/lib", { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.includes("-linux-")) continue;
    const folder = join("/usr/lib", entry.name);
    if (readdirSync(folder).some((name) => /^ejabberd-\d/.test(name))) return folder;
  }
  return undefined;
}

/** Why there is no ejabberd here; `undefined` if there is. With `REQUIRE_EJABBERD=1` a missing one fails the run. */
export const noEjabberd: string | undefined = libraries !== undefined ? undefined : missing("ejabberd");

function config(folder: string, ports: readonly number[], secrets: Secrets, register: RegisterSettings): string {
  const [port, tlsPort, ...componentPorts] = ports;
  // A listener for each component: on a common one, whoever logs in as one gets the stanzas of all.
  const components = [...secrets].map(
    ([name, secret], index) =>
      `  - { port: ${componentPorts[index]}, ip: "127.0.0.1", module: ejabberd_service, backlog: 1024, hosts: { "${name}": { password: "${secret}" } } }`,
  );
  // Settings that tests need: no throttle on registrations, no end of the stream of a client that floods and is behind
  // with its acknowledgements (by default at 5,000), and more than five connections at a time that wait.
  return `
loglevel: info
hosts: [localhost]
certfiles: ["${folder}/server.pem"]
listen:
  - { port: ${port}, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true, starttls_required: true, max_stanza_size: 262144, backlog: 1024 }
  - { port: ${tlsPort}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true, max_stanza_size: 262144, backlog: 1024 }
${components.join("\n")}
auth_method: internal
auth_password_format: scram
registration_timeout: infinity
acl: { local: { user_regexp: "" } }
access_rules: { register: { ${register.allow === false ? "deny" : "allow"}: all } }
${register.captcha === undefined ? "" : `captcha_cmd: "${register.captcha}"\ncaptcha_url: "http://localhost/captcha"`}
modules:
  mod_disco: {}
  mod_roster: {}
  mod_ping: {}
  mod_stream_mgmt: { resend_on_timeout: if_offline, max_ack_queue: infinity }
  mod_register: { ip_access: all, access: register, captcha_protected: ${register.captcha !== undefined}, password_strength: ${register.strength ?? 0}, welcome_message: {} }
  mod_version: {}
`;
}

/** What it asks of new accounts. */
export interface RegisterSettings {
  /** Whether anybody may make one. Default true. */
  readonly allow?: boolean;
  /** A program that paints the picture of a CAPTCHA. Default: none is asked for. */
  readonly captcha?: string;
  /** The entropy of passwords, in bits. Default 0. */
  readonly strength?: number;
}

/** Starts an ejabberd; `undefined` if there is none on this machine. */
export async function startEjabberd(
  options: { components?: readonly string[]; register?: RegisterSettings } = {},
): Promise<Ejabberd | undefined> {
  if (libraries === undefined) return undefined;
  const { components = ["discovery.localhost", "provisioning.localhost", "other.localhost"] } = options;
  return startServer(
    {
      name: "ejabberd",
      // Erlang's disk_log holds back for 2 s: an account that it has confirmed is gone if it is killed within them.
      writesAfter: 3_000,
      ports: (count) => 2 + count,
      prepare: (folder, ports, { cert, key }, secrets) => {
        for (const name of ["spool", "log"]) mkdirSync(join(folder, name));
        writeFileSync(join(folder, "server.pem"), `${cert}\n${key}`, { mode: 0o600 });
        writeFileSync(join(folder, "ejabberd.yml"), config(folder, ports, secrets, options.register ?? {}));
      },
      command: (folder) => ({
        file: "erl",
        args: ["-noinput", "+K", "true", "+P", "250000", "-mnesia", "dir", `"${folder}/spool"`, "-s", "ejabberd"],
        env: {
          ERL_LIBS: libraries,
          HOME: folder,
          EJABBERD_CONFIG_PATH: join(folder, "ejabberd.yml"),
          EJABBERD_LOG_PATH: join(folder, "log", "ejabberd.log"),
          EJABBERD_PID_PATH: join(folder, "ejabberd.pid"),
          ERL_CRASH_DUMP: join(folder, "log", "erl_crash.dump"),
        },
      }),
      log: join("log", "ejabberd.log"),
      // Without one of its ports it ends by itself.
    },
    components,
  );
}
