// Parts of the Thing that are measured by themselves, and that its package hands to nobody. They are bundled from the same
// sources in the same way as the package (bench/main.ts).
import { bareJid, type BareJid } from "../src/core/jid.ts";
import { silentLogger } from "../src/core/logger.ts";
import { systemClock } from "../src/core/clock.ts";
import { buildCanReadResponse } from "../src/codec/provisioning.ts";
import { parseReq } from "../src/codec/sensor-data.ts";
import { parseXml, type XmlElement } from "../src/codec/xml.ts";
import type { Channel } from "../src/channel/channel.ts";
import { Router } from "../src/channel/router.ts";
import { Barrier } from "../src/provisioning/barrier.ts";
import { Guard } from "../src/provisioning/guard.ts";
import type { ReadQuestion } from "../src/provisioning/questions.ts";
import { RightsCache } from "../src/provisioning/rights-cache.ts";
import { fileStorage } from "../src/storage/file-storage.ts";
import { memoryStorage } from "../src/storage/memory-storage.ts";
import type { Storage } from "../src/storage/storage.ts";

export { LRUCache } from "lru-cache";
export { RegistryIndex } from "../src/sandbox/registry-search.ts";
export { lifeOfNodes } from "./inside-nodes.ts";
export { fileStorage, memoryStorage };

const nodes = ["meter", "valve"];
const fields = ["Temperature", "Pressure", "Flow"];
const tokens = { serviceToken: "c5d2f0a81b", deviceToken: "83aa9b57ef", userToken: "1f92be7730" };

/** The orders in which two nodes and three fields can be named. */
const orders = [0, 1].flatMap((first) =>
  [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ].map((order) => ({
    nodes: [nodes[first] ?? "", nodes[1 - first] ?? ""],
    fields: order.map((index) => fields[index] ?? ""),
  })),
);

const nodeXml = (nodeId: string): string => `<node nodeId='${nodeId}' sourceId='cellar' cacheType='live'/>`;
const fieldXml = (name: string): string => `<field name='${name}'/>`;

/** The question of somebody, as it comes out of the parser: two nodes, three fields, all three kinds of token. */
export function questionOf(who: number, order: number): ReadQuestion {
  const named = orders[order % orders.length] ?? { nodes, fields };
  const attributes = Object.entries(tokens).map(([name, value]) => `${name}='${value}${who}'`);
  const request = parseReq(
    parseXml(
      `<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true' ${attributes.join(" ")}>` +
        `${named.nodes.map(nodeXml).join("")}${named.fields.map(fieldXml).join("")}</req>`,
    ),
  );
  const { types, nodes: asked, fields: wanted, tokens: sent } = request;
  return { kind: "read", jid: bareJid(`reader${who}@example.org`), tokens: sent, types, nodes: asked, fields: wanted };
}

/** A guard that has one or several servers to ask, each of which grants a part of what is asked, and its cache. */
export async function makeGuard(
  servers: number,
  { storage = memoryStorage(), maxEntries = 20_000 }: { storage?: Storage; maxEntries?: number } = {},
): Promise<{ guard: Guard; cache: RightsCache; asked: () => number }> {
  await storage.open();
  const trusted = Array.from({ length: servers }, (_, index) => bareJid(`provisioning${index}.example.org`));
  let asked = 0;
  const request = ({ to }: { readonly to?: string | undefined }): Promise<XmlElement> => {
    asked++;
    const index = trusted.indexOf(to as BareJid);
    // One server alone grants all that is asked; of several each another field, so that all are needed.
    const granted = servers === 1 ? [] : [fields[index % fields.length] ?? ""];
    const answer = buildCanReadResponse({ result: true, types: new Set(), nodes: [], fields: granted });
    return Promise.resolve(parseXml(answer.toString()));
  };
  const channel: Channel = {
    jid: undefined,
    router: new Router(),
    request,
    send: () => Promise.resolve(),
  };
  const cache = new RightsCache({
    ...{ storage, logger: silentLogger, maxEntries, maxBytes: 2 ** 30 },
    onFault: (code, message) => {
      throw new Error(`${code}: ${message}`);
    },
  });
  await cache.load();
  const guard = new Guard({
    ...{ channel, cache, clock: systemClock, logger: silentLogger, barrier: new Barrier() },
    whereabouts: { addressOf: (jid) => Promise.resolve(jid) },
    standing: () => ({ owner: undefined, registry: undefined, servers: trusted }),
    isHeard: () => false,
    onDecision: () => undefined,
  });
  return { guard, cache, asked: () => asked };
}

/** Reads what is remembered in a folder; resolves to how many answers there were, and how many milliseconds of the processor that took. */
export async function load(folder: string): Promise<{ count: number; ms: number }> {
  const storage = fileStorage(folder);
  await storage.open();
  const cache = new RightsCache({
    ...{ storage, logger: silentLogger, maxEntries: 20_000, maxBytes: 2 ** 30 },
    onFault: (code, message) => {
      throw new Error(`${code}: ${message}`);
    },
  });
  const before = process.cpuUsage();
  await cache.load();
  const { user, system } = process.cpuUsage(before);
  await storage.close();
  return { count: cache.count, ms: (user + system) / 1_000 };
}
