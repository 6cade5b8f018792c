/** What the bench tells the instance's process. */
export type ToInstance =
  | { readonly type: "start"; readonly url: string; readonly token: string }
  | { readonly type: "measure" }
  | { readonly type: "stop" };

/** What the instance's process answers. */
export type FromInstance =
  | { readonly type: "listening"; readonly port: number }
  | {
      readonly type: "measured";
      readonly devices: number;
      /** CPU time of the process so far, user and system, ms. */
      readonly cpu: number;
      /** The part of it the kernel took. */
      readonly system: number;
      readonly rss: number;
    };

/** One device the load generator plays; `name` is its live host name. */
export interface LoadDevice {
  readonly endpoint: string;
  readonly psk: string;
  readonly name: string;
}

/** What the bench tells the load generator's process: play these devices, so many at a time. */
export interface ToLoad {
  readonly port: number;
  readonly concurrency: number;
  readonly devices: readonly LoadDevice[];
}

/** What came of it: how many finished, and how long each took from ClientHello to Finish, ms. */
export interface FromLoad {
  readonly finished: number;
  readonly failed: number;
  readonly times: readonly number[];
}
