/**
 * A whole XMPP site in one process, for demos and tests: server, Thing Registry, Provisioning Server.
 *
 * @packageDocumentation
 */
export { startSandbox } from "./sandbox.ts";
export type { HostingOptions, Sandbox, SandboxOptions, SandboxUser } from "./sandbox.ts";
export type { FurtherProvisioning, Hosting, ProvisioningSettings } from "./sandbox-provisioning.ts";
export type { AnnounceOptions, Announcement } from "./announce.ts";
export type { DhcpCounts } from "./announce-dhcp.ts";
export { ReferenceRegistry } from "./registry.ts";
export type { KeptRegistryOptions, RegisteredThing, RegistryOptions } from "./registry-options.ts";
export type { RegistrySettings } from "./registry-limits.ts";
export type { DueNotice } from "./registry-notices.ts";
export { levelProvisioningKeeper } from "./provisioning-level.ts";
export type { KeptChange, ProvisioningKeeper } from "./provisioning-server-kept.ts";
export { levelKeeper } from "./registry-level.ts";
export { MemoryKeeper, recordKey } from "./registry-records.ts";
export type { RecordClaim, RecordKeeper, RecordRemoval, RegistryRecord } from "./registry-records.ts";
export { ReferenceProvisioningServer } from "./provisioning-server.ts";
export type {
  AskedQuestion,
  KeptProvisioningServerOptions,
  ProvisioningServerOptions,
  QuestionKind,
  UndecidedQuestion,
} from "./provisioning-server-options.ts";
export type { PrivilegeList, User } from "./people.ts";
export type { AggregateOptions, SeenName } from "./seen-names.ts";
export type { UndecidedListener } from "./rule-book.ts";
export type { CredentialConditions } from "./credential-conditions.ts";
export type { ChallengePolicy } from "./provisioning-server-challenges.ts";
export type { ChallengePadding } from "./identity-certificate.ts";
export type { KnownIdentity } from "./identities.ts";
export type { StanzaListener } from "./server/domain.ts";
export type { HostedAccount, StanzaService } from "./stanza-service.ts";
export type { FriendshipOutcome } from "./service-friends.ts";
export type { ControlLimits, ReadLimits, Rule, Within } from "./rules.ts";
export { attachComponent, type AttachOptions, type Attachment } from "./attach-component.ts";
export { attachAccount } from "./attach-account.ts";
export type { AccountAttachment, AttachAccountOptions, TlsPolicy } from "./attach-account.ts";
export { SimulatedClock, type SimulatedClockOptions } from "./simulated-clock.ts";
export { SeededRandom } from "./seeded-random.ts";
export type { XmlElement } from "../codec/xml.ts";
export type { Credential, ProtocolName } from "../codec/credentials.ts";
export type { FieldType } from "../codec/field-types.ts";
export type { Privilege } from "../codec/privileges.ts";
export type { NodeRef } from "../codec/node-ref.ts";
export type { RosterItem, Subscription } from "../codec/roster.ts";
export type { Tag } from "../codec/tags.ts";
export type { CallOptions } from "../core/abort.ts";
export type { Clock, Timer } from "../core/clock.ts";
export type { BareJid } from "../core/jid.ts";
export type { LogFields, Logger } from "../core/logger.ts";
export type { RandomSource } from "../core/random.ts";
