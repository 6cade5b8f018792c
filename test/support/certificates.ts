import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs } from "./tools.ts";

/** For `{ skip: noCertificates }`: what to install where certificates cannot be made. */
export const noCertificates: string | false = needs("openssl", "openssl");

export type KeyKind = "P-256" | "P-384" | "secp256k1" | "RSA-2048" | "RSA-1024" | "Ed25519" | "Ed448";

/** A certificate with its key. */
export interface Issued {
  /** PEM of the certificate alone. */
  readonly certificate: string;
  /** PEM of the certificate and the CAs above it, without the root: what its owner shows. */
  readonly chain: string;
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** The certificate's DER, as LwM2M's /0/x/3 and /0/x/4 hold it. */
  readonly der: Uint8Array;
}

export interface IssueOptions {
  /** For example `DNS:bs.example.com`, `IP:127.0.0.1` or `URI:urn:dev:1`. */
  readonly names?: readonly string[];
  /** Default 1970. */
  readonly from?: Date;
  /** Default the end of 2049. */
  readonly until?: Date;
  /** Default P-256. */
  readonly key?: KeyKind;
  /** extendedKeyUsage. Default: none, which is good for everything. */
  readonly usage?: "clientAuth" | "serverAuth";
  /** Default sha256. */
  readonly digest?: "sha256" | "sha1";
}

const ALWAYS = { from: new Date(0), until: new Date("2049-12-31T00:00:00Z") };

/** A key pair, PEM: PKCS #8 and SubjectPublicKeyInfo, and the DER of the latter, which raw public keys are. */
export function makeKey(kind: KeyKind = "P-256"): { privateKey: string; publicKey: string; spki: Uint8Array } {
  const privateKey = privateKeyOf(kind);
  const publicKey = createPublicKey(privateKey);
  return {
    privateKey,
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    spki: publicKey.export({ type: "spki", format: "der" }),
  };
}

/** A certification authority, run by the `openssl` command in a folder of its own that goes when the process does. */
export class TestCa {
  readonly #folder: string = makeFolder();
  readonly #above: readonly TestCa[];
  readonly #own: { readonly certificate: string; readonly privateKey: string };
  #issued = 0;

  private constructor(own: { name: string; options: IssueOptions } | Issued, parent: TestCa | undefined) {
    this.#above = parent === undefined ? [] : [parent, ...parent.#above];
    this.#write("index.txt", "");
    this.#write("ca.cnf", CONFIGURATION.replaceAll("$folder", this.#folder));
    this.#own = "name" in own ? this.#makeOwn(own.name, parent, own.options) : own;
    this.#write("ca.key", this.#own.privateKey);
    this.#write("ca.pem", this.#own.certificate);
  }

  static root(name: string, options: IssueOptions = {}): TestCa {
    return new TestCa({ name, options }, undefined);
  }

  /** Somebody who signs with a certificate that is none of a CA. */
  static impostor(issued: Issued): TestCa {
    return new TestCa(issued, undefined);
  }

  /** A CA below this one. */
  intermediate(name: string, options: IssueOptions = {}): TestCa {
    return new TestCa({ name, options }, this);
  }

  /** PEM. */
  get certificate(): string {
    return this.#own.certificate;
  }

