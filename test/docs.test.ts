// The documentation says what the code does: its tables are compared with the source, its links followed, its code
// compiled, its test run.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { claim } from "../src/cli/claim.ts";
import { control as controlCommand } from "../src/cli/control.ts";
import { discover as discoverCommand } from "../src/cli/discover.ts";
import { exitCode } from "../src/cli/io.ts";
import { main } from "../src/cli/main.ts";
import { read as readCommand } from "../src/cli/read.ts";
import { sandbox as sandboxCommand } from "../src/cli/sandbox.ts";
import { Refusal, type RefusalCondition } from "../src/core/refusal.ts";
import { adviceFor } from "../src/thing/fault-advice.ts";
import { FakeIo } from "./support/fake-io.ts";
import { removeState, stateOfFormat1 } from "./support/state-folder.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, "utf8");
const filesIn = (folder: string, end: string): readonly string[] =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(end));

const pages = ["README.md", ...filesIn("docs", ".md")];
const sources = filesIn("src", ".ts");

/** A block of code in a page. */
interface Block {
  readonly page: string;
  /** The line of its first line, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

function blocksOf(page: string): readonly Block[] {
  const lines = read(page).split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const fence = /^( *)```(.*)$/.exec(lines[at] ?? "");
    if (fence === null) continue;
    const end = lines.indexOf(`${fence[1] ?? ""}\`\`\``, at + 1);
    if (end < 0) throw new Error(`${page}:${at + 1}: a block of code has no end`);
    const text = `${lines.slice(at + 1, end).join("\n")}\n`;
    blocks.push({ page, line: at + 2, language: fence[2] ?? "", text });
    at = end;
  }
  return blocks;
}

/** A page without its blocks of code, which hold links and headings of other languages. */
const proseOf = (page: string): string => read(page).replace(/^( *)```[^]*?^\1```$/gm, "");

/** The tables of a page: the rows of each, cell by cell, the one of dashes left out. */
function tablesOf(page: string): readonly (readonly (readonly string[])[])[] {
  return proseOf(page)
    .split(/\n(?!\|)/)
    .map((part) => part.split("\n").filter((line) => line.startsWith("|")))
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.filter((line) => !/^[|\s:-]+$/.test(line) || !line.includes("---")).map(cellsOf));
}

