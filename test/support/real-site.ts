import { createServer, connect as connectTcp, type AddressInfo, type Socket } from "node:net";
import { connect } from "../../src/connection/connect.ts";
import { attachAccount } from "../../src/sandbox/attach-account.ts";
import { attachComponent, type AttachOptions } from "../../src/sandbox/attach-component.ts";
import { Thing } from "../../src/thing/thing.ts";
import { Holdable } from "./holdable.ts";
import type { RealXmppServer } from "./server-process.ts";
import { bystander, makeServices, thingOptions, type Site, type SiteOptions } from "./site.ts";

/** A relay whose connections can be cut without a word: the network between a Thing and its server. */
export async function startRelay(port: number): Promise<{ port: number; cut: () => void; stop: () => Promise<void> }> {
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

/** The scenario's site on a real server, the services attached as components or as accounts. */
export async function startRealSite(
  starting: Promise<RealXmppServer | undefined>,
  attaching: Partial<AttachOptions> = {},
  options: SiteOptions = {},
): Promise<Site> {
  const real = await starting;
  if (real === undefined) throw new Error("the server did not start");
  const { registry, provisioning } = makeServices(options, "localhost");
  const hold = new Holdable(provisioning);
  const speaking = { registry: new Holdable(registry), provisioning: hold, other: bystander("localhost") };
  const [relay, behind] = [await startRelay(real.port), await startRelay(real.port)];
  const { ca } = real;
  const account = { service: `xmpp://127.0.0.1:${behind.port}`, password: "secret", register: true, tls: { ca } };
  const attachments = await Promise.all(
    Object.values(speaking).map((service) =>
      service.jid.includes("@")
        ? attachAccount(service, account)
        : attachComponent(service, { ...real.component(service.jid), ...attaching }),
    ),
  );
  const server = { service: `xmpp://127.0.0.1:${relay.port}`, domain: "localhost" };
  return {
    name: real.name,
    domain: "localhost",
    registry,
    provisioning,
    hold,
    speaking,
    sent: [],
    reach: { service: `xmpp://127.0.0.1:${real.port}`, domain: "localhost", tls: { ca } },
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
    cutServices: () => behind.cut(),
    stop: async () => {
      registry.stop();
      provisioning.stop();
      await Promise.all(attachments.map((attachment) => attachment.close()));
      await Promise.all([relay.stop(), behind.stop()]);
      await real.stop();
    },
  };
}
