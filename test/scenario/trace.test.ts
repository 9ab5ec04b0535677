// The wire trace shows a whole scenario, and none of the secrets in it. That the search finds what there is to be found is
// shown by trace-unredacted.test.ts.
import { describe, expect, it } from "vitest";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import { startSandboxSite, type Site } from "../support/site.ts";
import { found, liveWatched } from "./secrets.ts";

const PARTS = [
  "IN\n<stream:features",
  "OUT\n<auth xmlns",
  "IN\n<success",
  `<str name="KEY" value="(hidden)"/>`,
  `<str name="SN" value="394872348732948723"/>`,
  `deviceToken="(hidden)"`,
  "<canReadResponse",
  "status connecting to localhost at 127.0.0.1:",
  "status online",
  "status ended ERR_CONNECTION: ",
  "status waiting ",
  "status stopped",
  "registration: the server made no account: conflict",
];

/** @param form how the account is made: what of it is seen */
async function check(startSite: () => Promise<Site>, form: string): Promise<void> {
  const seen = await liveWatched(startSite);
  expect([...seen.secrets.values()].every((secret) => secret.length > 8)).toBe(true);
  expect(seen.secrets.size).toBeGreaterThan(40);
  expect(found(seen)).toEqual([]);
  expect([...PARTS, form].filter((part) => !seen.output.includes(part))).toEqual([]);
}

describe("the trace and the log of a whole scenario", () => {
  it("hold no secret, on the sandbox", { timeout: 60_000 }, () =>
    check(startSandboxSite, "<password>(hidden)</password>"),
  );

  it.skipIf(noProsody !== undefined)("hold no secret, on Prosody", { timeout: 60_000 }, () =>
    check(() => startRealSite(startProsody()), "<value>(hidden)</value>"),
  );
});
