// SPDX-License-Identifier: GPL-2.0-only
// Known results: textbook algorithms, right and wrong, whose verdicts are beyond doubt.
import { litmus, must } from 'softnet/check';

const words = (names) => ({
  memory: () => new Int32Array(new SharedArrayBuffer(names.length * 4)),
  setup(m, label) {
    label(m, 0, names);
  },
});

/** Two threads in a critical section at once: `inside` counts them. */
function critical(m, inside) {
  must(Atomics.add(m, inside, 1) === 0, 'two threads are in the critical section');
  Atomics.sub(m, inside, 1);
}

const exclusion = { forbids: 'two threads in the critical section', why: 'a lock excludes' };

// --- Dekker's handshake (store buffering): under sequential consistency at least one sees the other.

export const dekkerHandshake = litmus({
  name: 'dekker-handshake',
  ...words(['x', 'y', 'r0', 'r1']),
  threads: {
    p0(m) {
      Atomics.store(m, 0, 1);
      Atomics.store(m, 2, Atomics.load(m, 1) + 1);
    },
    p1(m) {
      Atomics.store(m, 1, 1);
      Atomics.store(m, 3, Atomics.load(m, 0) + 1);
    },
  },
  final(m) {
    must(m[2] === 2 || m[3] === 2, 'both threads read 0');
  },
  forbids: 'both loads give 0',
  why: 'Atomics are sequentially consistent',
});

export const dekkerHandshakeReversed = litmus({
  name: 'dekker-handshake-reversed',
  ...words(['x', 'y', 'r0', 'r1']),
  threads: {
    p0(m) {
      const r = Atomics.load(m, 1);
      Atomics.store(m, 0, 1);
      Atomics.store(m, 2, r + 1);
    },
    p1(m) {
      const r = Atomics.load(m, 0);
      Atomics.store(m, 1, 1);
      Atomics.store(m, 3, r + 1);
    },
  },
  final(m) {
    must(m[2] === 2 || m[3] === 2, 'both threads read 0');
  },
  forbids: 'both loads give 0',
  why: 'the loads come first here, so it happens',
});

function dekkerLock(m, me) {
  const other = 1 - me;
  Atomics.store(m, me, 1);
  while (Atomics.load(m, other) === 1) {
    if (Atomics.load(m, 2) !== me) {
      Atomics.store(m, me, 0);
      while (Atomics.load(m, 2) !== me) Atomics.pause?.();
      Atomics.store(m, me, 1);
    }
  }
}

function dekkerUnlock(m, me) {
  Atomics.store(m, 2, 1 - me);
  Atomics.store(m, me, 0);
}

export const dekker = litmus({
  name: 'dekker',
  ...words(['wants0', 'wants1', 'turn', 'inside']),
  threads: {
    p0(m) {
      for (let i = 0; i < 2; i++) {
        dekkerLock(m, 0);
        critical(m, 3);
        dekkerUnlock(m, 0);
      }
    },
    p1(m) {
      for (let i = 0; i < 2; i++) {
        dekkerLock(m, 1);
        critical(m, 3);
        dekkerUnlock(m, 1);
      }
    },
  },
  ...exclusion,
});

// --- Peterson, and Peterson with the two stores the wrong way round

function peterson(name, rightOrder) {
  const body = (me) => (m) => {
    for (;;) {
      if (rightOrder) {
        Atomics.store(m, me, 1);
        Atomics.store(m, 2, 1 - me);
      } else {
        Atomics.store(m, 2, 1 - me);
        Atomics.store(m, me, 1);
      }
      while (Atomics.load(m, 1 - me) === 1 && Atomics.load(m, 2) === 1 - me) Atomics.pause?.();
      critical(m, 3);
      Atomics.store(m, me, 0);
    }
  };
  return litmus({
    name,
    ...words(['wants0', 'wants1', 'turn', 'inside']),
    threads: { p0: body(0), p1: body(1) },
    goal: (m) => m[0] === 0 && m[1] === 0,
    ...exclusion,
  });
}

