// Many Things on the sandbox: they are befriended and read, restart all at once, are read again; then their rights are withdrawn and given
// anew, and they are read once more.  Usage: restart.mjs COUNT
import { Thing, memoryStorage } from "xmpp-thing";
import { connect, OwnerClient } from "xmpp-thing/owner";
import { startSandbox } from "xmpp-thing/sandbox";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const count = Number(process.argv[2]);
const limits = { timeout: 60_000 };
const sandbox = await startSandbox();
const { service, domain, ca, registry, provisioning } = sandbox;
const { username, password, jid } = sandbox.addUser("reader");
const connection = await connect({ service, domain, username, password, tls: { ca } });
const owner = new OwnerClient(connection);
const rules = [{ jid, friend: true, read: true }];
provisioning.setRules(rules);

const make = (storage, index) =>
  new Thing({
    storage,
    server: { service, domain },
    registry: registry.jid,
    provisioning: [provisioning.jid],
    tls: { ca },
    tags: { SN: String(index), MAN: "example.org" },
    sensor: { fields: [{ name: "Temperature" }], read: () => [{ name: "Temperature", value: 21.5 }] },
  });
const storages = Array.from({ length: count }, () => memoryStorage());
let things = [];
async function start() {
  things = storages.map(make);
  await Promise.all(things.map((thing) => thing.start()));
  for (const far of ["online", "registered"]) await Promise.all(things.map((thing) => thing.waitFor(far, limits)));
}
/** Each is read several times at once, as by an impatient owner. */
async function readAll(times) {
  const some = 20;
  for (let from = 0; from < count; from += some) {
    const here = things.slice(from, from + some).flatMap((thing) => Array.from({ length: times }, () => thing.jid));
    const all = await Promise.all(here.map((full) => owner.read(full, { ...limits, fields: ["Temperature"] })));
    for (const [group] of all) if (group.fields[0].text !== "21.5") throw new Error("a readout without its field");
  }
}

await start();
await Promise.all(things.map((thing) => owner.befriend(thing.jid, limits)));
await readAll(1);
await Promise.all(things.map((thing) => thing.stop()));
const asked = provisioning.count();
await start();
await readAll(1);
console.log(`restarted ${provisioning.count() - asked}`);

// New rules clear every cache; the answers to what is read are the same.
const cleared = Promise.all(things.map((thing) => new Promise((resolve) => thing.on("rightsCleared", resolve))));
provisioning.setRules([...rules, { jid: "nobody@localhost", friend: false }]);
await cleared;
const before = provisioning.count();
await readAll(3);
// By themselves they ask about their friend anew. Two for each are due; a while longer, for those that are not.
const due = before + 2 * count;
for (let tries = 0; tries < 100 && provisioning.count() < due; tries++) await sleep(100);
await sleep(1_000);
const questions = provisioning.questions.slice(before - provisioning.count());
const distinct = new Set(questions.map((question) => JSON.stringify(question)));
console.log(`questions ${questions.length}\ndistinct ${distinct.size}`);

await Promise.all(things.map((thing) => thing.stop()));
await connection.close();
await sandbox.stop();
