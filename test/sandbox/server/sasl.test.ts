import { expect, test } from "vitest";
import { SeededRandom } from "../../../src/sandbox/seeded-random.ts";
import { mechanismsFor, startSasl, type Channel, type SaslStep } from "../../../src/sandbox/server/sasl.ts";
import { scramClient } from "./raw-client.ts";
import { World } from "./world.ts";

const { domain } = new World();
const start = (mechanism: string): NonNullable<ReturnType<typeof startSasl>> =>
  startSasl(mechanism, domain, new SeededRandom(mechanism))!;
const failure = (condition: string): SaslStep => ({ kind: "failure", condition }) as SaslStep;

/** Both messages of a client, with what is to be bent on the way. */
function exchange(
  mechanism: "SCRAM-SHA-1" | "SCRAM-SHA-256",
  options: {
    header?: string;
    username?: string;
    password?: string;
    /** What is signed in the place of the right binding and nonce. */
    signed?: (withoutProof: string) => string;
    /** What is changed after the signature. */
    final?: (message: string) => string;
  } = {},
): { last: SaslStep; signature: string; serverFirst: string } {
  const same = (text: string): string => text;
  const { header = "n,,", username = "alice", password = "alice's secret", final = same, signed = same } = options;
  const server = start(mechanism);
  const clientFirstBare = `n=${username},r=abcdef`;
  const first = server.respond(header + clientFirstBare);
  if (first.kind !== "challenge") return { last: first, signature: "", serverFirst: "" };
  const serverFirst = first.data;
  const nonce = /r=([^,]*)/.exec(serverFirst)![1]!;
  const withoutProof = signed(`c=${Buffer.from(header).toString("base64")},r=${nonce}`);
  const hash = mechanism === "SCRAM-SHA-1" ? "sha1" : "sha256";
  const { proof, signature } = scramClient(hash, { password, clientFirstBare, serverFirst, withoutProof });
  return { last: server.respond(final(`${withoutProof},p=${proof}`)), signature, serverFirst };
}

test("the client of these tests computes what the RFCs' examples hold (RFC 5802 5, RFC 7677 3)", () => {
  const sha1 = scramClient("sha1", {
    password: "pencil",
    clientFirstBare: "n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    withoutProof: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
  });
  expect(sha1).toEqual({ proof: "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", signature: "rmF9pqV8S7suAoZWja4dJRkFsKQ=" });
  const sha256 = scramClient("sha256", {
    password: "pencil",
    clientFirstBare: "n=user,r=rOprNGfwEbeRWgbNEkqO",
    serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    withoutProof: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  });
  expect(sha256).toEqual({
    proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
  });
});

