/**
 * The owner's side: claim Things, find them, update, remove and disown them, read and control them.
 *
 * @packageDocumentation
 */
export { OwnerClient } from "./owner-client.ts";
export type { ClaimOptions, ClaimedThing, OwnerClientOptions, SearchOptions } from "./owner-client.ts";
export { anyOf, tag } from "./predicates.ts";
export type {
  Alternatives,
  MaskOptions,
  NumericTagName,
  Predicate,
  RangeEnds,
  SearchCondition,
  Searchable,
  TagConditions,
  TagQuery,
  TextConditions,
  TextTagName,
  ValueOf,
} from "./predicates.ts";
export type { ThingFound } from "./found-things.ts";
export type { ThingAddress, ThingReference } from "./thing-reference.ts";
export { RegistryError } from "../core/errors.ts";
export type { ParameterProblem, RegistryRequest, StanzaError, StanzaErrorType } from "../core/errors.ts";
export type { NumComparison, NumRange, SearchOperator, StrComparison, StrMask, StrRange } from "../codec/search.ts";
export type { NodeInformation, NodeState } from "../codec/concentrator.ts";
export type { ConcentratorNode, ConcentratorOptions, NodeListOptions } from "../concentrator/concentrator-client.ts";
export { connect } from "../connection/connect.ts";
export type { ConnectOptions, Connection } from "../connection/connect.ts";
export { formatClaimText, parseClaimText, parseTagList } from "../codec/claim-text.ts";
export { claimCode, type ClaimCodeFormat, type ClaimCodeOptions } from "../qr/claim-code.ts";
export type { KeepaliveOptions } from "../connection/keepalive.ts";
export type { StreamEnd } from "../connection/stream-end.ts";
export type { Undelivered, UndeliveredStanza } from "../connection/undelivered.ts";
export type { RegistryMethods } from "../discovery/service-options.ts";
export type { TlsPolicy } from "../connection/tls-policy.ts";
export type { ParameterKind } from "../codec/control.ts";
export type { FieldQuality, FieldQualitySet, FieldType, FieldTypeSet } from "../codec/field-types.ts";
export type { NodeRef } from "../codec/node-ref.ts";
export type { Field, FieldGroup, FieldValue, NumericValue } from "../codec/sensor-data.ts";
export type { Tag, Tags } from "../codec/tags.ts";
export type { Tokens } from "../codec/tokens.ts";
export type { CallOptions } from "../core/abort.ts";
export type { Clock, Timer } from "../core/clock.ts";
export type { BareJid, Jid } from "../core/jid.ts";
export type { LogFields, Logger } from "../core/logger.ts";
export type { RandomSource } from "../core/random.ts";
export type { SdkError } from "../core/errors.ts";
export type { ControlForm, ControlValue, FormParameter, ParameterOption } from "../control/control-form.ts";
export type { ParameterValue, ParameterValues } from "../control/control-values.ts";
export type { ControlOptions, ControlOutcome, FormOptions } from "../control/controller.ts";
export { ReadoutError, type NodeFailure } from "../sensor/readout-error.ts";
export type { FieldReading } from "../sensor/field-reading.ts";
export type { Moment, ReadOptions, ReadoutStage } from "../sensor/read-options.ts";
export type { Readout } from "../sensor/remote-readout.ts";
