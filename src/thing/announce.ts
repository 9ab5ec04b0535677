// What a Thing tells its program of a change, besides the state itself.
import type { ThingEvents } from "./events.ts";
import { trustedServers, type ThingEvent, type ThingState } from "./state.ts";

type Tell = <Name extends "claimed" | "paired">(name: Name, ...about: ThingEvents[Name]) => void;

/** Tells what a new state means to the program. */
export function announce(tell: Tell, state: ThingState, before: ThingState, event: ThingEvent): void {
  const { ownership } = state;
  if (event.type === "claimed" && ownership.is === "claimed" && before.ownership.is !== "claimed") {
    tell("claimed", { owner: ownership.owner, public: ownership.public });
  }
  if (event.type === "examined") {
    tell("paired", { jid: event.jid, as: trustedServers(state).includes(event.jid) ? "server" : "friend" });
  }
}
