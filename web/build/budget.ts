import { gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

/**
 * Fails the build when a page, with every script and style it loads, is larger
 * than `limit` bytes gzipped. The waiting room is what hundreds of thousands
 * of phones load in the same minute; a library slipped into it would not be
 * noticed otherwise.
 */
export function budget(page: string, limit: number): Plugin {
  return {
    name: `budget ${page}`,
    enforce: "post",
    generateBundle(_options, bundle) {
      const files = loadedBy(page, bundle);
      const sizes = files.map((name) => ({ name, bytes: gzipSync(contents(bundle[name]!), { level: 9 }).length }));
      const total = sizes.reduce((sum, file) => sum + file.bytes, 0);
      const list = sizes.map((file) => `${file.name} ${file.bytes}`).join(", ");
      if (total > limit) this.error(`${page} loads ${total} bytes gzipped, the limit is ${limit}: ${list}`);
      console.log(`${page} loads ${total} of ${limit} bytes gzipped: ${list}`);
    },
  };
}

/** The page, what its HTML names, and what those scripts import. */
function loadedBy(page: string, bundle: Rolldown.OutputBundle): string[] {
  const html = bundle[page];
  if (!html) throw new Error(`${page} is not in the bundle`);
  const found = new Set([page]);
  const named = [...contents(html).matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1]!);
  const queue = named.filter((name) => name in bundle);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    const file = bundle[name];
    if (file?.type === "chunk") queue.push(...file.imports);
  }
  return [...found];
}

function contents(file: Rolldown.OutputChunk | Rolldown.OutputAsset): string {
  return file.type === "chunk" ? file.code : file.source.toString();
}