// A bar inside of code, or behind a backslash, divides no cells.
const cellsOf = (line: string): readonly string[] =>
  line
    .replace(/`[^`]*`|\\\|/g, (text) => text.replaceAll("|", "\u0000"))
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The rows of the tables under a heading, cell by cell; a heading ends at the next one, of whatever level. */
function rowsUnder(page: string, heading: string): readonly (readonly string[])[] {
  const sections = proseOf(page).split(/^#+ /m);
  const section = sections.find((text) => text.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`${page} has no heading "${heading}"`);
  const rows: string[][] = [];
  const lines = section.split("\n");
  for (const [at, line] of lines.entries()) {
    // The head of a table and the rule below it are no rows.
    if (!line.startsWith("|") || /^\|[ |-]+$/.test(line) || /^\|[ |-]+$/.test(lines[at + 1] ?? "")) continue;
    rows.push(
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  }
  expect(rows.length, `rows under "${heading}" in ${page}`).toBeGreaterThan(0);
  return rows;
}

/** What stands in code spans. */
const codes = (cell = ""): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? "");
/** The codes in the first cells of the rows under a heading. */
const firstCodes = (page: string, heading: string): readonly string[] =>
  rowsUnder(page, heading)
    .flatMap(([first]) => codes(first))
    .sort();

/** What stands in the first two cells of the rows under a heading. */
function pairsUnder(page: string, heading: string): ReadonlyMap<string, string> {
  const rows = rowsUnder(page, heading);
  const pairs = new Map(rows.map(([first, second]) => [codes(first)[0] ?? "", codes(second)[0] ?? ""]));
  expect(pairs.size, `different rows under "${heading}" in ${page}`).toBe(rows.length);
  return pairs;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

const parse = (path: string): ts.SourceFile =>
  ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);

/** The string literals in a type of a source file: the members of a union, or those of one property of its members. */
function literalsOf(path: string, type: string, property?: string): readonly string[] {
  const found = new Set<string>();
  walk(parse(path), (node) => {
    if (!ts.isTypeAliasDeclaration(node) || node.name.text !== type) return;
    walk(node.type, (part) => {
      const parent = ts.isLiteralTypeNode(part) ? part.parent : undefined;
      const owner = parent !== undefined && ts.isPropertySignature(parent) ? parent.name.getText() : undefined;
      if (ts.isLiteralTypeNode(part) && ts.isStringLiteral(part.literal) && owner === property) {
        found.add(part.literal.text);
      }
    });
  });
  expect(found.size, `${type} in ${path}`).toBeGreaterThan(1);
  return [...found].sort();
}

describe("docs/robustness.md", () => {
  it("names tests that exist", () => {
    const named = [...read("docs/robustness.md").matchAll(/`(test\/[\w/.-]+\.ts): ([^`]+)`/g)];
    expect(named.length).toBeGreaterThan(60);
    const missing = named.filter(([, file = "", name = ""]) => !read(file).includes(JSON.stringify(name)));
    expect(missing.map(([text]) => text)).toEqual([]);
  });

  it("names one in each row", () => {
    const rows =
      read("docs/robustness.md")
        .split("## Hostile streams")[0]
        ?.match(/^\| (?!-|Fault|What).*$/gm) ?? [];
    expect(rows.filter((row) => !/`test\/[^`]+: [^`]+`/.test(row))).toEqual([]);
  });

  it("gives the bounds that the code has", () => {
    const page = read("docs/robustness.md");
    const bounds =
      /\{ maxBytes: maxStanzaBytes, maxDepth: (\d+), maxAttributes: (\d+), maxElements: ([\d_]+), maxName: (\d+) \}/;
    const [, depth = "", attributes = "", elements = "", name = ""] =
      bounds.exec(read("src/connection/xml-stream.ts")) ?? [];
    for (const [what, bound] of [
      ["elements in each other", depth],
      ["attributes of an element", attributes],
      ["elements of a stanza", elements.replace("_", ",")],
      ["the name of an element or attribute", `${name} characters`],
    ]) {
      expect(page).toMatch(new RegExp(`\\| ${what ?? ""} +\\| ${bound ?? ""} +\\|`));
    }
  });
});

