// Run inside the server's host of a test's network: the Registry and the Provisioning Server as components of Prosody, the
// owner, and two accounts that would like to be taken for them. Told what to do by lines of JSON, and answers so.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { systemRandom, type RandomSource } from "../../src/core/random.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { attachAccount } from "../../src/sandbox/attach-account.ts";
import { attachComponent } from "../../src/sandbox/attach-component.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";
import { Holdable } from "../support/holdable.ts";
import type { Asked, HouseholdSettings } from "./home.ts";

const settings = JSON.parse(process.argv[2] ?? "") as HouseholdSettings;
const { domain, componentPort, secret, liars } = settings;
const ca = readFileSync(settings.caFile, "utf8");
const service = `xmpp://127.0.0.1:${settings.port}`;

// The waits of components are drawn from their first sixteenth: 2 s in the place of 30.
const hasty: RandomSource = {
  bytes: (count) => systemRandom.bytes(count).map((byte, index) => (index === 0 ? byte >> 4 : byte)),
};

const registry = new ReferenceRegistry({ jid: `discovery.${domain}` });
const provisioning = new ReferenceProvisioningServer({ jid: `provisioning.${domain}` });
const at = { service: `xmpp://127.0.0.1:${componentPort}`, secret, random: hasty };
await Promise.all([attachComponent(registry, at), attachComponent(provisioning, at)]);

/** Accounts on this very server that say of themselves that they are a Registry, and a Provisioning Server. */
const pretenders = new Map<string, Holdable>();
async function pretend(name: string, its: StanzaService): Promise<void> {
  const heard = new Holdable(its);
  pretenders.set(name, heard);
  await attachAccount(heard, { service, password: "secret", register: true, tls: { ca } });
}
if (liars) {
  await pretend("mallory", new ReferenceRegistry({ jid: `mallory@${domain}` }));
  await pretend("trudy", new ReferenceProvisioningServer({ jid: `trudy@${domain}` }));
}

let owner: Promise<{ connection: Connection; client: OwnerClient }> | undefined;
function theOwner(): Promise<{ connection: Connection; client: OwnerClient }> {
  owner ??= connect({ service, domain, username: "owner", password: "secret", register: true, tls: { ca } }).then(
    (connection) => {
      void connection.ended.then(() => (owner = undefined));
      return { connection, client: new OwnerClient(connection) };
    },
  );
  owner.catch(() => (owner = undefined));
  return owner;
}

async function answer(asked: Asked): Promise<unknown> {
  switch (asked.do) {
    case "claim": {
      const { client, connection } = await theOwner();
      provisioning.setRules([{ jid: connection.jid.bare, friend: true, read: true }]);
      return client.claim(asked.text);
    }
    case "read": {
      const { client } = await theOwner();
      const groups = await client.read(asked.jid, { timeout: asked.timeout });
      return groups.flatMap(({ fields }) =>
        fields.map((field) => ({ name: field.name, text: "text" in field ? field.text : String(field.value) })),
      );
    }
    case "registry":
      return { things: registry.things, requests: Object.fromEntries(registry.requests) };
    case "heard":
      return Object.fromEntries([...pretenders].map(([name, { heard }]) => [name, heard.map(String)]));
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = JSON.parse(line) as Asked & { id: number };
  answer(asked).then(
    (result) => console.log(JSON.stringify({ id: asked.id, result: result ?? null })),
    (error: unknown) => console.log(JSON.stringify({ id: asked.id, error: String(error) })),
  );
});
console.log("ready");
