import { EDNS_UDP_SIZE, HEADER_LENGTH, readMessage, TYPE } from "../../dns/index.ts";
import { errorText } from "../../lib/errors.ts";
import { type Check, onEach } from "./context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** Whether a server speaks EDNS (RFC 6891), and gives questions back in the letters they came in, which resolvers look at (0x20). */
export const checkEdns: Check = ({ asker, wire, servers }) =>
  onEach("edns", servers, async (server) => {
    const subject = { check: "edns", server };
    const findings: Finding[] = [];
    const mixed = wire.map((byte, index) => (byte >= 0x61 && byte <= 0x7a && index % 2 === 0 ? byte - 0x20 : byte));
    try {
      const bytes = await asker.bytes(server, { name: mixed, type: TYPE.SOA, edns: "plain" });
      const { additionals } = readMessage(bytes);
      if (!additionals.some(({ type }) => type === TYPE.OPT)) {
        findings.push(
          warning(
            subject,
            "it answers a question with EDNS without it: answers over UDP have 512 bytes at most, and DNSSEC cannot work",
            "use a newer server, or see what stands in front of it",
          ),
        );
      }
      const echoed = bytes.subarray(HEADER_LENGTH, HEADER_LENGTH + mixed.length);
      if (Buffer.compare(echoed, mixed) !== 0) {
        findings.push(
          error(
            { check: "case", server },
            "it does not give the question back in the letters it came in: resolvers that vary upper and lower case against forgery (0x20) drop such answers",
            "see what stands in front of the server; the server itself has to copy the question byte for byte",
          ),
        );
      }
    } catch (thrown) {
      findings.push(
        error(
          subject,
          `it does not answer a question with EDNS (${EDNS_UDP_SIZE} bytes): ${errorText(thrown)}; resolvers take it for dead, or lose time`,
          "see whether a firewall drops DNS with EDNS, or answers above 512 bytes",
        ),
      );
    }
    return findings.length > 0 ? findings : [ok(subject, "speaks EDNS, and gives the question back as it came")];
  });
