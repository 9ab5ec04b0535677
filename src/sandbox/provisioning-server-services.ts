// XEP-0324 Internet of Things - Provisioning 0.5.1, sections 3.6 and 3.7, the server's side: what services ask of their users.
import { messageOf } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { Credential } from "../codec/credentials.ts";
import { decidingPrivilege, isPrivilegeGranted, type Privilege } from "../codec/privileges.ts";
import {
  buildCanAccessResponse,
  buildDownloadPrivilegesResponse,
  buildHasPrivilegeResponse,
  parseCanAccess,
  parseDownloadPrivileges,
  parseHasPrivilege,
  parseUserLoggedIn,
  type CanAccess,
  type HasPrivilege,
  type UserOfService,
} from "../codec/service.ts";
import type { XmlElement } from "../codec/xml.ts";
import { namesOf, type Identity } from "./identities.ts";
import type { People } from "./people.ts";
import type { AskedQuestion, QuestionKind } from "./provisioning-server-options.ts";
import type { Proofs, Proved } from "./provisioning-server-proofs.ts";
import type { RuleBook } from "./rule-book.ts";
import type { SeenNames } from "./seen-names.ts";
import type { LaterAnswer, ServiceAnswer } from "./service-frame.ts";
import type { Session, Sessions } from "./sessions.ts";
import { Turns } from "./turns.ts";

/** What a {@link ServiceDesk} is made of. */
export interface ServiceDeskOptions {
  /** Who is behind the tokens. */
  readonly proofs: Proofs;
  /** The rules. */
  readonly book: RuleBook;
  /** Users, roles and their privileges. */
  readonly people: People;
  /** The users in services. */
  readonly sessions: Sessions;
  /** Names that nobody told the server of. */
  readonly names: SeenNames;
  /** Where oddities are told, without tokens. */
  readonly logger: Logger;
  /** A question was answered. */
  readonly asked: (from: Jid, question: Omit<AskedQuestion, "thing">) => void;
  /** A service that is called so has asked from there. */
  readonly serves: (jid: BareJid, service: readonly string[]) => void;
  /** Who was answered because of this session, and this one who tells of it, are to forget. */
  readonly changed: (session: Session, by: BareJid) => void;
}

/** Answers what services ask about their users, by rules and lists. */
export class ServiceDesk {
  readonly #options: ServiceDeskOptions;
  readonly #turns = new Turns();

  constructor(options: ServiceDeskOptions) {
    this.#options = options;
  }

