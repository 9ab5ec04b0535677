// What a Thing must decide when it asks several provisioning servers: XEP-0324 0.5.1 (3.2 to 3.4, 5.3, 5.5) and the
// errata (P-E16, P-E18 to P-E20, P-E28, X-E6), said without lists to intersect and without the code. A right is a set of
// places, and a place is one field or parameter of one node. Nothing of src is imported here: what it should be is not
// told by what it is.

/** A node, or a reference to nodes. */
export interface Node {
  readonly nodeId: string;
  readonly sourceId?: string;
  readonly cacheType?: string;
}

/** One field of one kind, or one parameter (its kind is none), of one node. */
export interface Place {
  readonly node: Node;
  readonly name: string;
  readonly type: string;
}

/** What is asked. Empty lists of nodes and names mean everything. */
export interface Asked {
  readonly kind: "friend" | "read" | "control";
  /** The flags on the wire, `all` and `historical` among them. */
  readonly flags: readonly string[];
  readonly nodes: readonly Node[];
  readonly names: readonly string[];
}

/** What a server comes to say. */
export interface Said {
  /** When, in milliseconds after it was asked; `Infinity` for never. */
  readonly at: number;
  /** Its answer; `undefined` for an error, or something that is no answer to the question. */
  readonly answer?: {
    readonly result: boolean;
    /** Of isFriend: `secondaryTrustAllowed`. */
    readonly secondary: boolean;
    readonly flags: readonly string[];
    readonly nodes: readonly Node[];
    readonly names: readonly string[];
  };
}

/** What must come of it. */
export interface Verdict {
  readonly outcome: "granted" | "refused" | "unanswered";
  /** When, in milliseconds after it was asked. */
  readonly at: number;
  /** The places that are let through. */
  readonly places: readonly Place[];
  /** Whether it is remembered: nobody could add to it, or all have answered. */
  readonly remembered: boolean;
  /** A refused friendship: whether the Thing may make friends of its own. */
  readonly secondary: boolean;
}

/** How long a server is waited for, in milliseconds (docs/rights.md). */
export const PATIENCE = 6_000;

/** A name, a source, a kind of cache that nobody ever names: stands for all that there may be besides. */
export const UNNAMED = "nobody names it";

// XEP-0323 5.6. Of those that are not named one by one, one for `all` and one for `historical` is enough.
const TYPES = ["momentary", "peak", "status", "computed", "identity", "historicalSecond", "historicalDay"];

const flagsMean = (flags: readonly string[], type: string): boolean =>
  flags.includes("all") || flags.includes(type) || (flags.includes("historical") && type.startsWith("historical"));

/** P-5.5-3: what a reference leaves out may be anything. */
const means = (reference: Node, node: Node): boolean =>
  reference.nodeId === node.nodeId &&
  (reference.sourceId === undefined || reference.sourceId === node.sourceId) &&
  (reference.cacheType === undefined || reference.cacheType === node.cacheType);

const listed = (lists: { nodes: readonly Node[]; names: readonly string[] }, { node, name }: Place): boolean =>
  (lists.nodes.length === 0 || lists.nodes.some((reference) => means(reference, node))) &&
  (lists.names.length === 0 || lists.names.includes(name));

/** Every place that there may be, in a world of so many ids, sources, kinds of cache and names. */
export function everywhere(
  kind: Asked["kind"],
  words: {
    readonly ids: readonly string[];
    readonly sources: readonly string[];
    readonly caches: readonly string[];
    readonly names: readonly string[];
  },
): readonly Place[] {
  const places: Place[] = [];
  for (const nodeId of [...words.ids, UNNAMED])
    for (const sourceId of [undefined, ...words.sources, UNNAMED])
      for (const cacheType of [undefined, ...words.caches, UNNAMED])
        for (const name of [...words.names, UNNAMED])
          for (const type of kind === "read" ? TYPES : [""]) {
            const node = { nodeId, ...(sourceId && { sourceId }), ...(cacheType && { cacheType }) };
            places.push({ node, name, type });
          }
  return places;
}

