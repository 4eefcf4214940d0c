/** Below the drawing: what part of it is seen, and the search for steps. */
import { addIcon, searchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useTrans } from '../../components/context';
import { FitIcon, FoldIcon, GroupIcon, MinusIcon } from '../../components/icons';
import type { Viewport } from './viewport';

interface ToolsProps {
  viewport: React.RefObject<Viewport>;
  onFit(): void;
  words: string;
  /** How many steps have the words. */
  found: number;
  /** Whether there are enough steps to search among. */
  isSearched: boolean;
  onWords(words: string): void;
  onNext(): void;
  isGrouped: boolean;
  /** Null where the headings make no groups. */
  onGrouped: ((isGrouped: boolean) => void) | null;
  onToggleAll: (() => void) | null;
  areSomeClosed: boolean;
}

export function Tools(props: ToolsProps): React.ReactElement {
  const trans = useTrans();
  const { viewport, onGrouped, onToggleAll, words } = props;
  const groups = props.isGrouped ? trans.__('Draw without groups') : trans.__('Group by headings');
  const all = props.areSomeClosed ? trans.__('Open all groups') : trans.__('Close all groups');
  return (
    <div className="jp-Pipelines-tools" role="toolbar" aria-label={trans.__('Graph')}>
      <Tool label={trans.__('Zoom out')} onClick={() => viewport.current?.zoomOut()}>
        <MinusIcon />
      </Tool>
      <Tool label={trans.__('Zoom in')} onClick={() => viewport.current?.zoomIn()}>
        <addIcon.react tag="span" />
      </Tool>
      <Tool label={trans.__('Show the whole graph')} onClick={props.onFit}>
        <FitIcon />
      </Tool>
      {onGrouped ? (
        <Tool
          label={groups}
          isPressed={props.isGrouped}
          onClick={() => onGrouped(!props.isGrouped)}
        >
          <GroupIcon />
        </Tool>
      ) : null}
      {onToggleAll ? (
        <Tool label={all} onClick={onToggleAll}>
          <FoldIcon />
        </Tool>
      ) : null}
      {props.isSearched ? (
        <label className="jp-Pipelines-search">
          <searchIcon.react tag="span" />
          <input
            type="search"
            aria-label={trans.__('Find a step')}
            placeholder={trans.__('Find a step')}
            value={words}
            spellCheck={false}
            onChange={event => props.onWords(event.target.value)}
            onKeyDown={event => {
              if (event.key === 'Enter') {
                props.onNext();
              } else if (event.key === 'Escape' && words) {
                props.onWords('');
                event.stopPropagation();
              }
            }}
          />
          {words ? (
            <span className="jp-Pipelines-count" role="status">
              {props.found}
            </span>
          ) : null}
        </label>
      ) : null}
    </div>
  );
}

interface ToolProps {
  label: string;
  isPressed?: boolean;
  onClick(): void;
  children: React.ReactNode;
}

function Tool({ label, isPressed, onClick, children }: ToolProps): React.ReactElement {
  return (
    <button
      className="jp-Pipelines-iconButton"
      title={label}
      aria-label={label}
      aria-pressed={isPressed}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
