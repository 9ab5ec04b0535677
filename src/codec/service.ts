// XEP-0324 Internet of Things - Provisioning 0.5.1: sections 3.6 (who may use a service) and 3.7 (what they may do there).
import { ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { buildCredential, parseCredentials, type Credential } from "./credentials.ts";
import { isPrivilegeId, type Privilege } from "./privileges.ts";
import { expect } from "./provisioning-parts.ts";
import { isToken } from "./tokens.ts";
import { at, el, localName, nonEmpty, optional, required, requiredFlag, type XmlElement } from "./xml.ts";

/** May somebody use a service? (P-3.6.2-2) */
export interface CanAccess {
  /** By which the provisioning server knows the service: the token that it has given it. */
  readonly serviceToken: string;
  /** What the service knows of the user: any number, in any order (P-3.6.2-16). */
  readonly credentials: readonly Credential[];
}

/** The answer to `canAccess`. */
export interface CanAccessResponse {
  /** True if the user may use the service. */
  readonly result: boolean;
  /** By which the server knows the user from now on (P-3.6.2-12). Never there beside a refusal. */
  readonly userToken?: string;
}

/** What says whose user is meant. */
export interface UserOfService {
  /** The token of the service. */
  readonly serviceToken: string;
  /** The token of the user, from the answer to `canAccess` (P-3.6.2-13). */
  readonly userToken: string;
}

/** A user has logged in to the service (P-3.6.2-15). */
export interface UserLoggedIn extends UserOfService {
  /** The name the user has logged in by; the figures call it userId (P-E24). */
  readonly userName: string;
}

/** May a user do something in a service? (P-3.7.1-1) */
export interface HasPrivilege extends UserOfService {
  /** What: a full Privilege ID (P-3.7.1-5). */
  readonly privilegeId: string;
}

/** The answer to `hasPrivilege`. */
export interface HasPrivilegeResponse {
  /** True if they may. */
  readonly result: boolean;
}

/** Makes `canAccess`. */
export function buildCanAccess({ serviceToken, credentials }: CanAccess): XmlElement {
  return el("canAccess", { xmlns: ns.provisioning, serviceToken }, ...credentials.map(buildCredential));
}

/** Reads `canAccess`, also in the older form of the listings (P-E5). Throws `ERR_PROTOCOL`. */
export function parseCanAccess(element: XmlElement | undefined): CanAccess {
  const canAccess = expect(element, "canAccess");
  return { serviceToken: present(canAccess, "serviceToken"), credentials: parseCredentials(canAccess) };
}

/** Makes `canAccessResponse`. */
export function buildCanAccessResponse({ result, userToken }: CanAccessResponse): XmlElement {
  return el("canAccessResponse", { xmlns: ns.provisioning, userToken, result });
}

/**
 * Reads `canAccessResponse`. Throws `ERR_PROTOCOL`, also for a token with white space: among those of other servers it could not be
 * told where it ends (P-3.1.3-14, P-E15).
 */
export function parseCanAccessResponse(element: XmlElement | undefined): CanAccessResponse {
  const response = expect(element, "canAccessResponse");
  const result = requiredFlag(response, "result");
  const userToken = nonEmpty(response, "userToken");
  if (!result || userToken === undefined) return { result };
  if (!isToken(userToken)) throw new ProtocolError("a token with white space", at(response, "userToken"));
  return { result, userToken };
}

/** Makes `userLoggedIn`; it goes in a message. */
export function buildUserLoggedIn({ serviceToken, userToken, userName }: UserLoggedIn): XmlElement {
  return el("userLoggedIn", { xmlns: ns.provisioning, serviceToken, userToken, userName });
}

/** Reads `userLoggedIn`. Throws `ERR_PROTOCOL`. */
export function parseUserLoggedIn(element: XmlElement | undefined): UserLoggedIn {
  const loggedIn = expect(element, "userLoggedIn");
  return { ...parseUser(loggedIn), userName: present(loggedIn, "userName") };
}

/** Makes `hasPrivilege`. */
export function buildHasPrivilege({ serviceToken, userToken, privilegeId }: HasPrivilege): XmlElement {
  return el("hasPrivilege", { xmlns: ns.provisioning, serviceToken, userToken, privilegeId });
}

/** Reads `hasPrivilege`. Throws `ERR_PROTOCOL`, also for what is no Privilege ID (P-3.7.1-2, P-E11). */
export function parseHasPrivilege(element: XmlElement | undefined): HasPrivilege {
  const question = expect(element, "hasPrivilege");
  const privilegeId = required(question, "privilegeId");
  if (!isPrivilegeId(privilegeId)) throw new ProtocolError("not a Privilege ID", at(question, "privilegeId"));
  return { ...parseUser(question), privilegeId };
}

/** Makes `hasPrivilegeResponse`. */
export function buildHasPrivilegeResponse({ result }: HasPrivilegeResponse): XmlElement {
  return el("hasPrivilegeResponse", { xmlns: ns.provisioning, result });
}

/** Reads `hasPrivilegeResponse`. Throws `ERR_PROTOCOL`. */
export function parseHasPrivilegeResponse(element: XmlElement | undefined): HasPrivilegeResponse {
  return { result: requiredFlag(expect(element, "hasPrivilegeResponse"), "result") };
}

/** Makes `downloadPrivileges` (P-3.7.2-1). */
export function buildDownloadPrivileges({ serviceToken, userToken }: UserOfService): XmlElement {
  return el("downloadPrivileges", { xmlns: ns.provisioning, serviceToken, userToken });
}

/** Reads `downloadPrivileges`. Throws `ERR_PROTOCOL`. */
export function parseDownloadPrivileges(element: XmlElement | undefined): UserOfService {
  return parseUser(expect(element, "downloadPrivileges"));
}

/** Makes `downloadPrivilegesResponse`: the entries in their order (P-3.7.2-2). */
export function buildDownloadPrivilegesResponse(privileges: readonly Privilege[]): XmlElement {
  const entries = privileges.map((entry) =>
    entry.include === undefined ? el("exclude", { id: entry.exclude }) : el("include", { id: entry.include }),
  );
  return el("downloadPrivilegesResponse", { xmlns: ns.provisioning }, ...entries);
}

/**
 * Reads `downloadPrivilegesResponse`, also without its namespace, as listing 24 has it (P-E6). Throws `ERR_PROTOCOL`: for an entry that
 * is no Privilege ID, and for a child that is not known, since what is not understood may be what takes a privilege away. An empty ID is the
 * root (P-E23).
 */
export function parseDownloadPrivilegesResponse(element: XmlElement | undefined): readonly Privilege[] {
  const name = "downloadPrivilegesResponse";
  const response = element?.is(name) && isBare(element) ? element : expect(element, name);
  return response.getChildElements().map((child) => {
    const id = optional(child, "id");
    const kind = localName(child);
    const isKnown = child.is(kind, ns.provisioning) || (isBare(response) && isBare(child));
    if (!isKnown || (kind !== "include" && kind !== "exclude")) {
      throw new ProtocolError(`an unknown entry, ${child.name}`, response.name);
    }
    if (id === undefined || (id !== "" && !isPrivilegeId(id))) {
      throw new ProtocolError("not a Privilege ID", `${response.name}/${at(child, "id")}`);
    }
    return kind === "include" ? { include: id } : { exclude: id };
  });
}

/** In no namespace of its own: that of the stream is in force. */
function isBare(element: XmlElement): boolean {
  const namespace = element.getNS() ?? "";
  return namespace === "" || namespace === ns.client;
}

function parseUser(element: XmlElement): UserOfService {
  return { serviceToken: present(element, "serviceToken"), userToken: present(element, "userToken") };
}

/** An attribute that must be there; an empty one says nothing (X-E6). */
function present(element: XmlElement, name: string): string {
  const value = nonEmpty(element, name);
  if (value === undefined) throw new ProtocolError("missing attribute", at(element, name));
  return value;
}
