// SPDX-License-Identifier: GPL-2.0-only
/** The way into the kernel: one request, one reply. Process context; may sleep. */
import type { NetContext } from '../net/core/net_context.js';
import { ethtoolMessage } from './ethtool.js';
import type { UapiHost } from './host.js';
import { netdevMessage } from './netdev_genl.js';
import { done, Refusal, refused } from './refuse.js';
import type { UapiReply, UapiRequest } from './request.js';
import { linkGet, linkSet } from './rtnl.js';
import { allSysctls } from './sysctl.js';
import { listPath, readPath, writePath } from './vfs.js';

/** Carries a request out. Never throws for what a user may ask. */
export function uapiRequest(net: NetContext, host: UapiHost, r: UapiRequest): UapiReply {
  try {
    return done(carryOut(net, host, r));
  } catch (error) {
    if (error instanceof Refusal) return refused(error);
    throw error;
  }
}

function carryOut(net: NetContext, host: UapiHost, r: UapiRequest): unknown {
  switch (r.kind) {
    case 'netlink':
      return netdevMessage(net, r.op, r.dump, r.attrs);
    case 'read':
      return readPath(net, host, r.path);
    case 'write':
      writePath(net, host, r.path, r.text);
      return null;
    case 'list':
      return listPath(net, host, r.path);
    case 'sysctls':
      return allSysctls(net);
    case 'ethtool':
      return ethtoolMessage(net, r.op, r.dev, r.values);
    case 'link-get':
      return linkGet(net, r.dev);
    case 'link-set':
      linkSet(net, r.dev, r);
      return null;
  }
}
