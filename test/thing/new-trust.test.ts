// A new trust relationship begins with nothing remembered: P-5.2-7, also for secondary trust (XEP-0324 3.1.4, 5.3).
import { afterEach, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildCanReadResponse, buildIsFriendResponse } from "../../src/codec/provisioning.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { settled, type Peer } from "../support/scripted-wire.ts";
import { server } from "./life.ts";
import { scriptedThing, stopThings } from "./scripted-thing.ts";

const pi = bareJid("server@example.net");
const reader = bareJid("reader@example.com");

afterEach(stopThings);

/** A server that refuses or allows everything, and lets the Thing trust others. */
const says =
  (result: boolean): Peer =>
  (payload) => {
    if (payload.is("isFriend", ns.provisioning)) return buildIsFriendResponse({ result, secondaryTrustAllowed: true });
    if (!payload.is("canRead", ns.provisioning)) return undefined;
    return buildCanReadResponse({ jid: reader, result, types: new Set(), nodes: [], fields: [] });
  };

test("P-5.2-7, P-3.1.4-5: what is answered while the new trust is written down does not stand in for the new server", async () => {
  const disk = memoryStorage();
  let writing: (() => void) | undefined;
  let holds = false;
  const storage: Storage = {
    open: () => disk.open(),
    close: () => disk.close(),
    read: (name) => disk.read(name),
    append: (name, content) => disk.append(name, content),
    delete: (name) => disk.delete(name),
    replace: async (name, content) => {
      if (holds && name === "thing") await new Promise<void>((resolve) => (writing = resolve));
      await disk.replace(name, content);
    },
  };
  const sensor = { fields: [{ name: "Temperature" }], read: () => [{ name: "Temperature", value: 20 }] };
  const { thing, clock, up, asks, press, appears } = await scriptedThing({ provisioning: [server], storage, sensor });
  const wire = await up();
  wire.peer(server, says(false));
  const asksToRead = async (): Promise<string> => {
    const req = buildReq({ seqnr: 1, types: new Set(["momentary"]), nodes: [], fields: [], tokens: {} });
    const asking = wire.ask(`${reader}/1`, "get", req);
    for (let turn = 0; turn < 5; turn++) await settled();
    await clock.advance(500);
    const { type, condition } = await asking;
    return type === "error" ? condition : type;
  };
  expect(await asksToRead()).toBe("forbidden");
  await asks(wire, pi);
  expect(await press()).toBe(true);
  holds = true;
  await appears(wire, pi, ns.provisioning);
  // All that was remembered is forgotten, and the new server is not trusted yet: a no of the old one comes in between.
  expect([thing.state.trust.is === "delegated" && thing.state.trust.servers.length, thing.rights.count]).toEqual([
    1, 0,
  ]);
  expect(await asksToRead()).toBe("forbidden");
  holds = false;
  writing?.();
  wire.peer(`${pi}/1`, says(true));
  for (let turn = 0; turn < 10; turn++) await settled();
  expect(thing.state.trust).toMatchObject({ servers: [{ jid: server }, { jid: pi, origin: "paired" }] });
  expect(await asksToRead()).toBe("result");
});
