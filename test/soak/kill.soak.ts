import { surviveKills } from "../scenario/kill.ts";

surviveKills(500, 3_600_000);
