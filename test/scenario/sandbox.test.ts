import { describe } from "vitest";
import { startSandboxSite } from "../support/site.ts";
import { validateStanzas } from "../support/schema.ts";
import { lifeOfAThing } from "./life.ts";
import { spoofingNodes } from "./spoofing-nodes.ts";
import { spoofing } from "./spoofing.ts";

describe("on the sandbox", () => {
  lifeOfAThing(startSandboxSite, validateStanzas);
  spoofing(startSandboxSite);
  spoofingNodes(startSandboxSite);
});
