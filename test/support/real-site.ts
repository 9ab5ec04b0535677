import { createServer, connect as connectTcp, type AddressInfo, type Socket } from "node:net";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { connect } from "../../src/connection/connect.ts";
import { attachComponent, type AttachOptions } from "../../src/sandbox/attach-component.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { Thing } from "../../src/thing/thing.ts";
import { Bystander } from "./bystander.ts";
import { Holdable } from "./holdable.ts";
import type { RealXmppServer } from "./server-process.ts";
import { thingOptions, type Site } from "./site.ts";

/** A relay whose connections can be cut without a word: the network between a Thing and its server. */
async function startRelay(port: number): Promise<{ port: number; cut: () => void; stop: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connectTcp(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on("error", () => undefined);
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    port: (relay.address() as AddressInfo).port,
    cut,
    stop: () => {
      cut();
      return new Promise((resolve) => relay.close(() => resolve()));
    },
  };
}

/** The scenario's site on a real server, both services attached as components. */
export async function startRealSite(
  starting: Promise<RealXmppServer | undefined>,
  attaching: Partial<AttachOptions> = {},
): Promise<Site> {
  const real = await starting;
  if (real === undefined) throw new Error("the server did not start");
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const registry = new ReferenceRegistry({ jid: "discovery.localhost", ...parts });
  const provisioning = new ReferenceProvisioningServer({ jid: "provisioning.localhost", ...parts });
  const hold = new Holdable(provisioning);
  const speaking = {
    registry: new Holdable(registry),
    provisioning: hold,
    other: new Holdable(new Bystander("other.localhost")),
  };
  const attachments = await Promise.all(
    Object.values(speaking).map((service) =>
      attachComponent(service, { ...real.component(service.jid), ...attaching }),
    ),
  );
  const relay = await startRelay(real.port);
  const { ca } = real;
  const server = { service: `xmpp://127.0.0.1:${relay.port}`, domain: "localhost" };
  return {
    name: real.name,
    domain: "localhost",
    registry,
    provisioning,
    hold,
    speaking,
    sent: [],
    thing: (storage, overrides) => new Thing(thingOptions(storage, server, { tls: { ca }, ...overrides })),
    user: (username) =>
      connect({
        service: `xmpp://127.0.0.1:${real.port}`,
        domain: "localhost",
        username,
        password: "secret",
        register: true,
        tls: { ca },
      }),
    cut: () => {
      relay.cut();
      return Promise.resolve();
    },
    stop: async () => {
      registry.stop();
      provisioning.stop();
      await Promise.all(attachments.map((attachment) => attachment.close()));
      await relay.stop();
      await real.stop();
    },
  };
}
