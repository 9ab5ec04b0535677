/** What a look at a Thing shows, once what it does by itself has come to its end: the same twice. */
export async function atRest(look: () => Promise<unknown>): Promise<unknown> {
  for (let last = await look(); ;) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    const now = await look();
    if (JSON.stringify(now) === JSON.stringify(last)) return now;
    last = now;
  }
}
