import { ConfigError } from "../core/errors.ts";

// Lower case only: on some disks "A" and "a" are one file. The first is no dot: those names are the storage's own.
const safe = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/**
 * Checks a name before a storage uses it: 1 to 100 of `a`-`z`, `0`-`9`, `.`, `_`, `-`, the first a letter or digit. No
 * name may lead out of the folder or fall together with another. Throws `ERR_CONFIG` for any other.
 */
export function checkName(name: string): void {
  if (!safe.test(name)) {
    throw new ConfigError(
      `storage name ${JSON.stringify(name)}: use 1 to 100 of a-z, 0-9, ".", "_", "-", first a letter or digit`,
    );
  }
}
