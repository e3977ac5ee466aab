import { run } from "../skel/run.ts";
import { exec } from "../skel/system.ts";
import { loopback } from "./loopback.ts";

run(loopback(exec), process.env);
