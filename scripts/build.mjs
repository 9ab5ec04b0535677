// Builds dist/: a file for each subpath of the package and for the command, what several of them share beside them, and
// the declarations. Why it is cut so, and what is bundled, is told in docs/architecture.md ("The package").
//
//   index.js, discovery.js, owner.js, service.js, sandbox.js, cli.js   the subpaths and the command
//   shared.js   what more than one subpath needs: a class exists once, whichever way it was imported
//   thing.js    what only the Thing needs (index.js names what of it is public)
//   lazy-*.js   what these two load when it is wanted
//   chunk-*.js  what the parts of the sandbox and of the command have in common, or load when it is wanted
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { licensesOf } from "./licenses.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const local = (path) => relative(root, path).replaceAll("\\", "/");

const subpaths = {
  index: "src/index.ts",
  discovery: "src/discovery/index.ts",
  owner: "src/owner/index.ts",
  service: "src/service/index.ts",
  sandbox: "src/sandbox/index.ts",
};
const entries = { ...subpaths, cli: "src/cli/bin.ts" };

/**
 * What bundled CommonJS requires of Node.js: there is no `require` in a module, so it is imported. Two steps, since what
 * is required must be the module itself, not the names it exports.
 */
const builtInRequires = {
  name: "built-in-requires",
  setup({ onResolve, onLoad }) {
    const names = new Set(builtinModules);
    onResolve({ filter: /^[a-z_/]+$/ }, ({ path, kind, namespace }) => {
      if (kind !== "require-call" || !names.has(path)) return undefined;
      return { path, namespace: namespace === "required" ? "imported" : "required" };
    });
    onLoad({ filter: /./, namespace: "required" }, ({ path }) => ({
      contents: `module.exports = require("${path}").default;`,
    }));
    onLoad({ filter: /./, namespace: "imported" }, ({ path }) => ({
      contents: `export { default } from "node:${path}";`,
    }));
  },
};

const common = {
  absWorkingDir: root,
  outdir: dist,
  format: "esm",
  platform: "node",
  target: "node20.11",
  charset: "utf8",
  legalComments: "none", // they stand in licenses.txt
  sourcemap: true,
  sourcesContent: false, // half of what a device would store, for a debugger that is seldom there
  metafile: true,
  write: false,
  logLevel: "warning",
};
const bundling = {
  ...common,
  bundle: true,
  // @xmpp/xml imports the CommonJS form of ltx; the same code is there as modules.
  alias: { "ltx/lib": "ltx/src" },
  // What is installed beside the package. Everything else is bundled.
  external: Object.keys({ ...dependencies, ...peerDependencies }).flatMap((name) => [name, `${name}/*`]),
  plugins: [builtInRequires],
};

// What imports what.
const { metafile } = await build({
  ...bundling,
  entryPoints: Object.values(entries),
  splitting: true,
});
const importsOf = (path, kind) =>
  metafile.inputs[path].imports.filter((one) => one.kind === kind && !one.external).map((one) => one.path);

/** All that a module loads at once, with itself. */
function closure(path, found = new Set()) {
  if (!found.has(path)) {
    found.add(path);
    for (const next of importsOf(path, "import-statement")) closure(next, found);
  }
  return found;
}

// Two files stand for many modules each: what is needed by more than one subpath, and what by the Thing alone.
const reached = Object.values(subpaths).map((path) => closure(path));
const every = Object.keys(metafile.inputs);
const shared = every.filter((path) => reached.filter((set) => set.has(path)).length > 1);
const thing = [...closure(subpaths.index)].filter((path) => path !== subpaths.index && !shared.includes(path));
const fileOf = new Map([...shared.map((path) => [path, "shared"]), ...thing.map((path) => [path, "thing"])]);
const lazy = new Map(
  [...shared, ...thing]
    .flatMap((path) => importsOf(path, "dynamic-import"))
    .map((path) => [path, `lazy-${/node_modules\/(?:@[^/]+\/)?([^/]+)/.exec(path)?.[1] ?? basename(path, ".ts")}`]),
);
if (new Set(lazy.values()).size < lazy.size) throw new Error("two lazy parts have one name");

const isOwn = ({ entryPoint }) => entryPoint.startsWith("src/");

