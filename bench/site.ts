// A Prosody with a Thing Registry and a Provisioning Server on it, and an account for the bare client.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../src/connection/connect.ts";
import { OwnerClient } from "../src/owner/owner-client.ts";
import { attachComponent } from "../src/sandbox/attach-component.ts";
import { ReferenceProvisioningServer } from "../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../src/sandbox/registry.ts";
import { noProsody, startProsody } from "../test/support/prosody.ts";

/** What the measurements need of it. */
export interface Site {
  /** What the programs are told, in their environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly provisioning: ReferenceProvisioningServer;
  /** Who reads; everybody may be read by him. */
  readonly owner: OwnerClient;
  /** Resolves when the presence of this bare JID says that it is there, to its full one. To be called before it comes. */
  appears(bare: string): Promise<string>;
  stop(): Promise<void>;
}

/** Why there can be none here; `undefined` if there can. */
export const noSite: string | undefined =
  noProsody === undefined ? undefined : "needs Prosody, which is not installed (Debian: apt-get install prosody)";

const reader = "reader";
const account = { username: "bare", password: "a-password-of-the-bench" };

/** Starts it. Its authority is in a file of the folder, for Node.js to take beside those that it knows. */
export async function startSite(folder: string): Promise<Site> {
  // As Debian sets it up it does not write a line for every stanza.
  const prosody = await startProsody({ logLevel: "info" });
  if (prosody === undefined) throw new Error(noSite);
  const registry = new ReferenceRegistry({ jid: "discovery.localhost" });
  const provisioning = new ReferenceProvisioningServer({
    jid: "provisioning.localhost",
    rules: [{ jid: `${reader}@localhost`, friend: true, read: true }],
  });
  const attachments = await Promise.all(
    [registry, provisioning].map((service) => attachComponent(service, prosody.component(service.jid))),
  );
  const service = `xmpp://127.0.0.1:${prosody.port}`;
  const login = { service, domain: prosody.domain, register: true, tls: { ca: prosody.ca } };
  await (await connect({ ...login, ...account })).close();
  const connection = await connect({ ...login, username: reader, password: account.password });
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, prosody.ca);
  return {
    env: {
      ...{ SERVICE: service, DOMAIN: prosody.domain, NODE_EXTRA_CA_CERTS: ca },
      ...{ CLIENT: account.username, READER: reader, PASSWORD: account.password },
      ...{ REGISTRY: registry.jid, PROVISIONING: provisioning.jid },
    },
    provisioning,
    owner: new OwnerClient(connection),
    appears: (bare) =>
      new Promise((resolve) => {
        connection.channel.router.onPresence(({ type, from }) => {
          if (type === "available" && from.bare === bare) resolve(from.full);
        });
      }),
    stop: async () => {
      registry.stop();
      provisioning.stop();
      await connection.close();
      await Promise.all(attachments.map((attachment) => attachment.close()));
      await prosody.stop();
    },
  };
}
