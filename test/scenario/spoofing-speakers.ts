// Everybody of the spoofing matrix: who is there on every site, and whom only a server could let speak.
import type { Connection } from "../../src/connection/connect.ts";
import type { Thing } from "../../src/thing/thing.ts";
import type { Site } from "../support/site.ts";
import { component, person, pretender, type Speaker } from "../support/speakers.ts";
import type { Who } from "./spoofing-rows.ts";

/** The people of the matrix: `desk` is the friend's other client, `phone` the owner's, `self` one of the Thing's account. */
export interface People {
  readonly stranger: Connection;
  readonly friend: Connection;
  readonly desk: Connection;
  readonly owner: Connection;
  readonly phone: Connection;
  readonly self: Connection;
}

/** The address in another letter case. */
export const inCapitals = ({ jid }: Connection): string => jid.full.replace(/^[^/]*/, (bare) => bare.toUpperCase());

/** Whom only a server could let speak, by the addresses that they name. */
export function forgedAddresses(site: Site, thing: Thing, people: People): readonly [Who, string | undefined][] {
  const { registry, provisioning } = site.speaking;
  return [
    ["server", site.domain],
    ["own bare", thing.jid.replace(/\/.*/s, "")],
    ["own full", thing.jid],
    ["nobody named", undefined],
    ["STRANGER", inCapitals(people.stranger)],
    ["FRIEND", inCapitals(people.friend)],
    ["OWNER", inCapitals(people.owner)],
    ["REGISTRY", registry.jid.toUpperCase()],
    ["PROVISIONING", provisioning.jid.toUpperCase()],
    ["registry/resource", `${registry.jid}/x`],
    ["provisioning/resource", `${provisioning.jid}/x`],
    ["account at registry", `registry@${registry.jid}`],
    ["account at provisioning", `provisioning@${provisioning.jid}`],
    ["registry, longer", `${registry.jid}.example.org`],
    ["provisioning, longer", `x${provisioning.jid}`],
    ["friend of another domain", "friend@example.org/x"],
    ["owner of another domain", "owner@example.org/x"],
  ];
}

/** All who speak to a Thing on a site. */
export function everySpeaker(site: Site, thing: Thing, people: People): Map<Who, Speaker> {
  const { registry, provisioning, other } = site.speaking;
  const speakers = new Map<Who, Speaker>([
    ["stranger", person(people.stranger)],
    ["friend", person(people.friend)],
    ["friend, elsewhere", person(people.desk)],
    ["owner", person(people.owner)],
    ["owner, elsewhere", person(people.phone)],
    ["own account, elsewhere", person(people.self)],
    ["registry", component(registry)],
    ["provisioning", component(provisioning)],
    ["other component", component(other)],
  ]);
  if (site.forge === undefined) return speakers;
  for (const [who, from] of forgedAddresses(site, thing, people)) speakers.set(who, pretender(site, from));
  return speakers;
}
