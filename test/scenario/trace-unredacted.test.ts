// The same scenario with the blotting switched off: the search finds every secret that travels. So it would find one that
// was forgotten.
import type { EventEmitter } from "node:events";
import { expect, it, vi } from "vitest";
import { startSandboxSite } from "../support/site.ts";
import { found, liveWatched } from "./secrets.ts";

vi.mock("../../src/connection/redact.ts", () => ({
  HIDDEN: "(hidden)",
  redact: (element: unknown) => element,
  redactText: (text: string) => text,
}));
// By itself it hides some of a login.
vi.mock("@xmpp/debug", () => ({
  default: (entity: EventEmitter) => {
    for (const event of ["element", "send"]) entity.on(event, (data: unknown) => console.debug(String(data)));
    entity.on("error", () => undefined);
  },
}));

it("without the blotting every secret of a scenario is found in its trace", { timeout: 60_000 }, async () => {
  const seen = await liveWatched(startSandboxSite);
  // Parts of what travels in base64 are found as the whole.
  const travelling = [...seen.secrets.keys()].filter((what) => !/^(client|server)'s \w+ \d+ ./.test(what));
  const missing = travelling.filter((what) => !found(seen).includes(what));
  expect(missing).toEqual([]);
  expect(travelling.length).toBeGreaterThan(20);
});
