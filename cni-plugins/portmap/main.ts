import { run } from "../skel/run.ts";
import { exec } from "../skel/system.ts";
import { portmap } from "./portmap.ts";

run(portmap(exec), process.env);
