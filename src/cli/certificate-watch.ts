import { statSync } from "node:fs";
import type { ServerX509 } from "../dtls/index.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { DtlsFiles } from "./config-schema.ts";
import { readX509, validityProblem } from "./dtls-files.ts";

/** What {@link CertificateWatch} works with. */
export interface CertificateWatchOptions {
  readonly files: DtlsFiles;
  /** What is in use now. */
  readonly x509: ServerX509;
  /** Puts new certificates in the place of the old. Throws where they cannot be used; then the old ones have to stay. */
  replace(x509: ServerX509): void;
  readonly now: () => Date;
  readonly log: Logger;
}

/** Reads certificates again when their files were replaced, so that an instance need not be started anew for it. */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  #seen: string;

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
    this.#seen = this.#look();
    this.#warn(options.x509);
  }

  /** Reads the files again if one of them is another than when this was last called. */
  check(): void {
    if (this.#look() !== this.#seen) this.read();
  }

  /** Reads the files again. What cannot be used is logged, and what was read before stays in use. */
  read(): void {
    const { files, replace, log } = this.#options;
    // Before reading: what is written meanwhile is noticed the next time.
    this.#seen = this.#look();
    try {
      const x509 = readX509(files);
      if (x509 === undefined) return;
      replace(x509);
      log.info({ files }, "the certificates have been read again");
      this.#warn(x509);
    } catch (error) {
      log.error({ error: errorText(error) }, "the new certificates cannot be used; those from before stay in use");
    }
  }

  #warn(x509: ServerX509): void {
    const { files, log, now } = this.#options;
    const problem = validityProblem(x509, now());
    if (problem !== undefined) log.warn({ file: files.certificate }, problem);
  }

  /** How the files look from outside: which they are, how long, from when. */
  #look(): string {
    const { certificate, key, clientCa, crl } = this.#options.files;
    return [certificate, key, clientCa, crl].map((path) => (path === undefined ? "" : lookOf(path))).join(" ");
  }
}

function lookOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? "gone" : `${stats.ino}/${stats.size}/${stats.mtimeMs}`;
}
