import { describe, expect, test } from "vitest";
import { ConnectionError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { BARRIER_TIMEOUT, Barrier } from "../../src/provisioning/barrier.ts";
import { ScriptedWire, scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";

const server = bareJid("provisioning.example.org");
const second = bareJid("second.example.org");
const never = new AbortController().signal;

/** Whether somebody gets past it, as it is looked at. */
function walker(barrier: Barrier, signal = never): { through: boolean; stopped: unknown } {
  const walk: { through: boolean; stopped: unknown } = { through: false, stopped: undefined };
  barrier.pass(signal).then(
    () => (walk.through = true),
    (reason: unknown) => (walk.stopped = reason),
  );
  return walk;
}

function later(): { said: Promise<Said>; say: (said: Said) => void } {
  let say: (said: Said) => void = () => undefined;
  const said = new Promise<Said>((resolve) => (say = resolve));
  return { said, say };
}

describe("the barrier", () => {
  test("is down before there was any stream", async () => {
    const walk = walker(new Barrier());
    await settled();
    expect(walk.through).toBe(true);
  });

  test("P-5.2-6: is up from the start of a stream until the server has answered", async () => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    const answer = later();
    wire.peer(server, () => answer.said);
    const barrier = new Barrier();
    barrier.raise();
    const walk = walker(barrier);
    void barrier.settle({ channel, whereabouts, clock }, [server], never);
    await settled();
    expect(walk.through).toBe(false);
    expect(wire.asked(server).map(String)).toEqual([`<ping xmlns="${ns.ping}"/>`]);
    answer.say(undefined);
    await settled();
    expect([walk.through, walker(barrier).through]).toEqual([true, false]);
    await settled();
    expect(clock.pending).toBe(0);
  });

  test("waits for the answers of all servers, asked side by side", async () => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    const answers = [later(), later()];
    wire.peer(server, () => answers[0]!.said);
    wire.peer(second, () => answers[1]!.said);
    const barrier = new Barrier();
    barrier.raise();
    const walk = walker(barrier);
    void barrier.settle({ channel, whereabouts, clock }, [server, second], never);
    await settled();
    expect([wire.asked(server).length, wire.asked(second).length]).toEqual([1, 1]);
    answers[0]?.say(undefined);
    await settled();
    expect(walk.through).toBe(false);
    answers[1]?.say(undefined);
    await settled();
    expect(walk.through).toBe(true);
  });

  test("takes an error for an answer", async () => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    wire.peer(server, () => ({ error: "service-unavailable" }));
    const barrier = new Barrier();
    barrier.raise();
    await barrier.settle({ channel, whereabouts, clock }, [server], never);
    const walk = walker(barrier);
    await settled();
    expect(walk.through).toBe(true);
  });

  test("is not held up by a silent server for longer than 2 s", async () => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    wire.peer(second, () => undefined);
    const barrier = new Barrier();
    barrier.raise();
    const walk = walker(barrier);
    void barrier.settle({ channel, whereabouts, clock }, [server, second], never);
    await clock.advance(BARRIER_TIMEOUT - 1);
    expect([BARRIER_TIMEOUT, walk.through]).toEqual([2_000, false]);
    await clock.advance(1);
    expect(walk.through).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("comes down at once when there is no server", async () => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    const barrier = new Barrier();
    barrier.raise();
    const walk = walker(barrier);
    void barrier.settle({ channel, whereabouts, clock }, [], never);
    await settled();
    expect([walk.through, wire.sent]).toEqual([true, []]);
  });

  test("lets nobody wait whom nobody waits for", async () => {
    const barrier = new Barrier();
    barrier.raise();
    const leaving = new AbortController();
    const walk = walker(barrier, leaving.signal);
    leaving.abort(new Error("gone"));
    await settled();
    expect(walk).toMatchObject({ through: false, stopped: new Error("gone") });
  });
});

describe("the barrier, when the stream ends while it is up", () => {
  test.each(["signal first", "channel first"])("stays up (%s)", async (order) => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    wire.peer(server, () => "silent");
    const barrier = new Barrier();
    barrier.raise();
    const stream = new AbortController();
    const walk = walker(barrier);
    const settling = barrier.settle({ channel, whereabouts, clock }, [server], stream.signal);
    await settled();
    const lost = new ConnectionError("lost");
    if (order === "signal first") stream.abort(lost);
    else channel.detach(lost);
    await settled();
    stream.abort(lost);
    await settling;
    await clock.advance(10 * BARRIER_TIMEOUT);
    expect(walk.through).toBe(false);
  });

  test("who waited at the old one waits for that of the new stream, which alone lets them through", async () => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    const answers = [later(), later()];
    wire.peer(server, () => answers[0]!.said);
    const barrier = new Barrier();
    barrier.raise();
    const old = walker(barrier);
    const stream = new AbortController();
    void barrier.settle({ channel, whereabouts, clock }, [server], stream.signal);
    await settled();

    stream.abort(new ConnectionError("lost"));
    const next = new ScriptedWire(channel, "thing@example.org/again");
    channel.attach(next);
    next.peer(server, () => answers[1]!.said);
    barrier.raise();
    const young = walker(barrier);
    void barrier.settle({ channel, whereabouts, clock }, [server], never);
    await settled();
    answers[0]?.say(undefined); // the old stream's server speaks up: nobody listens any more
    await settled();
    expect([old.through, young.through]).toEqual([false, false]);

    answers[1]?.say(undefined);
    await settled();
    expect([old.through, young.through]).toEqual([true, true]);
  });

  test("raised twice without an end between: only the last settling lets through", async () => {
    const { channel, whereabouts, wire, clock } = scriptedChannel();
    const answers = [later(), later()];
    wire.peer(server, () => answers[0]!.said);
    wire.peer(second, () => answers[1]!.said);
    const barrier = new Barrier();
    barrier.raise();
    void barrier.settle({ channel, whereabouts, clock }, [server], never);
    await settled();
    barrier.raise();
    const walk = walker(barrier);
    void barrier.settle({ channel, whereabouts, clock }, [second], never);
    answers[0]?.say(undefined);
    await settled();
    expect(walk.through).toBe(false);
    answers[1]?.say(undefined);
    await settled();
    expect(walk.through).toBe(true);
  });
});
