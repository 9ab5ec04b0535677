// What it takes to import a package.  Usage: import.mjs PACKAGE; without one, nothing is imported
const [name] = process.argv.slice(2);
const began = performance.now();
if (name !== undefined) await import(name);
const ms = performance.now() - began;
globalThis.gc();
console.log(`ms ${ms}\nrss ${process.memoryUsage.rss()}`);
