// Starts many of a kind, some at a time, and says what each has added to the heap.

/** The live heap, with what lies beside it for arrays; what is not live goes in several steps. */
export async function heap() {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    globalThis.gc();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

export async function crowd(start, measure) {
  const count = Number(process.env["COUNT"]);
  const all = [];
  const more = async (upTo) => {
    while (all.length < upTo) {
      const some = Math.min(20, upTo - all.length);
      all.push(...(await Promise.all(Array.from({ length: some }, (_, index) => start(all.length + index)))));
    }
  };
  await more(20); // what is made once for all of them
  const before = await measure();
  await more(20 + count);
  const after = await measure();
  console.log(`each ${(after - before) / count}`);
  console.log(`rss ${process.memoryUsage.rss()}`);
  globalThis.all = all; // nothing of it may be let go before
}
