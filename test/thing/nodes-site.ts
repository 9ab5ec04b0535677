// A concentrator in a place of its own: nodes, people who claim them, and what the Registry knows.
import { expect } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { nodeKey, type NodeRef } from "../../src/codec/node-ref.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import type { RegisteredThing } from "../../src/sandbox/registry-options.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { NodeDefinition } from "../../src/thing/node-definition.ts";
import type { ThingNode } from "../../src/thing/nodes.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Thing } from "../../src/thing/thing.ts";
import type { Ownership } from "../../src/thing/ownership.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { Site, SiteOptions } from "../support/site.ts";

/** Waits until something is so. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A meter that says its own name. */
export function meter(nodeId: string, more: Partial<NodeDefinition> = {}): NodeDefinition {
  const sensor = { fields: [{ name: "Name", type: "string" as const }], read: () => [{ name: "Name", value: nodeId }] };
  return { nodeId, tags: { SN: nodeId }, sensor, ...more };
}

/** A concentrator, and how it is looked at. */
export class Stage {
  readonly site: Site;
  readonly storage: Storage;
  readonly faults: string[] = [];
  readonly told: { readonly node: NodeRef; readonly is: Ownership["is"]; readonly was: Ownership["is"] }[] = [];
  readonly texts: { readonly node: NodeRef; readonly text: string }[] = [];
  thing!: Thing;

  constructor(site: Site, storage: Storage) {
    this.site = site;
    this.storage = storage;
  }

  /** The Thing starts, or starts again; it is stopped first. */
  async start(nodes: readonly NodeDefinition[], more: Partial<ThingOptions> = {}): Promise<Thing> {
    await (this.thing as Thing | undefined)?.stop();
    this.thing = this.site.thing(this.storage, { nodes, ...more });
    this.thing.on("fault", ({ code, message }) => this.faults.push(`${code}: ${message}`));
    this.thing.on("node", (node, { is }, { is: was }) => this.told.push({ node, is, was }));
    this.thing.on("nodeClaimText", (text, node) => this.texts.push({ node, text }));
    await this.thing.start();
    return this.thing;
  }

  /** A node as the Thing sees it. */
  node(reference: NodeRef | string): ThingNode {
    const node = typeof reference === "string" ? { nodeId: reference } : reference;
    const found = this.thing.nodes.find((one) => nodeKey(one.node) === nodeKey(node));
    if (found === undefined) throw new Error(`no node ${nodeKey(node)}`);
    return found;
  }

  /** What the Registry has of a node. */
  record(reference: NodeRef | string): RegisteredThing | undefined {
    const key = nodeKey(typeof reference === "string" ? { nodeId: reference } : reference);
    return this.site.registry.things.find(({ node }) => node !== undefined && nodeKey(node) === key);
  }

  /** Waits until a node is so. */
  async becomes(reference: NodeRef | string, is: Ownership["is"]): Promise<void> {
    await until(() => this.node(reference).ownership.is === is, `${JSON.stringify(reference)} ${is}`);
  }

  /** Somebody with an owner's client. */
  async person(name: string): Promise<OwnerClient> {
    return new OwnerClient(await this.site.user(name), { registry: this.site.registry.jid });
  }

  /** Somebody claims a node, and the Thing has heard of it. */
  async claim(name: string, reference: NodeRef | string, isPublic = true): Promise<OwnerClient> {
    const client = await this.person(name);
    await this.becomes(reference, "registered");
    await client.claim(this.node(reference).claimText, { public: isPublic });
    await this.becomes(reference, "claimed");
    expect(this.node(reference).ownership).toMatchObject({ owner: bareJid(`${name}@localhost`) });
    return client;
  }

  /** What somebody can read of the nodes that they name: the values, or why not. */
  async reads(name: string, ...nodes: readonly NodeRef[]): Promise<readonly string[] | string> {
    const client = await this.person(name);
    try {
      const groups = await client.read(this.thing.jid, { ...(nodes.length > 0 && { nodes }), timeout: 5_000 });
      return groups.flatMap(({ fields }) => fields.map(({ value }) => String(value)));
    } catch (error) {
      return (error as { condition?: string; code: string }).condition ?? (error as { code: string }).code;
    }
  }

  async stop(): Promise<void> {
    await (this.thing as Thing | undefined)?.stop();
    await this.site.stop();
  }
}

/** A stage in memory. */
export async function stage(options: SiteOptions = {}, storage: Storage = memoryStorage()): Promise<Stage> {
  return new Stage(await startMemorySite(options), storage);
}
