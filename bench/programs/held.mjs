// What remembered decisions take on the heap.  Usage: held.mjs INSIDE FOLDER COUNT
const [inside, folder, count] = process.argv.slice(2);
const { fileStorage, makeGuard, questionOf } = await import(inside);
const signal = new AbortController().signal;

/** The live heap; what is not live goes in several steps. */
async function live() {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    globalThis.gc();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const { guard, cache } = await makeGuard(1, { storage: fileStorage(folder) });
// What is made once, by the first of all.
await guard.decide(questionOf(Number(count), 0), signal);
const before = await live();
for (let who = 0; who < Number(count); who++) await guard.decide(questionOf(who, who), signal);
await cache.flush();
const after = await live();
if (cache.count !== Number(count) + 1) throw new Error(`${cache.count} are held`);
console.log(`bytes ${(after - before) / Number(count)}`);
