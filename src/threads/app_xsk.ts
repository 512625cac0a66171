// SPDX-License-Identifier: GPL-2.0-only
/**
 * What an application thread uses an AF_XDP socket with: the rings (net/xdp/xsk_user.ts) and the socket's system calls
 * (Linux: xsk_recvmsg, xsk_sendmsg, xsk_poll).
 */
import { xskCall, xskWait } from '../drivers/net/sim_nic_xsk.js';
import { XDP_SOCK, XDP_WAKEUP_RX, XDP_WAKEUP_TX, xskClosed } from '../net/xdp/xsk.js';
import { XskRings, xskPlaces } from '../net/xdp/xsk_user.js';
import type { ThreadContext } from './context.js';
import { chargeSyscall } from './syscall_charge.js';

/** Looks at the rx ring before a sleep: a wake-up costs far more than these. */
const SPIN_LOOKS = 200;
/** Longest wait, ms: the range of the clock that it is measured by. */
const MAX_WAIT_MS = 1_800_000;

/** A socket in a thread that only makes its system calls: the rings are another's. */
export class XskPoller {
  private readonly ctx: ThreadContext;
  private readonly at: number;

  constructor(ctx: ThreadContext, at: number) {
    this.ctx = ctx;
    this.at = at;
  }

  /** true once nothing more is received or sent. */
  get closed(): boolean {
    return xskClosed(this.ctx.arena.m, this.at);
  }

  /**
   * Polls the queue's NAPI instance once, if SO_BUSY_POLL is set; else, or if that is not preferred, has it scheduled
   * where the driver needs a wake-up to look at the fill ring. Never blocks.
   * @returns 0; -ENXIO: the socket is at no queue any more; -ENETDOWN: the link is down
   */
  recvfrom(): number {
    chargeSyscall(this.ctx);
    return xskCall(this.ctx.driver, this.at, XDP_WAKEUP_RX);
  }
}

export class XskSocket extends XskRings {
  private readonly ctx: ThreadContext;

  constructor(ctx: ThreadContext, at: number, places = xskPlaces(ctx.arena.m, at)) {
    super(ctx.arena, at, places);
    this.ctx = ctx;
  }

  /** true once nothing more is received or sent: the socket or its device is closed. What was received can be read. */
  get closed(): boolean {
    return xskClosed(this.m, this.at);
  }

  /** Registers this thread as the one that is woken, and takes the rings over. */
  override begin(): void {
    super.begin();
    Atomics.store(this.m, this.at + XDP_SOCK.waiter, this.ctx.cur.task.at);
  }

  /** Gives the batch back and unregisters. */
  end(): void {
    this.rxRelease();
    Atomics.store(this.m, this.at + XDP_SOCK.waiter, 0);
  }

  /** As `recvfrom` of XskPoller. */
  recvfrom(): number {
    chargeSyscall(this.ctx);
    return xskCall(this.ctx.driver, this.at, XDP_WAKEUP_RX);
  }

  /** Has what is in the tx ring sent: as recvfrom, for the other direction. */
  sendto(): number {
    this.txSubmit();
    chargeSyscall(this.ctx);
    return xskCall(this.ctx.driver, this.at, XDP_WAKEUP_TX);
  }

  /**
   * Asks the driver where it wants that, then sleeps until there are frames to read or the socket is closed.
   * @param timeoutMs at most so long; -1: without limit, 0: not at all
   * @returns true if there is something to read
   */
  poll(timeoutMs = -1): boolean {
    this.txSubmit();
    chargeSyscall(this.ctx);
    const limitUs = timeoutMs < 0 ? -1 : Math.ceil(Math.min(timeoutMs, MAX_WAIT_MS) * 1e3);
    xskWait(this.ctx.driver, this.at, this, limitUs === 0 ? 0 : SPIN_LOOKS, limitUs);
    return this.rxReady() > 0;
  }
}
