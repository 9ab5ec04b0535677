import { describe } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { systemRandom } from "../../src/core/random.ts";
import { makeCertificates } from "../../src/sandbox/certificates.ts";
import { XmppDomain } from "../../src/sandbox/server/domain.ts";
import { XmppListener } from "../../src/sandbox/server/listener.ts";
import { onARealServer, type RealServer } from "./real-server.ts";

/** The sandbox's server on a port that stays the same over restarts. */
async function startSandboxServer(): Promise<RealServer> {
  const domain = new XmppDomain({ domain: "localhost", clock: systemClock, random: systemRandom });
  const certificates = await makeCertificates("localhost", systemClock);
  let listener = new XmppListener({ domain, certificates });
  const port = await listener.listen();
  return {
    port,
    ca: certificates.ca,
    kill: () => listener.close(),
    restart: async () => {
      listener = new XmppListener({ domain, certificates, port });
      await listener.listen();
    },
    stop: () => listener.close(),
  };
}

describe("a connection on the sandbox", () => {
  onARealServer(startSandboxServer, { directTls: false, strongest: "SCRAM-SHA-512-PLUS" });
});
