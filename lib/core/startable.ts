/** What every component that runs is: started once, stopped once, nothing left behind after `stop` resolves. */
export interface Startable {
  start(): Promise<void>;
  stop(): Promise<void>;
}
