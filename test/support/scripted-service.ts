// A service whose other end is the test: provisioning servers that say what the test wants.
import { ns } from "../../src/codec/namespaces.ts";
import { buildRoster } from "../../src/codec/roster.ts";
import {
  buildCanAccessResponse,
  buildDownloadPrivilegesResponse,
  buildHasPrivilegeResponse,
  type CanAccessResponse,
} from "../../src/codec/service.ts";
import { isPrivilegeGranted, type Privilege } from "../../src/codec/privileges.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { ConnectionError } from "../../src/core/errors.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { serviceLinkSeam, type ServiceLinkParts, type WithServiceLink } from "../../src/service/link.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { ServiceClient } from "../../src/service/service-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { deviceCertificate } from "./device-certificate.ts";
import { ScriptedWire, listeningLogger, type Said } from "./scripted-wire.ts";
import { tokenPeer } from "./token-peer.ts";

export const provisioning = "provisioning.example.org";
export const own = "energy@example.org";
const certificate = deviceCertificate({ name: "energy" });

/** A provisioning server for services, as little as it takes. */
export interface ScriptedAuthority {
  /** The answer to the next canAccess. */
  access: CanAccessResponse | Said;
  /** The user's privileges before and after a login; `undefined` in the place of a list: what it says instead. */
  privileges: readonly Privilege[];
  /** Those after a login; default the same. */
  afterLogin: readonly Privilege[] | undefined;
  /** Says something else to a question, if it gives something. */
  instead: (payload: XmlElement) => Said | "go on" | Promise<Said | "go on">;
  /** What it was asked, by name. */
  readonly asked: XmlElement[];
  /** A user has logged in. */
  isLoggedIn: boolean;
}

/** A service, its wire and its servers. */
export interface ScriptedService {
  readonly service: ServiceClient;
  readonly clock: SimulatedClock;
  readonly logger: ReturnType<typeof listeningLogger>;
  readonly faults: string[];
  /** The wire of the stream there is now. */
  readonly wire: () => ScriptedWire;
  /** The stream ends. */
  drop(): void;
  /** Another one comes up. */
  up(): void;
}

export function authority(): ScriptedAuthority {
  return {
    access: { result: true, userToken: "USER1" },
    privileges: [],
    afterLogin: undefined,
    instead: () => "go on",
    asked: [],
    isLoggedIn: false,
  };
}

async function answer(of: ScriptedAuthority, payload: XmlElement, tokens: ReturnType<typeof tokenPeer>): Promise<Said> {
  of.asked.push(payload);
  const instead = await of.instead(payload);
  if (instead !== "go on") return instead;
  const list = of.isLoggedIn ? (of.afterLogin ?? of.privileges) : of.privileges;
  switch (payload.name) {
    case "canAccess":
      return typeof of.access === "object" && "result" in of.access ? buildCanAccessResponse(of.access) : of.access;
    case "hasPrivilege":
      return buildHasPrivilegeResponse({ result: isPrivilegeGranted(list, payload.attrs["privilegeId"] ?? "") });
    case "downloadPrivileges":
      return buildDownloadPrivilegesResponse(list);
    case "ping":
      return undefined;
    default:
      return tokens.peer(payload, "get", "");
  }
}

/** Starts a service; it is connected. */
export async function scriptedService(
  authorities: Readonly<Record<string, ScriptedAuthority>>,
  overrides: Partial<ServiceOptions> = {},
): Promise<ScriptedService> {
  const clock = new SimulatedClock();
  const logger = listeningLogger();
  const faults: string[] = [];
  let wire: ScriptedWire | undefined;
  let parts: ServiceLinkParts | undefined;
  const peers = Object.entries(authorities).map(([jid, of]) => ({ jid, of, tokens: tokenPeer(jid) }));
  const up = (): void => {
    if (parts === undefined) return;
    const next = new ScriptedWire(parts.channel, `${own}/service`);
    next.peer(own, () => buildRoster([]));
    for (const { jid, of, tokens } of peers) next.peer(jid, (payload) => answer(of, payload, tokens));
    wire = next;
    parts.channel.attach(next);
    parts.onState({ is: "online", jid: next.jid.full });
  };
  const drop = (): void => {
    const reason = new ConnectionError("dropped");
    parts?.channel.detach(reason);
    parts?.onState({ is: "waiting", ms: 1, reason });
  };
  const options: ServiceOptions & WithServiceLink = {
    service: "xmpp://example.org",
    account: { username: "energy", password: "pa55word" },
    certificate: { content: certificate.cert + certificate.keyPem },
    storage: memoryStorage(),
    provisioning: Object.keys(authorities),
    random: new SeededRandom("service"),
    ...{ clock, logger },
    ...overrides,
    [serviceLinkSeam]: (made) => {
      parts = made;
      return {
        start: up,
        stop: () => {
          drop();
          made.onState({ is: "stopped" });
          return Promise.resolve();
        },
      };
    },
  };
  const service = await ServiceClient.connect(options);
  service.on("fault", ({ code, message }) => void faults.push(`${code}: ${message}`));
  return {
    ...{ service, clock, logger, faults, drop, up },
    wire: () => {
      if (wire === undefined) throw new Error("there is no stream");
      return wire;
    },
  };
}

/** The namespace in which all of it is. */
export const namespace = ns.provisioning;
