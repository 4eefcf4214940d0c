/** The form by which a cell is made a step, without typing tags. */
import * as React from 'react';

import { roleWord } from '../state';
import {
  isCache,
  isLimit,
  isStepName,
  LIMITS,
  type CellKind,
  type CellTags,
  type Limit
} from '../tags';
import { ROLES, type Role } from '../tokens';
import { useTrans } from './context';

/** How long a result may be kept when an age is asked for. */
const FIRST_AGE = '12h';

interface StepFormProps {
  value: CellTags;
  /** What the cell said before; its name is accepted even where a new one would not be. */
  original: CellTags;
  /** Steps of the notebook, to choose from. */
  stepNames: readonly string[];
  /** The cell says its step in its first line (`%%step`), which the tags cannot change. */
  hasMagic: boolean;
  /** Something was chosen or typed. */
  onChange(value: CellTags): void;
  /** Something was chosen, or typing has ended. */
  onCommit?(value: CellTags): void;
}

export function StepForm(props: StepFormProps): React.ReactElement {
  const { value, original, onChange, onCommit } = props;
  const trans = useTrans();
  const id = React.useId();
  const type = (change: Partial<CellTags>): void => onChange({ ...value, ...change });
  const choose = (change: Partial<CellTags>): void => {
    type(change);
    onCommit?.({ ...value, ...change });
  };
  const typed = {
    onBlur: () => onCommit?.(value),
    onKeyDown: (event: React.KeyboardEvent) => event.key === 'Enter' && onCommit?.(value)
  };
  // Nothing typed yet is no mistake yet.
  const isNamed = value.step === '' || isAcceptedName(value, original);

  if (props.hasMagic) {
    return (
      <p className="jp-Pipelines-note">
        {trans.__(
          'This cell says by its first line, %%step, which step it belongs to. Change it there.'
        )}
      </p>
    );
  }
  return (
    <div className="jp-Pipelines-form" role="group" aria-label={trans.__('Pipeline step')}>
      <label htmlFor={`${id}-kind`}>{trans.__('This cell')}</label>
      <select
        id={`${id}-kind`}
        value={value.kind}
        onChange={event => choose({ kind: event.target.value as CellKind })}
      >
        <option value="step">{trans.__('is part of a step')}</option>
        <option value="join">{trans.__('goes with the cells above')}</option>
        <option value="parameters">{trans.__('holds parameters')}</option>
        <option value="skip">{trans.__('is not part of the pipeline')}</option>
        {original.kind === 'shared' ? (
          <option value="shared">{trans.__('holds for all steps')}</option>
        ) : null}
        {original.kind === 'metrics' ? (
          <option value="metrics">{trans.__('prints metrics')}</option>
        ) : null}
      </select>
      {value.kind === 'step' ? (
        <>
          <label htmlFor={`${id}-name`}>{trans.__('Step')}</label>
          <input
            id={`${id}-name`}
            type="text"
            list={`${id}-names`}
            value={value.step}
            placeholder={trans.__('load, clean, train…')}
            spellCheck={false}
            autoComplete="off"
            aria-invalid={!isNamed}
            aria-describedby={isNamed ? undefined : `${id}-wrong`}
            onChange={event => type({ step: event.target.value.trim() })}
            {...typed}
          />
          <datalist id={`${id}-names`}>
            {props.stepNames.map(name => (
              <option key={name} value={name} />
            ))}
          </datalist>
          {isNamed ? null : (
            <p id={`${id}-wrong`} className="jp-Pipelines-wrong">
              {trans.__(
                'A name has small letters, digits, "-" and "_" and starts with a letter, such as "train-model".'
              )}
            </p>
          )}
          <label htmlFor={`${id}-role`}>{trans.__('Role')}</label>
          <select
            id={`${id}-role`}
            value={value.role ?? ''}
            onChange={event => choose({ role: (event.target.value || null) as Role | null })}
          >
            <option value="">{trans.__('none')}</option>
            {ROLES.map(role => (
              <option key={role} value={role}>
                {roleWord(trans, role)}
              </option>
            ))}
          </select>
          <CacheFields id={id} cache={value.cache} choose={choose} type={type} typed={typed} />
          <LimitFields id={id} value={value} original={original} type={type} typed={typed} />
        </>
      ) : null}
    </div>
  );
}

interface LimitFieldsProps {
  id: string;
  value: CellTags;
  original: CellTags;
  type(change: Partial<CellTags>): void;
  typed: React.DOMAttributes<HTMLInputElement>;
}