test("the best mechanism comes first, PLAIN last", () => {
  const mechanisms = mechanismsFor(new Map());
  expect(mechanisms).toEqual(["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]);
  for (const name of mechanisms) expect(startSasl(name, domain, new SeededRandom(1))).toBeDefined();
  for (const name of ["", "ANONYMOUS", "SCRAM-SHA-256-PLUS", "plain"]) {
    expect(startSasl(name, domain, new SeededRandom(1))).toBeUndefined();
  }
});

for (const mechanism of ["SCRAM-SHA-1", "SCRAM-SHA-256"] as const) {
  test(`${mechanism}: whoever knows the password gets in, and the server proves itself`, () => {
    for (const header of ["n,,", "y,,", "n,a=alice@localhost,"]) {
      const { last, signature } = exchange(mechanism, { header });
      expect(last).toEqual({ kind: "success", username: "alice", data: `v=${signature}` });
    }
  });

  test(`${mechanism}: nobody else gets in`, () => {
    expect(exchange(mechanism, { password: "wrong" }).last).toEqual(failure("not-authorized"));
    const bend = (change: (message: string) => string): SaslStep => exchange(mechanism, { final: change }).last;
    expect(bend((message) => message.replace("c=biws", "c=eSws"))).toEqual(failure("not-authorized"));
    expect(bend((message) => message.replace("r=abcdef", "r=abcdeg"))).toEqual(failure("not-authorized"));
    expect(bend((message) => message.replace(/r=[^,]*/, "r=abcdef"))).toEqual(failure("not-authorized"));
    expect(bend((message) => message.replace(/p=.*/, "p=AAAA"))).toEqual(failure("not-authorized"));
    expect(
      bend((message) =>
        message.replace(/p=.*/, `p=${Buffer.alloc(mechanism === "SCRAM-SHA-1" ? 20 : 32).toString("base64")}`),
      ),
    ).toEqual(failure("not-authorized"));
  });

  test(`${mechanism}: a proof for another binding or nonce is none, even with the right password`, () => {
    const signed = (change: (text: string) => string): SaslStep => exchange(mechanism, { signed: change }).last;
    expect(signed((text) => text).kind).toBe("success");
    expect(signed((text) => text.replace("c=biws", "c=eSws"))).toEqual(failure("not-authorized"));
    expect(signed((text) => text.replace(/r=.*/, "r=abcdef"))).toEqual(failure("not-authorized"));
    expect(signed((text) => `${text}x`)).toEqual(failure("not-authorized"));
  });

  test(`${mechanism}: a name without an account looks like any other until the end`, () => {
    const [once, twice, real] = [
      exchange(mechanism, { username: "nobody" }),
      exchange(mechanism, { username: "nobody" }),
      exchange(mechanism, { password: "wrong" }),
    ];
    expect(once.serverFirst).toBe(twice.serverFirst); // the same random source, so the same salt shows
    expect(once.last).toEqual(real.last);
    const shape = (message: string): string => message.replace(/[A-Za-z0-9+/_-]{10,}/g, (run) => String(run.length));
    expect(shape(once.serverFirst)).toBe(shape(real.serverFirst));
  });

  test(`${mechanism}: nobody acts for anybody else (RFC 6120 6.3.8)`, () => {
    for (const header of ["n,a=bob@localhost,", "n,a=alice,", "n,a=alice@elsewhere,"]) {
      expect(exchange(mechanism, { header }).last).toEqual(failure("invalid-authzid"));
    }
  });

  test.each([
    "",
    "n=alice,r=abc",
    "n,,n=alice",
    "n,,r=abc,n=alice",
    "n,,m=x,n=alice,r=abc",
    "p=tls-unique,,n=alice,r=abc",
    "x,,n=alice,r=abc",
    "n,,n=,r=abc",
    "n,,n=a=b,r=abc",
    "n,,n=alice,r=",
    "n,,n=alice,r=a b",
  ])(`${mechanism}: %j is no first message`, (message) => {
    expect(start(mechanism).respond(message)).toEqual(failure("malformed-request"));
  });

  test.each(["", "c=biws", "c=biws,r=x", "c=biws,r=x,p=", "c=biws,r=x,p=***", "r=x,c=biws,p=AAAA"])(
    `${mechanism}: %j is no last message`,
    (message) => {
      expect(exchange(mechanism, { final: () => message }).last).toEqual(failure("malformed-request"));
    },
  );
}

test("commas and equals signs in names are spelled out (RFC 5802 5.1)", () => {
  const world = new World();
  world.domain.register("a,b=c", "pw");
  const server = startSasl("SCRAM-SHA-1", world.domain, new SeededRandom(1))!;
  const clientFirstBare = "n=a=2Cb=3Dc,r=abcdef";
  const first = server.respond(`n,,${clientFirstBare}`);
  if (first.kind !== "challenge") throw new Error(first.kind);
  const withoutProof = `c=biws,r=${/r=([^,]*)/.exec(first.data)![1]!}`;
  const { proof } = scramClient("sha1", { password: "pw", clientFirstBare, serverFirst: first.data, withoutProof });
  expect(server.respond(`${withoutProof},p=${proof}`)).toMatchObject({ kind: "success", username: "a,b=c" });
});

test("a login can be bound to the channel: RFC 5802 section 6", () => {
  const channel: Channel = new Map([["tls-exporter", Uint8Array.from([1, 2, 3])]]);
  expect(mechanismsFor(channel)).toContain("SCRAM-SHA-512-PLUS");
  const play = (mechanism: string, header: string, bound = ""): SaslStep => {
    const server = startSasl(mechanism, domain, new SeededRandom(1), channel)!;
    const clientFirstBare = "n=alice,r=abcdef";
    const first = server.respond(header + clientFirstBare);
    if (first.kind !== "challenge") return first;
    const input = Buffer.from(header + bound, "latin1").toString("base64");
    const withoutProof = `c=${input},r=${/r=([^,]*)/.exec(first.data)![1]!}`;
    const given = { password: "alice's secret", clientFirstBare, serverFirst: first.data, withoutProof };
    return server.respond(`${withoutProof},p=${scramClient("sha512", given).proof}`);
  };
  const header = "p=tls-exporter,,";
  expect(play("SCRAM-SHA-512-PLUS", header, "\x01\x02\x03")).toMatchObject({ kind: "success", username: "alice" });
  expect(play("SCRAM-SHA-512-PLUS", header, "\x01\x02\x04")).toEqual(failure("not-authorized"));
  expect(play("SCRAM-SHA-512-PLUS", header)).toEqual(failure("not-authorized"));
  expect(play("SCRAM-SHA-512-PLUS", "p=tls-unique,,")).toEqual(failure("malformed-request"));
  expect(play("SCRAM-SHA-512-PLUS", "n,,")).toEqual(failure("malformed-request"));
  expect(play("SCRAM-SHA-512", header)).toEqual(failure("malformed-request"));
  expect(play("SCRAM-SHA-512", "n,,")).toMatchObject({ kind: "success" });
  // It could, and was offered none: somebody has taken the offer away.
  expect(play("SCRAM-SHA-512", "y,,")).toEqual(failure("not-authorized"));
});

test("every try has a nonce of its own, which begins with the client's", () => {
  const random = new SeededRandom(1);
  const nonces = [1, 2].map(() => {
    const step = startSasl("SCRAM-SHA-1", domain, random)!.respond("n,,n=alice,r=abcdef");
    return step.kind === "challenge" ? /^r=(abcdef[^,]{22}),s=[^,]+,i=4096$/.exec(step.data)?.[1] : undefined;
  });
  expect(nonces[0]).toBeDefined();
  expect(nonces[0]).not.toBe(nonces[1]);
});

test("PLAIN takes name and password, and the own address (RFC 4616)", () => {
  const answer = (message: string): SaslStep => start("PLAIN").respond(message);
  const success = { kind: "success", username: "alice", data: "" };
  expect(answer("\0alice\0alice's secret")).toEqual(success);
  expect(answer("alice@localhost\0alice\0alice's secret")).toEqual(success);
  expect(answer("bob@localhost\0alice\0alice's secret")).toEqual(failure("invalid-authzid"));
  for (const wrong of ["\0alice\0wrong", "\0nobody\0x", "\0bob\0alice's secret"]) {
    expect(answer(wrong)).toEqual(failure("not-authorized"));
  }
  for (const broken of ["", "alice", "\0alice", "\0\0x", "\0alice\0", "\0alice\0x\0y"]) {
    expect(answer(broken)).toEqual(failure("malformed-request"));
  }
});
