import { describe, expect, test } from "vitest";
import { ConnectionError, StanzaError, isSdkError } from "../../src/core/errors.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { parseCaps } from "../../src/codec/caps.ts";
import { buildInfo, buildItems } from "../../src/codec/disco.ts";
import { buildClaimed } from "../../src/codec/iot-discovery.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildRoster } from "../../src/codec/roster.ts";
import { presence } from "../../src/codec/stanza.ts";
import { checkProvisioning, checkRegistry, type RegistryMethods } from "../../src/discovery/service-options.ts";
import type { Account } from "../../src/connection/account.ts";
import { Friends } from "../../src/connection/friends.ts";
import { FriendWhereabouts } from "../../src/connection/whereabouts.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { ownCaps } from "../../src/thing/disco.ts";
import { performer } from "../../src/thing/effects.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { scriptedChannel, settled, type Peer, type Said } from "../support/scripted-wire.ts";
import { OwnTags } from "../../src/thing/own-tags.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { initialState, type Ownership } from "../../src/thing/state.ts";
import { claimed, otherRegistry, otherServer, owner, registry, server } from "./life.ts";

const account = "thing@example.org";
const plain: Account = { username: "thing", password: "old", resource: "r", pending: false };
const never = new AbortController().signal;
const roster: Peer = (payload) => (payload.is("query", ns.roster) ? buildRoster([]) : undefined);
const has =
  (...features: string[]): Peer =>
  (payload) =>
    payload.is("query", ns.discoInfo) ? buildInfo({ identities: [], features }) : undefined;

function openStorage(): Storage {
  const storage = memoryStorage();
  void storage.open();
  return storage;
}

interface SiteOptions {
  readonly registry?: BareJid;
  readonly finds?: boolean;
  readonly ways?: RegistryMethods;
  readonly account?: Account;
  readonly ownership?: Ownership;
  readonly selfOwned?: boolean;
}

function site(options: SiteOptions = {}) {
  const now = { ownership: options.ownership ?? { is: "unregistered" } };
  const parts = scriptedChannel();
  const friends = new Friends(parts.channel);
  const barrier = new Barrier();
  const registering: string[] = [];
  const faults: string[] = [];
  const parted: string[] = [];
  const got: string[] = [];
  const perform = performer({
    ...parts,
    random: new SeededRandom("effects"),
    friends,
    ...(options.finds === true && { whereabouts: new FriendWhereabouts({ ...parts, friends }) }),
    barrier,
    ownTokens: { get: (jid: BareJid) => Promise.resolve(void got.push(jid)) },
    registry: options.registry,
    ways: { registry: checkRegistry(options.ways, true).ways, provisioning: checkProvisioning(undefined, true).ways },
    hints: () => ({ registries: [], provisioning: [] }),
    reviewFriends: () => Promise.resolve(),
    part: (jid) => Promise.resolve(void parted.push(jid)),
    accounts: { load: () => Promise.resolve(options.account ?? plain) },
    onFault: (code, message) => void faults.push(`${code}: ${message}`),
    onRegistering: (jid) => void registering.push(`${jid}, ${parts.wire.asked(jid, "register").length} sent`),
    state: () => ({ ...initialState, ...now }),
    selfOwned: options.selfOwned ?? false,
    ownTags: new OwnTags({
      storage: openStorage(),
      tags: [{ name: "SN", type: "str", value: "1" }],
      afterClaim: [],
      onFault: () => undefined,
    }),
    tags: () => [{ name: "KEY", type: "str", value: "k" }],
    can: { sense: true, control: false },
  });
  parts.wire.peer(account, roster);
  parts.wire.peer(owner, () => ({ error: "service-unavailable" }));
  const lists = (...jids: string[]): void =>
    parts.wire.peer("example.org", () => buildItems(jids.map((jid) => ({ jid }))));
  return { ...parts, now, friends, barrier, perform, registering, parted, got, faults, lists };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isSdkError(error) ? error.code : String(error);
}

test("P-3.1.1-11: a token is got by those who know how", async () => {
  const { perform, got } = site();
  expect(await perform({ do: "getToken", jid: server }, never)).toBeUndefined();
  expect(got).toEqual([server]);
});

