// What real servers say when they make no account, and what people are told. Skipped, with a line that says so, where they
// are not installed.
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../src/connection/connect.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { noProsody, startProsody, type Prosody } from "../support/prosody.ts";
import { rejection } from "./harness.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Server {
  readonly port: number;
  readonly ca: string;
  stop(): Promise<void>;
}

/** What making an account on a server rejects with. */
async function refusal(started: Promise<Server | undefined>, password = "correct horse"): Promise<Error> {
  const server = (await started) as Server;
  cleanups.push(() => server.stop());
  const service = `xmpp://127.0.0.1:${server.port}`;
  const account = { username: "thing", password, register: true };
  return rejection(connect({ service, domain: "localhost", tls: { ca: server.ca }, ...account }));
}

const HAND = "make the account by hand and give it in `account.username` and `account.password`";
const OFF = `no accounts can be made on this server over XMPP, or not from here: switch registration on, or ${HAND}`;

describe("the sandbox", () => {
  it("makes accounts by a data form", async () => {
    const sandbox = await startSandbox({ registration: "form" });
    cleanups.push(() => sandbox.stop());
    const { service, domain, ca } = sandbox;
    const connection = await connect({ service, domain, tls: { ca }, username: "a", password: "b", register: true });
    await connection.close();
    expect(connection.jid.bare).toBe("a@localhost");
  });

  it("makes none when it is told so", async () => {
    const error = await refusal(startSandbox({ registration: "closed" }));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "service-unavailable" });
    expect(error.message).toBe(`the server made no account: service-unavailable: ${OFF}`);
  });
});

describe.skipIf(noProsody !== undefined)("Prosody", () => {
  it("with registration switched off", async () => {
    const error = await refusal(
      startProsody({ settings: `allow_registration = false\nmodules_disabled = { "s2s", "register_ibr" }` }),
    );
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "service-unavailable" });
    expect(error.message).toContain(OFF);
  });

  it("that asks for more than a name and a password", async () => {
    const settings = `additional_registration_fields = { "email+" }`;
    const error = await refusal(startProsody({ settings }));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "not-acceptable" });
    expect(error.message).toContain(
      "the server asks a new account for username, password, email (Email), and a device",
    );
  });

  it("that does not take accounts from here", async () => {
    const error = await refusal(startProsody({ settings: `registration_blocklist = { "127.0.0.1" }` }));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "forbidden" });
    expect(error.message).toContain(OFF);
  });

  it("that takes no more accounts from here for now", async () => {
    const throttle = "registration_throttle_max = 1\nregistration_throttle_period = 3600\nregistration_allowlist = {}";
    const server = (await startProsody({ settings: throttle })) as Prosody;
    const service = `xmpp://127.0.0.1:${server.port}`;
    const first = { username: "first", password: "first's", register: true };
    await (await connect({ service, domain: "localhost", tls: { ca: server.ca }, ...first })).close();
    const error = await refusal(Promise.resolve(server));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "policy-violation" });
    expect(error.message).toContain(
      "too many accounts were made from here lately, or there are too many: it is tried again",
    );
  });
});

// Each of them starts a server of its own: ten seconds, and more on a machine that has much else to do.
describe.skipIf(noEjabberd !== undefined)("ejabberd", { timeout: 120_000 }, () => {
  it("with registration switched off", async () => {
    const error = await refusal(startEjabberd({ register: { allow: false } }));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION" });
    expect(error.message).toContain(OFF);
  });

  it("with rules that the password does not meet", async () => {
    const error = await refusal(startEjabberd({ register: { strength: 256 } }), "weak");
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "not-acceptable" });
    expect(error.message).toContain("the server has rules that this name or password does not meet");
  });

  it("with a CAPTCHA", async () => {
    const folder = mkdtempSync(join(tmpdir(), "captcha-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    const captcha = join(folder, "paint.sh");
    writeFileSync(captcha, "#!/bin/sh\nprintf '\\211PNG\\r\\n\\032\\n'\n");
    chmodSync(captcha, 0o755);
    const error = await refusal(startEjabberd({ register: { captcha } }));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "not-acceptable" });
    expect(error.message).toContain(
      "the server asks whoever wants an account to read a picture or solve a riddle (CAPTCHA)",
    );
    expect(error.message).toContain(`switch that off for devices, or ${HAND}`);
  });
});
