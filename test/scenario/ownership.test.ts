// A model-based test of ownership: random lives of Things, nodes, owners, strangers and a Registry, with restarts, lost links and
// power cuts, judged by the model in test/support/ownership-model.ts. OWNERSHIP_SEED plays a failure again.
import { describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { iq } from "../../src/codec/stanza.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { complaintsOf, liveAll, live, ownershipSeed, stepsOf } from "../support/ownership-life.ts";
import { REGISTRY, type Planted } from "../support/ownership-site.ts";

const RUNS = 500;
const STEPS = 50;
const seed = ownershipSeed();
const timeout = 600_000;

describe("whose a Thing or a node is", () => {
  it(
    `is the same for itself, the Registry and the owners, one or nobody, whatever happens; no stranger is obeyed, and each can be claimed again (${RUNS} lives from seed ${seed})`,
    async () => {
      const { complaints, summary } = await liveAll(seed, RUNS, STEPS);
      console.log(summary);
      expect(complaints).toBe("");
    },
    timeout,
  );
});

const child = (stanza: XmlElement, name: string): XmlElement | undefined => stanza.getChild(name, ns.discovery);

/** The same with something else in it. */
function altered(stanza: XmlElement, change: (copy: XmlElement) => unknown): XmlElement {
  const copy = parseXml(stanza.toString());
  change(copy);
  return copy;
}

const resultOf = ({ attrs }: XmlElement): XmlElement =>
  iq({ type: "result", id: attrs["id"] ?? "", from: attrs["to"] ?? "", to: attrs["from"] ?? "" });

/** As if the Registry had said it. */
const fromRegistry = (stanza: XmlElement, say: (stanza: XmlElement) => void, name: string): XmlElement | undefined => {
  if (child(stanza, name) === undefined || stanza.attrs["from"] === REGISTRY) return stanza;
  say(resultOf(stanza));
  return altered(stanza, (copy) => Object.assign(copy.attrs, { from: REGISTRY }));
};

/** What is planted, and what must be complained about. */
const planted: readonly (readonly [string, Planted, RegExp])[] = [
  [
    "believes anybody who says that it is claimed",
    { toThing: (stanza, say) => fromRegistry(stanza, say, "claimed") },
    /acknowledges|but the Registry has/,
  ],
  [
    "believes anybody who says that it is disowned",
    { toThing: (stanza, say) => fromRegistry(stanza, say, "disowned") },
    /acknowledges|but the Registry has/,
  ],
  [
    "believes anybody who says that it was removed",
    { toThing: (stanza, say) => fromRegistry(stanza, say, "removed") },
    /acknowledges|but the Registry has/,
  ],
  [
    "is read by everybody",
    {
      toThing: (stanza, say) => {
        if (stanza.getChild("req", ns.sensorData) === undefined) return stanza;
        say(resultOf(stanza));
        return undefined;
      },
    },
    /: \S+ obeys/,
  ],
  [
    "is set by nobody",
    { toThing: (stanza) => (stanza.getChild("set", ns.control) === undefined ? stanza : undefined) },
    /does not obey/,
  ],
  [
    "acknowledges that it is disowned, and keeps its owner",
    {
      toThing: (stanza, say) => {
        if (child(stanza, "disowned") === undefined || stanza.attrs["from"] !== REGISTRY) return stanza;
        say(resultOf(stanza));
        return undefined;
      },
    },
    /but the Registry has/,
  ],
  [
    "acknowledges what is not yet durable",
    { hastyDisk: true },
    /but the Registry has|cannot be claimed|a claim text of before/,
  ],
  ["keeps its KEY when it is disowned or reset", { fixedKey: true }, /a claim text of before/],
  [
    "is reset, and does not tell the Registry",
    {
      fromThing: (stanza, tell) => {
        if (child(stanza, "unregister") === undefined) return stanza;
        tell(resultOf(stanza));
        return undefined;
      },
    },
    /but the Registry has/,
  ],
  [
    "does not register one of its nodes",
    {
      fromThing: (stanza, tell) => {
        const register = child(stanza, "register");
        if (register === undefined || register.attrs["nodeId"] !== "a") return stanza;
        tell(resultOf(stanza));
        return undefined;
      },
    },
    /but the Registry has/,
  ],
];

/** The same for a Registry. */
const plantedThere: readonly (readonly [string, Planted, RegExp])[] = [
  ["tells what it has not kept", { hastyKeeper: true }, /fits these answers|but the Registry has/],
  [
    "shows private Things to everybody",
    {
      toRegistry: (stanza) =>
        child(stanza, "mine") === undefined
          ? stanza
          : altered(stanza, (copy) => Object.assign(child(copy, "mine")?.attrs ?? {}, { public: "true" })),
    },
    /a search finds|but the Registry has/,
  ],
  [
    "does not wait for the Thing that is disowned",
    {
      fromRegistry: (stanza, hear) => {
        if (child(stanza, "disowned") === undefined || stanza.attrs["type"] !== "set") return stanza;
        hear(resultOf(stanza));
        return undefined;
      },
    },
    /but the Registry has/,
  ],
  [
    "does not tell Things that they are claimed",
    {
      fromRegistry: (stanza) =>
        child(stanza, "claimed") === undefined || stanza.attrs["type"] !== "set" ? stanza : undefined,
    },
    /but the Registry has/,
  ],
  [
    "tells a Thing that it is somebody else's",
    {
      fromRegistry: (stanza) =>
        child(stanza, "claimed") === undefined || stanza.attrs["type"] !== "set"
          ? stanza
          : altered(stanza, (copy) => Object.assign(child(copy, "claimed")?.attrs ?? {}, { jid: "mallory@localhost" })),
    },
    /but the Registry has/,
  ],
  [
    "lets everybody act as the owner",
    {
      toRegistry: (stanza) =>
        ["remove", "disown", "update"].some((name) => child(stanza, name)?.attrs["jid"] !== undefined)
          ? altered(stanza, (copy) => Object.assign(copy.attrs, { from: "anna@localhost/desk" }))
          : stanza,
    },
    /fits these answers|but the Registry has/,
  ],
];

describe("the lives would show", () => {
  it.each([
    ...planted.map(([what, ...rest]) => [`a Thing that ${what}`, ...rest] as const),
    ...plantedThere.map(([what, ...rest]) => [`a Registry that ${what}`, ...rest] as const),
  ])(
    "%s",
    async (_, fault, complaint) => {
      const heard: string[] = [];
      for (let run = 0; run < 60 && !heard.some((one) => complaint.test(one)); run++) {
        heard.push(...(await live(seed + run, stepsOf(seed + run, STEPS), fault)).complaints);
      }
      expect(heard.join("\n"), `OWNERSHIP_SEED=${seed}`).toMatch(complaint);
    },
    timeout,
  );

  it(
    "and say with which few steps",
    async () => {
      const report = await complaintsOf(2, STEPS, { fixedKey: true });
      expect(report).toMatch(/OWNERSHIP_SEED=2\n[^]*shortened:\n/);
      expect(report.split("shortened:\n")[1]?.split("\n").length).toBeLessThan(8);
    },
    timeout,
  );
});
