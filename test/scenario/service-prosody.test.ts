import { describe } from "vitest";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import { servicesOfUsers } from "./service.ts";

describe.skipIf(noProsody !== undefined)("a service and its users (figures 15 to 17), on Prosody", () => {
  servicesOfUsers(() => startRealSite(startProsody()));
});

describe.skipIf(noProsody !== undefined)(
  "a service and its users, with a provisioning server that is an account, on Prosody",
  () => {
    servicesOfUsers(() => startRealSite(startProsody(), {}, { hosting: { provisioning: "account" } }));
  },
);
