import { simulate } from "./command.ts";

process.exitCode = await simulate(process.argv.slice(2), { out: console.log, err: console.error });
