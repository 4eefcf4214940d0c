/** Where the views of a table get it from: the panel and the main area show the same views. */
import * as React from 'react';

import type { PipelinesClient } from '../../client';

export interface TableSource {
  client: PipelinesClient;
  /** Of the notebook. */
  path: string;
  runId: string;
  /** As `step.name`. */
  table: string;
  /** What it is compared with: the id of a run, a table of this run, or `''` for what its run compared it with. */
  against: string;
  /** Show a cell of the notebook; null where it is not open. */
  revealCell: ((index: number) => void) | null;
  /** Open a file that lies beside the notebook. */
  openFile: ((name: string) => void) | null;
  /** Something was accepted: what is shown is out of date. */
  changed(): void;
}

export const SourceContext = React.createContext<TableSource | null>(null);

export function useSource(): TableSource {
  const source = React.useContext(SourceContext);
  if (source === null) {
    throw new Error('A view of a table was drawn without a table.');
  }
  return source;
}
