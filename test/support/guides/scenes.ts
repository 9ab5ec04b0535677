// What there is around each snippet of the guides while it runs, and what comes of it.
import type { World, Exported } from "./world.ts";

/** Runs a snippet in its world. */
export type Scene = (world: World, load: () => Promise<Exported>) => Promise<void>;

/** Scenes, by words that only their snippet has. */
export type Scenes = readonly (readonly [words: string, scene: Scene])[];
