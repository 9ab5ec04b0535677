// What is measured. Each compares in pairs, turn by turn, so that what else the machine does meets both alike.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { about, compared, paired } from "./comparing.ts";
import { median } from "./figures.ts";
import type { Measured, Measurement, Place } from "./measurement.ts";
import { Program, valuesOf } from "./program.ts";
import { readouts, readoutsWithNagle } from "./readouts.ts";
import type { Site } from "./site.ts";

const MIB = 2 ** 20;
function subfolder(place: Place, name: string): string {
  const folder = join(place.folder, name);
  mkdirSync(folder, { mode: 0o700, recursive: true });
  return folder;
}

/** Cached decisions with so many servers. */
async function decisions(place: Place, servers: number): Promise<Measured> {
  const program = new Program("decision", { args: [place.inside, String(servers), place.short ? "11" : "41"] });
  try {
    const { ours, theirs } = JSON.parse(await program.says("samples")) as Record<"ours" | "theirs", number[]>;
    return compared(ours, theirs, "µs", 1_000);
  } finally {
    await program.end();
  }
}

/** Where a warm Thing keeps its state: registered, befriended and read once. Made by the first who wants it. */
const warm = new WeakMap<Site, Promise<{ folder: string; bare: string }>>();
function warmThing(place: Place, site: Site): Promise<{ folder: string; bare: string }> {
  let made = warm.get(site);
  if (made === undefined) {
    const folder = subfolder(place, "warm");
    made = (async () => {
      const thing = new Program("idle-thing", { env: { ...site.env, STATE: folder } });
      const full = await thing.says("registered");
      const bare = full.replace(/\/.*/s, "");
      await site.owner.read(await site.owner.befriend(bare));
      thing.tell("stop");
      await thing.ended;
      return { folder, bare };
    })();
    warm.set(site, made);
  }
  return made;
}

/** The resident memory of a program that has been online for a while, before and after it has tidied up. */
async function resident(program: Program): Promise<{ rss: number; tidy: number }> {
  try {
    await program.says("online");
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    program.tell("rss");
    return { rss: await program.value("rss"), tidy: await program.value("tidy") };
  } finally {
    await program.end();
  }
}

/** What searching told: milliseconds of the index, and of going through all records. */
type SearchSamples = Readonly<
  Record<"selective" | "broad" | "none", { readonly ours: readonly number[]; readonly theirs: readonly number[] }>
>;

