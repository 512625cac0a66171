// SPDX-License-Identifier: GPL-2.0-only
/** `softnet top`: what a running machine does, live on a terminal, or as lines. */
import { emitKeypressEvents, type Key } from 'node:readline';
import { Client, NoMachineError, noMachine } from '../client.js';
import { EXIT_OK } from '../exit_codes.js';
import {
  type NapiRow,
  SORTS,
  type SortKey,
  sorted,
  type TopAnswer,
  type TopView,
  topView,
} from './sample.js';
import { topLines } from './screen.js';

export interface TopOptions {
  readonly once: boolean;
  readonly json: boolean;
  /** Between two looks. */
  readonly seconds: number;
  readonly socket?: string;
}

/** The modes that a key goes through. */
const NEXT_MODE: { readonly [mode: string]: string } = {
  disabled: 'enabled',
  enabled: 'busy-poll',
  'busy-poll': 'disabled',
};
const KEYS = 'q quit  p c n i sort by pps, cpu, packets a poll, id  up down choose  m switch the mode';
const ALTERNATE_SCREEN = '\x1b[?1049h\x1b[?25l';
const MAIN_SCREEN = '\x1b[?25h\x1b[?1049l';

class Top {
  private readonly client: Client;
  private readonly o: TopOptions;
  private sort: SortKey = 'p';
  private selected = 0;
  private shown: readonly NapiRow[] = [];
  private view: TopView | null = null;
  private note = '';

  constructor(o: TopOptions) {
    this.o = o;
    this.client = new Client(o.socket);
  }

  async look(): Promise<TopAnswer> {
    const answer = await this.client.ask('GET', '/top');
    if (answer.error !== null) throw new NoMachineError(answer.error.message);
    return JSON.parse(answer.body) as TopAnswer;
  }

  async pause(signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.o.seconds * 1e3);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Prints one view, or one after the other until a signal. */
  async lines(): Promise<number> {
    let before = await this.look();
    for (;;) {
      await this.pause();
      const now = await this.look();
      const view = topView(before, now);
      before = now;
      if (this.o.json) process.stdout.write(`${JSON.stringify(view)}\n`);
      else process.stdout.write(`${topLines(view, sorted(view.napis, this.sort)).join('\n')}\n`);
      if (this.o.once) return EXIT_OK;
      if (!this.o.json) process.stdout.write('\n');
    }
  }

  /** Runs on a terminal until q, Ctrl-C, or the end of the machine. */
  async screen(): Promise<number> {
    const end = new AbortController();
    const { stdin, stdout } = process;
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    stdin.resume();
    const onKey = (_text: string, key: Key): void => {
      if (key.name === 'q' || (key.ctrl === true && key.name === 'c')) end.abort();
      else void this.press(key.name ?? '');
    };
    const onEnd = (): void => end.abort();
    stdin.on('keypress', onKey);
    process.on('SIGTERM', onEnd);
    stdout.write(ALTERNATE_SCREEN);
    try {
      let before = await this.look();
      this.note = `a look every ${this.o.seconds} s`;
      while (!end.signal.aborted) {
        await this.pause(end.signal);
        if (end.signal.aborted) break;
        const now = await this.look();
        this.view = topView(before, now);
        before = now;
        this.draw();
      }
    } finally {
      stdout.write(MAIN_SCREEN);
      stdin.off('keypress', onKey);
      process.off('SIGTERM', onEnd);
      stdin.setRawMode(false);
      stdin.pause();
    }
    return EXIT_OK;
  }

  private async press(key: string): Promise<void> {
    if (key in SORTS) this.sort = key as SortKey;
    else if (key === 'down') this.selected = Math.min(this.selected + 1, this.shown.length - 1);
    else if (key === 'up') this.selected = Math.max(this.selected - 1, 0);
    else if (key === 'm') await this.switchMode();
    this.draw();
  }

  /** The next mode for the chosen instance, by netlink as anybody would. */
  private async switchMode(): Promise<void> {
    const n = this.shown[this.selected];
    if (n === undefined) return;
    const threaded = NEXT_MODE[n.mode] ?? 'disabled';
    try {
      const body = JSON.stringify({ do: 'napi-set', attrs: { id: n.id, threaded } });
      const answer = await this.client.ask('POST', '/netlink/netdev', body);
      this.note = answer.error === null ? `napi ${n.id}: ${threaded}` : answer.error.message;
    } catch (error) {
      this.note = (error as Error).message;
    }
  }

  private draw(): void {
    const { view } = this;
    if (view === null) return;
    this.shown = sorted(view.napis, this.sort);
    this.selected = Math.max(0, Math.min(this.selected, this.shown.length - 1));
    // A terminal that does not tell its size has 0 of each.
    const columns = process.stdout.columns || 80;
    const rows = process.stdout.rows || 24;
    const lines = [...topLines(view, this.shown, this.selected).slice(0, rows - 3), '', this.note, KEYS];
    const text = lines.map((l) => `${l.slice(0, columns)}\x1b[K`).join('\r\n');
    process.stdout.write(`\x1b[H${text}\x1b[J`);
  }
}

/** Runs the command. @returns its exit code */
export async function top(o: TopOptions): Promise<number> {
  try {
    const t = new Top(o);
    const isTerminal = process.stdout.isTTY === true && process.stdin.isTTY === true;
    return await (isTerminal && !o.once && !o.json ? t.screen() : t.lines());
  } catch (error) {
    return noMachine('top', error);
  }
}
