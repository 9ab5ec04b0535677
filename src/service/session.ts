// A user in a service: XEP-0324 3.6.2, 3.7, 5.6; figures 15 to 17.
import { timeLeft, withDeadline, type CallOptions, checkCallAlone } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ConfigError, StateError, TimeoutError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Credential } from "../codec/credentials.ts";
import { isPrivilegeId, type Privilege } from "../codec/privileges.ts";
import {
  buildCanAccess,
  buildDownloadPrivileges,
  buildHasPrivilege,
  buildUserLoggedIn,
  parseCanAccessResponse,
  parseDownloadPrivilegesResponse,
  parseHasPrivilegeResponse,
} from "../codec/service.ts";
import { message } from "../codec/stanza.ts";
import { isXmlText } from "../codec/xml.ts";
import type { ControlForm, ControlOutcome, ParameterValues } from "../control/controller.ts";
import { BARRIER_TIMEOUT, type Barrier } from "../provisioning/barrier.ts";
import type { Readout } from "../sensor/remote-readout.ts";
import type { ServiceActing, ServiceControlOptions, ServiceFormOptions, ServiceReadOptions } from "./acting.ts";
import { ASK_TIMEOUT, type Answers, type Authorities } from "./authorities.ts";
import { PrivilegeCache } from "./privilege-cache.ts";

/** What a session is made of. */
export interface SessionParts {
  readonly authorities: Authorities;
  readonly acting: ServiceActing;
  /** When what is remembered counts. */
  readonly barrier: Barrier;
  readonly clock: Clock;
  /** Counts the times when rights were cleared. */
  readonly epoch: () => number;
  /** The stream there is at the moment: what was sent on another one may not have arrived. */
  readonly stream: () => object | undefined;
}

/** The privileges that one provisioning server has listed for a user. */
export interface ServerPrivileges {
  /** The server. */
  readonly server: BareJid;
  /** Its list, in its order: the first entry that fits a Privilege ID decides. */
  readonly privileges: readonly Privilege[];
}

/** A user has logged in. */
interface Login {
  readonly userName: string;
  /** On which stream the servers were told. */
  toldOn: object | undefined;
}

/** Who has let the user in: each with the token that it knows the user by, if it has given one. */
type Access = ReadonlyMap<BareJid, string | undefined>;

// Longer than any tree of privileges that people can survey; a stanza that is too large would end the stream.
const LONGEST_ID = 1_024;
const LONGEST_NAME = 1_024;
// A server's token goes along with each request: longer ones are of no use to anybody.
const LONGEST_TOKEN = 2_048;

/**
 * A user whom the provisioning servers have let into the service. What it remembers it forgets when the user logs in and when a server
 * says `clearCache`; then, and when there was no connection, the servers are asked anew, first of all whether the user may be there at
 * all. In doubt the answer is no, or an error: never a yes.
 *
 * Calls reject with `ERR_TIMEOUT` (default 30,000 ms), `ERR_CONNECTION` while there is no connection, `ERR_STANZA` or `ERR_PROTOCOL`
 * for what a server answered, when no server says yes and not all have answered.
 */
export class ServiceSession {
  readonly #parts: SessionParts;
  readonly #credentials: readonly Credential[];
  readonly #privileges = new PrivilegeCache();
  // Equal questions at the same time become one.
  readonly #underWay = new Map<string, Promise<boolean>>();
  #access: Access;
  #epoch: number;
  #renewing: Promise<void> | undefined;
  #login: Login | undefined;
  #downloads = false;
  #isOver = false;

  /** @internal */
  constructor(parts: SessionParts, credentials: readonly Credential[], access: Access, epoch: number) {
    this.#parts = parts;
    this.#credentials = credentials;
    this.#access = access;
    this.#epoch = epoch;
  }

