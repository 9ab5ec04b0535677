import { showHaste, surviveKills } from "./kill.ts";

// A twentieth of what `npm run soak` does.
surviveKills(50, 300_000);
showHaste(120_000);
