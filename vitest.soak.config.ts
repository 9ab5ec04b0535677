// Long runs, for `npm run soak` only: `npm test` never looks at these files.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Without SOAK=1 there is nothing to run, even if somebody calls vitest with this file by hand.
    include: process.env["SOAK"] === "1" ? ["test/soak/**/*.soak.ts"] : [],
    passWithNoTests: true,
    setupFiles: ["test/support/no-outside.ts"],
    pool: "forks",
    maxWorkers: 1, // a soak counts kills and times: nothing else beside it
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
    reporters: ["verbose"],
  },
});
