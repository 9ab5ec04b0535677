import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import {
  nextMoment,
  noWindows,
  windowsAfter,
  type Windows,
  type WindowsEvent,
} from "../../src/thing/pairing-windows.ts";

const LENGTH = 30_000;
const DARK = 3_000;
const MINUTE = 60_000;
const [ann, bob, eve] = ["ann@a.org", "bob@b.org", "eve@e.org"] as [BareJid, BareJid, BareJid];

/** Goes through events at their moments, as the runner does: what is due in between happens by itself. */
function desk() {
  let windows: Windows = noWindows;
  let now = 0;
  const log: string[] = [];
  const take = (event: WindowsEvent): boolean => {
    const step = windowsAfter(windows, event, now, LENGTH);
    windows = step.windows;
    for (const one of step.happened) {
      const what = one.is === "ended" ? one.outcome : one.is;
      log.push(`${now / 1_000} ${what} ${one.jid}`);
    }
    return step.happened.some(({ is }) => is === "pressed");
  };
  const until = (moment: number): void => {
    for (let next = nextMoment(windows); next !== undefined && next <= moment; next = nextMoment(windows)) {
      now = next;
      take({ type: "tick" });
    }
    now = moment;
  };
  return {
    log,
    at: (second: number) => until(second * 1_000),
    ask: (...jids: BareJid[]) => jids.forEach((jid) => take({ type: "asked", jid })),
    take,
    press: () => take({ type: "pressed" }),
    get windows() {
      return windows;
    },
    get now() {
      return now;
    },
  };
}

describe("a window (XEP-0324 3.1.1)", () => {
  test("P-3.1.1-5, P-3.1.1-7: opens for who asks, for 30 s, then refuses", () => {
    const { ask, at, log } = desk();
    ask(ann);
    at(100);
    expect(log).toEqual([`0 opened ${ann}`, `30 refused ${ann}`]);
  });

  test.each([
    [0, false],
    [0.999, false],
    [1, true],
    [29.999, true],
    [30, false],
  ])("P-3.1.1-6: a press after %s s: %s", (second, accepted) => {
    const { ask, at, press } = desk();
    ask(ann);
    at(second);
    expect(press()).toBe(accepted);
  });

  test("ends by itself if the press is late and no timer has fired yet", () => {
    const late = windowsAfter(noWindows, { type: "asked", jid: ann }, 0, LENGTH).windows;
    const { happened } = windowsAfter(late, { type: "pressed" }, LENGTH, LENGTH);
    expect(happened).toEqual([{ is: "ended", jid: ann, outcome: "refused" }]);
  });

  test("a press without one means nothing", () => {
    expect(desk().press()).toBe(false);
  });

  test("is not made longer by who asks again, and opens nobody else's", () => {
    const { ask, at, log } = desk();
    ask(ann);
    at(20);
    ask(ann, bob, ann);
    at(34);
    expect(log).toEqual([`0 opened ${ann}`, `30 refused ${ann}`, `33 opened ${bob}`]);
  });

  test("no other opens until the press is on disk; who was accepted does not rest", () => {
    const { ask, at, press, take, log } = desk();
    ask(ann, bob);
    at(5);
    expect([press(), press()]).toEqual([true, false]);
    at(100);
    ask(ann); // pending already
    take({ type: "kept", outcome: "accepted" });
    at(134);
    ask(ann);
    at(136);
    expect(log).toEqual([
      `0 opened ${ann}`,
      `5 pressed ${ann}`,
      `100 accepted ${ann}`,
      `103 opened ${bob}`,
      `133 refused ${bob}`,
      `136 opened ${ann}`,
    ]);
  });

  test.each(["withdrawn", "overtaken"] as const)("ends when the request is %s, and the next one opens", (outcome) => {
    const { ask, at, take, log } = desk();
    ask(ann, bob, eve);
    at(5);
    take({ type: "left", jid: eve, outcome });
    take({ type: "left", jid: ann, outcome });
    at(100);
    expect(log).toEqual([`0 opened ${ann}`, `5 ${outcome} ${ann}`, `8 opened ${bob}`, `38 refused ${bob}`]);
  });

  test("ends with the stream, and nobody waits any more: all is sent again", () => {
    const { ask, at, take, log } = desk();
    ask(ann, bob);
    at(5);
    take({ type: "disconnected" });
    at(100);
    expect(log).toEqual([`0 opened ${ann}`, `5 disconnected ${ann}`]);
    take({ type: "disconnected" });
    take({ type: "kept", outcome: "accepted" });
    expect(log).toHaveLength(2);
  });
});