  /** May a user be let in (P-3.6.2-12)? A service whose token is not proved is none: the answer is no. */
  canAccess(payload: XmlElement, from: Jid): LaterAnswer {
    const question = parseCanAccess(payload);
    return this.#whenProved(from, "canAccess", question, (proved) => {
      const token = this.#letIn(from, question, proved);
      return { result: token !== undefined, payload: buildCanAccessResponse(accessAnswer(token)) };
    });
  }

  /** May a user do something in the service (P-3.7.1-1)? */
  hasPrivilege(payload: XmlElement, from: Jid): LaterAnswer {
    const question = parseHasPrivilege(payload);
    return this.#whenProved(from, "hasPrivilege", question, ({ services }) => {
      const { names, people } = this.#options;
      for (const service of services) {
        if (people.isMentioned(namesOf(service), question.privilegeId)) continue;
        names.note("privilege", nameOf(service), question.privilegeId);
      }
      // Of several services the most forgiving (P-3.1.5-3).
      const lists = services.map((service) => this.#privileges(service, question, from));
      const result = lists.some((list) => isPrivilegeGranted(list, question.privilegeId));
      if (lists.every((list) => decidingPrivilege(list, question.privilegeId) === undefined))
        this.#leaveOpen(from, question, services);
      return { result, payload: buildHasPrivilegeResponse({ result }) };
    });
  }

  /** All that a user may do in the service (P-3.7.2-2). One list: that of two services together would be neither's. */
  downloadPrivileges(payload: XmlElement, from: Jid): LaterAnswer {
    const question = parseDownloadPrivileges(payload);
    return this.#whenProved(from, "downloadPrivileges", question, ({ services }) => {
      const lists = services.map((service) => this.#privileges(service, question, from));
      const list = lists.find(({ length }) => length > 0) ?? [];
      return { result: list.length > 0, payload: buildDownloadPrivilegesResponse(list) };
    });
  }

  /** A user has logged in to the service (P-E24). A message: nobody is answered, and what is wrong with it is told in the log. */
  userLoggedIn(payload: XmlElement, from: Jid): void {
    const { proofs, sessions, people, names, logger, changed } = this.#options;
    const ignore = (error: unknown): void =>
      logger.warn("userLoggedIn could not be taken", { from: from.full, why: messageOf(error) });
    try {
      const { serviceToken, userToken, userName } = parseUserLoggedIn(payload);
      const taken = this.#turns.take(from);
      const later = proofs.whenProved(from, { jid: from.bare, tokens: { serviceToken } }, ({ services }) => {
        for (const service of services) {
          const session = sessions.find(userToken, namesOf(service));
          // Its tokens go to the Things that it reads (P-5.6-1), and for a minute it answers challenges of who has them.
          if (session?.by !== from.bare) continue;
          if (!people.isKnown(userName)) names.note("user", nameOf(service), userName);
          if (sessions.loggedIn(session, userName)) changed(session, from.bare);
        }
        return {};
      });
      try {
        later.later((answer) => taken(() => void answer()));
      } catch (error) {
        taken(() => undefined);
        throw error;
      }
    } catch (error) {
      ignore(error);
    }
  }

  /** The session behind a user token, if the user would still be let in by the rules of this moment. */
  session(token: string, service: Identity): Session | undefined {
    const session = this.#options.sessions.find(token, namesOf(service));
    return session !== undefined && this.#isLetIn(session, service) ? session : undefined;
  }

  /** Somebody has gone. */
  gone(jid: Jid): void {
    this.#turns.gone(jid);
  }

  /** Ends all that waits. */
  stop(): void {
    this.#turns.stop();
  }

  #letIn(from: Jid, { credentials }: CanAccess, { services, names }: Proved): string | undefined {
    const { book, sessions } = this.#options;
    const matter = { thing: from.bare, credentials };
    const ruled = services.map((service) => {
      if (service.name === undefined) this.#options.names.note("service", nameOf(service), nameOf(service));
      return { service, rule: book.rulesFor("access", [{ service: namesOf(service) }], matter)[0] };
    });
    const granting = ruled.find(({ rule }) => rule?.access === true);
    if (granting !== undefined) return sessions.begin(nameOf(granting.service), from.bare, credentials).token;
    if (ruled.length > 0 && ruled.every(({ rule }) => rule === undefined)) {
      const who = { thing: from.bare, jid: from.bare, identities: names };
      book.leftOpen({ ...nothing, ...who, kind: "canAccess", credentials: shown(credentials) });
    }
    return undefined;
  }

  /** No list speaks of it: people may, where the user is one who is there. */
  #leaveOpen(from: Jid, { userToken, privilegeId }: HasPrivilege, services: readonly Identity[]): void {
    for (const service of services) {
      const session = this.#own(userToken, service, from);
      if (session === undefined) continue;
      const { userName, credentials } = session;
      this.#options.book.leftOpen({
        ...{ ...nothing, kind: "hasPrivilege", thing: from.bare, jid: from.bare, identities: [nameOf(service)] },
        ...{ credentials: shown(credentials), privilege: privilegeId },
        ...(userName !== undefined && { userName }),
      });
    }
  }

  #isLetIn({ by, credentials }: Session, service: Identity): boolean {
    const acting = [{ service: namesOf(service) }];
    return this.#options.book.rulesFor("access", acting, { thing: by, credentials })[0]?.access === true;
  }

  /** The session of a user, for the service itself: not for a Thing that has its tokens, since it was read with them. */
  #own(token: string, service: Identity, from: Jid): Session | undefined {
    const session = this.session(token, service);
    return session?.by === from.bare ? session : undefined;
  }

  #privileges(service: Identity, { userToken }: UserOfService, from: Jid): readonly Privilege[] {
    return this.#options.people.privilegesOf(namesOf(service), this.#own(userToken, service, from)?.userName);
  }

  #whenProved(
    from: Jid,
    kind: QuestionKind,
    question: { readonly serviceToken: string; readonly userToken?: string },
    decide: (proved: Proved) => { readonly result: boolean; readonly payload: XmlElement },
  ): LaterAnswer {
    const { proofs, sessions, asked, serves } = this.#options;
    const { serviceToken, userToken } = question;
    const proving = proofs.whenProved(from, { jid: from.bare, tokens: { serviceToken } }, (proved): ServiceAnswer => {
      const { result, payload } = decide(proved);
      if (userToken !== undefined) sessions.answered(userToken, from.bare);
      for (const service of proved.services) serves(from.bare, namesOf(service));
      const { names } = proved;
      asked(from, { kind, jid: from.bare, result, ...(names.length > 0 && { identities: names }) });
      return { payload };
    });
    return {
      later: (answer) => {
        const taken = this.#turns.take(from);
        try {
          proving.later((make) => taken(() => answer(make)));
        } catch (error) {
          taken(() => undefined);
          throw error;
        }
      },
    };
  }
}

const nothing = { nodes: [], fields: [], types: [], parameters: [] } as const;

/** Credentials without the secret among them, which may open more than this service. */
function shown(credentials: readonly Credential[]): readonly Credential[] {
  return credentials.filter(({ type }) => type !== "sso");
}

/** What a service is called where it is called one thing only. */
function nameOf({ name, certificate }: Identity): string {
  return name ?? certificate.fingerprint;
}

function accessAnswer(userToken: string | undefined): { result: boolean; userToken?: string } {
  return userToken === undefined ? { result: false } : { result: true, userToken };
}
