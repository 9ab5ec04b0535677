import { compareWithModel } from "../support/several-servers-run.ts";

// A tenth of what `npm run soak` does; every combination all the same.
compareWithModel(1_000);
