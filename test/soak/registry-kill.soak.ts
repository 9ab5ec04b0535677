// 500 kills of a Registry that keeps its Things in LevelDB.
import { surviveRegistryKills } from "../sandbox/registry-kills.ts";

surviveRegistryKills(500, 3_600_000);
