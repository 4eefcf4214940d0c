/** The dialog in which a sweep is made up. */
import { type Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { countCombinations, grid, readRange, sample, type Range } from '../sweeps';
import { writeValue } from '../parameters';
import type { Parameter, Parameters } from '../tokens';

/** More runs than these are refused by the server. */
const MOST_RUNS = 1000;
const FIRST_SAMPLE = 20;

export interface Sweep {
  sets: Parameters[];
  parallel: number;
}

export class SweepForm extends ReactWidget implements Dialog.IBodyWidget<Sweep | null> {
  /** `fixed` are values that all runs have, where the sweep has none of its own. */
  constructor(
    private readonly _parameters: readonly Parameter[],
    private readonly _fixed: Parameters,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-Pipelines-dialog');
  }

  /** Null where nothing can be run. */
  getValue(): Sweep | null {
    const ranges = this._ranges();
    if (this._wrong().length > 0 || ranges.size === 0) {
      return null;
    }
    const sets =
      this._sample === null
        ? grid(ranges, this._fixed)
        : sample(ranges, this._parameters, this._sample, this._fixed);
    const isGood = sets.length > 0 && sets.length <= MOST_RUNS && this._count() !== Infinity;
    return isGood ? { sets, parallel: this._parallel } : null;
  }

  protected render(): React.ReactElement {
    const trans = this._trans;
    const wrong = this._wrong();
    const count = this._count();
    this._enableAccept(this.getValue() !== null);
    return (
      <div className="jp-Pipelines-sweepForm">
        <p className="jp-Pipelines-note">
          {trans.__(
            'For each parameter that shall vary: values with commas (0.1, 0.2), steps (1..10 by 3), or, for a random sample, a range (0.001..0.1, or with "log").'
          )}
        </p>
        <div className="jp-Pipelines-form">
          {this._parameters.map(parameter => {
            const { name } = parameter;
            const id = `${this.id}-${name}`;
            return (
              <React.Fragment key={name}>
                <label htmlFor={id}>
                  <code>{name}</code>
                </label>
                <input
                  id={id}
                  type="text"
                  spellCheck={false}
                  autoComplete="off"
                  placeholder={
                    name in this._fixed ? JSON.stringify(this._fixed[name]) : writeValue(parameter)
                  }
                  value={this._texts.get(name) ?? ''}
                  aria-invalid={wrong.includes(name) || undefined}
                  onChange={event => {
                    this._texts.set(name, event.target.value);
                    this.update();
                  }}
                />
              </React.Fragment>
            );
          })}
          <label htmlFor={`${this.id}-kind`}>{trans.__('Runs')}</label>
          <select
            id={`${this.id}-kind`}
            value={this._sample === null ? 'grid' : 'sample'}
            onChange={event => {
              this._sample = event.target.value === 'grid' ? null : FIRST_SAMPLE;
              this.update();
            }}
          >
            <option value="grid">{trans.__('every combination')}</option>
            <option value="sample">{trans.__('a random sample')}</option>
          </select>
          {this._sample === null ? null : (
            <>
              <label htmlFor={`${this.id}-count`}>{trans.__('Size of the sample')}</label>
              <input
                id={`${this.id}-count`}
                type="number"
                min={1}
                max={MOST_RUNS}
                value={this._sample}
                onChange={event => {
                  this._sample = Math.max(1, Math.floor(event.target.valueAsNumber) || 1);
                  this.update();
                }}
              />
            </>
          )}
          <label htmlFor={`${this.id}-parallel`}>{trans.__('Runs at a time')}</label>
          <input
            id={`${this.id}-parallel`}
            type="number"
            min={1}
            max={64}
            value={this._parallel}
            onChange={event => {
              this._parallel = Math.max(1, Math.floor(event.target.valueAsNumber) || 1);
              this.update();
            }}
          />
        </div>
        <p role="status">{this._sentence(count)}</p>
      </div>
    );
  }

  private _sentence(count: number): string {
    const trans = this._trans;
    const wrong = this._wrong();
    if (wrong.length > 0) {
      return trans.__('These values cannot be read: %1.', wrong.join(', '));
    }
    if (this._ranges().size === 0) {
      return trans.__('No parameter varies yet.');
    }
    if (count === Infinity) {
      return trans.__(
        'A range has endless values: choose a random sample, or say its steps, such as 1..10 by 3.'
      );
    }
    return count > MOST_RUNS
      ? trans.__('%1 runs are too many; at most %2.', count.toLocaleString(), MOST_RUNS)
      : trans._n(
          '%1 run; what runs have in common is run once.',
          '%1 runs; what they have in common is run once.',
          count
        );
  }

  private _count(): number {
    const count = countCombinations(this._ranges());
    return this._sample === null ? count : Math.min(count, this._sample);
  }

  private _ranges(): Map<string, Range> {
    const found = new Map<string, Range>();
    for (const parameter of this._parameters) {
      const range = readRange(this._texts.get(parameter.name) ?? '', parameter);
      if (range) {
        found.set(parameter.name, range);
      }
    }
    return found;
  }

  private _wrong(): string[] {
    return this._parameters
      .filter(parameter => {
        const text = this._texts.get(parameter.name) ?? '';
        return text.trim() !== '' && readRange(text, parameter) === null;
      })
      .map(parameter => parameter.name);
  }

  private _enableAccept(isGood: boolean): void {
    const accept = this.node
      .closest('.jp-Dialog')
      ?.querySelector<HTMLButtonElement>('button.jp-mod-accept');
    if (accept) {
      accept.disabled = !isGood;
    }
  }

  private readonly _texts = new Map<string, string>();
  private _sample: number | null = null;
  private _parallel = 1;
}