export const petersonRight = peterson('peterson', true);
export const petersonWrong = peterson('peterson-wrong', false);

// --- Lamport's bakery, three threads

function bakery(name, choosing) {
  const n = 3;
  const body = (me) => (m) => {
    if (choosing) Atomics.store(m, me, 1);
    let most = 0;
    for (let i = 0; i < n; i++) {
      const t = Atomics.load(m, n + i);
      if (t > most) most = t;
    }
    const mine = most + 1;
    Atomics.store(m, n + me, mine);
    if (choosing) Atomics.store(m, me, 0);
    for (let i = 0; i < n; i++) {
      if (i === me) continue;
      while (choosing && Atomics.load(m, i) === 1) Atomics.pause?.();
      for (;;) {
        const t = Atomics.load(m, n + i);
        if (t === 0 || t > mine || (t === mine && i > me)) break;
        Atomics.pause?.();
      }
    }
    critical(m, 2 * n);
    Atomics.store(m, n + me, 0);
  };
  return litmus({
    name,
    ...words(['choosing0', 'choosing1', 'choosing2', 'number0', 'number1', 'number2', 'inside']),
    threads: { p0: body(0), p1: body(1), p2: body(2) },
    ...exclusion,
  });
}

export const bakeryRight = bakery('bakery', true);
export const bakeryWrong = bakery('bakery-without-choosing', false);

// --- a ticket lock guards plain data; with a ticket drawn in two steps it does not

function ticketLock(name, atomically) {
  const body = (m) => {
    let mine = 0;
    if (atomically) mine = Atomics.add(m, 0, 1);
    else {
      mine = Atomics.load(m, 0);
      Atomics.store(m, 0, mine + 1);
    }
    while (Atomics.load(m, 1) !== mine) Atomics.pause?.();
    m[2]++;
    Atomics.add(m, 1, 1);
  };
  return litmus({
    name,
    ...words(['next', 'serving', 'count']),
    threads: { p0: body, p1: body, p2: body },
    final(m) {
      must(m[2] === 3, `the count is ${m[2]}, not 3`);
    },
    ...exclusion,
  });
}

export const ticketRight = ticketLock('ticket-lock', true);
export const ticketWrong = ticketLock('ticket-lock-torn', false);

// --- double-checked locking: the flag published plainly, or before the data

function doubleChecked(name, check, publish) {
  const body = (m) => {
    if (check(m) === 0) {
      while (Atomics.compareExchange(m, 0, 0, 1) !== 0) Atomics.pause?.();
      if (check(m) === 0) publish(m);
      Atomics.store(m, 0, 0);
    }
    must(m[2] === 42, 'the object is used before it is made');
  };
  return litmus({
    name,
    ...words(['lock', 'ready', 'object']),
    threads: { p0: body, p1: body },
    forbids: 'an object that is not ready is seen',
    why: 'whoever sees the flag uses the object without the lock',
  });
}

export const doubleCheckedRight = doubleChecked(
  'double-checked',
  (m) => Atomics.load(m, 1),
  (m) => {
    m[2] = 42;
    Atomics.store(m, 1, 1);
  },
);
export const doubleCheckedEarly = doubleChecked(
  'double-checked-early',
  (m) => Atomics.load(m, 1),
  (m) => {
    Atomics.store(m, 1, 1);
    m[2] = 42;
  },
);
export const doubleCheckedPlain = doubleChecked(
  'double-checked-plain',
  (m) => m[1],
  (m) => {
    m[2] = 42;
    m[1] = 1;
  },
);

// --- a condition variable: reads its sequence before it unlocks, or after

