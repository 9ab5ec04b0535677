// A Prosody that is configured by what a guide says of it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { prosodyConfig } from "../prosody.ts";
import { startServer, type RealXmppServer } from "../server-process.ts";
import { snippetWith } from "./snippets.ts";

/** Starts the Prosody of docs/sandbox.md: its lines, on other ports. */
export function startProsodyOfGuide(): Promise<RealXmppServer> {
  const { text } = snippetWith("component_ports = { 5347 }", "lua");
  const at = text.indexOf("VirtualHost");
  return startServer(
    {
      name: "Prosody",
      writesAfter: 0,
      hosts: ["example.org"],
      ports: () => 3,
      prepare: (folder, ports, certificate) => {
        mkdirSync(join(folder, "data"));
        writeFileSync(join(folder, "server.crt"), certificate.cert);
        writeFileSync(join(folder, "server.key"), certificate.key, { mode: 0o600 });
        const settings = text.slice(0, at).replace("5347", String(ports[2]));
        // `localhost`: only so that it is seen to be ready.
        const ours = prosodyConfig({ folder, ports, secrets: new Map(), hosts: ["localhost"], settings });
        writeFileSync(join(folder, "prosody.cfg.lua"), ours + text.slice(at));
      },
      command: (folder) => ({ file: "prosody", args: ["--config", join(folder, "prosody.cfg.lua"), "-F"], env: {} }),
      log: "prosody.log",
      listens: (port) => `on [127.0.0.1]:${port}`,
    },
    [],
  );
}
