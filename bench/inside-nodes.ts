// A whole concentrator in one process, on a Registry that answers at once: what its nodes cost it, and the disk.
import { parseJid } from "../src/core/jid.ts";
import { ns } from "../src/codec/namespaces.ts";
import { buildClaimed } from "../src/codec/iot-discovery.ts";
import { el, parseXml, type XmlElement } from "../src/codec/xml.ts";
import type { StanzaChannel } from "../src/channel/stanza-channel.ts";
import { memoryStorage } from "../src/storage/memory-storage.ts";
import type { Storage } from "../src/storage/storage.ts";
import { linkSeam, type MakeLink, type WithLink } from "../src/thing/link.ts";
import type { ThingOptions } from "../src/thing/options.ts";
import { Thing } from "../src/thing/thing.ts";

const REGISTRY = "discovery.localhost";
// How many nodes somebody has who has any.
const EACH = 10;

/** What was asked of the disk, in bytes. */
function counting(): { storage: Storage; bytes: () => number } {
  const inner = memoryStorage();
  let bytes = 0;
  const storage: Storage = {
    open: () => inner.open(),
    close: () => inner.close(),
    read: (name) => inner.read(name),
    replace: (name, content) => ((bytes += content.length), inner.replace(name, content)),
    append: (name, content) => ((bytes += content.length), inner.append(name, content)),
    delete: (name) => inner.delete(name),
  };
  return { storage, bytes: () => bytes };
}

/** A link to a server on which everything succeeds at once. */
function link(use: (channel: StanzaChannel) => void): MakeLink {
  return ({ channel, account, onState }) => {
    const answer = (stanza: XmlElement): void => {
      const { id = "", to, type } = stanza.attrs;
      if (!stanza.is("iq") || (type !== "get" && type !== "set")) return;
      const roster = stanza.getChild("query", "jabber:iq:roster");
      const from = to === undefined ? {} : { from: to };
      const reply = el("iq", { type: "result", id, ...from }, ...(roster ? [el("query", { xmlns: ns.roster })] : []));
      setImmediate(() => channel.receive(parseXml(reply.toString())));
    };
    const begin = async (): Promise<void> => {
      const { username, resource } = await account.load("localhost");
      await account.made("localhost");
      const jid = parseJid(`${username}@localhost/${resource}`);
      channel.attach({ jid, write: (stanzas) => (stanzas.forEach(answer), Promise.resolve()) });
      use(channel);
      onState({ is: "online", jid: jid.full });
    };
    return { start: () => void begin(), stop: () => Promise.resolve() };
  };
}

/** Two lives of a concentrator: all its nodes are registered and claimed, then it starts again. In bytes and milliseconds. */
export async function lifeOfNodes(count: number): Promise<{ readonly bytes: number; readonly cpu: number }> {
  const { storage, bytes } = counting();
  const nodes = Array.from({ length: count }, (_, index) => ({
    nodeId: `meter${index}`,
    tags: { SN: `${index}`, MAN: "example.org", MODEL: "Meter", V: 1 },
    sensor: { fields: [{ name: "Power", unit: "W" }], read: () => [{ name: "Power", value: index }] },
  }));
  const live = async (isFirst: boolean): Promise<void> => {
    let channel: StanzaChannel | undefined;
    const options: ThingOptions & WithLink = {
      [linkSeam]: link((its) => (channel = its)),
      ...{ storage, nodes, server: { service: "xmpp://127.0.0.1:1", domain: "localhost" }, registry: REGISTRY },
    };
    const thing = new Thing(options);
    const left = new Set(nodes.map(({ nodeId }) => nodeId));
    const done = new Promise<void>((resolve) => {
      thing.on("node", ({ nodeId }, ownership) => {
        if (ownership.is === "registered") {
          const jid = parseJid(`owner${Math.floor(Number(nodeId.slice(5)) / EACH)}@localhost`).bare;
          const claimed = buildClaimed({ jid, public: true, node: { nodeId } });
          const notice = el("iq", { type: "set", id: nodeId, from: REGISTRY, to: channel?.jid?.full }, claimed);
          setImmediate(() => channel?.receive(parseXml(notice.toString())));
        } else if (ownership.is === "claimed" && ownership.ownerAsked && left.delete(nodeId) && left.size === 0) {
          resolve();
        }
      });
    });
    await thing.start();
    if (isFirst) await done;
    await thing.stop();
  };
  const before = process.cpuUsage();
  await live(true);
  await live(false);
  const { user, system } = process.cpuUsage(before);
  return { bytes: bytes(), cpu: (user + system) / 1_000 };
}
