// SPDX-License-Identifier: GPL-2.0-only
/** Requests of user space, carried out in a control worker. */
import { uapiRequest } from '../uapi/dispatch.js';
import type { UapiReply, UapiRequest } from '../uapi/request.js';
import type { ThreadContext } from './context.js';
import { setCpuOnline } from './control_cpus.js';

/** Carries a request out. @returns the reply: an error is in it */
export function uapi(ctx: ThreadContext, request: UapiRequest): UapiReply {
  return uapiRequest(ctx.net, { setCpuOnline: (cpu, online) => setCpuOnline(ctx, cpu, online) }, request);
}
