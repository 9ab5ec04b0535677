/**
 * The service's side: who may use a service, what each user may do there, and what is read and set for them (XEP-0324 3.6, 3.7).
 *
 * @packageDocumentation
 */
export { ServiceClient, type ServiceEvents } from "./service-client.ts";
export { ServiceSession, type ServerPrivileges } from "./session.ts";
export type { ServiceAccount, ServiceOptions } from "./options.ts";
export type { Credentials } from "./credentials.ts";
export type { ServiceFault, ServiceFaultCode } from "./faults.ts";
export type { ServiceControlOptions, ServiceFormOptions, ServiceReadOptions } from "./acting.ts";
export type { Credential, CredentialType, ProtocolName } from "../codec/credentials.ts";
export { isPrivilegeGranted, isPrivilegeId, type Privilege } from "../codec/privileges.ts";
export type { ConnectionFault } from "../connection/connection-manager.ts";
export type { KeepaliveOptions } from "../connection/keepalive.ts";
export type { TlsPolicy } from "../connection/tls-policy.ts";
export type { CertificateOptions, MakeCertificateOptions } from "../provisioning/certificate-options.ts";
export type { Padding } from "../provisioning/decrypt.ts";
export type { Storage } from "../storage/storage.ts";
export { fileStorage } from "../storage/file-storage.ts";
export { memoryStorage } from "../storage/memory-storage.ts";
export type { ControlForm, ControlValue, FormParameter, ParameterOption } from "../control/control-form.ts";
export type { ControlOptions, ControlOutcome, FormOptions, ParameterValues } from "../control/controller.ts";
export { ReadoutError, type NodeFailure } from "../sensor/readout-error.ts";
export type { ReadOptions, ReadoutStage } from "../sensor/read-options.ts";
export type { Readout } from "../sensor/remote-readout.ts";
export type { CallOptions } from "../core/abort.ts";
export type { Clock, Timer } from "../core/clock.ts";
export type { BareJid, Jid } from "../core/jid.ts";
export type { LogFields, Logger } from "../core/logger.ts";
export type { RandomSource } from "../core/random.ts";
export type { ParameterProblem, SdkError, StanzaError, StanzaErrorType } from "../core/errors.ts";
export type { ParameterKind } from "../codec/control.ts";
export type { NodeRef } from "../codec/node-ref.ts";
export type { Tokens } from "../codec/tokens.ts";
export type { FieldType, FieldTypeSet } from "../codec/field-types.ts";
export type { Field, FieldGroup, FieldValue, NumericValue } from "../codec/sensor-data.ts";
