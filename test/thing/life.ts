// States and events of a Thing in few words, for tables.
import { bareJid } from "../../src/core/jid.ts";
import type { Link, Ownership, ThingState, Trust } from "../../src/thing/state.ts";

export const registry = bareJid("discovery.example.org");
export const otherRegistry = bareJid("discovery.example.net");
export const server = bareJid("provisioning.example.org");
export const otherServer = bareJid("provisioning.example.net");
export const owner = bareJid("owner@example.org");
export const thief = bareJid("thief@example.net");

export const links = {
  stopped: { is: "stopped" },
  discovering: { is: "discovering" },
  connecting: { is: "connecting", host: "example.org", port: 5222 },
  online: { is: "online", jid: "thing@example.org/home" },
  waiting: { is: "waiting", ms: 1_000, why: "gone" },
} as const satisfies Record<string, Link>;

type Claimed = Extract<Ownership, { is: "claimed" }>;

export const claimed = (parts: Partial<Claimed> = {}): Claimed => ({
  ...{ is: "claimed", registry, owner, public: true, listed: true, keyEmptied: false, ownerAsked: false },
  ...parts,
});

export const ownerships = {
  unregistered: { is: "unregistered" },
  registered: { is: "registered", registry },
  "registered elsewhere": { is: "registered", registry: otherRegistry },
  "registered, disowned": { is: "registered", registry, disownedBy: owner },
  selfOwned: { is: "selfOwned", registry, listed: true },
  "selfOwned, removed": { is: "selfOwned", registry, listed: false },
  claimed: claimed(),
  "claimed, KEY emptied": claimed({ keyEmptied: true }),
  "claimed, owner asked": claimed({ ownerAsked: true }),
  "claimed, all done": claimed({ keyEmptied: true, ownerAsked: true }),
  "claimed, private": claimed({ public: false }),
  "claimed, removed": claimed({ listed: false, keyEmptied: true, ownerAsked: true }),
} as const satisfies Record<string, Ownership>;

export const trusts = {
  none: { is: "none" },
  configured: { is: "delegated", servers: [{ jid: server, origin: "configured" }], locked: false },
  found: { is: "delegated", servers: [{ jid: server, origin: "found" }], locked: false },
  paired: { is: "delegated", servers: [{ jid: server, origin: "paired" }], locked: false },
  locked: { is: "delegated", servers: [{ jid: server, origin: "found" }], locked: true },
} as const satisfies Record<string, Trust>;

export type LinkName = keyof typeof links;
export type OwnershipName = keyof typeof ownerships;
export type TrustName = keyof typeof trusts;

export const names = <T extends object>(table: T): (keyof T)[] => Object.keys(table) as (keyof T)[];

export function stateOf(link: LinkName, ownership: OwnershipName, trust: TrustName): ThingState {
  return frozen({
    link: links[link],
    ownership: ownerships[ownership],
    trust: trusts[trust],
    examining: [],
    parting: [],
  });
}

/** Made so that whoever changes it is found out. */
export function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}
