// Which finders a search has: one line for each that comes with the library.
import { rank } from "./candidate.ts";
import type { DhcpSettings } from "./dhcp-options.ts";
import { configured } from "./configured.ts";
import type { DiscoverySettings } from "./options.ts";
import type { Finder } from "./finder.ts";
import type { MdnsSettings } from "./mdns-options.ts";

/** The finders that options switch on, the most trusted first; those of the program last. */
export function findersOf(settings: DiscoverySettings): readonly Finder[] {
  return [
    ...(settings.domain === undefined ? [] : [configured(settings.domain)]),
    ...(settings.mdns === undefined ? [] : [mdns(settings.mdns)]),
    ...(settings.dhcp === undefined ? [] : [dhcp(settings.dhcp)]),
    ...settings.finders,
  ];
}

function dhcp(settings: DhcpSettings): Finder {
  return {
    name: "dhcp",
    rank: rank.dhcp,
    async *find(search) {
      const { findByDhcp } = await import("./dhcp.ts");
      yield* findByDhcp(settings, search);
    },
  };
}

function mdns(settings: MdnsSettings): Finder {
  return {
    name: "mdns",
    rank: rank.mdns,
    async *find(search) {
      const { findByMdns } = await import("./mdns.ts");
      yield* findByMdns(settings, search);
    },
  };
}
