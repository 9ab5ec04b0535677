import { surviveRegistryKills } from "./registry-kills.ts";

surviveRegistryKills(20, 240_000);
