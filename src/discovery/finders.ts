// Which finders a search has: one line for each that comes with the library.
import { configured } from "./configured.ts";
import type { DiscoverySettings } from "./options.ts";
import type { Finder } from "./finder.ts";

/** The finders that options switch on, the most trusted first; those of the program last. */
export function findersOf(settings: DiscoverySettings): readonly Finder[] {
  return [...(settings.domain === undefined ? [] : [configured(settings.domain)]), ...settings.finders];
}
