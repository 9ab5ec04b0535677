// What a state folder says of its Thing, also while that is off: for `npx xmpp-thing status` and `reset`.
import { messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { serverDocument, type SavedServer } from "../discovery/cached.ts";
import { countRights, rightsJournal } from "../provisioning/rights-journal.ts";
import type { FileStorageOptions } from "../storage/file-storage.ts";
import { certificateDocument, fingerprintOf } from "../provisioning/made-certificate.ts";
import { tokensDocument } from "../provisioning/token-store.ts";
import { FolderView, type FolderHolder } from "../storage/folder-view.ts";
import { isLockName } from "../storage/lock.ts";
import { NewerFormatError } from "../storage/newer-format.ts";
import type { Storage } from "../storage/storage.ts";
import type { DomainAccount } from "./accounts.ts";
import { faultDocument, type SavedFault } from "./last-fault.ts";
import { markOf } from "./node-keys.ts";
import { leavingDocument } from "./node-leaving.ts";
import { tagsDocument } from "./own-tags.ts";
import { isNodeDocument, readNode } from "./node-store.ts";
import { savedDocument, type Saved } from "./saved.ts";
import type { Ownership, Trust } from "./state.ts";

/** The names under which a Thing keeps what must outlive it. */
export const stateNames = ["thing", "rights", "faults", "server", "tokens", "certificate", "nodes", "tags"] as const;

/** Something that is kept: what it says, or why it cannot be read. Damage that does no harm is in `problem`. */
export type Part<T> =
  | { readonly is: "none" }
  | { readonly is: "read"; readonly value: T; readonly problem?: string }
  | { readonly is: "unreadable"; readonly why: string };

/** Who a Thing is, without its secrets. */
export interface SavedIdentity {
  /** Its account, on the server it was on last; `undefined` before one was found. */
  readonly jid: string | undefined;
  /** True until the server is known to have the account. */
  readonly pending: boolean;
  /** The accounts that were made for it on other domains, by their addresses. */
  readonly elsewhere: readonly string[];
  /** Whose it is. */
  readonly ownership: Ownership;
  /** Who decides for it. */
  readonly trust: Trust;
}

/** What a Thing has to be known by to provisioning servers (XEP-0324 3.1.3), without its secrets. */
export interface SavedIdentification {
  /** The fingerprint (SHA-256) of the certificate; `undefined` if none was made, and none has brought a token yet. */
  readonly fingerprint: string | undefined;
  /** True if the Thing has made it. */
  readonly made: boolean;
  /** The servers that have given a token for it. */
  readonly servers: readonly BareJid[];
}

/** A node behind a Thing of which something is kept. */
export interface SavedNode {
  /** Which node. */
  readonly node: NodeRef;
  /** Whose it is. */
  readonly ownership: Ownership;
}

/** What a folder says. */
export interface Inspection {
  /** Its absolute path. */
  readonly folder: string;
  /** What is there: no folder, an empty one, one of something else, one that a Thing has used. */
  readonly kind: "absent" | "empty" | "foreign" | "state";
  /** The process that runs a Thing on it. */
  readonly holder: FolderHolder | undefined;
  /** Who the Thing is. */
  readonly identity: Part<SavedIdentity>;
  /** How many rights it remembers. */
  readonly rights: Part<number>;
  /** Its certificate and tokens. */
  readonly tokens: Part<SavedIdentification>;
  /** The nodes behind it that have an owner, or have to be forgotten by the Registry. */
  readonly nodes: Part<readonly SavedNode[]>;
  /** Its newest fault. */
  readonly fault: Part<SavedFault>;
  /** The server that was found and worked last. */
  readonly server: Part<SavedServer>;
}

/** Looks at a folder. Makes nothing in it, takes nothing, writes nothing. Rejects with `ERR_STORAGE` if it cannot be read. */
export async function inspectFolder(folder: string, options: FileStorageOptions = {}): Promise<Inspection> {
  const view = new FolderView(folder, options);
  const names = await view.names();
  const kind = kindOf(names);
  const none = { is: "none" } as const;
  if (kind !== "state") {
    const nothing = { identity: none, rights: none, tokens: none, nodes: none, fault: none, server: none };
    return { folder: view.folder, kind, holder: undefined, ...nothing };
  }
  const storage = view.storage();
  const nodes = await part(() => loadNodes(storage, names ?? []));
  return { folder: view.folder, kind, holder: await view.holder(), nodes, ...(await inspectStorage(storage)) };
}

/** What a storage holds. */
export async function inspectStorage(
  storage: Storage,
): Promise<Pick<Inspection, "identity" | "rights" | "tokens" | "fault" | "server">> {
  return {
    identity: await part(async () => {
      const { value, problem } = await savedDocument(storage).load();
      return { value: value && withoutSecrets(value), problem };
    }),
    rights: await part(async () => {
      const { count, problem } = await countRights(storage);
      return { value: count, problem };
    }),
    tokens: await part(() => loadIdentification(storage)),
    fault: await part(() => faultDocument(storage).load()),
    server: await part(async () => {
      const { value, problem } = await serverDocument(storage).load();
      return { value: value ?? undefined, problem };
    }),
  };
}

/**
 * Refuses a storage in which anything was written by a newer version of the library, with `ERR_STORAGE` that names what
 * and which version. Called before anything in it is touched.
 */
export async function refuseNewer(storage: Storage): Promise<void> {
  const kept = [
    savedDocument(storage),
    rightsJournal(storage),
    faultDocument(storage),
    serverDocument(storage),
    tokensDocument(storage),
    certificateDocument(storage),
    leavingDocument(storage),
    tagsDocument(storage),
  ];
  for (const one of kept) {
    await one.load().catch((error: unknown) => {
      if (error instanceof NewerFormatError) throw error; // what is damaged is the matter of who uses it
    });
  }
}

function kindOf(names: readonly string[] | undefined): Inspection["kind"] {
  if (names === undefined) return "absent";
  if (names.length === 0) return "empty";
  const ours = new Set<string>(stateNames.flatMap((name) => [name, `${name}.previous`]));
  return names.some((name) => ours.has(name) || isLockName(name)) ? "state" : "foreign";
}

async function part<T>(
  load: () => Promise<{ readonly value: T | undefined; readonly problem?: string | undefined }>,
): Promise<Part<T>> {
  try {
    const { value, problem } = await load();
    if (value === undefined) return { is: "none" };
    return { is: "read", value, ...(problem !== undefined && { problem }) };
  } catch (error) {
    return { is: "unreadable", why: messageOf(error) };
  }
}

function withoutSecrets({ accounts, ownership, trust }: Saved): SavedIdentity {
  const [inUse, ...others] = accounts;
  const elsewhere = others.filter(({ pending }) => !pending).map(addressOf);
  return { jid: inUse && addressOf(inUse), pending: inUse?.pending ?? true, elsewhere, ownership, trust };
}

async function loadIdentification(
  storage: Storage,
): Promise<{ readonly value: SavedIdentification | undefined; readonly problem?: string | undefined }> {
  const made = await certificateDocument(storage).load();
  const tokens = await tokensDocument(storage).load();
  if (made.value === undefined && tokens.value === undefined) return { value: undefined };
  const problem = made.problem ?? tokens.problem;
  const own = made.value && fingerprintOf(made.value);
  const { certificate: fingerprint = own, tokens: all = [] } = tokens.value ?? {};
  const servers = all.map(({ server }) => server);
  return { value: { fingerprint, made: own !== undefined && own === fingerprint, servers }, problem };
}

/** The nodes of this Thing: those of before a factory reset are none of its own. */
async function loadNodes(
  storage: Storage,
  names: readonly string[],
): Promise<{ readonly value: readonly SavedNode[] | undefined; readonly problem?: string | undefined }> {
  const documents = names.filter(isNodeDocument);
  if (documents.length === 0) return { value: undefined };
  const { value: saved } = await savedDocument(storage).load();
  const mark = saved?.nodeSecret === undefined ? undefined : markOf(saved.nodeSecret);
  const nodes: SavedNode[] = [];
  const problems: string[] = [];
  for (const name of documents) {
    const found = await readNode(storage, name);
    if (found.is === "damaged") problems.push(found.why);
    else if (found.is === "read" && found.mark === mark) {
      nodes.push({ node: found.node, ownership: found.record.ownership });
    }
  }
  const problem = problems[0] && `${problems[0]}${problems.length > 1 ? `, and ${problems.length - 1} more` : ""}`;
  return { value: nodes, problem };
}

const addressOf = ({ username, domain }: DomainAccount): string => `${username}@${domain}`;