describe("after a window the LED stays dark (XEP-0324 6.1)", () => {
  const left = (outcome: "withdrawn" | "overtaken"): WindowsEvent => ({ type: "left", jid: ann, outcome });
  const pressed: WindowsEvent = { type: "pressed" };

  test.each<[string, ...WindowsEvent[]]>([
    ["refused", { type: "tick" }],
    ["refused", pressed],
    ["withdrawn", left("withdrawn")],
    ["overtaken", left("overtaken")],
    ["overtaken", { type: "reset" }],
    ["disconnected", { type: "disconnected" }],
    ["accepted", pressed, { type: "kept", outcome: "accepted" }],
    ["failed", pressed, { type: "kept", outcome: "failed" }],
  ])("3 s, however it has ended: %s", (outcome, ...events) => {
    const { ask, at, take, press, log } = desk();
    const ends = outcome === "refused" ? 30 : 10;
    ask(ann);
    at(ends - 0.001);
    ask(bob);
    at(ends);
    for (const event of events) take(event);
    ask(bob); // the stream's end has forgotten it
    expect(press()).toBe(false);
    at(ends + 2.999);
    expect(press()).toBe(false);
    at(ends + 3);
    expect(log.slice(-2)).toEqual([`${ends} ${outcome} ${ann}`, `${ends + 3} opened ${bob}`]);
  });

  test("counted from when it was put out: a press that nobody was told the end before accepts nobody else", () => {
    const steps: WindowsEvent[] = [
      { type: "asked", jid: ann },
      { type: "asked", jid: bob },
    ];
    const lit = steps.reduce((windows, one) => windowsAfter(windows, one, 0, LENGTH).windows, noWindows);
    // The timer is late: the device was busy.
    const late = windowsAfter(lit, { type: "pressed" }, LENGTH + 5_000, LENGTH);
    expect(late.happened).toEqual([{ is: "ended", jid: ann, outcome: "refused" }]);
    expect(nextMoment(late.windows)).toBe(LENGTH + 5_000 + DARK);
  });

  test("also for who comes only then, and whatever happens meanwhile", () => {
    const { ask, at, take, log } = desk();
    ask(ann);
    at(31);
    ask(bob);
    take({ type: "reset" });
    take({ type: "disconnected" });
    at(32);
    ask(bob);
    at(32.999);
    expect(log).toEqual([`0 opened ${ann}`, `30 refused ${ann}`]);
    at(33);
    expect(log.at(-1)).toBe(`33 opened ${bob}`);
  });

  test("and nothing is to be done at its end if nobody waits", () => {
    const one = desk();
    one.ask(ann);
    one.at(30);
    expect(nextMoment(one.windows)).toBeUndefined();
    one.ask(ann);
    expect(nextMoment(one.windows)).toBe(30_000 + MINUTE); // it rests longer than the LED
  });
});