/** What must be decided when the servers say this. */
export function decided(asked: Asked, servers: readonly Said[], world: readonly Place[]): Verdict {
  const isFriend = asked.kind === "friend";
  const wanted = isFriend
    ? []
    : world.filter((place) => listed(asked, place) && (asked.kind === "control" || flagsMean(asked.flags, place.type)));
  // P-E18: no flag is no restriction. P-E19: what is not asked for is not granted. P-E20: by one server as a whole.
  const grants = ({ answer }: Said, place: Place): boolean =>
    answer?.result === true &&
    listed(answer, place) &&
    (asked.kind === "control" || answer.flags.length === 0 || flagsMean(answer.flags, place.type));
  const answered = servers.filter(({ at, answer }) => at < PATIENCE && answer !== undefined);
  const by = (moment: number): Pick<Verdict, "places"> & { readonly enough: boolean } => {
    const heard = answered.filter(({ at }) => at <= moment);
    const places = wanted.filter((place) => heard.some((said) => grants(said, place)));
    // XEP-0324 5.3: one yes to a friendship is a yes; nobody can add to what is granted whole.
    const enough = isFriend ? heard.some(({ answer }) => answer?.result) : places.length === wanted.length;
    return { places, enough };
  };
  const moments = [...new Set(answered.map(({ at }) => at))].sort((a, b) => a - b);
  for (const at of moments) {
    const { places, enough } = by(at);
    if (enough) return { outcome: "granted", at, places, remembered: true, secondary: false };
  }
  // A no waits for all: for their answers, their errors, or the end of patience.
  const at = Math.max(...servers.map((said) => Math.min(said.at, PATIENCE)));
  const { places } = by(at);
  const remembered = answered.length === servers.length;
  if (places.length > 0) return { outcome: "granted", at, places, remembered, secondary: false };
  // P-E28: who does not answer might have said yes.
  if (!remembered) return { outcome: "unanswered", at, places, remembered, secondary: false };
  // P-E16: of one server it suffices.
  const secondary = isFriend && answered.some(({ answer }) => answer?.secondary);
  return { outcome: "refused", at, places, remembered, secondary };
}

/** What a Thing that is one node without an id shows its reader: the names of fields, or the condition of the error. */
export function shown(
  asked: Asked,
  verdict: Verdict,
  fields: ReadonlyMap<string, readonly string[]>,
): readonly string[] | string {
  const no = refusalOf(verdict);
  if (no !== undefined) return no;
  if (asked.nodes.length > 0 && !asked.nodes.some((reference) => means(reference, { nodeId: "" })))
    return "item-not-found";
  const wanted = [...fields].filter(
    ([name, types]) =>
      (asked.names.length === 0 || asked.names.includes(name)) && types.some((type) => flagsMean(asked.flags, type)),
  );
  const let_ = wanted.filter(([name, types]) => types.some((type) => isLet(verdict, { nodeId: "" }, name, type)));
  // P-E19: nothing left is a no.
  return wanted.length > 0 && let_.length === 0 ? "forbidden" : let_.map(([name]) => name);
}

/** What is set on it, and what the caller is told of it (P-3.4.2-7); or the condition of the error. */
export function done(
  asked: Asked,
  verdict: Verdict,
  parameters: readonly string[],
): { readonly set: readonly string[]; readonly nodes: readonly string[]; readonly names: readonly string[] } | string {
  const no = refusalOf(verdict);
  if (no !== undefined) return no;
  const here = { nodeId: "" };
  if (asked.nodes.length > 0 && !asked.nodes.some((reference) => means(reference, here))) return "item-not-found";
  const set = asked.names.filter((name) => isLet(verdict, here, name, ""));
  if (set.length === 0) return "forbidden";
  const others = asked.nodes.filter((reference) => !means(reference, here));
  // Who may control a node learns that it is not there; who may not learns nothing, and it is left out (P-3.4.2-6).
  if (others.some((node) => asked.names.some((name) => isLet(verdict, node, name, "")))) return "item-not-found";
  if (set.some((name) => !parameters.includes(name))) return "item-not-found";
  return { set, nodes: others.length > 0 ? [""] : [], names: set.length < asked.names.length ? set : [] };
}

function refusalOf({ outcome }: Verdict): string | undefined {
  if (outcome === "granted") return undefined;
  return outcome === "refused" ? "forbidden" : "resource-constraint";
}

function isLet({ places }: Verdict, node: Node, name: string, type: string): boolean {
  return places.some(
    (place) =>
      place.name === name &&
      place.type === type &&
      place.node.nodeId === node.nodeId &&
      place.node.sourceId === node.sourceId &&
      place.node.cacheType === node.cacheType,
  );
}
