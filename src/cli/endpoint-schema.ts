import { isIP } from "node:net";
import { z } from "zod";

/** An address and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** An address and a port as people write them in the configuration. */
export const endpoint: z.ZodType<Endpoint> = z.string().transform((text, context) => {
  const [, six, four, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  const address = six ?? four ?? "";
  if (isIP(address) === 0 || Number(port) > 65535) {
    context.addIssue("is no address and port; write for example 127.0.0.1:8653 or [::1]:8653");
    return z.NEVER;
  }
  return { address, port: Number(port) };
});
