import { type Command, InvalidArgumentError } from "commander";
import { type Finding, runChecks } from "../check/index.ts";
import { type CheckOptions, openChecks } from "../check/open.ts";
import { needConfig } from "../config.ts";
import { type Endpoint, endpoint } from "../endpoint-schema.ts";
import { connectOptions } from "../options.ts";
import { print, say } from "../terminal.ts";

const WORDS: Readonly<Record<Finding["level"], string>> = { ok: "ok     ", warning: "WARNING", error: "ERROR  " };

/** `berth check`: looks for what is wrong around Berth, and says it in words. */
export function addCheck(program: Command): void {
  const check = program.command("check").description("look for what is wrong around Berth, and say what to do");
  connectOptions(check.command("dns"))
    .description("ask the zone's servers, its parent and the balancer, and say what is wrong with how names are published")
    .option("--resolver <address:port>", "ask through this resolver too, as a device would", parseEndpoint)
    .option("--delegation-from <address:port>", "name server of the parent zone (default: found by the resolver)", parseEndpoint)
    .option("--json", "print the findings as JSON")
    .addHelpText(
      "after",
      `
It changes nothing, and needs no balancer that is up, though it sees more with one. Exit code 1 if something is wrong;
warnings alone are none. docs/dns/check.md explains each finding.`,
    )
    .action(async ({ json, ...options }: CheckOptions & { readonly json?: true }) => {
      const config = needConfig(options.config);
      const { zone, dns } = config;
      const findings = await runChecks(await openChecks(config, options));
      const wrong = findings.filter(({ level }) => level === "error").length;
      if (wrong > 0) process.exitCode = 1;
      if (json) return print(JSON.stringify({ zone, registry: dns.registry, findings }));
      for (const finding of findings) print(text(finding));
      const warnings = findings.filter(({ level }) => level === "warning").length;
      say(`${zone}, registry ${dns.registry}: ${wrong} errors, ${warnings} warnings, ${findings.length - wrong - warnings} well`);
    });
}

function text({ check, level, server, message, advice }: Finding): string {
  const line = `${WORDS[level]}  ${check}${server === null ? "" : ` ${server}`}: ${message}`;
  return advice === null ? line : `${line}\n         -> ${advice}`;
}

function parseEndpoint(written: string): Endpoint {
  const { success, data } = endpoint.safeParse(written);
  if (!success) throw new InvalidArgumentError("It must be an address and port such as 192.0.2.53:53 or [2001:db8::53]:53.");
  return data;
}
