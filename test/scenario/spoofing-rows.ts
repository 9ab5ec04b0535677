// The design's table "who may tell a Thing what", as data: what comes in, whom it counts from, and what anybody else gets.
import { buildGetForm } from "../../src/codec/control-form.ts";
import { buildSet } from "../../src/codec/control.ts";
import { buildClaimed, buildDisowned, buildRemoved } from "../../src/codec/iot-discovery.ts";
import { bareJid } from "../../src/core/jid.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildClearCache } from "../../src/codec/provisioning.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import { buildTokenChallenge } from "../../src/codec/token-challenge.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";

/** Who speaks. In capitals: the same address in another letter case. */
export type Who =
  // Who is there on every site.
  | "stranger"
  | "friend"
  | "friend, elsewhere"
  | "owner"
  | "owner, elsewhere"
  | "own account, elsewhere"
  // Owners of nodes behind the Thing: where it is a concentrator.
  | "node owner"
  | "other node's owner"
  | "registry"
  | "provisioning"
  | "other component"
  // Whom only a server could let speak: in memory.
  | "server"
  | "own bare"
  | "own full"
  | "nobody named"
  | "STRANGER"
  | "FRIEND"
  | "OWNER"
  | "NODE OWNER"
  | "REGISTRY"
  | "PROVISIONING"
  | "registry/resource"
  | "provisioning/resource"
  | "account at registry"
  | "account at provisioning"
  | "registry, longer"
  | "provisioning, longer"
  | "friend of another domain"
  | "owner of another domain";

/** What becomes of it. */
export type Outcome =
  /** It counts. */
  | "obeyed"
  /** The error of an IQ. */
  | "forbidden"
  | "service-unavailable"
  /** Not a word. */
  | "silence"
  /** The answer to a request for friendship. */
  | "unsubscribed"
  /** Not tried: the server itself has a word in it. */
  | "-";

/** One row of the table. */
export interface Row {
  readonly name: string;
  readonly kind: "get" | "set" | "message" | "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed";
  /** The child, if there is one; as those say it who may, or those who may not. */
  readonly payload?: (may: boolean) => XmlElement;
  /** Of a message: what shows that it counted, in the JIDs about whom something is remembered, or in what the program was told. */
  readonly shows?: (known: readonly string[], told: readonly string[]) => boolean;
  /** What everybody gets who is not named below. */
  readonly others: Outcome;
  readonly except?: Partial<Record<Who, Outcome>>;
  /** It is remembered who was refused: the first time changes what is remembered, and the second may change nothing. */
  readonly remembered?: boolean;
}

const all = (outcome: Outcome, ...who: Who[]): Partial<Record<Who, Outcome>> =>
  Object.fromEntries(who.map((one) => [one, outcome]));

const REGISTRY: readonly Who[] = ["registry", "REGISTRY", "registry/resource"];
const PROVISIONING: readonly Who[] = ["provisioning", "PROVISIONING", "provisioning/resource"];
const FRIEND: readonly Who[] = ["friend", "FRIEND", "friend, elsewhere"];
const OWNER: readonly Who[] = ["owner", "OWNER", "owner, elsewhere"];

/** Whom a claim by somebody who may not claim would make the owner. */
export const THIEF = "thief@localhost";

const claimed: Row = {
  name: "claimed",
  kind: "set",
  payload: () => buildClaimed({ jid: bareJid(THIEF), public: true }),
  others: "forbidden",
};

const node = { nodeId: "meter1" };

// What comes of them when the Registry says so is in test/thing/owned.test.ts: they would end what the rows below need.
const otherNotices: readonly Row[] = [
  { name: "removed", kind: "set", payload: () => buildRemoved({}), others: "forbidden", except: all("-", ...REGISTRY) },
  {
    name: "disowned",
    kind: "set",
    payload: () => buildDisowned({}),
    others: "forbidden",
    except: all("-", ...REGISTRY),
  },
  // Who asks is looked at before what for: nobody finds out which nodes there are (D-E29).
  {
    name: "claimed, of a node",
    kind: "set",
    payload: () => buildClaimed({ jid: bareJid(THIEF), public: true, node }),
    others: "forbidden",
    except: all("-", ...REGISTRY),
  },
  {
    name: "removed, of a node",
    kind: "set",
    payload: () => buildRemoved({ node }),
    others: "forbidden",
    except: all("-", ...REGISTRY),
  },
  {
    name: "disowned, of a node",
    kind: "set",
    payload: () => buildDisowned({ node }),
    others: "forbidden",
    except: all("-", ...REGISTRY),
  },
];
const removed: Row = { name: "removed", kind: "set", payload: () => buildRemoved({}), others: "forbidden" };
const disowned: Row = { name: "disowned", kind: "set", payload: () => buildDisowned({}), others: "forbidden" };

const set: Row = {
  name: "set",
  kind: "set",
  payload: () => buildSet({ nodes: [], parameters: [{ kind: "boolean", name: "Output", value: true }], tokens: {} }),
  others: "forbidden",
};

// XEP-0325 3.1.1: nobody is answered, whether it was done or not.
const setByMessage: Row = {
  ...set,
  name: "set by message",
  kind: "message",
  others: "silence",
  shows: (_, told) => told.includes("set true"),
};

