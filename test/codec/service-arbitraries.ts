// Values for property tests of services and privileges (XEP-0324 3.6, 3.7).
import fc from "fast-check";
import { protocolNames, type Credential } from "../../src/codec/credentials.ts";
import { isPrivilegeId, type Privilege } from "../../src/codec/privileges.ts";
import type {
  CanAccess,
  CanAccessResponse,
  HasPrivilege,
  UserLoggedIn,
  UserOfService,
} from "../../src/codec/service.ts";
import { bareJid, bytes, text, token } from "./arbitraries.ts";

const nonEmpty = text.filter((value) => value !== "");
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

export const credential: fc.Arbitrary<Credential> = fc.oneof(
  fc.record({ type: fc.constant("jid" as const), value: bareJid }),
  fc.record({ type: fc.constant("ip4" as const), value: fc.ipV4() }),
  fc.record({ type: fc.constant("ip6" as const), value: fc.ipV6() }),
  fc.record({ type: fc.constantFrom("hostName", "userName", "sso"), value: nonEmpty }),
  fc.record({ type: fc.constantFrom("x509Certificate", "x509CertificateThumbprint"), value: bytes }),
  fc.record({ type: fc.constantFrom("longitude", "latitude", "altitude"), value: finite }),
  fc.record({ type: fc.constant("protocol" as const), value: fc.constantFrom(...protocolNames) }),
);

export const canAccess: fc.Arbitrary<CanAccess> = fc.record({
  serviceToken: nonEmpty,
  credentials: fc.array(credential, { maxLength: 6 }),
});

export const canAccessResponse: fc.Arbitrary<CanAccessResponse> = fc.oneof(
  fc.record({ result: fc.boolean() }),
  fc.record({ result: fc.constant(true), userToken: token }),
);

const part = fc.oneof(
  fc.constantFrom("Databases", "Energy", "Select", "__proto__", "constructor", " ", "^", "$"),
  fc.string({ minLength: 1, maxLength: 6 }),
);

/** A full Privilege ID; of few parts, so that several of them meet in the tree. */
export const privilegeId: fc.Arbitrary<string> = fc
  .array(part, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("."))
  .filter(isPrivilegeId);

/** A list of privileges, sometimes with the root in it. */
export const privileges: fc.Arbitrary<readonly Privilege[]> = fc.array(
  fc
    .tuple(fc.boolean(), fc.oneof({ weight: 9, arbitrary: privilegeId }, { weight: 1, arbitrary: fc.constant("") }))
    .map(([granted, id]) => (granted ? { include: id } : { exclude: id })),
  { maxLength: 8 },
);

const user = { serviceToken: nonEmpty, userToken: nonEmpty };
export const userOfService: fc.Arbitrary<UserOfService> = fc.record(user);
export const userLoggedIn: fc.Arbitrary<UserLoggedIn> = fc.record({ ...user, userName: nonEmpty });
export const hasPrivilege: fc.Arbitrary<HasPrivilege> = fc.record({ ...user, privilegeId });
