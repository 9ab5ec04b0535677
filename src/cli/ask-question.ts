// A question that a Provisioning Server leaves to people, as they see it.
import { tryParseJid } from "../core/jid.ts";
import { base64Of } from "../codec/base64.ts";
import type { Credential } from "../codec/credentials.ts";
import { nodeText, type NodeRef } from "../codec/node-ref.ts";
import type { FieldType } from "../codec/field-types.ts";
import type { UndecidedQuestion } from "../sandbox/provisioning-server-options.ts";
import { jsonText, printable } from "./printable.ts";

/** Something that a question names, which an answer may choose by its number. */
export type Part =
  | { readonly is: "node"; readonly value: NodeRef }
  | { readonly is: "field" | "parameter"; readonly value: string }
  | { readonly is: "kind"; readonly value: FieldType }
  | { readonly is: "credential"; readonly value: Credential }
  | { readonly is: "privilege"; readonly value: string };

/** Of one name no more is shown: the beginning and the end. */
const LONGEST = 120;

/** All that a question names, in the order of its numbers. */
export function partsOf(question: UndecidedQuestion): readonly Part[] {
  const { kind, nodes, fields, types, parameters, credentials, privilege = "" } = question;
  // What is granted above holds for all below (P-3.7.1-6).
  if (kind === "hasPrivilege") return withThoseAbove(privilege).map((value) => ({ is: "privilege", value }));
  return [
    ...nodes.map((value): Part => ({ is: "node", value })),
    ...fields.map((value): Part => ({ is: "field", value })),
    ...types.map((value): Part => ({ is: "kind", value })),
    ...parameters.map((value): Part => ({ is: "parameter", value })),
    ...credentials.map((value): Part => ({ is: "credential", value })),
  ];
}

/** Who wants what of whom: one line. All names in it come from the wire. */
export function headline({ kind, thing, jid, credentials, userName }: UndecidedQuestion): string {
  const [who, what] = [addressText(jid), addressText(thing)];
  if (kind === "isFriend") return `${who} wants to be a friend of ${what}`;
  if (kind === "canRead") return `${who} wants to read ${what}`;
  if (kind === "canControl") return `${who} wants to control ${what}`;
  if (kind === "canAccess") {
    const known = credentials.length > 0 ? "of whom it knows this" : "of whom it knows nothing";
    return `the service ${what} asks whether a user may use it, ${known}`;
  }
  const whom = userName === undefined ? "everybody, without a login," : `its user ${quoted(userName)}`;
  return `the service ${what} asks whether ${whom} may do this`;
}

/** One of its parts, in quotes: what stands in a name is no word of this program. */
export function partText(part: Part): string {
  if (part.is === "node") return `node ${quoted(nodeText(part.value))}`;
  if (part.is !== "credential") return `${part.is} ${quoted(part.value)}`;
  const { type, value } = part.value;
  return `${type} ${quoted(value instanceof Uint8Array ? base64Of(value) : String(value))}`;
}

/** What it does not limit; empty if it names something of each, or cannot. */
export function unlimited({ kind, nodes, fields, types, parameters }: UndecidedQuestion): readonly string[] {
  const lists = {
    nodes,
    ...(kind === "canRead" && { fields, kinds: types }),
    ...(kind === "canControl" && { parameters }),
  };
  if (kind !== "canRead" && kind !== "canControl") return [];
  return Object.entries(lists).flatMap(([name, list]) => (list.length === 0 ? [name] : []));
}

/** Whose domain an answer for a whole domain is about: that of who asks, or of the user. `undefined` if nobody knows. */
export function domainOf(question: UndecidedQuestion): string | undefined {
  return tryParseJid(partyOf(question) ?? "")?.domain;
}

/** The address that a rule names: of who asks, or of the user, if the service knows one and no other. */
export function partyOf({ kind, jid, credentials }: UndecidedQuestion): string | undefined {
  if (kind === "hasPrivilege") return undefined;
  if (kind !== "canAccess") return jid;
  const known = credentials.flatMap(({ type, value }) =>
    type === "jid" && typeof value === "string" ? [tryParseJid(value)?.bare] : [],
  );
  return new Set(known).size === 1 ? known[0] : undefined;
}

/** One text for what a rule decides alike. The order in which things are named, and tokens, make no difference to a rule. */
export function questionKey(server: string, question: UndecidedQuestion): string {
  const { kind, thing, jid, userName, identities } = question;
  return JSON.stringify([
    server,
    kind,
    thing,
    jid,
    // Privileges are those of a user in one service.
    ...(kind === "hasPrivilege" ? [userName ?? null, ...identities] : []),
    ...partsOf(question)
      .map((part) => wholeText(part))
      .sort(),
  ]);
}

/** An address: both ends of it, whatever length its middle has. */
export function addressText(jid: string): string {
  return printable(shortened(jid));
}

/** A name in quotes. */
export function quoted(name: string): string {
  return jsonText(shortened(name));
}

/** A Privilege ID, and all above it: `Databases.Energy`, `Databases`. */
function withThoseAbove(id: string): readonly string[] {
  const names = id.split(".");
  return names.map((_, i) => names.slice(0, names.length - i).join("."));
}

function wholeText({ is, value }: Part): string {
  return JSON.stringify([is, value]);
}

function shortened(text: string): string {
  return text.length <= 2 * LONGEST ? text : `${text.slice(0, LONGEST)}…${text.slice(-LONGEST)}`;
}