describe("a rest", () => {
  /** How long somebody rests after each of so many windows, in seconds, if it asks again at once. */
  const restsAfter = (times: number, end: (one: ReturnType<typeof desk>) => void): number[] => {
    const one = desk();
    const rests: number[] = [];
    one.ask(ann);
    for (let i = 0; i < times; i++) {
      end(one);
      const ended = one.now;
      one.ask(ann);
      rests.push(((nextMoment(one.windows) ?? 0) - ended) / 1_000);
      one.at((nextMoment(one.windows) ?? 0) / 1_000);
    }
    return rests;
  };

  test("is a minute, twice as long after each window without a press, an hour at most", () => {
    const timeOut = (one: ReturnType<typeof desk>): void => one.at(one.now / 1_000 + 30);
    expect(restsAfter(9, timeOut)).toEqual([60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    const withdraw = (one: ReturnType<typeof desk>): void =>
      void one.take({ type: "left", jid: ann, outcome: "withdrawn" });
    expect(restsAfter(3, withdraw)).toEqual([60, 120, 240]);
  });

  test("stays a minute when nobody had the time to press, and is none when others decide", () => {
    const cut = (one: ReturnType<typeof desk>): void => void one.take({ type: "disconnected" });
    expect(restsAfter(3, cut)).toEqual([60, 60, 60]);
    const { ask, take, at, log } = desk();
    ask(ann);
    take({ type: "left", jid: ann, outcome: "overtaken" });
    ask(ann);
    at(5);
    take({ type: "pressed" });
    take({ type: "kept", outcome: "failed" });
    ask(ann);
    at(65);
    expect(log.at(-1)).toBe(`65 opened ${ann}`);
  });

  test("begins anew once the button has accepted, and with a factory reset", () => {
    for (const forget of ["accepted", "reset"] as const) {
      const { ask, at, take, press, log } = desk();
      ask(ann);
      at(30);
      ask(ann); // rests until 90
      if (forget === "reset") take({ type: "reset" });
      else {
        at(92);
        press();
        take({ type: "kept", outcome: "accepted" });
        ask(ann);
      }
      const opens = forget === "reset" ? 33 : 95;
      at(opens);
      expect(log.at(-1)).toBe(`${opens} opened ${ann}`);
      at(200);
      ask(ann);
      at(200);
      expect(log.filter((line) => line.includes("opened")).length).toBeGreaterThan(2);
    }
  });

  test("of one keeps nobody else waiting", () => {
    const { ask, at, log } = desk();
    ask(ann);
    at(31);
    ask(ann, bob);
    at(91);
    expect(log.slice(2)).toEqual([`33 opened ${bob}`, `63 refused ${bob}`, `90 opened ${ann}`]);
  });

  test("is interrupted by a factory reset together with the window", () => {
    const { ask, at, take, log } = desk();
    ask(ann, bob);
    at(5);
    take({ type: "reset" });
    at(8);
    expect(log).toEqual([`0 opened ${ann}`, `5 overtaken ${ann}`, `8 opened ${bob}`]);
  });
});

describe("many who wait", () => {
  const many = (domain: string, count = 1_000): BareJid[] =>
    Array.from({ length: count }, (_, i) => `mallory-${i}@${domain}` as BareJid);
  const openedFor = (log: readonly string[], jid: BareJid): number =>
    Number(log.find((line) => line.endsWith(`opened ${jid}`))?.split(" ")[0]);

  test("of one domain let somebody of another have the next window", () => {
    const { ask, at, log } = desk();
    ask(...many("e.org"));
    at(10);
    ask(bob);
    at(34);
    expect(openedFor(log, bob)).toBe(33);
  });

  test("take every second window at most, when somebody of another domain rests and asks again", () => {
    const { ask, at, log } = desk();
    ask(bob, ...many("e.org", 90));
    const windows: number[] = [];
    for (let second = 30; second <= 400; second += 1) {
      at(second);
      ask(bob); // as soon as it was refused it asks again
    }
    for (const line of log) if (line.endsWith(`opened ${bob}`)) windows.push(Number(line.split(" ")[0]));
    // After each rest it has the first window that comes: they begin every 33 s.
    expect(windows).toEqual([0, 99, 264]);
  });

  test.each([
    ["evil.example", "good.test", true],
    ["evil.co.test", "good.co.test", true],
    ["evil.example", "good.evil.example", false],
  ])("of as many subdomains of %s let somebody of %s have a window: %j", (evil, good, expected) => {
    const server = `server@${good}` as BareJid;
    const { ask, at, log } = desk();
    let strangers = 0;
    for (let second = 0; second <= 1_800; second += 30) {
      at(second);
      ask(...Array.from({ length: 200 }, () => `mallory@${++strangers}.${evil}` as BareJid), server);
    }
    const lit = log.filter((line) => line.endsWith(`opened ${server}`)).length;
    expect(lit > 0).toBe(expected);
  });

  test("hold little memory, and push out nobody of another domain", () => {
    const one = desk();
    one.ask(bob);
    one.ask(ann, ...many("e.org"), eve);
    expect(one.windows.waiting).toHaveLength(100);
    const waiting = one.windows.waiting.map(({ jid }) => jid);
    expect(waiting).toEqual(expect.arrayContaining([ann]));
    // Of the same domain as the flood it is one of them.
    expect(waiting).not.toContain(eve);
    one.ask("late@late.org" as BareJid);
    expect(one.windows.waiting.map(({ jid }) => jid)).toContain("late@late.org");
    expect(one.windows.waiting).toHaveLength(100);
  });

  test("give way, where there is no room, to one who never had a window", () => {
    const one = desk();
    const [first, ...others] = many("e.org", 101) as [BareJid, ...BareJid[]];
    one.ask(first);
    one.at(30);
    one.ask(first, bob, ...others.slice(0, 99)); // the first rests
    expect(one.windows.waiting).toHaveLength(100);
    one.ask(others[99] as BareJid);
    expect(one.windows.waiting.map(({ jid }) => jid)).not.toContain(first);
    expect(one.log).toContain(`30 displaced ${first}`);
  });

  test("who are all gone after a while leave nothing behind but a few rests", () => {
    const one = desk();
    for (let i = 0; i < 20; i++) {
      one.ask(...many(`e${i}.org`, 60));
      one.at(i * 1_800);
    }
    expect(one.windows.rests.size).toBeLessThanOrEqual(256);
    const short = many("e.org", 400).reduce<Windows>((windows, jid, i) => {
      const asked = windowsAfter(windows, { type: "asked", jid }, i * DARK, LENGTH).windows;
      return windowsAfter(asked, { type: "left", jid, outcome: "withdrawn" }, i * DARK, LENGTH).windows;
    }, noWindows);
    expect(short.rests.size).toBe(256);
  });
});

describe("whatever happens, in whatever order", () => {
  const jid = fc.constantFrom(ann, bob, eve, "al@a.org" as BareJid);
  const event: fc.Arbitrary<WindowsEvent> = fc.oneof(
    { arbitrary: fc.record({ type: fc.constant("asked" as const), jid }), weight: 4 },
    { arbitrary: fc.constant<WindowsEvent>({ type: "pressed" }), weight: 2 },
    fc.record({
      type: fc.constant("left" as const),
      jid,
      outcome: fc.constantFrom("withdrawn" as const, "overtaken" as const),
    }),
    fc.record({
      type: fc.constant("kept" as const),
      outcome: fc.constantFrom("accepted" as const, "failed" as const, "overtaken" as const),
    }),
    { arbitrary: fc.constant<WindowsEvent>({ type: "tick" }), weight: 2 },
    fc.constantFrom<WindowsEvent>({ type: "disconnected" }, { type: "reset" }),
  );

  test("there is one window at most, never longer than it began, deaf for a second, and rests double", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.integer({ min: 0, max: 40_000 })), { maxLength: 120 }), (steps) => {
        let windows = noWindows;
        let at = 0;
        for (const [one, ms] of steps) {
          at += ms;
          const before = windows;
          const { windows: now, happened } = windowsAfter(before, one, at, LENGTH);
          windows = now;
          expect(windowsAfter(before, one, at, LENGTH)).toEqual({ windows: now, happened });
          const opened = happened.filter(({ is }) => is === "opened");
          const over = happened.filter(({ is }) => is === "ended" || is === "pressed");
          // Never two, and none beside a press that is not on disk.
          expect(opened.length).toBeLessThanOrEqual(1);
          if (now.open !== undefined) expect(now.accepting).toBeUndefined();
          // A window that goes on is the same; another one begins only after it ended.
          if (now.open !== undefined && before.open !== undefined) {
            if (opened.length === 0) expect(now.open).toEqual(before.open);
            else expect(over.map(({ jid }) => jid)).toContain(before.open.jid);
          }
          if (opened.length === 1) expect(now.open).toEqual({ jid: opened[0]?.jid, opened: at, deadline: at + LENGTH });
          // Nothing is open beyond its time.
          if (now.open !== undefined) expect(at).toBeLessThan(now.open.deadline);
          for (const press of happened.filter(({ is }) => is === "pressed")) {
            expect(press.jid).toBe(before.open?.jid);
            expect(at - (before.open?.opened ?? at)).toBeGreaterThanOrEqual(1_000);
          }
          for (const [who, { length, ended }] of now.rests) {
            expect(length).toBeGreaterThanOrEqual(MINUTE);
            expect(length).toBeLessThanOrEqual(60 * MINUTE);
            const last = before.rests.get(who);
            if (last === undefined || ended === last.ended || one.type === "reset") continue;
            expect([last.length, Math.min(60 * MINUTE, 2 * last.length)]).toContain(length);
            // Nobody has a window while it rests.
            expect(before.open?.opened ?? at).toBeGreaterThanOrEqual(last.ended + last.length);
          }
          // Everybody stands in one place only.
          const places = [now.open?.jid, now.accepting, ...now.waiting.map((each) => each.jid)].filter(Boolean);
          expect(new Set(places).size).toBe(places.length);
          // The next moment lies ahead, and something happens then: no timer fires for nothing, and none again and again.
          const next = nextMoment(now);
          if (next !== undefined) {
            expect(next).toBeGreaterThan(at);
            expect(windowsAfter(now, { type: "tick" }, next, LENGTH).happened).not.toEqual([]);
          }
          // There is always a moment at which somebody who waits has a turn.
          if (now.waiting.length > 0 && now.accepting === undefined) expect(nextMoment(now)).toBeDefined();
        }
      }),
      { numRuns: 500 },
    );
  });

  test("P-6.1-3: between the end of one window and the opening of the next there are at least 3 s, and no press counts", () => {
    let openings = 0;
    const ms = fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 40_000 }));
    const stranger = fc.integer({ min: 0, max: 99 }).map((i) => `stranger@s${i}.org` as BareJid);
    const asked = fc.record({ type: fc.constant("asked" as const), jid: stranger });
    const steps = fc.array(fc.tuple(fc.oneof({ arbitrary: asked, weight: 2 }, event), ms), {
      minLength: 40,
      maxLength: 120,
    });
    fc.assert(
      fc.property(steps, (taken) => {
        let windows = noWindows;
        let at = 0;
        let ended = -Infinity;
        const take = (one: WindowsEvent): void => {
          const { windows: now, happened } = windowsAfter(windows, one, at, LENGTH);
          windows = now;
          for (const { is } of happened) {
            if (is === "ended") ended = at;
            if (is !== "opened" && is !== "pressed") continue;
            if (is === "opened" && ended > 0) openings++;
            expect(at - ended).toBeGreaterThanOrEqual(DARK);
          }
        };
        for (const [one, wait] of taken) {
          const until = at + wait;
          for (let next = nextMoment(windows); next !== undefined && next <= until; next = nextMoment(windows)) {
            expect(next).toBeGreaterThan(at);
            at = next;
            take({ type: "tick" });
          }
          at = until;
          take(one);
        }
      }),
      { numRuns: 500 },
    );
    // Not for want of windows.
    expect(openings).toBeGreaterThan(500);
  });
});
