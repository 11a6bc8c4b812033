// Writes TypeScript types of JSON Schemas: node types.mjs SCHEMA… FOLDER, with the packages of FOLDER/node_modules.

import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";

const schemas = process.argv.slice(2, -1);
const folder = resolve(process.argv.at(-1));
const { compileFromFile } = createRequire(join(folder, "package.json"))("json-schema-to-typescript");

for (const schema of schemas) {
  await writeFile(join(folder, `${basename(schema, ".json")}.ts`), await compileFromFile(schema));
}
