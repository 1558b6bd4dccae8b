// A scene of the stage: the emulator and a sidecar in a state.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export async function openScene(stage, spillway, name) {
  const child = spawn(stage, [spillway, name], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const address = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`scene ${name} ended`);
    return value;
  };
  return {
    name,
    url: await address(),
    // act does the scene's next act.
    async act() {
      child.stdin.write("\n");
      await address();
    },
    async close() {
      const ended = new Promise((done) => child.once("exit", done));
      child.stdin.end();
      await ended;
    },
  };
}
