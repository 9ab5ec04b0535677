// Loaded before each test file: a test that lets anything leave loopback fails, and nothing has left it.
import { afterAll, afterEach, expect } from "vitest";
import { takeOutside } from "./no-outside-guard.mjs";

const guard = `--import ${new URL("no-outside-guard.mjs", import.meta.url).href}`;
const options = process.env["NODE_OPTIONS"] ?? "";
// The processes that the tests start are guarded too. Not those in network namespaces: these have a network of their own.
if (!options.includes(guard)) process.env["NODE_OPTIONS"] = `${options} ${guard}`.trim();

const nothingLeft = (): void => expect(takeOutside(), "traffic beyond loopback").toEqual([]);
afterEach(nothingLeft);
afterAll(nothingLeft);
