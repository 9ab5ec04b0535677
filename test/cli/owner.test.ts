import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { conditionsOf, tagsOf } from "../../src/cli/tag-words.ts";
import { systemClock } from "../../src/core/clock.ts";
import { buildRegister } from "../../src/codec/iot-discovery.ts";
import { buildInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import type { SearchOperator } from "../../src/codec/search.ts";
import { iq } from "../../src/codec/stanza.ts";
import { toTags, type Tags } from "../../src/codec/tags.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { searchesFor } from "../../src/owner/predicates.ts";
import { RegistryAccess } from "../../src/owner/registry-access.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../../src/sandbox/sandbox.ts";
import { FakeIo } from "../support/fake-io.ts";

describe("conditions as they are typed", () => {
  const ends = { minIncluded: true, maxIncluded: true };
  it.each<[string, SearchOperator]>([
    ["MAN=www.ktc.se", { op: "strEq", tag: "MAN", value: "www.ktc.se" }],
    ["man!=a=b", { op: "strNEq", tag: "MAN", value: "a=b" }],
    ["MAN>a", { op: "strGt", tag: "MAN", value: "a" }],
    ["MAN>=a", { op: "strGtEq", tag: "MAN", value: "a" }],
    ["MAN<a", { op: "strLt", tag: "MAN", value: "a" }],
    ["MAN<=a", { op: "strLtEq", tag: "MAN", value: "a" }],
    ["SN=39487*", { op: "strMask", tag: "SN", value: "39487*", wildcard: "*" }],
    ["FLOOR=3", { op: "strEq", tag: "FLOOR", value: "3" }],
    ["ROOM=", { op: "strEq", tag: "ROOM", value: "" }],
    ["#FLOOR=3", { op: "numEq", tag: "FLOOR", value: 3 }],
    ["v=1.20", { op: "numEq", tag: "V", value: 1.2 }],
    ["V!=1", { op: "numNEq", tag: "V", value: 1 }],
    ["V>1", { op: "numGt", tag: "V", value: 1 }],
    ["LAT>=-34", { op: "numGtEq", tag: "LAT", value: -34 }],
    ["V<1", { op: "numLt", tag: "V", value: 1 }],
    ["V<=1e2", { op: "numLtEq", tag: "V", value: 100 }],
    ["V=1..2", { op: "numRange", tag: "V", min: 1, max: 2, ...ends }],
    ["LON!=-72..-70.5", { op: "numNRange", tag: "LON", min: -72, max: -70.5, ...ends }],
  ])("%s", (word, expected) => {
    expect(searchesFor(conditionsOf([word]))).toEqual([[expected]]);
  });

  it("D-3.15-5: or divides alternatives", () => {
    const [a, b, c] = [["V=1"], ["V=2"], ["SN=3"]].map((words) => searchesFor(conditionsOf(words)).flat());
    expect(searchesFor(conditionsOf(["V=1", "or", "V=2", "SN=3"]))).toEqual([a, [...(b ?? []), ...(c ?? [])]]);
  });
});

describe("tags as they are typed", () => {
  it("are texts, or numbers by their name or a hash sign; an empty one takes a tag away", () => {
    const words = ["ROOM=4", "v=1.20", "#floor=3", "CITY=", "LAT=", "NAME=a=b", "AREA= "];
    expect(tagsOf(words)).toEqual({ ROOM: "4", V: 1.2, FLOOR: 3, CITY: "", LAT: "", NAME: "a=b", AREA: " " });
  });
});

describe("the owner's commands", () => {
  it.each([
    { argv: ["search"], says: "CONDITION... is missing" },
    { argv: ["search", "MAN"], says: '"MAN" is no condition' },
    { argv: ["search", "=x"], says: '"=x" is no condition' },
    { argv: ["search", "or"], says: "a condition is missing beside or" },
    { argv: ["search", "V=1", "or"], says: "a condition is missing beside or" },
    { argv: ["search", "V=one"], says: '"V=one": "one" is not a number' },
    { argv: ["search", "V=1..2..3"], says: '"V=1..2..3": a range is FROM..TO' },
    { argv: ["search", "V=1.."], says: '"V=1..": "" is not a number' },
    { argv: ["search", "V=2..1"], says: '"V=2..1": there is nothing between 2 and 1' },
    { argv: ["search", "V>1..2"], says: '"V>1..2": a range goes with = or !=' },
    { argv: ["search", "SN!=3*"], says: '"SN!=3*": there is no operator for what is not like a mask' },
    { argv: ["search", "#SN=3"], says: '"#SN=3": is a string by XEP-0347 5.2' },
    { argv: ["search", "KEY=3"], says: '"KEY=3": no search finds a KEY' },
    { argv: ["search", "A B=3"], says: '"A B=3": a name must not hold' },
    { argv: ["search", "V=1", "--limit", "0"], says: "--limit must be a whole number from 1" },
    { argv: ["search", "V=1"], says: "give --service, or set THING_SERVICE" },
    { argv: ["update"], says: "JID is missing" },
    { argv: ["update", "a@b"], says: "NAME=VALUE... is missing" },
    { argv: ["update", "a@b", "ROOM"], says: '"ROOM" is not NAME=VALUE' },
    { argv: ["update", "a@b", "ROOM=1", "room=2"], says: '"room" is given twice' },
    { argv: ["update", "a@b", "V=x"], says: '"V=x": "x" is not a number' },
    { argv: ["update", "localhost", "ROOM=1"], says: '"localhost" is not the address of a Thing' },
    { argv: ["remove"], says: "JID is missing" },
    { argv: ["remove", "a@b@c"], says: '"a@b@c" is not the address of a Thing' },
    { argv: ["remove", "a@b", "c@d"], says: '"c@d" is one word too many' },
    { argv: ["remove", "a@b", "--source", "s"], says: "--source and --cache-type go with --node" },
    { argv: ["remove", "a@b", "--cache-type", "s"], says: "--source and --cache-type go with --node" },
    { argv: ["remove", "a@b", "--node", ""], says: "--node must not be empty" },
    { argv: ["disown", "IoTDisco;SN:1"], says: "this is a claim text: use xmpp-thing claim" },
    { argv: ["disown", "a@b"], says: "give --service, or set THING_SERVICE" },
  ])("$argv is called wrongly: 2, and says what to do", async ({ argv, says }) => {
    const io = new FakeIo();
    expect(await main(argv, io)).toBe(2);
    expect(io.lines).toEqual([]);
    expect(io.errors.join("\n")).toContain(says);
    expect(io.errors.join("\n")).toContain(`Try: xmpp-thing ${argv[0]} --help`);
  });

  it.each(["search", "update", "remove", "disown"])("%s --help fits a terminal, and ends with 0", async (command) => {
    const io = new FakeIo();
    expect(await main([command, "--help"], io)).toBe(0);
    expect(io.text).toContain(`Usage: xmpp-thing ${command}`);
    expect(io.text).toContain("--registry JID");
    expect(io.text.split("\n").filter((line) => line.length > 100)).toEqual([]);
  });

  it("stand in the list of commands", async () => {
    const io = new FakeIo();
    await main(["--help"], io);
    for (const command of ["search COND ...", "update JID ...", "remove JID", "disown JID"]) {
      expect(io.text).toContain(`\n  ${command} `);
    }
  });
});

describe("the owner's commands on a sandbox", () => {
  let sandbox: Sandbox;
  let owner: SandboxUser;
  let stranger: SandboxUser;
  let rack: Connection;
  let jid: string;
  let folder: string;
  let ca: string;
  const files = new FakeIo();
  const as = (user: SandboxUser): FakeIo => {
    const io = new FakeIo();
    io.env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      THING_CA: ca,
      OWNER_USERNAME: user.username,
      OWNER_PASSWORD: user.password,
    };
    return io;
  };
  const imc1 = ["--node", "imc1", "--source", "MeteringTopology"];
  const key: Tags = { SN: "1", MAN: "www.ktc.se", V: 1.2, NAME: "\u009b2J\u202eevil", KEY: "k" };
  const text = "IoTDisco;SN:1;MAN:www.ktc.se;#V:1.2;NAME:\u009b2J\u202eevil;KEY:k";

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = await files.makeFolder();
    ca = `${folder}/ca.pem`;
    await files.writeFile(ca, sandbox.ca);
    owner = sandbox.addUser("owner");
    stranger = sandbox.addUser("stranger");
    const { service, domain } = sandbox;
    rack = await connect({ service, domain, ...sandbox.addUser("rack"), tls: { ca: sandbox.ca } });
    jid = rack.jid.bare;
    rack.friends.onRequest((friend) => void rack.friends.accept(friend));
    for (const name of ["claimed", "removed", "disowned"]) rack.channel.router.onIq(ns.discovery, name, () => ({}));
    const access = new RegistryAccess(rack, systemClock, undefined);
    const node = { nodeId: "imc1", sourceId: "MeteringTopology" };
    const register = (tags: Tags, selfOwned: boolean, which = node): Promise<unknown> =>
      access.ask("update", { type: "set", payload: buildRegister({ tags: toTags(tags), node: which, selfOwned }) }, {});
    await register(key, false);
    await register({ SN: "2", MAN: "example.org" }, true, { ...node, nodeId: "imc2" });
  });
  afterAll(async () => {
    await rack.close();
    await sandbox.stop();
    await files.removeFolder(folder);
  });

  it("claim tells the node, for people and for programs", async () => {
    const people = as(owner);
    expect(await main(["claim", text], people)).toBe(0);
    expect(people.lines).toEqual([
      `Claimed: ${jid}, node imc1 of source MeteringTopology`,
      "It is online and accepts you as a friend.",
    ]);
    const programs = as(owner);
    expect(await main(["claim", text, "--json"], programs)).toBe(0);
    expect(programs.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { claimed: true, jid, node: { nodeId: "imc1", sourceId: "MeteringTopology" } },
    ]);
    const other = as(stranger);
    expect(await main(["claim", text], other)).toBe(1);
    expect(other.errors.join("\n")).toContain("no unclaimed Thing has exactly these tags");
  });

  it("search shows what is found, nothing of it a control character to a terminal", async () => {
    const people = as(stranger);
    expect(await main(["search", "MAN=www.*", "V>=1"], people)).toBe(0);
    expect(people.lines).toEqual([
      `${jid}, node imc1 of source MeteringTopology`,
      `  owner  ${owner.jid}`,
      "  tags   SN=1, MAN=www.ktc.se, V=1.2, NAME=?2J?evil",
    ]);
    const programs = as(stranger);
    expect(await main(["search", "V=1..2", "or", "MAN=example.org", "--json"], programs)).toBe(0);
    expect(programs.text).not.toMatch(/[\u009b\u202e]/);
    expect(programs.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        jid,
        node: { nodeId: "imc1", sourceId: "MeteringTopology" },
        owner: owner.jid,
        selfOwned: false,
        tags: { SN: "1", MAN: "www.ktc.se", V: 1.2, NAME: "\u009b2J\u202eevil" },
      },
      {
        jid,
        node: { nodeId: "imc2", sourceId: "MeteringTopology" },
        owner: jid,
        selfOwned: true,
        tags: { SN: "2", MAN: "example.org" },
      },
    ]);
    const one = as(stranger);
    expect(await main(["search", "SN=*", "--limit", "1"], one)).toBe(0);
    expect(one.lines.filter((line) => line.startsWith("  owner"))).toHaveLength(1);
    const selfOwned = as(stranger);
    expect(await main(["search", "SN=2"], selfOwned)).toBe(0);
    expect(selfOwned.lines[1]).toBe("  owner  itself");
  });

  it("search that finds nothing ends with 5", async () => {
    const io = as(stranger);
    expect(await main(["search", "SN=none"], io)).toBe(5);
    expect(io.lines).toEqual([]);
    expect(io.errors).toEqual(["No public Thing is like that."]);
  });

  it("update changes what is found; nobody else's Thing", async () => {
    const io = as(owner);
    expect(await main(["update", jid, "ROOM=4", "NAME=", ...imc1], io)).toBe(0);
    expect(io.lines).toEqual([`Updated: ${jid}, node imc1 of source MeteringTopology`]);
    const found = as(stranger);
    expect(await main(["search", "ROOM=4"], found)).toBe(0);
    expect(found.lines.at(-1)).toBe("  tags   SN=1, MAN=www.ktc.se, V=1.2, ROOM=4");
    const programs = as(owner);
    expect(await main(["update", `${jid}/plcs`, "#FLOOR=3", "--json", ...imc1], programs)).toBe(0);
    expect(programs.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { updated: true, jid, node: { nodeId: "imc1", sourceId: "MeteringTopology" } },
    ]);
    const other = as(stranger);
    expect(await main(["update", jid, "ROOM=5", ...imc1], other)).toBe(1);
    expect(other.errors.join("\n")).toContain("it knows no such Thing of yours");
    expect(await main(["update", jid, "ROOM=5"], as(owner))).toBe(1); // the rack itself is nobody's
  });

  it("disown gives it up, and a Thing that is offline not", async () => {
    const people = as(owner);
    expect(await main(["disown", jid, ...imc1], people)).toBe(0);
    expect(people.lines).toEqual([
      `Disowned: ${jid}, node imc1 of source MeteringTopology has no owner any more. It shows a new claim text.`,
    ]);
    expect(await main(["search", "SN=1"], as(stranger))).toBe(5);
    const again = as(owner);
    expect(await main(["disown", jid, ...imc1], again)).toBe(1);
    expect(again.errors.join("\n")).toContain("a factory reset at the device makes it one without owner");
  });

  it("names all three parts of a node", async () => {
    const access = new RegistryAccess(rack, systemClock, undefined);
    const node = { nodeId: "c", sourceId: "s", cacheType: "t" };
    const payload = buildRegister({ tags: toTags({ SN: "c" }), node, selfOwned: true });
    await access.ask("update", { type: "set", payload }, {});
    const found = as(stranger);
    expect(await main(["search", "SN=c"], found)).toBe(0);
    expect(found.lines[0]).toBe(`${jid}, node c of source s, cache type t`);
    const whole = ["--node", "c", "--source", "s", "--cache-type", "t"];
    const io = as(owner);
    expect(await main(["remove", jid, ...whole], io)).toBe(1); // it owns itself
    expect(io.errors.join("\n")).toContain("it knows no such Thing of yours");
  });

  it("a claim stands, also when the Thing is not there, or the Registry does not tell its address (D-E3)", async () => {
    const odd = "odd.localhost";
    const said = new Map<string, XmlElement | undefined>([
      ["query", buildInfo({ identities: [], features: [ns.discovery] })],
      [
        "search",
        parseXml(`<found xmlns='${ns.discovery}'><thing jid='a@b'><num name='V' value='INF'/></thing></found>`),
      ],
    ]);
    let claimed: XmlElement | undefined = undefined;
    sandbox.attach({
      jid: odd,
      name: "a Registry of few words",
      receive: (stanza) => {
        const { id = "", from, to } = stanza.attrs;
        const [payload] = stanza.getChildElements();
        if (payload === undefined) return [];
        return [iq({ type: "result", id, from: to, to: from }, payload.is("mine") ? claimed : said.get(payload.name))];
      },
      onOutput: () => undefined,
      stop: () => undefined,
    });
    const empty = as(owner);
    expect(await main(["claim", text, "--registry", odd], empty)).toBe(0);
    expect(empty.lines).toEqual(["Claimed. The Registry does not tell its address."]);
    const emptyJson = as(owner);
    expect(await main(["claim", text, "--registry", odd, "--json"], emptyJson)).toBe(0);
    expect(emptyJson.lines).toEqual(['{"claimed":true,"jid":null}']);
    claimed = parseXml(`<claimed xmlns='${ns.discovery}' jid='nobody@localhost'/>`);
    const away = as(owner);
    expect(await main(["claim", text, "--registry", odd, "--timeout", "1"], away)).toBe(0);
    expect(away.lines).toEqual(["Claimed: nobody@localhost"]);
    expect(away.errors).toEqual(["It has not answered yet; it will be your friend when it is online."]);
    const infinite = as(owner);
    expect(await main(["search", "V=1", "--registry", odd, "--json"], infinite)).toBe(0);
    expect(infinite.lines).toEqual(['{"jid":"a@b","owner":"a@b","selfOwned":true,"tags":{"V":"Infinity"}}']);
  });

  it("remove takes it out of searches; disowning a Thing that is offline is refused with what to do", async () => {
    const access = new RegistryAccess(rack, systemClock, undefined);
    for (const nodeId of ["a", "b"]) {
      const tags = toTags({ SN: nodeId, KEY: "k" });
      const payload = buildRegister({ tags, node: { nodeId }, selfOwned: false });
      await access.ask("update", { type: "set", payload }, {});
      expect(await main(["claim", `IoTDisco;SN:${nodeId};KEY:k`], as(owner))).toBe(0);
    }
    expect(await main(["search", "SN=a"], as(stranger))).toBe(0);
    const people = as(owner);
    expect(await main(["remove", jid, "--node", "a"], people)).toBe(0);
    expect(people.lines).toEqual([`Removed: no search finds ${jid}, node a any more. It is still yours.`]);
    expect(await main(["search", "SN=a"], as(stranger))).toBe(5);
    await rack.close();
    const offline = as(owner);
    expect(await main(["disown", jid, "--node", "b"], offline)).toBe(1);
    expect(offline.errors.join("\n")).toContain("the Thing is offline, and has to hear of it: switch it on");
  });

  it("no connection ends with 4, an unknown Registry with 3 or 1", async () => {
    const io = as(owner);
    io.env["THING_SERVICE"] = "xmpp://127.0.0.1:1";
    expect(await main(["remove", "a@b"], io)).toBe(4);
    expect(io.errors.join("\n")).toContain(
      "nothing listens there; does the server run, and is the port of --service, or THING_SERVICE, right?",
    );
    expect(await main(["remove", "a@b", "--registry", "provisioning.localhost"], as(owner))).toBe(1);
    expect(await main(["remove", "a@b", "--registry", "nobody@localhost", "--timeout", "1"], as(owner))).toBe(3);
  });
});
