// One remembered answer, as it stands in memory and on disk.
import { tryParseJid, type BareJid } from "../core/jid.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Grant } from "./grants.ts";
import { keyStart, type Question } from "./questions.ts";

/** A remembered answer. No grant at all is a refusal by every trusted server. */
export interface Right {
  /** The key of the question. */
  readonly key: string;
  /** What was asked. */
  readonly kind: Question["kind"];
  /** About whom. */
  readonly jid: BareJid;
  /** What was granted. */
  readonly grants: readonly Grant[];
  /** A refused friendship: the servers that let the Thing make friends of its own (XEP-0324 3.1.4). Left out: none. */
  readonly secondaryTrustBy?: readonly BareJid[];
}

type Plain = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Plain => typeof value === "object" && value !== null;
const isText = (value: unknown): value is string => typeof value === "string";
const isBare = (value: unknown): value is BareJid => isText(value) && tryParseJid(value)?.bare === value;
const isOptionalText = (value: unknown): boolean => value === undefined || isText(value);
const isType = (value: unknown): value is FieldType => fieldTypes.includes(value as FieldType);
const isNode = (value: unknown): value is NodeRef =>
  isObject(value) && isText(value["nodeId"]) && isOptionalText(value["sourceId"]) && isOptionalText(value["cacheType"]);

function isListOf<T>(value: unknown, isOne: (one: unknown) => one is T): value is readonly T[] {
  return Array.isArray(value) && value.every((one) => isOne(one));
}

const kinds: readonly unknown[] = ["friend", "read", "control"] satisfies readonly Question["kind"][];
const isKind = (value: unknown): value is Question["kind"] => kinds.includes(value);

/** What grants were before there was control. */
type StoredGrant = Omit<Grant, "parameters"> & Partial<Pick<Grant, "parameters">>;

function isGrant(value: unknown): value is StoredGrant {
  return (
    isObject(value) &&
    isBare(value["by"]) &&
    isListOf(value["types"], isType) &&
    isListOf(value["nodes"], isNode) &&
    isListOf(value["fields"], isText) &&
    (value["parameters"] === undefined || isListOf(value["parameters"], isText))
  );
}

/** Reads a right from disk; `undefined` for anything else: it is then asked again, never guessed. */
export function parseRight(value: unknown): Right | undefined {
  if (!isObject(value)) return undefined;
  const { key, kind, jid, grants: stored, secondaryTrustBy } = value;
  if (!isText(key) || !isKind(kind) || !isBare(jid) || !isListOf(stored, isGrant)) return undefined;
  // A grant of control without a list of parameters would be one of all: it was never written so.
  if (kind === "control" && stored.some(({ parameters }) => parameters === undefined)) return undefined;
  // What an older library wrote has none.
  if (secondaryTrustBy !== undefined && !isListOf(secondaryTrustBy, isBare)) return undefined;
  // The key decides whose question it answers, the JID whose right it is shown and forgotten as: they must agree.
  if (!key.startsWith(keyStart(kind, jid))) return undefined;
  const grants = stored.map((grant) => ({ ...grant, parameters: grant.parameters ?? [] }));
  return { key, kind, jid, grants, ...(secondaryTrustBy !== undefined && { secondaryTrustBy }) };
}
