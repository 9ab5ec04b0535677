import { compareWithModel } from "../support/several-servers-run.ts";

compareWithModel(10_000);
