import { defineConfig } from "vitest/config";

// Where .ci/run wants the counts as JSON.
const results = process.env["VITEST_RESULTS"];

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/no-outside.ts", "test/support/scenario-stanzas.ts"],
    pool: "forks",
    maxWorkers: 3, // on two cores: those with real servers and networks wait more than they work
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: results === undefined ? ["default"] : ["default", ["json", { outputFile: results }]],
    coverage: {
      provider: "v8",
      // All of src counts, also a file that no test loads.
      include: ["src/**/*.ts"],
      exclude: [
        "src/**/*.d.ts", // types only
        "src/cli/bin.ts", // five lines that run only as a process of their own: what they call is tested
      ],
      // Counts and sums are the last lines of the output. For every file: --coverage.reporter=text
      reporter: ["text-summary", "json-summary"],
      thresholds: { lines: 90, branches: 90 },
    },
  },
});
