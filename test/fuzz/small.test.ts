import { test } from "node:test";
import { fuzz } from "./campaign.ts";

test("hostile input to every port and every parser: nothing ends, nothing logs a fault, all is served as before", async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const figures = await fuzz({ datagrams: 3000, seed, say: () => {} });
  t.diagnostic(JSON.stringify(figures));
});
