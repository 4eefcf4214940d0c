/** What every component may need and none should have to pass on. */
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { CommandRegistry } from '@lumino/commands';
import { nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { OpenNotebook } from '../tracker';

/** What a click may do beyond the model. */
export interface Actions {
  commands: CommandRegistry;
  /** The kernels that there are to choose from. */
  kernels(): { name: string; title: string }[];
  /** Scroll to a cell; `line` is counted from 1. */
  revealCell(notebook: OpenNotebook, index: number, line?: number): void;
  revealStep(notebook: OpenNotebook, name: string): void;
  /** Open the notebook of a run, or that of one of its steps, read-only. */
  openRun(notebook: OpenNotebook, runId: string, step?: string): void;
  /** Make the selected cell a step. */
  makeStep(notebook: OpenNotebook): void;
  /** Open a menu of commands below an element. */
  openMenu(below: Element, items: MenuItem[]): void;
}

/** A command, or null for a line between commands. */
export type MenuItem = { command: string; args?: { [name: string]: string } } | null;

export const TransContext = React.createContext<TranslationBundle>(nullTranslator.load(''));
/** Draws outputs and markdown; null where the application has nothing that does. */
export const RenderContext = React.createContext<IRenderMimeRegistry | null>(null);
export const ActionsContext = React.createContext<Actions | null>(null);
export const NotebookContext = React.createContext<OpenNotebook | null>(null);

export function useTrans(): TranslationBundle {
  return React.useContext(TransContext);
}

export function useActions(): Actions {
  return required(React.useContext(ActionsContext));
}

/** The notebook in front, with its pipeline. */
export function useNotebook(): OpenNotebook {
  return required(React.useContext(NotebookContext));
}

function required<T>(value: T | null): T {
  if (value === null) {
    throw new Error('A component was drawn outside of the panel.');
  }
  return value;
}
