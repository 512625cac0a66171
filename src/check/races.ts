// SPDX-License-Identifier: GPL-2.0-only
/**
 * Data races, looked for in every state.
 *
 * Two threads race if each has a plain access, done since its last atomic, to the same bytes and one of them writes; or
 * one has done such an access and the other is about to do an atomic that conflicts with it. Plain accesses are no
 * scheduling points, and need not be: in a program without races each execution is equivalent to one in which they
 * run at once after the atomic before them.
 */
import type { Continuation, PlainAccess } from './front.js';
import type { ModelMemory } from './model_memory.js';
import { isAtomic, OP_CAS, OP_LOAD, OP_NOTIFY, OP_WAIT, sizeOf } from './ops.js';

/** A race: where both accesses stand, and what they are. */
export interface Race {
  readonly addr: number;
  readonly first: { readonly site: number; readonly what: string };
  readonly second: { readonly site: number; readonly what: string };
}

const plainName = (x: PlainAccess): string => (x.writes ? 'plain write' : 'plain read');

function overlap(a: number, aSize: number, b: number, bSize: number): boolean {
  return a < b + bSize && b < a + aSize;
}

/** Pairs of continuations (by number) that were found free of races; atomics that may or may not write left out. */
export class RaceCheck {
  private readonly fine = new Set<number>();
  private readonly memory: ModelMemory;

  constructor(memory: ModelMemory) {
    this.memory = memory;
  }

  /**
   * @param a,b what two threads are about to do; `aAsleep`, `bAsleep`: in a wait, so past what they did before
   * @returns a race between them, or null
   */
  between(a: Continuation, aAsleep: boolean, b: Continuation, bAsleep: boolean): Race | null {
    if (a.plain.length === 0 && b.plain.length === 0) return null;
    const key = a.id < b.id ? a.id * 0x4000000 + b.id : b.id * 0x4000000 + a.id;
    const cacheable = a.kind !== OP_CAS && b.kind !== OP_CAS && !aAsleep && !bAsleep;
    if (cacheable && this.fine.has(key)) return null;
    const race =
      (!aAsleep && !bAsleep ? this.plainPlain(a, b) : null) ??
      (!aAsleep && !bAsleep ? (this.plainAtomic(a, b) ?? this.plainAtomic(b, a)) : null);
    if (race === null && cacheable) this.fine.add(key);
    return race;
  }

  private plainPlain(a: Continuation, b: Continuation): Race | null {
    for (const x of a.plain) {
      for (const y of b.plain) {
        if (!(x.writes || y.writes) || !overlap(x.addr, x.size, y.addr, y.size)) continue;
        return {
          addr: x.addr,
          first: { site: x.site, what: plainName(x) },
          second: { site: y.site, what: plainName(y) },
        };
      }
    }
    return null;
  }

  private plainAtomic(a: Continuation, b: Continuation): Race | null {
    if (!isAtomic(b.kind) || b.kind === OP_NOTIFY) return null;
    const size = sizeOf(b.type);
    for (const x of a.plain) {
      if (!overlap(x.addr, x.size, b.addr, size)) continue;
      const reads =
        b.kind === OP_LOAD || b.kind === OP_WAIT || (b.kind === OP_CAS && this.memory.read(b) !== b.a);
      if (reads && !x.writes) continue;
      return {
        addr: x.addr,
        first: { site: x.site, what: plainName(x) },
        second: { site: b.site, what: 'atomic' },
      };
    }
    return null;
  }
}
