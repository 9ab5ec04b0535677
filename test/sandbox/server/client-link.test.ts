import { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { ClientLink } from "../../../src/sandbox/server/client-link.ts";
import { SimulatedClock } from "../../../src/sandbox/simulated-clock.ts";

/** A connection that writes down what is handed to the network at once. */
function connection(): { raw: Duplex; link: ClientLink; handed: string[]; events: string[]; clock: SimulatedClock } {
  const handed: string[] = [];
  const events: string[] = [];
  const clock = new SimulatedClock();
  const raw = new Duplex({
    read: () => undefined,
    writev(chunks, done) {
      handed.push(chunks.map(({ chunk }) => String(chunk)).join(""));
      done();
    },
  });
  const link = new ClientLink(raw, clock, silentLogger, {
    data: (bytes) => events.push(new TextDecoder().decode(bytes)),
    closed: () => events.push("closed"),
  });
  return { raw, link, handed, events, clock };
}

test("what is written in one turn goes out in one piece, at the end of the turn", async () => {
  const { link, handed } = connection();
  for (const text of ["a", "b", "c"]) link.write(text);
  expect(handed).toEqual([]);
  await setImmediate();
  expect(handed).toEqual(["abc"]);
  link.write("d");
  await setImmediate();
  expect(handed).toEqual(["abc", "d"]);
});

test("last words go out before the end, later ones nowhere", async () => {
  const { link, handed, events, raw } = connection();
  link.write("last");
  link.end();
  link.end();
  link.write("too late");
  await setImmediate();
  expect(handed).toEqual(["last"]);
  raw.push(null);
  raw.resume();
  await setImmediate();
  expect(events).toEqual(["closed"]);
});

test("the other side has a while to close; then it is cut off, or the timer goes with it", async () => {
  const patient = connection();
  patient.link.end();
  await patient.clock.advance(4_999);
  expect(patient.events).toEqual([]);
  patient.raw.destroy();
  await setImmediate();
  expect([patient.events, patient.clock.pending]).toEqual([["closed"], 0]);
  const stubborn = connection();
  stubborn.link.end();
  await stubborn.clock.advance(5_000);
  expect([stubborn.events, stubborn.raw.destroyed, stubborn.clock.pending]).toEqual([["closed"], true, 0]);
});

test("bytes come in until the link is lost or fails, and the end is told once", async () => {
  for (const lose of [
    (raw: Duplex) => raw.push(null),
    (raw: Duplex) => raw.destroy(new Error("reset")),
    (raw: Duplex) => raw.destroy(),
  ]) {
    const { raw, events, link } = connection();
    raw.push("one");
    await setImmediate();
    lose(raw);
    await setImmediate();
    link.cut();
    expect(events).toEqual(["one", "closed"]);
    link.write("into the void");
  }
});
