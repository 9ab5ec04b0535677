import { describe } from "vitest";
import { startSandboxSite } from "../support/site.ts";
import { validateStanzas } from "../support/schema.ts";
import { lifeOfAThing } from "./life.ts";

describe("on the sandbox", () => lifeOfAThing(startSandboxSite, validateStanzas));
