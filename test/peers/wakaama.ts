import { existsSync } from "node:fs";
import { freePort } from "../support/loopback.ts";
import { Program } from "../support/program.ts";

/** Wakaama's example client with tinydtls, which has no package: CONTRIBUTING.md says how to build it. */
const CLIENT: string | undefined = process.env.BERTH_WAKAAMA;

/** For `{ skip: noWakaama }`: what to do. */
export const noWakaama: string | false =
  (CLIENT === undefined || !existsSync(CLIENT)) &&
  "build Wakaama's examples/client/tinydtls and set BERTH_WAKAAMA to lwm2mclient_tinydtls";

/** Lets Wakaama's client bootstrap, and gives what it then says of its objects. */
export async function wakaama(address: string, port: number, endpoint: string, key: string): Promise<string> {
  const local = await freePort("127.0.0.1");
  // It would keep what it says to itself until it has a page of it.
  const server = ["-h", address, "-p", String(port), "-i", endpoint, "-s", key];
  const program = new Program("stdbuf", ["-oL", CLIENT ?? "", "-4", "-b", "-l", String(local), "-n", endpoint, ...server]);
  try {
    // It begins 10 s after its start, and registers when it has finished.
    await program.says(/STATE_REGISTERING/, 30);
    program.write(Buffer.from("disp\n"));
    await program.says(/\/3: Device object/, 10);
    return program.stdout;
  } finally {
    await program.stop("SIGKILL");
  }
}
