// What people without a compiler are told of a slip of the pen.
import { describe, expect, it } from "vitest";
import { checkKnown } from "../../src/core/options.ts";

const known = ["storage", "server", "sensor", "provisioning", "rights", "tls"];
const told = (name: string): string => {
  try {
    checkKnown({ [name]: 1 }, known);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
};

describe("an option that there is not", () => {
  it.each([
    ["provisionning", "provisioning"],
    ["Provisioning", "provisioning"],
    ["provisoning", "provisioning"],
    ["rigths", "rights"],
    ["servers", "server"],
    ["sensors", "sensor"],
  ])("is told with the one that is meant: %s", (name, meant) => {
    const list = "there are storage, server, sensor, provisioning, rights, tls";
    expect(told(name)).toBe(`there is no option "${name}"; ${list}; did you mean ${meant}?`);
  });

  it.each(["claim", "s", "", "provision", "x".repeat(1_000_000)])(
    "is not guessed at when nothing is near: %#",
    (name) => {
      expect(told(name)).toMatch(/^there is no option .*, tls$/);
    },
  );
});
