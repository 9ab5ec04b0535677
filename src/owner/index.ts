/**
 * The owner's side: claim Things and read them.
 *
 * @packageDocumentation
 */
export { OwnerClient } from "./owner-client.ts";
export type { ClaimOptions, ClaimedThing, OwnerClientOptions } from "./owner-client.ts";
export { connect } from "../connection/connect.ts";
export type { ConnectOptions, Connection } from "../connection/connect.ts";
export { formatClaimText, parseClaimText, parseTagList } from "../codec/claim-text.ts";