describe("greeting", () => {
  test("RFC 6121 2.2, P-3.1.2-5, P-5.1-2, D-E15: asks for the roster, then sends presence, to components directly, in one write", async () => {
    const { perform, wire } = site();
    expect(await perform({ do: "greet", registry, servers: [server, otherServer] }, never)).toBeUndefined();
    expect(wire.writes[0]?.map(({ name }) => name)).toEqual(["iq"]);
    expect(wire.asked(account).map(String)).toEqual([`<query xmlns="${ns.roster}"/>`]);
    expect(wire.writes[1]?.map((stanza) => `${stanza.name} ${stanza.attrs["to"] ?? "all"}`)).toEqual([
      "presence all",
      `presence ${registry}`,
      `presence ${server}`,
      `presence ${otherServer}`,
    ]);
  });

  test("P-5.1-1, P-5.1-3, P-3.1.1-13, D-5.1-2, D-5.1-3: sends each component directed presence, and asks accounts to be friends", async () => {
    const { perform, wire } = site();
    const servers = [bareJid("provisioning@example.org"), registry, server];
    await perform({ do: "greet", registry, servers }, never);
    expect(wire.presences).toEqual([
      "available",
      `available ${registry}`,
      `available ${server}`,
      "subscribe provisioning@example.org",
    ]);
  });

  test("P-4-2, XEP-0115 4: says in all its presence what the Thing can do", async () => {
    const { perform, wire } = site();
    const can = parseCaps(presence({}, ownCaps({ sense: true, control: false })));
    await perform({ do: "greet", registry, servers: [server] }, never);
    await perform({ do: "introduce", servers: [otherServer] }, never);
    const said = wire.sent.filter((stanza) => stanza.is("presence")).map(parseCaps);
    expect(can).toBeDefined();
    expect(said).toEqual([can, can, can, can]);
  });

  test("before there is a Registry or a server is presence alone", async () => {
    const { perform, wire, barrier } = site();
    barrier.raise();
    await perform({ do: "greet", registry: undefined, servers: [] }, never);
    expect(wire.presences).toEqual(["available"]);
    await barrier.pass(never);
  });

  test("P-5.2-6: asks the servers something, after presence, and lets the barrier down when they have answered", async () => {
    const { perform, wire, barrier } = site();
    let answer: () => void = () => undefined;
    wire.peer(server, () => new Promise((resolve) => (answer = () => resolve(undefined))));
    barrier.raise();
    await perform({ do: "greet", registry, servers: [server] }, never); // does not wait for it
    let through = false;
    void barrier.pass(never).then(() => (through = true));
    await settled();
    expect(wire.writes.map((write) => write.map(({ name }) => name).join())).toEqual([
      "iq",
      "presence,presence,presence",
      "iq",
    ]);
    expect(through).toBe(false);
    answer();
    await settled();
    expect(through).toBe(true);
  });

  test("fails without a roster, and then nobody is told anything", async () => {
    const { perform, wire, clock, barrier } = site();
    wire.peer(account, () => ({ error: "internal-server-error" }));
    barrier.raise();
    expect(await codeOf(perform({ do: "greet", registry, servers: [server] }, never))).toBe("ERR_STANZA");
    wire.peer(account, () => "silent");
    const greeting = codeOf(perform({ do: "greet", registry, servers: [server] }, never));
    await clock.advance(10_000);
    expect(await greeting).toBe("ERR_TIMEOUT");
    expect([wire.presences, wire.asked(server)]).toEqual([[], []]);
  });
});

