import { expect, it } from "vitest";
import { parseJid } from "../../src/core/jid.ts";
import { Turns } from "../../src/sandbox/turns.ts";

const who = parseJid("energy@example.org/service");

it("what is ready first waits for what was said before it", () => {
  const turns = new Turns();
  const done: string[] = [];
  const [first, second] = [turns.take(who), turns.take(who)];
  second(() => void done.push("second"));
  expect(done).toEqual([]);
  first(() => void done.push("first"));
  expect(done).toEqual(["first", "second"]);
});

it("behind one that does not come a thousand wait and no more, and nobody else is kept waiting", () => {
  const turns = new Turns();
  let done = 0;
  const count = (): void => {
    done++;
  };
  const first = turns.take(who);
  for (let i = 1; i < 1_000; i++) turns.take(who)(count);
  expect(() => turns.take(who)).toThrow("Too many questions wait");
  turns.take(parseJid("water@example.org/service"))(() => {
    done += 10_000;
  });
  expect(done).toBe(10_000);
  first(() => undefined);
  expect(done).toBe(10_999);
  turns.take(who)(count);
  expect(done).toBe(11_000);
});

it.each([
  ["that has gone", (turns: Turns) => turns.gone(who)],
  ["whose account has gone", (turns: Turns) => turns.gone(parseJid("energy@example.org"))],
  ["that was stopped", (turns: Turns) => turns.stop()],
])("one %s waits for nobody, and holds up nobody who comes after", (_, end) => {
  const turns = new Turns();
  const done: string[] = [];
  const [, late] = [turns.take(who), turns.take(who)];
  end(turns);
  late(() => void done.push("late"));
  turns.take(who)(() => void done.push("next"));
  expect(done).toEqual(["late", "next"]);
});

it("another resource that goes takes no turn away", () => {
  const turns = new Turns();
  const done: string[] = [];
  const [first, second] = [turns.take(who), turns.take(who)];
  turns.gone(parseJid("energy@example.org/other"));
  second(() => void done.push("second"));
  expect(done).toEqual([]);
  first(() => void done.push("first"));
  expect(done).toEqual(["first", "second"]);
});
