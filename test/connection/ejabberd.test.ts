// Skipped, with a line that says so, where ejabberd is not installed.
import { describe } from "vitest";
import { noEjabberd, startEjabberd, type Ejabberd } from "../support/ejabberd.ts";
import { onARealServer } from "./real-server.ts";

describe.skipIf(noEjabberd !== undefined)("a connection on ejabberd", () => {
  onARealServer(async () => (await startEjabberd()) as Ejabberd, {
    directTls: true,
    removed: "conflict",
    // It offers a -PLUS, and means tls-unique, which TLS 1.3 does not have.
    strongest: "SCRAM-SHA-1",
  });
});
