#!/usr/bin/env node
import { main } from "./main.ts";
import { nodeIo } from "./node-io.ts";

// This process belongs to this tool, and its stdout to what was asked for: the wire trace (THING_DEBUG=1) goes to stderr.
globalThis.console = new globalThis.console.Console(process.stderr);
process.exitCode = await main(process.argv.slice(2), nodeIo());
