import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ErrorDetails } from '../tokens';
import { useActions, useNotebook, useTrans } from './context';
import { Words } from './words';

interface MessageProps {
  kind: 'error' | 'warning' | 'info';
  children: React.ReactNode;
  onDismiss?: () => void;
}

/** Something the user should read, in the flow of the panel. */
export function Message({ kind, children, onDismiss }: MessageProps): React.ReactElement {
  const trans = useTrans();
  return (
    <div
      className="jp-Pipelines-message"
      data-kind={kind}
      role={kind === 'error' ? 'alert' : 'note'}
    >
      <div className="jp-Pipelines-messageBody">{children}</div>
      {onDismiss ? (
        <button
          className="jp-Pipelines-iconButton"
          title={trans.__('Dismiss')}
          aria-label={trans.__('Dismiss')}
          onClick={onDismiss}
        >
          <closeIcon.react tag="span" />
        </button>
      ) : null}
    </div>
  );
}

interface ErrorMessageProps {
  error: ErrorDetails;
  onDismiss?: () => void;
}

/** An error of the notebook, with the way to the cell that it is about. */
export function ErrorMessage({ error, onDismiss }: ErrorMessageProps): React.ReactElement {
  const { cell_index: index, line } = error.details ?? {};
  return (
    <Message kind="error" onDismiss={onDismiss}>
      <p>
        <Words text={error.message} />
      </p>
      {typeof index === 'number' ? <CellLink index={index} line={line} /> : null}
    </Message>
  );
}

/** A link that scrolls to a cell; cells are counted from 1, as people do. */
export function CellLink({ index, line }: { index: number; line?: number }): React.ReactElement {
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  return (
    <button className="jp-Pipelines-link" onClick={() => actions.revealCell(notebook, index, line)}>
      {typeof line === 'number'
        ? trans.__('Go to cell %1, line %2', index + 1, line)
        : trans.__('Go to cell %1', index + 1)}
    </button>
  );
}
