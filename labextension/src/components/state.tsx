import * as React from 'react';

import { stateWord, type StepState } from '../state';
import { useTrans } from './context';
import { StateIcon } from './icons';

/** A state as drawing and word. */
export function State({ state }: { state: StepState }): React.ReactElement {
  const trans = useTrans();
  return (
    <span className="jp-Pipelines-state" data-state={state}>
      <StateIcon state={state} />
      <span>{stateWord(trans, state)}</span>
    </span>
  );
}
