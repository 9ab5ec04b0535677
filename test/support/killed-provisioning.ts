// A Provisioning Server that keeps what it decides by in LevelDB, to be killed while it answers. Spawned by a test.
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { levelProvisioningKeeper } from "../../src/sandbox/provisioning-level.ts";
import type { ProvisioningKeeper } from "../../src/sandbox/provisioning-server-kept.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";

const SERVER = "provisioning.example.org";
const THING = "thing@example.org/device";
const ns = "xmlns='urn:xmpp:iot:provisioning'";
const { KILLED_FOLDER = "", KILLED_FAULT = "" } = process.env;

/** Says that it has kept before it has. */
function hasty(keeper: ProvisioningKeeper): ProvisioningKeeper {
  return {
    load: () => keeper.load(),
    write(changes) {
      setTimeout(() => void keeper.write(changes), 20);
      return Promise.resolve();
    },
    close: () => keeper.close(),
  };
}

const real = await levelProvisioningKeeper(KILLED_FOLDER);
const keeper = KILLED_FAULT === "hasty" ? hasty(real) : real;
const server = await ReferenceProvisioningServer.open({ jid: SERVER, keeper });
const waiting = new Map<string, (answer: XmlElement) => void>();
const take = (stanzas: readonly XmlElement[]): void => {
  for (const stanza of stanzas) waiting.get(stanza.attrs["id"] ?? "")?.(stanza);
};
server.onOutput(take);

/** Asks, and waits until it is answered. */
function ask(content: string, id: string): Promise<XmlElement> {
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    const from = `from='${THING}' to='${SERVER}'`;
    take(server.receive(parseXml(`<iq xmlns='jabber:client' type='get' ${from} id='${id}'>${content}</iq>`)));
  });
}

const fieldIn = (answer: XmlElement): string =>
  answer.getChild("canReadResponse")?.getChild("field")?.attrs["name"] ?? "none";
const canRead = `<canRead ${ns} jid='caller@example.org'/>`;

/** All of one step is changed in one turn, and so is kept at once or not at all. */
const step = (n: number): void => {
  server.setRules([{ jid: "caller@example.org", read: { fields: [`Step${n}`] } }]);
  server.setUsers([{ name: `Step${n}` }]);
};

const found = fieldIn(await ask(canRead, "found"));
const user = server.users[0]?.name ?? "none";
const due = server.unacknowledged.length;
console.log(`found ${found} ${user} ${due}`);
for (let n = Number(found.replace(/\D/g, "")) + 1; ; n++) {
  console.log(`try Step${n}`);
  step(n);
  const told = fieldIn(await ask(canRead, `told ${n}`));
  console.log(`told ${told}`);
  // What is not kept is what the next life must not have forgotten: a pause lets the other end kill here too.
  if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
}
