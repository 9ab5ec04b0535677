// What a Thing tells its program of a change, besides the state itself.
import type { ThingEvents } from "./events.ts";
import { ownerOf, trustedServers, type ThingEvent, type ThingState } from "./state.ts";

type Tell = <Name extends "claimed" | "removed" | "disowned" | "paired">(
  name: Name,
  ...about: ThingEvents[Name]
) => void;

/** Tells what a new state means to the program; of an event that changes nothing there is no new state. */
export function announce(tell: Tell, state: ThingState, before: ThingState, event: ThingEvent): void {
  const { ownership } = state;
  if (event.type === "claimed" && ownership.is === "claimed" && before.ownership.is !== "claimed") {
    tell("claimed", { owner: ownership.owner, public: ownership.public });
  }
  if (event.type === "removed") {
    tell("removed", { registry: event.registry, owner: ownerOf(state) });
  }
  const owner = ownerOf(before);
  if (event.type === "disowned" && owner !== undefined) tell("disowned", { registry: event.registry, owner });
  if (event.type === "examined") {
    tell("paired", { jid: event.jid, as: trustedServers(state).includes(event.jid) ? "server" : "friend" });
  }
}
