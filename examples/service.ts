// A service whose users come over HTTP: the provisioning server says who gets in, and what each of them may do. A Thing is read for whoever may see it.
//
//   npm run -s example service
//
// Set by environment variables: THING_SERVICE, THING_DOMAIN, THING_CA as for the thermometer (docs/thermometer.md); SERVICE_USERNAME and SERVICE_PASSWORD, the account,
// which is made where it is missing; SERVICE_STATE, a folder for certificate and token; SERVICE_PORT (8080) on this machine only; SERVICE_THING, the full or bare JID of the Thing
// to be shown. docs/service.md explains it.
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { isSdkError } from "xmpp-thing";
import { ServiceClient, fileStorage, type ServiceSession } from "xmpp-thing/service";

const env = (name: string): string | undefined => process.env[name] || undefined;
const thing = env("SERVICE_THING") ?? "";
// Whoever comes is one session here, by address. A page with logins has cookies.
const sessions = new Map<string, ServiceSession>();
const MOST_SESSIONS = 1_000;

/** The session of whoever has sent a request; `undefined`: they may not be here. */
async function sessionOf(service: ServiceClient, { socket }: IncomingMessage): Promise<ServiceSession | undefined> {
  const ip = socket.remoteAddress ?? "";
  const known = sessions.get(ip);
  if (known !== undefined && (await known.hasAccess())) return known;
  sessions.delete(ip);
  const session = await service.canAccess({ ip, protocol: "HTTP" });
  const [oldest] = sessions.keys();
  if (oldest !== undefined && sessions.size >= MOST_SESSIONS) sessions.delete(oldest);
  if (session !== undefined) sessions.set(ip, session);
  return session;
}

/** What a user gets to see: a status and a text. */
async function answer(service: ServiceClient, request: IncomingMessage): Promise<readonly [number, string]> {
  const session = await sessionOf(service, request);
  if (session === undefined) return [403, "You may not be here."];
  if (!(await session.hasPrivilege("Sensors.View"))) return [403, "You may not see sensors."];
  const groups = await session.read(thing, { timeout: 10_000 });
  const fields = groups.flatMap((group) => group.fields);
  return [200, fields.map((f) => `${f.name} ${f.kind === "numeric" ? `${f.text} ${f.unit}` : f.value}`).join(", ")];
}

async function main(): Promise<void> {
  const ca = env("THING_CA");
  const domain = env("THING_DOMAIN");
  const service = await ServiceClient.connect({
    service: env("THING_SERVICE") ?? "xmpp://localhost",
    ...(domain !== undefined && { domain }),
    ...(ca !== undefined && { tls: { ca: await readFile(ca, "utf8") } }),
    account: { username: env("SERVICE_USERNAME") ?? "", password: env("SERVICE_PASSWORD") ?? "", register: true },
    certificate: { make: true },
    storage: fileStorage(env("SERVICE_STATE") ?? join(homedir(), ".local/state/example-service")),
  });
  service.on("fault", ({ code, message }) => console.log(`fault ${code}: ${message}`));
  const web = createServer((request, response) => {
    void answer(service, request)
      .catch((error: unknown) => {
        // It cannot be told, or the Thing says no: nothing is shown. Why is for the log alone.
        console.log(`not answered: ${isSdkError(error) ? error.code : "a bug"}`);
        return [503, "Try again later."] as const;
      })
      .then(([status, text]) =>
        response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`),
      );
  });
  web.listen(Number(env("SERVICE_PORT") ?? 8080), "127.0.0.1", () => {
    const address = web.address();
    console.log(`listening on http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
  });
  const stop = (): void => {
    web.close();
    web.closeAllConnections();
    void service.close().then(() => console.log("stopped"));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
}

main().catch((error: unknown) => {
  console.error(isSdkError(error) ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
});
