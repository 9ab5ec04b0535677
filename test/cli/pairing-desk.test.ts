import { expect, it } from "vitest";
import { askNewThings } from "../../src/cli/pairing-desk.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";

it("--pair: the addresses of Things and what servers say of them are shown, and obeyed by no terminal", async () => {
  const ended = new AbortController();
  const answers = [() => Promise.resolve("refused"), () => Promise.reject(new Error("no \u001b[2Jsuch\u202e account"))];
  const site = {
    registry: { things: [{ jid: "kitchen\u202e\u001b[2J@example.org" }, { jid: "cellar@example.org" }] },
    provisioningServers: [{ jid: "provisioning@example.org", askFriendship: () => answers.shift()?.() }],
  } as unknown as Sandbox;
  const lines: string[] = [];
  const asking = askNewThings(site, (line) => void lines.push(line), ended.signal);
  await expect.poll(() => lines.length).toBe(4);
  ended.abort(new Error("enough"));
  await asking;
  expect(lines.join("\n").replaceAll("\n", "")).not.toMatch(/\p{Cc}|\p{Cf}/u);
  expect(lines).toContain("kitchen??[2J@example.org: refused");
  expect(lines).toContain("cellar@example.org: no ?[2Jsuch? account");
});
