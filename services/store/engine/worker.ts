import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Engine } from "./engine.ts";
import { EngineLoop } from "./engine-loop.ts";
import type { EngineCall, EngineOptions, WorkerMessage } from "./protocol.ts";

/** The store's thread: owns the database, takes batches of calls from its port, sends back what each commit gave. */
function run(port: MessagePort, options: EngineOptions): void {
  const send = (message: WorkerMessage) => port.postMessage(message);
  let engine: Engine;
  try {
    engine = new Engine(options);
  } catch (error) {
    send({ type: "refused", message: error instanceof Error ? error.message : String(error) });
    return;
  }
  const loop = new EngineLoop(engine, {
    output: (output) => send({ type: "output", output }),
    fatal: (failure) => send({ type: "fatal", failure }),
    closed: () => port.close(),
  });
  port.on("message", (calls: EngineCall[]) => {
    // All that has arrived while the last commit ran goes into the next one.
    let all = calls;
    for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) {
      all = all.concat(more.message as EngineCall[]);
    }
    loop.take(all);
  });
  send({ type: "opened", opening: engine.opening });
  loop.start();
}

run(parentPort!, workerData as EngineOptions);
