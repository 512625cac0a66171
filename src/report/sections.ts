// SPDX-License-Identifier: GPL-2.0-only
/** Which section shows which document: by what it holds, so that results of other versions are shown as far as they go. */
import type { At } from './at.js';
import { backlogSection } from './section_backlog.js';
import { litmusSection, mutantSection, reconfigSection, replaySection } from './section_rest.js';
import { rrSection } from './section_rr.js';
import { streamSection } from './section_stream.js';

export type Kind = 'stream' | 'backlog' | 'rr' | 'reconfig' | 'litmus' | 'mutants' | 'replay';

const SECTIONS: { readonly [kind in Kind]: (id: string, result: At) => string } = {
  stream: streamSection,
  backlog: backlogSection,
  rr: rrSection,
  reconfig: reconfigSection,
  litmus: litmusSection,
  mutants: mutantSection,
  replay: replaySection,
};

/** @returns which command's document this is, null if of none that a report knows */
export function kindOf(result: At): Kind | null {
  const command = result.at('command').text.replace(/^softnet /, '');
  if (
    command === 'backlog' ||
    command === 'rr' ||
    command === 'reconfig' ||
    command === 'replay' ||
    command === 'stream'
  )
    return command;
  if (Array.isArray(result.at('mutants').value)) return 'mutants';
  if (Array.isArray(result.at('tests').value)) return 'litmus';
  const [row] = result.at('rows').items();
  return row?.at('settings').value !== undefined || result.at('curve').items().length > 0 ? 'stream' : null;
}

/** @returns tables and plots of a document; '' of one that is not known, or empty */
export function sectionOf(id: string, result: At): string {
  const kind = kindOf(result);
  return kind === null ? '' : SECTIONS[kind](id, result);
}
