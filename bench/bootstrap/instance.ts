import { BootstrapInstance } from "../../src/bootstrap/index.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { ControlClient, systemClock, systemRandom } from "../../src/net/index.ts";
import type { FromInstance, ToInstance } from "./messages.ts";

/** The instance under test, alone in its process so that its CPU time can be told. */
let instance: BootstrapInstance | undefined;

process.on("message", (message: ToInstance) => {
  void handle(message);
});

async function handle(message: ToInstance): Promise<void> {
  switch (message.type) {
    case "start": {
      instance = await BootstrapInstance.start({
        id: "bench",
        listeners: [{ scheme: "coaps", address: "127.0.0.1", port: 0 }],
        advertise: { ipv4: "127.0.0.1" },
        control: new ControlClient(message),
        clock: systemClock,
        random: systemRandom,
        log: silentLogger,
      });
      answer({ type: "listening", port: instance.listeners[0]?.port ?? 0 });
      return;
    }
    case "measure": {
      const { user, system } = process.cpuUsage();
      answer({
        type: "measured",
        devices: instance?.devices ?? 0,
        associations: instance?.associations ?? 0,
        cpu: (user + system) / 1000,
        system: system / 1000,
        rss: process.memoryUsage.rss(),
      });
      return;
    }
    case "stop":
      await instance?.stop();
      process.disconnect();
  }
}

function answer(message: FromInstance): void {
  process.send?.(message);
}
