import { describe, expect, test } from "vitest";
import type { AccountOptions } from "../../src/thing/options.ts";
import { toFactorySettings, type ResetOptions } from "../../src/thing/reset.ts";
import { initialState, type ThingEvent } from "../../src/thing/state.ts";

async function reset(configured: AccountOptions, options: ResetOptions): Promise<readonly ThingEvent[]> {
  const events: ThingEvent[] = [];
  const dispatch = (event: ThingEvent): Promise<void> => Promise.resolve(void events.push(event));
  await toFactorySettings(dispatch, { waitFor: () => Promise.resolve(initialState) }, configured, options);
  return events;
}

const made = {};
const withPassword = { password: "hunter2" };
const withName = { username: "thermometer" };

describe("what a factory reset may do with the account", () => {
  test.each([
    [made, undefined, undefined],
    [made, "keep", undefined],
    [made, "new-password", "new-password"],
    [made, "remove", "remove"],
    [withName, "new-password", "new-password"],
    [{ ...withName, ...withPassword }, "keep", undefined],
  ] as const)("given %j: %s", async (configured, account, wanted) => {
    expect(await reset(configured, { account })).toEqual([{ type: "reset", account: wanted }]);
  });

  test.each([
    [
      withPassword,
      "new-password",
      "account: the options give the password (`account.password`); change it on the server and there",
    ],
    [
      withPassword,
      "remove",
      "account: the options give the account (`account`); remove it on the server, and take it out there",
    ],
    [
      withName,
      "remove",
      "account: the options give the account (`account`); remove it on the server, and take it out there",
    ],
    [made, "delete", 'account: there is no "delete"; there are keep, new-password, remove'],
  ])("given %j: not %s, and nothing happens", async (configured, account, message) => {
    const refused = expect.objectContaining({ code: "ERR_CONFIG", message }) as Error;
    await expect(reset(configured, { account } as ResetOptions)).rejects.toThrow(refused);
  });
});
