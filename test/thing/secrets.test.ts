// What a server says back of what it was given, in its errors, is seen by nobody.
import { describe, expect, test, vi } from "vitest";
import { AuthenticationError, ConnectionError } from "../../src/core/errors.ts";
import { buildRoster } from "../../src/codec/roster.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseXml } from "../../src/codec/xml.ts";
import type { LinkState } from "../../src/connection/connection-manager.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { linkSeam, type LinkParts } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import { discreetCause, hider } from "../../src/connection/secrets.ts";
import { ScriptedWire, listeningLogger, settled } from "../support/scripted-wire.ts";
import { registry } from "./life.ts";

const account = "thing@example.org";
const KEY = "sticker-4711";
const NODE_KEY = "sticker-0815";

describe("a secret that a server says back", () => {
  test("is in no fault, no log line, no state, no trace and no file but that of the identity", async () => {
    const shown: unknown[] = [];
    for (const how of ["debug", "error"] as const) {
      vi.spyOn(console, how).mockImplementation((...what) => void shown.push(...what.map(String)));
    }
    const storage = memoryStorage();
    const logger = listeningLogger();
    let parts: LinkParts | undefined;
    const thing = new Thing({
      storage,
      logger,
      debug: true,
      registry,
      tags: { SN: "1", KEY },
      nodes: [{ nodeId: "a", tags: { KEY: NODE_KEY } }],
      account: { password: "hush-hush" },
      server: { service: "xmpp://127.0.0.1:1", domain: "example.org" },
      [linkSeam]: (given: LinkParts) => {
        parts = given;
        return { start: () => undefined, stop: () => Promise.resolve() };
      },
    } as ThingOptions);
    const told: unknown[] = [];
    thing.on("fault", (fault) => told.push(fault.message, fault.cause instanceof Error ? fault.cause.message : ""));
    thing.on("state", ({ link }) => told.push(link));
    await thing.start();
    await thing.addNode({ nodeId: "b" });
    const key = thing.nodes[1]?.claimText.split("KEY:")[1] ?? "";
    expect(key).toMatch(/^[\w-]{27}$/);
    const { channel, onState, onFault } = parts as unknown as LinkParts;
    const wire = new ScriptedWire(channel, `${account}/home`);
    wire.peer(account, (payload, type) =>
      payload.is("query", ns.roster) && type === "get" ? buildRoster([]) : undefined,
    );
    channel.attach(wire);
    onState({ is: "online", jid: `${account}/home` });
    for (let turn = 0; turn < 5; turn++) await settled();
    const asked = wire.sent.find((stanza) => stanza.attrs["to"] === registry && stanza.is("iq"));
    wire.receive(
      parseXml(
        `<iq xmlns='jabber:client' type='error' id='${asked?.attrs["id"] ?? ""}' from='${registry}'><error type='modify'>` +
          `<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>` +
          `<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>${KEY} is in use</text></error></iq>`,
      ),
    );
    for (let turn = 0; turn < 5; turn++) await settled();
    const reason = new ConnectionError("hush-hush is too weak");
    onFault("registration", reason.message, reason);
    onState({ is: "waiting", ms: 1_000, reason } satisfies LinkState);
    for (let turn = 0; turn < 5; turn++) await settled();
    const { trace } = parts as unknown as LinkParts;
    trace?.received(parseXml(`<text>${KEY} is in use</text>`));
    trace?.received(parseXml(`<text>${NODE_KEY} and ${key} of nodes are in use</text>`));
    await vi.waitFor(() => expect(shown.join()).toContain("are in use"));
    await thing.stop();
    vi.restoreAllMocks();
    await storage.open();
    const kept = new TextDecoder().decode(await storage.read("faults"));
    const seen = JSON.stringify([told, logger.lines, shown, kept]);
    expect(seen).toContain("(hidden) is in use");
    expect(seen).toContain("(hidden) is too weak");
    expect(seen).toContain("(hidden) and (hidden) of nodes are in use");
    expect(seen).not.toMatch(/sticker-4711|sticker-0815|hush-hush/);
    expect(seen).not.toContain(key);
  });

  test("takes the cause of a fault with it only when it stands there; a very short one is no secret", () => {
    const hide = hider(() => ["hush", "no"]);
    const [harmless, telling] = [new ConnectionError("no way"), new AuthenticationError("hush!")];
    expect([discreetCause(harmless, hide), discreetCause(telling, hide)]).toEqual([harmless, undefined]);
  });
});
