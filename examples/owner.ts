// Whoever moves into a house full of Things: claims each that is scanned, notes in the Registry in which room it is, and
// reads them all.
//
//   npm run -s example owner -- Kitchen 'IoTDisco;…' Cellar 'IoTDisco;…'
//
// Without rooms it only reads. The account is that of THING_SERVICE, THING_DOMAIN, THING_CA, OWNER_USERNAME and OWNER_PASSWORD, as for the
// commands (docs/claiming.md); OWNER_HOUSE is how the house is called in the Registry.
import { readFile } from "node:fs/promises";
import { isSdkError } from "xmpp-thing";
import { OwnerClient, RegistryError, connect, tag, type Connection, type ThingFound } from "xmpp-thing/owner";

const env = (name: string): string | undefined => process.env[name] || undefined;
const house = env("OWNER_HOUSE") ?? "Home";

async function connected(): Promise<Connection> {
  const ca = env("THING_CA");
  return connect({
    service: env("THING_SERVICE") ?? "xmpp://localhost",
    domain: env("THING_DOMAIN"),
    username: env("OWNER_USERNAME") ?? "",
    password: env("OWNER_PASSWORD") ?? "",
    ...(ca !== undefined && { tls: { ca: await readFile(ca, "utf8") } }),
  });
}

/** Claims a Thing and notes where it is. To claim once more what is already yours does no harm. */
async function moveIn(owner: OwnerClient, room: string, scanned: string): Promise<void> {
  try {
    const thing = await owner.claim(scanned);
    // A Registry need not tell which Thing it was; then it cannot be told where it is.
    if (thing.jid !== undefined) await owner.update(thing, { BLD: house, ROOM: room });
    console.log(`claimed ${room}: ${thing.jid ?? "it asks for friendship by itself"}`);
  } catch (error) {
    // One label that cannot be read does not keep the others from being claimed.
    if (!(error instanceof RegistryError)) throw error;
    console.log(`refused ${room}: ${error.advice}`);
    process.exitCode = 1;
  }
}

/** What a Thing measures, in words. */
async function reading(owner: OwnerClient, found: ThingFound): Promise<string> {
  try {
    const groups = await owner.read(found, { timeout: 10_000 });
    const fields = groups.flatMap((group) => group.fields);
    return fields.map((f) => `${f.name} ${f.kind === "numeric" ? `${f.text} ${f.unit}` : f.value}`).join(", ");
  } catch (error) {
    // Offline, or its provisioning server says no: the others can be read all the same.
    if (isSdkError(error)) return error.code;
    throw error;
  }
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const connection = await connected();
  try {
    const owner = new OwnerClient(connection);
    for (let i = 0; i < words.length; i += 2) await moveIn(owner, words[i] ?? "", words[i + 1] ?? "");

    for await (const found of owner.search(tag("BLD").is(house))) {
      // Anybody can call a house so: what others own is none of ours.
      if (found.owner !== connection.jid.bare) continue;
      console.log(`${found.tags.get("ROOM") ?? "somewhere"}: ${await reading(owner, found)}`);
    }
  } finally {
    await connection.close();
  }
}

main().catch((error: unknown) => {
  console.error(isSdkError(error) ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
});
