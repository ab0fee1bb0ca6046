// Runs a program by the automation API, which needs no host of the engine's: `node run.cjs PROGRAM VERB [KEY=VALUE…]`.
const { LocalWorkspace } = require("@pulumi/pulumi/automation");
const path = require("path");

async function main(program, verb, ...settings) {
  const workDir = process.cwd();
  const inline = async () => ({ ...require(path.resolve(program)) });
  const projectSettings = { name: "shop", runtime: "nodejs" };
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: "dev", projectName: "shop", program: inline }, { workDir, projectSettings });
  for (const [key, value] of settings.map((one) => one.split(/=(.*)/s))) await stack.setConfig(key, { value });
  const onOutput = (text) => process.stdout.write(text);
  if (verb === "again") await stack.preview({ onOutput, expectNoChanges: true });
  else await stack[verb]({ onOutput });
}

main(...process.argv.slice(2)).catch(() => process.exit(1)); // the engine has said why
