import type { XmlElement } from "../../src/codec/xml.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { attachAccount, type AccountAttachment } from "../../src/sandbox/attach-account.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Hosting } from "../../src/sandbox/sandbox-provisioning.ts";
import { Bystander } from "./bystander.ts";
import { Holdable } from "./holdable.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { linkSeam, type WithLink } from "../../src/thing/link.ts";
import { quickLink } from "./quick-link.ts";
import { Thing } from "../../src/thing/thing.ts";
import type { ServerOptions, ThingOptions } from "../../src/thing/options.ts";

/** How a site is set up. */
export interface SiteOptions {
  /** How its services are reached. Default: as components. */
  readonly hosting?: { readonly registry?: Hosting; readonly provisioning?: Hosting };
  /** The Provisioning Server is on another domain than the Things. Not on real servers. */
  readonly elsewhere?: boolean;
  /** The wait before `clearCache` is repeated, in milliseconds. */
  readonly retry?: number;
}

/** Services by their names, at `home` or, if the Provisioning Server is elsewhere, there. */
export function makeServices(
  { hosting = {}, retry }: SiteOptions,
  home: string,
  there = home,
): { registry: ReferenceRegistry; provisioning: ReferenceProvisioningServer } {
  const at = (how: Hosting = "component"): string => (how === "account" ? "@" : ".");
  return {
    registry: new ReferenceRegistry({ jid: `discovery${at(hosting.registry)}${home}` }),
    provisioning: new ReferenceProvisioningServer({ jid: `provisioning${at(hosting.provisioning)}${there}`, retry }),
  };
}

/** A place where a scenario can happen: in memory, on the sandbox, on a real server. */
export interface Site {
  readonly name: string;
  readonly domain: string;
  readonly registry: ReferenceRegistry;
  readonly provisioning: ReferenceProvisioningServer;
  /** Holds back what the Provisioning Server would answer. */
  readonly hold: Holdable;
  /** Those who can be made to say what they would not; `provisioning` is also `hold`. */
  readonly speaking: { readonly registry: Holdable; readonly provisioning: Holdable; readonly other: Holdable };
  /** Hands the Thing a stanza with whatever sender it names, as only its own server could. In memory only. */
  readonly forge?: (stanza: XmlElement) => void;
  /** What went through the server, where that can be seen. */
  readonly sent: readonly XmlElement[];
  /** How a program of its own reaches it; not in memory. */
  readonly reach?: { readonly service: string; readonly domain: string; readonly tls: { readonly ca: string } };
  /** A Thing that is not started yet. */
  thing(storage: Storage, overrides?: Partial<ThingOptions>): Thing;
  /** Somebody who is online. The account is made on the first call. */
  user(name: string): Promise<Connection>;
  /** The link of a Thing goes, without a word from either side. */
  cut(thing: Thing): Promise<void>;
  /** The links of the services that are accounts go; they come back by themselves. */
  cutServices(): void;
  stop(): Promise<void>;
}

/** The Thing of the scenarios: two fields, so that one can be left out. */
export function thingOptions(
  storage: Storage,
  server: ServerOptions,
  overrides: Partial<ThingOptions> = {},
): ThingOptions {
  const options: ThingOptions & WithLink = {
    [linkSeam]: quickLink,
    storage,
    server,
    tags: { SN: "394872348732948723", MAN: "www.ktc.se", MODEL: "IMC", V: 1.2 },
    sensor: {
      fields: [
        { name: "Temperature", unit: "°C", decimals: 1 },
        { name: "Door open", type: "boolean" },
      ],
      read: () => [
        { name: "Temperature", value: 21.5 },
        { name: "Door open", value: false },
      ],
    },
    ...overrides,
  };
  return options;
}

/** A component that has nothing to do with anybody. */
export function bystander(domain: string): Holdable {
  return new Holdable(new Bystander(`other.${domain}`));
}

const ELSEWHERE = "elsewhere.localhost";

/** The scenario's site on the embedded server, over TCP and TLS. */
export async function startSandboxSite(options: SiteOptions = {}): Promise<Site> {
  const sandbox = await startSandbox();
  const { service, domain, ca } = sandbox;
  const there = options.elsewhere === true ? await startSandbox({ domain: ELSEWHERE }) : sandbox;
  if (there !== sandbox) sandbox.federate(there);
  for (const site of new Set([sandbox, there])) [site.registry, site.provisioning].forEach((its) => site.detach(its));
  const { registry, provisioning } = makeServices(options, domain, there.domain);
  const hold = new Holdable(provisioning);
  const host = async (site: Sandbox, its: StanzaService): Promise<AccountAttachment | undefined> => {
    if (its.jid.includes("@")) {
      return attachAccount(its, { service: site.service, password: "secret", register: true, tls: { ca: site.ca } });
    }
    site.attach(its);
    return undefined;
  };
  const speaking = { registry: new Holdable(registry), provisioning: hold, other: bystander(domain) };
  const attachments = await Promise.all([
    host(sandbox, speaking.registry),
    host(there, speaking.provisioning),
    host(sandbox, speaking.other),
  ]);
  const sent: XmlElement[] = [];
  sandbox.onStanza((direction, _from, _to, stanza) => direction === "in" && sent.push(stanza));
  return {
    name: "sandbox",
    domain,
    registry,
    provisioning,
    hold,
    speaking,
    sent,
    reach: { service, domain, tls: { ca } },
    thing: (storage, overrides) => new Thing(thingOptions(storage, { service, domain }, { tls: { ca }, ...overrides })),
    user: (username) => connect({ service, domain, username, password: "secret", register: true, tls: { ca } }),
    cut: (thing) => {
      sandbox.drop(thing.jid);
      return Promise.resolve();
    },
    cutServices: () => {
      sandbox.drop(registry.jid);
      there.drop(provisioning.jid);
    },
    stop: async () => {
      registry.stop();
      provisioning.stop();
      for (const attachment of attachments) await attachment?.close();
      await Promise.all([sandbox.stop(), there.stop()]);
    },
  };
}
