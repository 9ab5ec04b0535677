import { describe } from "vitest";
import { startMemorySite } from "../support/memory-site.ts";
import { validateStanzas } from "../support/schema.ts";
import { lifeOfAThing } from "./life.ts";
import { spoofingNodes } from "./spoofing-nodes.ts";
import { spoofing } from "./spoofing.ts";

describe("in memory, without a socket", () => {
  lifeOfAThing(startMemorySite, validateStanzas);
  spoofing(startMemorySite);
  spoofingNodes(startMemorySite);
});