describe("after a factory reset", () => {
  const old = ["friend@example.org", "former@example.org", registry].map((jid) => bareJid(jid));
  const crowded = (): Peer => (payload) => {
    const removing = payload.getChild("item")?.attrs["subscription"] === "remove";
    const items = old.map((jid) => ({ jid, subscription: "both" as const, pendingOut: false, name: "", groups: [] }));
    return removing ? undefined : buildRoster(items);
  };
  const removed = (sent: readonly XmlElement[]): (string | undefined)[] =>
    sent
      .flatMap((query) => query.getChildren("item"))
      .filter(({ attrs }) => attrs["subscription"] === "remove")
      .map(({ attrs }) => attrs["jid"]);
  const greeting = { do: "greet", registry: undefined, servers: [], leaving: { friends: true, registry } } as const;

  test("X-E4: the friends of before are gone before presence goes out, but for the Registry that is still to be asked", async () => {
    const { perform, wire } = site();
    wire.peer(account, crowded());
    expect(await perform(greeting, never)).toEqual({ type: "friendsLeft" });
    expect(removed(wire.asked(account))).toEqual(old.slice(0, 2));
    expect(wire.sent.at(-1)?.name).toBe("presence");
  });

  test("a friend that the server does not let go of keeps the Thing from nothing else; one without an answer does", async () => {
    const { perform, wire, clock } = site();
    const roster = crowded();
    let said: Said = { error: "not-allowed" };
    wire.peer(account, (payload, type, to) => (type === "set" ? said : roster(payload, type, to)));
    expect(await perform(greeting, never)).toEqual({ type: "friendsLeft" });
    said = "silent";
    const trying = codeOf(perform(greeting, never));
    await clock.advance(10_000);
    expect(await trying).toBe("ERR_TIMEOUT");
  });

  test("D-3.16-1: the Registry is asked to forget the Thing", async () => {
    const { perform, wire } = site();
    wire.peer(registry, () => undefined);
    expect(await perform({ do: "unregister", registry }, never)).toEqual({ type: "registryLeft" });
    expect(wire.asked(registry).map(({ name }) => name)).toEqual(["unregister"]);
  });

  test("a Registry that cannot is registered with if it has no owner to tell of, and else not", async () => {
    const { perform, wire } = site({ registry });
    let owned = false;
    wire.peer(registry, (payload) => {
      if (payload.is("unregister")) return { error: "feature-not-implemented" };
      return owned ? buildClaimed({ jid: owner, public: true }) : undefined;
    });
    expect(await perform({ do: "unregister", registry }, never)).toEqual({ type: "registered", registry });
    owned = true;
    await expect(perform({ do: "unregister", registry }, never)).rejects.toThrow(
      "still says that the Thing belongs to somebody",
    );
  });

  test("a Registry that does not answer is asked again later", async () => {
    const { perform, clock, wire } = site();
    const trying = codeOf(perform({ do: "unregister", registry }, never));
    await clock.advance(10_000);
    expect(await trying).toBe("ERR_TIMEOUT");
    expect(wire.asked(registry).map(({ name }) => name)).toEqual(["unregister"]);
  });
});

