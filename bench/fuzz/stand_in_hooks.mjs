// SPDX-License-Identifier: GPL-2.0-only
/** Which modules are replaced by which: hooks of the module loader. */

const at = (path) => new URL(path, import.meta.url).href;

/** Addresses of modules, whole: packages have an index.js, too. */
const REPLACED = new Map([
  [at('../../dist/index.js'), at('./stand_in_index.mjs')],
  [at('../../dist/tools/check/pool.js'), at('./stand_in_pool.mjs')],
  [at('../../dist/tools/reproduce/child.js'), at('./stand_in_child.mjs')],
]);

/** @param resolved what the loader found @returns what is to be loaded */
export function resolveStandIn(resolved) {
  const url = REPLACED.get(resolved.url);
  return url === undefined ? resolved : { ...resolved, url, shortCircuit: true };
}

/** For module.register, where there is no other way. */
export async function resolve(specifier, context, next) {
  return resolveStandIn(await next(specifier, context));
}
