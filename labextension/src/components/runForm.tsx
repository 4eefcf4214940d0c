/** The dialog in which people add to a run. */
import { type Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { PINNED, type RunSummary } from '../tokens';

interface RunNotes {
  tags: string[];
  comment: string;
}

export class RunForm extends ReactWidget implements Dialog.IBodyWidget<RunNotes> {
  constructor(
    run: RunSummary,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-Pipelines-dialog');
    this._tags = run.tags.filter(tag => tag !== PINNED).join(', ');
    this._comment = run.comment;
  }

  getValue(): RunNotes {
    const tags = this._tags.split(',').map(tag => tag.trim());
    return { tags: [...new Set(tags.filter(Boolean))], comment: this._comment.trim() };
  }

  protected render(): React.ReactElement {
    const trans = this._trans;
    return (
      <div className="jp-Pipelines-form">
        <label htmlFor={`${this.id}-tags`}>{trans.__('Tags')}</label>
        <input
          id={`${this.id}-tags`}
          type="text"
          defaultValue={this._tags}
          placeholder={trans.__('good, baseline')}
          onChange={event => (this._tags = event.target.value)}
        />
        <label htmlFor={`${this.id}-comment`}>{trans.__('Comment')}</label>
        <input
          id={`${this.id}-comment`}
          type="text"
          defaultValue={this._comment}
          onChange={event => (this._comment = event.target.value)}
        />
        <p className="jp-Pipelines-note">{trans.__('Runs with a tag are kept.')}</p>
      </div>
    );
  }

  private _tags: string;
  private _comment: string;
}