describe("whom the button has accepted", () => {
  const jid = bareJid("server@example.net");
  const full = `${jid}/pi`;

  /** It lets its presence be seen as soon as it is asked. */
  function present(parts: ReturnType<typeof site>, says: Peer): void {
    const { wire } = parts;
    wire.peer(full, says);
    const item = buildRoster([{ jid, subscription: "both", pendingOut: false, name: "", groups: [] }]);
    void wire.ask("thing@example.org/home", "set", item);
    wire.presence(full, "available");
  }

  test.each<[string, Peer, boolean]>([
    ["P-3.1.1-9, P-3.1.1-10: a provisioning server by its feature", has(ns.provisioning), true],
    ["an ordinary friend without it", has(ns.sensorData), false],
    ["an ordinary friend that knows no disco#info", (): Said => ({ error: "feature-not-implemented" }), false],
    ["an ordinary friend that serves no disco#info", (): Said => ({ error: "service-unavailable" }), false],
  ])("is asked at its full address: %s", async (_, says, isServer) => {
    const parts = site({ finds: true });
    present(parts, says);
    await settled();
    const examining = parts.perform({ do: "examine", jid }, never);
    expect(await examining).toEqual({ type: "examined", jid, server: isServer });
    expect(parts.wire.asked(full).map(String)).toEqual([`<query xmlns="${ns.discoInfo}"/>`]);
  });

  test("P-E27: is told that it is accepted, asked for friendship in turn, and asked what it is when it shows up", async () => {
    const parts = site({ finds: true });
    const examining = parts.perform({ do: "examine", jid }, never);
    await settled();
    expect(parts.wire.presences).toEqual([`subscribed ${jid}`, `subscribe ${jid}`]);
    present(parts, has(ns.provisioning));
    expect(await examining).toEqual({ type: "examined", jid, server: true });
  });

  test("is not told twice", async () => {
    const parts = site({ finds: true });
    present(parts, has());
    await settled();
    await parts.perform({ do: "examine", jid }, never);
    expect(parts.wire.presences).toEqual([]);
  });

  test.each<[string, Peer | undefined]>([
    ["is away", undefined],
    ["does not answer", (): Said => "silent"],
    ["answers with an error that may pass", (): Said => ({ error: "internal-server-error" })],
  ])("is nothing yet while it %s", async (_, says) => {
    const parts = site({ finds: true });
    if (says !== undefined) present(parts, says);
    await settled();
    const examining = codeOf(parts.perform({ do: "examine", jid }, never));
    await parts.clock.advance(30_000);
    expect(await examining).toBe("ERR_TIMEOUT");
  });

  test.each<[string, Peer, boolean | string]>([
    ["a server", has(ns.provisioning), true],
    ["no server", has(ns.discovery), false],
    ["away", () => ({ error: "remote-server-not-found" }), "ERR_STANZA"],
  ])("X-E3: a component is asked at its own address, and not for friendship: %s", async (_, says, expected) => {
    const { perform, wire } = site();
    wire.peer(otherServer, says);
    const examining = perform({ do: "examine", jid: otherServer }, never);
    if (typeof expected === "string") expect(await codeOf(examining)).toBe(expected);
    else expect(await examining).toEqual({ type: "examined", jid: otherServer, server: expected });
    expect(wire.presences).toEqual([`subscribed ${otherServer}`]);
  });
});