function condition(name, beforeUnlock) {
  const lock = (m) => {
    while (Atomics.exchange(m, 0, 1) !== 0) Atomics.wait(m, 0, 1);
  };
  const unlock = (m) => {
    Atomics.store(m, 0, 0);
    Atomics.notify(m, 0, 1);
  };
  return litmus({
    name,
    ...words(['lock', 'sequence', 'ready']),
    threads: {
      waiter(m) {
        lock(m);
        while (m[2] === 0) {
          let seen = 0;
          if (beforeUnlock) seen = Atomics.load(m, 1);
          unlock(m);
          if (!beforeUnlock) seen = Atomics.load(m, 1);
          Atomics.wait(m, 1, seen);
          lock(m);
        }
        unlock(m);
      },
      signaller(m) {
        lock(m);
        m[2] = 1;
        Atomics.add(m, 1, 1);
        Atomics.notify(m, 1, 1);
        unlock(m);
      },
    },
    forbids: 'the waiter sleeps for ever',
    why: 'a signal given after the waiter unlocked must reach it',
  });
}

export const conditionRight = condition('condition', true);
export const conditionWrong = condition('condition-unlocks-first', false);

// --- two locks taken in two orders; a lost wake-up of a daemon; a timed wait

function lockWord(m, i) {
  while (Atomics.exchange(m, i, 1) !== 0) Atomics.wait(m, i, 1);
}

function unlockWord(m, i) {
  Atomics.store(m, i, 0);
  Atomics.notify(m, i, 1);
}

export const twoLocks = litmus({
  name: 'two-locks',
  ...words(['a', 'b']),
  threads: {
    p0(m) {
      lockWord(m, 0);
      lockWord(m, 1);
      unlockWord(m, 1);
      unlockWord(m, 0);
    },
    p1(m) {
      lockWord(m, 1);
      lockWord(m, 0);
      unlockWord(m, 0);
      unlockWord(m, 1);
    },
  },
  forbids: 'both wait for the other',
  why: 'locks have an order',
});

function worker(name, setFirst) {
  return litmus({
    name,
    ...words(['state', 'work', 'done']),
    threads: {
      sender(m) {
        Atomics.add(m, 1, 1);
        if (Atomics.compareExchange(m, 0, 1, 0) === 1) Atomics.notify(m, 0, 1);
      },
      worker(m) {
        for (;;) {
          if (setFirst) Atomics.store(m, 0, 1);
          if (Atomics.load(m, 1) !== Atomics.load(m, 2)) {
            Atomics.store(m, 0, 0);
            Atomics.add(m, 2, 1);
            continue;
          }
          if (!setFirst) Atomics.store(m, 0, 1);
          Atomics.wait(m, 0, 1);
        }
      },
    },
    daemons: ['worker'],
    final(m) {
      must(m[1] === m[2], `${m[1] - m[2]} pieces of work are left`);
    },
    forbids: 'the worker sleeps with work to do',
    why: 'it sets its state, then looks, then sleeps',
  });
}

export const workerRight = worker('worker', true);
export const workerWrong = worker('worker-looks-first', false);

export const timedWait = litmus({
  name: 'timed-wait',
  ...words(['word', 'ok', 'timedOut', 'notEqual']),
  threads: {
    p0(m) {
      const r = Atomics.wait(m, 0, 0, 10);
      Atomics.store(m, r === 'ok' ? 1 : r === 'timed-out' ? 2 : 3, 1);
    },
    p1(m) {
      Atomics.store(m, 0, 1);
      Atomics.notify(m, 0);
    },
  },
  final(m) {
    must(m[1] + m[2] + m[3] === 1, 'a wait ends in one way');
  },
  forbids: 'no result, or two',
  why: 'all three ends are explored',
});

export const leftAsleep = litmus({
  name: 'left-asleep',
  ...words(['word']),
  threads: {
    p0(m) {
      Atomics.wait(m, 0, 0);
    },
    p1(m) {
      Atomics.notify(m, 0);
    },
  },
  forbids: 'p0 sleeps at the end',
  why: 'the notify may come first',
});
