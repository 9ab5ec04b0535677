// The pure parts of protocol-coverage.mjs: requirements, their ids in names of tests, and the tables.

/** A requirement: `P` XEP-0324, `D` XEP-0347; the section; a running number. */
const one = String.raw`([PD])-(\d+(?:\.\d+)*)-(\d+)`;
// `P-3.5.1-1, -2, -4`, `P-3.1.1-5 to -7`, `P-3.1.1-5 to P-3.1.1-7`, `P-3.7.1-2/-3`.
const further = String.raw`(?:(,? and |, |/| to )(?:${one}|-(\d+)(?![\d.]*-)))`;

/** The ids of requirements that a name holds, short forms and ranges written out. */
export function idsIn(name) {
  const ids = new Set();
  const starts = new RegExp(`(?<![\\w.-])${one}`, "g");
  const more = new RegExp(further, "y");
  for (const start of name.matchAll(starts)) {
    let [, letter, section, number] = start;
    ids.add(`${letter}-${section}-${number}`);
    more.lastIndex = start.index + start[0].length;
    for (let next = more.exec(name); next !== null; next = more.exec(name)) {
      const [, joint, otherLetter = letter, otherSection = section, longNumber, shortNumber] = next;
      const last = Number(longNumber ?? shortNumber);
      const isRange = joint === " to " && otherLetter === letter && otherSection === section;
      for (let n = isRange ? Number(number) + 1 : last; n <= last; n++) ids.add(`${otherLetter}-${otherSection}-${n}`);
      [letter, section, number] = [otherLetter, otherSection, String(last)];
    }
  }
  return [...ids];
}

/** The requirements of the specification's list, without their texts. */
export function requirementsIn(markdown) {
  const found = [];
  let section = "";
  for (const line of markdown.split("\n")) {
    const heading = /^### (.+)$/.exec(line);
    if (heading) section = heading[1];
    const row = /^- \[ \] \*\*([PD]-[\d.]+-\d+)\*\* · ([^·]+) · ([^·]+) · /.exec(line);
    if (row)
      found.push({ id: row[1], section, strength: row[2].trim(), who: row[3].split(",").map((who) => who.trim()) });
  }
  return found;
}

/** Those that bind somebody and that no test shows. */
export function gapsIn(requirements, shown) {
  return requirements.filter(({ id, strength }) => strength !== "note" && !shown.has(id));
}

const xeps = [
  ["P", "XEP-0324 Provisioning"],
  ["D", "XEP-0347 Discovery"],
];

const fileLink = (file) => `[${file.replace(/^test\//, "").replace(/(\.test)?\.ts$/, "")}](../${file})`;

const table = (head, rows) =>
  [
    `| ${head.join(" | ")} |`,
    `| ${head.map(() => "---").join(" | ")} |`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");

/** Why no test names it: said of itself, or of its section. */
function reasonFor(id, reasons) {
  return reasons.get(id) ?? reasons.get(id.slice(0, id.lastIndexOf("-"))) ?? "no test names it yet";
}

/** The generated part of the document. */
export function renderCoverage(requirements, shown, reasons) {
  const gaps = gapsIn(requirements, shown);
  const parts = [
    "### What no test shows",
    "",
    gaps.length === 0
      ? "Nothing."
      : table(
          ["Id", "Binds", "Why"],
          gaps.map(({ id, who }) => [id, who.join(", "), reasonFor(id, reasons)]),
        ),
    "",
  ];
  for (const [letter, title] of xeps) {
    parts.push(`### ${title}: the tests that name a requirement`, "");
    const rows = [];
    const sections = [...new Set(requirements.filter(({ id }) => id.startsWith(letter)).map(({ section }) => section))];
    for (const section of sections) {
      const own = requirements.filter((one) => one.id.startsWith(letter) && one.section === section);
      for (const { id, strength, who } of own) {
        const files = [...(shown.get(id) ?? [])].sort();
        const by =
          files.length > 0 ? files.map(fileLink).join(", ") : strength === "note" ? "for information" : "**none**";
        rows.push([id, strength, who.join(", "), by]);
      }
    }
    parts.push(table(["Id", "Strength", "Binds", "Shown by"], rows), "");
  }
  return parts.join("\n");
}
