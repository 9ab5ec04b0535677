import { afterEach } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import type { ServerAddress } from "../../src/discovery/address.ts";
import { openStream, type StreamOptions, type XmppStream } from "../../src/connection/stream.ts";
import { makeAuthority, makeCertificate } from "../support/certificates.ts";
import { FakeServer, serverContext, type FakeConnection } from "../support/fake-server.ts";

/** The authority that the tests trust, and a server's proof by it. */
export const authority = makeAuthority();
export const certificate = makeCertificate(authority);
export const context = serverContext(certificate);

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Runs after the test, also when it fails. */
export function afterwards(cleanup: () => Promise<unknown>): void {
  cleanups.push(cleanup);
}

/** Where a fake server is, or was. */
type Where = Pick<FakeServer, "port">;

/** A fake server that is gone after the test. */
export async function serve(script: (connection: FakeConnection, index: number) => unknown): Promise<FakeServer> {
  const server = await FakeServer.start(script);
  afterwards(() => server.close());
  return server;
}

export function addressOf(server: Where, more: Partial<ServerAddress> = {}): ServerAddress {
  return { host: "127.0.0.1", port: server.port, domain: "localhost", ...more };
}

/** Opens a stream to a fake server; it is closed after the test. */
export async function open(
  server: Where,
  { address, ...options }: Partial<Omit<StreamOptions, "address">> & { address?: Partial<ServerAddress> } = {},
): Promise<XmppStream> {
  const stream = await openStream({
    address: addressOf(server, address),
    tls: { ca: authority.cert },
    account: { username: "user", password: "secret", resource: "r", register: false },
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
    ...options,
  });
  // Not waited for: most scripts do not answer the end of the stream, and the server is gone next.
  afterwards(() => Promise.resolve(void stream.close()));
  return stream;
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("did not reject");
}

/** Waits until something is so; gives up after five seconds. */
export async function eventually(what: () => boolean): Promise<void> {
  for (let waited = 0; !what(); waited += 5) {
    if (waited > 5_000) throw new Error(`did not come about: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
