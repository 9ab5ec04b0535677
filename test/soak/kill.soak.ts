import { surviveKills } from "../scenario/kill.ts";

surviveKills(1_000, 3_600_000);
