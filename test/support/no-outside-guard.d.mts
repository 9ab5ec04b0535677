/** Attempts to send something beyond loopback from this process and the processes that it started, in words. Forgets them. */
export function takeOutside(): string[];