describe("the tables of docs/errors.md", () => {
  it("list every error code with its class", () => {
    const classes = [
      ...read("src/core/errors.ts").matchAll(/class (\w+) extends SdkError \{\s+readonly code = "(\w+)"/g),
    ];
    const inSource = new Map(classes.map(([, name = "", code = ""]) => [code, name]));
    expect([...inSource.keys()].sort()).toEqual(literalsOf("src/core/errors.ts", "SdkErrorCode"));
    expect(pairsUnder("docs/errors.md", "Errors")).toEqual(inSource);
  });

  it("list every fault code", () => {
    expect(firstCodes("docs/errors.md", "Faults")).toEqual(literalsOf("src/thing/faults.ts", "FaultCode"));
  });

  it("list every exit code with its name", () => {
    const inSource = new Map(Object.entries(exitCode).map(([name, code]) => [String(code), name]));
    expect(pairsUnder("docs/errors.md", "Exit codes")).toEqual(inSource);
  });

  it("list every error that a Thing answers with, and its type", () => {
    const used = sources
      .filter((path) => !path.startsWith("src/sandbox/") && path !== "src/core/refusal.ts")
      .flatMap((path) => [...read(path).matchAll(/new Refusal\("([\w-]+)"/g)].map(([, condition]) => condition ?? ""));
    const inSource = new Map(used.map((name) => [name, new Refusal(name as RefusalCondition).type]));
    expect(pairsUnder("docs/errors.md", "Error answers")).toEqual(inSource);
  });
});

/** A text with what differs from case to case taken out: substitutions, and words in capitals that stand for them. */
const form = (text: string): string => text.replace(/\$\{[^}]*\}|\b[A-Z]{2,}\b/g, "*");

/** The forms of the lines that an expression may come to. */
function formsOf(expression: ts.Expression): readonly string[] {
  if (ts.isConditionalExpression(expression)) {
    return [...formsOf(expression.whenTrue), ...formsOf(expression.whenFalse)];
  }
  if (ts.isStringLiteralLike(expression)) return [form(expression.text)];
  if (!ts.isTemplateExpression(expression)) throw new Error(`not a text: ${expression.getText()}`);
  const { head, templateSpans } = expression;
  const text = head.text + templateSpans.map((span) => `\${}${span.literal.text}`).join("");
  return [form(text.split("\n")[0] ?? "")]; // the QR code follows in lines of its own
}

describe("docs/troubleshooting.md", () => {
  it("says of every fault what `xmpp-thing status` says to do", () => {
    const inDocs = rowsUnder("docs/troubleshooting.md", "What to do about a fault").map(([code, text]) => [
      codes(code)[0] ?? "",
      text,
    ]);
    const inSource = literalsOf("src/thing/faults.ts", "FaultCode").map((code) => [code, adviceFor(code)]);
    expect(inDocs.sort()).toEqual(inSource.sort());
  });

  it("lists every key of the status's JSON line", async () => {
    const folder = stateOfFormat1();
    const io = new FakeIo();
    await main(["status", "--json", "--state", folder], io);
    removeState(folder);
    const { fault, ...others } = JSON.parse(io.text) as Record<string, unknown>;
    const rows = rowsUnder("docs/troubleshooting.md", "How is it?");
    const keys = rows.flatMap(([key]) => codes(key));
    expect(keys.sort()).toEqual([...Object.keys(others), "fault"].sort());
    const [, ofFault] = rows.find(([key]) => codes(key).includes("fault")) ?? [];
    expect(codes(ofFault)).toEqual([...Object.keys(fault as object), "null"]);
  });
});

describe("docs/thing.md", () => {
  const page = "docs/thing.md";
  const thing = "src/thing/thing.ts";
  /** The properties of an interface of a source file: whether they may be left out, and the names of their types. */
  function propertiesOf(path: string, name: string): ReadonlyMap<string, { optional: boolean; type: ts.TypeNode }> {
    const found = new Map<string, { optional: boolean; type: ts.TypeNode }>();
    walk(parse(path), (node) => {
      if (!ts.isInterfaceDeclaration(node) || node.name.text !== name) return;
      for (const member of node.members.filter(ts.isPropertySignature)) {
        if (member.type === undefined) continue;
        found.set(member.name.getText(), { optional: member.questionToken !== undefined, type: member.type });
      }
    });
    expect(found.size, `${name} in ${path}`).toBeGreaterThan(0);
    return found;
  }

  it("lists every option, and says which must be given", () => {
    const nested = {
      server: new Map([
        ...propertiesOf("src/discovery/options.ts", "DiscoveryOptions"),
        ...propertiesOf("src/thing/server-options.ts", "ServerOptions"),
      ]),
      account: propertiesOf("src/thing/options.ts", "AccountOptions"),
      certificate: propertiesOf("src/provisioning/certificate-options.ts", "CertificateOptions"),
      tls: propertiesOf("src/connection/tls-policy.ts", "TlsPolicy"),
      keepalive: propertiesOf("src/connection/keepalive.ts", "KeepaliveOptions"),
      registry: propertiesOf("src/discovery/service-options.ts", "RegistryMethods"),
      provisioning: propertiesOf("src/discovery/service-options.ts", "ProvisioningMethods"),
      pairing: propertiesOf("src/thing/pairing.ts", "PairingOptions"),
      rights: propertiesOf("src/provisioning/rights-options.ts", "RightsOptions"),
    };
    const options = new Map(propertiesOf("src/thing/options.ts", "ThingOptions"));
    const [, known = ""] = /KNOWN[^=]*= \[([^\]]*)\]/.exec(read("src/thing/options.ts")) ?? [];
    expect([...options.keys()].sort()).toEqual([...known.matchAll(/\w+/g)].map(([name]) => name).sort());
    for (const [outer, inner] of Object.entries(nested)) {
      for (const [name, property] of inner) options.set(`${outer}.${name}`, property);
    }
    const inSource = [...options].map(([name, { optional }]) => `${name}${optional ? "" : ": must be given"}`);
    const inDocs = rowsUnder(page, "Options").map(([name, , , value = ""]) => {
      return `${codes(name).join("")}${value.startsWith("must be given") ? ": must be given" : ""}`;
    });
    expect(inDocs.sort()).toEqual(inSource.sort());
  });

  it("gives the defaults and bounds of the options that are numbers", () => {
    const rows = new Map(rowsUnder(page, "Options").map(([name, , ...cells]) => [codes(name)[0], cells.join(" ")]));
    const numbers = (name: string): readonly string[] => rows.get(name)?.match(/\d[\d,]*/g) ?? [];
    const inSource = (path: string, ...names: readonly string[]): readonly string[] =>
      names.map((name) => new RegExp(`\\b${name} = ([\\d_]+)`).exec(read(path))?.[1]?.replaceAll("_", ",") ?? name);
    const window = inSource("src/thing/pairing.ts", "SHORTEST_WINDOW", "LONGEST_WINDOW", "DEFAULT_WINDOW");
    expect(numbers("pairing.window")).toEqual(window);
    const [most = ""] = inSource("src/thing/options.ts", "MOST_ENTRIES");
    const [entries = "", bytes = ""] = inSource("src/provisioning/rights-cache.ts", "maxEntries", "maxBytes");
    expect(numbers("rights.maxEntries")).toEqual(["1", most, entries]);
    expect(numbers("rights.maxBytes")).toEqual(["1", bytes]);
  });

  /** What of a class the programs of others may use, with the error codes that its documentation names. */
  function publicOf(path: string, name: string): Readonly<Record<"methods" | "getters", Map<string, string[]>>> {
    const members = { methods: new Map<string, string[]>(), getters: new Map<string, string[]>() };
    walk(parse(path), (node) => {
      if (!ts.isClassDeclaration(node) || node.name?.text !== name) return;
      for (const member of node.members) {
        if (member.name === undefined || ts.isPrivateIdentifier(member.name)) continue;
        const named = ts.getJSDocCommentsAndTags(member).flatMap((doc) => doc.getText().match(/\bERR_\w+/g) ?? []);
        const kind = ts.isMethodDeclaration(member) ? "methods" : "getters";
        members[kind].set(member.name.getText(), [...new Set(named)].sort());
      }
    });
    expect(members.methods.size, `methods of ${name}`).toBeGreaterThan(1);
    return members;
  }

  it("lists every method with the codes of its errors", () => {
    const inDocs = rowsUnder(page, "Methods").map(([call, , , errors]) => [
      codes(call)[0]?.replace(/\(.*/, ""),
      [...codes(errors)].sort(),
    ]);
    expect(inDocs.sort()).toEqual([...publicOf(thing, "Thing").methods].sort());
  });

  it("lists every getter, and what there is of the rights", () => {
    expect(firstCodes(page, "Getters")).toEqual([...publicOf(thing, "Thing").getters.keys()].sort());
    const { methods, getters } = publicOf("src/thing/rights.ts", "Rights");
    const [, rights] = rowsUnder(page, "Getters").find(([name]) => codes(name)[0] === "rights") ?? [];
    const named = codes(rights).filter((code) => !code.startsWith("ERR_"));
    const names = named.map((code) => code.replace(/^await |\(.*/g, ""));
    expect(names.sort()).toEqual([...methods.keys(), ...getters.keys()].sort());
  });

  it("lists every part of the state, and what it may be", () => {
    const state = "src/thing/state.ts";
    const inSource = ["Link", "Ownership", "Trust"].flatMap((type) =>
      literalsOf(type === "Ownership" ? "src/thing/ownership.ts" : state, type, "is").map(
        (is) => `${type.toLowerCase()} ${is}`,
      ),
    );
    const rows = rowsUnder(page, "State").map(([part, is]) => [...codes(part), ...codes(is)].join(" "));
    expect(rows.sort()).toEqual([...inSource, "examining", "parting"].sort());
    const parts = new Set(rows.map((row) => row.split(" ")[0]));
    expect([...parts].sort()).toEqual([...propertiesOf(state, "ThingState").keys()].sort());
  });

  it("lists every event with what its listeners are given", () => {
    const events = "src/thing/events.ts";
    const homes: Readonly<Record<string, string>> = {
      DecisionMade: events,
      ThingClaimed: events,
      ThingDisowned: events,
      ThingRemoved: events,
      PairingWindow: "src/thing/pairing.ts",
      PairingEnded: "src/thing/pairing.ts",
      Paired: "src/thing/pairing.ts",
      Fault: "src/thing/faults.ts",
    };
    const given = (part: ts.TypeNode): string => {
      if (!ts.isNamedTupleMember(part)) throw new Error(`without a name: ${part.getText()}`);
      const home = homes[part.type.getText()];
      if (home === undefined) return part.name.text;
      return `{ ${[...propertiesOf(home, part.type.getText()).keys()].join(", ")} }`;
    };
    const inSource = [...propertiesOf(events, "ThingEvents")].map(([name, { type }]) => {
      if (!ts.isTupleTypeNode(type)) throw new Error(`${name}: no list of arguments`);
      return [name, type.elements.map(given).join(", ")];
    });
    const inDocs = rowsUnder(page, "Events").map(([name, , payload]) => [codes(name)[0], codes(payload)[0]]);
    expect(inDocs.sort()).toEqual(inSource.sort());
  });
});

describe("docs/thermometer.md", () => {
  const example = "examples/thermometer.ts";
  const variables = [...read(example).matchAll(/env\("(THING_\w+)"\)/g)].map(([, name]) => name ?? "").sort();

  it("lists every setting of the example", () => {
    expect(variables.length).toBeGreaterThan(5);
    expect(firstCodes("docs/thermometer.md", "Settings")).toEqual(variables);
  });

  it.each(pages)("%s names no setting that there is not", (page) => {
    const inSource = sources.flatMap((path) => read(path).match(/(?<=env\[")THING_[A-Z]+/g) ?? []);
    const known = [...variables, ...inSource];
    for (const [name] of read(page).matchAll(/\bTHING_[A-Z]+\b/g)) expect(known).toContain(name);
  });

  it("lists the form of every line that the example prints", () => {
    const printed = new Set<string>();
    walk(parse(example), (node) => {
      if (!ts.isCallExpression(node) || node.expression.getText() !== "say") return;
      for (const argument of node.arguments) for (const one of formsOf(argument)) printed.add(one);
    });
    expect(printed.size).toBeGreaterThan(10);
    expect(firstCodes("docs/thermometer.md", "What it prints").map(form).sort()).toEqual([...printed].sort());
  });

  it("lists every exit code of the example", () => {
    const set = [...read(example).matchAll(/process\.exitCode = (\d)/g)].map(([, code]) => code);
    expect(firstCodes("docs/thermometer.md", "Exit codes")).toEqual([...new Set(set)].sort());
  });
});

describe.each(["wire-sensor", "relay"])("docs/%s.md", (name) => {
  it("lists every setting of the example", () => {
    // STATE_DIRECTORY is systemd's: a default, not a setting.
    const settings = [...read(`examples/${name}.ts`).matchAll(/env\("((?!STATE_)\w+)"\)/g)].map(([, one = ""]) => one);
    expect(settings.length).toBeGreaterThan(4);
    const page = `docs/${name}.md`;
    expect(firstCodes(page, name === "relay" ? "Settings" : "Running it")).toEqual([...new Set(settings)].sort());
  });
});

/** The options in a command's help: `--port N` and, where there is one, the variable that may be set instead. */
function optionsIn(help: string): readonly string[] {
  const line = /^ {2}(?:(--[\w-]+(?: [A-Z]+)?)|(?= {10}))\s*(?:\b((?:THING|OWNER)_\w+)\b)?/gm;
  return [...help.matchAll(line)]
    .map(([, option = "", variable = ""]) => `${option} ${variable}`.trim())
    .filter((text) => text !== "");
}

describe("the command line in docs", () => {
  it("sandbox.md lists every key of the sandbox's JSON line", async () => {
    const io = new FakeIo();
    const running = main(["sandbox", "--json"], io);
    await expect.poll(() => io.lines.length, { timeout: 10_000 }).toBe(1);
    io.interrupt();
    await running;
    const keys = Object.keys(JSON.parse(io.lines[0] ?? "") as object);
    const tables = firstCodes("docs/sandbox.md", "From the command line");
    expect(tables.filter((code) => !code.startsWith("--"))).toEqual(keys.sort());
  });

  it("sandbox.md lists every key more of the JSON line of one that is announced", async () => {
    const io = new FakeIo();
    const running = main(["sandbox", "--announce", "--interface", "lo", "--port", "0", "--json"], io);
    await expect.poll(() => io.lines.length, { timeout: 15_000 }).toBe(1);
    io.interrupt();
    await running;
    const plain = firstCodes("docs/sandbox.md", "From the command line");
    const keys = Object.keys(JSON.parse(io.lines[0] ?? "") as object).filter((key) => !plain.includes(key));
    const options = [...read("src/sandbox/announce.ts").matchAll(/^ {2}readonly (\w+)\?:/gm)].map(
      ([, name = ""]) => name,
    );
    expect(options.length).toBeGreaterThan(3);
    const tables = firstCodes("docs/sandbox.md", "A desk that is a whole network");
    expect(tables).toEqual([...keys, ...options].sort());
  });

  it("sandbox.md lists every option of the sandbox", () => {
    const tables = firstCodes("docs/sandbox.md", "From the command line");
    expect(tables.filter((code) => code.startsWith("--"))).toEqual([...optionsIn(sandboxCommand.help)].sort());
  });

  it.each([
    { command: "claim", help: claim.help },
    { command: "read", help: readCommand.help },
    { command: "control", help: controlCommand.help },
  ])("claiming.md lists every option of $command, and what can be set instead", ({ command, help }) => {
    const inDocs = rowsUnder("docs/claiming.md", "Claiming by command line")
      .filter(([, , commands]) => codes(commands).includes(command))
      .map(([option, variable]) => [...codes(option), ...codes(variable)].join(" "));
    expect(inDocs.sort()).toEqual([...optionsIn(help)].sort());
  });
});

describe("discovery.md", () => {
  it("lists every option of discover, and what can be set instead", () => {
    const inHelp = discoverCommand.help.match(/--[a-z][a-z-]+|\b(?:THING|OWNER)_\w+/g) ?? [];
    const inDocs = rowsUnder("docs/discovery.md", "Looking at a network").flatMap(([option, what]) => [
      ...codes(option),
      ...codes(what),
    ]);
    const named = inDocs.filter((code) => /^--|^(THING|OWNER)_/.test(code));
    expect([...new Set(named), "--help"].sort()).toEqual([...new Set(inHelp)].sort());
  });

  it("lists every verdict, and every event with its keys", () => {
    const rows = rowsUnder("docs/discovery.md", "Looking at a network");
    const firsts = rows.flatMap(([first]) => codes(first)).filter((code) => !/^--|^[A-Z]|^event$/.test(code));
    const events = literalsOf("src/cli/discover-report.ts", "DiscoverEvent");
    const verdicts = literalsOf("src/connection/probe.ts", "Verdict");
    expect(firsts.sort()).toEqual([...verdicts, ...events].sort());
  });
});

/** The other folders of the source, and the packages, that a folder imports. */
function importsOf(folder: string): { inside: ReadonlySet<string>; outside: ReadonlySet<string> } {
  const inside = new Set<string>();
  const outside = new Set<string>();
  for (const path of sources.filter((one) => one.startsWith(`src/${folder}/`))) {
    for (const { fileName: module } of ts.preProcessFile(read(path)).importedFiles) {
      const target = posix.join(posix.dirname(path), module).split("/")[1] ?? "";
      if (!module.startsWith(".")) outside.add(/^(@[^/]+\/)?[^/]+/.exec(module)?.[0] ?? "");
      else if (target !== folder) inside.add(target);
    }
  }
  return { inside, outside: new Set([...outside].filter((name) => !name.startsWith("node:"))) };
}

describe("other tables", () => {
  it("rights.md lists what a decision may come to, and where it may come from", () => {
    const outcomes = literalsOf("src/provisioning/decision.ts", "Decision", "outcome");
    const origins = literalsOf("src/provisioning/decision.ts", "DecisionSource");
    expect(firstCodes("docs/rights.md", "The decision event")).toEqual([...outcomes, ...origins].sort());
  });

  it("rights.md gives the defaults of the options", () => {
    const source = read("src/provisioning/rights-cache.ts");
    const [, maxEntries = "", maxBytes = ""] = /maxEntries = ([\d_]+), maxBytes = ([\d_]+)/.exec(source) ?? [];
    const defaults = rowsUnder("docs/rights.md", "What is remembered").map(([option, , value = ""]) => {
      return `${codes(option).join("")}: ${value.replace(/ .*/, "").replaceAll(",", "_")}`;
    });
    const [, gather = ""] = /gather = ([\d_]+)/.exec(source) ?? [];
    expect(defaults).toEqual([
      `rights.maxEntries: ${maxEntries}`,
      `rights.maxBytes: ${maxBytes}`,
      `rights.gather: ${gather}`,
      "rights.maxAge: none",
    ]);
  });

  it("claiming.md lists every predefined tag with its type", () => {
    const source = read("src/codec/tags.ts");
    const numbers = /numeric[^[]*\[([^\]]*)\]/.exec(source)?.[1]?.match(/\w+/g) ?? [];
    const texts = /textual[^"]*"([^"]*)"/.exec(source)?.[1]?.split(" ") ?? [];
    const expected = [...numbers.map((name) => `${name} number`), ...texts.map((name) => `${name} string`)];
    const inDocs = rowsUnder("docs/claiming.md", "Tags").flatMap(([names, type = ""]) =>
      codes(names).map((name) => `${name} ${type}`),
    );
    expect(inDocs.sort()).toEqual(expected.sort());
  });

  it("architecture.md lists every folder of the source, what it imports, and every dependency", () => {
    const folders = readdirSync(`${root}src`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(firstCodes("docs/architecture.md", "Layers")).toEqual(folders.map(({ name }) => `${name}/`).sort());
    const above: string[] = [];
    for (const [first, , may = "", packages] of rowsUnder("docs/architecture.md", "Layers")) {
      const [folder = ""] = codes(first).map((name) => name.slice(0, -1));
      const { inside, outside } = importsOf(folder);
      const allowed = may === "all above" ? [...above] : codes(may);
      expect(allowed, `what ${folder} may import`).toEqual(expect.arrayContaining([...inside]));
      if (folder !== "types") expect([...outside].sort(), `packages of ${folder}`).toEqual([...codes(packages)].sort());
      above.push(folder);
    }
    const { dependencies, peerDependencies } = JSON.parse(read("package.json")) as Record<string, object>;
    const packages = Object.keys({ ...dependencies, ...peerDependencies }).sort();
    expect(firstCodes("docs/architecture.md", "Dependencies")).toEqual(packages);
  });

  it("protocol-coverage.md lists every reading of the specifications that the source cites", () => {
    const cited = new Set(sources.flatMap((path) => read(path).match(/\b[PDXS]-E\d+\b/g) ?? []));
    const listed = rowsUnder("docs/protocol-coverage.md", "Where the specifications leave room").map(([id]) => id);
    expect(listed.sort()).toEqual([...cited].sort());
  });
});

/** The anchors that GitHub makes of the headings of a page. */
function anchorsOf(page: string): readonly string[] {
  return [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("every table", () => {
  it.each(pages)("of %s has a cell for each column, and no row twice", (page) => {
    for (const [header = [], ...rows] of tablesOf(page)) {
      for (const row of rows) expect.soft(row, `${page}: ${row[0] ?? ""}`).toHaveLength(header.length);
      // The state of a Thing has several rows for each of its parts.
      const names = rows.map((row) => (header[0] === "Part" ? row.slice(0, 2).join(" ") : (row[0] ?? "")));
      expect.soft(names.filter((name, index) => name !== "" && names.indexOf(name) !== index)).toEqual([]);
    }
  });

  it("is found, with bars that stand in code", () => {
    const [options = []] = tablesOf("docs/thing.md");
    expect(options[0]).toHaveLength(4);
    expect(options.length).toBeGreaterThan(30);
    expect(cellsOf("| `a|b` | c \\| d | |").map((cell) => cell.replaceAll("\u0000", "|"))).toEqual([
      "`a|b`",
      "c \\| d",
      "",
    ]);
  });
});

describe("every link", () => {
  it.each(pages)("of %s leads somewhere", (page) => {
    const broken: string[] = [];
    for (const [, link = ""] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page : posix.join(posix.dirname(page), file);
      const leads = existsSync(`${root}${target}`) && (anchor === undefined || anchorsOf(target).includes(anchor));
      if (!leads) broken.push(link);
    }
    expect(broken).toEqual([]);
  });
});

const blocks = pages.flatMap(blocksOf);

describe("every block of code", () => {
  it("says what language it is in", () => {
    const plain = ["sh", "text", "ini", "lua", "mermaid", "js"]; // js: run by examples.test.ts
    const others = blocks.filter(({ language }) => language !== "ts" && !plain.includes(language));
    expect(others.map(({ page, line, language }) => `${page}:${line}: ${language}`)).toEqual([]);
  });

  it("in TypeScript is right by its types", { timeout: 120_000 }, () => {
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)).config,
      ts.sys,
      root,
    );
    // In memory, as if each were a file of the project: its imports are found as a user's would be.
    const virtual: ReadonlyMap<string, Block> = new Map(
      blocks
        .filter(({ language }) => language === "ts")
        .map((block, index) => {
          // Those that say what file they are find each other.
          const [, name = `docs-block-${index}.ts`] = /^\/\/ (\S+\.ts)\n/.exec(block.text) ?? [];
          return [`${root}${name}`, block];
        }),
    );
    expect(virtual.size).toBeGreaterThan(10);
    const settings: ts.CompilerOptions = { ...options, noUnusedLocals: false, noUnusedParameters: false };
    const base = ts.createCompilerHost(settings);
    const textOf = (path: string): string | undefined => {
      const block = virtual.get(path);
      return block === undefined ? undefined : `${block.text}\nexport {};\n`;
    };
    const host: ts.CompilerHost = {
      ...base,
      fileExists: (path) => virtual.has(path) || base.fileExists(path),
      readFile: (path) => textOf(path) ?? base.readFile(path),
      getSourceFile: (path, version, ...rest) => {
        const text = textOf(path);
        return text === undefined
          ? base.getSourceFile(path, version, ...rest)
          : ts.createSourceFile(path, text, version, true);
      },
    };
    const program = ts.createProgram([...virtual.keys()], settings, host);
    const wrong = [...virtual].flatMap(([path, block]) => {
      const file = program.getSourceFile(path);
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((found) => {
        const line = file?.getLineAndCharacterOfPosition(found.start ?? 0).line ?? 0;
        return `${block.page}:${block.line + line}: ${ts.flattenDiagnosticMessageText(found.messageText, " ")}`;
      });
    });
    expect(wrong).toEqual([]);
  });

  const wholeTests = blocks.filter(({ text }) => /^\/\/ \S+\.test\.ts\n/.test(text));

  it.each(wholeTests)("that is a whole test of a Thing passes: $page:$line", ({ line, text }) => {
    // Inside the project, where "xmpp-thing" is this project.
    const file = `${root}build/docs-${process.pid}-${line}.ts`;
    mkdirSync(`${root}build`, { recursive: true });
    writeFileSync(file, text);
    try {
      // Without what tells Node.js that it runs inside a test already.
      const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
      const { stdout } = spawnSync(process.execPath, ["--import", "tsx", "--test", file], { encoding: "utf8", env });
      expect(stdout).toMatch(/^# pass 1$/m);
      expect(stdout).toMatch(/^# fail 0$/m);
    } finally {
      rmSync(file, { force: true });
    }
  });
});
