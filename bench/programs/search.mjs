// Searches of a Registry's index by six operators, against going through all records, turn by turn in one process. CPU
// time, which on one core is how long it takes.  Usage: search.mjs INSIDE THINGS ROUNDS
const [inside, things, rounds] = process.argv.slice(2);
const { RegistryIndex } = await import(inside);
const count = Number(things);

const str = (name, value) => ({ name, type: "str", value });
const num = (name, value) => ({ name, type: "num", value, text: String(value) });
// As they come out of a database: each text stands for itself.
const records = Array.from({ length: count }, (_, at) =>
  JSON.parse(
    JSON.stringify({
      jid: `thing${at}@example.org`,
      claim: { public: true, at },
      tags: [
        str("SN", `394872348732${String((at * 7919) % count).padStart(6, "0")}`),
        str("MAN", at % 3 === 0 ? "www.example.org" : "www.ktc.se"),
        str("MODEL", ["IMC", "IMC2", "PLC-1000"][at % 3]),
        num("V", 1 + (at % 40) / 10),
        str("CLASS", "PLC"),
        num("LON", ((at * 13) % 3600) / 10 - 180),
        num("LAT", ((at * 17) % 1800) / 10 - 90),
        str("ROOM", `Room ${at % 500} of the house in the long street`),
      ],
    }),
  ),
);

const range = (tag, min, max) => ({ op: "numRange", tag, min, max, minIncluded: true, maxIncluded: true });
const mask = (tag, value) => ({ op: "strMask", tag, value, wildcard: "*" });
const broad = [
  { op: "strNEq", tag: "MAN", value: "x" },
  { op: "strGt", tag: "MODEL", value: "A" },
  range("V", 0, 9),
  range("LON", -180, 180),
  range("LAT", -90, 90),
];
const searches = {
  selective: [
    { op: "strEq", tag: "MAN", value: "www.ktc.se" },
    { op: "strEq", tag: "MODEL", value: "IMC2" },
    mask("SN", "39487234873200*"),
    range("V", 1, 2),
    range("LON", -72, 70),
    range("LAT", -34, 33),
  ],
  broad: [...broad, mask("SN", "*3*9*4*")],
  none: [...broad, mask("SN", "*3*9*4*8*x*")],
};

async function live() {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed;
}
const before = await live();
const index = new RegistryIndex();
for (const record of records) index.put(record.jid, record);
console.log(`bytes ${((await live()) - before) / count}`);

// As one would write it who has only the records.
const asPattern = (value) => new RegExp(`^${value.split("*").join(".*?")}$`, "s");
const patterns = new Map(Object.values(searches).flatMap((list) => list.filter(({ op }) => op === "strMask").map((one) => [one, asPattern(one.value)]))); // prettier-ignore
function holds(operator, tags) {
  const tag = tags.find(({ name }) => name === operator.tag);
  if (tag?.type !== operator.op.slice(0, 3)) return false;
  switch (operator.op) {
    case "strEq":
      return tag.value === operator.value;
    case "strNEq":
      return tag.value !== operator.value;
    case "strGt":
      return tag.value > operator.value;
    case "strMask":
      return patterns.get(operator).test(tag.value);
    default:
      return tag.value >= operator.min && tag.value <= operator.max;
  }
}
function scan(operators, most) {
  const found = [];
  for (const record of records) {
    if (!operators.every((operator) => holds(operator, record.tags))) continue;
    if (found.length === most) return { records: found, more: true };
    found.push(record);
  }
  return { records: found, more: false };
}

const timed = (act) => {
  const began = process.cpuUsage();
  const result = act();
  const { user, system } = process.cpuUsage(began);
  return { ms: (user + system) / 1_000, result };
};
const samples = Object.fromEntries(Object.keys(searches).map((name) => [name, { ours: [], theirs: [] }]));
for (let round = -5; round < Number(rounds); round++) {
  for (const [name, operators] of Object.entries(searches)) {
    const ours = timed(() => index.search(operators, 0, 20));
    const theirs = timed(() => scan(operators, 20));
    const [one, other] = [ours, theirs].map(({ result }) => result.records.map(({ jid }) => jid).join());
    if (one !== other || ours.result.more !== theirs.result.more) throw new Error(`${name}: they differ`);
    if ((one === "") !== (name === "none")) throw new Error(`${name}: found ${one}`);
    if (round < 0) continue; // until it is compiled
    samples[name].ours.push(ours.ms);
    samples[name].theirs.push(theirs.ms);
  }
}
console.log(`samples ${JSON.stringify(samples)}`);