  /** A certificate for a device or server by this common name. */
  issue(commonName: string, options: IssueOptions = {}): Issued {
    const privateKey = privateKeyOf(options.key ?? "P-256");
    const certificate = this.#sign(commonName, privateKey, extensionsOf(options), options, false);
    const above = [this, ...this.#above].slice(0, -1).map((ca) => ca.certificate);
    return { certificate, chain: [certificate, ...above].join(""), privateKey, der: new X509Certificate(certificate).raw };
  }

  /** A certificate for whose owner nobody vouches but itself, and that is no CA. */
  static selfSigned(commonName: string, options: IssueOptions = {}): Issued {
    const privateKey = privateKeyOf(options.key ?? "P-256");
    const certificate = TestCa.root("Nobody").#sign(commonName, privateKey, extensionsOf(options), options, true);
    return { certificate, chain: certificate, privateKey, der: new X509Certificate(certificate).raw };
  }

  /** The CA's own certificate and key, as if it were a device or server. */
  get self(): Issued {
    const { certificate, privateKey } = this.#own;
    return { certificate, chain: certificate, privateKey, der: new X509Certificate(certificate).raw };
  }

  /** Puts a certificate of this CA on its revocation list. */
  revoke(certificate: string): void {
    this.#write("revoked.pem", certificate);
    this.#openssl(["ca", ...this.#itself(), "-revoke", this.#path("revoked.pem")]);
  }

  /** The revocation list as it stands, PEM. */
  crl({ from = ALWAYS.from, until = ALWAYS.until }: Pick<IssueOptions, "from" | "until"> = {}): string {
    const dates = ["-crl_lastupdate", dateOf(from), "-crl_nextupdate", dateOf(until)];
    this.#openssl(["ca", ...this.#itself(), "-gencrl", ...dates, "-out", this.#path("crl.pem")]);
    return readFileSync(this.#path("crl.pem"), "utf8");
  }

  #makeOwn(name: string, parent: TestCa | undefined, options: IssueOptions): { certificate: string; privateKey: string } {
    const privateKey = privateKeyOf(options.key ?? "P-256");
    const extensions = "basicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign, cRLSign\n";
    return { certificate: (parent ?? this).#sign(name, privateKey, extensions, options, parent === undefined), privateKey };
  }

  #sign(name: string, privateKey: string, extensions: string, options: IssueOptions, self: boolean): string {
    const { from = ALWAYS.from, until = ALWAYS.until, digest = "sha256" } = options;
    const file = (ending: string): string => this.#path(`${this.#issued}.${ending}`);
    this.#issued++;
    writeFileSync(file("key"), privateKey);
    writeFileSync(file("cnf"), `${extensions}\nsubjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n`);
    const subject = `/CN=${name.replaceAll("/", "\\/")}`;
    this.#openssl(["req", "-new", "-utf8", ...this.#configured(), "-key", file("key"), "-subj", subject, "-out", file("csr")]);
    const signer = self ? [...this.#configured(), "-selfsign", "-keyfile", file("key")] : this.#itself();
    const span = ["-startdate", dateOf(from), "-enddate", dateOf(until), "-md", digest];
    const files = ["-in", file("csr"), "-extfile", file("cnf"), "-out", file("pem")];
    this.#openssl(["ca", ...signer, "-batch", "-notext", ...span, ...files]);
    return readFileSync(file("pem"), "utf8");
  }

  #configured(): string[] {
    return ["-config", this.#path("ca.cnf")];
  }

  #itself(): string[] {
    return [...this.#configured(), "-cert", this.#path("ca.pem"), "-keyfile", this.#path("ca.key")];
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #write(name: string, text: string): void {
    writeFileSync(this.#path(name), text);
  }

  #openssl(args: readonly string[]): void {
    const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  }
}

/** The CAs and certificates most tests do with, all of them valid from 1970 to 2049. */
export interface TestPki {
  readonly root: TestCa;
  /** Below the root; it signs the devices' and the server's certificates. */
  readonly issuing: TestCa;
  /** For `bs.example.com`, `*.bs.example.com`, `localhost` and 127.0.0.1. */
  readonly server: Issued;
  /** A device's certificate with this common name: the same one each time. */
  device(commonName: string): Issued;
}

let made: TestPki | undefined;

/** The {@link TestPki} of this process, made when it is first asked for. */
export function testPki(): TestPki {
  if (made !== undefined) return made;
  const root = TestCa.root("Test Root CA");
  const issuing = root.intermediate("Test Issuing CA");
  const names = ["DNS:bs.example.com", "DNS:*.bs.example.com", "DNS:localhost", "IP:127.0.0.1"];
  const devices: Map<string, Issued> = new Map();
  made = {
    root,
    issuing,
    server: issuing.issue("bs.example.com", { names, usage: "serverAuth" }),
    device: (commonName) => {
      const known = devices.get(commonName) ?? issuing.issue(commonName, { usage: "clientAuth" });
      devices.set(commonName, known);
      return known;
    },
  };
  return made;
}

const CONFIGURATION = `
[ca]
default_ca = this
[this]
database = $folder/index.txt
new_certs_dir = $folder
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
email_in_dn = no
[any]
commonName = supplied
[req]
distinguished_name = name
string_mask = utf8only
[name]
`;

const folders: string[] = [];

function makeFolder(): string {
  if (folders.length === 0) {
    process.once("exit", () => {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    });
  }
  const folder = mkdtempSync(join(tmpdir(), "berth-ca-"));
  folders.push(folder);
  return folder;
}

function extensionsOf({ names = [], usage }: IssueOptions): string {
  const extensions = ["basicConstraints = critical, CA:false"];
  if (usage !== undefined) extensions.push(`extendedKeyUsage = ${usage}`);
  if (names.length > 0) extensions.push(`subjectAltName = ${names.join(", ")}`);
  return extensions.join("\n");
}

function privateKeyOf(kind: KeyKind): string {
  const pem = { type: "pkcs8", format: "pem" } as const;
  if (kind === "Ed448") return generateKeyPairSync("ed448").privateKey.export(pem).toString();
  if (kind === "Ed25519") return generateKeyPairSync("ed25519").privateKey.export(pem).toString();
  if (kind === "RSA-2048" || kind === "RSA-1024") {
    const modulusLength = kind === "RSA-2048" ? 2048 : 1024;
    return generateKeyPairSync("rsa", { modulusLength }).privateKey.export(pem).toString();
  }
  return generateKeyPairSync("ec", { namedCurve: kind }).privateKey.export(pem).toString();
}

/** As `openssl ca` wants it: 20260101000000Z. */
function dateOf(date: Date): string {
  return `${date.toISOString().replaceAll(/[-:T]|\.\d+Z$/g, "")}Z`;
}