describe("a server that was away when the Thing came back", () => {
  const introductions = (sent: readonly string[]): number => sent.filter((one) => one === `available ${server}`).length;

  test.each<[string, Said]>([
    ["Prosody says so", { error: "remote-server-timeout", type: "wait" }],
    ["ejabberd says so", { error: "remote-server-not-found" }],
    ["nobody says anything", "silent"],
  ])("P-3.5.1-2: is sent presence again, until it is there (%s)", async (_, said) => {
    const { perform, wire, clock } = site();
    wire.peer(server, () => said);
    wire.peer(otherServer, () => undefined);
    const stream = new AbortController();
    await perform({ do: "greet", registry, servers: [server, otherServer] }, stream.signal);
    await clock.advance(60_000);
    expect(introductions(wire.presences)).toBeGreaterThan(2);
    wire.peer(server, () => undefined);
    await clock.advance(120_000);
    const told = introductions(wire.presences);
    await clock.advance(1_200_000);
    expect(introductions(wire.presences)).toBe(told);
    expect(wire.presences.filter((one) => one === `available ${otherServer}`)).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test("P-3.5.1-2: is sent presence again, too, when it did not answer a question later; an account is a friend", async () => {
    const { perform, wire, clock, barrier } = site();
    wire.peer(server, () => undefined);
    await perform({ do: "greet", registry, servers: [server] }, never);
    await settled();
    const failed = (jid: BareJid, condition: string): void =>
      barrier.failed(jid, new StanzaError(condition, "cancel", jid));
    wire.peer(server, () => ({ error: "remote-server-not-found" }));
    for (const jid of [server, server, bareJid("provisioning@example.org")]) failed(jid, "remote-server-not-found");
    await clock.advance(60_000);
    const before = introductions(wire.presences);
    expect(before).toBeGreaterThan(2);
    wire.peer(server, () => undefined);
    await clock.advance(1_200_000);
    const told = introductions(wire.presences);
    expect(told).toBe(before + 1); // however often it was missed
    failed(server, "forbidden");
    await clock.advance(1_200_000);
    expect(clock.pending).toBe(0);
    expect(introductions(wire.presences)).toBe(told);
    expect(wire.presences.filter((one) => one.includes("provisioning@"))).toEqual([]);
  });

  test("is left alone when the stream has ended", async () => {
    const { perform, wire, clock } = site();
    wire.peer(server, () => ({ error: "remote-server-not-found" }));
    const stream = new AbortController();
    await perform({ do: "greet", registry, servers: [server] }, stream.signal);
    await settled();
    stream.abort(new Error("the stream has ended"));
    await clock.advance(1_200_000);
    expect(introductions(wire.presences)).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test("is there if it does not know the question; and an account is a friend, whose presence tells", async () => {
    const { perform, wire, clock } = site();
    wire.peer(server, () => ({ error: "service-unavailable" }));
    const account = bareJid("provisioning@example.org");
    await perform({ do: "greet", registry, servers: [server, account] }, never);
    await clock.advance(1_200_000);
    expect(wire.presences).toEqual([
      "available",
      `available ${registry}`,
      `available ${server}`,
      `subscribe ${account}`,
    ]);
  });
});

test("P-E8: introducing oneself is presence to each new server", async () => {
  const { perform, wire } = site();
  expect(await perform({ do: "introduce", servers: [server, otherServer] }, never)).toBeUndefined();
  expect(wire.writes).toHaveLength(1);
  expect(wire.presences).toEqual([`available ${server}`, `available ${otherServer}`]);
});

describe("registering", () => {
  test("D-3.6-1: is done at the Registry of before, whatever is configured", async () => {
    const { perform, wire, registering } = site({ registry: otherRegistry });
    wire.peer(registry, () => undefined);
    expect(await perform({ do: "register", registry }, never)).toEqual({ type: "registered", registry });
    expect(wire.asked(registry).map(String)).toEqual([
      `<register xmlns="${ns.discovery}"><str name="KEY" value="k"/></register>`,
    ]);
    expect(registering).toEqual([`${registry}, 0 sent`]);
  });

  test("is done at the configured one, else", async () => {
    const { perform, wire } = site({ registry: otherRegistry });
    wire.peer(otherRegistry, () => undefined);
    expect(await perform({ do: "register", registry: undefined }, never)).toEqual({
      type: "registered",
      registry: otherRegistry,
    });
  });

  test("D-3.5: is done at the first that the server has, else", async () => {
    const { perform, wire, lists, registering } = site();
    lists("conference.example.org", "b.example.org", "a.example.org");
    wire.peer("conference.example.org", has());
    wire.peer("b.example.org", has(ns.discovery));
    wire.peer("a.example.org", has(ns.discovery));
    expect(await perform({ do: "register", registry: undefined }, never)).toEqual({
      type: "registered",
      registry: "b.example.org",
    });
    expect(registering).toEqual(["b.example.org, 0 sent"]);
  });

  test("D-3.5-5: is done at the one that another way finds, in the XEP's order", async () => {
    const { perform, wire } = site({ ways: { subdomain: "things", search: true } });
    wire.peer("things.example.org", (payload) =>
      payload.is("query") ? has(ns.discovery)(payload, "", "") : undefined,
    );
    expect(await perform({ do: "register", registry: undefined }, never)).toEqual({
      type: "registered",
      registry: "things.example.org",
    });
    expect(wire.asked("example.org")).toEqual([]);
  });

  test("is tried elsewhere when the one that was found says that it is none after all", async () => {
    const { perform, wire, lists } = site();
    lists("a.example.org", "b.example.org");
    wire.peer("a.example.org", (payload) =>
      payload.is("query") ? has(ns.discovery)(payload, "", "") : { error: "service-unavailable" },
    );
    wire.peer("b.example.org", (payload) => (payload.is("query") ? has(ns.discovery)(payload, "", "") : undefined));
    expect(await codeOf(perform({ do: "register", registry: undefined }, never))).toBe("ERR_STANZA");
    wire.peer("a.example.org", has());
    expect(await perform({ do: "register", registry: undefined }, never)).toEqual({
      type: "registered",
      registry: "b.example.org",
    });
  });

  test("D-3.6-13: may tell of an owner", async () => {
    const { perform, wire } = site();
    wire.peer(registry, () => buildClaimed({ jid: owner, public: false }));
    expect(await perform({ do: "register", registry }, never)).toEqual({
      type: "claimed",
      registry,
      owner,
      public: false,
    });
  });

  test("fails when there is no Registry, or none that answers", async () => {
    const { perform, wire, lists, clock } = site();
    lists("conference.example.org");
    wire.peer("conference.example.org", has());
    expect(await codeOf(perform({ do: "register", registry: undefined }, never))).toBe("ERR_DISCOVERY");
    wire.peer(registry, () => ({ error: "internal-server-error" }));
    // The one it was registered with stays the one.
    const refused = await perform({ do: "register", registry }, never).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "ERR_DISCOVERY",
      message: expect.stringContaining(`the Thing stays with ${registry}, where it was registered`) as string,
      cause: { code: "ERR_STANZA" },
    });
    wire.peer(registry, () => "silent");
    const registering = perform({ do: "register", registry }, never).catch((error: unknown) => error);
    await clock.advance(10_000);
    expect(await registering).toMatchObject({ code: "ERR_DISCOVERY", cause: { code: "ERR_TIMEOUT" } });
  });

  test("says of a configured Registry only what it answered", async () => {
    const { perform, wire } = site({ registry });
    wire.peer(registry, () => ({ error: "internal-server-error" }));
    expect(await codeOf(perform({ do: "register", registry }, never))).toBe("ERR_STANZA");
  });
});

test("D-6.5-3: emptying KEY comes to its being empty, or fails", async () => {
  const { perform, wire } = site({ ownership: claimed() });
  wire.peer(registry, () => undefined);
  expect(await perform({ do: "emptyKey", registry }, never)).toEqual({ type: "keyEmptied" });
  expect(wire.asked(registry, "update")).toHaveLength(1);
  wire.peer(registry, () => ({ error: "internal-server-error" }));
  expect(await codeOf(perform({ do: "emptyKey", registry }, never))).toBe("ERR_STANZA");
});

test("D-3.9-27: asking the owner for friendship is one presence, and that it was sent is enough", async () => {
  const { perform, wire } = site();
  expect(await perform({ do: "askOwner", owner }, never)).toEqual({ type: "ownerAsked" });
  expect(wire.presences).toEqual([`subscribe ${owner}`]);
  wire.broken = true;
  expect(await codeOf(perform({ do: "askOwner", owner }, never))).toBe("ERR_CONNECTION");
});

test("P-3.2.3-5: ends a friendship, and says so when it is done", async () => {
  const { perform, parted } = site();
  expect(await perform({ do: "part", jid: otherServer }, never)).toEqual({ type: "parted", jid: otherServer });
  expect(parted).toEqual([otherServer]);
});

describe("looking for a provisioning server", () => {
  test("XEP-0347 3.11 method 5: asks the Registry first", async () => {
    const { perform, wire } = site();
    wire.peer(registry, has(ns.discovery, ns.provisioning));
    expect(await perform({ do: "findServers", registry, owner }, never)).toEqual({
      type: "serversFound",
      servers: [{ jid: registry, origin: "owner" }],
    });
    expect(wire.asked("example.org")).toEqual([]);
  });

  test("XEP-0347 3.11 method 7: takes the first that the own server has, else", async () => {
    const { perform, wire, lists } = site();
    lists(registry, otherServer, server);
    wire.peer(registry, has(ns.discovery));
    wire.peer(otherServer, has(ns.provisioning));
    wire.peer(server, has(ns.provisioning));
    expect(await perform({ do: "findServers", registry, owner }, never)).toEqual({
      type: "serversFound",
      servers: [{ jid: otherServer, origin: "found" }],
    });
  });

  test.each<[string, Peer]>([
    ["answers with an error", () => ({ error: "service-unavailable" })],
    ["answers with nonsense", () => undefined],
    ["does not answer", () => "silent"],
  ])("is not held up by a Registry that %s", async (_, peer) => {
    const { perform, wire, lists, clock } = site();
    lists(server);
    wire.peer(registry, peer);
    wire.peer(server, has(ns.provisioning));
    const finding = perform({ do: "findServers", registry, owner }, never);
    await clock.advance(10_000);
    expect(await finding).toEqual({ type: "serversFound", servers: [{ jid: server, origin: "found" }] });
  });

  test("fails when there is none", async () => {
    const { perform, wire, lists } = site();
    lists(registry);
    wire.peer(registry, has(ns.discovery));
    expect(await codeOf(perform({ do: "findServers", registry, owner }, never))).toBe("ERR_DISCOVERY");
  });
});

test("nothing goes on when the stream has ended", async () => {
  const { perform, clock, channel, now } = site();
  const stream = new AbortController();
  const registering = perform({ do: "register", registry }, stream.signal);
  await settled();
  now.ownership = claimed();
  const others = [
    perform({ do: "emptyKey", registry }, stream.signal),
    perform({ do: "findServers", registry, owner }, stream.signal),
  ];
  const doing = [registering, ...others].map((one) => one.catch((reason: unknown) => String(reason)));
  await settled();
  const lost = new Error("lost");
  stream.abort(lost);
  channel.detach(lost);
  expect(await Promise.all(doing)).toEqual(["Error: lost", "Error: lost", expect.stringMatching(/lost|not connected/)]);
  expect(clock.pending).toBe(0);
});

describe("what a factory reset does with the account", () => {
  test("XEP-0077 3.3: tells the server the new password, under the name of the account", async () => {
    const { perform, wire } = site({ account: { ...plain, newPassword: "new" } });
    wire.peer("example.org", () => undefined);
    const done = { type: "accountLeft", domain: "example.org", outcome: "changed" };
    expect(await perform({ do: "resetAccount", how: "new-password" }, never)).toEqual(done);
    expect(wire.asked("example.org").map(String)).toEqual([
      `<query xmlns="${ns.register}"><username>thing</username><password>new</password></query>`,
    ]);
  });

  test("XEP-0077 3.2: has the account removed, without an address", async () => {
    const { perform, wire } = site({ account: { ...plain, leaving: true } });
    wire.peer(account, () => undefined);
    const done = { type: "accountLeft", domain: "example.org", outcome: "removed" };
    expect(await perform({ do: "resetAccount", how: "remove" }, never)).toEqual(done);
    expect(wire.asked(account).map(String)).toEqual([`<query xmlns="${ns.register}"><remove/></query>`]);
  });

  test("asks again later when the server says that it cannot now", async () => {
    const { perform, wire, faults } = site({ account: { ...plain, newPassword: "new" } });
    wire.peer("example.org", () => ({ error: "internal-server-error", type: "wait" }));
    expect(await codeOf(perform({ do: "resetAccount", how: "new-password" }, never))).toBe("ERR_STANZA");
    expect(faults).toEqual([]);
  });

  test("asks nothing without a stream", async () => {
    const { perform, channel, wire } = site({ account: { ...plain, leaving: true } });
    channel.detach(new ConnectionError("gone"));
    expect(await perform({ do: "resetAccount", how: "remove" }, never)).toBeUndefined();
    expect(wire.writes).toEqual([]);
  });

  test.each(["new-password", "remove"] as const)("asks for no %s twice", async (how) => {
    const { perform, wire } = site();
    const done = { type: "accountLeft", domain: "example.org", outcome: "kept" };
    expect(await perform({ do: "resetAccount", how }, never)).toEqual(done);
    expect(wire.writes).toEqual([]);
  });

  test.each([
    ["new-password", "change the password"],
    ["remove", "remove the account"],
  ] as const)("keeps the account, and says so, when the server refuses %s", async (how, what) => {
    const { perform, wire, faults } = site({ account: { ...plain, newPassword: "new", leaving: true } });
    for (const peer of ["example.org", account]) wire.peer(peer, () => ({ error: "not-allowed" }));
    const done = { type: "accountLeft", domain: "example.org", outcome: "kept" };
    expect(await perform({ do: "resetAccount", how }, never)).toEqual(done);
    expect(faults).toEqual([
      expect.stringMatching(
        new RegExp(`^account-kept: the server does not ${what} .*not-allowed.*: it stays as it is$`),
      ),
    ]);
  });
});
