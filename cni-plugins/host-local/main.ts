import { run } from "../skel/run.ts";
import { hostLocal } from "./host-local.ts";

run(hostLocal, process.env);
