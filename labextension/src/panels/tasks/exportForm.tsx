/** What an export is to be like: its engine, its folder, its options. */
import { PathExt } from '@jupyterlab/coreutils';
import * as React from 'react';

import type { PipelinesClient } from '../../client';
import { useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import type { JSONValue } from '../../tokens';

interface ExportFormProps {
  client: PipelinesClient;
  path: string;
  isRunning: boolean;
  onStart(said: { folder: string; arguments: { [name: string]: JSONValue } }): void;
}

/** The option that is on or off; all others have a value. */
const SWITCH = 'as_notebooks';

const WORDS: { [option: string]: string } = {
  image: 'Image',
  cpu: 'CPU',
  memory: 'Memory',
  gpu: 'GPU'
};

const EXAMPLES: { [option: string]: string } = {
  image: 'registry.example.org/team/flights:1.0',
  cpu: '2',
  memory: '4Gi',
  gpu: '1'
};

export function ExportForm(props: ExportFormProps): React.ReactElement {
  const { client, path, isRunning, onStart } = props;
  const trans = useTrans();
  const id = React.useId();
  const { value: targets, error } = useFetched('targets', () => client.exportTargets());
  const [chosen, setChosen] = React.useState('package');
  const [typedFolder, setFolder] = React.useState<string | null>(null);
  const [name, setName] = React.useState('');
  const [schedule, setSchedule] = React.useState('');
  const [options, setOptions] = React.useState<{ [option: string]: string | boolean }>({});
  const [verify, setVerify] = React.useState(false);
  if (!targets) {
    return error ? (
      <p className="jp-Pipelines-wrong">{error}</p>
    ) : (
      <p className="jp-Pipelines-loading">{trans.__('Loading…')}</p>
    );
  }
  const target = targets.find(each => each.name === chosen) ?? targets[0];
  const folder =
    typedFolder ??
    PathExt.join(PathExt.dirname(path), `${PathExt.basename(path, '.ipynb')}-${target.name}`);
  const said = Object.fromEntries(
    target.options.flatMap(option => {
      const value = options[option];
      return value === undefined || value === '' || value === false ? [] : [[option, value]];
    })
  );
  const text = (
    option: string,
    label: string,
    value: string,
    onChange: (value: string) => void,
    placeholder = ''
  ): React.ReactElement => (
    <React.Fragment key={option}>
      <label htmlFor={`${id}-${option}`}>{label}</label>
      <input
        id={`${id}-${option}`}
        type="text"
        spellCheck={false}
        autoComplete="off"
        placeholder={placeholder}
        value={value}
        onChange={event => onChange(event.target.value)}
      />
    </React.Fragment>
  );
  const box = (
    label: string,
    isOn: boolean,
    onChange: (isOn: boolean) => void
  ): React.ReactElement => (
    <label className="jp-Pipelines-switch">
      <input type="checkbox" checked={isOn} onChange={event => onChange(event.target.checked)} />
      {label}
    </label>
  );
  return (
    <form
      className="jp-Pipelines-form"
      onSubmit={event => {
        event.preventDefault();
        onStart({
          folder: folder.trim(),
          arguments: {
            target: target.name,
            options: said,
            verify: verify && target.can_verify,
            ...(name.trim() ? { name: name.trim() } : {}),
            ...(schedule.trim() ? { schedule: schedule.trim() } : {})
          }
        });
      }}
    >
      <label htmlFor={`${id}-target`}>{trans.__('Target')}</label>
      <select
        id={`${id}-target`}
        value={target.name}
        aria-describedby={`${id}-summary`}
        onChange={event => setChosen(event.target.value)}
      >
        {targets.map(each => (
          <option key={each.name} value={each.name}>
            {each.name}
          </option>
        ))}
      </select>
      <p id={`${id}-summary`} className="jp-Pipelines-note">
        {target.summary}
      </p>
      {text('folder', trans.__('Folder'), folder, setFolder)}
      {text('name', trans.__('Name'), name, setName, trans.__('that of the notebook'))}
      {text(
        'schedule',
        trans.__('Schedule'),
        schedule,
        setSchedule,
        trans.__('when asked; or 0 5 * * 1')
      )}
      {target.options
        .filter(option => option !== SWITCH)
        .map(option =>
          text(
            option,
            WORDS[option] ?? option,
            String(options[option] ?? ''),
            value => setOptions({ ...options, [option]: value }),
            EXAMPLES[option]
          )
        )}
      <div className="jp-Pipelines-checks">
        {target.options.includes(SWITCH)
          ? box(trans.__('Steps as executed notebooks'), options[SWITCH] === true, isOn =>
              setOptions({ ...options, [SWITCH]: isOn })
            )
          : null}
        {target.can_verify
          ? box(
              trans.__('Verify: install it, run it on the engine, compare every artifact'),
              verify,
              setVerify
            )
          : null}
      </div>
      <div className="jp-Pipelines-buttons">
        <button
          type="submit"
          className="jp-Pipelines-button jp-mod-primary"
          disabled={isRunning || folder.trim() === ''}
          title={trans.__('Run what is not up to date, then write the pipeline')}
        >
          {trans.__('Export')}
        </button>
      </div>
    </form>
  );
}
