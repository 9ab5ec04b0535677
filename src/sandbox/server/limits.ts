// Bounds of what one client, one account, one domain may hold here. What is beyond them is refused, never kept.

/** The largest stanza, in bytes on the wire (characters in memory). The value of Prosody and ejabberd. */
export const MOST_STANZA_BYTES = 256 * 1024;
/** The deepest nesting of elements in a stanza. */
export const MOST_DEPTH = 64;
/** Accounts of a domain. */
export const MOST_ACCOUNTS = 10_000;
/** Streams of an account. */
export const MOST_SESSIONS = 100;
/** Contacts of an account, those who wait for an answer included. */
export const MOST_CONTACTS = 1_000;
/** Groups of a contact. */
export const MOST_GROUPS = 100;
/** Messages kept for an account while nobody is there to take them. */
export const MOST_OFFLINE = 100;
/** Entities that a client may have sent directed presence to. */
export const MOST_DIRECTED = 1_000;
