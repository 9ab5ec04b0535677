import { surviveKills } from "./kill.ts";

// A tenth of what `npm run soak` does.
surviveKills(50, 300_000);
