/** What the bench tells a process that plays devices. */
export type ToDevices =
  | {
      readonly type: "prepare";
      /** PSK in hex. */
      readonly devices: readonly { readonly endpoint: string; readonly psk: string }[];
      readonly uri: string;
      /** `address:port` of the nameserver. */
      readonly resolver: string;
      /** They arrive within this time, ms. */
      readonly burst: number;
      /** Those not done by then have failed, ms. */
      readonly deadline: number;
      readonly seed: number;
      /** Share of the datagrams that are lost, each way. */
      readonly loss: number;
    }
  | { readonly type: "go" };

/** What it answers: `ready` to go, and how it went. */
export type FromDevices =
  | { readonly type: "ready" }
  | {
      readonly type: "done";
      /** When the first arrived and the last completed, ms since 1970. */
      readonly first: number;
      readonly last: number;
      /** Of the completed, from arrival to Finish, ms. */
      readonly times: readonly number[];
      readonly failed: number;
      readonly attempts: number;
      /** Failed attempts by cause. */
      readonly causes: Readonly<Record<string, number>>;
      /** CPU time used between `go` and the last completion, ms. */
      readonly cpu: number;
    };
