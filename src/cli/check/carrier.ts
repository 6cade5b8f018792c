import type { Milliseconds } from "../../lib/clock.ts";
import { askUdp, DnsConnection } from "../../net/index.ts";
import type { Carrier } from "./asker.ts";

/** How long a server may take. */
const TIMEOUT: Milliseconds = 1500;

/** Carries messages over the network; over TCP by a connection of its own each, as a stranger would. */
export const networkCarrier: Carrier = {
  udp: (server, message) => askUdp(server, message, TIMEOUT),
  tcp: async (server, message) => {
    const connection = await DnsConnection.open(server, TIMEOUT);
    try {
      return await connection.request(message, TIMEOUT);
    } finally {
      connection.close();
    }
  },
};
