// Skipped, with a line that says so, where Prosody is not installed.
import { describe } from "vitest";
import { noProsody, startProsody, type Prosody } from "../support/prosody.ts";
import { onARealServer } from "./real-server.ts";

describe.skipIf(noProsody !== undefined)("a connection on Prosody", () => {
  onARealServer(async () => (await startProsody()) as Prosody, { directTls: true, strongest: "SCRAM-SHA-1" });
});