/** What few steps need: folded, unless something is said there. */
function LimitFields(props: LimitFieldsProps): React.ReactElement {
  const { id, value, original, type, typed } = props;
  const trans = useTrans();
  const [isOpen, setOpen] = React.useState(LIMITS.some(limit => original.limits[limit] !== ''));
  const labels: { [limit in Limit]: [label: string, example: string, how: string] } = {
    retries: [trans.__('Retries'), '2', trans.__('Write a whole number, such as 2.')],
    timeout: [
      trans.__('Timeout'),
      '30m',
      trans.__('Write a number and s, m, h, d or w, such as 30m or 12h.')
    ],
    cpu: [trans.__('CPU cores'), '2', trans.__('Write a number of cores, such as 2 or 0.5.')],
    memory: [trans.__('Memory'), '4Gi', trans.__('Write a number and a unit, such as 4Gi.')],
    gpu: [trans.__('GPUs'), '1', trans.__('Write a whole number, such as 1.')]
  };
  return (
    <>
      {/* No button: in a dialog Enter would press that of the dialog. */}
      <label className="jp-Pipelines-formMore">
        <input type="checkbox" checked={isOpen} onChange={event => setOpen(event.target.checked)} />
        {trans.__('Retries, timeout and resources')}
      </label>
      {isOpen
        ? LIMITS.map(limit => {
            const [label, example, how] = labels[limit];
            const isGood = isLimit(limit, value.limits[limit]);
            return (
              <React.Fragment key={limit}>
                <label htmlFor={`${id}-${limit}`}>{label}</label>
                <input
                  id={`${id}-${limit}`}
                  type="text"
                  value={value.limits[limit]}
                  placeholder={trans.__('such as %1', example)}
                  spellCheck={false}
                  autoComplete="off"
                  aria-invalid={!isGood}
                  aria-describedby={isGood ? undefined : `${id}-${limit}-wrong`}
                  onChange={({ target }) =>
                    type({ limits: { ...value.limits, [limit]: target.value.trim() } })
                  }
                  {...typed}
                />
                {isGood ? null : (
                  <p id={`${id}-${limit}-wrong`} className="jp-Pipelines-wrong">
                    {how}
                  </p>
                )}
              </React.Fragment>
            );
          })
        : null}
      {isOpen ? (
        <p className="jp-Pipelines-note">
          {trans.__('Cores, memory and GPUs are for exports: the engine is asked for them.')}
        </p>
      ) : null}
    </>
  );
}

interface CacheFieldsProps {
  id: string;
  cache: string;
  choose(change: Partial<CellTags>): void;
  type(change: Partial<CellTags>): void;
  typed: React.DOMAttributes<HTMLInputElement>;
}

function CacheFields(props: CacheFieldsProps): React.ReactElement {
  const { id, cache, choose, type, typed } = props;
  const trans = useTrans();
  const policy = cache === 'on' || cache === 'off' ? cache : 'age';
  const isGood = isCache(cache);
  return (
    <>
      <label htmlFor={`${id}-cache`}>{trans.__('Cache')}</label>
      <select
        id={`${id}-cache`}
        value={policy}
        onChange={event => {
          const chosen = event.target.value;
          choose({ cache: chosen === 'age' ? FIRST_AGE : chosen });
        }}
      >
        <option value="on">{trans.__('reuse what is up to date')}</option>
        <option value="off">{trans.__('never reuse')}</option>
        <option value="age">{trans.__('reuse for at most…')}</option>
      </select>
      {policy === 'age' ? (
        <>
          <label htmlFor={`${id}-age`}>{trans.__('At most')}</label>
          <input
            id={`${id}-age`}
            type="text"
            value={cache}
            aria-invalid={!isGood}
            aria-describedby={isGood ? undefined : `${id}-age-wrong`}
            onChange={event => type({ cache: event.target.value.trim() })}
            {...typed}
          />
          {isGood ? null : (
            <p id={`${id}-age-wrong`} className="jp-Pipelines-wrong">
              {trans.__('Write a number and s, m, h, d or w, such as 30m or 12h.')}
            </p>
          )}
        </>
      ) : null}
    </>
  );
}

/** Whether the form may be written back to the cell. */
export function isComplete(value: CellTags, original: CellTags): boolean {
  return (
    value.kind !== 'step' ||
    (isAcceptedName(value, original) &&
      isCache(value.cache) &&
      LIMITS.every(limit => isLimit(limit, value.limits[limit])))
  );
}

function isAcceptedName(value: CellTags, original: CellTags): boolean {
  return isStepName(value.step) || (value.step !== '' && value.step === original.step);
}
