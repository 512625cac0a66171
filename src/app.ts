// SPDX-License-Identifier: GPL-2.0-only
/** softnet/app: what the function of an application thread works with. */
export type { AppContext } from './threads/app_context.js';
export type { Epoll, EpollOptions } from './threads/app_epoll.js';
export type { PacketBatch } from './threads/packet_batch.js';
