import { describe } from "vitest";
import { startSandboxSite } from "../support/site.ts";
import { servicesOfUsers } from "./service.ts";

describe("a service and its users (figures 15 to 17), on the sandbox", () => {
  servicesOfUsers(() => startSandboxSite());
});
