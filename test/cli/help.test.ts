import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { berth, berthMany, type Ended } from "../support/program.ts";

const COMMANDS = [
  "demo",
  "serve",
  "balancer",
  "instance",
  "import",
  "devices",
  "instances",
  "profile",
  "rotate",
  "rearm",
  "audit",
  "check",
  "uri",
  "device",
  "fleet",
] as const;
/** Commands that are nothing without another word. */
const GROUPS: Readonly<Record<string, readonly string[]>> = { profile: ["profile check", "profile put"], check: ["check dns"] };

/** One line on stderr, nothing on stdout, exit code 2. */
function isWrongUsage({ code, stdout, stderr }: Ended, says: RegExp): void {
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^berth: [^\n]+\n$/);
  assert.match(stderr, says);
}

test("berth --help lists every command and the exit codes; without a command it does so too, but fails", async () => {
  const [asked, bare] = await Promise.all([berth(["--help"]), berth([])]);
  assert.equal(asked.code, 0);
  for (const command of COMMANDS) assert.match(asked.stdout, new RegExp(`^  ${command} `, "m"));
  assert.match(asked.stdout, /Exit codes: 0 done, 1 failed, 2 wrong usage or input/);
  assert.equal(bare.code, 2);
  assert.equal(bare.stderr, asked.stdout);
});

test("every command's --help says what it does, and what each of its options is for", async () => {
  const commands = COMMANDS.flatMap((command) => GROUPS[command] ?? [command]);
  const outputs = await berthMany(commands.map((command) => [...command.split(" "), "--help"]));
  for (const [index, { code, stdout }] of outputs.entries()) {
    assert.equal(code, 0);
    assert.ok(stdout.startsWith(`Usage: berth ${commands[index]}`), stdout);
    assert.match(stdout, /\n\n[a-z].{20}/, "it says what it does");
    const options = stdout.split("\n").filter((line) => /^ {2}-/.test(line));
    assert.ok(options.length >= 2);
    for (const option of options)
      assert.match(option, /^ {2}(-\w, )?--[\w-]+( <[^>]+>)? {2,}\S/, "an option without description");
  }
});

test("berth --version prints the version of the package", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.deepEqual(await berth(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
});

const URI = ["uri", "--endpoint", "a"];
const BALANCER = ["--url", "http://127.0.0.1:1", "--token-file", "package.json"];
const WRONG: readonly [args: readonly string[], says: RegExp][] = [
  [["devces"], /unknown command 'devces' \(Did you mean devices\?\)/],
  [["profile", "chek"], /unknown command 'chek' \(Did you mean check\?\)/],
  [["profile", "check"], /missing required argument 'file'/],
  [["profile", "put", "default", "no.yaml", ...BALANCER], /no\.yaml: there is no such file/],
  [["profile", "check", "examples/profile.yaml", "--objects", "nowhere"], /objects: nowhere: there is no such folder/],
  [["devices", "--jsn"], /unknown option '--jsn' \(Did you mean --json\?\)/],
  [["import"], /missing required argument 'file'/],
  [["import", "a.csv", "b.csv"], /too many arguments/],
  [["uri"], /'--endpoint <name>' not specified/],
  [[...URI, "--secret", "0011", "--uri", "coaps://bs.x.test", "--at", "noon"], /--at: "noon" is no time/],
  [[...URI, "--secret", "0g", "--uri", "coaps://bs.x.test"], /--secret: only the hex digits/],
  [[...URI, "--secret", "0011", "--uri", "bs.x.test"], /static URI "bs.x.test": write it as coaps:\/\/host/],
  [[...URI, "--secret", "0011", "--uri", "coaps://bs.x.test", "--recipe", "ni-4"], /did you mean "ni-3"\?/],
  [[...URI, "--secret", "0011", "--uri", "coaps://bs.x.test", "--recipe", "ni-3"], /16 bits are too few/],
  [[...URI, "--secret", "00", "--uri", "coaps://bs.x.test", "--recipe", "no.json"], /no\.json: there is no such file/],
  [["device", "--endpoint", "a", "--server", "coaps://bs.x.test"], /--psk: coaps: needs the device's pre-shared key/],
  [["device", "--endpoint", "a", "--server", "http://bs.x.test"], /does not begin with coaps:\/\/ or coap:\/\//],
  [["device", "--endpoint", "a", "--resolver", "nonsense"], /It must be an address, or with a port/],
  [["device", "--endpoint", "a", "--clock-offset", "soon"], /It must be a time such as 500ms, 30s or 4m/],
  [["fleet", "no.csv", "--server", "coaps://bs.x.test"], /no\.csv: there is no such file/],
  [["fleet", "no.csv", "--loss", "2"], /It must be a share from 0 to 1/],
  [["devices", "--state", "gone"], /Allowed choices are pending, commenced, completed/],
  [["devices", "--limit", "0"], /It must be a whole number from 1 on/],
  [["devices", "--url", "nonsense", "--token-file", "package.json"], /"nonsense" is no URL of a balancer/],
  [["devices", "--url", "http://127.0.0.1:1"], /no token: give --token-file FILE, BERTH_TOKEN/],
  [["devices", "--url", "http://127.0.0.1:1", "--token-file", "no.token"], /no\.token: there is no such file/],
  [["import", "no.csv", ...BALANCER], /no\.csv: there is no such file/],
  [["import", "README.md", ...BALANCER], /say --format csv or --format ndjson/],
  [["demo", "--dns-port", "65536"], /It must be a port, 1 to 65535/],
  [["demo", "--first-address", "10.0.0.1"], /"10\.0\.0\.1" is no address of 127\.0\.0\.0\/8/],
  [["demo", "--instances", "250"], /at most 244 from 127\.0\.0\.11 on/],
  [["demo", "--kill-one", "--instances", "1"], /--kill-one: needs 2 instances or more/],
];

describe("wrong usage is told in one line, with exit code 2", () => {
  let results: readonly Ended[] = [];
  before(async () => {
    results = await berthMany(WRONG.map(([args]) => args));
  });
  for (const [index, [args, says]] of WRONG.entries()) {
    test(`berth ${args.join(" ")}: ${says.source.replaceAll("\\", "")}`, () => {
      const result = results[index];
      assert.ok(result !== undefined);
      isWrongUsage(result, says);
    });
  }

  test("also from a process of its own", async () => isWrongUsage(await berth(["devces"]), /unknown command 'devces'/));
});
