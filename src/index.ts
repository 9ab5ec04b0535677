/**
 * The device's side: a {@link Thing} that is registered, claimed, provisioned and read.
 *
 * @packageDocumentation
 */
export { Thing } from "./thing/thing.ts";
export type { AccountOptions, ServerOptions, ThingOptions } from "./thing/options.ts";
export type { OnBehalf, ThingControlOptions, ThingFormOptions, ThingReadOptions } from "./thing/acting.ts";
export type { DecisionMade, ThingClaimed, ThingDisowned, ThingEvents, ThingRemoved } from "./thing/events.ts";
export type { Fault, FaultCode } from "./thing/faults.ts";
export type { ResetOptions } from "./thing/reset.ts";
export type { NodeDefinition } from "./thing/node-definition.ts";
export type { ThingNode } from "./thing/nodes.ts";
export type { UpdateTagsOptions } from "./thing/update-tags.ts";
export type {
  AccountReset,
  Leaving,
  Link,
  Ownership,
  ThingCondition,
  ThingState,
  Trust,
  TrustedServer,
  TrustOrigin,
} from "./thing/state.ts";
export type { Paired, PairingEnded, PairingOptions, PairingWindow } from "./thing/pairing.ts";
export type { PairingOutcome } from "./thing/pairing-windows.ts";
export type { Rights } from "./thing/rights.ts";
export type { Right } from "./provisioning/right.ts";
export type { CertificateOptions, MakeCertificateOptions } from "./provisioning/certificate-options.ts";
export type { Padding } from "./provisioning/decrypt.ts";
export type { RightsOptions } from "./provisioning/rights-cache.ts";
export type { RightsCounters } from "./provisioning/rights-store.ts";
export type { Decision, DecisionSource } from "./provisioning/decision.ts";
export type { ControlQuestion, FriendQuestion, Question, ReadQuestion } from "./provisioning/questions.ts";
export type { IncomingRequest } from "./provisioning/incoming-request.ts";
export type { Grant } from "./provisioning/grants.ts";
export type { ControlForm, ControlValue, FormParameter, ParameterOption } from "./control/control-form.ts";
export type { ParameterValue, ParameterValues } from "./control/control-values.ts";
export type { ControlOptions, ControlOutcome, FormOptions } from "./control/controller.ts";
export type {
  BooleanParameter,
  Bounds,
  ColorParameter,
  ControlContext,
  ControlParameter,
  DateTimeParameter,
  LongParameter,
  NumberParameter,
  ParameterBase,
  StringParameter,
  TemporalParameter,
} from "./control/definition.ts";
export type { FieldDefinition, ReadContext, Reading, SensorDefinition } from "./sensor/definition.ts";
export { ReadoutError, type NodeFailure } from "./sensor/readout-error.ts";
export type { FieldReading } from "./sensor/field-reading.ts";
export type { Moment, ReadOptions, ReadoutStage } from "./sensor/read-options.ts";
export type { Readout } from "./sensor/remote-readout.ts";
export type { FieldQuality, FieldQualitySet, FieldType, FieldTypeSet } from "./codec/field-types.ts";
export type { NodeRef } from "./codec/node-ref.ts";
export type { Field, FieldGroup, FieldValue, NumericValue } from "./codec/sensor-data.ts";
export { formatClaimText, parseClaimText } from "./codec/claim-text.ts";
export type { Tag, Tags } from "./codec/tags.ts";
export type { Tokens } from "./codec/tokens.ts";
export type { CanControl } from "./codec/can-control.ts";
export type { ParameterKind } from "./codec/control.ts";
export type { CanRead } from "./codec/provisioning.ts";
export type { KeepaliveOptions } from "./connection/keepalive.ts";
export type { TlsPolicy } from "./connection/tls-policy.ts";
export type { ProvisioningMethods, RegistryMethods } from "./discovery/service-options.ts";
export { claimCode, type ClaimCodeFormat, type ClaimCodeOptions } from "./qr/claim-code.ts";
export type { CallOptions } from "./core/abort.ts";
export type { Clock, Timer } from "./core/clock.ts";
export type { BareJid } from "./core/jid.ts";
export type { LogFields, Logger } from "./core/logger.ts";
export type { RandomSource } from "./core/random.ts";
export { Refusal, type RefusalCondition } from "./core/refusal.ts";
export {
  isSdkError,
  AuthenticationError,
  ConfigError,
  ConnectionError,
  DiscoveryError,
  ProtocolError,
  RegistrationError,
  SdkError,
  StanzaError,
  StateError,
  StorageError,
  TimeoutError,
  TlsPolicyError,
  type AnySdkError,
  type ParameterProblem,
  type SdkErrorCode,
  type StanzaErrorType,
} from "./core/errors.ts";
export { fileStorage, type FileStorageOptions } from "./storage/file-storage.ts";
export type { FileSystem, FolderOwner, OpenFile, OpenMode } from "./storage/file-system.ts";
export type { ProcessDescription, ProcessProbe, ProcessSighting } from "./storage/process-probe.ts";
export { memoryStorage } from "./storage/memory-storage.ts";
export type { Storage } from "./storage/storage.ts";
