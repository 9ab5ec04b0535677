// Reads source files and says which rules of the house they break. Pure: a file is its path and its text.
import { posix } from "node:path";
import ts from "typescript";

/** Sources by their path from the project's root: `src/core/jid.ts`. */
export type Sources = ReadonlyMap<string, string>;

/** What a folder of `src` may use. */
export interface Layer {
  /** Other folders of `src`. */
  readonly folders: readonly string[];
  /** Packages of npm; one ending in a slash means all that begin so. */
  readonly packages: readonly string[];
  /** Built-in modules that touch the world: files, sockets, processes. */
  readonly world: readonly string[];
}

/** An import of any kind, also of types only. */
interface Import {
  readonly from: string;
  readonly module: string;
  readonly names: readonly string[];
}

// Built-ins that compute and touch nothing.
const harmless = ["buffer", "crypto", "events", "path", "stream", "string_decoder", "url", "util"].map(
  (name) => `node:${name}`,
);

const parse = (path: string, text: string): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

const textOf = (node: ts.Node | undefined): string | undefined =>
  node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;

/** The names that an import takes out of a module. */
function namesOf(node: ts.Node): readonly string[] {
  const names: string[] = [];
  walk(node, (part) => {
    if (ts.isImportSpecifier(part) || ts.isExportSpecifier(part)) names.push((part.propertyName ?? part.name).text);
  });
  return names;
}

function importsOf(path: string, text: string): readonly Import[] {
  const found: Import[] = [];
  const add = (module: string | undefined, names: readonly string[] = []): void => {
    if (module !== undefined) found.push({ from: path, module, names });
  };
  walk(parse(path, text), (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(textOf(node.moduleSpecifier), namesOf(node));
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : undefined);
    else if (ts.isExternalModuleReference(node)) add(textOf(node.expression));
    else if (ts.isCallExpression(node)) {
      const callee = node.expression;
      const imports =
        callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === "require");
      // What cannot be read from the source cannot be checked: a computed name is a violation by itself.
      if (imports) add(textOf(node.arguments[0]) ?? "a computed name");
    }
  });
  return found;
}

const isRelative = (module: string): boolean => module.startsWith(".");
const resolve = (entry: Import): string => posix.join(posix.dirname(entry.from), entry.module);

/** The folder of `src` a file stands in; files directly in `src` stand in none. */
const folderOf = (path: string): string => /^src\/([^/]+)\//.exec(path)?.[1] ?? "";

// Not a matter of layers: banned wherever they are not an exception.
const timeModules = ["node:timers", "node:timers/promises", "node:perf_hooks"];

function allowedPackage(module: string, layer: Layer): boolean {
  if (timeModules.includes(module)) return true;
  if (module.startsWith("node:")) return harmless.includes(module) || layer.world.includes(module);
  return layer.packages.some((name) =>
    name.endsWith("/") ? module.startsWith(name) : module === name || module.startsWith(`${name}/`),
  );
}

/**
 * Imports that the layers do not allow. Files directly in `src` are entry points: they may import any folder.
 *
 * @param bridges files that may import a folder their own may not
 */
export function layerViolations(
  sources: Sources,
  layers: Readonly<Record<string, Layer>>,
  bridges: Readonly<Record<string, readonly string[]>> = {},
): readonly string[] {
  const violations: string[] = [];
  for (const [path, text] of sources) {
    const folder = folderOf(path);
    const layer = layers[folder];
    if (layer === undefined && folder !== "") {
      violations.push(`${path}: the folder ${folder} is in no layer`);
      continue;
    }
    for (const entry of importsOf(path, text)) {
      const target = isRelative(entry.module) ? folderOf(resolve(entry)) : undefined;
      const allowed =
        target === undefined
          ? layer !== undefined && allowedPackage(entry.module, layer)
          : layer === undefined || target === folder || [...layer.folders, ...(bridges[path] ?? [])].includes(target);
      if (!allowed) violations.push(`${path}: may not import ${entry.module}`);
    }
  }
  return violations;
}

/** Rings of files that import each other, each told once, from its alphabetically first file. */
export function importCycles(sources: Sources): readonly string[] {
  const graph = new Map<string, readonly string[]>();
  for (const [path, text] of sources) {
    graph.set(
      path,
      importsOf(path, text)
        .filter(({ module }) => isRelative(module))
        .map(resolve),
    );
  }
  const cycles = new Set<string>();
  const done = new Set<string>();
  const follow = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      const ring = trail.slice(start);
      const first = ring.indexOf([...ring].sort()[0] ?? "");
      cycles.add([...ring.slice(first), ...ring.slice(0, first + 1)].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) follow(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) follow(path, []);
  return [...cycles];
}

const globals = new Set([
  ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"],
  ...["performance", "console", "getRandomValues", "require"],
]);
const members: Readonly<Record<string, ReadonlySet<string>>> = {
  Date: new Set(["now"]),
  Math: new Set(["random"]),
  AbortSignal: new Set(["timeout"]),
  process: new Set(["hrtime", "uptime"]),
  crypto: new Set(["randomUUID", "getRandomValues"]),
};
const randomNames = /^(random(Bytes|UUID|Int|Fill|FillSync)|getRandomValues|webcrypto)$/;

/** Where a banned thing is allowed, by path: what stands before the colon of its message. */
export type Exceptions = Readonly<Record<string, readonly string[]>>;

/** Direct time, randomness and timers; `any`; switched-off checks; things to be done later. */
export function bannedUses(sources: Sources, exceptions: Exceptions): readonly string[] {
  const violations: string[] = [];
  for (const [path, text] of sources) {
    const report = (what: string): void => {
      if (!(exceptions[path] ?? []).includes(what)) violations.push(`${path}: ${what}`);
    };
    const file = parse(path, text);
    walk(file, (node) => {
      for (const what of bannedAt(node)) report(what);
    });
    for (const { module, names } of importsOf(path, text)) {
      if (timeModules.includes(module)) report(module);
      if (!module.startsWith("node:")) continue;
      for (const name of names) if (randomNames.test(name)) report(name);
    }
    for (const [word] of text.matchAll(/@ts-(ignore|nocheck|expect-error)|eslint-disable|\b(TODO|FIXME)\b/g))
      report(word);
  }
  return violations;
}

function bannedAt(node: ts.Node): readonly string[] {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return ["any"];
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments ?? []).length === 0)
    return ["new Date()"];
  if (ts.isCallExpression(node) && node.expression.getText() === "Date") return ["Date()"];
  if (ts.isPropertyAccessExpression(node)) {
    const object = node.expression.getText().replace(/^globalThis\./, "");
    if (members[object]?.has(node.name.text)) return [`${object}.${node.name.text}`];
    if (randomNames.test(node.name.text)) return [node.name.text];
    if (object === "globalThis" && globals.has(node.name.text)) return [node.name.text];
  }
  if (ts.isIdentifier(node) && globals.has(node.text) && isFreeName(node)) return [node.text];
  return [];
}

/** Tells whether a name stands for the global of that name: not a member of something, not something declared here. */
function isFreeName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false; // judged by the module
  return !("name" in parent && parent.name === node);
}
