// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.7: users, roles, and the privileges that they have in services.
import { ConfigError } from "../core/errors.ts";
import { checkKnown, checkTexts } from "../core/options.ts";
import { isPrivilegeId, type Privilege } from "../codec/privileges.ts";
import { isXmlText } from "../codec/xml.ts";
import { normaliseIdentity } from "./identity-name.ts";

/** A user whom the server knows, by the name that they log in to services by. */
export interface User {
  /** The name, letter by letter. */
  readonly name: string;
  /** The roles, the one whose privileges are looked at first in front. Default none. */
  readonly roles?: readonly string[];
}

/**
 * The privileges of a user or a role in one service: an ordered list, of which the first entry that fits decides
 * (P-3.7.1-7, P-3.7.1-8). With neither user nor role it is the default list: of everybody, also before a login.
 */
export interface PrivilegeList {
  /** The service: the name its certificate was enrolled under, or its fingerprint. */
  readonly service: string;
  /** The user that it is of. Not together with `role`. */
  readonly user?: string;
  /** The role that it is of. Not together with `user`. */
  readonly role?: string;
  /** Full or partial Privilege IDs: `[{ exclude: "Databases.Energy.Delete" }, { include: "Databases.Energy" }]`. */
  readonly privileges: readonly Privilege[];
}

/** The users, and the lists of privileges. */
export class People {
  #users = new Map<string, User>();
  #lists: readonly PrivilegeList[] = [];

  /** The users. */
  get users(): readonly User[] {
    return [...this.#users.values()];
  }

  /** The lists. */
  get lists(): readonly PrivilegeList[] {
    return this.#lists;
  }

  /** Puts users in the place of all others. Throws `ERR_CONFIG`; then nothing changes. */
  setUsers(users: readonly User[]): void {
    if (!Array.isArray(users))
      throw new ConfigError('users: must be a list, [{ name: "Kermit", roles: ["operator"] }]');
    const checked = new Map<string, User>();
    for (const [index, user] of (users as readonly User[]).entries()) {
      const path = `users[${index}]`;
      checkKnown(user, ["name", "roles"], path);
      checkName(user.name, `${path}.name`);
      if (checked.has(user.name)) throw new ConfigError(`${path}.name: "${user.name}" is there already`);
      if (user.roles !== undefined) checkTexts(user.roles, `${path}.roles`);
      checked.set(user.name, { name: user.name, ...(user.roles !== undefined && { roles: [...user.roles] }) });
    }
    this.#users = checked;
  }

  /**
   * Puts lists in the place of all others. Throws `ERR_CONFIG`; then nothing changes. Gives the services whose lists are
   * others now.
   */
  setLists(lists: readonly PrivilegeList[]): ReadonlySet<string> {
    if (!Array.isArray(lists)) throw new ConfigError("privileges: must be a list of lists, each with its service");
    const before = this.#lists;
    this.#lists = (lists as readonly PrivilegeList[]).map((list, index) => normalise(list, `privileges[${index}]`));
    const of = (all: readonly PrivilegeList[], service: string): string =>
      JSON.stringify(all.filter((list) => list.service === service));
    const services = new Set([...before, ...this.#lists].map(({ service }) => service));
    return new Set([...services].filter((service) => of(before, service) !== of(this.#lists, service)));
  }

  /** The lists with these entries in front of those of the same user, role or everybody. Throws `ERR_CONFIG`. */
  listsWith(list: PrivilegeList): readonly PrivilegeList[] {
    const { privileges, ...whose } = normalise(list, "list");
    const is = ({ service, user, role }: PrivilegeList): boolean =>
      service === whose.service && user === whose.user && role === whose.role;
    const before = this.#lists.find(is);
    const ids = new Set(privileges.map(({ include, exclude }) => include ?? exclude));
    const kept = before?.privileges.filter(({ include, exclude }) => !ids.has(include ?? exclude)) ?? [];
    const merged = { ...whose, privileges: [...privileges, ...kept] };
    return before === undefined ? [...this.#lists, merged] : this.#lists.map((one) => (one === before ? merged : one));
  }

  /** Tells whether there is a user of that name. */
  isKnown(userName: string): boolean {
    return this.#users.has(userName);
  }

  /** Tells whether a list of the service speaks of a Privilege ID. */
  isMentioned(service: readonly string[], id: string): boolean {
    const speaks = ({ include, exclude }: Privilege): boolean => `${id}.`.startsWith(`${include ?? exclude}.`);
    return this.#lists.some((list) => service.includes(list.service) && list.privileges.some(speaks));
  }

  /**
   * What a user may do in a service, as one ordered list: what is said of the user, of the roles in their order, of
   * everybody. Who is not known, or has not logged in, has what everybody has (P-3.7.2-4).
   *
   * @param service all that the service may be called: lists of others are none of its business (P-3.7.1-4)
   */
  privilegesOf(service: readonly string[], userName: string | undefined): readonly Privilege[] {
    const lists = this.#lists.filter((list) => service.includes(list.service));
    const user = userName === undefined ? undefined : this.#users.get(userName);
    const own = user === undefined ? [] : lists.filter((list) => list.user === user.name);
    const roles = user?.roles?.flatMap((role) => lists.filter((list) => list.role === role)) ?? [];
    const everybody = lists.filter((list) => list.user === undefined && list.role === undefined);
    return [...own, ...roles, ...everybody].flatMap(({ privileges }) => privileges);
  }
}

function normalise(list: PrivilegeList, path: string): PrivilegeList {
  checkKnown(list, ["service", "user", "role", "privileges"], path);
  const { service, privileges } = list;
  if (typeof service !== "string")
    throw new ConfigError(
      `${path}.service: must be the name or the fingerprint of a service's certificate: privileges are those of one service`,
    );
  for (const party of ["user", "role"] as const) if (party in list) checkName(list[party], `${path}.${party}`);
  if (list.user !== undefined && list.role !== undefined)
    throw new ConfigError(`${path}: of a user or of a role, not of both`);
  if (!Array.isArray(privileges)) throw new ConfigError(`${path}.privileges: must be a list, [{ include: "Sensors" }]`);
  const entries = (privileges as readonly Privilege[]).map((entry, index) =>
    checked(entry, `${path}.privileges[${index}]`),
  );
  return { ...list, service: normaliseIdentity(service, `${path}.service`), privileges: entries };
}

function checked(entry: Privilege, path: string): Privilege {
  checkKnown(entry, ["include", "exclude"], path);
  const { include, exclude } = entry;
  const id: unknown = include ?? exclude;
  if ((include === undefined) === (exclude === undefined) || typeof id !== "string")
    throw new ConfigError(`${path}: must have include or exclude, and a text there`);
  if (!isPrivilegeId(id)) throw new ConfigError(`${path}: "${id}" is no Privilege ID, such as "Sensors.View"`);
  return include === undefined ? { exclude: id } : { include: id };
}

/** A name that comes over the wire in the same letters; left out where `undefined` is given, it would be everybody's. */
function checkName(name: unknown, path: string): void {
  if (typeof name === "string" && name !== "" && isXmlText(name) && !/[\t\n\r]/.test(name)) return;
  throw new ConfigError(`${path}: must be a text, not empty, as it goes through XML`);
}
