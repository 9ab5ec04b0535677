/**
 * Does something with each of many, never with more than so many at the same time, in their order. When one rejects, what
 * has not begun by then never is; rejects with the first reason once what has begun has come to its end.
 */
export async function fewAtOnce<T>(items: Iterable<T>, most: number, run: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const end = { isReached: false };
  const work = async (): Promise<void> => {
    for (;;) {
      const next = rest.next();
      end.isReached ||= next.done === true;
      if (next.done === true) return;
      try {
        await run(next.value);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  const workers: Promise<void>[] = [];
  while (workers.length < most && !end.isReached && failures.length === 0) workers.push(work());
  await Promise.all(workers);
  if (failures.length > 0) throw failures[0];
}
