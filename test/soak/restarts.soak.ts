import { surviveRestarts } from "../scenario/restarts.ts";

surviveRestarts(50, 3_600_000);
