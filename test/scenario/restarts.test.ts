import { surviveRestarts } from "./restarts.ts";

// Five on each server; `npm run soak` does ten times as many.
surviveRestarts(5, 300_000);
