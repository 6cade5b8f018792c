// A reporter for node:test that makes every skipped test a failure, and says which and why.
export default async function* noSkip(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" || data.skip === undefined || data.skip === false) continue;
    process.exitCode = 1;
    yield `SKIPPED, which is a failure here: ${data.name}${data.skip === true ? "" : ` (${data.skip})`}\n`;
  }
}
