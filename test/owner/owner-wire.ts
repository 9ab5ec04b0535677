import type { Connection } from "../../src/connection/connect.ts";
import { Friends } from "../../src/connection/friends.ts";
import { OwnerClient, type OwnerClientOptions } from "../../src/owner/owner-client.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { scriptedChannel, type Peer, type Said } from "../support/scripted-wire.ts";

export const REGISTRY = "discovery.example.org";

/** An owner whose Registry is the test. */
export function scriptedOwner(registry: Peer, options: OwnerClientOptions = {}) {
  const parts = scriptedChannel({ jid: "owner@example.org/phone" });
  const { channel, clock, wire } = parts;
  const connection: Connection = {
    channel,
    friends: new Friends(channel),
    jid: wire.jid,
    ended: new Promise(() => undefined),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  wire.peer(REGISTRY, registry);
  return { ...parts, owner: new OwnerClient(connection, { registry: REGISTRY, clock, ...options }) };
}

/** A page as a Registry writes it: Things by the part of their address before the `@`. */
export function foundPage(names: readonly string[], more: boolean, inside = ""): Said {
  return el(
    "found",
    { xmlns: ns.discovery, more },
    ...names.map((name) => el("thing", { owner: "anna@example.org", jid: `${name}@example.org` }, inside)),
  );
}

/** The attributes of a search: which page is asked for. */
export const asked = (payload: XmlElement): { offset: number; maxCount: number } => ({
  offset: Number(payload.attrs["offset"]),
  maxCount: Number(payload.attrs["maxCount"]),
});