/** All measurements, in the order of the table. */
export const measurements: readonly Measurement[] = [
  {
    name: "decision",
    how: "`await guard.decide()` on a remembered `canRead` with three tokens, two nodes and three fields in any order, against `get` of an `lru-cache` with a key concatenated from the same parts, in one process, 10,000 of each turn by turn.",
    figures: [
      { id: "decision", title: "cached decision, one server", unit: "×", bound: 1.5 },
      { id: "decision-three", title: "cached decision, three servers that each grant a part", unit: "×", bound: 1.5 },
    ],
    measure: async (place) => [await decisions(place, 1), await decisions(place, 3)],
  },
  {
    name: "held",
    how: "10,000 questions that come out of the parser are asked once each and their answers kept in a folder; the heap and what lies in arrays before and after, garbage collected.",
    figures: [{ id: "held", title: "heap for each cached decision, 10,000 held", unit: "bytes", bound: 500 }],
    measure: async (place) => {
      const bytes: number[] = [];
      for (let turn = 0; turn < (place.short ? 1 : 3); turn++) {
        bytes.push(
          ...(await valuesOf("held", ["bytes"], { args: [place.inside, subfolder(place, `held${turn}`), "10000"] })),
        );
      }
      return [{ value: median(bytes), from: `median of ${bytes.length} processes` }];
    },
  },
  {
    name: "load",
    how: "The folder of the row before is loaded, and an empty one, in processes of their own: how much of the processor that takes, with all that helps it, which on one core is how long it takes.",
    figures: [{ id: "load", title: "load of a 10,000-entry cache, beyond an empty one", unit: "ms", bound: 50 }],
    measure: async (place) => {
      const full = subfolder(place, "full");
      await valuesOf("held", ["bytes"], { args: [place.inside, full, "10000"] });
      const load = (folder: string, least: number) => async (): Promise<number> => {
        const [count = 0, ms = 0] = await valuesOf("load", ["count", "ms"], { args: [place.inside, folder] });
        if (count < least) throw new Error(`only ${count} were loaded`);
        return ms;
      };
      const { ours, theirs } = await paired(
        place.short ? 3 : 9,
        load(full, 10_000),
        load(subfolder(place, "empty"), 0),
      );
      const [one, other] = [median(ours), median(theirs)];
      return [{ value: one - other, from: `${about(one)} against ${about(other)} ms, medians of ${ours.length}` }];
    },
  },
  {
    name: "nodes",
    how: "A whole Thing with 1,000 nodes against ten with 100, on a Registry that answers at once, in one process: all nodes are registered, claimed by an owner for ten of them, KEY emptied, the owner asked for friendship; then the Thing starts again. What goes to its storage, and processor time.",
    figures: [
      { id: "nodes-bytes", title: "written for a node, of 1,000 against of 100", unit: "×", bound: 1.1 },
      { id: "nodes-cpu", title: "processor time for a node, of 1,000 against of 100", unit: "×", bound: 1.2 },
    ],
    measure: async (place) => {
      const program = new Program("nodes", { args: [place.inside, "100", "1000", place.short ? "3" : "9"] });
      try {
        const samples = JSON.parse(await program.says("samples")) as Record<
          "fewBytes" | "fewCpu" | "manyBytes" | "manyCpu",
          number[]
        >;
        return [
          compared(samples.manyBytes, samples.fewBytes, "KiB", 1_024),
          compared(samples.manyCpu, samples.fewCpu, "ms"),
        ];
      } finally {
        await program.end();
      }
    },
  },
  {
    name: "idle",
    prosody: true,
    how: "A Thing that was registered, befriended and read before, against a bare `@xmpp/client`, each in a process of its own, three seconds after it came online. What the system has given it, before and after a garbage collection of its own.",
    figures: [
      { id: "idle", title: "resident memory of an idle Thing, against a bare `@xmpp/client`", unit: "×", bound: 1.2 },
      { id: "idle-tidy", title: "the same after a garbage collection", unit: "×", bound: 1.2 },
    ],
    measure: async (place) => {
      const site = await place.site();
      const { folder } = await warmThing(place, site);
      const tidy = { ours: [] as number[], theirs: [] as number[] };
      const one = (side: "ours" | "theirs") => async (): Promise<number> => {
        const program = side === "ours" ? "idle-thing" : "idle-client";
        const memory = await resident(new Program(program, { env: { ...site.env, STATE: folder } }));
        tidy[side].push(memory.tidy);
        return memory.rss;
      };
      const { ours, theirs } = await paired(place.short ? 3 : 9, one("ours"), one("theirs"));
      return [compared(ours, theirs, "MiB", MIB), compared(tidy.ours, tidy.theirs, "MiB", MIB)];
    },
  },
  {
    name: "import",
    how: "`await import()` in processes of their own, turn by turn; the resident memory after it, garbage collected.",
    figures: [
      {
        id: "import-time",
        title: 'time of `import "xmpp-thing"`, against `import "@xmpp/client"`',
        unit: "×",
        bound: 1,
      },
      { id: "import-memory", title: "resident memory after it", unit: "×", bound: 1.05 },
    ],
    measure: async (place) => {
      const rss = { ours: [] as number[], theirs: [] as number[] };
      const one = (side: "ours" | "theirs") => async (): Promise<number> => {
        const name = side === "ours" ? "xmpp-thing" : "@xmpp/client";
        const [ms = 0, bytes = 0] = await valuesOf("import", ["ms", "rss"], { args: [name] });
        rss[side].push(bytes);
        return ms;
      };
      const { ours, theirs } = await paired(place.short ? 7 : 21, one("ours"), one("theirs"));
      return [compared(ours, theirs, "ms"), compared(rss.ours, rss.theirs, "MiB", MIB)];
    },
  },
  {
    name: "start",
    prosody: true,
    how: "From the start of the process, Node.js included: a warm Thing until its reader, who asks at its first presence, has the fields; a bare `@xmpp/client` until it is online by SCRAM. No question reaches the provisioning server.",
    figures: [
      {
        id: "start",
        title: "warm start until a readout is answered, against a bare `@xmpp/client` until it is online",
        unit: "×",
        bound: 0.5,
      },
    ],
    measure: async (place) => {
      const site = await place.site();
      const { folder, bare } = await warmThing(place, site);
      const asked = site.provisioning.count();
      const thing = async (): Promise<number> => {
        const there = site.appears(bare);
        const began = performance.now();
        const program = new Program("idle-thing", { env: { ...site.env, STATE: folder } });
        try {
          const [group] = await site.owner.read(await there);
          if (group?.fields[0]?.name !== "Temperature") throw new Error("a readout without its field");
          return performance.now() - began;
        } finally {
          program.tell("stop");
          await program.ended;
        }
      };
      const bareClient = async (): Promise<number> => {
        const began = performance.now();
        const program = new Program("idle-client", { env: site.env });
        try {
          await program.says("online");
          return performance.now() - began;
        } finally {
          await program.end();
        }
      };
      const { ours, theirs } = await paired(place.short ? 3 : 11, thing, bareClient);
      if (site.provisioning.count() !== asked)
        throw new Error("the provisioning server was asked: that is no warm start");
      return [compared(ours, theirs, "ms")];
    },
  },
  readouts,
  readoutsWithNagle,
  {
    name: "restart",
    how: "500 Things with an account each on the sandbox, in one process: each is befriended and read, all are stopped and started at once, each is read again; new rules clear every cache, and each is read three times at once (its friend it asks about by itself).",
    figures: [
      {
        id: "restart",
        title: "questions to the provisioning server when 500 warm Things restart at once and are read",
        unit: "",
        bound: 0,
        exact: true,
      },
      {
        id: "cleared",
        title: "the same after a `clearCache` to all, for each distinct question",
        unit: "",
        bound: 1,
        exact: true,
      },
    ],
    measure: async (place) => {
      const count = place.short ? 100 : 500;
      const names = ["restarted", "questions", "distinct"];
      const [restarted = NaN, questions = NaN, distinct = NaN] = await valuesOf("restart", names, {
        args: [String(count)],
      });
      if (distinct < 2 * count) throw new Error(`only ${distinct} distinct questions`);
      return [
        { value: restarted, from: `${count} Things` },
        { value: questions / distinct, from: `${questions} questions, ${distinct} distinct` },
      ];
    },
  },
  {
    name: "crowd",
    prosody: true,
    how: "1,000 Things in one process and 1,000 bare `@xmpp/client` in another, all online; the heap and what lies in arrays, garbage collected, beyond what the first 20 of each took. (The clients log in by PLAIN: what they hold then is the same, and SCRAM would take them ten minutes.)",
    figures: [
      {
        id: "crowd",
        title: "heap for each of 1,000 Things in one process, beyond a bare client",
        unit: "KiB",
        bound: 120,
      },
    ],
    measure: async (place) => {
      const { env } = await place.site();
      const count = place.short ? 100 : 1_000;
      const options = { env: { ...env, COUNT: String(count) } };
      const [client = NaN] = await valuesOf("crowd-client", ["each"], options);
      const [thing = NaN] = await valuesOf("crowd-thing", ["each"], options);
      const value = (thing - client) / 1_024;
      return [{ value, from: `${about(thing / 1_024)} and ${about(client / 1_024)} KiB, ${count} of each` }];
    },
  },
  {
    name: "search",
    how: "A Registry's index of 1,000, 10,000 and 100,000 Things of eight tags is searched by six operators for a page of 20, against going through all records: for few, for a page of very many, and for none although each operator but one finds all. CPU time, turn by turn in one process; the heap that the index takes beside the records, garbage collected.",
    figures: [
      { id: "search-selective", title: "search of 100,000 Things that finds few", unit: "ms", bound: 20 },
      { id: "search-broad", title: "the same with a page of very many", unit: "ms", bound: 20 },
      {
        id: "search-none",
        title: "the same without any hit, by operators that nearly all match",
        unit: "ms",
        bound: 20,
      },
      { id: "search-ratio", title: "that, against going through all records", unit: "×", bound: 0.75 },
      { id: "search-heap", title: "heap of the index for each Thing", unit: "bytes", bound: 1_000 },
    ],
    measure: async (place) => {
      const growth: { samples: SearchSamples; bytes: number }[] = [];
      for (const things of [1_000, 10_000, 100_000]) {
        const args = [place.inside, String(things), place.short ? "7" : "41"];
        const program = new Program("search", { args });
        try {
          const bytes = await program.value("bytes");
          growth.push({ samples: JSON.parse(await program.says("samples")) as SearchSamples, bytes });
        } finally {
          await program.end();
        }
      }
      const last = growth.at(-1);
      if (last === undefined) throw new Error("nothing was searched");
      const times = (name: keyof SearchSamples): Measured => ({
        value: median(last.samples[name].ours),
        from: `${growth.map(({ samples }) => about(median(samples[name].ours))).join(", ")} ms of 1,000, 10,000, 100,000; medians of ${last.samples[name].ours.length}`,
      });
      const { ours, theirs } = last.samples.none;
      return [
        times("selective"),
        times("broad"),
        times("none"),
        compared(ours, theirs, "ms"),
        { value: last.bytes, from: "100,000 Things" },
      ];
    },
  },
];
