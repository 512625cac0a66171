// SPDX-License-Identifier: GPL-2.0-only
//
// Applications that busy poll.

/** Reads everything by an epoll instance of its own. Answers frames, waits that found some, and what was ready last. */
export function epollReader(app) {
  const epoll = app.epoll(app.args.epoll);
  const perSocket = new Array(app.nrSockets).fill(0);
  let waits = 0;
  for (;;) {
    const ready = epoll.wait();
    waits++;
    let got = 0;
    for (let i = 0; i < ready; i++) {
      const socket = epoll.ready[i];
      const batch = app.tryRecv(64, socket);
      if (batch === null) continue;
      perSocket[socket] += batch.count;
      got += batch.count;
    }
    // Ready, and nothing to read: closed.
    if (got === 0 && app.recv(1) === null) return { perSocket, waits, napiId: app.incomingNapiId(0) };
  }
}

/** Waits without and with a limit while nothing comes. Answers what the waits said. */
export function epollTimeouts(app) {
  const epoll = app.epoll({ busyPollUs: 100, preferBusyPoll: true });
  const said = [epoll.wait(0), epoll.wait(5)];
  epoll.close();
  return said;
}

/** Answers the messages of what busy polling refuses. */
export function wrongOptions(app) {
  const tries = [
    () => app.epoll({ busyPollUs: -1 }),
    () => app.epoll({ busyPollBudget: 70000 }),
    () => app.epoll({ preferBusyPoll: 1 }),
    () => app.setBusyPoll(1, {}),
    () => app.setBusyPoll(0, { busyPollUs: 0.5 }),
    () => app.tryRecv(1, 7),
  ];
  return tries.map((attempt) => {
    try {
      attempt();
      return 'accepted';
    } catch (error) {
      return error.message;
    }
  });
}