/** What modules export, each name as their file exports it: one that several of them have is told apart by a number. */
async function exportsOf(modules) {
  const { outputs } = (await build({ ...common, entryPoints: modules, outbase: root })).metafile;
  const list = Object.values(outputs).filter((one) => one.entryPoint !== undefined);
  const times = new Map();
  for (const name of list.filter(isOwn).flatMap((one) => one.exports)) times.set(name, (times.get(name) ?? 0) + 1);
  const outside = (name, index) => (isOwn(list[index]) && times.get(name) === 1 ? name : `${name}_${index}`);
  return new Map(
    list.map((one, index) => [one.entryPoint, new Map(one.exports.map((name) => [name, outside(name, index)]))]),
  );
}
const names = await exportsOf([...fileOf.keys()]);
const asOutside = (path) => [...names.get(path)].every(([name, outside]) => name === outside);

/** Leaves out the modules that stand in other files: imports these in their place. */
const standIns = (files) => ({
  name: "stand-ins",
  setup({ onResolve, onLoad, resolve }) {
    const there = (file) => ({ path: `./${file}.js`, external: true, sideEffects: false });
    onResolve({ filter: /./ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === standIns || kind === "entry-point") return undefined;
      if (pluginData === names) return there(path);
      const { path: found } = await resolve(path, { resolveDir, kind, pluginData: standIns });
      if (kind === "dynamic-import") return lazy.has(local(found)) ? there(lazy.get(local(found))) : undefined;
      const file = fileOf.get(local(found));
      return files.includes(file) && asOutside(local(found)) ? there(file) : undefined;
    });
    // Those with names that others have too are imported by way of a module that gives them their own.
    onLoad({ filter: /./ }, ({ path }) => {
      const file = fileOf.get(local(path));
      if (!files.includes(file)) return undefined;
      const list = [...names.get(local(path))].map(([name, outside]) => `${outside} as ${name}`);
      return { contents: `export { ${list.join(", ")} } from "${file}";`, pluginData: names };
    });
  },
});

/** A file that stands for modules, exporting of them what the files that are built already import from it. */
function buildGroup(file, modules, users, others) {
  const wanted = new Set(users.flatMap(({ text }) => namesFrom(text, file)));
  const list = modules.map((path) => {
    const some = [...names.get(path)].filter(([, outside]) => wanted.has(outside));
    return `export { ${some.map(([name, outside]) => `${name} as ${outside}`).join(", ")} } from "./${path}";`;
  });
  return build({
    ...bundling,
    stdin: { contents: list.join("\n"), resolveDir: root, sourcefile: `${file}.js` },
    outdir: undefined,
    outfile: join(dist, `${file}.js`),
    plugins: [standIns(others), builtInRequires],
  });
}

/** The names that a built file imports from another, or hands on. */
const namesFrom = (text, file) =>
  [...text.matchAll(/^(?:import|export) \{([^}]*)\} from "\.\/([\w-]+)\.js";$/gm)]
    .filter(([, , from]) => from === file)
    .flatMap(([, list]) => list.split(",").map((one) => one.trim().split(" as ")[0]));

/** No module here does anything by being loaded but the command's own: an import without names is a file read for nothing. */
const withoutNeedless = (text) => text.replace(/^import "\.\/chunk-\w+\.js";$/gm, "");

const outer = await build({
  ...bundling,
  entryPoints: [
    ...Object.entries(entries).map(([out, path]) => ({ in: path, out })),
    ...[...lazy].map(([path, out]) => ({ in: path, out })),
  ],
  splitting: true,
  chunkNames: "chunk-[hash]",
  plugins: [standIns(["shared", "thing"]), builtInRequires],
});
const things = await buildGroup("thing", thing, outer.outputFiles, ["shared"]);
const base = await buildGroup("shared", shared, [...outer.outputFiles, ...things.outputFiles], []);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const bundled = new Set();
for (const { outputFiles, metafile: made } of [outer, things, base]) {
  for (const { path, text } of outputFiles) writeFileSync(path, path.endsWith(".js") ? withoutNeedless(text) : text);
  for (const path of Object.values(made.outputs).flatMap((one) => Object.keys(one.inputs))) bundled.add(path);
}
writeFileSync(join(dist, "licenses.txt"), licensesOf([...bundled], root));

const tsc = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "src/tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = tsc.status ?? 1;
