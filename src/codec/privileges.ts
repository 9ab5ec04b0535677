// XEP-0324 Internet of Things - Provisioning 0.5.1: sections 3.7.1 and 3.7.2, what a user may do in a service. The rule by
// which a list of privileges is read, for the Service that has downloaded one and for the server that keeps it (P-E23).
import { isXmlText } from "./xml.ts";

/**
 * One entry of a list of privileges: a full or partial Privilege ID that is granted, or one that is not. A partial one
 * stands for all below it: `Databases.Energy` for `Databases.Energy.Select` too (P-3.7.1-6). An empty one is the
 * invisible root that all Privilege IDs have in common (P-E23).
 */
export type Privilege =
  | {
      /** What is granted. */
      readonly include: string;
      /** Not here. */
      readonly exclude?: undefined;
    }
  | {
      /** What is not granted. */
      readonly exclude: string;
      /** Not here. */
      readonly include?: undefined;
    };

/**
 * Tells whether a text is a Privilege ID: one part, or several divided by periods, none of them empty (P-3.7.1-2). It
 * also has to go through XML as it is: no control characters, no half of a surrogate pair.
 */
export function isPrivilegeId(text: string): boolean {
  return text.split(".").every((part) => part !== "") && isXmlText(text) && !/[\t\n\r]/.test(text);
}

/**
 * Tells whether a list grants a full Privilege ID. The first entry that is the ID, or stands above it in the tree, decides; where none
 * does the answer is no (P-3.7.1-8, P-3.7.2-3, P-E23). Letters count as they are written: `sensors` is not `Sensors`. A text that is no
 * Privilege ID is granted by no list, not even by the root.
 */
export function isPrivilegeGranted(list: readonly Privilege[], id: string): boolean {
  return decidingPrivilege(list, id)?.include !== undefined;
}

/** The entry of a list that decides a full Privilege ID, by {@link isPrivilegeGranted}; `undefined` if none does. */
export function decidingPrivilege(list: readonly Privilege[], id: string): Privilege | undefined {
  return isPrivilegeId(id) ? list.find((entry) => covers(entry.include ?? entry.exclude, id)) : undefined;
}

/** Part by part: `Data` does not stand above `Databases`. */
function covers(entry: string, id: string): boolean {
  return entry === "" || entry === id || id.startsWith(`${entry}.`);
}
