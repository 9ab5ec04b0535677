// What the demo's stories are played with: a sandbox, people, and Things that end with the story.
import { connect, type Connection } from "../connection/connect.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import { startSandbox, type Sandbox, type SandboxOptions } from "../sandbox/sandbox.ts";
import { fileStorage } from "../storage/file-storage.ts";
import { StanzaError } from "../core/errors.ts";
import { systemClock } from "../core/clock.ts";
import { Thing } from "../thing/thing.ts";
import type { ThingOptions } from "../thing/options.ts";
import type { Io } from "./io.ts";
import type { Narrator } from "./narrator.ts";

/** Where a story is played. */
export interface Stage {
  readonly io: Io;
  readonly sandbox: Sandbox;
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
  /** True if nobody presses keys: the story goes on by itself. */
  readonly alone: boolean;
  /** A Thing on the sandbox; each on the same disk, as one device that is started again. */
  readonly makeThing: (options: Omit<ThingOptions, "storage" | "server">) => Thing;
  /** Somebody who is online. */
  readonly person: (name: string) => Promise<Person>;
}

/** Somebody in a story. */
export interface Person {
  readonly jid: string;
  readonly connection: Connection;
  readonly client: OwnerClient;
}

/** What is told: its steps, by a narrator. */
export interface Story {
  /** One line for the help. */
  readonly summary: string;
  /** How its sandbox is set up. */
  readonly sandbox?: SandboxOptions;
  /** Tells it. Rejects when a step does not do what it says. */
  tell(stage: Stage): Promise<void>;
}

/** Plays a story, and clears up after it. */
export async function play(
  story: Story,
  { io, narrator, signal, alone }: Pick<Stage, "io" | "narrator" | "signal" | "alone">,
): Promise<void> {
  await using sandbox = await startSandbox(story.sandbox);
  const folder = await io.makeFolder();
  const people: Person[] = [];
  const things: Thing[] = [];
  sandbox.onStanza((direction, from, to, stanza) => {
    if (direction === "in") narrator.stanza(from, to, stanza);
  });
  const { service, domain, ca } = sandbox;
  const stage: Stage = {
    io,
    sandbox,
    narrator,
    signal,
    alone,
    makeThing: (options) => {
      const thing = new Thing({ storage: fileStorage(folder), server: { service, domain }, tls: { ca }, ...options });
      things.push(thing);
      return thing;
    },
    person: async (name) => {
      const { username, password, jid } = sandbox.addUser(name);
      const connection = await connect({ service, domain, username, password, tls: { ca }, signal });
      const person = { jid, connection, client: new OwnerClient(connection) };
      people.push(person);
      return person;
    },
  };
  try {
    await story.tell(stage);
  } finally {
    await Promise.all(things.map((thing) => thing.stop()));
    await Promise.all(people.map(({ connection }) => connection.close()));
    await io.removeFolder(folder);
  }
}

/** What somebody is told who tries something: what came of it, or the condition of the refusal. */
export async function orRefusal(attempt: Promise<string>): Promise<string> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof StanzaError) return error.condition;
    throw error;
  }
}

/** Waits until something is so. Rejects with the signal's reason. */
export async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
  while (!condition()) {
    signal.throwIfAborted();
    await new Promise<void>((resolve) => void systemClock.schedule(5, resolve));
  }
}
