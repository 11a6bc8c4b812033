// Renders an AsyncAPI document as one page without scripts: node page.mjs <document> <page>.
// `make asyncapi` installs what is imported here.
import crypto from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const React = require("react");

// The page has no scripts that could open what the library shows closed at first.
const useState = React.useState;
React.useState = (initial) => useState(initial === false ? true : initial);

const { renderToStaticMarkup } = require("react-dom/server");
const { AsyncApiComponentWP } = require("@asyncapi/react-component");
const { Parser } = require("@asyncapi/parser");

const [source, target] = process.argv.slice(2);
const text = fs.readFileSync(source, "utf8");
const { document, diagnostics } = await new Parser().parse(text);
for (const found of diagnostics) console.error(`${found.path.join(".")}: ${found.message}`);
if (!document) process.exit(1);

const config = { show: { sidebar: false, messages: false, schemas: false }, expand: { messageExamples: true } };
const body = renderToStaticMarkup(React.createElement(AsyncApiComponentWP, { schema: document, config }));
const style = fs.readFileSync(require.resolve("@asyncapi/react-component/styles/default.min.css"), "utf8");
// Patterns mean what they say; buttons do nothing here.
const own = ".lowercase{text-transform:none}button{pointer-events:none}button.text-gray-500{display:none}";
const digest = crypto.createHash("sha256").update(text).digest().readBigUInt64BE(0);
const head = [
  '<meta charset="utf-8">',
  `<meta name="source-digest" content="${digest}">`,
  `<title>${document.info().title()}: its events</title>`,
  `<style>${style}${own}</style>`,
];
const page = `<!doctype html>\n<html lang="en">\n<head>\n${head.join("\n")}\n</head>\n<body>\n${body}\n</body>\n</html>\n`;
fs.writeFileSync(target, page.replace(/[ \t]+$/gm, ""));
