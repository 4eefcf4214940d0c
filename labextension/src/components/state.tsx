import * as React from 'react';

import { stateWord, type StepState } from '../state';
import { useTrans } from './context';
import { StateIcon } from './icons';

interface StateProps {
  state: StepState;
  /** Where there is little room the drawing is enough for the eye. */
  isBrief?: boolean;
}

/** A state as drawing and word. */
export function State({ state, isBrief }: StateProps): React.ReactElement {
  const trans = useTrans();
  const word = stateWord(trans, state);
  return (
    <span className="jp-Pipelines-state" data-state={state} title={isBrief ? word : undefined}>
      <StateIcon state={state} />
      <span className={isBrief ? 'jp-Pipelines-wideOnly' : undefined}>{word}</span>
    </span>
  );
}
