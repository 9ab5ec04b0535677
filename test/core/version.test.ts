import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { version } from "../../src/core/version.ts";

test("the version that stands in what is kept is the package's", () => {
  const url = new URL("../../package.json", import.meta.url);
  expect((JSON.parse(readFileSync(url, "utf8")) as { version: string }).version).toBe(version);
});
