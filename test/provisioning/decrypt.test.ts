import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decryptBy, decryptWith, type Padding } from "../../src/provisioning/decrypt.ts";
import { encrypt, rsaKey } from "../support/device-certificate.ts";

const key = rsaKey();
const SIZE = 256;
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 7 + 1) & 0xff);
const all: readonly Padding[] = ["auto", "oaep", "pkcs1"];

/** What comes of a challenge: the bytes, or all that the error says. */
async function outcome(padding: Padding, challenge: Uint8Array, with_ = key): Promise<unknown> {
  return decryptWith(
    with_,
    padding,
  )(challenge).catch((error: unknown) => {
    const { name, message, cause, code, path } = error as Error & { code: string; path: string };
    return { name, message, cause, code, path };
  });
}

/** The one error there is. */
const failed = {
  name: "ProtocolError",
  message: "the challenge could not be decrypted",
  cause: undefined,
  code: "ERR_PROTOCOL",
  path: "",
};

/** A block as PKCS #1 v1.5 has it, or nearly. */
const padded = (prefix: readonly number[], filler: Uint8Array, rest: readonly number[] = []): Uint8Array =>
  Uint8Array.from([...prefix, ...filler, ...rest]);

/** RFC 8017 section 7.2.2, step 3, by the book. */
function byTheBook(block: Uint8Array): Uint8Array | undefined {
  if (block[0] !== 0 || block[1] !== 2) return undefined;
  const separator = block.indexOf(0, 2);
  if (separator < 0 || separator - 2 < 8) return undefined;
  const message = block.subarray(separator + 1);
  return message.length === 0 ? undefined : message;
}