// XEP-0325 3.3.1: what there is to be controlled is for those to learn who may.
const getForm: Row = {
  name: "getForm",
  kind: "get",
  payload: () => buildGetForm({ nodes: [], tokens: {} }),
  others: "forbidden",
};

// XEP-0324 3.1.3, 6.2: no token was sent to anybody, so that nobody may challenge one. Who may is in chain.ts.
const tokenChallenge: Row = {
  name: "tokenChallenge",
  kind: "get",
  payload: () => buildTokenChallenge({ token: "abcdef", challenge: new Uint8Array(256) }),
  others: "forbidden",
};

/** Before it is claimed: the Registry is known, and no provisioning server trusted. What the Registry says is tried by claiming it. */
export const unclaimedRows: readonly Row[] = [
  { ...claimed, except: all("-", ...REGISTRY) },
  ...otherNotices,
  { name: "clearCache", kind: "set", payload: buildClearCache, others: "forbidden" },
  {
    name: "req",
    kind: "get",
    payload: () => buildReq({ seqnr: 1, types: new Set(["momentary"]), nodes: [], fields: [], tokens: {} }),
    others: "forbidden",
  },
  set,
  setByMessage,
  getForm,
  tokenChallenge,
];

// Friends and owner may end what is between them and the Thing; what one tells one's own account the server answers itself.
const fromOutside = all("-", ...FRIEND, ...OWNER, "own account, elsewhere");

/** Once it is claimed and has delegated: the friend may be friend and read, and nobody else. */
export const provisionedRows: readonly Row[] = [
  // The Registry is answered; that a claimed Thing does not change hands all the same is what the state shows.
  { ...claimed, except: all("obeyed", ...REGISTRY) },
  ...otherNotices,
  {
    name: "clearCache",
    kind: "set",
    payload: buildClearCache,
    others: "forbidden",
    except: all("obeyed", ...PROVISIONING),
  },
  {
    name: "req",
    kind: "get",
    payload: () => buildReq({ seqnr: 2, types: new Set(["momentary"]), nodes: [], fields: [], tokens: {} }),
    others: "forbidden",
    except: all("obeyed", ...FRIEND),
    remembered: true,
  },
  ...[set, setByMessage, getForm].map((row) => ({ ...row, except: all("obeyed", ...FRIEND), remembered: true })),
  tokenChallenge,
  // RFC 6121 2.1.6: what the own server pushes has the own address or none. Nobody else can have them: servers stamp `from`.
  {
    name: "roster push",
    kind: "set",
    payload: (may) =>
      el("query", { xmlns: ns.roster }, el("item", { jid: THIEF, subscription: may ? "remove" : "both" })),
    others: "forbidden",
    except: all("obeyed", "own bare", "own full", "nobody named"),
  },
  // XEP-0199: whoever is no friend must not find out what is behind an address.
  {
    name: "ping",
    kind: "get",
    payload: () => el("ping", { xmlns: ns.ping }),
    others: "service-unavailable",
    except: all("obeyed", "server", "own bare", "own full", "nobody named"),
  },
  // Changes of a friendship come by roster pushes alone: presence that says so changes nothing by itself.
  { name: "subscribed", kind: "subscribed", others: "silence", except: fromOutside },
  { name: "unsubscribed", kind: "unsubscribed", others: "silence", except: fromOutside },
  { name: "unsubscribe", kind: "unsubscribe", others: "silence", except: fromOutside },
];

/** Requests for friendship, of whom the Thing is no friend yet. Last, since the one that counts changes the roster. */
export const requestRow: Row = {
  name: "subscribe",
  kind: "subscribe",
  others: "unsubscribed",
  except: {
    ...all("obeyed", "friend"),
    // Accepted without asking (X-E1), or friends already; and nobody befriends himself.
    ...all("-", "FRIEND", "friend, elsewhere", ...OWNER, ...REGISTRY, ...PROVISIONING),
    ...all("-", "own account, elsewhere", "own bare", "own full", "nobody named", "STRANGER"),
  },
  remembered: true,
};

/** What a server says unasked of friendships (XEP-0324 3.2.3, 3.2.4). After them the friend is one about whom nothing is known. */
export const recommendationRows: readonly Row[] = [
  {
    name: "friend",
    kind: "message",
    payload: () => el("friend", { xmlns: ns.provisioning, jid: THIEF }),
    others: "silence",
    except: all("obeyed", ...PROVISIONING),
    // It asks about the one who was recommended.
    shows: (known) => known.includes(THIEF),
  },
  {
    name: "unfriend",
    kind: "message",
    payload: () => el("unfriend", { xmlns: ns.provisioning, jid: "friend@localhost" }),
    others: "silence",
    except: all("obeyed", ...PROVISIONING),
    shows: (known) => !known.includes("friend@localhost"),
  },
];

/** What the Registry alone may say of the end of a claim (XEP-0347 3.10, 3.17). At the very last: the owner is none any more. */
export const farewellRows: readonly Row[] = [
  { ...removed, name: "removed, at last", except: all("obeyed", ...REGISTRY) },
  { ...disowned, name: "disowned, at last", except: all("obeyed", ...REGISTRY) },
];
