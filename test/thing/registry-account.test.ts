// A Registry that is an account: when it is a friend of the Thing, and when not (XEP-0347 5.3, D-E14).
import { afterEach, describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { buildClaimed, buildDisowned, buildRemoved } from "../../src/codec/iot-discovery.ts";
import { buildInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Said, ScriptedWire } from "../support/scripted-wire.ts";
import { owner } from "./life.ts";
import { account, scriptedThing, stopThings } from "./scripted-thing.ts";

afterEach(stopThings);

const registry = bareJid("registry@example.org");
const full = `${registry}/1`;

/** Whose friendship was ended. */
const ended = (wire: ScriptedWire): string[] =>
  wire
    .asked(account, "query")
    .flatMap((query) => query.getChildElements())
    .filter((item) => item.attrs["subscription"] === "remove")
    .map((item) => item.attrs["jid"] ?? "");

const said = (wire: ScriptedWire): string[] =>
  wire
    .asked(full)
    .map(({ name }) => name)
    .filter((name) => name !== "query");

async function site(options: Partial<ThingOptions> = {}) {
  const at = await scriptedThing({
    tags: { SN: "1" },
    registry,
    // Nobody is found, and is looked for all the time.
    provisioning: { owner: false },
    ...options,
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await at.clock.advance(0);
  };
  const answer = (payload: Parameters<typeof buildInfo>[0] | undefined): Said => payload && buildInfo(payload);
  /** The Registry is there, and accepts the Thing's friendship. */
  const appears = async (wire: ScriptedWire): Promise<void> => {
    await at.appears(wire, registry, ns.discovery);
    wire.peer(full, (payload) =>
      payload.is("query") ? answer({ identities: [], features: [ns.discovery] }) : undefined,
    );
    await settle();
  };
  const up = async (): Promise<ScriptedWire> => {
    const wire = await at.up();
    if (at.roster.has(registry) || wire.presences.includes(`subscribe ${registry}`)) await appears(wire);
    return wire;
  };
  const tell = (wire: ScriptedWire, notice: Parameters<ScriptedWire["ask"]>[2]): Promise<unknown> =>
    wire.ask(full, "set", notice);
  return { ...at, up, appears, settle, tell };
}

const claim = (isPublic: boolean) => buildClaimed({ jid: owner, public: isPublic });

describe("D-5.3-1, D-5.3-2: a Registry that is an account", () => {
  test("D-5.3-4: is asked for friendship to register, and stays a friend until the claim, over restarts", async () => {
    const { up, down, thing, settle } = await site();
    const wire = await up();
    expect(wire.presences).toContain(`subscribe ${registry}`);
    expect([said(wire), thing.state.ownership]).toEqual([["register"], { is: "registered", registry }]);
    await down();
    const next = await up();
    await settle();
    expect([ended(next), said(next)]).toEqual([[], ["register"]]);
  });

  test("D-3.10-7: stays a friend of a public Thing, and is none any more once that is removed", async () => {
    const { up, down, thing, settle, tell, roster } = await site();
    const wire = await up();
    await tell(wire, claim(true));
    await settle();
    expect([ended(wire), said(wire)]).toEqual([[], ["register", "update"]]);
    await down();
    const next = await up();
    await settle();
    expect(ended(next)).toEqual([]);
    await tell(next, buildRemoved({}));
    await settle();
    expect([ended(next), roster.has(registry)]).toEqual([[registry], false]);
    expect(thing.state.ownership).toMatchObject({ is: "claimed", owner, listed: false });
    // And is not asked again.
    await down();
    const last = await up();
    await settle();
    expect(last.presences.filter((one) => one.includes(registry))).toEqual([]);
  });

  test("D-5.3-3: after a private claim KEY is emptied first, then the friendship is ended, also if the power went in between", async () => {
    const { up, down, settle, tell, roster } = await site();
    const wire = await up();
    wire.peer(full, () => "silent");
    await tell(wire, claim(false));
    await settle();
    expect([said(wire), ended(wire)]).toEqual([["register", "update"], []]);
    await down();
    const next = await up();
    await settle();
    expect([said(next), ended(next), roster.has(registry)]).toEqual([["update"], [registry], false]);
  });

  test("D-E14: its requests are accepted at any time, so that it can tell that the owner has gone; then it is befriended again", async () => {
    const { up, appears, settle, tell, asks, thing } = await site();
    const wire = await up();
    await tell(wire, claim(false));
    await settle();
    expect(ended(wire)).toEqual([registry]);
    await asks(wire, registry);
    await settle();
    expect(wire.presences).toContain(`subscribed ${registry}`);
    await tell(wire, buildDisowned({}));
    await settle();
    expect(wire.presences.filter((one) => one === `subscribe ${registry}`)).toHaveLength(2);
    await appears(wire);
    expect(said(wire).at(-1)).toBe("register");
    expect(thing.state.ownership).toEqual({ is: "registered", registry });
  });

  test("that is a trusted provisioning server too stays a friend, whatever the owner does", async () => {
    const { up, settle, tell } = await site({ provisioning: [registry] });
    const wire = await up();
    await tell(wire, claim(false));
    await settle();
    await tell(wire, buildRemoved({}));
    await settle();
    expect(ended(wire)).toEqual([]);
  });

  test("D-5.3-4: is told what is wanted when a private Thing is made public, and is a friend then", async () => {
    const { up, appears, settle, tell, thing } = await site();
    const wire = await up();
    await tell(wire, claim(false));
    await settle();
    await thing.updateTags({ ROOM: "Hall" });
    expect(ended(wire)).toEqual([registry]);
    await tell(wire, claim(true));
    await settle();
    await appears(wire);
    expect(said(wire)).toEqual(["register", "update", "update"]);
  });
});
