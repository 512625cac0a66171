// SPDX-License-Identifier: GPL-2.0-only
/**
 * Puts stand-ins in the place of what commands do when they have understood their arguments, in this thread and before they
 * are loaded: booting a machine, exploring interleavings, running other commands. All that comes before is the real thing.
 */
import module from 'node:module';
import { resolveStandIn } from './stand_in_hooks.mjs';

/** From here on the modules are replaced. */
export function useStandIns() {
  if (module.registerHooks === undefined) {
    module.register('./stand_in_hooks.mjs', import.meta.url);
    return;
  }
  module.registerHooks({
    resolve: (specifier, context, next) => resolveStandIn(next(specifier, context)),
    load: (url, context, next) => next(url, context),
  });
}
