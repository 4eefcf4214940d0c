/** The parameters of the notebook, values to run it with instead, and how runs are run. */
import { closeIcon, undoIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { Section } from '../../components/section';
import { isOutside, readHints, writeValue, type Hints } from '../../parameters';
import { CommandIDs, type Parameter } from '../../tokens';

export function ParametersPanel({
  parameters
}: {
  parameters: Parameter[];
}): React.ReactElement | null {
  const trans = useTrans();
  const { model } = useNotebook();
  const actions = useActions();
  if (parameters.length === 0) {
    return null;
  }
  const changed = parameters.filter(({ name }) => name in model.overrides).length;
  return (
    <Section
      title={trans.__('Parameters')}
      note={changed > 0 ? trans.__('%1 changed', changed) : undefined}
      isOpenAtFirst={parameters.length <= 4}
    >
      <div className="jp-Pipelines-parameters">
        {parameters.map(parameter => (
          <ParameterInput key={parameter.name} parameter={parameter} />
        ))}
        <div className="jp-Pipelines-buttons">
          <button
            className="jp-Pipelines-smallButton"
            title={trans.__('Run once for each of many values')}
            onClick={() => void actions.commands.execute(CommandIDs.sweep)}
          >
            {trans.__('Sweep…')}
          </button>
          <SavedSets />
        </div>
      </div>
    </Section>
  );
}

function ParameterInput({ parameter }: { parameter: Parameter }): React.ReactElement {
  const trans = useTrans();
  const { model } = useNotebook();
  const id = React.useId();
  const { name, comment } = parameter;
  const override = model.overrides[name];
  const isChanged = override !== undefined;
  const { values, wrong } = model.parsedOverrides;
  const isWrong = wrong.includes(name);
  const hints = readHints(parameter);
  const standard = writeValue(parameter);
  const shown = override ?? standard;
  const change = (text: string): void => model.override(name, text === standard ? null : text);
  const note = isWrong
    ? expectation(trans, parameter.type)
    : isOutside(values[name], hints)
      ? trans.__('The comment says %1 to %2.', hints.minimum, hints.maximum)
      : '';
  const field = {
    id,
    value: shown,
    'aria-invalid': isWrong || undefined,
    'aria-describedby': note ? `${id}-note` : comment ? `${id}-comment` : undefined
  };

  return (
    <div className="jp-Pipelines-parameter" data-changed={isChanged || undefined}>
      <label htmlFor={id}>
        <code>{name}</code>
      </label>
      {parameter.type === 'bool' ? (
        <select {...field} onChange={event => change(event.target.value)}>
          <option value="true">{trans.__('true')}</option>
          <option value="false">{trans.__('false')}</option>
        </select>
      ) : (
        <>
          <input
            {...field}
            type="text"
            inputMode={parameter.type === 'int' ? 'numeric' : undefined}
            spellCheck={false}
            autoComplete="off"
            list={hints.choices.length > 0 ? `${id}-choices` : undefined}
            onChange={event => change(event.target.value)}
          />
          <Choices id={`${id}-choices`} hints={hints} />
        </>
      )}
      <button
        className="jp-Pipelines-iconButton"
        disabled={!isChanged}
        title={trans.__('Back to the default, %1', standard)}
        aria-label={trans.__('%1: back to the default', name)}
        onClick={() => model.override(name, null)}
      >
        <undoIcon.react tag="span" />
      </button>
      {note ? (
        <p id={`${id}-note`} className={isWrong ? 'jp-Pipelines-wrong' : 'jp-Pipelines-hint'}>
          {note}
        </p>
      ) : comment ? (
        <p id={`${id}-comment`} className="jp-Pipelines-hint" title={comment}>
          {comment}
        </p>
      ) : null}
    </div>
  );
}

function Choices({ id, hints }: { id: string; hints: Hints }): React.ReactElement | null {
  return hints.choices.length > 0 ? (
    <datalist id={id}>
      {hints.choices.map(choice => (
        <option key={choice} value={choice} />
      ))}
    </datalist>
  ) : null;
}

/** Values that were saved under a name, and a way to save those of now. */
function SavedSets(): React.ReactElement {
  const trans = useTrans();
  const { model } = useNotebook();
  const [name, setName] = React.useState<string | null>(null);
  const { values, wrong } = model.parsedOverrides;
  const sets = Object.entries(model.parameterSets);
  const current = JSON.stringify(values);
  const save = (): void => {
    if (name?.trim()) {
      model.saveParameterSet(name.trim(), values);
    }
    setName(null);
  };
  return (
    <>
      {sets.map(([saved, held]) => (
        <span key={saved} className="jp-Pipelines-chip" data-set={saved}>
          <button
            aria-pressed={JSON.stringify(held) === current}
            title={Object.entries(held)
              .map(([parameter, value]) => `${parameter} = ${JSON.stringify(value)}`)
              .join('\n')}
            onClick={() => model.overrideAll(held)}
          >
            {saved}
          </button>
          <button
            className="jp-Pipelines-iconButton"
            title={trans.__('Forget these values')}
            aria-label={trans.__('Forget %1', saved)}
            onClick={() => model.saveParameterSet(saved, null)}
          >
            <closeIcon.react tag="span" />
          </button>
        </span>
      ))}
      {name === null ? (
        <button
          className="jp-Pipelines-smallButton"
          disabled={wrong.length > 0 || Object.keys(values).length === 0}
          title={trans.__('Keep these values in the notebook, under a name')}
          onClick={() => setName('')}
        >
          {trans.__('Save values…')}
        </button>
      ) : (
        <input
          className="jp-Pipelines-nameInput"
          type="text"
          autoFocus
          aria-label={trans.__('Name for these values')}
          placeholder={trans.__('Name, then Enter')}
          value={name}
          onChange={event => setName(event.target.value)}
          onBlur={save}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              save();
            } else if (event.key === 'Escape') {
              setName(null);
            }
          }}
        />
      )}
    </>
  );
}

