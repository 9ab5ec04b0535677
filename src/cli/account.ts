// The account that `claim`, `read` and `control` act with: from options and environment, the password never from the command line,
// where every user of the machine could see it.
import { connect, type ConnectOptions, type Connection } from "../connection/connect.ts";
import { checkTls, type TlsPolicy } from "../connection/tls-policy.ts";
import { AuthenticationError, ConnectionError, TlsPolicyError, messageOf } from "../core/errors.ts";
import { UsageError, wholeNumber, type Arguments } from "./args.ts";
import type { Io } from "./io.ts";

/** The options of all commands that connect. */
export const accountOptions = {
  service: { type: "string" },
  domain: { type: "string" },
  username: { type: "string" },
  ca: { type: "string" },
  timeout: { type: "string" },
  json: { type: "boolean" },
} as const;

/** Their help. */
export const accountHelp = `Account (each can be given by the environment variable instead):
  --service URL     THING_SERVICE   the XMPP server, xmpp://host:port or xmpps://host:port
  --domain NAME     THING_DOMAIN    its XMPP domain; default: the host of the service
  --username NAME   OWNER_USERNAME  your user name
                    OWNER_PASSWORD  your password; asked for when not set
  --ca FILE         THING_CA        the authority that signed the server's certificate, PEM;
                                    default: those that Node.js trusts
Others:
                    THING_DEBUG=1   show on stderr what goes over the wire, without secrets
  --timeout SECONDS                 how long to wait for answers; default 30
  --json                            one line of JSON
  --help`;

// What to do where no connection could be made at all, by what the socket says.
const unreachable: ReadonlyMap<string, string> = new Map([
  [
    "ECONNREFUSED",
    "nothing listens there; does the server run, and is the port of --service, or THING_SERVICE, right?",
  ],
  ["ENOTFOUND", "no machine has that name; check --service, or THING_SERVICE"],
]);

/** How long to wait for answers, in milliseconds. */
export function timeoutOf({ values }: Arguments): number {
  return (wholeNumber(values.get("timeout"), "timeout", 1, 86_400) ?? 30) * 1_000;
}

/** An option, or the environment variable that stands for it. */
export function pick(option: string, variable: string, args: Arguments, io: Io): string | undefined {
  return args.values.get(option) ?? (io.env[variable] || undefined);
}

/** Connects with the account that is named. */
export async function connectAs(args: Arguments, io: Io): Promise<Connection> {
  const need = (option: string, variable: string): string => {
    const value = pick(option, variable, args, io);
    if (value === undefined) throw new UsageError(`give --${option}, or set ${variable}`);
    return value;
  };
  const service = need("service", "THING_SERVICE");
  const username = need("username", "OWNER_USERNAME");
  const password = io.env["OWNER_PASSWORD"] || (await askPassword(username, io));
  const options: ConnectOptions = {
    service,
    domain: pick("domain", "THING_DOMAIN", args, io),
    username,
    password,
    tls: await tlsOf(args, io),
    timeout: timeoutOf(args),
    debug: io.env["THING_DEBUG"] === "1",
    signal: io.ended,
  };
  try {
    return await connect(options);
  } catch (error) {
    if (error instanceof AuthenticationError) {
      const check = `check the user name (${username}) and OWNER_PASSWORD`;
      throw new AuthenticationError(`${error.message}: ${check}`, { cause: error });
    }
    if (error instanceof ConnectionError) {
      const hint = unreachable.get(String((error.cause as { code?: unknown } | undefined)?.code));
      if (hint !== undefined) throw new ConnectionError(`${error.message}: ${hint}`, { cause: error });
    }
    if (!(error instanceof TlsPolicyError)) throw error;
    throw new TlsPolicyError(inWordsOfOptions(error.message), { cause: error });
  }
}

/** What servers have to prove: `--ca`, or THING_CA. Throws a {@link UsageError} if that cannot be used. */
export async function tlsOf(args: Arguments, io: Io): Promise<TlsPolicy> {
  const file = pick("ca", "THING_CA", args, io);
  if (file === undefined) return {};
  const ca = await readCa(file, io);
  try {
    return checkTls({ ca });
  } catch (error) {
    throw new UsageError(messageOf(error).replace("tls.ca", "--ca, or THING_CA"), { cause: error });
  }
}

/** What the library says of its option `tls.ca`, in the words of the command line. */
export function inWordsOfOptions(message: string): string {
  return message.replace("the option `tls.ca`", "--ca, or THING_CA,");
}

async function readCa(file: string, io: Io): Promise<string> {
  try {
    return await io.readFile(file);
  } catch (error) {
    throw new UsageError(`--ca, or THING_CA: ${messageOf(error)}`);
  }
}

async function askPassword(username: string, io: Io): Promise<string> {
  if (!io.terminal) throw new UsageError("set OWNER_PASSWORD: there is no terminal to ask for it");
  return io.askSecret(`Password of ${username}: `);
}
