// Where Provisioning Servers are accounts: the sites of the pairing scenario.
import { connect, type Connection } from "../../src/connection/connect.ts";
import { attachAccount } from "../../src/sandbox/attach-account.ts";
import type { Attachment } from "../../src/sandbox/attach-component.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { Thing } from "../../src/thing/thing.ts";
import { attachComponent } from "../../src/sandbox/attach-component.ts";
import type { PairingSite } from "../scenario/pairing.ts";
import { startRelay } from "./real-site.ts";
import type { RealXmppServer } from "./server-process.ts";
import { thingOptions } from "./site.ts";

interface Servers {
  readonly server: (name: string) => Promise<ReferenceProvisioningServer>;
  readonly leaves: (server: ReferenceProvisioningServer) => Promise<void>;
  readonly returns: (server: ReferenceProvisioningServer) => Promise<void>;
  readonly also: (name: string) => Promise<Connection>;
  readonly stop: () => Promise<void>;
}

/** Provisioning Servers as accounts of a domain. */
function accounts(service: string, domain: string, ca: string): Servers {
  const attached = new Map<ReferenceProvisioningServer, Attachment>();
  const login = { service, password: "secret", register: true, tls: { ca } };
  const attach = async (server: ReferenceProvisioningServer): Promise<void> => {
    attached.set(server, await attachAccount(server, login));
  };
  return {
    server: async (name) => {
      const server = new ReferenceProvisioningServer({ jid: `${name}@${domain}` });
      await attach(server);
      return server;
    },
    leaves: async (server) => attached.get(server)?.close(),
    returns: attach,
    also: (username) => connect({ ...login, domain, username }),
    stop: async () => {
      for (const server of attached.keys()) server.stop();
      await Promise.all([...attached.values()].map((attachment) => attachment.close()));
    },
  };
}

/** Two sandboxes: the Things on one domain, the Provisioning Servers on the other. */
export async function startTwoDomains(): Promise<PairingSite> {
  const home = await startSandbox({ domain: "things.localhost", hosting: { provisioning: "account" } });
  const away = await startSandbox({ domain: "servers.localhost" });
  home.federate(away);
  const { service, domain, ca } = home;
  const servers = accounts(away.service, away.domain, away.ca);
  return {
    name: "two sandboxes",
    tellsWithdrawal: true,
    thing: (storage, overrides) => new Thing(thingOptions(storage, { service, domain }, { tls: { ca }, ...overrides })),
    ...servers,
    component: () => {
      const component = new ReferenceProvisioningServer({ jid: `rights.${domain}` });
      home.attach(component);
      return Promise.resolve(component);
    },
    user: (username) => connect({ service, domain, username, password: "secret", register: true, tls: { ca } }),
    cut: (thing) => {
      home.drop(thing.jid);
      return Promise.resolve();
    },
    stop: async () => {
      await servers.stop();
      await Promise.all([home.stop(), away.stop()]);
    },
  };
}

/** A real server: Things and Provisioning Servers are accounts of its one domain. */
export async function startRealPairingSite(starting: Promise<RealXmppServer | undefined>): Promise<PairingSite> {
  const real = await starting;
  if (real === undefined) throw new Error("the server did not start");
  const { ca, domain } = real;
  const service = `xmpp://127.0.0.1:${real.port}`;
  const registry = new ReferenceRegistry({ jid: "discovery.localhost" });
  const attachments = [await attachComponent(registry, real.component(registry.jid))];
  let component: ReferenceProvisioningServer | undefined;
  const relay = await startRelay(real.port);
  const server = { service: `xmpp://127.0.0.1:${relay.port}`, domain };
  const servers = accounts(service, domain, ca);
  return {
    name: real.name,
    // RFC 6121 A.2.3 has it routed; ejabberd 23.01 does not.
    tellsWithdrawal: real.name !== "ejabberd",
    thing: (storage, overrides) => new Thing(thingOptions(storage, server, { tls: { ca }, ...overrides })),
    ...servers,
    component: async () => {
      component = new ReferenceProvisioningServer({ jid: "provisioning.localhost" });
      attachments.push(await attachComponent(component, real.component(component.jid)));
      return component;
    },
    user: (username) => connect({ service, domain, username, password: "secret", register: true, tls: { ca } }),
    cut: () => {
      relay.cut();
      return Promise.resolve();
    },
    stop: async () => {
      await servers.stop();
      registry.stop();
      component?.stop();
      await Promise.all(attachments.map((attachment) => attachment.close()));
      await relay.stop();
      await real.stop();
    },
  };
}
