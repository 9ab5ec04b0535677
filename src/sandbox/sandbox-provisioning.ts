// The Provisioning Servers of a sandbox: one, and as many more as somebody wants to see side by side (XEP-0324 5.3).
import { ConfigError } from "../core/errors.ts";
import { configJid } from "../core/jid.ts";
import type { ProvisioningKeeper } from "./provisioning-server-kept.ts";
import type { ProvisioningServerOptions } from "./provisioning-server-options.ts";
import { ReferenceProvisioningServer } from "./provisioning-server.ts";

/** How a service is reached: at an address of its own (`provisioning.localhost`), or as an account, a friend. */
export type Hosting = "component" | "account";

/** What a Provisioning Server of a sandbox is told. */
export type ProvisioningSettings = Omit<ProvisioningServerOptions, "jid" | "random" | "clock" | "logger">;

/** A Provisioning Server beside the first. */
export interface FurtherProvisioning extends ProvisioningSettings {
  /** Its name: `second` is at `second.localhost`, as an account at `second@localhost`. */
  readonly name: string;
  /** How it is reached. Default: as a component. */
  readonly hosting?: Hosting | undefined;
  /**
   * Whether Things may trust further servers (XEP-0324 3.1.4). Default: true if all servers before it say so. In a
   * network whose servers accept it, it is acceptable (XEP-0324 5.3).
   */
  readonly secondaryTrustAllowed?: boolean | undefined;
}

/**
 * Makes them all, the first in front. Rejects with `ERR_CONFIG` for a name that is none, or taken.
 *
 * @param keeperOf where the server of an address keeps what it decides by; left out: nowhere
 */
export async function makeProvisioningServers(
  {
    first,
    further,
  }: { readonly first: ProvisioningSettings & { jid: string }; further: readonly FurtherProvisioning[] },
  address: (name: string, hosting: Hosting) => string,
  parts: Pick<ProvisioningServerOptions, "random" | "clock" | "logger">,
  keeperOf?: (jid: string) => ProvisioningKeeper,
): Promise<readonly [ReferenceProvisioningServer, ...ReferenceProvisioningServer[]]> {
  const make = async (options: ProvisioningServerOptions): Promise<ReferenceProvisioningServer> =>
    keeperOf === undefined
      ? new ReferenceProvisioningServer(options)
      : ReferenceProvisioningServer.open({ ...options, keeper: keeperOf(configJid(options.jid, "jid").full) });
  const servers: [ReferenceProvisioningServer, ...ReferenceProvisioningServer[]] = [await make({ ...first, ...parts })];
  for (const [index, { name, hosting = "component", ...settings }] of further.entries()) {
    // P-5.3-6.
    const secondaryTrustAllowed = servers.every((earlier) => earlier.secondaryTrustAllowed);
    const jid = address(name, hosting);
    // Before it is made: two would keep in the same place.
    const { full } = configJid(jid, "jid");
    if (servers.some((earlier) => earlier.jid === full)) {
      throw new ConfigError(`furtherProvisioning[${index}].name: "${name}" is taken`);
    }
    servers.push(await make({ secondaryTrustAllowed, ...settings, jid, ...parts }));
  }
  return servers;
}