describe("a challenge", () => {
  it.each(["oaep", "pkcs1"] as const)(
    "P-E12, P-3.1.3-12: padded by %s is recognised as such, for keys of all sizes",
    async (padding) => {
      for (const bits of [2048, 3072, 4096]) {
        const other = rsaKey("sizes", bits);
        for (const length of [1, 16, 32, bits / 8 - 42]) {
          const message = bytes(length);
          expect(await outcome("auto", encrypt(other, message, padding), other)).toEqual(message);
          expect(await outcome(padding, encrypt(other, message, padding), other)).toEqual(message);
        }
      }
    },
  );

  it("P-E12: is decrypted also with a key whose length is no whole number of bytes", async () => {
    for (const bits of [2050, 2055]) {
      const odd = rsaKey("odd", bits);
      for (const padding of ["oaep", "pkcs1"] as const) {
        expect(await outcome("auto", encrypt(odd, bytes(32), padding), odd)).toEqual(bytes(32));
      }
      expect(await outcome("auto", bytes(256), odd)).toEqual(failed);
    }
  });

  it("P-E12: is decrypted whatever is in it", async () => {
    const some = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: SIZE - 42 }), fc.constantFrom("oaep", "pkcs1"));
    await fc.assert(
      fc.asyncProperty(some, async ([message, padding]) => {
        expect(await outcome("auto", encrypt(key, message, padding as "oaep"))).toEqual(message);
      }),
    );
  });

  it("P-E12: in another padding than the forced one is refused", async () => {
    expect(await outcome("oaep", encrypt(key, bytes(32), "pkcs1"))).toEqual(failed);
    expect(await outcome("pkcs1", encrypt(key, bytes(32), "oaep"))).toEqual(failed);
    for (const padding of all) expect(await outcome(padding, encrypt(key, bytes(32), "oaep-sha256"))).toEqual(failed);
  });

  it("P-E12: that is broken in whatever way gets one and the same error", async () => {
    const good = encrypt(key, bytes(32), "oaep");
    const challenges = {
      "another key's": encrypt(rsaKey("another"), bytes(32), "oaep"),
      "with a bit turned": good.map((byte, index) => (index === 100 ? byte ^ 1 : byte)),
      empty: new Uint8Array(),
      "too short": good.subarray(1),
      "too long": Uint8Array.from([...good, 0]),
      "above the modulus": new Uint8Array(SIZE).fill(0xff),
      zero: new Uint8Array(SIZE),
      "nothing, in OAEP": encrypt(key, new Uint8Array(), "oaep"),
      "nothing, in PKCS #1": encrypt(key, new Uint8Array(), "pkcs1"),
    };
    for (const challenge of Object.values(challenges)) {
      for (const padding of all) expect(await outcome(padding, challenge)).toEqual(failed);
    }
  });

  it.each([
    ["that begins with 1", padded([1, 2], bytes(SIZE - 35).fill(9), [0, ...bytes(32)])],
    ["of a signature", padded([0, 1], bytes(SIZE - 35).fill(0xff), [0, ...bytes(32)])],
    ["without its end", padded([0, 2], bytes(SIZE - 2).fill(9))],
    ["of 7 bytes", padded([0, 2], bytes(7).fill(9), [0, ...bytes(SIZE - 10)])],
    ["of none", padded([0, 2], bytes(0), [0, ...bytes(SIZE - 3)])],
    ["before nothing", padded([0, 2], bytes(SIZE - 3).fill(9), [0])],
  ])("RFC 8017 7.2.2: with a padding %s is refused", async (_, block) => {
    expect(byTheBook(block)).toBeUndefined();
    expect(await outcome("pkcs1", encrypt(key, block, "raw"))).toEqual(failed);
  });

  it("RFC 8017 7.2.2: with a padding of just 8 bytes is good, and ends at the first zero", async () => {
    const block = padded([0, 2], bytes(8).fill(9), [0, 5, 0, ...bytes(SIZE - 13)]);
    expect(await outcome("pkcs1", encrypt(key, block, "raw"))).toEqual(Uint8Array.from([5, 0, ...bytes(SIZE - 13)]));
  });

  it("RFC 8017 7.2.2: is unpadded as the book says, whatever the block", async () => {
    const zeros = fc.array(fc.nat(SIZE - 1), { maxLength: 4 });
    const head = fc.constantFrom([0, 2], [0, 2], [0, 2], [0, 1], [0, 0], [1, 2]);
    const byte = fc.integer({ min: 1, max: 255 });
    let read = 0;
    await fc.assert(
      fc.asyncProperty(
        head,
        fc.array(byte, { minLength: SIZE - 2, maxLength: SIZE - 2 }),
        zeros,
        async (first, rest, at) => {
          const block = Uint8Array.from([...first, ...rest]);
          for (const index of at) block[index] = 0;
          const expected = byTheBook(block);
          if (expected) read++;
          expect(await outcome("pkcs1", encrypt(key, block, "raw"))).toEqual(expected ?? failed);
        },
      ),
      { numRuns: 300 },
    );
    expect(read).toBeGreaterThan(20);
  });

  it("is answered with bytes of their own, that nobody else sees", async () => {
    const response = (await outcome("auto", encrypt(key, bytes(5), "pkcs1"))) as Uint8Array;
    expect(response.buffer.byteLength).toBe(5);
    expect(Buffer.isBuffer(response)).toBe(false);
  });
});

describe("a callback", () => {
  it("P-E12: decrypts in the place of a key, and cannot change what it was given", async () => {
    const challenge = bytes(8);
    const decrypt = decryptBy((block) => {
      block.reverse();
      return block;
    });
    expect(await decrypt(challenge)).toEqual(bytes(8).reverse());
    expect(challenge).toEqual(bytes(8));
    expect(await decryptBy(() => Promise.resolve(bytes(3)))(challenge)).toEqual(bytes(3));
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("no such slot");
      },
      "no such slot",
    ],
    ["rejects", () => Promise.reject(new Error("locked")), "locked"],
    ["gives nothing", () => undefined, "must give a Uint8Array"],
    ["gives no bytes", () => new Uint8Array(), "must give a Uint8Array"],
    ["gives a text", () => "secret", "must give a Uint8Array"],
  ])("P-E12: that %s comes to the same error; why is its cause", async (_, callback, why) => {
    const error: unknown = await decryptBy(callback as () => Uint8Array)(bytes(8)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: "ProtocolError", message: failed.message, path: "" });
    expect((error as Error).cause).toMatchObject({ message: expect.stringContaining(why) as string });
  });
});