/** How runs are run. */
export function OptionsPanel(): React.ReactElement {
  const trans = useTrans();
  const { model } = useNotebook();
  const { kernels } = useActions();
  const id = React.useId();
  const changed = [model.jobs, model.kernel].filter(value => value !== null).length;
  return (
    <Section
      title={trans.__('Run options')}
      note={changed > 0 ? trans.__('%1 changed', changed) : undefined}
      isOpenAtFirst={false}
    >
      <div className="jp-Pipelines-parameters">
        <div className="jp-Pipelines-parameter">
          <label htmlFor={`${id}-jobs`}>{trans.__('Steps at a time')}</label>
          <input
            id={`${id}-jobs`}
            type="number"
            min={1}
            max={64}
            placeholder={trans.__('one per core')}
            value={model.jobs ?? ''}
            onChange={event => {
              const jobs = Math.floor(event.target.valueAsNumber);
              model.jobs = jobs >= 1 ? jobs : null;
            }}
          />
        </div>
        <div className="jp-Pipelines-parameter">
          <label htmlFor={`${id}-kernel`}>{trans.__('Kernel')}</label>
          <select
            id={`${id}-kernel`}
            value={model.kernel ?? ''}
            onChange={event => (model.kernel = event.target.value || null)}
          >
            <option value="">{trans.__('the notebook’s')}</option>
            {kernels().map(({ name, title }) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </div>
      </div>
    </Section>
  );
}

function expectation(trans: TranslationBundle, type: Parameter['type']): string {
  switch (type) {
    case 'int':
      return trans.__('A whole number is needed, such as 10.');
    case 'float':
      return trans.__('A number is needed, such as 0.1.');
    case 'list':
      return trans.__('A list in JSON is needed, such as [1, 2].');
    case 'dict':
      return trans.__('An object in JSON is needed, such as {"a": 1}.');
    default:
      return trans.__('This value cannot be read.');
  }
}
