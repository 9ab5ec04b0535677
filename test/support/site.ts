import type { XmlElement } from "../../src/codec/xml.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { Bystander } from "./bystander.ts";
import { Holdable } from "./holdable.ts";
import type { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import type { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import type { ServerOptions, ThingOptions } from "../../src/thing/options.ts";

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
  /** A Thing that is not started yet. */
  thing(storage: Storage, overrides?: Partial<ThingOptions>): Thing;
  /** Somebody who is online. The account is made on the first call. */
  user(name: string): Promise<Connection>;
  /** The link of a Thing goes, without a word from either side. */
  cut(thing: Thing): Promise<void>;
  stop(): Promise<void>;
}

/** The Thing of the scenarios: two fields, so that one can be left out. */
export function thingOptions(
  storage: Storage,
  server: ServerOptions,
  overrides: Partial<ThingOptions> = {},
): ThingOptions {
  return {
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
}

/** The scenario's site on the embedded server, over TCP and TLS. */
export async function startSandboxSite(): Promise<Site> {
  const sandbox = await startSandbox();
  const { service, domain, ca } = sandbox;
  const hold = new Holdable(sandbox.provisioning);
  const speaking = {
    registry: new Holdable(sandbox.registry),
    provisioning: hold,
    other: new Holdable(new Bystander(`other.${domain}`)),
  };
  sandbox.detach(sandbox.registry);
  sandbox.detach(sandbox.provisioning);
  for (const service of Object.values(speaking)) sandbox.attach(service);
  const sent: XmlElement[] = [];
  sandbox.onStanza((direction, _from, _to, stanza) => direction === "in" && sent.push(stanza));
  return {
    name: "sandbox",
    domain,
    registry: sandbox.registry,
    provisioning: sandbox.provisioning,
    hold,
    speaking,
    sent,
    thing: (storage, overrides) => new Thing(thingOptions(storage, { service, domain }, { tls: { ca }, ...overrides })),
    user: (username) => connect({ service, domain, username, password: "secret", register: true, tls: { ca } }),
    cut: (thing) => {
      sandbox.drop(thing.jid);
      return Promise.resolve();
    },
    stop: () => sandbox.stop(),
  };
}