  /**
   * Tells whether the user may still be in the service. Asks nobody while nothing has been cleared; once it is a no it stays one: the
   * user has to come again, by {@link ServiceClient.canAccess}.
   */
  async hasAccess(options: CallOptions = {}): Promise<boolean> {
    checkCallAlone(options);
    return (await this.#current(options)) !== undefined;
  }

  /**
   * Tells the provisioning servers that the user has logged in (P-3.6.2-15), and forgets what is remembered: a user who is
   * known by name may have other privileges. Another name than before is another user, who is asked about anew (`canAccess`). Whether the password was right is for the service to see. Resolves when that is sent; XEP-0324 has
   * no acknowledgement, so it is sent again on a new connection. `ERR_STATE` when the user may not be there any more, `ERR_CONFIG` for
   * a name that is none.
   */
  async loggedIn(userName: string, options: CallOptions = {}): Promise<void> {
    checkCallAlone(options);
    if (typeof userName !== "string" || userName === "" || userName.length > LONGEST_NAME || !isXmlText(userName)) {
      throw new ConfigError(`userName: must be a text of 1 to ${LONGEST_NAME} characters`);
    }
    const left = this.#timeLeft(options);
    let access: Access | undefined;
    do {
      if (this.#isAnother(userName)) {
        // Somebody else: a server that does not hear of it must not go on as for the one before. A new token has no name yet.
        this.#login = undefined;
        this.#epoch = NaN;
      }
      access = await this.#current(left());
      if (access === undefined) throw over();
    } while (this.#isAnother(userName)); // who has logged in meanwhile
    this.#login = { userName, toldOn: undefined };
    await this.#tellLogin(this.#login, access, left());
  }

  /**
   * Tells whether the user may do something, by its full Privilege ID: `Databases.Energy.Select` (XEP-0324 3.7.1). IDs are the service's own; put nothing
   * variable into them, no user names and no Things. Several servers: what one of them grants is granted. `ERR_CONFIG` for a text
   * that is no Privilege ID.
   *
   * @example
   * ```ts
   * import type { ServiceSession } from "xmpp-thing/service";
   *
   * async function show(session: ServiceSession): Promise<string> {
   *   if (!(await session.hasPrivilege("Sensors.View"))) return "You may not see sensors.";
   *   const [group] = await session.read("thermometer@example.org");
   *   return JSON.stringify(group?.fields);
   * }
   * ```
   */
  async hasPrivilege(id: string, options: CallOptions = {}): Promise<boolean> {
    checkCallAlone(options);
    if (typeof id !== "string") throw new ConfigError("id: must be a Privilege ID, a text");
    if (id.length > LONGEST_ID || !isPrivilegeId(id)) {
      throw new ConfigError(`"${id.slice(0, 64)}" is no Privilege ID: parts divided by periods, none of them empty`);
    }
    const left = this.#timeLeft(options);
    const access = await this.#current(left());
    if (access === undefined) return false;
    const users = usersIn(access);
    const servers = users.map(([server]) => server);
    if (servers.length === 0) return false; // nobody knows the user by a token
    const known = this.#privileges.known(id, servers);
    if (known !== undefined) return known;
    const { generation } = this.#privileges;
    const shared = `${generation} ${id}`;
    let asked = this.#underWay.get(shared);
    if (asked === undefined) {
      asked = this.#ask(id, users, generation).finally(() => this.#underWay.delete(shared));
      this.#underWay.set(shared, asked);
    }
    const joined = asked;
    return withDeadline(this.#parts.clock, left(), `asking for ${id}`, () => joined);
  }

  /**
   * Downloads all privileges of the user (XEP-0324 3.7.2). From then on {@link hasPrivilege} decides by these lists, without asking; after a login
   * or `clearCache` it downloads them again first. Resolves to the lists; none for a user who may not be there any more. Rejects if a server
   * does not give its list.
   */
  async downloadPrivileges(options: CallOptions = {}): Promise<readonly ServerPrivileges[]> {
    checkCallAlone(options);
    const left = this.#timeLeft(options);
    const access = await this.#current(left());
    if (access === undefined) return [];
    this.#downloads = true;
    const { by, failure } = await this.#download(usersIn(access), this.#privileges.generation, left());
    if (failure !== undefined) throw failure as Error;
    return [...by].map(([server, privileges]) => ({ server, privileges }));
  }

  /**
   * Reads a Thing for the user: the service's own tokens and the user's go along (P-5.6-1), so that the Thing's provisioning
   * server can decide by both. As {@link ServiceClient.read}; `ERR_STATE` when the user may not be there any more, or no server has
   * given a user token: with its own tokens alone the service would act of its own accord.
   */
  read(jid: string, options: ServiceReadOptions = {}): Readout {
    return this.#parts.acting.read(jid, options, (limits) => this.#userTokens(limits));
  }

  /** Sets parameters of a Thing for the user, likewise. As {@link ServiceClient.control}; `ERR_STATE` as {@link read}. */
  control(jid: string, values: ParameterValues, options: ServiceControlOptions = {}): Promise<ControlOutcome> {
    return this.#parts.acting.control(jid, values, options, (limits) => this.#userTokens(limits));
  }

  /** Asks what the user may control of a Thing, likewise. As {@link ServiceClient.getForm}; `ERR_STATE` as {@link read}. */
  getForm(jid: string, options: ServiceFormOptions = {}): Promise<ControlForm> {
    return this.#parts.acting.getForm(jid, options, (limits) => this.#userTokens(limits));
  }

  async #userTokens({ signal, timeout }: CallOptions): Promise<readonly string[]> {
    const access = await this.#current({ signal, timeout });
    if (access === undefined) throw over();
    const tokens = usersIn(access).map(([, token]) => token);
    // Without any it would be done as the service's own: whatever the service may, the user might (P-5.6-1).
    if (tokens.length === 0)
      throw new StateError("no provisioning server has given the user a token to read and control with");
    return tokens;
  }

  #isAnother(userName: string): boolean {
    return this.#login !== undefined && this.#login.userName !== userName;
  }

  #timeLeft(options: CallOptions): () => CallOptions {
    return timeLeft(this.#parts.clock, options, ASK_TIMEOUT);
  }

  /** Who lets the user in, by what counts now; `undefined`: nobody does any more. */
  async #current({ signal: cancel, timeout = ASK_TIMEOUT }: CallOptions): Promise<Access | undefined> {
    const { clock, epoch, stream } = this.#parts;
    const limits = { signal: cancel, timeout };
    return withDeadline(clock, limits, "asking whether the user may be there", async (signal) => {
      if (!(await this.#barrierFalls(signal))) this.#epoch = NaN;
      while (!this.#isOver && this.#epoch !== epoch()) {
        this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
        await this.#renewing;
        signal.throwIfAborted();
      }
      if (this.#isOver) return undefined;
      const login = this.#login;
      if (login !== undefined && login.toldOn !== stream()) await this.#tellLogin(login, this.#access, { signal });
      return this.#access;
    });
  }

  /** Without a connection, and right after one has come up, nothing counts that a server may have taken back meanwhile. */
  async #barrierFalls(signal: AbortSignal): Promise<boolean> {
    const { barrier, clock } = this.#parts;
    if (barrier.isDown) return true;
    try {
      await withDeadline(clock, { signal, timeout: BARRIER_TIMEOUT }, "barrier", (limited) => barrier.pass(limited));
      return true;
    } catch (error) {
      if (!(error instanceof TimeoutError) || signal.aborted) throw error;
      return false;
    }
  }

  /** XEP-0324 3.5: what was granted before is asked about again, access first of all. */
  async #renew(): Promise<void> {
    const { authorities, epoch } = this.#parts;
    const asked = epoch();
    const granted = await askAccess(authorities, this.#credentials, this.#timeLeft({}));
    this.#privileges.clear();
    if (granted === undefined) {
      this.#isOver = true;
      return;
    }
    this.#access = granted;
    this.#epoch = asked;
    if (this.#login !== undefined) this.#login.toldOn = undefined;
  }

  /** P-E24: what was known before counts no more; what follows on the stream comes after it. */
  async #tellLogin(login: Login, access: Access, options: CallOptions): Promise<void> {
    const { authorities, stream } = this.#parts;
    const { userName } = login;
    this.#privileges.clear();
    const on = stream();
    const telling = usersIn(access).map(([server, userToken]) =>
      authorities.tell(
        server,
        (serviceToken, to) => message({ to }, buildUserLoggedIn({ serviceToken, userToken, userName })),
        options,
      ),
    );
    const outcomes = await Promise.allSettled(telling);
    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    // One that is away knows the user by no name, and grants the less (P-E20).
    if (failed.length > 0 && failed.length === outcomes.length) throw failed[0]?.reason as Error;
    this.#privileges.clear(); // what was asked before it went out is the answer of before
    login.toldOn = on;
  }

  async #ask(id: string, users: Users, generation: number): Promise<boolean> {
    const servers = users.map(([server]) => server);
    if (this.#downloads) {
      await this.#download(users, generation, {});
      const known = this.#privileges.known(id, servers);
      if (known !== undefined && generation === this.#privileges.generation) return known;
    }
    const tokens = new Map(users);
    const { by, failure } = await this.#parts.authorities.ask(
      servers,
      {
        build: (serviceToken, server) =>
          buildHasPrivilege({ serviceToken, userToken: tokens.get(server) ?? "", privilegeId: id }),
        parse: parseHasPrivilegeResponse,
        isEnough: ({ result }) => result,
      },
      {},
    );
    const isGranted = [...by.values()].some(({ result }) => result);
    if (!isGranted && failure !== undefined) throw failure as Error;
    this.#privileges.learn(id, isGranted, generation);
    return isGranted;
  }

  async #download(users: Users, generation: number, options: CallOptions): Promise<Answers<readonly Privilege[]>> {
    const tokens = new Map(users);
    const answers = await this.#parts.authorities.ask(
      users.map(([server]) => server),
      {
        build: (serviceToken, server) => buildDownloadPrivileges({ serviceToken, userToken: tokens.get(server) ?? "" }),
        parse: parseDownloadPrivilegesResponse,
      },
      options,
    );
    for (const [server, list] of answers.by) this.#privileges.download(server, list, generation);
    return answers;
  }
}

type Users = readonly (readonly [BareJid, string])[];

/** The servers that know the user by a token. */
function usersIn(access: Access): Users {
  return [...access].flatMap(([server, token]) => (token === undefined ? [] : [[server, token] as const]));
}

const over = (): StateError => new StateError("the user may not be in the service any more");

/** XEP-0324 3.6.2. `undefined` for a refusal of all; rejects when nobody lets the user in and not everybody has answered. */
export async function askAccess(
  authorities: Authorities,
  credentials: readonly Credential[],
  left: () => CallOptions,
): Promise<Access | undefined> {
  const servers = await authorities.servers(left());
  const { by, failure } = await authorities.ask(
    servers,
    {
      build: (serviceToken) => buildCanAccess({ serviceToken, credentials }),
      parse: parseCanAccessResponse,
      isGood: ({ result }) => result,
    },
    left(),
  );
  const granted = [...by].filter(([, { result }]) => result);
  if (granted.length === 0 && failure !== undefined) throw failure as Error;
  if (granted.length === 0) return undefined;
  const usable = (token?: string): string | undefined => ((token?.length ?? 0) > LONGEST_TOKEN ? undefined : token);
  return new Map(granted.map(([server, { userToken }]) => [server, usable(userToken)]));
}
