// What is remembered of one question: every trusted server's grant, in one text (XEP-0324 5.2, 5.3, P-E20).
import { createHash } from "node:crypto";
import { tryParseJid, type BareJid } from "../core/jid.ts";
import type { Answer } from "./ask.ts";
import { areWhole, mostForgivingFirst, type Grant } from "./grants.ts";
import { MarkReader, MarksError, mark, marked, markedList, markedNode, maskOf, typesIn } from "./marks.ts";
import type { Question } from "./questions.ts";

/** Under whom something is remembered. Under another account, or with other servers, it is no answer. */
export interface TrustGeneration {
  /** A digest of the own account and the trusted servers: the same for the same, whatever their order. */
  readonly id: string;
  /** The provisioning servers that are trusted. */
  readonly servers: readonly BareJid[];
}

const ID_LENGTH = 11;

/** The generation of trust of an account with these servers. */
export function trustGeneration(account: string, servers: readonly BareJid[]): TrustGeneration {
  const said = JSON.stringify([account, ...[...new Set(servers)].sort()]);
  return { id: createHash("sha256").update(said).digest("base64url").slice(0, ID_LENGTH), servers };
}

/** What a record says. */
export interface Unpacked {
  /** The digest of the generation of trust. */
  readonly generation: string;
  /** The grants, most forgiving first. None is a refusal by every trusted server. */
  readonly grants: readonly Grant[];
  /** Of a refused friendship: the servers that let the Thing make friends of its own (XEP-0324 3.1.4). */
  readonly secondaryTrustBy: readonly BareJid[];
}

const YES = "+";
const NO = "-";

/** What each server has answered; who has not is not among them. */
export type Answered = ReadonlyMap<BareJid, Answer>;

/** The grants, one for each server that granted something, most forgiving first; equal ones in the order of the servers. */
export function grantsIn(servers: readonly BareJid[], answered: Answered): readonly Grant[] {
  return mostForgivingFirst(servers.flatMap((server) => answered.get(server)?.grant ?? []));
}

/** Whether grants cover all that was asked, so that no other server can add to them. */
export function grantAll(question: Question, grants: readonly Grant[]): boolean {
  return question.kind === "friend" ? grants.length > 0 : areWhole(question, grants);
}

/**
 * Makes the record of a question from what the servers answered; `undefined` if that is not the whole answer, which is
 * then not to be remembered: who has not answered may grant more. Whole it is when the grants cover all that was asked,
 * or when every server of the generation has answered (P-E16, P-E28, XEP-0324 5.3).
 */
export function recordOf(question: Question, generation: TrustGeneration, answered: Answered): string | undefined {
  const { id, servers } = generation;
  const grants = grantsIn(servers, answered);
  const haveAll = servers.length > 0 && servers.every((server) => answered.has(server));
  if (!haveAll && !grantAll(question, grants)) return undefined;
  // It matters beside a no only (P-E16).
  const secondaryTrustBy =
    grants.length > 0 ? [] : servers.filter((server) => answered.get(server)?.secondaryTrustAllowed === true);
  return pack({ generation: id, grants, secondaryTrustBy });
}

/** Writes a record: generation, yes or no, grants or servers that leave it to the Thing. */
export function pack({ generation, grants, secondaryTrustBy }: Unpacked): string {
  if (grants.length === 0) return generation + NO + markedList(secondaryTrustBy, marked);
  return generation + YES + markedList(grants, packGrant);
}

function packGrant({ by, types, nodes, fields, parameters }: Grant): string {
  const lists = markedList(nodes, markedNode) + markedList(fields, marked) + markedList(parameters, marked);
  return marked(by) + mark(maskOf(types)) + lists;
}

/** Tells whether a record is a refusal. */
export function isRefusal(record: string): boolean {
  return record[ID_LENGTH] === NO;
}

/** Reads a record; `undefined` for what is none: it is then asked again, never guessed. */
export function unpack(record: string): Unpacked | undefined {
  const reader = new MarkReader(record, ID_LENGTH + 1);
  const generation = record.slice(0, ID_LENGTH);
  try {
    if (record[ID_LENGTH] === NO) {
      const secondaryTrustBy = reader.list(() => readJid(reader));
      return reader.isAtEnd ? { generation, grants: [], secondaryTrustBy } : undefined;
    }
    const grants = reader.list(() => readGrant(reader));
    const isOne = record[ID_LENGTH] === YES && grants.length > 0 && reader.isAtEnd;
    return isOne ? { generation, grants, secondaryTrustBy: [] } : undefined;
  } catch (error) {
    if (error instanceof MarksError) return undefined;
    throw error;
  }
}

function readGrant(reader: MarkReader): Grant {
  const by = readJid(reader);
  const types = typesIn(reader.mask());
  return { by, types, nodes: reader.nodes(), fields: reader.texts(), parameters: reader.texts() };
}

function readJid(reader: MarkReader): BareJid {
  const text = reader.text();
  const jid = tryParseJid(text)?.bare;
  if (jid !== text) throw new MarksError();
  return jid;
}
