// SPDX-License-Identifier: GPL-2.0-only
/** `softnet top`: what a running machine does, live on a terminal, or as lines. */
import { emitKeypressEvents, type Key } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
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
import { screenLines, topLines } from './screen.js';

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
const KEYS = 'q quit  up down choose  m mode  sort: p pps  c CPU  n pkt/poll  i id';
/** A machine that has been silent for so long is said to be, ms. */
const SILENT_MS = 2000;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const ALTERNATE_SCREEN = '\x1b[?1049h\x1b[?25l';
const MAIN_SCREEN = '\x1b[?25h\x1b[?1049l';

class Top {
  private readonly client: Client;
  private readonly o: TopOptions;
  private sort: SortKey = 'p';
  /** Id of the marked instance: it keeps its mark wherever sorting puts it. */
  private chosen: number | null = null;
  /** Where it was shown. */
  private place = 0;
  private shown: readonly NapiRow[] = [];
  private view: TopView | null = null;
  private note = '';
  private silent = false;
  private readonly end = new AbortController();

  constructor(o: TopOptions) {
    this.o = o;
    this.client = new Client(o.socket);
  }

  async look(): Promise<TopAnswer> {
    const answer = await this.client.ask('GET', '/top', '', this.end.signal);
    if (answer.error !== null) throw new NoMachineError(answer.error.message);
    return JSON.parse(answer.body) as TopAnswer;
  }

  /** Waits for the next look, or the end. */
  async pause(): Promise<void> {
    const { signal } = this.end;
    await setTimeout(this.o.seconds * 1e3, undefined, { signal }).catch(() => {});
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

  /** Runs on a terminal until q, Ctrl-C, a signal, or the end of the machine. */
  async screen(): Promise<number> {
    const { stdin, stdout } = process;
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    stdin.resume();
    const onKey = (_text: string, key: Key): void => {
      if (key.name === 'q' || (key.ctrl === true && key.name === 'c')) this.end.abort();
      else void this.press(key.name ?? '');
    };
    const onEnd = (): void => this.end.abort();
    const onResize = (): void => this.draw();
    stdin.on('keypress', onKey);
    for (const signal of SIGNALS) process.on(signal, onEnd);
    stdout.on('resize', onResize);
    stdout.write(ALTERNATE_SCREEN);
    try {
      await this.watch();
    } catch (error) {
      // A look that was given up is the end that was asked for.
      if (!this.end.signal.aborted) throw error;
    } finally {
      this.end.abort();
      stdout.write(MAIN_SCREEN);
      stdin.off('keypress', onKey);
      for (const signal of SIGNALS) process.off(signal, onEnd);
      stdout.off('resize', onResize);
      stdin.setRawMode(false);
      stdin.pause();
    }
    return EXIT_OK;
  }

  private async watch(): Promise<void> {
    let before = await this.lookOrTell();
    while (!this.end.signal.aborted) {
      await this.pause();
      if (this.end.signal.aborted) return;
      const now = await this.lookOrTell();
      this.view = topView(before, now);
      before = now;
      this.draw();
    }
  }

  /** A look that says on the screen that it takes long. */
  private async lookOrTell(): Promise<TopAnswer> {
    const told = new AbortController();
    const { signal } = told;
    void setTimeout(SILENT_MS, undefined, { signal }).then(
      () => {
        this.silent = true;
        this.draw();
      },
      () => {},
    );
    try {
      return await this.look();
    } finally {
      told.abort();
      this.silent = false;
    }
  }

  private async press(key: string): Promise<void> {
    if (key in SORTS) this.sort = key as SortKey;
    else if (key === 'down') this.choose(this.place + 1);
    else if (key === 'up') this.choose(this.place - 1);
    else if (key === 'm') await this.switchMode();
    this.draw();
  }

  private choose(place: number): void {
    this.place = Math.max(0, Math.min(place, this.shown.length - 1));
    this.chosen = this.shown[this.place]?.id ?? null;
  }

  /** The next mode for the chosen instance, by netlink as anybody would. */
  private async switchMode(): Promise<void> {
    const n = this.shown[this.place];
    if (n === undefined) return;
    const threaded = NEXT_MODE[n.mode] ?? 'disabled';
    try {
      const body = JSON.stringify({ do: 'napi-set', attrs: { id: n.id, threaded } });
      const answer = await this.client.ask('POST', '/netlink/netdev', body, this.end.signal);
      this.note = answer.error === null ? `napi ${n.id}: ${threaded}` : answer.error.message;
    } catch (error) {
      this.note = (error as Error).message;
    }
  }

  private draw(): void {
    const { view } = this;
    if (this.end.signal.aborted) return;
    if (view !== null) {
      this.shown = sorted(view.napis, this.sort);
      const place = this.shown.findIndex((n) => n.id === this.chosen);
      // The one that was marked is gone: whoever stands there now.
      this.choose(place >= 0 ? place : this.place);
    }
    // A terminal that does not tell its size has 0 of each.
    const columns = process.stdout.columns || 80;
    const rows = process.stdout.rows || 24;
    const note = this.silent ? 'the machine does not answer' : this.note;
    const s = { view, napis: this.shown, chosen: this.chosen, note, keys: KEYS };
    const lines = screenLines(s, columns, rows);
    // Each is cleared before it is written: behind a line that fills the screen the cursor still stands on its last character.
    const text = lines.map((l) => `\x1b[K${l}`).join('\r\n');
    process.stdout.write(`\x1b[H${text}${lines.length < rows ? '\r\n\x1b[J' : ''}`);
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
