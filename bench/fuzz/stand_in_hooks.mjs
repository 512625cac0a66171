// SPDX-License-Identifier: GPL-2.0-only
/** Which modules are replaced by which: hooks of the module loader. */

/** Ends of the built modules' addresses. */
const REPLACED = {
  '/dist/index.js': './stand_in_index.mjs',
  '/dist/tools/check/pool.js': './stand_in_pool.mjs',
  '/dist/tools/reproduce/child.js': './stand_in_child.mjs',
};

/** @param resolved what the loader found @returns what is to be loaded */
export function resolveStandIn(resolved) {
  for (const [end, file] of Object.entries(REPLACED)) {
    if (resolved.url.endsWith(end))
      return { ...resolved, url: new URL(file, import.meta.url).href, shortCircuit: true };
  }
  return resolved;
}

/** For module.register, where there is no other way. */
export async function resolve(specifier, context, next) {
  return resolveStandIn(await next(specifier, context));
}
