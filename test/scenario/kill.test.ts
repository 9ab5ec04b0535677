import { showHaste, surviveKills } from "./kill.ts";

// A twentieth of what `npm run soak` does.
surviveKills(50, 600_000);
showHaste(300_000);
