// What there is around each snippet of the guides while it runs, and what comes of it.
import type { World, Exported } from "./world.ts";

/** Runs a snippet in its world: by `load`, or changed where it leaves something open (`KEY:…`). */
export type Scene = (world: World, load: () => Promise<Exported>, text: string) => Promise<void>;

/** Scenes, by words that only their snippet has; and why one cannot be played on this machine. */
export type Scenes = readonly (readonly [words: string, scene: Scene, unless?: string | undefined])[];
